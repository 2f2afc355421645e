# SPDX-License-Identifier: MIT
"""
Kernels as people bring them: headers that GRUB forgives, demands that are met or refused by name,
modules, packed files, calls of a BIOS, ports that switch an emulator off.

From: make test      To: guest/load/, guest/pc/legacy/
"""

import gzip
import re

import documents
import pytest
from case import GUESTS, Case

POWER_OFF = ("qemu", "bochs", "virtualbox", "cloud")        # whose port the kernel writes to

CASES = [
    Case("loader",
         vms=['kernel=mb2-tags.bin,mem=4M,initrd=boot-int.bin,string="one two",'
              "initrd=boot-int.bin,string=three", "kernel=boot-int.bin,mem=4M"]
         + [f"kernel=power-ports.bin,name={pc},mem=4M,cmdline={pc}" for pc in POWER_OFF],
         expect=[r"vm=mb2-tags kernel: asks for a video mode; it starts in text mode, 80x25$",
                 r"kernel=multiboot2",
                 r"^mb2-tags\| tags: 01 02 04 06 03 one two 03 three 08 09 14 15 21",
                 r'vm=boot-int why="INT 10h: there is no BIOS"'],
         exits={"mb2-tags": 1, "boot-int": 254} | dict.fromkeys(POWER_OFF, 0),
         forbid=[r"boot-int\| !"]),
    # A teaching kernel: its screen is seen, keys reach it, its clock is right.
    Case("course", vms=["kernel=course.bin,mem=4M"],
         answers=[(r"course\| >", "Reset\r"), (r"=course reset[\s\S]*course\| >", "hello\r")],
         expect=[r"course\| Hello from kernel_main!$", r"course\| GDT is installed!$",
                 r"course\| IRQs remapped! PIT at 100 Hz!$", r"course\| the clock is right to 1 %$",
                 r"vm=course reset$", r"course\| > hello$", r"course\| good bye$"],
         exits={"course": 1}),
    Case("course-by-software", append="console=com1 apicv=off",
         vms=["kernel=course.bin,mem=4M"], answers=[(r"course\| >", "hello\r")],
         expect=[r"course\| the clock is right to 1 %$", r"course\| > hello$"],
         exits={"course": 1}),
    # A kernel of several processors, older than ACPI: to its shell, by the keyboard and the screen,
    # then by the serial port.
    *(Case(f"mp-shell{name}", append=f"console=com1{words}", cpus=2,
           vms=["kernel=mp-shell.bin,name=screen,mem=4M,vcpus=2",
                "kernel=mp-shell.bin,name=serial,mem=4M,vcpus=2,cmdline=serial"],
           answers=[(prompt, f"{line}\r")
                    for prompts in ([r"screen\| \$\n"] * 4,
                                    [r"vm=serial has the console"] + [r"serial\| \$ "] * 3)
                    for prompt, line in zip(prompts, ("echo to be", "cpus", "ipi", "halt"))],
           expect=[rf"^{vm}\| {line}$" for vm in ("screen", "serial")
                   for line in ("to be", "2 cpus tick", "1 answered")],
           exits={"screen": 0, "serial": 0}, forbid=[r"what\?", "error of"])
      for name, words in [("", ""), ("-by-software", " apicv=off")]),
    # Without the chips: what the kernel waits for is named, and nothing else changes.
    Case("legacy-off", vms=["kernel=legacy-wait.bin,name=k,mem=4M,legacy=off,timeout=4"],
         expect=[r"vm=k waits at port 0x40: there is no PIT; legacy=on$",
                 r"vm=k halts, and has programmed a PIC and a PIT: there is none; "
                 r"legacy=on$", r'why="timeout=4'], exits={"k": 254}),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.on}-{case.name}")
def test_kernel(boot, case):
    got = boot(case)
    if case.name == "legacy-off":
        documents.shown("legacy-off", got.text)


def test_packed_kernel(boot, tmp_path):
    """GRUB unpacks what gzip has packed."""
    packed = tmp_path / "hello.gz"
    packed.write_bytes(gzip.compress((GUESTS / "hello.elf").read_bytes()))
    boot(Case("packed", vms=[f"kernel={packed},name=hello,mem=4M"],
              expect=[r"kernel=ELF64", r"^hello\| Hello from a guest"], exits={"hello": 1}))


PLACE = re.compile(rb"\x1b7\x1b\[(\d+);(\d+)H\x1b\[(\d+);(\d+)m([ -~]*)\x1b8")


def drawn(raw):
    """The rows at the top of the terminal that has got these bytes, by number, without those that
    are blank."""
    rows = [bytearray(b" " * 80) for _ in range(25)]
    for row, column, _, _, text in PLACE.findall(raw):
        at = int(column) - 1
        rows[int(row) - 1][at:at + len(text)] = text
    shown = {n: row.decode().rstrip() for n, row in enumerate(rows)}
    return {n: row for n, row in shown.items() if row}


def test_drawn_screen(boot):
    """The console draws the screen, keys arrive, and lines of another guest go on below. The guest
    that has the console then has a screen of its own, and at the end the terminal is as it was."""
    got = boot(Case("course-drawn", append="console=com1 screen=draw",
                    vms=["kernel=course.bin,mem=4M",
                         "kernel=echo.elf,name=other,mem=4M"],
                    answers=[(r"m>", "hello\r"), (r"vm=other has the console", "Bernardo\r")],
                    expect=[r"^other\| who is there\? ", r"vm=course exit=1",
                            r"^other\| good day, Bernardo$"],
                    exits={"course": 1, "other": 1}, forbid=[r"course\|"]))
    raw = got.ended.raw
    first, second = (match.start() for match in re.finditer(rb"\x1b\[26r", raw))
    assert drawn(raw[:second]) == got.report.vms["course"].rows
    assert first < raw.index(b"\x1b7") and raw.rindex(b"\x1b8") < raw.rindex(b"\x1b[r")
