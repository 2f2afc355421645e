# SPDX-License-Identifier: MIT
"""
A driver that we did not write accepts the lab machine's VT-d unit: Debian's Linux, unmodified,
turns on DMA and interrupt remapping, and its vfio-pci lets a program move data with the lab device
and wait for MSI-X by eventfd.

From: make test      To: linux_vfio.c (the program), lab/bochs/plugin/ (what is
judged), lab/linux/__init__.py
"""

import re
from pathlib import Path

import pytest
from case import PATIENCE
from lab import kernel as kernels
from lab import linux, machines
from lab.bochs import dmar
from lab.machines.boot import Boot, Console
from lab.nested import image
from lab.say import Unusable

HERE = Path(__file__).parent
WORDS = ("console=ttyS0 quiet nokaslr mitigations=off tsc=reliable lpj=1000000 8250.nr_uarts=1 "
         "intel_iommu=on iommu=nopt")

# As little trouble as a real unit makes, and as much as it may make: absent entries cached,
# invalidations that take their time, writes that wait in the root complex, entries that vanish.
UNITS = {
    "plain": {},
    "hostile": {"caching_mode": "1", "slow": "3000", "hold": "500", "drop": "20", "width": "39",
                "records": "1"},
}


def medium(scratch, description, kernel=None, cpus=1):
    """An ISO: GRUB, the kernel, an initrd of the DMAR table, busybox, vfio's modules and
    our program."""
    kernel = kernel or kernels.folder()
    program = linux.program(HERE / "linux_vfio.c", scratch / "linux_vfio")
    initrd = linux.initrd(kernel, HERE / "linux_vfio_init", ("vfio-pci", "vfio_iommu_type1"),
                          [program])
    target = scratch / "linux.iso"
    image.medium(scratch / "iso", kernel,
                 linux.acpi({"DMAR": dmar.table(description, cpus)}) + initrd, target, WORDS)
    return target


def accepted(text, trace):
    """What Linux said and what the unit did show no complaint of either."""
    tail = "\n".join(text.splitlines()[-30:])
    for wanted in (r"vfio: moved 32768 bytes in 16 transfers, 16 interrupts",
                   r"IR-IO-APIC +2-edge +timer", r"DMAR-IR: Enabled IRQ remapping in x2apic mode",
                   r"Virtualization Technology for Directed I/O", r"the end"):
        assert re.search(wanted, text), f"not shown: {wanted!r}; the console's end:\n{tail}"
    complaint = re.search(
        r"^.*(DMAR|vfio|0000:00:02).*\b(fault|error|fail\w*|broken|invalid|bug)\b.*$", text,
        re.M | re.I)
    assert not complaint, complaint.group(0)
    assert len(re.findall(r"unit0 dma (?:read|write) sid=00:02\.0", trace)) >= 16
    for never in (r"^.* stale .*$", r"^.* fault .*$", r"^.* refused.*$", r"^.* violation .*$"):
        seen = re.search(never, trace, re.M)
        assert not seen, seen.group(0)


@pytest.mark.parametrize("unit", ["hostile"]) # plain is a judge's: tests/judges/test_linux_6_12.py
def test_linux_accepts_the_unit(unit, tmp_path):
    reason = machines.why_not("lab") or image.why_not()
    if reason:
        pytest.skip(reason)
    description = UNITS[unit]
    try:
        iso = medium(tmp_path, description)
    except Unusable as problem:
        pytest.skip(str(problem))
    boot = Boot(iso, megs=512, outputs=["trace"], timeout=PATIENCE, options=description)
    ended = machines.run("lab", boot, Console())
    text, trace = ended.text, ended.files["trace"].decode()
    (HERE.parents[1] / "build/cases").mkdir(parents=True, exist_ok=True)
    (HERE.parents[1] / f"build/cases/lab-linux-{unit}.log").write_text(text + trace)
    accepted(text, trace)
