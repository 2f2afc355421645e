#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
A tour can be walked: docs/tours/*.md against the symbol graph and docs/reading-order.txt.

- from each step (### N. `file` `function()`) the next one's file is reached: one file uses the
  other, directly or over files that the text of both steps names by path or by a function of
  theirs; a tour may turn back. Or hardware leads there, and the paragraph before or after the
  heading tells of a VM exit, a return, or what arrives
- at a step with a function the walk stops there: its text has `(gdb) to function`, and the case of
  the walk sees that it is reached behind the step before (tests/cases/test_tours.py)
- a chapter of the reading order that is marked "-> docs/tours/x.md" stands at or after the chapter
  of each file that a step of that tour is about
"""
import re
import sys

from house import ROOT, functions, listed, resolve, sources, text
from house.graph import graph
from house.report import report

NOT_CALLED = re.compile(r"\b(VM exit|returned|returns|arrives|[Tt]he unit (drops|reads|walks))\b")
ORDER = "docs/reading-order.txt"


def prose(part):
    """A step without what a run has shown."""
    return re.sub(r"<!--.*?-->\n|```\n.*?\n```\n", "", part, flags=re.S)


def steps(tour):
    """(line, file or None, function or None, text) of each step."""
    parts = re.split(r"^(?=##)", text(tour), flags=re.M)
    line, found = 1, []
    for part in parts:
        match = re.match(r"### \d+\. (?:`([^`]+)` `(\w+)(?:\(\))?`)?", part)
        if match:
            found.append((line, match[1], match[2], part))
        line += part.count("\n")
    return found


def named(part):
    """Sources that a step names: by a path, or by a function, public or static in one file only."""
    files = {resolve(path) for path in re.findall(r"`([\w/]+\.(?:c|h|asm))`", part)}
    for function in re.findall(r"`(\w+)\(\)`", part):
        owners = [s for s in sources(".c", ".asm") if function in functions(s)]
        public = graph().owner.get(function)
        files |= {public} if public else set(owners) if len(owners) == 1 else set()
    return files - {None}


def joined(first, second, between):
    """One uses the other, perhaps over some of the files between."""
    seen, todo, edges = {first}, [first], graph().edges
    while todo:
        at = todo.pop()
        for other in between | {second}:
            if other not in seen and (other in edges.get(at, ()) or at in edges.get(other, ())):
                seen.add(other)
                todo.append(other)
    return second in seen


def check_steps(tour):
    before = None
    for line, path, function, part in steps(tour):
        if path and before and path in sources() and before[0] in sources() and path != before[0]:
            between = named(before[1]) | named(part)
            around = prose(before[1]).rstrip().split("\n\n")[-1] + part.split("\n\n")[1]
            if not joined(before[0], path, between) and not NOT_CALLED.search(around):
                yield tour, line, f"how does one come from {before[0]} to {path}? " \
                    "No file that these steps name joins them"
        if path:
            before = path, part
        elif before: # the hardware's step: its text may join those around it
            before = before[0], before[1] + part


def check_walk(tour):
    for line, _, function, part in steps(tour):
        if function and f"\n(gdb) to {function}\n" not in part:
            yield tour, line, f"no walk stops at {function}"


def chapters():
    """file -> its chapter's number, and (line, number, tour) of each mark."""
    at, marks, number = {}, [], 0
    for line, said in enumerate(text(ORDER).splitlines(), 1):
        if match := re.match(r"# (\d+)\.", said):
            number = int(match[1])
        for tour in re.findall(r"docs/tours/\w+\.md", said.partition("->")[2]):
            marks.append((line, number, tour))
        name = said.partition("#")[0].strip()
        if name:
            at[name] = number
    return at, marks


def check_order():
    at, marks = chapters()
    for line, number, tour in marks:
        if not (ROOT / tour).exists():
            yield ORDER, line, f"{tour} is not there"
            continue
        late = sorted({path for _, path, _, _ in steps(tour) if path and at.get(path, 0) > number})
        if late:
            needs = ", ".join(f"{path} ({at[path]})" for path in late)
            yield ORDER, line, f"{tour} needs later chapters: {needs}"
    for tour in listed():
        if tour.startswith("docs/tours/") and tour not in {t for _, _, t in marks}:
            yield tour, 1, f"no chapter of {ORDER} is marked with this tour"


def main():
    tours = [name for name in listed() if re.match(r"docs/tours/.*\.md$", name)]
    findings = [finding for tour in tours for check in (check_steps, check_walk)
                for finding in check(tour)]
    return report("tours", [*findings, *check_order()])


if __name__ == "__main__":
    sys.exit(main())
