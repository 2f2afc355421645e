# SPDX-License-Identifier: MIT
"""
The book is made, no link of it leads nowhere, each chapter has its drawing and what a chapter
has, and a word is found by its search.

From: make judges      To: lab/book.py, docs/book/
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "docs/book").glob("[0-9]*.md"))


def made(folder):
    return subprocess.run([sys.executable, ROOT / "lab/book.py", folder], capture_output=True,
                          text=True)


def test_book(tmp_path):
    run = made(tmp_path / "book")
    assert run.returncode == 0, run.stderr
    for chapter in CHAPTERS:
        text = chapter.read_text()
        for part in ("The question.", "Walk it.", "Try it.", "What goes wrong."):
            assert text.count(f"**{part}**") == 1, f"{chapter.name}: {part}"
        page = (tmp_path / f"book/docs/book/{chapter.stem}.html").read_text()
        drawings = re.findall(r"^\[.*\]\(.*#.*\)$", text, re.M)
        assert len(drawings) <= page.count("<pre>"), chapter.name
    assert re.search(r"\brvi\b", (tmp_path / "book/searchindex.js").read_text())
    assert (tmp_path / "book/labs/08-stale/README.html").exists()
