# SPDX-License-Identifier: MIT
"""
The terminal of a PC: a screen that GRUB has set up by UEFI or by BIOS, the keyboard, a serial port
that a table of the firmware or a PCI function has, and a machine that has none of them.

From: make test      To: boot/console.c, arch/terminal.c, arch/screen.c, arch/keyboard.c

QEMU's own monitor looks at the screen, and presses keys.
"""

import contextlib
import re
import socket
import struct
import subprocess
import time

import pytest

import case
from lab import font, iso
from lab.machines import qemu
from lab.machines.boot import WITH_US, Boot, stop

LAST = "press a key to switch the machine off"
HAMLET = case.ROOT / "build/hamlet.elf"
FONT = "/usr/share/grub/ascii.pf2"


class Pc:
    """A machine without a serial port, unless `more` has one."""

    def __init__(self, scratch, append="", more=(), firmware="bios", modules=(), kernel=HAMLET,
                 medium=None, stick=False):
        self.scratch = scratch
        if not medium:
            medium = scratch / "hamlet.iso"
            iso.build(medium, iso.Menu(kernel, f"report=0xe9 {append}", modules),
                      "both" if firmware == "uefi" else "bios")
        line = qemu.arguments(Boot(medium), "tcg", medium, scratch)
        line[line.index("-serial") + 1] = "none"
        if stick:
            cd = next(at for at, word in enumerate(line) if "media=cdrom" in word)
            line[cd] = f"if=none,id=stick,format=raw,readonly=on,file={medium}"
            line += ["-device", "qemu-xhci", "-device", "usb-storage,drive=stick"]
        line += ["-monitor", f"unix:{scratch}/monitor,server,nowait", *more]
        if firmware == "uefi":
            line += qemu._uefi(scratch)
        self.child = subprocess.Popen([*WITH_US, *line], stdin=subprocess.DEVNULL)
        self.until("QEMU has no monitor", lambda: (scratch / "monitor").exists())

    def until(self, what, condition):
        """The machine has so much time, and no case depends on how long it takes."""
        end = time.monotonic() + case.PATIENCE
        while not condition():
            assert time.monotonic() < end, f"{what}:\n{self.said()}"
            time.sleep(0.05)

    def said(self):
        report = self.scratch / "report"
        return report.read_text(errors="replace") if report.exists() else ""

    def until_said(self, text):
        self.until(f"{text!r} is not reported", lambda: text in self.said())

    def ask(self, command):
        """One command to QEMU's monitor; returns when it has been carried out."""
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(f"{self.scratch}/monitor")
            answer = b""
            for words in ("", command):
                line.sendall(words.encode() + b"\n" if words else b"")
                while not answer.endswith(b"(qemu) "):
                    more = line.recv(4096)
                    if not more:
                        break
                    answer += more
                answer, whole = b"", answer
            return whole.decode(errors="replace")

    def pixels(self):
        """The lines of letters that a screen of pixels shows."""
        picture = self.scratch / "screen.ppm"
        self.ask(f"screendump {picture}")
        return read_pixels(picture.read_bytes())

    def cells(self):
        """The lines of a screen of text."""
        memory = self.scratch / "cells"
        self.ask(f'pmemsave 0xb8000 4000 "{memory}"')
        return read_cells(memory.read_bytes())

    def at_the_end(self, look):
        """What the screen shows when Hamlet waits for a key; `look`: pixels or cells."""
        lines = []

        def shown():
            lines[:] = look()
            return "_" in lines and LAST in lines

        self.until("the end is not on the screen", shown)
        return lines

    def off(self):
        self.until("still on", lambda: self.child.poll() is not None)


@contextlib.contextmanager
def pc(*words, **more):
    machine = Pc(*words, **more)
    try:
        yield machine
    finally:
        stop(machine.child)


