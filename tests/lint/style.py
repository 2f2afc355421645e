#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The style of CONTRIBUTING.md, executable. One line per finding: FILE:LINE: what is wrong.

- every source is signed, has a signpost, whose paths exist, and stands in docs/reading-order.txt
- files below 500 lines, functions below 70 (lists excepted, marked "/* list */")
- volatile only in arch/io.h (and where a guest program shares memory with a device), no bitfields,
  no postponed work, no trailing blanks
- every title of a manual that a comment cites stands in docs/references.md
"""
import re
import sys

from house import ROOT, TOPS, listed

FILE_LINES, FUNCTION_LINES = 500, 70
CITING = {*TOPS, "lab", "tests"}
MANUAL = r"\b(SDM|VT-d|ACPI|PCI|Multiboot2?|ELF|82093AA|ISO C)\b"

findings = []


def find(path, line, what):
    findings.append(f"{path.relative_to(ROOT)}:{line}: {what}")


def head_comment(text):
    match = re.search(r"/\*\n(.*?)\*/", text, re.S)
    return match.group(1) if match else ""


def check_signpost(path, text, order):
    name = str(path.relative_to(ROOT))
    if "SPDX-License-Identifier: MIT" not in text[:200]:
        find(path, 1, "no SPDX line")
    if path.suffix not in (".c", ".h", ".asm") or path.relative_to(ROOT).parts[0] not in TOPS:
        return
    if path.suffix != ".asm" and not head_comment(text):
        find(path, 1, "no signpost comment")
    if path.suffix in (".c", ".asm") and "programs" not in path.parts and name not in order:
        find(path, 1, "does not stand in docs/reading-order.txt")
    head = head_comment(text) if path.suffix != ".asm" else "\n".join(text.splitlines()[:12])
    for posted in re.findall(r"\b((?:%s)/[\w/.-]+\.(?:c|h|asm))\b" % "|".join(TOPS), head):
        if not (ROOT / posted).exists():
            find(path, 1, f"signpost leads to {posted}, which is not there")


def comments(text):
    """Each comment of a C source as one line."""
    for comment in re.findall(r"/\*.*?\*/", text, re.S):
        yield re.sub(r"\s*\n\s*\*?\s*", " ", comment)


def cited_titles(text):
    """What stands in quotes after a manual's name in a sentence: SDM "One", "Two"; VT-d "Three"."""
    for comment in comments(text):
        manual = None
        for name, title, stop in re.findall(MANUAL + r'|"([^"]+)"|([.:] (?=[A-Z]))', comment):
            if manual and (title[:1].isupper() or title[:1].isdigit()):
                yield title
            elif not title:
                manual = name


def check_titles(path, text, references):
    if path.suffix not in (".c", ".h", ".cc") or path.relative_to(ROOT).parts[0] not in CITING:
        return
    shown = re.findall(r'\\"([A-Z][^"\\]+)\\"', text) if path.parent.name == "explain" else []
    for title in [*cited_titles(text), *shown]:
        if f'"{title}"' not in references:
            find(path, 1, f'"{title}" does not stand in docs/references.md')


def check_lengths(path, lines):
    if path.suffix in (".c", ".h", ".asm", ".cc", ".py") and len(lines) >= FILE_LINES:
        find(path, len(lines), f"{len(lines)} lines; below {FILE_LINES} are enough for a file")
    if path.suffix != ".c":
        return
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            long, mark = number - start - 1, "/* list */"
            if long > FUNCTION_LINES and mark not in "".join(lines[start - 4:start]):
                find(path, start, f"function of {long} lines; {FUNCTION_LINES} are enough")
            start = None


def check_words(path, lines):
    name = str(path.relative_to(ROOT))
    code = path.suffix in (".c", ".h") and path.relative_to(ROOT).parts[0] in TOPS
    for number, line in enumerate(lines, 1):
        if re.search(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b", line):
            find(path, number, "work put off; do it or leave it out")
        if line != line.rstrip():
            find(path, number, "blanks at the end of the line")
        if code and re.search(r"\bvolatile\b", line) and "asm volatile" not in line \
                and name not in ("arch/io.h", "lib/types.h") and "programs" not in path.parts:
            find(path, number, "volatile belongs into arch/io.h")
        if code and re.match(r"\s+\w[\w\s]*\b\w+ : \d+;", line):
            find(path, number, "a bitfield leaves its layout open; use FIELD_GET")


def reading_order():
    """Paths in the order of docs/reading-order.txt; what follows a # is a word to the reader."""
    path = ROOT / "docs/reading-order.txt"
    order = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        name = line.partition("#")[0].strip()
        if name in order:
            find(path, number, f"{name} stands here twice")
        if name and not (ROOT / name).exists():
            find(path, number, f"{name} is not there")
        order += [name] if name else []
    return order


def main():
    order = reading_order()
    references = (ROOT / "docs/references.md").read_text()
    for path in map(ROOT.joinpath, listed()):
        if path.suffix not in (".c", ".h", ".asm", ".cc", ".py", ".sh"):
            continue
        text = path.read_text()
        lines = text.splitlines()
        if not lines: # what makes a folder a Python package
            continue
        check_signpost(path, text, order)
        check_titles(path, text, references)
        check_lengths(path, lines)
        check_words(path, lines)
    print("\n".join(findings) or "style: clean")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
