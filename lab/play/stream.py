# SPDX-License-Identifier: MIT
"""
The events of a recorded run in one order: Hamlet's and the lab machine's, by one clock.

From: lab/play/story.py
To:   lab/trace.py (what was read)

Of one VM exit both have an event: the machine's has the moment, Hamlet's the reason, RIP and the
cost; they become one. Without the machine (a trace of another one) the entries are made of Hamlet's
exits and what they cost.
"""

import re
from dataclasses import dataclass, field

FACT = re.compile(r"([\w-]+)=(\S*)")
# What a tie is decided by: the processors of the lab take turns within a tick.
BEFORE, HAMLET, AFTER = 0, 1, 2


@dataclass
class Happening:
    at: int                 # tick
    order: int
    event: object = None    # of Hamlet: lab/trace.py Event
    words: str = ""         # of the machine
    facts: dict = field(default_factory=dict)

    def cpu(self):
        """Of a line of a processor, or of Hamlet's event; None."""
        if self.event:
            return self.event.cpu
        return int(self.facts["cpu"]) if "cpu" in self.facts else None


def _of_machine(tick, words):
    facts = dict(FACT.findall(words))
    cpu = re.match(r"cpu(\d+) (\w+)", words)
    if cpu:
        facts.update(cpu=cpu[1], does=cpu[2])
    return Happening(tick, AFTER if cpu and cpu[2] == "entry" else BEFORE, words=words, facts=facts)


def merged(trace):
    """[Happening] in the order in which they came."""
    rows = [_of_machine(tick, words) for tick, words in trace.machine]
    processors = any("does" in row.facts for row in rows)
    rows += [Happening(event.tsc, HAMLET, event=event) for event in trace.events]
    rows.sort(key=lambda row: (row.at, row.order))
    return _joined(rows) if processors else list(_with_entries(rows))


def _joined(rows):
    """Hamlet's exits go into those of the machine."""
    left, out = {}, []
    for row in rows:
        if row.facts.get("does") == "exit":
            left[row.cpu()] = row
        if row.event and row.event.type == "exit" and row.cpu() in left:
            left.pop(row.cpu()).event = row.event
            continue
        out.append(row)
    return out


def _with_entries(rows):
    """An entry ends each exit that has a cost."""
    entries = [Happening(row.at + row.event.a, AFTER, facts={"cpu": str(row.event.cpu),
                                                             "does": "entry"}, event=row.event)
               for row in rows if row.event and row.event.type == "exit" and row.event.a]
    for row in rows:
        if row.event and row.event.type == "exit":
            row.facts = {"cpu": str(row.event.cpu), "does": "exit", "reason": str(row.event.info)}
    return sorted([*rows, *entries], key=lambda row: (row.at, row.order))