def read_pixels(picture):
    """What stands on a screen of letters of 8 x 16 pixels: its lines; another picture: none."""
    head = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", picture)
    width, height = map(int, head.groups())
    pixels = picture[head.end():]
    with open(FONT, "rb") as file:
        known = {rows: chr(code) for code, rows in font.letters(file.read()).items()}

    def row_of_pixels(column, y):
        bits = 0
        for x in range(8):
            bits = bits << 1 | (pixels[(y * width + column * 8 + x) * 3] > 127)
        return bits

    return ["".join(known.get(bytes(row_of_pixels(c, r * 16 + y) for y in range(16)), "?")
                    for c in range(width // 8)).rstrip() for r in range(height // 16)]


def read_cells(memory):
    letters = memory[::2].decode("latin-1")
    return [letters[at:at + 80].rstrip() for at in range(0, 25 * 80, 80)]


def shows_the_end(lines):
    """The last lines of a boot without VMX, and the cursor."""
    shown = [line for line in lines if line]
    assert shown[-3:] == ["hamlet: end vms=0 failed=0", LAST, "_"]
    assert any(re.fullmatch(r"\[0\] pci: functions=\d+", line) for line in shown), shown
    assert not any("?" in line for line in shown), shown


def test_screen_by_uefi(tmp_path):
    """A frame of pixels, seen from the first line on; a key ends what has no serial port."""
    with pc(tmp_path, more=["-vga", "std"], firmware="uefi") as machine:
        machine.until_said("hamlet: end")
        lines = machine.at_the_end(machine.pixels)
        shows_the_end(lines)
        assert re.match(r'hamlet: boot entry_tsc=\d+ cmdline="report=0xe9', lines[0]), lines[0]
        assert machine.child.poll() is None
        machine.ask("sendkey a")
        machine.off()


def test_screen_by_bios(tmp_path):
    """EGA text."""
    with pc(tmp_path, more=["-vga", "std"], append="console=screen",
            kernel=bios_text(tmp_path)) as machine:
        machine.until_said("hamlet: end")
        lines = machine.at_the_end(machine.cells)
        shows_the_end(lines)
        machine.ask("sendkey ret")
        machine.off()


def bios_text(scratch):
    """A Hamlet to which GRUB gives EGA text, which it leaves if a VGA cannot do more, or if it does
    not know the tag that asks for pixels: here that has another number."""
    tag = struct.pack("<HHI12x", 5, 1, 20)
    image = HAMLET.read_bytes()
    assert image.count(tag) == 1
    kernel = scratch / "hamlet.elf"
    kernel.write_bytes(image.replace(tag, b"\x77" + tag[1:]))
    return kernel


def test_monitor_by_the_keyboard(tmp_path):
    """No cable is needed: the PC's own keyboard and screen do, also where no guest can run."""
    def typed(words):
        for key in [*words, "ret"]:
            machine.ask(f"sendkey {'spc' if key == ' ' else key}")

    def shown(start):
        return lambda: any(line.startswith(start) for line in machine.cells())

    with pc(tmp_path, more=["-vga", "std"], append="end=monitor",
            kernel=bios_text(tmp_path)) as machine:
        machine.until("no prompt", shown("(hamlet)"))
        typed("help pid")
        machine.until("no answer", shown("  for example: pid alpha.0"))
        typed("reboot off")
        machine.off()


def test_no_terminal_at_all(tmp_path):
    """It halts: switched off, it would look as if it had not started."""
    with pc(tmp_path, more=["-vga", "none"]) as machine:
        machine.until_said("hamlet: end")
        machine.until("it does not halt", lambda: "HLT=1" in machine.ask("info registers"))


def test_check_of_a_pc(tmp_path):
    """A person chooses the second entry of a medium, and reads what the PC has."""
    medium = tmp_path / "medium.iso"
    hello = case.GUESTS / "hello.elf"
    subprocess.run([case.ROOT / "hamlet", "iso", medium, "--vm", f"kernel={hello}"], check=True,
                   capture_output=True)
    waits, for_ever = f"set timeout={iso.CHOICE}".encode(), b"set timeout=-1"
    image = medium.read_bytes()
    assert image.count(waits) == 1 and len(waits) == len(for_ever)
    medium.write_bytes(image.replace(waits, for_ever))      # for this test, which may be slow
    with pc(tmp_path, more=["-vga", "std"], medium=medium) as machine:
        machine.until("no menu", lambda: any("check this PC" in line for line in machine.cells()))
        machine.ask("sendkey down")
        machine.ask("sendkey ret")
        lines = machine.at_the_end(machine.pixels)
    assert re.match(r'hamlet: boot entry_tsc=\d+ cmdline="check=on"$', lines[0]), lines[0]
    shows_what_it_has(lines)


def test_check_by_uefi(tmp_path):
    modules = iso.vm_modules(f"kernel={case.GUESTS}/selftest.elf,mem=16M,vcpus=2")
    with pc(tmp_path, "check=on", ["-vga", "std"], "uefi", modules) as machine:
        machine.until_said("hamlet: end")
        shows_what_it_has(machine.at_the_end(machine.pixels))


def shows_what_it_has(lines):
    text = "\n".join(lines)
    for row in (r'^cpu="QEMU TCG CPU ', r"^guests=no apicv=no",
                r'^  a line of "vmx" above has the reason$',
                r"^unit=0 at=0x[0-9a-f]+ segment=0", r"^translation=on interrupt-remapping=on",
                r'^hamlet: vm=selftest exit=refused why="this CPU runs no guests"$',
                f"^{LAST}$"):
        assert re.search(row, text, re.M), f"{row}:\n{text}"


def serial_table(name, port):
    """A table whose serial port, a 16550, is at that I/O port, as it is set up."""
    address = struct.pack("<BBBBQ", 1, 8, 0, 1, port)
    if name == "SPCR":
        body = struct.pack("<B3x", 0) + address + bytes(28)
    else:
        body = struct.pack("<IIBHBHHHHHHHHH", 44, 1, 0, 22 + 12 + 4 + 2, 1, 2, 38, 0, 0, 0x8000, 0,
                           0, 22, 34) + address + struct.pack("<I2s", 8, b".")
    table = bytearray(struct.pack("<4sIBB6s8sI4sI", name.encode(), 36 + len(body), 2, 0, b"HAMLET",
                                  b"CONSOLE ", 1, b"TEST", 1) + body)
    table[9] = -sum(table) & 0xff
    return bytes(table)


WHOLE = r"hamlet: boot entry_tsc=(.|\n)*hamlet: end vms=0 failed=0\n\Z"


@pytest.mark.parametrize("where", ["SPCR", "DBG2", "pci", "pci-by-name"])
def test_serial_port_elsewhere(where, tmp_path):
    """All from the first line on goes to the port that is found later; the end is a power-off."""
    modules, more = [], ["-chardev", f"file,id=port,path={tmp_path}/port"]
    if where.isupper():
        (tmp_path / "table").write_bytes(serial_table(where, 0x2f8))
        modules = [iso.Module(tmp_path / "table", "acpi")]
        more += ["-device", "isa-serial,chardev=port,iobase=0x2f8,irq=3"]
    else:
        more += ["-device", "pci-serial,chardev=port"]
    append = {"pci": "check=on", "pci-by-name": "check=on console=pci"}.get(where, "")
    with pc(tmp_path, append=append, more=more, modules=modules) as machine:
        machine.off()
        text = (tmp_path / "port").read_text().replace("\r", "")
    assert re.search(WHOLE, text), text
    baud = 115200 if where == "DBG2" else 0 # which has no speed: that of console=
    if where.startswith("pci"): # where no guest gets at it
        assert re.search(r"^\[0\] assign: \S+ 1b36:0002 not assignable: console", text, re.M), text
    assert (f"console: {where} names the console: port=0x2f8 baud={baud}" if where.isupper()
            else "is the console") in text
