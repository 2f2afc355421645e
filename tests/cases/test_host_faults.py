# SPDX-License-Identifier: MIT
"""
Faults under Hamlet: an NMI, an error that the hardware has corrected, one that it has not, which
QEMU's own monitor makes; and a panic in each part of the boot, by an instruction that GDB puts
there.

From: make test      To: arch/mce.c, arch/trap.c (trap_tell_nmi), arch/panic.c, arch/terminal.c
"""

import contextlib
import re
import subprocess

import case
import pytest
from lab import iso
from test_terminal import bios_text, pc, serial_table

# A function of each part of the boot, in their order. The first is called before there is a
# console; with the second the functions have names.
STEPS = ["multiboot2_parse", "symbol_init", "page_init", "paging_init", "acpi_init", "apic_init",
         "pci_scan", "vtd_init", "cpu_start_all"]
SYMBOLS = case.ROOT / "build/hamlet.sym"

CORRECTED = 0x9c00000000000151      # VAL EN MISCV ADDRV
UNCORRECTED = 0xbe00000000000134    # UC and PCC, too
IN_PROGRESS = 0x5                   # of IA32_MCG_STATUS: MCIP RIPV


def test_faults_of_the_machine(tmp_path):
    port = tmp_path / "port"
    more = ["-chardev", f"file,id=port,path={port}", "-device",
            "isa-serial,chardev=port,iobase=0x3f8,irq=4"]

    def until(text):
        machine.until(f"{text!r} is not shown", lambda: text in port.read_text(errors="replace"))

    with pc(tmp_path, append="end=key", more=more) as machine:
        machine.until_said("hamlet: end")
        machine.ask("nmi")
        until("trap: NMI: the platform does not name a reason; more of them are not reported")
        machine.ask(f"mce 0 4 {CORRECTED:#x} 0 0x1234000 0x8c")
        until(f"mce: an error of the hardware: bank=4 status={CORRECTED:#x} corrected code=0x151 "
              "address=0x1234000 misc=0x8c")
        machine.ask(f"mce 0 9 {UNCORRECTED:#x} {IN_PROGRESS:#x} 0x5678000 0x8c")
        until(f"mce: machine check: status={IN_PROGRESS:#x} banks=10")
        until(f"mce: machine check: bank=9 status={UNCORRECTED:#x} uncorrected code=0x134 "
              "address=0x5678000 misc=0x8c")
        machine.until_said("hamlet: panic cpu=0 rip=")
    text = port.read_text(errors="replace")
    dump = text[text.index("#MC machine check"):]
    assert "bank=4" not in dump, "the bank was read, and not freed"


@contextlib.contextmanager
def broken(step, tmp_path, device, **more):
    """A PC with a VGA and that serial port. Its boot comes to an invalid instruction in `step`."""
    port, stub = tmp_path / "port", tmp_path / "gdb"
    words = ["-vga", "std", "-chardev", f"file,id=port,path={port}", "-device", device, "-S",
             "-chardev", f"socket,id=stub,path={stub},server=on,wait=off", "-gdb", "chardev:stub"]
    commands = [f"target remote {stub}", "hbreak *boot_entry", "continue",
                f"set {{unsigned short}}{step} = 0x0b0f", "delete", "detach"]
    with pc(tmp_path, more=words, **more) as machine:
        machine.until("QEMU has no stub", stub.exists)
        subprocess.run(["gdb", "-batch", "-nx", SYMBOLS,
                        *(word for line in commands for word in ("-ex", line))],
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=case.PATIENCE)
        yield machine


def is_on_port(tmp_path, machine, step):
    """The first line, the way to the step, and the last line."""
    def text():
        return (tmp_path / "port").read_text(errors="replace").replace("\r", "")

    machine.until("not on the port", lambda: "hamlet: panic cpu=0 rip=" in text())
    assert re.search(r"^\[0\] trap: exception 6 #UD invalid opcode", text(), re.M), text()
    name = r"0x\w+," if step in STEPS[:2] else rf"{step}\b"
    assert re.search(rf"^hamlet: panic cpu=0 trace={name}", text(), re.M), text()


def is_on_screen(machine, look):
    machine.until("not on the screen", lambda: any(
        line.startswith("hamlet: panic cpu=0 rip=") for line in look()))


@pytest.mark.parametrize("step", STEPS)
def test_panic_in_each_step(step, tmp_path):
    """Its first line and its report are on the serial port, and on the screen where one is."""
    with broken(step, tmp_path, "isa-serial,chardev=port,iobase=0x3f8,irq=4") as machine:
        is_on_port(tmp_path, machine, step)
        if step != STEPS[0]:
            is_on_screen(machine, machine.pixels)


@pytest.mark.parametrize("step", STEPS[1:])
def test_panic_on_a_screen_of_text(step, tmp_path):
    """And on the serial port that a table names, once the table was read."""
    (tmp_path / "table").write_bytes(serial_table("SPCR", 0x2f8))
    with broken(step, tmp_path, "isa-serial,chardev=port,iobase=0x2f8,irq=3",
                kernel=bios_text(tmp_path),
                modules=[iso.Module(tmp_path / "table", "acpi")]) as machine:
        is_on_screen(machine, machine.cells)
        if step in STEPS[STEPS.index("acpi_init") + 1:]:
            is_on_port(tmp_path, machine, step)


@pytest.mark.parametrize("step", STEPS[STEPS.index("pci_scan") + 1:])
def test_panic_on_a_card(step, tmp_path):
    with broken(step, tmp_path, "pci-serial,chardev=port") as machine:
        is_on_port(tmp_path, machine, step)
