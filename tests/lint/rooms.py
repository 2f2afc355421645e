#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The rooms of the house (tests/lint/house/__init__.py): all that leaves a room goes down.

- an include leads to a room that the table allows; a header that says "Private to vtd/." is used
  there only
- a symbol, function or variable, leads there too, but for what a header named upcalls.h declares
- what a header declares is defined in the header's own room; a folder's header that
  is not private may stand for the rooms in that folder
- a function or variable of upcalls.h names, in a comment at its declaration, the file that answers
  (`/* pc/pio.c */`), which defines it; and some file below uses it
- so every cycle of calls lies in one room; the largest of each is printed, and more than
  one file is a finding
"""
import re
import sys

from house import ORDER, ROOMS, line_of, may_use, private, resolve, room_of, sources, text
from house.graph import cycles, graph, upcalls
from house.report import report

HERE = "tests/lint/house/__init__.py"


def check_table():
    for number, (room, _, said) in enumerate(ROOMS):
        for other in said.removeprefix("all below").removeprefix(" but").split():
            if other not in ORDER[:number]:
                yield HERE, 1, f"{room} names {other}, which is not below it"
    for name in sources():
        if not room_of(name):
            yield name, 1, f"{name.rpartition('/')[0]}/ is no room; see ROOMS in {HERE}"


def check_includes():
    for name in sources():
        for number, line in enumerate(text(name).splitlines(), 1):
            match = re.match(r'[#%]include "([^"]+)"', line)
            if not match or match[1] not in sources():
                continue
            room, other = room_of(name), room_of(match[1])
            if name.endswith("/upcalls.h"):
                other = other.split("/")[0] # it speaks for its whole folder
            if other not in may_use(room):
                yield name, number, f"{room} may not use {other}: {match[1]}"
            elif not name.startswith(private(match[1])):
                yield name, number, f"{match[1]} is private to {private(match[1])}"


def check_calls(declared):
    for name, uses in graph().edges.items():
        for other, symbols in uses.items():
            if room_of(other) not in may_use(room_of(name)):
                for symbol in sorted(symbols - declared):
                    yield name, line_of(name, symbol), \
                        f"{room_of(name)} may not use {room_of(other)}: {symbol} of {other}"


def check_headers():
    for name in sources(".h"):
        if name.endswith("/upcalls.h"):
            continue
        room = room_of(name)
        for number, line in enumerate(text(name).splitlines(), 1):
            for symbol in re.findall(r"^(?!#|static)[A-Za-z].*?\b(\w+)(?:\(|;$|\[)", line):
                at = graph().owner.get(symbol)
                inside = not private(name) and room_of(at or "").startswith(room + "/")
                if at and room_of(at) != room and not inside:
                    yield name, number, f"{symbol} is defined in another room: {at}"


def check_upcalls(asked):
    for header, number, symbol, said in asked:
        answers, top = graph().owner.get(symbol), header.split("/")[0] + "/"
        if not answers:
            yield header, number, f"no source defines {symbol}"
            continue
        if answers not in [resolve(path) for path in said]:
            yield header, number, f"{symbol} is answered by {answers}; " \
                f"the comment names {' '.join(said) or 'no file'}"
        users = [name for name, used in graph().used_by(answers).items() if symbol in used]
        if not any(name.startswith(top) and room_of(answers) not in may_use(room_of(name))
                   for name in users):
            yield header, number, f"nothing in {top} uses {symbol} upwards"


def largest_cycles(declared):
    """room -> (count of files, largest cycle of calls). Upcalls are left out."""
    edges = {name: {other for other, symbols in uses.items() if symbols - declared}
             for name, uses in graph().edges.items()}
    files = {room: [name for name in sorted(edges) if room_of(name) == room] for room in ORDER}
    return {room: (len(names), (cycles(names, edges) or [names[:1]])[0])
            for room, names in files.items() if names}


def main():
    asked = list(upcalls())
    declared = {function for _, _, function, _ in asked}
    largest = largest_cycles(declared)
    for room, (count, cycle) in largest.items():
        print(f"rooms: {room} {count} files, largest cycle {len(cycle)}")
    mutable = sorted(f"{symbol} ({name})" for symbol, name in graph().mutable)
    print(f"rooms: {len(asked)} upcalls, {len(mutable)} external variables: {', '.join(mutable)}")
    findings = [*check_table(), *check_includes(), *check_calls(declared), *check_headers(),
                *check_upcalls(asked)]
    findings += [(cycle[0], 1, f"calls go round: {' '.join(cycle)}")
                 for _, cycle in largest.values() if len(cycle) > 1]
    return report("rooms", findings)


if __name__ == "__main__":
    sys.exit(main())
