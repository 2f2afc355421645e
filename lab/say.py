# SPDX-License-Identifier: MIT
"""
One voice for everything that takes a while: what is being done, how far it is, how long it took.

From: the launcher `hamlet`, lab/bochs/build.py, lab/nested/image.py, programs of the Makefile
(ended)
"""

import subprocess
import sys
import time


class Unusable(Exception):
    """This machine, tool or file cannot be used; the text is one clear line for the user."""


def note(text):
    """One line to the user, kept apart from the console of the machine (stderr)."""
    print(f"[hamlet] {text}", file=sys.stderr, flush=True)


def write(path, what):
    """Text or bytes into a file that the user asked for. A disk's own error names no file."""
    try:
        path.write_bytes(what if isinstance(what, bytes) else what.encode())
    except OSError as problem:
        raise Unusable(f"{path}: {problem.strerror}") from None


def ended(name, main):
    """The status of main(), a program of the Makefile's. What ends it early is one line."""
    try:
        return main()
    except Unusable as problem:
        note(f"{name}: {problem}")
    except KeyboardInterrupt:
        note(f"{name}: stopped by the user")
        return 130
    except OSError as problem:
        note(f"{name}: {of_disk(problem)}")
    return 1


def of_disk(problem):
    """An OSError in words: a full disk, a folder that went away. Of a copy the target counts."""
    return f"{problem.filename2 or problem.filename or 'a file'}: {problem.strerror}"


class Progress:
    """A step that takes a while. On a terminal one line that is rewritten, in a log one line every
    20 s."""

    def __init__(self, what):
        self.what = what
        self.start = self.last = time.monotonic()
        note(f"{what} ...")

    def tick(self, detail):
        now = time.monotonic()
        tty = sys.stderr.isatty()
        if now - self.last < (0.2 if tty else 20):
            return
        self.last = now
        text = f"[hamlet] {self.what}: {detail} ({now - self.start:.0f} s)"
        print(f"\r\033[K{text}" if tty else text, end="" if tty else "\n", file=sys.stderr,
              flush=True)

    def done(self, detail="done"):
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr)
        note(f"{self.what}: {detail} ({time.monotonic() - self.start:.0f} s)")


def patiently(what, command, folder=None, good=None, **more):
    """Run a command that says nothing for long, a download; `folder`: where its files grow; `good`:
    tells whether it has come to what it is for, where its status does not. Returns a
    CompletedProcess."""
    progress = Progress(what)
    child = subprocess.Popen(command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, **more)
    while True:
        try:
            out, err = child.communicate(timeout=0.25)
        except subprocess.TimeoutExpired:
            progress.tick(f"{_size(folder) / 1e6:.1f} MB" if folder else "...")
            continue
        progress.done("done" if (good() if good else not child.returncode) else "failed")
        return subprocess.CompletedProcess(command, child.returncode, out, err)


def _size(folder):
    """Bytes of all files below; some of them are on their way to another name."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            pass
    return total
