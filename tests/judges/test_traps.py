# SPDX-License-Identifier: MIT
"""
Each mistake of docs/passthrough-traps.md is made, and the test that its switch names turns red.

From: make judges      To: labs/traps.py, tests/unit/
"""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "cases"))

from test_labs import labs                       # noqa: E402


@pytest.mark.parametrize("number", labs.TRAPS)
def test_trap(number):
    red, lines = labs.trap(number)
    assert red and f": {labs.TRAPS[number][4]}: " in "\n".join(lines), lines
