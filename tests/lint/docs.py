#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The documents against the tree: what they name has to be there. One line per finding.

- every path in backquotes (`vmx/run/run.c`) exists; every function in backquotes (`vm_map()`) is in some source
- a step of a tour (### N. `file` `function()`: ...) names a function that is defined in that file; steps are counted
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = (".c", ".h", ".asm", ".cc", ".py")
BUILT = ("build/",)

findings = []


def listed():
    out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                         capture_output=True, text=True, check=True).stdout.split()
    return [name for name in out if (ROOT / name).is_file()]


def is_defined(text, name):
    """In C a name at the beginning of a definition, in assembly a label."""
    return re.search(rf"^(?:[A-Za-z_][\w *()]*[ *])?{name}\((?:[^;]|\n)*?\)(?: \{{|\n\{{)", text, re.M) or \
        re.search(rf"^{name}:", text, re.M)


def check_names(path, lines, folders, words):
    for number, line in enumerate(lines, 1):
        for name in re.findall(r"`(\.?/?[\w.-]+/[\w./-]*)`", line):
            name = name.removeprefix("./")
            if name.split("/")[0] in folders and not (ROOT / name).exists() and not name.startswith(BUILT):
                findings.append(f"{path}:{number}: {name} is not there")
        for name in re.findall(r"`(\w+)\(\)`", line):
            if name not in words:
                findings.append(f"{path}:{number}: no source has {name}()")


def check_tour(path, lines):
    count = 0
    for number, line in enumerate(lines, 1):
        step = re.match(r"### (\d+)\. (?:`([^`]+)` `(\w+)(?:\(\))?`)?", line)
        if not step:
            continue
        count += 1
        if int(step.group(1)) != count:
            findings.append(f"{path}:{number}: this is step {count}")
        source, name = step.group(2), step.group(3)
        if source and (ROOT / source).exists() and not is_defined((ROOT / source).read_text(), name):
            findings.append(f"{path}:{number}: {source} does not define {name}")
    if count < 5:
        findings.append(f"{path}:1: a tour has at least 5 steps")


def main():
    names = listed()
    folders = {name.split("/")[0] for name in names if "/" in name}
    text = "\n".join((ROOT / name).read_text(errors="replace") for name in names if name.endswith(SOURCES))
    words = set(re.findall(r"\b\w+(?=\()", text))
    for name in names:
        if name.endswith(".md"):
            lines = (ROOT / name).read_text().splitlines()
            check_names(name, lines, folders, words)
            if name.startswith("docs/tours/"):
                check_tour(name, lines)
    print("\n".join(findings) or "docs: true to the tree")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
