# SPDX-License-Identifier: MIT
"""
What is built once and used many times lives in one folder of the user's, never in the tree.

From: lab/bochs/build.py, lab/nested/image.py
"""

import contextlib
import fcntl
import hashlib
import os
import time
from pathlib import Path

from lab.say import Progress


def folder():
    """${XDG_CACHE_HOME:-$HOME/.cache}/hamlet, made when first asked for."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = Path(base) / "hamlet"
    path.mkdir(parents=True, exist_ok=True)
    return path


def key(*parts):
    """A short name for a recipe: the same parts give the same name, any change gives another."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


@contextlib.contextmanager
def lock(name):
    """Two launchers at once build a thing once: the second waits for the first."""
    with open(folder() / f"{name}.lock", "w") as handle:
        progress = None
        while not _taken(handle):
            progress = progress or Progress(f"{name}: waiting for another hamlet that builds it")
            progress.tick("...")
            time.sleep(0.25)
        if progress:
            progress.done()
        yield


def _taken(handle):
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
