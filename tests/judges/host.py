# SPDX-License-Identifier: MIT
"""
A boot of the lab machine with a system of others on it, and what the machine's trace says of it.

From: tests/judges/test_*.py      To: lab/linux/host.py (the boot), lab/bochs/plugin/text.cc (the
trace)
"""

import re
from pathlib import Path

import pytest
from lab.linux import host
from lab.linux.host import PATIENCE, medium     # noqa: F401 (for the judges)

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "tests/cases"
LOGS = ROOT / "build/judges"

# As little trouble as a real unit makes, and as much as it may make (docs/lab.md).
HOSTILE = {"caching_mode": "1", "slow": "3000", "hold": "500", "drop": "20", "records": "1"}

# What no unit is to say of correct software: hits of what is no longer true, rules broken, requests
# blocked without a report, its own errors. "advice" is of what no specification promises.
WRONG = re.compile(r"^ *\d+ .* (?:stale|violation|blocked|queue error) .*$", re.M)
FAULT = r"^ *\d+ unit\d fault .*$"


def needs():
    """Skip what cannot run here."""
    reason = host.why_not()
    if reason:
        pytest.skip(reason)


def run(name, iso, **more):
    """lab/linux/host.py's run(); console and trace are in build/judges/."""
    return host.run(LOGS / name, iso, **more)


def wrong(trace, known="(?!)"):
    """The first line of the trace that shows a mistake, but for those that are `known`; or None."""
    lines = [line for line in WRONG.findall(trace) if not re.search(known, line)]
    return lines[0] if lines else None
