# SPDX-License-Identifier: MIT
"""
Lab 16: through each of the holes an attacker gets out, and one that does nothing does not.
(`make test` tries one of them.)

From: make judges      To: labs/16-get-out/holes/, tests/labs/attack.c
"""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "cases"))

from test_labs import FOLDERS, tried             # noqa: E402

HOLES = sorted(path.stem for path in (FOLDERS[16] / "holes").iterdir())


@pytest.mark.parametrize("hole", HOLES)
def test_hole(hole):
    right, said = tried(16, False, hole=hole)
    assert right, said
    right, said = tried(16, True, hole=hole)
    assert not right, said
