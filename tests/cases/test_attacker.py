# SPDX-License-Identifier: MIT
"""
A guest that tries everything it can, and its neighbour, who must not notice.

From: make test      To: guest/programs/attacker.c, attack_cpu.h, victim.c (what runs)
"""

import re

import pytest
from case import Case


def judge(got, least, unseen=0):
    """Every attempt blocked, but for those that this machine's unit does not look at."""
    lines = re.findall(r"^attacker\| attempt=(\d+) (.*) n=(\d+) (BLOCKED|THROUGH|UNSEEN): (.*)$",
                       got.text, re.M)
    assert len(lines) >= least, f"only {len(lines)} kinds of attempt"
    assert [int(line[0]) for line in lines] == list(range(1, len(lines) + 1))
    assert not [line for line in lines if line[3] == "THROUGH"]
    assert len([line for line in lines if line[3] == "UNSEEN"]) == unseen
    after = got.text.partition("hamlet: vm=attacker exit=1 ")[2]
    assert re.search(r"^victim\| rounds=\d+ latest-tick=\d+ us messages=\d+ unexpected=0 faults=0",
                     after, re.M)


# The victim lives until a key is typed, which is when the attacker has ended.
TELL_THE_VICTIM = [(r"vm=attacker exit=", "q")]


def test_attacker_lab(boot):
    """Side by side on two CPUs, each with a device."""
    got = boot(Case("attacker", cpus=2, machine={"devices": "2"},
                    vms=["kernel=attacker.elf,mem=2M,reveal=on,legacy=off,pci=00:02.0,timeout=120",
                         'kernel=victim.elf,mem=16M,pci=00:03.0,timeout=120,cmdline="seconds=60 '
                         'msi=1 late=200"'], answers=TELL_THE_VICTIM,
                    expect=[r"attempts=\d+ through=0", r"victim\| rounds=",
                            r"hamlet: end vms=2 failed=0"], exits={"attacker": 1, "victim": 1}))
    judge(got, 105)


QEMU_DEVICES = ["pcie-root-port,id=port4,addr=4,chassis=4",
                "edu,bus=port4,dma_mask=0xffffffffffffffff",
                "pcie-root-port,id=port5,addr=5,chassis=5",
                "edu,bus=port5,dma_mask=0xffffffffffffffff"]


@pytest.mark.nested
def test_attacker_nested(boot):
    """The same against QEMU's unit, which lets messages in compatibility format pass (docs/lab.md):
    they are not blocked, the hypervisor takes them for strays, and the neighbour does not notice
    them either."""
    got = boot(Case(
        "attacker-nested", on="nested", devices=QEMU_DEVICES,
        vms=[
            "kernel=attacker.elf,mem=2M,reveal=on,legacy=off,pci=1234:11e8#0,timeout=400,"
            "cmdline=qemu=1",
            'kernel=victim.elf,mem=16M,pci=1234:11e8#1,timeout=400,cmdline="seconds=390 rest=300"'],
        answers=TELL_THE_VICTIM,
        expect=[r"attempts=\d+ through=0 unseen=8", r"hamlet: end vms=2 failed=0"],
        exits={"attacker": 1, "victim": 1}))
    judge(got, 85, unseen=8)
    assert re.search(r"an INIT that Hamlet has not sent", got.text)
    assert re.search(r"interrupt at vector 0x\w\w has no handler", got.text)
    assert len(re.findall(r"NMI: the platform does not name a reason", got.text)) == 1


def test_kills(boot):
    """Killed at 200 random moments and made again each time: all that it took is there again, each
    time and at the end."""
    got = boot(Case(
        "kills", cpus=2, machine={"devices": "2"},
        vms=[
            'kernel=victim.elf,name=mortal,mem=16M,pci=00:02.0,kills=200,cmdline="seconds=1 msi=1"',
            "kernel=hello.elf,mem=4M"],
        expect=[r"hamlet: vm=mortal kills=200 lost=0", r"hamlet: end vms=2 failed=0"],
        forbid=["FAIL"], exits={"mortal": 1}))
    free = re.findall(r"vm: free-pages=(\d+)", got.text)
    assert len(free) == 2 and free[0] == free[1], free
    first, last = (re.search(rf"vm=mortal {when} (.*)", got.text).group(1)
                   for when in ("first", "last"))
    assert first == last
