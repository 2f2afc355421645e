#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The figures of the documents that say what they are (lab/figures.py): constants, sentences of
frames, how many there are of a thing. Those of `make bench` are compared by `make book`; here their
keys. One line per finding.
"""
import sys

from house import ROOT
from house.report import report

sys.path[:0] = [str(ROOT), str(ROOT / "tests/bench")]

import bench                        # noqa: E402 (the path comes first)
from lab import figures             # noqa: E402


def main():
    keys = {row[0] for row in bench.ROWS}
    unknown = [(str(page.relative_to(ROOT)), 1, f"make bench has no {mark['key']}")
               for page in figures.pages() for mark in figures.MARK.finditer(page.read_text())
               if mark["kind"] == "bench" and mark["key"] not in keys]
    return report("figures", [*unknown, *figures.findings({})])


if __name__ == "__main__":
    sys.exit(main())
