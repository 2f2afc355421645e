# SPDX-License-Identifier: MIT
"""
The ISO on a USB stick, which two firmwares start: on a PC with and without a screen, with and
without a serial port. With Secure Boot on it is refused.

From: make judges      To: lab/iso.py, tests/cases/test_terminal.py (a PC of QEMU)
"""

import shutil
import subprocess

import pytest

import case
from lab.machines import qemu
from test_terminal import pc

END = "hamlet: end vms=0 failed=1"      # QEMU without KVM has no VMX: hello is refused


@pytest.fixture(scope="module")
def medium(tmp_path_factory):
    """As a person writes it; `dd` copies it to the stick byte by byte."""
    path = tmp_path_factory.mktemp("stick") / "hamlet.iso"
    hello = f"kernel={case.GUESTS}/hello.elf,mem=16M"
    subprocess.run([case.ROOT / "hamlet", "iso", path, "--append", "report=0xe9", "--vm", hello],
                   check=True, capture_output=True)
    return path


@pytest.mark.parametrize("serial", ["com1", "no-port"])
@pytest.mark.parametrize("vga", ["std", "none"])
@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_stick(firmware, vga, serial, medium, tmp_path, record_property):
    more = ["-vga", vga]
    if serial == "com1":
        more += ["-chardev", f"file,id=port,path={tmp_path}/port", "-device",
                 "isa-serial,chardev=port,iobase=0x3f8,irq=4"]
    with pc(tmp_path, more=more, firmware=firmware, medium=medium, stick=True) as machine:
        machine.until_said(END)
        if serial == "com1":
            machine.off()
            text = (tmp_path / "port").read_text(errors="replace").replace("\r", "")
            saw, right = "the serial port has all lines, power is off", f"\n{END}\n" in text
        elif vga == "std":
            lines = machine.at_the_end(machine.pixels)
            saw, right = "the screen has the last lines, and waits for a key", END in lines
            machine.ask("sendkey a")
            machine.off()
        else:
            machine.until("it does not halt", lambda: "HLT=1" in machine.ask("info registers"))
            saw, right = "it halts, and stays on", True
    record_property("saw", saw)
    assert right, saw


def test_secure_boot(medium, tmp_path, record_property):
    """OVMF with the keys of PCs that are sold, in a flash chip that only SMM writes."""
    code, variables = (qemu.OVMF / f"OVMF_{kind}_4M.ms.fd" for kind in ("CODE", "VARS"))
    if not code.exists():
        pytest.skip(f"no {code}")
    shutil.copy(variables, tmp_path / "vars.fd")
    more = ["-machine", "smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on",
            "-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={code}",
            "-drive", f"if=pflash,format=raw,unit=1,file={tmp_path}/vars.fd",
            "-chardev", f"file,id=port,path={tmp_path}/port", "-device", "isa-serial,chardev=port"]
    with pc(tmp_path, more=more, medium=medium, stick=True) as machine:
        def text():
            return (tmp_path / "port").read_text(errors="replace")

        machine.until("it was not refused", lambda: "No bootable option" in text())
        record_property("saw", "the firmware says Access Denied, and starts nothing")
        assert "USB(0x0,0x0): Access Denied" in text()
        assert "hamlet" not in machine.said()
