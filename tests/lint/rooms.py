#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The rooms of the house (tests/lint/house/__init__.py): no include and no call leaves a room but downwards.

- an include leads to a room that the table allows, by a header that its folder shows
- a symbol, function or variable, leads there too, but for what a header named upcalls.h declares
- what a header declares is defined in the header's own room; what a folder shows may stand for the rooms in it
- a function of upcalls.h names, in a comment at its prototype, the file that answers (`/* pc/pio.c */`), which
  defines it; and some file below uses it
- so every cycle of calls lies in one room; the largest of each room is printed, and limited by tests/lint/budget.txt
"""
import re
import sys

from house import ORDER, ROOMS, line_of, may_use, resolve, room_of, shown, sources, text
from house.budget import report
from house.graph import cycles, graph, upcalls

KINDS = ("no-room", "include", "call", "header", "upcall", "cycle")
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
            header = match[1]
            if room_of(header) not in may_use(room):
                yield "include", name, number, f"{room} may not use {room_of(header)}: {header}"
            elif not shown(header, name):
                yield "include", name, number, f"{header} is for its own folder; see SHOWN in {HERE}"


def check_calls(declared):
    for name, uses in graph().edges.items():
        for other, symbols in uses.items():
            if room_of(other) not in may_use(room_of(name)):
                for symbol in sorted(symbols - declared):
                    yield "call", name, line_of(name, symbol), \
                        f"{room_of(name)} may not use {room_of(other)}: {symbol} of {other}"


def check_headers():
    """What a header declares is defined in its room; a promise for another room is an upcall."""
    for name in sources(".h"):
        for number, line in enumerate(text(name).splitlines(), 1):
            for function in re.findall(r"^(?!#|static)[A-Za-z].*?\b(\w+)(?:\(|;$|\[)", line):
                answers = graph().owner.get(function)
                front = shown(name, "") and room_of(answers or "").startswith(room_of(name) + "/")
                if answers and room_of(answers) != room_of(name) and not front and not name.endswith("/upcalls.h"):
                    yield "header", name, number, f"{function} is defined in another room: {answers}"


def check_upcalls(asked):
    g = graph()
    for header, number, function, said in asked:
        answers = g.owner.get(function)
        if not answers:
            yield "upcall", header, number, f"no source defines {function}()"
        elif answers not in [resolve(path) for path in said]:
            yield "upcall", header, number, f"{function}() is answered by {answers}; the comment names {' '.join(said) or 'no file'}"
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
    return report("rooms", KINDS, [*check_rooms(), *check_includes(), *check_calls(declared), *check_headers(),
                                   *check_upcalls(asked)], [("cycle", room + "/", len(cycle)) for room, (_, cycle) in largest.items() if len(cycle) > 1])


if __name__ == "__main__":
    sys.exit(main())
