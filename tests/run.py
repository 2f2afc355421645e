#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
All tests, one after the other, and one line at the end: `N passed, N failed, N skipped`.

From: make test      To: make unit, make check, tests/cases/

Unit tests count by cmocka's own lines, boot cases by pytest's. A stage without a count of its own is one test.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

STAGES = [
    # a stage's name, its command, and where its programs leave their own words if not on the terminal
    ("unit tests", ["make", "--no-print-directory", "-s", "unit"], "build/unit/*.log"),
    ("checks", ["make", "--no-print-directory", "-s", "check"], None),
    ("boot cases", [sys.executable, "-m", "pytest", "-v", "--no-header", "-rs", "--durations=10", "-p", "no:cacheprovider", "--color=no", "tests/cases",
                    *sys.argv[1:]], None),
]


def stage(name, command):
    """Run one stage with its output shown; returns its text and status."""
    print(f"== {name}: {' '.join(map(str, command))}", flush=True)
    start, text = time.monotonic(), []
    child = subprocess.Popen(command, cwd=ROOT, text=True, errors="replace", stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for line in child.stdout:
        print(line, end="", flush=True)
        text.append(line)
    child.wait()
    print(f"== {name}: {'ok' if child.returncode == 0 else 'FAILED'} ({time.monotonic() - start:.0f} s)", flush=True)
    return "".join(text), child.returncode


def logs(pattern):
    return "".join(path.read_text(errors="replace") for path in ROOT.glob(pattern)) if pattern else ""


def count(text, status):
    """(passed, failed, skipped) of a stage."""
    passed = sum(map(int, re.findall(r"^\[  PASSED  \] (\d+) test", text, re.M)))
    failed = sum(map(int, re.findall(r"^\[  FAILED  \] *\S*:? *(\d+) test", text, re.M)))
    skipped = sum(map(int, re.findall(r"^\[  SKIPPED \] *\S*:? *(\d+) test", text, re.M)))
    summary = [line for line in text.splitlines() if re.search(r"^=*\s*\d+ (passed|failed|skipped|error).* in ", line)]
    for line in summary[-1:]:
        passed += sum(map(int, re.findall(r"(\d+) passed", line)))
        failed += sum(map(int, re.findall(r"(\d+) (?:failed|error)", line)))
        skipped += sum(map(int, re.findall(r"(\d+) skipped", line)))
    if status and not failed:
        failed = 1
    if not (passed or failed or skipped):
        passed = 1
    return passed, failed, skipped


def main():
    totals = [0, 0, 0]
    for name, command, pattern in STAGES:
        text, status = stage(name, command)
        for index, number in enumerate(count(text + logs(pattern), status)):
            totals[index] += number
    passed, failed, skipped = totals
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
