# SPDX-License-Identifier: MIT
"""
From GRUB to the end line, on every machine: by BIOS and by UEFI, with and without VMX, and where
something is missing.
"""

import subprocess

import pytest
from case import ROOT, Case

END = r"^hamlet: end vms=0 failed=0"
KTEST = ROOT / "build/hamlet-test.elf"

CASES = [
    Case("bios", on="lab",
         expect=[r"GRUB: loading Hamlet and 1 module", r"hamlet: boot", r"acpi: tables: DMAR",
                 r"vtd: on: units=1", r"posting by hardware possible", END]),
    Case("no-unit", on="lab", machine={"vtd": "off"},
         expect=[r"GRUB: loading Hamlet and 0 module", END]),
    Case("two-units", on="lab", machine={"units": "2", "devices": "2"},
         expect=[r"vtd: on: units=2", END]),
    Case("asks-for-xapic", on="lab", machine={"flags": "3"},
         expect=[r"vtd: the firmware asks for xAPIC mode", r"apic: mode=xapic",
                 r"interrupt remapping on", END]),
    Case("bios", on="tcg",
         expect=[r"hamlet: boot", r"acpi: tables:.* DMAR", r"vtd: on: units=1", END]),
    Case("bios", on="nested",
         expect=[r"hamlet: boot", r"acpi: tables:.* DMAR", r"vtd: on: units=1", END]),
    Case("bios", on="kvm", expect=[r"hamlet: boot", END]),
    Case("kernel-tests", on="lab", kernel=KTEST, expect=[r"ktest: \d+ passed, 0 failed", END],
         forbid=[r"ktest: FAIL"]),
    # by BIOS on tcg: README's command, tests/cases/test_docs.py
    Case("kernel-tests-uefi", on="tcg", kernel=KTEST, devices=["edu,addr=4"],
         machine={"firmware": "uefi"}, expect=[r"ktest: \d+ passed, 0 failed", END],
         forbid=[r"ktest: FAIL"]),
    Case("kernel-tests-uefi-two", on="tcg", kernel=KTEST, devices=["edu,addr=4"], cpus=2,
         machine={"firmware": "uefi"},
         expect=[r"cpu: online=2", r"ktest: \d+ passed, 0 failed", END], forbid=[r"ktest: FAIL"]),
    Case("two-processors", on="lab", cpus=2, expect=[r"cpu: online=2", END]),
    Case("two-processors", on="tcg", cpus=2, expect=[r"cpu: online=2", END]),
]


def test_uefi_low_memory(boot, tmp_path):
    """By UEFI GRUB fills low memory from address 0 on: without symbols with the modules and with
    its own information, which the start of the other CPU must not hit."""
    kernel, table = tmp_path / "hamlet.elf", bytearray(b"TEST" + bytes([64]) + bytes(59))
    subprocess.run(["strip", "-o", kernel, ROOT / "build/hamlet.elf"], check=True)
    table[9] = -sum(table) & 0xff
    (tmp_path / "table").write_bytes(table)
    boot(Case("uefi-low-memory", on="tcg", machine={"firmware": "uefi"}, cpus=2, kernel=kernel,
              acpi=[tmp_path / "table"],
              expect=[r"hamlet: boot", r"table=TEST is taken from a module",
                      r"cpu: online=2 madt=2 start=0x[^1]000", END]))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.on}-{case.name}")
def test_boot(boot, case):
    boot(case)
