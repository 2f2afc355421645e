# SPDX-License-Identifier: MIT
"""
Debian's own kernel, unmodified, in a VM of Hamlet.

From: make test      To: lab/linux/ (kernel and initrd), guest/load/linux.c, vacpi.c (what
is tested)
"""

import re
import subprocess
from pathlib import Path

import pytest
from case import PROMPT, ROOT, Case
from lab import linux
from lab.say import Unusable


def linux_case(folder, name, vms, *, modules=(), programs=(), script="", kernel=None, **options):
    """A case with a Linux for each of (name of the VM, its further words, Linux' own words)."""
    reason = linux.why_not()
    if reason:
        pytest.skip(reason)
    try:
        linux.build(folder, modules, programs, script, kernel)
    except Unusable as problem:
        pytest.skip(str(problem))
    lines = [f"name={vm},kernel={folder}/vmlinuz,initrd={folder}/initrd,{words},"
             f'cmdline="console=ttyS0 {linux_words}"' for vm, words, linux_words in vms]
    return Case(name, vms=lines, **{"megs": 512, **options})


# What Linux warns of where Hamlet cannot help: the lab machine's CPU has no microcode
# against these.
OF_THE_CPU = r"RETBleed|MDS:|MMIO Stale Data|GDS:|Spectre|TAA:|L1TF|SRBDS|Speculative Store"


def no_warnings(got, vm="linux", of_the_device="-"):
    """dmesg -r was shown: nothing of warning level or above is there but what stands above, and
    what a device is known for."""
    warnings = [text for text in re.findall(rf"^{vm}\| <[0-4]>\[[ 0-9.]*\] (.*)$", got.text, re.M)
                if not re.match(f"{OF_THE_CPU}|{of_the_device}", text)]
    assert not warnings, warnings


TELL_ALL = "console=com1 log=trace"


def all_listed(got):
    """After TELL_ALL: the ports that it asked for are those of docs/linux.md; MSRs, none that
    vmx/exit/msr.c does not know."""
    listed = re.findall(r"0x\w+",
                        "".join(re.findall(r"^\| (0x[^|]*)\|", (ROOT / "docs/linux.md").read_text(),
                                           re.M)))
    assert set(re.findall(r"port=(0x\w+): no device$", got.text, re.M)) == set(listed)
    assert not re.findall(r"(?:RD|WR)MSR msr=0x\w+", got.text)


DRIVE = """
for n in 1 2 3 4; do
    (head -c 200000 /dev/urandom | gzip | gunzip | md5sum
     ls -lR /sys/bus | sort | md5sum) >/dev/null &
done
linux_device 0000:00:01.0 100
wait
echo cpus $(grep -c ^processor /proc/cpuinfo), load done
"""


def test_shell(boot, tmp_path):
    """To a shell that answers what is typed; the lab device, driven from user space: DMA into the
    guest's memory, interrupts posted by hardware, on two vCPUs on two CPUs, with other processes
    that want them; then off, by ACPI."""
    program = linux.program(Path(__file__).with_name("linux_device.c"), tmp_path / "linux_device")
    drive = tmp_path / "drive"
    drive.write_text(DRIVE)
    got = boot(linux_case(tmp_path / "linux", "linux-shell",
                          [("linux", "mem=256M,vcpus=2,pci=1234:11e8,irq=post", "")],
                          programs=[program, drive], cpus=2, append=TELL_ALL, exits={"linux": 0},
                          answers=[(r"/ # ", "sh /bin/drive\r"),
                                   (r"load done(?s:.*)/ # ", "dmesg -r | grep '^<[0-4]>'\r"),
                                   (r"/ # ", "cat /proc/interrupts; hwclock -u -f /dev/rtc0\r"),
                                   (r"hwclock(?s:.*)/ # ", "echo 6 times 7 is $((6 * 7))\r"),
                                   (r"7 is 42", "poweroff -f\r")],
                          expect=[r"Run /init as init process",
                                  r"device: moved 409600 bytes in 200 transfers, 200 interrupts",
                                  r"cpus 2, load done", r"IO-APIC +4-edge +ttyS0",
                                  r"^linux\| \w+ \w+ +\d+ [\d:]{8} \d{4}  0", r"6 times 7 is 42"]))
    no_warnings(got)
    all_listed(got)


# --- On nested: QEMU's disk and network card; two of them and more are in linux_nested.py ---------

SCRIPT = Path(__file__).with_name("linux_script")

MODULES = ("crc32c_generic", "nvme", "ext4", "e1000e")
DEVICES = ["pcie-root-port,id=port4,addr=4,chassis=4", "nvme,bus=port4,serial=x,drive=disk",
           "pcie-root-port,id=port5,addr=5,chassis=5", "e1000e,bus=port5,netdev=net,romfile="]
# What is no concern of the test, and takes long in an emulator in an emulator.
QUIET = "quiet mitigations=off nokaslr cryptomgr.notests"


def exits_asked(vm):
    """At a pause of the script: ask the monitor for the exits of `vm`, then let the script
    go on."""
    return [(r"go on\?", "\x01c"), (PROMPT, f"exits {vm}\r"), (PROMPT, "\x01c\r")]


def exits_told(got):
    """[{reason: (all, since asked last)}] of each time."""
    tables = re.findall(r"^\(hamlet\) exits .*\n((?:  .*\n)+)vm=", got.text, re.M)
    return [{name: (int(n), int(more))
             for name, n, more in re.findall(r"^  (\S.*?) +(\d+)  \+(\d+)", table, re.M)}
            for table in tables]


def one(pattern, got):
    found = re.findall(pattern, got.text, re.M)
    assert len(found) == 1, f"{pattern}: {found}"
    return found[0]


def interrupts(vm, source, got):
    """Each count of /proc/interrupts that was shown."""
    return [int(n)
            for n in re.findall(rf"^{vm}\| +\d+: +(\d+) +PCI-MSI \d+-edge +{source}$", got.text,
                                re.M)]


@pytest.mark.nested
def test_disk(boot, tmp_path):
    """QEMU's nvme and e1000e: a file system of ext4, MSI-X, and no exit for the disk's
    registers."""
    image = tmp_path / "disk.img"
    subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext4", "-b", "4096", "-N", "256", image, "96M"],
                   check=True)
    got = boot(linux_case(
        tmp_path / "linux", "linux-disk",
        [("disk", "mem=256M,pci=1b36:0010,pci=8086:10d3", f"who=disk {QUIET}")],
        on="nested", modules=MODULES, script=SCRIPT.read_text(), devices=DEVICES,
        extras=["-netdev hubport,id=net,hubid=0"], disks={"disk": image}, append=TELL_ALL,
        answers=exits_asked("disk") * 2,
        exits={"disk": 0}))
    one(r"^disk\| /dev/nvme0n1 /mnt ext4 rw", got)
    assert int(one(r"^disk\| bytes (\d+)$", got)) > 64 << 20
    assert one(r"^disk\| wrote (\w{32})  -$", got) == one(r"^disk\| read (\w{32})  -$", got)
    first, last = interrupts("disk", "nvme0q1", got)
    assert last - first >= 100 and interrupts("disk", "eth0", got)[0] >= 1
    before, after = exits_told(got)
    # the disk's registers are all memory
    assert before["EPT violation"][0] > 0 and after["EPT violation"][1] == 0
    assert after["I/O instruction"][1] < 300  # the console's two lines and the answer
    no_warnings(got, "disk")
    all_listed(got)
