# SPDX-License-Identifier: MIT
"""
Debian's Linux with KVM, vfio-pci and QEMU on the lab machine, with its device in a VM. The guest
programs are those that run under Hamlet, so both are measured by the same code.

From: tests/bench/peer.py, tests/judges/test_kvm.py
To:   kvm_init (what Linux does), tests/guests/stub.c (how QEMU starts a program),
guest/programs/peer.c (what is measured)
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from lab import kernel as kernels
from lab import linux
from lab.bochs import LINUX
from lab.linux import host
from lab.nested import image
from lab.say import Unusable

ROOT = Path(__file__).resolve().parents[2]
INIT = Path(__file__).with_name("kvm_init")
# iommu=pt: the disk is in the unit's scope by the table, but Bochs lets its DMA go past the unit.
WORDS = f"{LINUX} 8250.nr_uarts=1 intel_iommu=on iommu=pt"
MODULES = ("ata_piix", "sd_mod", "irqbypass", "vfio-pci", "vfio_iommu_type1")
PROGRAMS = ("peer", "edu-dma", "edu-fault")
WELL = 1                                          # exit status of a program that returned 0

# State of a vCPU -> how many there are, and the words of peer.elf.
STATES = {"instructions": (1, "test=1"), "running": (1, "test=2"), "ready": (2, "test=3"),
          "pinned": (2, "test=4"), "polled": (2, "test=4 settled=6000"), "alone": (1, "test=5"),
          "storm": (1, "test=6")}


@dataclass
class Boot:
    scenario: list                                # lines of /scenario
    cpus: int = 1
    words: str = ""                               # more of the kernel's
    description: dict = field(default_factory=dict)


def lines(way, apicv, *states):
    """Lines of a scenario, one for each state."""
    return [f"{way}-{state} {apicv} {STATES[state][0]} peer {STATES[state][1]}" for state in states]


# The ways of an interrupt: posted by the unit; remapped, and taken by KVM; without APICv injected.
MEASURED = {
    "one-cpu": Boot([*lines("posted", 1, "instructions", "running", "ready", "alone"),
                     *lines("injected", 0, "instructions", "running", "ready", "alone")]),
    "one-cpu-remapped": Boot(lines("remapped", 1, "running", "ready", "alone"),
                             words="intremap=nopost"),
    "two-cpus": Boot([*lines("posted", 1, "pinned", "polled"), *lines("injected", 0, "pinned")],
                     cpus=2),
    "two-cpus-remapped": Boot(lines("remapped", 1, "pinned"), cpus=2, words="intremap=nopost"),
}


def start(scratch, log, boot):
    """Boot Linux with this scenario: (console, trace), also in `log`.log and `log`.trace."""
    kernel = kernels.folder()
    built = {f"{program}.elf": ROOT / f"build/guests/{program}.elf" for program in PROGRAMS}
    built["stub.elf"] = ROOT / "build/tests/stub.elf"
    missing = [str(path.relative_to(ROOT)) for path in built.values() if not path.exists()]
    if missing:
        raise Unusable(f"{missing[0]} is not built: make all")
    files = {name: path.read_bytes() for name, path in built.items()}
    files["scenario"] = "".join(f"{line}\n" for line in boot.scenario).encode()
    initrd = linux.initrd(kernel, INIT, MODULES, files=files, later=("kvm", "kvm-intel"))
    iso = host.medium(scratch, kernel, initrd, f"{WORDS} {boot.words}".strip(), boot.description,
                      boot.cpus)
    return host.run(log, iso, description=boot.description, cpus=boot.cpus,
                    disk=image.ensure() / "programs.img")


def runs(text):
    """name -> what was said between "case NAME" and "ended NAME", of each line of the scenario."""
    return {name: said for name, said in
            re.findall(r"^case (\S+) .*\n((?:.*\n)*?)ended \1 status=", text, re.M)}


def numbers(text):
    """key -> {n, min, median, mean, p95, max}, of what peer.elf says on a console."""
    return {key: {word: int(value) for word, value in re.findall(r"(\w+)=(-?\d+)", said)}
            for key, said in re.findall(r"^(?:\S+\| )?peer (\w+) (n=.*)$", text, re.M)}


def measured(text, scenario):
    """way -> key -> numbers of a boot; a key of "polled" has it at its end. Unusable, if a line of
    the scenario did not end well."""
    said, found = runs(text), {}
    for name in (line.split()[0] for line in scenario):
        if not re.search(rf"^ended {name} status={WELL}$", text, re.M):
            raise Unusable(f"{name} did not end well under KVM:\n{said.get(name, text[-1000:])}")
        way, _, state = name.partition("-")
        for key, values in numbers(said[name]).items():
            found.setdefault(way, {})[f"{key}_polled" if state == "polled" else key] = values
    return found
