#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The numbers that docs/own-kernel.md promises to a guest against the sources: a row whose last cell
names a constant begins with its value, and every hypercall has a row. One line per finding.
"""
import re
import sys

from house import ROOT, sources, text

PAGE = "docs/own-kernel.md"
VALUE = r"(?:UINT64_C\()?(0x[0-9a-f]+|\d+)\b"


def constants():
    """Constant -> its value: macros that are a plain number, and members of an enum."""
    found = {}
    for name in sources():
        plain = rf"^(?:#define\s+|    )([A-Z]\w+)\s+(?:= )?{VALUE}\)?"
        for key, value in re.findall(plain, text(name), re.M):
            found[key] = int(value, 0)
    return found


def main():
    known, findings, named = constants(), [], set()
    for number, line in enumerate((ROOT / PAGE).read_text().split("\n"), 1):
        row = re.match(r"\| (0x[0-9A-F]+|\d+) \|.*\| `(\w+)` \|$", line)
        if not row:
            continue
        named.add(row[2])
        if known.get(row[2]) != int(row[1], 0):
            findings.append(f"{PAGE}:{number}: {row[2]} is {known.get(row[2])}, and not {row[1]}")
    calls = re.findall(r"^    (HC_\w+) = \d+", text("lib/hypercall.h"), re.M)
    findings += [f"{PAGE}:1: no row has {name}" for name in calls if name not in named]
    print("\n".join(findings) or f"contract: {len(named)} numbers are true")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
