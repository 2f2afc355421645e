#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The commands that stand in the documents and in the heads of programs: the launcher takes each
`./hamlet ...`, and each `make NAME` is a goal of the Makefile. One line per finding.
"""
import contextlib
import importlib.machinery
import importlib.util
import io
import re
import shlex
import subprocess
import sys

from house import ROOT

PAGES = ["README.md", "CONTRIBUTING.md", "docs/*.md", "docs/tours/*.md", "guest/programs/*.c",
         "guest/programs/flat/*.asm"]
OURS = re.compile(r"^[ ;*$]*(\./hamlet (?:run|iso|trace|test|new|doctor)\b.*)$")
QUOTED = re.compile(r"`(?:time )?(\./hamlet (?:run|iso|trace|test|new|doctor)\b[^`]*)`")
GOAL = re.compile(r"`make ([a-z][a-z-]*)[ `]")


def launcher():
    loader = importlib.machinery.SourceFileLoader("hamlet", str(ROOT / "hamlet"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("hamlet", loader))
    loader.exec_module(module)
    return module


def lines(path):
    """(number, line), those that end in a backslash joined."""
    begun, first = "", 0
    for number, line in enumerate(path.read_text().split("\n"), 1):
        first = first or number
        begun += line.removesuffix("\\")
        if not line.endswith("\\"):
            yield first, begun
            begun, first = "", 0


def wrong(module, command):
    """What the launcher has against a command; ""."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            module.parse(shlex.split(command.replace("PORT", "1"), comments=True)[1:])
    except ValueError as problem:
        return str(problem)
    except SystemExit as end:
        return said.getvalue().strip().split("\n")[-1] if end.code else ""
    return ""


def main():
    module, findings, count = launcher(), [], 0
    goals = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for path in [path for page in PAGES for path in sorted(ROOT.glob(page))]:
        name = path.relative_to(ROOT)
        for number, line in lines(path):
            for command in [*OURS.findall(line), *QUOTED.findall(line)]:
                count += 1
                said = wrong(module, command)
                findings += [f"{name}:{number}: {said}"] if said else []
            findings += [f"{name}:{number}: the Makefile has no goal {goal}"
                         for goal in GOAL.findall(line) if goal not in goals]
    print("\n".join(findings) or f"commands: the launcher takes all {count}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
