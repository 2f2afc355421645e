# SPDX-License-Identifier: MIT
"""
Is Bochs as the manual says, where it strays as shipped? tests/guests/mends.c looks, without Hamlet;
one boot serves all, with two processors, since one rule is broken only then.

From: lab/bochs/mends/      To: tests/guests/mends.c, mends_tlb.c, mends_vmx.c, mends_ipi.c

With HAMLET_STOCK=1 in the environment the unmended Bochs is built too, and
each check has to fail there: that is how we know that it can.
"""

import os
import re

import pytest
from case import ROOT, Case

CHECKS = ("descriptor-alignment", "virtual-interrupt-masked", "empty-request-array",
          "halted-guest-wakes", "halted-guest-exits", "posted-delivery-at-once",
          "virtual-interrupt-vectoring", "exception-commits-rip", "cr0-fixed-in-guest",
          "cr0-fixed-in-root", "apic-enabled-again",
          "vpid-tagged-tlb", "invalidation-types", "guest-physical-mappings",
          "violation-invalidates", "paging-enabled-keeps",
          "violation-on-table",
          "entry-single-step-pending", "entry-rip",
          "entry-nmi-blocked", "entry-debugctl", "entry-loads-known-msrs",
          "no-perf-global", "undefined-is-poisoned", "undefined-is-poisoned-too",
          "microcode-revision", "topology-leaf",
          "ipi-posts", "ipi-posts-x2apic", "ipi-exits", "ipi-exits-x2apic", "ipi-pointers",
          "ipi-entry")
# What is right as shipped too, and has to stay so.
KEPT = ("vpid-off-flushes", "debug-exit-clears-pending", "ipi-off-exits")
PROGRAM = ROOT / "build/tests/mends.elf"
MACHINE = {"vtd": "off", "model": "sapphire_rapids"}    # the first with IPI virtualization
_seen = {}


def checks(text):
    """check -> "ok" or "WRONG", and what was seen."""
    return dict(re.findall(r"^mends: (\S+) ((?:ok|WRONG) \S+)", text, re.M))


def looked_at(boot, name, machine):
    """check -> "ok" or "WRONG", and what was seen; one boot per machine."""
    if name not in _seen:
        got = boot(Case(name, kernel=PROGRAM, machine=machine, cpus=2,
                        expect=[r"^mends: descriptor-alignment"]))
        _seen[name] = checks(got.text)
    return _seen[name]


@pytest.mark.parametrize("check", CHECKS + KEPT)
def test_mended(boot, check):
    found = looked_at(boot, "mends", MACHINE)
    assert found.get(check, "not reached").startswith("ok")


@pytest.mark.skipif("HAMLET_STOCK" not in os.environ,
                    reason="HAMLET_STOCK=1 builds Bochs as shipped, to see each check fail")
def test_every_check_can_fail(boot):
    looked_at(boot, "mends-stock", {**MACHINE, "stock": "1"})
    found = _seen["mends-stock"]
    assert [check for check in CHECKS if not found.get(check, "").startswith("WRONG")] == []
