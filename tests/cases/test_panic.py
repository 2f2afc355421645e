# SPDX-License-Identifier: MIT
"""
What Hamlet prints when it must not go on: which exception or promise, where, and who called.

From: make test      To: tests/kernel/arch.c (KTEST_FATAL), arch/panic.c, arch/trap.c
"""

import pytest

from case import ROOT, Case

KERNEL = ROOT / "build/hamlet-test.elf"
CHAIN = r"^hamlet: panic cpu=0 trace=.*,hamlet_main\+0x"

# the test that panics, and what tells of it
PANICS = [
    ("page_fault", [r"exception 14 #PF", r"cr2=0*123\b", r"panic:", r"touch_nothing\+0x", CHAIN]),
    ("without_a_stack", [r"exception 8 #DF", r"panic:"]),
    ("broken_invariant", [r"panic:", r"arch\.c:\d+: broken invariant: page_alloc", CHAIN]),
    ("machine_check", [r"exception 18 #MC", r"trap: machine check: status=0x0 banks=\d+", r"panic:",
                       CHAIN]),
]


@pytest.mark.parametrize("name,says", PANICS, ids=[row[0] for row in PANICS])
def test_panic(boot, name, says):
    boot(Case(f"panic-{name}", on="tcg", kernel=KERNEL, expect=says,
              append=f"console=com1 ktest=arch_panic_{name}",
              stop_at=r"^hamlet: panic cpu=0 rip=0x\w+ text="))
