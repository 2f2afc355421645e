# SPDX-License-Identifier: MIT
"""
The first judge: Linux' KVM, vfio-pci and QEMU, all Debian's, on the lab machine. KVM puts the lab
device's interrupts into posted format, and the unit has to post as KVM expects it in each state of
a vCPU. The guest programs are those that run under Hamlet, so both are measured by the same code.

From: make judges      To: kvm_init (what Linux does), tests/guests/stub.c (how QEMU starts a
program), guest/programs/peer.c (what is measured)
Writes build/peer.json: way -> key -> {n, min, median, mean, p95, max}, in ticks of the TSC.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from case import Case
from host import HOSTILE, ROOT, FAULT, medium, needs, run, wrong
from lab import kernel as kernels
from lab import linux
from lab.bochs import LINUX
from lab.nested import image

INIT = Path(__file__).with_name("kvm_init")
GUESTS = ROOT / "build/guests"
PEER = ROOT / "build/peer.json"
# iommu=pt: the disk is in the unit's scope by the table, but Bochs lets its DMA go past the unit.
WORDS = f"{LINUX} 8250.nr_uarts=1 intel_iommu=on iommu=pt"
MODULES = ("ata_piix", "sd_mod", "irqbypass", "vfio-pci", "vfio_iommu_type1")
PROGRAMS = ("peer", "edu-dma", "edu-fault")

# Vectors of Linux' own: the notification of a running vCPU, and the wake-up of a halted one.
RUNNING, WAKEUP = 0xf2, 0xf1
ROUNDS = 50                                       # of peer.elf, tests 2 to 5
WELL = 1                                          # exit status of a program that returned 0
MANY, ANY = range(1000, 10 ** 6), range(10 ** 6)

# What the unit has to see of a case, posted and not posted, and nothing else of these. The first
# interrupt of "running" is not measured. A storm meets the vCPU between two exits, and at the end
# of its host's time slice.
COUNTED = ("running", "halted", "ready", "remapped", "faults")
EXPECTED = {"instructions": {}, "running": {"running": ROUNDS + 1}, "ready": {"ready": ROUNDS},
            "alone": {"halted": ROUNDS}, "halted-pinned": {"halted": ROUNDS},
            "storm": {"running": MANY, "ready": ANY}, "dma": {"transfers": range(2, 100)},
            "fault": {"faults": 4}}
REMAPPED = {"instructions": {}, "running": {"remapped": ROUNDS + 1}, "ready": {"remapped": ROUNDS},
            "alone": {"remapped": ROUNDS}, "halted-pinned": {"remapped": ROUNDS}}


@dataclass
class Boot:
    scenario: list                                # lines of /scenario
    cpus: int = 1
    words: str = ""
    description: dict = field(default_factory=dict)


def lines(way, apicv, *names):
    """Lines of a scenario: peer.elf's test of each name, one vCPU or two."""
    tests = {"instructions": (1, 1), "running": (1, 2), "ready": (2, 3), "halted-pinned": (2, 4),
             "alone": (1, 5), "storm": (1, 6)}
    return [f"{way}-{name} {apicv} {tests[name][0]} peer test={tests[name][1]}" for name in names]


BOOTS = {
    "one-cpu": Boot([*lines("posted", 1, "instructions", "running", "ready", "alone", "storm"),
                     "posted-dma 1 1 edu-dma x=1", "posted-fault 1 1 edu-fault x=1",
                     *lines("injected", 0, "instructions", "running", "ready", "alone")]),
    "remapped": Boot(lines("remapped", 1, "running", "ready", "alone"), words="intremap=nopost"),
    "two-cpus": Boot([*lines("posted", 1, "halted-pinned"), *lines("injected", 0, "halted-pinned")],
                     cpus=2),
    "hostile": Boot(lines("hostile", 1, "running", "ready", "alone"), description=HOSTILE),
}


def host(scratch, name, boot):
    """Boot Linux with this scenario: (console, trace)."""
    kernel = kernels.folder()
    files = {f"{program}.elf": (GUESTS / f"{program}.elf").read_bytes() for program in PROGRAMS}
    files |= {"stub.elf": (ROOT / "build/tests/stub.elf").read_bytes(),
              "scenario": "".join(f"{line}\n" for line in boot.scenario).encode()}
    initrd = linux.initrd(kernel, INIT, MODULES, files=files, later=("kvm", "kvm-intel"))
    iso = medium(scratch, kernel, initrd, f"{WORDS} {boot.words}".strip(), boot.description,
                 boot.cpus)
    return run(f"kvm-{name}", iso, description=boot.description, cpus=boot.cpus,
               disk=image.ensure() / "programs.img")


def runs(text):
    """name -> what was said between "case NAME" and "ended NAME", of each line of the scenario."""
    return {name: said for name, said in
            re.findall(r"^case (\S+) .*\n((?:.*\n)*?)ended \1 status=", text, re.M)}


def measured(text):
    """Way -> key -> numbers, of all lines of peer.elf's."""
    found = {}
    for name, said in runs(text).items():
        for key, numbers in re.findall(r"^peer (\w+) (n=.*)$", said, re.M):
            found.setdefault(name.partition("-")[0], {})[key] = {
                word: int(value) for word, value in re.findall(r"(\w+)=(-?\d+)", numbers)}
    return found


def keep(numbers):
    """Into build/peer.json, beside those of other boots."""
    kept = json.loads(PEER.read_text()) if PEER.exists() else {}
    for way, keys in numbers.items():
        kept.setdefault(way, {}).update(keys)
    PEER.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")


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
    text, trace = host(tmp_path, name, boot)
    said, seen = runs(text), by_case(trace, boot.scenario)
    keep(measured(text))
    record_property("saw", f"{len(said)} guests; " + ", ".join(
        f"{value} {key}" for key, value in sum(seen.values(), Counter()).items() if value))
    for case in seen:
        assert case in said, f"{case} did not end"
        assert re.search(rf"^ended {case} status={WELL}$", text, re.M), said[case]
        way, _, state = case.partition("-")
        expected = EXPECTED[state] if way in ("posted", "hostile") else REMAPPED[state]
        for key, count in {**dict.fromkeys(COUNTED, 0), **expected}.items():
            wanted = count if isinstance(count, range) else [count]
            assert seen[case][key] in wanted, f"{case}: {key} {seen[case][key]} times"
    assert "the end" in text and not wrong(trace), wrong(trace)
    complaint = re.search(r"^.*(?:BUG|WARNING):.*$", text, re.M)
    assert not complaint, complaint.group(0)


def test_same_program(boot, record_property):
    """Hamlet and KVM are equal where posting leaves nothing to do for either: the vCPU runs."""
    got = boot(Case("peer", vms=["kernel=peer.elf,mem=64M,pci=1234:11e8,cmdline=test=2"],
                    exits={"peer": WELL}))
    ours = int(re.search(r"peer irq_running n=\d+ min=\d+ median=(\d+)", got.text)[1])
    theirs = json.loads(PEER.read_text())["posted"]["irq_running"]["median"]
    record_property("saw", f"device's interrupt to handler, in instructions: Hamlet {ours}, "
                           f"KVM {theirs}")
    assert ours == theirs
