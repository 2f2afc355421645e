#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
What each fuzz program did, by its log: a row per program.

From: make fuzz, make fuzz-long      To: build/fuzz/*.log (libFuzzer's), tests/fuzz/corpus/
"""

import re
import sys
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"


def last(pattern, text):
    found = re.findall(pattern, text, re.M)
    return int(found[-1]) if found else 0


def row(folder, name):
    text = (folder / f"{name}.log").read_text(errors="replace")
    inputs = last(r"^stat::number_of_executed_units: *(\d+)", text)
    speed = last(r"^stat::average_exec_per_sec: *(\d+)", text) or "-"
    edges = last(r"\bcov: (\d+)", text) or "-"
    stored = [path.stat().st_size for path in (CORPUS / name).glob("*")]
    return name, inputs, speed, edges, len(stored), sum(stored)


def main():
    folder, names = Path(sys.argv[1]), sys.argv[2:]
    rows = [row(folder, name) for name in names]
    print(f"{'program':12} {'inputs':>12} {'per second':>10} {'edges':>6} {'stored':>6} "
          f"{'bytes':>7}")
    for name, inputs, speed, edges, files, size in rows:
        print(f"{name:12} {inputs:12} {speed:>10} {edges:>6} {files:6} {size:7}")
    print(f"{'all':12} {sum(r[1] for r in rows):12} {'':10} {'':6} {sum(r[4] for r in rows):6} "
          f"{sum(r[5] for r in rows):7}   no finding")


if __name__ == "__main__":
    main()
