# SPDX-License-Identifier: MIT
"""
Debian's own kernel, unmodified, in a VM of Hamlet.

From: make test      To: lab/linux/ (kernel and initrd), guest/load_linux.c, vacpi.c (what is tested)
"""

import re
import subprocess
from pathlib import Path

import pytest
from case import Case, Skip, run
from lab import linux
from lab.say import Unusable


def boot(tmp_path, name, *, words="", linux_words="", modules=(), programs=(), script="", server=None, **options):
    """Boot it on the machine `on`; returns what came of it."""
    reason = linux.why_not()
    if reason:
        pytest.skip(reason)
    try:
        folder = linux.build(tmp_path / "linux", modules, programs, script)
    except Unusable as problem:
        pytest.skip(str(problem))
    vm = (f"name=linux,kernel={folder}/vmlinuz,initrd={folder}/initrd,mem=256M{words},"
          f'cmdline="console=ttyS0 {linux_words}"')
    case = Case(name, vms=[vm], **{"megs": 512, "timeout": 400, **options})
    try:
        return run(case, tmp_path, server)
    except Skip as reason:
        pytest.skip(str(reason))


# What Linux warns of where Hamlet cannot help: the lab machine's CPU has no microcode against these.
OF_THE_CPU = r"RETBleed|MDS:|MMIO Stale Data|GDS:|Spectre|TAA:|L1TF|SRBDS|Speculative Store"


def no_warnings(got):
    """dmesg -r was shown: nothing of warning level or above is there but what stands above."""
    warnings = [text for text in re.findall(r"^linux\| <[0-4]>\[[ 0-9.]*\] (.*)$", got.text, re.M)
                if not re.match(OF_THE_CPU, text)]
    assert not warnings, warnings


def test_shell(tmp_path):
    """To a shell that answers what is typed; then off, by ACPI."""
    got = boot(tmp_path, "linux-shell", exits={"linux": 0},
               answers=[(r"/ # ", "dmesg -r | grep '^<[0-4]>'\r"),
                        (r"/ # ", "cat /proc/interrupts; hwclock -u -f /dev/rtc0\r"),
                        (r"hwclock(?s:.*)/ # ", "echo 6 times 7 is $((6 * 7))\r"),
                        (r"7 is 42", "poweroff -f\r")],
               expect=[r"Run /init as init process", r"IO-APIC +4-edge +ttyS0", r"6 times 7 is 42"])
    no_warnings(got)


DRIVE = """
for n in 1 2 3 4; do
    (head -c 200000 /dev/urandom | gzip | gunzip | md5sum; ls -lR /sys/bus | sort | md5sum) >/dev/null &
done
linux_device 0000:00:01.0 100
wait
echo cpus $(grep -c ^processor /proc/cpuinfo), load done
dmesg -r | grep '^<[0-4]>'
"""


def test_device(tmp_path):
    """The lab device, driven from user space in the guest: DMA into its memory, interrupts posted by hardware. Two vCPUs on
    two CPUs, and other processes that want them."""
    source = Path(__file__).with_name("linux_device.c")
    program = tmp_path / "linux_device"
    subprocess.run(["gcc", "-O1", "-static", "-Wall", "-Werror", source, "-o", program], check=True)
    got = boot(tmp_path, "linux-device", words=",vcpus=2,pci=1234:11e8,irq=post", programs=[program], script=DRIVE, cpus=2,
               exits={"linux": 0}, expect=[r"device: moved 409600 bytes in 200 transfers, 200 interrupts", r"cpus 2, load done"])
    no_warnings(got)
