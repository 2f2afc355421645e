# SPDX-License-Identifier: MIT
"""
pytest's side of the judges: a table of what each of them saw, printed at the end and written to
build/judges.txt. A case says what it saw by record_property("saw", TEXT), before it asserts.

From: make judges      To: tests/cases/case.py (a boot of Hamlet)
"""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/cases"), str(ROOT / "tests/bench")]

import case as cases                    # noqa: E402 (the path comes first)
from lab.say import Unusable            # noqa: E402

TABLE = ROOT / "build/judges.txt"
_rows = {}                              # nodeid -> [name, verdict, seconds, what it saw]


def pytest_configure(config):
    config.addinivalue_line("markers", "nested: of tests/cases/, whose functions are used here")


@pytest.fixture
def boot(tmp_path):
    """boot(Case(...)) boots Hamlet, and checks what the case expects."""
    def start(case):
        try:
            return cases.run(case, tmp_path)
        except cases.Skip as reason:
            raise pytest.skip.Exception(str(reason)) from None
        except Unusable as problem:
            raise pytest.fail.Exception(str(problem), pytrace=False) from None
    return start


def pytest_runtest_logreport(report):
    if report.when != "call" and report.passed:
        return
    file, what, which = re.search(r"test_(\w+)\.py::test_(\w+)(?:\[(.+)\])?$",
                                  report.nodeid).groups()
    name = " ".join(filter(None, [file, what if what != file else "", which]))
    saw = [text for key, text in report.user_properties if key == "saw"]
    if report.skipped and not saw:
        saw = [report.longrepr[2].removeprefix("Skipped: ")]
    _rows[report.nodeid] = [name, report.outcome, f"{report.duration:.0f}", "; ".join(saw)]


def pytest_unconfigure(config):
    if not _rows:
        return
    widths = [max(len(row[n]) for row in _rows.values()) for n in range(3)]
    lines = ["  ".join([name.ljust(widths[0]), verdict.ljust(widths[1]),
                        seconds.rjust(widths[2]) + " s", saw]).rstrip()
             for name, verdict, seconds, saw in _rows.values()]
    verdicts = [row[1] for row in _rows.values()]
    lines.append(", ".join(f"{verdicts.count(kind)} {kind}"
                           for kind in ("passed", "failed", "skipped")))
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text("\n".join(lines) + "\n")
    print("\n" + "\n".join(lines), flush=True)
