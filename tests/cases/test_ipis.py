# SPDX-License-Identifier: MIT
"""
IPIs without an exit at the sender: on a CPU with IPI virtualization, in both modes of the APIC, for
a vCPU that runs, that waits for its turn, that sleeps; and what exits all the same. With ipiv=off,
and on a CPU without it, each exits, and no more is lost than with it.

From: make test      To: guest/programs/ipis.c, lab/bochs/mends/ipi.py, vmx/bitmaps.c
"""

import re

import pytest

from case import Case

NEW = {"model": "sapphire_rapids"}
# What is sent, how often; exits of the sender with the control; whether all of them arrive.
SENT = {"to one that computes": (0, True), "to itself": (0, True), "to one that sleeps": (0, True),
        "to all others": (100, True), "to a logical address": (100, None),
        "with an illegal vector": (100, False), "to no processor": (100, False),
        "to one that waits for a STARTUP": (100, False), "to one whose APIC is off": (100, False)}


def vm(x2apic):
    return f'kernel=ipis.elf,mem=4M,vcpus=3,cmdline="x2apic={x2apic}",timeout=60'


# On one CPU the second vCPU is ready or halted when the first one sends.
SHAPES = {
    "x2apic": Case("ipis-x2apic", cpus=2, machine=NEW, vms=[vm(1)]),
    "xapic": Case("ipis-xapic", cpus=2, machine=NEW, vms=[vm(0)],
                  append="console=com1 x2apic=off"),
    "ready": Case("ipis-ready", machine=NEW, vms=[vm(1)]),
    "off": Case("ipis-off", cpus=2, machine=NEW, vms=[vm(1)], append="console=com1 ipiv=off"),
    "old": Case("ipis-old", cpus=2, vms=[vm(0)]),
}


@pytest.mark.parametrize("name", SHAPES)
def test_ipis(boot, name):
    case = SHAPES[name]
    virtual = name not in ("off", "old")
    case.exits = {"ipis": 1}
    case.expect = [rf"^\[0\] vmx: .* ipiv={'on' if virtual else 'off'} "]
    text = boot(case).text
    seen = {what: (int(exits), int(handled)) for what, exits, handled in
            re.findall(r"ipis\| (.*): exits=(\d+) handled=(\d+)", text)}
    assert seen.keys() == SENT.keys()
    for what, (exits, arrives) in SENT.items():
        assert seen[what][0] == (exits if virtual else 100), what
        if arrives is not None:
            assert seen[what][1] == (100 if arrives else 0), what
