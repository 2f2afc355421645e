# SPDX-License-Identifier: MIT
"""
The first judge: Linux' KVM, vfio-pci and QEMU, all Debian's, on the lab machine. KVM puts the lab
device's interrupts into posted format, and the unit has to post as KVM expects it in each state of
a vCPU. The guest programs are those that run under Hamlet, so both are measured by the same code.

From: make judges      To: tests/bench/kvm.py (the boots), tests/bench/peer.py (the figures, which
go to build/peer.json)
"""

import re
from collections import Counter

import kvm
import peer
import pytest
import table
from host import FAULT, HOSTILE, LOGS, needs, wrong
from kvm import Boot, lines

# Vectors of Linux' own: the notification of a running vCPU, and the wake-up of a halted one.
RUNNING, WAKEUP = 0xf2, 0xf1
ROUNDS = 50                                       # of peer.elf, tests 2 to 5
MANY, ANY = range(1000, 10 ** 6), range(10 ** 6)

# What the unit has to see of a case, posted and not posted, and nothing else of these. The first
# interrupt of "running" is not measured. A storm meets the vCPU between two exits, and at the end
# of its host's time slice.
COUNTED = ("running", "halted", "ready", "remapped", "faults")
EXPECTED = {"instructions": {}, "running": {"running": ROUNDS + 1}, "ready": {"ready": ROUNDS},
            "alone": {"halted": ROUNDS}, "pinned": {"halted": ROUNDS},
            "polled": {"running": ANY, "halted": ANY}, "storm": {"running": MANY, "ready": ANY},
            "dma": {"transfers": range(2, 100)}, "fault": {"faults": 4}}
REMAPPED = {"instructions": {}, "running": {"remapped": ROUNDS + 1}, "ready": {"remapped": ROUNDS},
            "alone": {"remapped": ROUNDS}, "pinned": {"remapped": ROUNDS}}

# What is measured, and what only has to end well.
BOOTS = kvm.MEASURED | {
    "devices": Boot([*lines("posted", 1, "storm"), "posted-dma 1 1 edu-dma x=1",
                     "posted-fault 1 1 edu-fault x=1"]),
    "hostile": Boot(lines("hostile", 1, "running", "ready", "alone"), description=HOSTILE),
}


def posts(trace):
    """Posts by the state that the descriptor told: running, halted, ready, or merged (ON was set
    already); messages that were only remapped; DMA; faults."""
    seen = Counter()
    for on, sn, notify, vector in re.findall(
            r" post sid=00:02\.0 .* on=(\d) sn=(\d) urg=0 notify=(\d)(?:\n *\d+ unit0 notify "
            r"vector=(0x\w+))?", trace):
        if notify == "1":
            seen[{RUNNING: "running", WAKEUP: "halted"}[int(vector, 16)]] += 1
        else:
            seen["ready" if sn == "1" and on == "0" else "merged"] += 1
    for key, pattern in (("remapped", r" interrupt remapped sid=00:02\.0 "),
                         ("transfers", r" dma (?:read|write) sid=00:02\.0 "), ("faults", FAULT)):
        seen[key] += len(re.findall(pattern, trace, re.M))
    return seen


def by_case(trace, scenario):
    """Name of a case -> posts(). Between two cases the device sleeps, and to wake is a reset."""
    _, *parts, _ = re.split(r"device 00:02\.0 reset by D3hot", trace)
    assert len(parts) == len(scenario), f"the device was woken {len(parts)} times"
    return {line.split()[0]: posts(part) for line, part in zip(scenario, parts)}


@pytest.mark.parametrize("name", BOOTS)
def test_kvm(name, tmp_path, record_property):
    """Each case of the scenario ends well, and the unit saw what it stands for."""
    needs()
    boot = BOOTS[name]
    text, trace = kvm.start(tmp_path, LOGS / f"kvm-{name}", boot)
    figures, seen = kvm.measured(text, boot.scenario), by_case(trace, boot.scenario)
    if name in kvm.MEASURED:
        peer.keep("kvm", figures)
    record_property("saw", f"{len(seen)} guests; " + ", ".join(
        f"{value} {key}" for key, value in sum(seen.values(), Counter()).items() if value))
    for case in seen:
        way, _, state = case.partition("-")
        expected = EXPECTED[state] if way in ("posted", "hostile") else REMAPPED[state]
        for key, count in {**dict.fromkeys(COUNTED, 0), **expected}.items():
            wanted = count if isinstance(count, range) else [count]
            assert seen[case][key] in wanted, f"{case}: {key} {seen[case][key]} times"
    assert "the end" in text and not wrong(trace), wrong(trace)
    complaint = re.search(r"^.*(?:BUG|WARNING):.*$", text, re.M)
    assert not complaint, complaint.group(0)


def test_beside(record_property):
    """The tables of docs/peer.md are true. Where the hardware leaves nothing to do, Hamlet and KVM
    are equal: a posted interrupt of a vCPU that runs, and an access to the device's registers."""
    needs()
    figures = {}
    for way in peer.WAYS:
        figures = peer.keep("hamlet", {way: peer.of_hamlet(way)})
    counted = table.medians(figures)
    off = table.differences(table.told(), counted)
    record_property("saw", f"{len(counted)} figures of docs/peer.md, {len(off)} far off")
    for key in ("irq_running", "bar_read", "bar_write"):
        assert counted["hamlet", "posted", key] == counted["kvm", "posted", key], key
    assert not off, f"docs/peer.md (told, counted), make peer writes it: {off}"
