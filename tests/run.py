#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
All tests, one after the other, and one line at the end: `N passed, N failed, N skipped`.

From: make test      To: make check, tests/cases/

Unit tests count by cmocka's own lines, boot cases by pytest's. A stage without a count of its own
is one test. The nested machine keeps one processor of the host busy for half of the time, so its
cases begin at once and go before the others, which run beside them; then each takes what is left.
A case waits now and then, so there is one run more than there are processors.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAKE = ["make", "--no-print-directory", "-s", f"-j{os.cpu_count()}"]
CASES = [sys.executable, "-m", "pytest", "-v", "--no-header", "-rs", "--durations=10", "-p",
         "no:cacheprovider", "--color=no", "tests/cases"]

NOTHING_CHOSEN = 5      # pytest's status, if -k left nothing

SHARED = tempfile.mkdtemp(prefix="hamlet-test-")       # who has which case
STAGES = [
    # what runs together: a stage's name, its command, and where its programs write if not on the
    # terminal
    [("unit tests and checks", [*MAKE, "check"], "build/unit/*.log")],
    [("nested boot cases", [*CASES, f"--share={SHARED}", "--nested=first", *sys.argv[1:]], None),
     *((f"boot cases {n}", [*CASES, f"--share={SHARED}", "--nested=no", *sys.argv[1:]],
        None) for n in range(1, 1 + min(os.cpu_count(), 4)))],
]


class Stage(threading.Thread):
    """One stage, with its output shown; after join() its text and status."""

    def __init__(self, name, command, pattern):
        super().__init__(name=name)
        self.command, self.pattern, self.lines, self.status = command, pattern, [], 1

    def run(self):
        print(f"== {self.name}: {' '.join(map(str, self.command))}", flush=True)
        start = time.monotonic()
        child = subprocess.Popen(self.command, cwd=ROOT, text=True, errors="replace",
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT)
        for line in child.stdout:
            print(line, end="", flush=True)
            self.lines.append(line)
        self.status = child.wait()
        print(f"== {self.name}: {'ok' if self.status == 0 else 'FAILED'} "
              f"({time.monotonic() - start:.0f} s)", flush=True)

    def count(self):
        return count("".join(self.lines) + logs(self.pattern), self.status)


def logs(pattern):
    if not pattern:
        return ""
    return "".join(path.read_text(errors="replace") for path in ROOT.glob(pattern))


def count(text, status):
    """(passed, failed, skipped) of a stage."""
    if status == NOTHING_CHOSEN or re.search(r"^=*\s*no tests ran in ", text, re.M) or (
        not status and re.search(r"^=+ \d+ deselected in ", text, re.M)):
        return 0, 0, 0
    passed = sum(map(int, re.findall(r"^\[  PASSED  \] (\d+) test", text, re.M)))
    failed = sum(map(int, re.findall(r"^\[  FAILED  \] *\S*:? *(\d+) test", text, re.M)))
    skipped = sum(map(int, re.findall(r"^\[  SKIPPED \] *\S*:? *(\d+) test", text, re.M)))
    summary = [line for line in text.splitlines()
               if re.search(r"^=*\s*\d+ (passed|failed|skipped|error).* in ", line)]
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
    for group in STAGES:
        together = [Stage(*row) for row in group]
        for stage in together:
            stage.start()
        for stage in together:
            stage.join()
            for index, number in enumerate(stage.count()):
                totals[index] += number
    shutil.rmtree(SHARED, ignore_errors=True)
    passed, failed, skipped = totals
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
