#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The rooms of the house (tests/lint/house/__init__.py): no include and no call leaves a room but downwards.

- an include leads to a room that the table allows, and not to a private header of another folder
- a symbol, function or variable, leads there too, but for what a header named upcalls.h declares
- a function of upcalls.h names, in a comment at its prototype, the file that answers (`/* pc/pio.c */`), which
  defines it; and some file below uses it
- so every cycle of calls lies in one room; the largest of each room is printed, and limited by tests/lint/budget.txt
"""
import re
import sys

from house import ORDER, PRIVATE, ROOMS, line_of, may_use, resolve, room_of, sources, text
from house.budget import report
from house.graph import cycles, graph, upcalls

KINDS = ("no-room", "include", "call", "upcall", "cycle")
HERE = "tests/lint/house/__init__.py"


def check_rooms():
    for number, (room, _, uses) in enumerate(ROOMS):
        for other in uses.removeprefix("all below").removeprefix(" but").split():
            if other not in ORDER[:number]:
                yield "no-room", HERE, 1, f"{room} names {other}, which is not below it"
    for name in sources():
        if not room_of(name):
            yield "no-room", name, 1, f"{name.rpartition('/')[0]}/ is no room; see tests/lint/house/__init__.py"


def check_includes():
    for name in sources():
        room = room_of(name)
        for number, line in enumerate(text(name).splitlines(), 1):
            match = re.match(r'[#%]include "([^"]+)"', line)
            if not match or match[1] not in sources():
                continue
            header, top = match[1], match[1].split("/")[0]
            if room_of(header) not in may_use(room):
                yield "include", name, number, f"{room} may not use {room_of(header)}: {header}"
            elif top != name.split("/")[0] and header.split("/")[-1] in PRIVATE.get(top, ()):
                yield "include", name, number, f"{header} is private to {top}/"


def check_calls(declared):
    for name, uses in graph().edges.items():
        for other, symbols in uses.items():
            if room_of(other) not in may_use(room_of(name)):
                for symbol in sorted(symbols - declared):
                    yield "call", name, line_of(name, symbol), \
                        f"{room_of(name)} may not use {room_of(other)}: {symbol} of {other}"


def check_upcalls(asked):
    g = graph()
    for header, number, function, answer in asked:
        answers = g.owner.get(function)
        if not answers:
            yield "upcall", header, number, f"no source defines {function}()"
        elif not answer:
            yield "upcall", header, number, f"{function}() names no file that answers: it is {answers}"
        elif resolve(answer, header.split("/")[0]) != answers:
            yield "upcall", header, number, f"{function}() is answered by {answers}, not by {answer}"
        top = header.split("/")[0] + "/"
        if answers and not any(name.startswith(top) and room_of(answers) not in may_use(room_of(name))
                               for name, symbols in g.used_by(answers).items() if function in symbols):
            yield "upcall", header, number, f"nothing in {top} calls {function}() upwards"


def largest_cycles(declared):
    """room -> (count of files, largest cycle of calls): upcalls are left out, and no other call goes up."""
    edges = {name: {other for other, symbols in uses.items() if symbols - declared}
             for name, uses in graph().edges.items()}
    files = {room: [name for name in sorted(edges) if room_of(name) == room] for room in ORDER}
    return {room: (len(names), (cycles(names, edges) or [names[:1]])[0]) for room, names in files.items() if names}


def main():
    asked = list(upcalls())
    declared = {function for _, _, function, _ in asked}
    largest = largest_cycles(declared)
    for room, (count, cycle) in largest.items():
        more = ": " + " ".join(name.removeprefix(room + "/") for name in cycle) if len(cycle) > 1 else ""
        print(f"rooms: {room} {count} files, largest cycle {len(cycle)}{more if '--all' in sys.argv else ''}")
    mutable = sorted(f"{symbol} ({name})" for symbol, name in graph().mutable)
    print(f"rooms: {len(asked)} upcalls, {len(mutable)} external variables: {', '.join(mutable)}")
    return report("rooms", KINDS, [*check_rooms(), *check_includes(), *check_calls(declared), *check_upcalls(asked)],
                  [("cycle", room + "/", len(cycle)) for room, (_, cycle) in largest.items() if len(cycle) > 1])


if __name__ == "__main__":
    sys.exit(main())
