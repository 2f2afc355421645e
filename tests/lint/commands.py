#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The commands that stand in the documents and in the heads of programs: the launcher takes each
`./hamlet ...`, each `make NAME` is a goal of the Makefile, and each has one that runs it, a case or
the judge of the documents (tests/cases/documented.py). One line per finding.
"""
import contextlib
import importlib.machinery
import importlib.util
import io
import re
import shlex
import sys

from house import ROOT

sys.path.append(str(ROOT / "tests/cases"))

import documented                                # noqa: E402 (the path comes first)

HERE = "tests/cases/documented.py"
TABLES = (documented.CASES, documented.JUDGES, documented.BY_HAND, documented.JUDGED)
GOAL = re.compile(r"make ([a-z][a-z-]*)(?: |$)")
FORMS = {"PORT": "1"}       # what a reader puts there, and would be refused as it stands


def launcher():
    loader = importlib.machinery.SourceFileLoader("hamlet", str(ROOT / "hamlet"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("hamlet", loader))
    loader.exec_module(module)
    return module


def wrong(module, goals, command):
    """What the launcher, or the Makefile, has against a command; ""."""
    goal = GOAL.match(command)
    if goal:
        return "" if goal[1] in goals else f"the Makefile has no goal {goal[1]}"
    if not command.startswith("./hamlet "):
        return ""
    said = io.StringIO()
    words = [FORMS.get(word, word) for word in shlex.split(command)[1:]]
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            module.parse(words)
    except ValueError as problem:
        return str(problem)
    except SystemExit as end:
        return said.getvalue().strip().split("\n")[-1] if end.code else ""
    return ""


def not_run(command, texts):
    """What is wrong with the rows of a command; ""."""
    runners = documented.runners(command, texts)
    return "" if runners == 1 else f"{runners} run it: it needs one row in {HERE}"


def no_cases():
    """Cases that the table names and that are not there."""
    for folder, table in (("cases", documented.CASES), ("judges", documented.JUDGES)):
        for case in sorted(set(table.values()) - {documented.CHECK}):
            file, _, name = case.partition("::")
            path = ROOT / "tests" / folder / file
            if not path.exists() or f"def {name}(" not in path.read_text():
                yield f"{HERE}: there is no case {case}"


def main():
    module, found = launcher(), list(documented.commands())
    goals = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    goals |= {"build"}      # a file in it
    texts = {command for _, _, command in found}
    findings = [f"{page}:{line}: {said}: {command}" for page, line, command in found
                for said in (wrong(module, goals, command), not_run(command, texts)) if said]
    findings += [f"{HERE}: no document has: {command}"
                 for table in TABLES for command in table if command not in texts]
    findings += no_cases()
    print("\n".join(findings) or f"commands: each of {len(texts)} is run, or said to be by hand")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
