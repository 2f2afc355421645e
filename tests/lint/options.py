#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The tables of options in the sources against those of README.md: both have the same keys, and README
names every word. One line per finding.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The table in the source, and how its table in README.md begins.
TABLES = [("arch/options.c", "rows", "| Hamlet's words |"),
          ("guest/life/config.c", "rows", "| words of a VM |"),
          ("guest/life/config.c", "device_rows", "| words behind a device |")]


def block(text, name):
    """What stands between the braces of a table of that name; "": there is none."""
    match = re.search(rf"\b{name}\[.*?\] = \{{(.*?)\}};", text, re.S)
    return match.group(1) if match else ""


def rows_of_source(text, name):
    """Each key, and its words."""
    for row in re.split(r"\n    (?=\{)", block(text, name)):
        key = re.match(r'\s*\{"([\w-]+)", ', row)
        if key:
            listed = re.search(r"\.words = (\w+)", row)
            words = block(text, listed.group(1)) if listed else "".join(re.findall(
                r"OPTION_WORDS\((.*?)\)", row, re.S))
            yield key.group(1), re.findall(r'"([\w-]+)"', words)


def rows_of_readme(text, head):
    """Each key, and its line. One line may have several keys."""
    table = text.partition("\n" + head)[2].partition("\n\n")[0]
    for line in table.splitlines()[2:]:
        for key in re.findall(r"`(\w+)[^`]*`", line.split("|")[1]):
            yield key, line


def compare(source, name, head):
    rows = dict(rows_of_source((ROOT / source).read_text(), name))
    lines = dict(rows_of_readme((ROOT / "README.md").read_text(), head))
    if not rows:
        yield f"{source}:1: there is no table {name}[]"
    for key in sorted(rows.keys() ^ lines.keys()):
        yield (f"README.md:1: {key} of {source} is missing" if key in rows
               else f"README.md:1: {source} has no {key}")
    for key in rows.keys() & lines.keys():
        for word in rows[key]:
            if not re.search(rf"(?<![\w-]){word}(?![\w-])", lines[key]):
                yield f"README.md:1: the row of {key} does not name its word {word}"


def main():
    findings = [finding for table in TABLES for finding in compare(*table)]
    print("\n".join(findings) or "options: README is complete")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
