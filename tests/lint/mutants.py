#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Mutants fit the sources: each text that a mutant of tests/explore/ or tests/cases/vmx_mutants.py
takes out stands in its file exactly once. Those programs take minutes and run by hand, so this is
looked at here.
"""
import sys

from house import ROOT, text
from house.report import report

sys.path[:0] = [str(ROOT / "tests/explore"), str(ROOT / "tests/cases")]

import explore_mutants                           # noqa: E402
import vmx_mutants                               # noqa: E402


EXPLORE, VMX = "tests/explore/explore_mutants.py", "tests/cases/vmx_mutants.py"


def misfits():
    for rule, edits in [*explore_mutants.MUTANTS, *explore_mutants.RIGHT]:
        try:
            explore_mutants.broken(rule, edits)
        except ValueError as problem:
            yield EXPLORE, 1, str(problem)
    for name, old, _ in vmx_mutants.EDITS:
        if text(name).count(old) != 1:
            yield VMX, 1, f"{name} has not exactly one {old!r}"


if __name__ == "__main__":
    sys.exit(report("mutants", misfits()))
