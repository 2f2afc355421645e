# SPDX-License-Identifier: MIT
"""
What Hamlet prints when it must not go on: which exception or promise, where, and who called.

From: make test      To: tests/kernel/arch.c (KTEST_FATAL), arch/panic.c, arch/trap.c
"""

import re

import pytest

from case import ROOT, Case

KERNEL = ROOT / "build/hamlet-test.elf"
CHAIN = r"^hamlet: panic cpu=0 trace=.*,hamlet_main\+0x"

# the test that panics, and what tells of it
PANICS = [
    ("page_fault", [r"exception 14 #PF", r"cr2=0*123\b", r"panic:", r"touch_nothing\+0x", CHAIN]),
    ("without_a_stack", [r"exception 8 #DF", r"panic:"]),
    ("broken_invariant", [r"panic:", r"arch\.c:\d+: broken invariant: page_alloc", CHAIN]),
    ("machine_check", [r"exception 18 #MC", r"mce: machine check: status=0x0 banks=\d+", r"panic:",
                       CHAIN]),
]


def test_before_the_apic(boot):
    """Of a CPU whose APIC is not yet in x2APIC mode: the first line is that of the panic, not of a
    fault in it."""
    got = boot(Case("panic-before-the-apic", cpus=2, kernel=KERNEL,
                    append="console=com1 ktest=arch_panic_before_the_apic",
                    expect=[r"mode=x2apic", r"panic:", r"the first words", CHAIN],
                    stop_at=r"^hamlet: panic cpu=0 rip=0x\w+ text="))
    assert "exception" not in got.text


def test_with_cpus_that_are_not_ours(boot):
    """The third CPU waits in a loop of SeaBIOS without an IDT, where an NMI would reset the
    machine."""
    boot(Case("panic-two-of-three", on="tcg", cpus=3, kernel=KERNEL,
              append="console=com1 cpus=2 ktest=arch_panic_broken_invariant",
              expect=[r"cpu: online=2 madt=3", r"panic:", CHAIN],
              stop_at=r"^hamlet: panic cpu=0 rip=0x\w+ text="))


@pytest.mark.parametrize("name,says", PANICS, ids=[row[0] for row in PANICS])
def test_panic(boot, name, says):
    boot(Case(f"panic-{name}", on="tcg", kernel=KERNEL, expect=says,
              append=f"console=com1 ktest=arch_panic_{name}",
              stop_at=r"^hamlet: panic cpu=0 rip=0x\w+ text="))


# What is planted, how many CPUs there are, which of them the report is about, and how it begins.
HANGS = [
    ("another_cpu_hangs", 2, 1, ["cpu=1 hangs: no sign of life for 20 s", "cpu=1 was here:",
                                 r"  #0 \w+ hang\+0x"]),
    ("the_first_cpu_hangs", 2, 0, ["cpu=0 hangs: no sign of life for 20 s", "cpu=0 was here:",
                                   r"  #0 \w+ hang\+0x"]),
    ("a_lock_is_kept", 1, 0, ["waited 20 s in vain for the lock of the test: cpu=0",
                              r"  #0 \w+ watch_wait\+0x", r"  #1 \w+ spin_wait\+0x",
                              r"  #2 \w+ watch_a_lock_is_kept\+0x"]),
]


@pytest.mark.parametrize("name,cpus,culprit,begins", HANGS, ids=[row[0] for row in HANGS])
def test_hang(boot, name, cpus, culprit, begins):
    """The report begins with where the CPU hangs, or which lock it waits for, and goes on with the
    others. Before the first CPU hangs it has printed for longer than that is allowed."""
    got = boot(Case(f"hang-{name}", cpus=cpus, kernel=KERNEL,
                    append=f"console=com1 ktest=watch_{name}",
                    expect=[r"panic:", *(rf"^hamlet: panic cpu={i} trace=\w"
                                         for i in ([culprit, 1 - culprit] if cpus > 1 else [0]))],
                    stop_at=rf"^hamlet: panic cpu={culprit} rip=0x\w\w+ text="))
    report = re.findall(r"^\[\d\] panic: (.*)", got.text, re.M)
    for line, pattern in zip(report, begins):
        assert re.match(pattern, line), report
    assert name != "the_first_cpu_hangs" or "watch: output is a sign of life" in got.text
