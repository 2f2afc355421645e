# SPDX-License-Identifier: MIT
"""
The one reader of a console. What a guest prints are bytes of any kind: only "\\n" ends a line, a
carriage return counts for nothing, and what the monitor has taken back of its prompt is gone. Other
ends of lines that Unicode knows, and str.splitlines() with it, a guest can print.

From: lab/machines/boot.py (Console), lab/report.py, lab/trace.py, the launcher `hamlet`
"""

import re

from lab.say import Unusable

ERASED = re.compile(r".*\x1b\[K", re.S)
DRAWN = re.compile(r"\x1b7.*?(?:\x1b8|$)", re.S)      # a guest's screen, at the top
SEQUENCE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")      # GRUB clears the screen
GUEST = re.compile(r"[A-Za-z0-9_-]{1,15}\| (.*)", re.S)    # only what a guest prints begins so


def clean(line):
    """A line as a terminal shows it."""
    return SEQUENCE.sub("", ERASED.sub("", DRAWN.sub("", line.replace("\r", ""))))


def split(text):
    """The lines of a text, without their ends. What stands behind the last end is one, too."""
    return [clean(line) for line in text.split("\n")]


class Lines:
    """Bytes, as they come, become lines: `rest` is the beginning of one whose end has not come."""

    def __init__(self):
        self._pending, self.whole = b"", []

    def take(self, data):
        """Returns the lines that have become whole."""
        *ended, self._pending = (self._pending + data).split(b"\n")
        lines = [clean(line.decode("utf-8", "replace")) for line in ended]
        self.whole += lines
        return lines

    @property
    def rest(self):
        return clean(self._pending.decode("utf-8", "replace"))

    def text(self):
        return "\n".join([*self.whole, self.rest])


def pattern(text, option):
    """A regular expression of the user's."""
    try:
        return re.compile(text, re.M)
    except re.error as problem:
        raise Unusable(f"{option} {text}: no regular expression: {problem}") from None


class Wanted:
    """
    What is waited for: patterns in their order, each in lines behind those of the one before.
    of_guests: only what guests print is looked at, without the VM's name, which might match itself.
    """

    def __init__(self, patterns, of_guests=False):
        self.left, self.of_guests = list(patterns), of_guests
        self._text = ""
        self._used = False      # the line without an end was found: the rest of it counts no more

    def take(self, lines, rest):
        """Lines that have become whole, and what has come of the next one. True: nothing is left
        to wait for."""
        for line in lines:
            if not self._used:
                self._text += self._seen(line, "\n")
            self._used = False
        while self.left and self._find("" if self._used else self._seen(rest, "\0")):
            del self.left[0]
        return not self.left

    def _seen(self, line, end):
        """What is looked at. A line whose end has not come goes on: "$" is not there."""
        guest = GUEST.fullmatch(line)
        if not line and end == "\0" or self.of_guests and not guest:
            return ""
        return (guest.group(1) if self.of_guests else line) + end

    def _find(self, rest):
        found = self.left[0].search(self._text + rest)
        if not found or rest and found.end() == len(found.string):
            return False
        last = self._text.count("\n", 0, max(found.end() - 1, 0))      # the line where it ends
        self._used = last == self._text.count("\n")
        self._text = "" if self._used else self._text.split("\n", last + 1)[-1]
        return True
