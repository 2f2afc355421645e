# SPDX-License-Identifier: MIT
"""
Two runs side by side: which event of one is which of the other, and the first that differs.

From: lab/play/page.py      To: lab/play/story.py (the steps); docs/play.md has the rule in words

Two events are equal if the same thing says the same, without what may differ from run to run:
ticks, addresses of the host, where in its code a guest was, counters of Hamlet's, and which CPU it
was. Where the runs part, they are together again where TOGETHER events in a row are equal.
"""

import re
from dataclasses import dataclass

TOGETHER, FAR = 3, 400      # events in a row; how far to look for them
SAME, ORDER, TIME, DIFFERS = range(4)

LEFT_OUT = ("cost", "rip", "qualification", "hpa", "at", "status", "head", "tail", "dest", "table",
            "info", "root-table", "rvi", "svi", "vppr", "virr", "visr")
# Words of memory have addresses in them. Of those an entry of the interrupt remapping table has
# only a descriptor, and a CPU.
ENTRIES = ("entry", "before", "after", "cached", "now", "value", "descriptor")
ADDRESS, DESTINATION = 0x000FFFFFFFFFF000, 0xFFFFFFFF00000000
IRTE = re.compile(r"unit\d+ (iec|irte|table written interrupt)")
POSTED, WAIT, WAIT_STATUS = 0x8001, 5, 0xFFFFFFFF
CONTROL = 0xFF0003          # NV, SN, ON; where NDST points is which CPU
# What comes of what guest, device and Hamlet do, however long each takes.
DONE = re.compile(r"device \S+ (message|dma|intx|reset|trouble|bar\d .*<-)|"
                  r"unit\d+ (table written|queue fetched|fault|blocked|violation|gcmd)|"
                  r"(pio|mmio|config) .*<-|cpu delivered|guest mark ")
# Two that do something at the same time may do it in any order.
QUEUE = re.compile(r"unit\d+ (table|queue|flush|gcmd|\w+ (superseded|agrees|gone))")
ACCESS = re.compile(r"(pio|mmio|config) ")


@dataclass
class Row:
    left: int               # the step of this run; -1: it has none here
    right: int
    kind: int


def _entry(word, story, is_irte):
    """An entry, or a command, without the addresses in it."""
    high, low = [int(half, 16) for half in word.split(".")] if "." in word else [0, int(word, 16)]
    if is_irte and low & POSTED == POSTED:
        descriptor = hex(high >> 32 << 32 | low >> 38 << 6)
        return f"{high & 0xFFFFFFFF:x}.{low & (1 << 38) - 1:x}.{story.vcpu_at(descriptor)}"
    if is_irte:
        return f"{high:x}.{low & ~DESTINATION:x}"
    if low & 0xF == WAIT:
        return f"{low & WAIT_STATUS:x}"
    return f"{high & ~ADDRESS:x}.{low & ~ADDRESS:x}"


def told(step, story):
    """(who, what) of an event, without what may differ."""
    line, words = step.raw.split("\n")[0], []
    if "mark" in step.marks:        # a guest's words
        return step.lane.removeprefix("vcpu ") + " accesses", f"guest {line}"
    for word in line.split():
        key, fact, value = word.partition("=")
        if fact and (key in LEFT_OUT or step.who and key == "pid"):
            continue
        if fact and key in ("pid", "to"):
            word = story.vcpu_at(value)
        elif fact and key == "control":
            word = f"{int(value, 16) & CONTROL:x}"
        elif key in ENTRIES and re.fullmatch(r"(0x)?[0-9a-f]+(\.[0-9a-f]+)?", value):
            word = f"{key}={_entry(value, story, IRTE.match(line))}"
        words.append(word)
    what = re.sub(r"^cpu\d+ ", "cpu ", " ".join(words))
    who = "queue" if QUEUE.match(what) else step.who or step.lane.removeprefix("vcpu ")
    return who + (" accesses" if ACCESS.match(what) else ""), what


def rows(left, right):
    """[Row] of two stories, in the order of both."""
    one, other = ([told(step, story) for step in story.steps] for story in (left, right))
    common, alone = set(one) & set(other), _alone(one, other)
    found, gap = [], ([], [])
    for i, j in [*_aligned(one, other), (None, None)]:
        if i is not None and (i < 0 or j < 0):
            said = one[i] if j < 0 else other[j]
            is_time = said in common and not DONE.match(said[1])
            kind = ORDER if (i, j) not in alone else TIME if is_time else DIFFERS
            gap[j >= 0].append((Row(i, j, kind), said))
            if len(gap[0]) + len(gap[1]) < 2 * FAR:
                continue
        found += _opposite(*gap)
        gap = ([], [])
        if i is not None and min(i, j) >= 0:
            found.append(Row(i, j, SAME))
    return found


def _opposite(lefts, rights):
    """One that differs stands beside one of its kind, if there is one."""
    while lefts:
        row, said = lefts.pop(0)
        at = next((n for n, (other, words) in enumerate(rights) if _is_like(said, words) and
                   DIFFERS in (row.kind, other.kind)), None)
        if at is not None:
            yield from (other for other, _ in rights[:at])
            row = Row(row.left, rights[at][0].right, DIFFERS)
            del rights[:at + 1]
        yield row
    yield from (other for other, _ in rights)


def _is_like(one, other):
    return one[0] == other[0] and one[1].split()[:2] == other[1].split()[:2]


def _alone(one, other):
    """What has no partner, (i, -1) or (-1, j), among all that the same thing does."""
    found = set()
    for who in {who for who, _ in one + other}:
        mine, others = ([n for n, said in enumerate(run) if said[0] == who]
                        for run in (one, other))
        for a, b in _aligned([one[n] for n in mine], [other[n] for n in others]):
            if a < 0 or b < 0:
                found.add((mine[a] if a >= 0 else -1, others[b] if b >= 0 else -1))
    return found


def _aligned(one, other):
    """Pairs of indices; -1: no partner."""
    i = j = 0
    while i < len(one) and j < len(other):
        if one[i] == other[j]:
            yield i, j
            i, j = i + 1, j + 1
            continue
        a, b = _together(one, other, i, j)
        yield from ((n, -1) for n in range(i, a))
        yield from ((-1, n) for n in range(j, b))
        i, j = a, b
    yield from ((n, -1) for n in range(i, len(one)))
    yield from ((-1, n) for n in range(j, len(other)))


def _together(one, other, i, j):
    """The nearest place from which on both say the same."""
    for apart in range(1, 2 * FAR):
        for a in range(i + max(0, apart - FAR), i + min(apart, FAR) + 1):
            b = i + j + apart - a
            here = one[a:a + TOGETHER]
            if here and here == other[b:b + TOGETHER]:
                return a, b
    return min(i + FAR, len(one)), min(j + FAR, len(other))


def difference(found):
    """The first row that differs; None."""
    return next((n for n, row in enumerate(found) if row.kind == DIFFERS), None)


def sentences(left, right, row):
    """What each run does in this row."""
    return [story.steps[index].text if index >= 0 else "nothing like it here"
            for story, index in ((left, row.left), (right, row.right))]
