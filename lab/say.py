# SPDX-License-Identifier: MIT
"""
One voice for everything that takes a while: what is being done, how far it is, how long it took.

From: the launcher `hamlet`, lab/bochs/build.py, lab/nested/image.py
"""

import sys
import time


class Unusable(Exception):
    """This machine, tool or file cannot be used; the text is one clear line for the user."""


def note(text):
    """One line to the user, kept apart from the console of the machine (stderr)."""
    print(f"[hamlet] {text}", file=sys.stderr, flush=True)


class Progress:
    """A step that takes a while. On a terminal one line that is rewritten, in a log one line every 20 s."""

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
        print(f"\r\033[K{text}" if tty else text, end="" if tty else "\n", file=sys.stderr, flush=True)

    def done(self, detail="done"):
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr)
        note(f"{self.what}: {detail} ({time.monotonic() - self.start:.0f} s)")
