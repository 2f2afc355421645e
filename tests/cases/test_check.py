# SPDX-License-Identifier: MIT
"""
What `./hamlet run --check` says of processors from 2011 to 2024, as the lab machine has them, and
that each of them runs the guest that tests a machine.

From: make test      To: monitor/cmd/machine.c, vmx/caps.c (caps_lack), guest/programs/selftest.c
"""

import re

import pytest

from case import Case

POSTING = '"process posted interrupts": APICv, no exit at all'
APICV = ['"APIC-register virtualization": APICv', '"virtual-interrupt delivery": APICv', POSTING]
X2APIC = '"virtualize x2APIC mode": APICv in x2APIC mode'
INVPCID = '"enable INVPCID": else it is #UD'
OLD = "4K,2M ept-ad=no"
NEW = "4K,2M,1G ept-ad=yes"

MODELS = [
    # Bochs' model, its family and model numbers, what it lacks, pages of the EPT
    ("corei7_sandy_bridge_2600k", 0x2a, [INVPCID, X2APIC, *APICV], OLD),
    ("corei7_ivy_bridge_3770k", 0x3a, [INVPCID, *APICV], OLD),
    ("corei7_haswell_4770", 0x3c, [POSTING], NEW),
    ("broadwell_ult", 0x3d, [POSTING], NEW),
    ("corei3_cnl", 0x66, APICV, NEW),
    ("corei7_icelake_u", 0x7e, [], NEW),
    ("tigerlake", 0x8c, [], NEW),
    ("sapphire_rapids", 0x8f, [], NEW),
    ("arrow_lake", 0xc6, [], NEW),
]
SELF_TEST = "kernel=selftest.elf,mem=16M,vcpus=2"


@pytest.mark.parametrize("name,number,lacks,pages", MODELS, ids=[row[0] for row in MODELS])
def test_processor(name, number, lacks, pages, boot):
    got = boot(Case(f"check-{name}", vms=[SELF_TEST], append="console=com1 check=on", cpus=2,
                    machine={"model": name}, exits={"selftest": 1},
                    expect=[rf'^cpu="\S.*\S" family=6 model=0x{number:x} stepping=\d+ '
                            r"microcode=0x[1-9a-f]\w+ cpus=2$",
                            r"^guests=yes ", r"^leaks here: .*MDS",
                            r"^firmware DMAR=yes MCFG=no HPET=yes",
                            r"^unit=0 at=0xfed90000 segment=0", r"^translation=on ",
                            r"assign: 00:02\.0 1234:11e8 assignable reset=flr$",
                            r"^selftest\| cycles: ipi-to-handler-and-back=\d+$",
                            r"^selftest\| this machine runs guests$"]))
    said = re.findall(r"^  lacks (.*)$", got.text, re.M)
    assert said == lacks
    yes = [("no", "yes")[not set(out) & set(lacks)] for out in (APICV[:2], [POSTING])]
    assert (f"guests=yes apicv={yes[0]} posting={yes[1]} ept-pages={pages} invept=single "
            "invvpid=single nested=no\n") in got.text
