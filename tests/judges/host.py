# SPDX-License-Identifier: MIT
"""
A boot of the lab machine with a system of others on it, and what the machine's trace says of it.

From: tests/judges/test_*.py      To: lab/machines/bochs.py, lab/bochs/plugin/text.cc (the trace)
"""

import re
from pathlib import Path

import pytest
from lab import linux, machines
from lab.bochs import dmar
from lab.lines import Wanted, pattern
from lab.machines.boot import Boot, Console
from lab.nested import image

ROOT = Path(__file__).resolve().parents[2]
# Seconds of this host's clock, against a hang only: ten times what the longest boot takes.
PATIENCE = 3000
CASES = ROOT / "tests/cases"
LOGS = ROOT / "build/judges"

# As little trouble as a real unit makes, and as much as it may make (docs/lab.md).
HOSTILE = {"caching_mode": "1", "slow": "3000", "hold": "500", "drop": "20", "records": "1"}

# What no unit is to say of correct software: hits of what is no longer true, rules broken, requests
# blocked without a report, its own errors. "advice" is of what no specification promises.
WRONG = re.compile(r"^ *\d+ .* (?:stale|violation|blocked|queue error) .*$", re.M)
PANIC = r"Kernel panic - .*|^.*Oops: .*"            # of a Linux, which then does nothing more
FAULT = r"^ *\d+ unit\d fault .*$"


class Kept(Console):
    """Also written to a file while it comes, for a boot takes minutes."""

    def __init__(self, path, until):
        super().__init__(wanted=Wanted([pattern(until, "until")]))
        LOGS.mkdir(parents=True, exist_ok=True)
        self.path = path
        path.write_bytes(b"")

    def take(self, data):
        with open(self.path, "ab") as log:
            log.write(data)
        return super().take(data)


def needs():
    """Skip what cannot run here."""
    reason = machines.why_not("lab") or linux.why_not()
    if reason:
        pytest.skip(reason)


def run(name, iso, *, description=None, cpus=1, megs=1024, disk=None, until=None):
    """Boot the ISO; returns (console, trace), which are in build/judges/ as well. `until`: ends
    what does not power off, a pattern."""
    console = Kept(LOGS / f"{name}.log", f"{until}|{PANIC}" if until else PANIC)
    ended = machines.run("lab", Boot(iso, cpus=cpus, megs=megs, outputs=["trace"], timeout=PATIENCE,
                                     options=description or {},
                                     disks={"disk": disk} if disk else {}), console)
    trace = ended.files["trace"].decode()
    (LOGS / f"{name}.trace").write_text(trace)
    tail = "\n".join(ended.text.splitlines()[-30:])
    assert ended.how in ("off", "seen") and not re.search(PANIC, ended.text, re.M), \
        f"{ended.how} {ended.detail}; the console's end:\n{tail}"
    return ended.text, trace


def medium(scratch, kernel, initrd, words, description=None, cpus=1):
    """An ISO with a Linux that finds the machine's DMAR table."""
    tables = linux.acpi({"DMAR": dmar.table(description or {}, cpus)})
    target = scratch / "linux.iso"
    image.medium(scratch / "iso", kernel, tables + initrd, target, words)
    return target


def wrong(trace, known="(?!)"):
    """The first line of the trace that shows a mistake, but for those that are `known`; or None."""
    lines = [line for line in WRONG.findall(trace) if not re.search(known, line)]
    return lines[0] if lines else None
