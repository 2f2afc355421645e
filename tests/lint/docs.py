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
"""
import re
import sys

from house import ROOT, functions, listed, resolve, sources, text

SOURCES = (".c", ".h", ".asm", ".cc", ".py")
BUILT = ("build/",)
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


def main():
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
    print("\n".join(dict.fromkeys(findings)) or "docs: true to the tree")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
