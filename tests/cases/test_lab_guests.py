# SPDX-License-Identifier: MIT
"""
The whole mission in `lab`: registers, DMA and interrupts of an assigned device without an exit
in steady state, and what the hardware saw of it: every message posted, no stale entry, no
blocked access.

From: make test      To: guest/programs/edu-*.c, lab/bochs/plugin/ (docs/lab.md: the trace)
"""

import re

import documents
import pytest
from case import Case

HOSTILE = {"caching_mode": "1", "slow": "2000", "hold": "500", "drop": "20", "queue_error": "50",
           "width": "39"}


def run(boot, name, vms, unit, **more):
    got = boot(Case(name, on="lab", vms=vms, outputs=["trace"], machine={"devices": "2", **unit},
                    **more))
    trace = got.files["trace"].decode()
    for never in (r"^.* (stale|advice) .*$", r"^.* fault sid=.*$", r"^.*blocked.*$"):
        seen = re.search(never, trace, re.M)
        assert not seen, f"the unit's trace: {seen.group(0)}"
    return got, trace


@pytest.mark.parametrize("unit", [{}, HOSTILE], ids=["plain", "hostile"])
@pytest.mark.parametrize("guest, shown", [
    ("edu-mmio", r"reads=1000 exits=0"),
    ("edu-dma", r"exits=0\n(.*\n)*.*the pattern came back"),
    ("edu-msi", r"arrived=1000 exits=0"),
])
def test_no_exit_in_steady_state(boot, guest, shown, unit):
    got, trace = run(boot, f"{guest}-{'hostile' if unit else 'plain'}",
                   [f"kernel={guest}.elf,mem=16M,pci=00:02.0,plan=D"], unit, expect=[shown],
                   exits={guest: 1})
    if guest == "edu-dma" and not unit:
        documents.shown("tour-dma", got.text)
    if guest == "edu-msi" and not unit:
        documents.shown("tour-interrupt", got.text)
    if guest == "edu-msi":
        messages = len(re.findall(r"device 00:02\.0 message", trace))
        posts = len(re.findall(r"unit0 post sid=00:02\.0 vector=0x51 ", trace))
        assert posts == messages >= 1000
        assert not re.search(r"interrupt (remapped|compatibility) sid=00:02\.0", trace)


@pytest.mark.parametrize("unit", [{}, {"units": "2"}, HOSTILE],
                         ids=["plain", "two-units", "hostile"])
def test_two_vms_with_a_device_each(boot, unit):
    vms = [f"kernel=edu-{what}.elf,mem=16M,pci=00:0{slot}.0,plan=D"
           for what, slot in (("dma", 2), ("msi", 3))]
    got, trace = run(boot, f"two-vms-{len(unit)}", vms, unit, exits={"edu-dma": 1, "edu-msi": 1})
    assert re.search(r"edu-msi\| msi=1000 .* arrived=1000", got.text)
    domains = dict(re.findall(r"dma \w+ sid=(00:0[23]\.0) did=(\d+)", trace))
    assert "00:02.0" in domains
    unit_of_second = "unit1" if unit.get("units") == "2" else "unit0"
    assert re.search(rf"{unit_of_second} post sid=00:03\.0", trace)
