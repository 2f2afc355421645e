#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Hamlet and KVM side by side: the same guest program, the same device, the same machine. All figures
go to build/peer.json, their medians into the tables of docs/peer.md. In the lab a tick of the TSC
is an instruction, so nothing here is a measurement of time.

From: make peer, tests/judges/test_kvm.py
To:   kvm.py (KVM's side), guest/programs/peer.c (what is measured), table.py (the page)
"""

import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

# The path comes first.
import bench                            # noqa: E402
import kvm                              # noqa: E402
import table                            # noqa: E402
from lab.limits import check_file       # noqa: E402
from lab.linux import host              # noqa: E402
from lab.say import Unusable, ended, note, write      # noqa: E402

KEPT = ROOT / "build/peer.json"
LOGS = ROOT / "build/peer"
WAYS = {"posted": "post=hw", "remapped": "post=sw", "injected": "apicv=off"}
STATES = ("instructions", "running", "ready", "pinned", "alone")


def of_hamlet(way):
    """key -> numbers, all boots."""
    found = {}
    for state in STATES:
        vcpus, words = kvm.STATES[state]
        vm = (f"kernel=build/guests/peer.elf,name=peer,mem=64M,vcpus={vcpus},pci=1234:11e8,"
              f"cmdline={words}")
        console, _ = bench.boot("lab", "--cpus", "2" if state == "pinned" else "1", "--append",
                                f"console=com1 {WAYS[way]}", "--vm", vm)
        found |= kvm.numbers(console)
    return found


def of_kvm(name):
    """way -> key -> numbers, of one boot of Linux."""
    boot = kvm.MEASURED[name]
    with tempfile.TemporaryDirectory(prefix="hamlet-peer-") as scratch:
        text, _ = kvm.start(Path(scratch), LOGS / f"kvm-{name}", boot)
    return kvm.measured(text, boot.scenario)


def keep(side, ways):
    """Into build/peer.json, beside those of other boots; returns all that is there."""
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for way, keys in ways.items():
        kept.setdefault(side, {}).setdefault(way, {}).update(keys)
    write(KEPT, json.dumps(kept, indent=2, sort_keys=True) + "\n")
    return kept


def measure():
    """Both sides from the beginning; what build/peer.json then has."""
    missing = host.why_not()
    if missing:
        raise Unusable(missing)
    check_file("", KEPT)
    KEPT.unlink(missing_ok=True)
    for number, name in enumerate(kvm.MEASURED, 1):
        note(f"KVM, boot {number} of {len(kvm.MEASURED)}, less than a minute each: "
             f"{', '.join(line.split()[0] for line in kvm.MEASURED[name].scenario)}")
        keep("kvm", of_kvm(name))
    for way in WAYS:
        note(f"Hamlet, {len(STATES)} boots: {way} ({WAYS[way]})")
        kept = keep("hamlet", {way: of_hamlet(way)})
    return kept


def main():
    check_file("", table.PAGE)
    found = table.medians(measure())
    write(table.PAGE, table.written(table.PAGE.read_text(), found))
    for name in table.TABLES:
        print("\n".join(table.made(name, found)), end="\n\n")
    note(f"all figures are in {KEPT.relative_to(ROOT)}, the tables in docs/{table.PAGE.name}")


if __name__ == "__main__":
    sys.exit(ended("peer", main))
