#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The documents against the tree: what they name has to be there. One line per finding.

- every path in backquotes (`vmx/run/run.c`) exists; every function (`vm_map()`) is in some source
- `file` `function()`, `other()`, or `function()` in `file`, or `function()` (`file`): the file
  defines them
- struct vcpu (vmx/vmx.h), with or without backquotes: that header defines it
- a step of a tour (### N. `file` `function()`: ...) names a function that is defined in that file;
  steps are counted
- each file of docs/reading-order.txt stands in a chapter whose title names its room, and the
  chapters between the first and the last follow the table of rooms
- the table "Locks" of docs/architecture.md has a row for every struct spinlock of every file, with
  the name that the lock has in a panic

    tests/lint/docs.py --cited [WORD]   titles of manuals, each with the files that cite it
"""
import re
import sys
from collections import Counter

from house import ORDER, ROOT, functions, listed, resolve, room_of, sources, text
from style import cited_titles

SOURCES = (".c", ".h", ".asm", ".cc", ".py")
BUILT = ("build/",)
READING, LOCKS = "docs/reading-order.txt", "docs/architecture.md"
PATH, CALL = r"`([\w/-]+\.(?:c|h|asm))`", r"`(\w+)\(\)`"
PAIR = re.compile(rf"{PATH}[,:]? ((?:{CALL}(?:, | and )?)+)|{CALL} (?:in |\(){PATH}")

findings = []


def find(path, number, what):
    findings.append(f"{path}:{number}: {what}")


def check_names(path, number, line, folders, words):
    for name in re.findall(r"`(\.?/?[\w.-]+/[\w./-]*)`", line):
        name = name.removeprefix("./")
        if name.split("/")[0] in folders and not (ROOT / name).exists() \
                and not name.startswith(BUILT):
            find(path, number, f"{name} is not there")
    for name in re.findall(CALL, line):
        if name not in words:
            find(path, number, f"no source has {name}()")


def check_places(path, number, line):
    for match in PAIR.finditer(line):
        source = resolve(match[1] or match[5])
        for name in re.findall(CALL, match[2] or "") or [match[4]]:
            if source and name not in functions(source) and f"#define {name}(" not in text(source):
                owners = ", ".join(s for s in sources() if name in functions(s)) or "no source"
                find(path, number, f"{source} does not define {name}(); {owners} does")
    for name, header in re.findall(r"struct (\w+)`? \(`?([\w/]+\.[ch])\b", line):
        if resolve(header) and f"struct {name} {{" not in text(resolve(header)):
            owners = ", ".join(s for s in sources() if f"struct {name} {{" in text(s))
            find(path, number,
                 f"{header} does not define struct {name}; {owners or 'no source'} does")


def check_tour(path, lines):
    count = 0
    for number, line in enumerate(lines, 1):
        step = re.match(r"### (\d+)\. (?:`([^`]+)` `(\w+)(?:\(\))?`)?", line)
        if not step:
            continue
        count += 1
        if int(step[1]) != count:
            find(path, number, f"this is step {count}")
        if step[2] and (ROOT / step[2]).exists() and step[3] not in functions(step[2]):
            find(path, number, f"{step[2]} does not define {step[3]}")
    if count < 5:
        find(path, 1, "a tour has at least 5 steps")


def check_reading_order():
    rooms, last = [], -1
    for number, line in enumerate(text(READING).splitlines(), 1):
        name = line.partition("#")[0].strip()
        if chapter := re.match(r"# \d+\..*: ([\w/, ]+?) *(?:->.*)?$", line):
            rooms = chapter[1].split(", ")
        elif name and not any(room_of(name) == r or room_of(name).startswith(r + "/")
                              for r in rooms):
            find(READING, number, f"{name} lies in {room_of(name)}: not in this chapter's rooms")
        elif name and rooms != ["boot"]:
            at = ORDER.index(rooms[0])
            if at < last:
                find(READING, number, f"the chapter of {rooms[0]} comes after {ORDER[last]}")
            last = max(last, at)


def check_locks():
    table = text(LOCKS).partition("\n## Locks\n")[2].partition("\n## ")[0]
    rows = Counter(re.findall(r"^\|[^|]*\| `([\w/.]+)` \|", table, re.M))
    held = Counter(name for name in sources(".c", ".h")
                   for _ in re.findall(r"^[\w ]*struct spinlock \w+(?:;| = \{)", text(name), re.M))
    called = Counter(re.findall(r"^\| `?([^|`]+?)`? \| `[\w/.]+` \|", table, re.M))
    named = Counter(found for name in sources(".c") for found in re.findall(
        r"^(?:static struct spinlock \w+ = \{|.*(?:lock|\bending))\.name = \"(.*?)\"", text(name),
        re.M))
    for name in sorted(called.keys() | named.keys()):
        if called[name] != named[name]:
            find(LOCKS, 1, f"the lock {name} has {called[name]} rows and {named[name]} names")
    for name in sorted(rows.keys() | held.keys()):
        if rows[name] != held[name]:
            find(LOCKS, text(LOCKS).count("\n", 0, text(LOCKS).find("## Locks")) + 1,
                 f"{name} has {held[name]} locks, the table {rows[name]}")


def print_cited(word):
    found = {}
    for name in listed():
        if name.endswith((".c", ".h", ".cc")):
            for title in cited_titles(text(name)):
                found.setdefault(title, set()).add(name)
    for title in sorted(found):
        if word.lower() in title.lower():
            print(f'"{title}": {", ".join(sorted(found[title]))}')


def main():
    if "--cited" in sys.argv:
        print_cited("".join(sys.argv[sys.argv.index("--cited") + 1:][:1]))
        return 0
    folders = {name.split("/")[0] for name in listed() if "/" in name}
    code = "\n".join(text(name) for name in listed() if name.endswith(SOURCES))
    words = set(re.findall(r"\b\w+(?=\()", code))
    for name in listed():
        if name.endswith(".md"):
            for number, line in enumerate(text(name).splitlines(), 1):
                check_names(name, number, line, folders, words)
                check_places(name, number, line)
            if name.startswith("docs/tours/"):
                check_tour(name, text(name).splitlines())
    check_reading_order()
    check_locks()
    print("\n".join(dict.fromkeys(findings)) or "docs: true to the tree")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
