# SPDX-License-Identifier: MIT
"""
The VT-d driver against QEMU's unit, without VMX: the in-kernel tests of tests/kernel/vtd_*.c on
every kind of unit that QEMU offers.

From: make test      To: tests/kernel/vtd_dma.c, vtd_interrupt.c
"""

import re

import pytest

from case import ROOT, Case

KERNEL = ROOT / "build/hamlet-test.elf"
# All 64 bits of an address reach the unit.
EDU = "edu,dma_mask=0xffffffffffffffff"
ON = r"vtd: on: units=1 levels="
OFF = r"vtd: interrupt remapping off, posting by hardware not possible: "

# name, properties of the unit, Hamlet's options, what its first lines say, what must not be skipped
UNITS = [
    ("39-bit", "aw-bits=39", "", r"levels=3 iova-bits=39"),
    ("48-bit", "aw-bits=48", "", r"levels=4 iova-bits=48"),
    ("caching-mode", "caching-mode=on", "", r"caching-mode=1"),
    ("device-iotlb", "device-iotlb=on", "", ON),
    ("registers", "", "inv=reg",
     OFF + "a VT-d unit is invalidated by registers"),
    ("no-remapping", "intremap=off", "",
     OFF + "the DMAR table has no flag INTR_REMAP"),
    ("snoop-control", "snoop-control=on", "", ON),
    ("scalable", "x-scalable-mode=on", "", ON),
    ("eim", "x-buggy-eim=on", "", ON),
]


@pytest.mark.parametrize("name,unit,options,says", UNITS, ids=[row[0] for row in UNITS])
def test_unit(boot, name, unit, options, says):
    got = boot(Case(f"vtd-{name}", on="tcg", append=f"console=com1 ktest=vtd {options}",
                    devices=[EDU, EDU], machine={"iommu": unit}, kernel=KERNEL,
                    expect=[says, r"ktest: PASS vtd_", r"hamlet: end"],
                    forbid=[r"ktest: FAIL vtd_"]))
    skipped = set(re.findall(r"ktest: SKIP (vtd_\S+)", got.text))
    # QEMU posts nothing, and 7.2 does not tell its unit who sends a message that comes by DMA.
    may_skip = {"vtd_message_forged_by_dma", "vtd_msi_posted"}
    if "interrupt remapping off" in got.text:
        may_skip |= {"vtd_msi_through_an_entry", "vtd_entry_of_somebody_else"}
    # those want the lab's device
    assert {name for name in skipped if not name.startswith("vtd_lab_")} <= may_skip


def test_lab(boot):
    """The lab's own unit, whose caches go stale and which posts; it has one edu."""
    got = boot(Case("vtd-kernel", on="lab", append="console=com1 ktest=vtd", kernel=KERNEL,
                    expect=[r"posting by hardware possible", r"hamlet: end"],
                    forbid=[r"ktest: FAIL vtd_"]))
    assert re.findall(r"ktest: SKIP (vtd_\S+)", got.text) == [
        "vtd_two_domains_do_not_meet", "vtd_fault_events_go_on", "vtd_lab_unit_that_only_blocks"]


def test_no_unit(boot):
    boot(Case("vtd-none", on="tcg", append="console=com1 ktest=vtd", machine={"iommu": "off"},
              kernel=KERNEL,
              expect=[r"vtd: no DMAR table",
                      r"ktest: SKIP vtd_dma_goes_where_the_domain_says no VT-d here"],
              forbid=[r"ktest: FAIL vtd_"]))


def test_no_translation(boot):
    """A unit whose SAGAW is 0: one line, no hang."""
    boot(Case("vtd-no-translation", on="tcg", machine={"iommu": "dma-translation=off"},
              kernel=KERNEL,
              expect=[r"neither 3- nor 4-level second stage", r"no usable unit", r"hamlet: end"]))


def test_every_fault_reason(boot):
    """Each reason that the lab's unit has (its own list is read here) is provoked and told
    by name."""
    spec = (ROOT / "lab/bochs/plugin/vtd_spec.h").read_text()
    reasons = {int(code, 16) for code in re.findall(r"FAULT_\w+ = 0x(\w+),", spec)}
    got = boot(Case("vtd-reasons", append="console=com1 ktest=vtd_every_fault_reason",
                    machine={"x2apic_required": "1", "remap_required": "1", "abort_mode": "1",
                             "implicit_flush": "1"},
                    kernel=KERNEL, expect=[r"ktest: PASS vtd_every_fault_reason"],
                    forbid=["NOT SEEN", "reason not known"]))
    assert {int(code, 16)
            for code in re.findall(r"ktest: reason=(\w+) seen: \w", got.text)} == reasons


def test_hundred_thousand_faults(boot):
    """Polled for one by one, each is counted; the console has 32 lines of them, and one about the
    rest."""
    got = boot(Case("vtd-faults", append="console=com1 ktest=vtd_hundred_thousand_faults",
                    kernel=KERNEL,
                    expect=[r"further lines of this kind are kept back",
                            r"ktest: PASS vtd_hundred_thousand_faults"]))
    assert got.text.count("vtd: fault") < 40


@pytest.mark.parametrize("on,count", [("lab", 13), ("tcg", 12)])
def test_checker_finds_each_breach(boot, on, count):
    """guest/life/check.c against a deliberate breach of each promise; QEMU's unit cannot be brought
    to break one of them."""
    got = boot(Case("check", on=on, append="console=com1 ktest=check", kernel=KERNEL,
                    expect=[r"ktest: PASS check_finds_each_breach"]))
    assert len(re.findall(r"ktest: breach: .*: found", got.text)) == count
