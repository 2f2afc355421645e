# SPDX-License-Identifier: MIT
"""
What is built once and used many times lives in one folder of the user's, never in the tree.

From: lab/bochs/build.py, lab/nested/image.py
"""

import contextlib
import fcntl
import hashlib
import os
from pathlib import Path

from lab.say import note


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
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note(f"{name}: another hamlet is building it, waiting ...")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
