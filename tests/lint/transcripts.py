#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Each block of a document is a drawing (```text), commands, or the transcript of a run; and the run
is one of a case in tests/cases/, which compares it. One line per finding.
"""
import re
import sys

from house import ROOT

PAGES = ["README.md", "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
FENCE = re.compile(r"^ *```")
RUN = re.compile(r"<!-- run: (\S+)")
COMMENT = re.compile(r"<!-- run: |^ *differs: |^ *-->$")
# What tests/lint/commands.py gives to the launcher and to make, and programs that are there.
COMMAND = re.compile(r"(\./hamlet|make|/sbin/mke2fs|python3 (-m lab\.\w+|tests/lint/\w+\.py))\b"
                     r"|    ")


def blocks(path):
    """(line, the word behind the fence, the run, lines) of each block."""
    lines = path.read_text().split("\n")
    begin, run = None, None
    for number, line in enumerate(lines, 1):
        if begin is None and RUN.search(line):
            run = RUN.search(line)[1]
        if not FENCE.match(line):
            if begin is None and not COMMENT.search(line):      # of a run: just before its block
                run = None
        elif begin is None:
            begin = number
        else:
            yield begin, lines[begin - 1].strip()[3:], run, lines[begin:number - 1]
            begin, run = None, None


def finding(kind, run, lines, runs):
    """What is wrong with a block; None."""
    if kind:
        return None
    if run:
        return None if run in runs else f"no case compares the run {run}"
    if all(COMMAND.match(line) for line in lines if line.strip()):
        return None
    return "no run is named for this block; a drawing is ```text"


def main():
    cases = "\n".join(path.read_text() for path in ROOT.glob("tests/cases/test_*.py"))
    runs = set(re.findall(r'(?:shown|transcript)\(\s*"([\w-]+)"', cases))
    found, findings = set(), []
    begin = re.findall(r'documents\.runs\("([\w-]+)"\)', cases)      # all that begin so
    for page in PAGES:
        for number, kind, run, lines in blocks(ROOT / page):
            found.add(run)
            if run and run.startswith(tuple(begin)):
                runs.add(run)
            wrong = finding(kind, run, lines, runs)
            findings += [f"{(ROOT / page).relative_to(ROOT)}:{number}: {wrong}"] if wrong else []
    findings += [f"tests/cases: no document has a transcript of the run {run}"
                 for run in sorted(runs - found)]
    print("\n".join(findings) or f"transcripts: {len(runs)} runs are compared")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
