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
    "", "caching_mode=1", "width=39,haw=36", "only_width=1", "queue=0", "remap=0",
    "page_selective=0,large_pages=0",
    "slow=2000", "hold=3000", "drop=50", "x2apic=0", "posting=0", "coherent=1,write_buffer=1",
    "queue_error=7",
    "domain_bits=4,records=1", "units=2", "index_mask=1",
    "units=2,second_segment=1,devices=1,write_buffer=1",
    "device_tlb=1,timeout_error=2,snoop_control=1",
]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit or "plain")
def test_kernel_tests_on_unit(boot, unit):
    options = dict(word.split("=") for word in unit.split(",") if word)
    got = boot(Case(f"vtd-{unit or 'plain'}", on="lab", kernel=ROOT / "build/hamlet-test.elf",
                    outputs=["trace"], machine={"devices": "2", **options},
                    expect=[r"ktest: PASS vtd_unmap_is_final", r"ktest: \d+ passed, 0 failed"]))
    trace = got.files["trace"].decode()
    stale = re.search(r"^.* (stale|advice) .*$", trace, re.M)
    assert not stale, f"the unit's trace: {stale.group(0)}"
    assert len(re.findall(r"unit\d dma ", trace)) > 10
    # Posting wants interrupt remapping, and 32-bit destinations, because Hamlet's processors are in
    # x2APIC mode.
    if not {"posting", "remap", "queue", "x2apic"} & set(options):
        assert re.search(r"unit\d post sid=00:02\.0 vector=0x91 .* notify=1", trace)
