# SPDX-License-Identifier: MIT
"""
A machine, a firmware or a command line that is not as it should be: one clear line each, and Hamlet
ends or goes on.

From: make test      To: arch/options.c, arch/acpi.c, vmx/caps.c, vtd/dmar.c
"""

import re
import struct
import subprocess

import pytest
from case import PATIENCE, ROOT, Case
from lab.bochs import dmar

END = r"hamlet: end vms=0 failed=\d"
# What was asked for and did not run has failed, and has a row.
NOT_RUN = (r'hamlet: vm=good exit=refused why="this CPU runs no guests"',
           r"hamlet: end vms=0 failed=1")
HELLO = "kernel=hello.elf,name=good,mem=4M"
GOOD = r"good\| Hello"

CASES = [
    Case("unknown-option", append="console=com1 colour=red", vms=[HELLO],
         expect=[r'options: unknown option: colour=red', r"boot: us=.* devices=10\d{3}$", GOOD]),
    Case("bad-value", append="console=com1 post=maybe", vms=[HELLO],
         expect=[r'options: bad value: post=maybe', GOOD]),
    Case("no-serial-port", append="console=com2 end=poweroff", vms=[HELLO],
         machine={"serial": "off"},
         expect=[r"^hamlet: vm=good exit=1 ", r"^hamlet: end vms=1 failed=0$"]),
    Case("vmx-locked-off", vms=[HELLO], machine={"vmx": "off"},
         expect=[r"vmx: the firmware has locked VMX off \(IA32_FEATURE_CONTROL=0x1\)", *NOT_RUN]),
    Case("no-ept", vms=[HELLO], machine={"model": "core2_penryn_t9600"},
         expect=[r'vmx: this CPU lacks "EPT"', *NOT_RUN]),
    Case("no-unrestricted-guest", vms=[HELLO], machine={"model": "corei5_lynnfield_750"},
         expect=[r'vmx: this CPU lacks "unrestricted guest"', *NOT_RUN]),
    Case("no-vmx", on="tcg", vms=[HELLO], expect=[r'vmx: this CPU lacks "VMX"', *NOT_RUN]),
    Case("no-dmar", vms=["kernel=edu-dma.elf,name=bad,mem=4M,pci=1234:11e8", HELLO],
         machine={"vtd": "off"}, expect=[r"vtd: .*no DMAR", GOOD]),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_machine(boot, case):
    boot(case)


def test_launcher_says_what_did_not_run():
    """A script that asked for a VM does not take a machine without VMX for a success."""
    ran = subprocess.run(
        [ROOT / "hamlet", "run", "--on", "tcg", "--vm", f"kernel={ROOT}/build/guests/hello.elf"],
        capture_output=True, text=True, timeout=PATIENCE)
    assert ran.returncode == 125
    assert re.search(r"hello +refused .*this CPU runs no guests", ran.stderr)
    assert "0 of 1 VMs have ended" in ran.stderr


def checksummed(table):
    table = bytearray(table)
    table[9] = 0
    table[9] = -sum(table) & 0xff
    return bytes(table)


def acpi(signature, body):
    return checksummed(struct.pack("<4sI28x", signature, 36 + len(body)) + body)


def test_madt_with_strange_cpus(boot, tmp_path):
    """An id that does not answer costs itself only; that of all CPUs, and a second entry for one,
    are no CPUs."""
    lapics = b"".join(struct.pack("<BBBBI", 0, 8, uid, apic_id, 1)
                      for uid, apic_id in enumerate([0, 77, 255, 0, 1, 1]))
    io_apic = struct.pack("<BBBBII", 1, 12, 0, 0, 0xfec00000, 0)
    (tmp_path / "madt").write_bytes(acpi(b"APIC", bytes(8) + lapics + io_apic))
    boot(Case("madt", on="tcg", cpus=2, acpi=[tmp_path / "madt"],
              expect=[r"cpu: apic_id=77 does not start", r"cpu: online=2 madt=3", END]))


VIRTUAL_INTERRUPTS = {"lacks_msr": "0x48b", "lacks_bits": hex(1 << 32 + 9)}


def test_a_cpu_that_lacks_something(boot):
    boot(Case("a-cpu-that-lacks-something", cpus=2, machine=VIRTUAL_INTERRUPTS,
              append="console=com1 check=on", vms=["kernel=hello.elf,mem=4M"],
              expect=[r'^\[1\] vmx: this CPU differs .*: "virtual-interrupt delivery"$',
                      r"cpu: apic_id=1 is left out", r"cpu: online=1 madt=2",
                      r"^cpus left-out=1 tsc-set=0: lines of", r"^guests=yes "],
              exits={"hello": 1}))


GOOD_DMAR = dmar.table({}, 1)
DMARS = [
    ("checksum", GOOD_DMAR[:9] + bytes([GOOD_DMAR[9] ^ 1]) + GOOD_DMAR[10:],
     r"acpi: .*DMAR.*checksum"),
    ("truncated", GOOD_DMAR[:40], r"acpi: .*DMAR"),
    ("endless", checksummed(GOOD_DMAR[:48] + b"\0\0\0\0" + GOOD_DMAR[52:]), r"vtd: .*"),
]


def test_odd_dmar(boot, tmp_path):
    """A unit at address 0, one whose registers do not answer, and a region that ends before it
    begins, for a device that is not there: they cost nothing else."""
    scope = dmar.scope(dmar.ENDPOINT, "00:1e.0")
    odd = dmar.drhd(0, 0, [scope]) + dmar.rmrr("00:1e.0", 0x9000, 0x8000)
    odd += b"".join(dmar.drhd(0xd0000000 + 0x1000 * i, 0, [scope]) for i in range(40))
    table = GOOD_DMAR[:48] + odd + GOOD_DMAR[48:]
    table = checksummed(table[:4] + struct.pack("<I", len(table)) + table[8:])
    (tmp_path / "dmar").write_bytes(table)
    boot(Case("dmar-odd", on="tcg", acpi=[tmp_path / "dmar"],
              expect=[r"unit registers at 0x0: that unit is not used", r"reserved region from",
                      r"unit 40: no answer", r"vtd: on: units=42", END]))


@pytest.mark.parametrize("name,table,line", DMARS, ids=[row[0] for row in DMARS])
def test_bad_dmar(boot, tmp_path, name, table, line):
    (tmp_path / "dmar").write_bytes(table)
    got = boot(Case(f"dmar-{name}", on="tcg", acpi=[tmp_path / "dmar"], expect=[line, END]))
    assert not re.search(r"vtd: on:", got.text)
