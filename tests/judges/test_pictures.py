# SPDX-License-Identifier: MIT
"""
`make pictures` still takes the pictures of docs/play: the same runs lead to the same steps, and a
browser draws each about as large as the one that is kept.

From: make judges      To: lab/play/pictures.py, docs/play.md
"""

import re
import struct
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "docs/play"
SHOWN = re.compile(r"^!\[(.*)\]\(play/(\w+)\.png\)$", re.M)


def size(file):
    """(width, height): the first chunk of a PNG file has them."""
    return struct.unpack(">II", file.read_bytes()[16:24])


def test_pictures(tmp_path):
    made = subprocess.run([sys.executable, ROOT / "lab/play/pictures.py", tmp_path],
                          capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    told = dict(re.findall(r"^(\w+): (.*)$", made.stdout, re.M))
    shown = SHOWN.findall((KEPT.parent / "play.md").read_text())
    assert told == {name: text for text, name in shown}
    for name in told:
        new, kept = size(tmp_path / f"{name}.png"), size(KEPT / f"{name}.png")
        assert new[0] == kept[0] and abs(new[1] - kept[1]) < kept[1] / 6, name
