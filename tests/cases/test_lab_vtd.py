# SPDX-License-Identifier: MIT
"""
The VT-d tests of tests/kernel/ on the lab machine's unit: as it comes, narrow, slow, forgetful,
faulty. Beside what the tests see for themselves, the unit's trace must tell of no stale hit: Hamlet
has flushed whatever it changed.

From: make test      To: tests/kernel/vtd_*.c, lab/bochs/plugin/ (docs/lab.md has the options)
"""

import re

import pytest
from case import ROOT, Case

UNITS = [
    "", "caching_mode=1", "width=39,haw=36", "only_width=1", "queue=0", "remap=0,flags=1",
    "page_selective=0,large_pages=0",
    "slow=2000,reorder=1", "hold=3000", "drop=50", "x2apic=0", "posting=0",
    "coherent=1,write_buffer=1", "queue_error=7",
    "domain_bits=4,records=1", "units=2", "index_mask=1",
    "units=2,second_segment=1,devices=1,write_buffer=1",
    "device_tlb=1,timeout_error=2,snoop_control=1",
    "left=te+ir+qi+pmr", "units=2,second_width=57",
    "version=6,implicit_flush=1,x2apic_required=1,remap_required=1,collapse=1",
]

# Why its interrupts are not posted, where they are not.
WHY = {
    "queue=0": "the DMAR table has no flag INTR_REMAP",
    "remap=0,flags=1": r"a VT-d unit without ECAP\.IR",
    "x2apic=0": "VT-d units and CPUs differ in x2APIC mode",
    "posting=0": r"a VT-d unit without CAP\.PI",
}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit or "plain")
def test_kernel_tests_on_unit(boot, unit):
    options = dict(word.split("=") for word in unit.split(",") if word)
    got = boot(Case(f"vtd-{unit or 'plain'}", on="lab", kernel=ROOT / "build/hamlet-test.elf",
                    outputs=["trace"], machine={"devices": "2", **options},
                    expect=[r"posting by hardware " + (rf"not possible: {WHY[unit]}$" if unit in WHY
                                                       else "possible$"),
                            r"ktest: PASS vtd_unmap_is_final", r"ktest: \d+ passed, 0 failed"],
                    forbid=["has no handler"]))
    trace = got.files["trace"].decode()
    stale = re.search(r"^.* (stale|advice) .*$", trace, re.M)
    assert not stale, f"the unit's trace: {stale.group(0)}"
    assert len(re.findall(r"unit\d dma ", trace)) > 10
    if unit == "units=2,second_width=57":
        assert "ktest: PASS vtd_lab_unit_that_only_blocks" in got.text
    if unit not in WHY:
        assert re.search(r"unit\d post sid=00:02\.0 vector=0x91 .* notify=1", trace)


def test_a_unit_that_does_not_answer(boot):
    """What is behind it could reach the memory of a VM: it is no bus master any more, and no VM
    gets it. The others are given away."""
    boot(Case("silent-unit", vms=["kernel=edu-dma.elf,mem=16M,pci=00:03.0"],
              machine={"devices": "2", "silent_unit": "00:02.0"},
              expect=[r"unit 0: no answer at 0xfed92000",
                      r"00:02\.0: no unit blocks its DMA, no bus master any more",
                      r"00:02\.0 .*not assignable: no-iommu", r"the pattern came back"],
              forbid=[r"00:03\.0: no unit"], exits={"edu-dma": 1}))


@pytest.mark.parametrize("records", [2, 4])
def test_faults_while_others_are_printed(boot, records):
    """A refused request is tried again while Hamlet prints the first: the unit goes on to tell."""
    got = boot(Case(f"repeated-{records}", append="console=com1 ktest=vtd_fault_events_go_on",
                    kernel=ROOT / "build/hamlet-test.elf", outputs=["trace"],
                    machine={"devices": "2", "records": str(records), "repeat": "8",
                             "repeat_after": "5000"},
                    expect=[r"ktest: PASS vtd_fault_events_go_on"]))
    assert b" overflow" in got.files["trace"]
