#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The pictures in the documents: each is there, is small, is made by a command, stands alone on its
line, and is said in the same words wherever it is shown. A drawing of characters fits on a page of
the book. One line per finding.
"""
import re
import sys
from pathlib import Path

from house import ROOT, listed, text

sys.path.insert(0, str(ROOT))
from lab.play import frames                     # noqa: E402
from lab.play.pictures import PICTURES         # noqa: E402
from lab.play.strips import STRIPS             # noqa: E402

SCALE = {"docs/scale/memory.svg", "docs/scale/others.svg"}     # tests/bench/scale.py
FOLDER, LARGEST, COLUMNS = "docs/play/", 120 * 1024, 108
DRAWING = re.compile(r"^```text\n(.*?)^```$", re.S | re.M)
IMAGE = re.compile(r"^!\[(.*)\]\(([^)\s]+)\)$")


def wide(name):
    """Drawings that the page would cut off."""
    for drawing in DRAWING.finditer(text(name)):
        columns = max(map(len, drawing[1].split("\n")))
        if columns > COLUMNS:
            line = text(name).count("\n", 0, drawing.start()) + 1
            yield f"{name}:{line}: {columns} columns; {COLUMNS} fit on a page"


def main():
    findings, said = [], {}
    for name in listed():
        if not name.endswith(".md"):
            continue
        findings += wide(name)
        for number, line in enumerate(text(name).splitlines(), 1):
            match = IMAGE.match(line)
            if not match:
                if re.search(r"!\[.*\]\(", line):
                    findings.append(f"{name}:{number}: a picture stands alone on its line")
                continue
            path = str((ROOT / name).parent.joinpath(match[2]).resolve().relative_to(ROOT))
            if not (ROOT / path).exists():
                findings.append(f"{name}:{number}: {path} is not there")
            if said.setdefault(path, match[1]) != match[1]:
                findings.append(f"{name}:{number}: {path} is another sentence elsewhere")
    made = {f"{FOLDER}{name}.png" for name in PICTURES} | {
        f"docs/frames/{file}" for name in STRIPS for file in frames.files(name)} | SCALE
    kept = {name for name in listed() if name.endswith((".png", ".svg", ".jpg"))}
    findings += [f"{name}: neither `make pictures` nor `make scale` makes it"
                 for name in sorted(kept - made)]
    findings += [f"{name}: a command makes it, and it is not there"
                 for name in sorted(made - kept)]
    findings += [f"{name}: no document shows it" for name in sorted(kept - said.keys())]
    findings += [f"{name}: more than {LARGEST} bytes" for name in sorted(kept)
                 if Path(ROOT / name).stat().st_size > LARGEST]
    print("\n".join(findings) or f"pictures: {len(kept)} are shown")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
