# SPDX-License-Identifier: MIT
"""
What Hamlet does about known leaks of the CPU, seen by the lab machine: each write of an MSR against
them, and each VERW, between a VM exit and the next entry. The CPU itself leaks nothing, whatever it
reports.

From: make test      To: arch/leaks.c, vmx/vcpu/guards.c, vmx/enter.asm
"""

import re

from case import Case
from lab.bochs import LEAKS_NOTHING

IBRS_ALL, MDS_NO = 1 << 1, 1 << 5
TURNS = 25
BESIDE = f"kernel=leaks.elf,name=beta,mem=4M,pin=0,cmdline=turns={TURNS}"
ALPHA = f'kernel=leaks.elf,name=alpha,mem=4M,vcpus=2,pin=0,cmdline="turns={TURNS} cpus=2"'

OF_A_GUEST = [("pred_cmd", 1), ("flush_cmd", 1)]
ENTRIES_WITH_SSBD = 12      # at least: an interrupt may come over them


def machine(capabilities, **more):
    return {"arch_capabilities": f"{capabilities:#x}", "commands": "1", **more}


def run(boot, name, options, expect=(), **more):
    """The steps of CPU 0: what, value."""
    got = boot(Case(f"leaks-{name}", vms=[ALPHA, BESIDE], machine=options, outputs=["trace"],
                    exits={"alpha": 1, "beta": 1},
                    expect=[*expect, r"^alpha\| commands=0xbc000400 ", r"^alpha\| spec_ctrl=0x0$"],
                    **more))
    found = re.findall(rb"^ *\d+ cpu0 (\w+) 0x(\w+)$", got.files["trace"], re.M)
    return [(what.decode(), int(value, 16)) for what, value in found]


def stretches(steps):
    """Of Hamlet's own code from an exit to an entry: the EPT pointers before and after, and what it
    did. And what the guests did."""
    ours, guests, done, last, now = [], [], [], None, None
    for what, value in steps:
        if what == "entry":
            ours.append((last, value, done))
            last, now, done = value, guests, []
        elif what == "exit":
            now = done
        else:
            (done if now is None else now).append((what, value))
    return ours, guests


def assert_both_kinds(ours):
    """Another VM came on this CPU, and another vCPU of the same VM."""
    assert sum(before == after for before, after, _ in ours) > 20
    assert sum(before != after for before, after, _ in ours) > 10


def test_all_leaks(boot):
    """Each entry and each exit has its steps, in the order that counts; the barrier comes between
    two VMs and not between two vCPUs of one."""
    steps = run(boot, "all", machine(0),
                   [r"^leaks here: Spectre-v2=ibpb\+ibrs RSB=fill Meltdown=guest L1TF=flush "
                    r"SSB=guest MDS=verw iTLB-multihit=4K MMIO-stale-data=verw "
                    r"Downfall=NO-MICROCODE; not here: BHI TAA SRBDS RFDS$"],
                   append="console=com1 check=on")
    ours, guests = stretches(steps)
    for before, after, done in ours[1:]:
        barrier = [("pred_cmd", 1)] if before != after else []
        ibrs, *rest = done
        assert ibrs == ("spec_ctrl", 1)
        assert rest[:-3] == barrier
        assert rest[-3] in (("spec_ctrl", 0), ("spec_ctrl", 4))
        assert rest[-2:] == [("flush_cmd", 1), ("verw", 0)]
    assert_both_kinds(ours)
    assert sum(("spec_ctrl", 4) in done for _, _, done in ours) >= 2 * ENTRIES_WITH_SSBD
    assert sorted(guests) == sorted(OF_A_GUEST * 2)


def test_enhanced_ibrs(boot):
    """IBRS is set once, and again only where a guest has asked for more; one thread of the core is
    used, because the CPU has MDS."""
    steps = run(boot, "enhanced", machine((LEAKS_NOTHING | IBRS_ALL) & ~MDS_NO, threads="2"),
                   [r"^\[0\] cpu: online=1 madt=2 .* threads=one of each core$"], cpus=2)
    ours, guests = stretches(steps)
    assert ours[0][2][0] == ("spec_ctrl", 1)
    for before, after, done in ours[1:]:
        assert done.count(("pred_cmd", 1)) == (before != after)
        assert done[-1] == ("verw", 0) and ("flush_cmd", 1) not in done
    assert_both_kinds(ours)
    switched = sum(("spec_ctrl", 5) in done for _, _, done in ours)
    assert switched >= 2 * ENTRIES_WITH_SSBD
    assert sum(what == "spec_ctrl" for what, _ in steps) == 1 + 2 * switched
    assert sorted(guests) == sorted(OF_A_GUEST * 2)
