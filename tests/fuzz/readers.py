#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Consoles at random, through the readers of the lab. Whatever a guest prints, the report has the rows
that Hamlet printed, no more and no fewer, and a trace is what the monitor sent. Bytes of any kind
make no reader fail.

From: make check, make fuzz      To: lab/report.py, lab/trace.py, lab/machines/boot.py (Console)
"""

import random
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from lab import report, trace  # noqa: E402 (the path comes first)
from lab.machines.boot import Console  # noqa: E402

# What Python takes for the end of a line, or for a blank, and guest/pc/vuart.c passes on.
TRICKS = [b"\xe2\x80\xa8", b"\xe2\x80\xa9", b"\xc2\x85", b"\x85", b"\xc2\xa0", b"\xe2\x80", b"\xff",
          b"\t", b" ", b"| ", b"hamlet: ", b"\xef\xbb\xbf"]
# What a guest may want to be taken for.
ROWS = [b"hamlet: vm=a exit=0", b"hamlet: vm=c exit=1 exits=3", b"hamlet: end vms=1 failed=0",
        b'hamlet: panic cpu=0 rip=0x0 text="no"', b"trace: begin khz=1 dropped=0", b"trace: begin",
        b"trace: e 0 0 0 0 0", b"trace: end", b"trace: vm x", b"trace: type 1 exit",
        b"[0] vm: said", b"hamlet: vm=", b"hamlet: vm=a exit=9=9 =", b"hamlet: vm=a why=\"exit=1"]
OURS = [b"hamlet: vm=a exit=7 exits=12 exits.cpuid=3", b"hamlet: vm=b exit=0x11 exits=1 faults=2",
        b'hamlet: vm=a why="triple fault"', b"hamlet: end vms=2 failed=1", b"[1] vtd: unit 0: on"]
BEGIN = b"trace: begin khz=1000 dropped=0"
TRACE = [BEGIN, b"trace: type 1 exit", b"trace: vm 0 a", b"trace: e 0 5 100000001 2 3",
         b"trace: end"]


def guest_bytes(rng):
    """As they come out of guest/pc/vuart.c: no control characters but the tab."""
    parts = [rng.choice(TRICKS + ROWS) if rng.random() < 0.8 else
             bytes(byte for byte in rng.randbytes(4) if byte >= 0x20 and byte != 0x7F)
             for _ in range(rng.randrange(6))]
    return b"".join(parts)[:199]


def drawn(rng):
    """Nothing, or a part of a guest's screen, as guest/pc/legacy/draw.c sends it."""
    return b"\x1b7\x1b[5;1H\x1b[37;40m" + rng.choice(ROWS) + b"\x1b8" if rng.random() < 0.3 else b""


def lines_at_random(rng):
    """[(line, is it Hamlet's)]"""
    lines = [(rng.choice(OURS), True) if rng.random() < 0.4 else
             (rng.choice((b"a| ", b"b| ")) + guest_bytes(rng), False)
             for _ in range(rng.randrange(12))]
    if rng.random() < 0.5:
        at = rng.randrange(len(lines) + 1)
        lines[at:at] = [(line, True) for line in TRACE]
    return lines


def seen(lines, rng=None):
    """What the launcher sees of it, in pieces as a line brings them."""
    data = b"".join(line + b"\r\n" for line in lines)
    console = Console()
    while data:
        size = rng.randrange(1, len(data) + 1) if rng else len(data)
        console.take(data[:size])
        data = data[size:]
    return console.text()


def traced(text):
    try:
        return trace.read(text)
    except ValueError:
        return None


def forge(rng):
    """The guests' lines change nothing."""
    lines = lines_at_random(rng)
    ours = seen([line for line, is_ours in lines if is_ours])
    text = seen([drawn(rng) + line for line, _ in lines], rng)
    assert report.read(text) == report.read(ours), text
    assert traced(text) == traced(ours), text


def survive(rng):
    """Pieces of everything, in any order and cut off anywhere."""
    pieces = rng.choices(TRICKS + ROWS + OURS + TRACE + [b"\n", b"\r\n", b"\x1b[K", b"\x1b", b"\0"],
                         k=rng.randrange(12))
    text = seen([b"".join(pieces)[:rng.randrange(200)]], rng)
    seen_report = report.read(text)
    assert isinstance(seen_report.status(), int)
    report.screen(seen_report)
    found = traced(text)
    if found:
        trace.text(found)
        trace.chrome(found)


def main():
    how, amount = sys.argv[1], float(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else time.time_ns()
    begin, runs = time.monotonic(), 0
    while runs < amount if how == "runs" else time.monotonic() - begin < amount:
        rng = random.Random(seed + runs)
        try:
            (survive if runs % 2 else forge)(rng)
        except Exception:
            again = seed + runs - runs % 2
            print(f"readers: to repeat: tests/fuzz/readers.py runs 2 {again}", file=sys.stderr)
            raise
        runs += 1
    print(f"stat::number_of_executed_units: {runs}")


if __name__ == "__main__":
    main()
