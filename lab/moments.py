# SPDX-License-Identifier: MIT
"""
Commands for the monitor at a moment of the run, in place of a person who types them.

From: the launcher `hamlet`      To: lab/machines/boot.py (Console.answers)

    --monitor 'pid alpha.0; exits @halted=\\d+'     when a line of the console shows this
    --monitor 'trace show 5 @end'                   after the last VM; without @, too
"""

from lab import lines
from lab.say import Unusable

PROMPT = r"\n\(hamlet\) $"
AT_END = "No VM runs; the monitor has the console"
SWITCH = "\x01c"      # Ctrl-A c
OFF = "reboot off\r"
DUMPED = ("trace: e ", "trace: end")      # trace dump; every other "COMMAND: " is a complaint
UNKNOWN = "{}: no such command; help lists them"      # monitor/term/command.c


class Moments:
    """The conversation that a console is given; `missed`: moments that did not come."""

    def __init__(self, texts):
        self.missed, self.console = [], None
        rows = [_row(text) for text in texts]
        self.names = {command.split()[0]: None for commands, _ in rows for command in commands}
        self.moments = [moment for _, moment in rows if moment != "end"]
        self.answers = [answer for row in rows if row[1] != "end" for answer in self._at(*row)]
        self.last = [(PROMPT, f"{command}\r") for commands, moment in rows if moment == "end"
                     for command in commands]
        if rows:
            self.last.append((PROMPT, OFF))

    def words(self):
        """For Hamlet's command line."""
        return "end=monitor" if self.last else ""

    def give_to(self, console):
        self.console = console
        console.prepare([*self.answers, *self.last])

    def wrong(self):
        """What did not go as it was asked for, in words; "" for nothing. A guest prints no line
        like Hamlet's answer: its lines begin with its name."""
        whole = self.console.lines.whole
        unknown = [name for name in self.names if UNKNOWN.format(name) in whole]
        if self.missed:
            return f"did not come: {', '.join(self.missed)}"
        if unknown:
            return f"no such command: {', '.join(unknown)}"
        complaints = tuple(f"{name}: " for name in self.names)
        return next((line for line in whole
                     if line.startswith(complaints) and not line.startswith(DUMPED)), "")

    def _at(self, commands, moment):
        def begin(found):
            if found.group(0) != AT_END.encode():
                self.moments.remove(moment)
                return SWITCH
            self.missed = self.moments      # all VMs have ended, and the monitor is there by itself
            del self.console.answers[:-len(self.last)]
            return ""
        return [(f"{AT_END}|(?m:{moment})", begin),
                *((PROMPT, f"{command}\r") for command in commands), (PROMPT, SWITCH)]


def _row(text):
    """(the commands, the moment)"""
    commands, at, moment = text.rpartition("@")
    if not at:
        commands, moment = text, "end"
    lines.pattern(moment, "--monitor @")
    typed = [command.strip() for command in commands.split(";") if command.strip()]
    if not typed or not moment.strip():
        raise Unusable(f"--monitor {text!r}: {'no moment behind the @' if typed else 'no command'}")
    return typed, moment
