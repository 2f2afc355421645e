# SPDX-License-Identifier: MIT
"""
The book is made, no link of it leads nowhere, each chapter has its drawing and what a chapter
has, and a word is found by its search. What it shows of runs and of `make bench` is what they are
by now; a figure or a sentence that is another one ends it.

From: make judges      To: lab/book.py, lab/figures.py, lab/play/frames.py, docs/book/
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

# The path comes first.
from lab import figures                         # noqa: E402
from lab.play import frames                     # noqa: E402

CHAPTERS = sorted((ROOT / "docs/book").glob("[0-9]*.md"))
PARTS = ("The question.", "Watch it.", "Walk it.", "Try it.", "What goes wrong.")
DRAWING = re.compile(r"^\[.*\]\(.*#.*\)$|^```text$", re.M)


def made(folder):
    return subprocess.run([sys.executable, ROOT / "lab/book.py", folder], capture_output=True,
                          text=True)


def test_book(tmp_path):
    subprocess.run(["make", "-s", "build/bench.json"], cwd=ROOT, check=True)
    run = made(tmp_path / "book")
    assert run.returncode == 0, run.stderr
    contents = (ROOT / "docs/book/README.md").read_text()
    for number, chapter in enumerate(CHAPTERS, 1):
        text = chapter.read_text()
        assert text.startswith(f"# {number}. ") and f"]({chapter.name})" in contents
        for part in PARTS:
            assert text.count(f"**{part}**") == 1, f"{chapter.name}: {part}"
        at = [text.index(f"**{part}**") for part in PARTS]
        assert at == sorted(at), chapter.name
        page = (tmp_path / f"book/docs/book/{chapter.stem}.html").read_text()
        drawings = len(DRAWING.findall(text))
        assert drawings <= page.count("<pre>") and (drawings or "play/" in text), chapter.name
        assert page.count("_images/") >= text.count("![")
    traps = {int(number) for chapter in CHAPTERS
             for number in re.findall(r"`make trap (\d+)`", chapter.read_text())}
    assert traps == set(range(1, figures.COUNTED["traps"]() + 1))
    assert re.search(r"\brvi\b", (tmp_path / "book/searchindex.js").read_text())
    assert (tmp_path / "book/labs/08-stale/README.html").exists()


@pytest.fixture(scope="module")
def stories():
    return frames.recorded()


def changed(stories, monkeypatch, page, old, new):
    """What is found when a page has something else."""
    path, read = ROOT / page, Path.read_text
    assert old in path.read_text()
    monkeypatch.setattr(Path, "read_text", lambda self: read(self).replace(old, new)
                        if self == path else read(self))
    return frames.differing(frames.wanted(stories)), list(figures.findings(figures.counted()))


def test_another_sentence(stories, monkeypatch):
    page = "docs/book/18-the-virtual-apic.md"
    assert changed(stories, monkeypatch, page, "clears 0x51 in", "clears 0x52 in")[0] == [
        ROOT / page]


def test_another_drawing(stories, monkeypatch):
    image = "docs/frames/ready-1.svg"
    assert changed(stories, monkeypatch, image, ">0x51<", ">0x52<")[0] == [ROOT / image]


@pytest.mark.parametrize("old, new", [
    ("0xf0<!-- is defined", "0xf2<!-- is defined"), ("<!-- is bench", "9<!-- is bench"),
    ("0x51<!-- is framed ready", "0x55<!-- is framed ready")])
def test_another_figure(old, new, stories, monkeypatch):
    page = "docs/book/19-three-states.md"
    found = changed(stories, monkeypatch, page, old, new)[1]
    assert found and all(name == page for name, _, _ in found), found
