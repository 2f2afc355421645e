# SPDX-License-Identifier: MIT
"""
Kernels of others as guests of Hamlet, as Debian's packages have them: a memory test and a game that
know the PC of 1990, a boot loader that needs a BIOS, tboot and Xen, each with a Linux behind it.

From: make judges      To: guest/pc/legacy/, guest/load/
"""

import re
import shutil

import pytest
from case import GUESTS, Case
from host import needs
from lab import cache, debian, linux
from lab import kernel as kernels
from test_xen import xen

PATIENCE = 600      # seconds of this host's clock, against a hang only
ESCAPE = "\x1b"
# Dom0, or the Linux behind tboot: it tells what it is, and switches off.
INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys
/bin/busybox mount -t proc none /proc
/bin/busybox mount -t sysfs none /sys
export PATH=/bin
/bin/busybox --install -s /bin
echo "here is $(uname -sr) under $(cat /sys/hypervisor/type 2>/dev/null || echo nothing)"
poweroff -f
"""


def packaged(package, path):
    """A file of a Debian package, as it is."""
    return debian.unpacked(package, cache.folder() / f"kernel-{package}") / path


@pytest.fixture
def files(tmp_path):
    """Debian's Linux and an initrd with INIT, in a folder."""
    kernel, init = kernels.folder(), tmp_path / "init"
    init.write_text(INIT)
    shutil.copy(kernels.image(kernel), tmp_path / "vmlinuz")
    (tmp_path / "initrd").write_bytes(linux.initrd(kernel, init))
    return tmp_path


def shown(got, pattern):
    """The lines of guests that match, each once."""
    return ", ".join(dict.fromkeys(re.findall(rf"^\w+\| +({pattern})", got.text, re.M)))


@pytest.mark.parametrize("name", ["x64", "ia32"])
def test_memtest(name, boot, record_property):
    """memtest86+ finds the VM's memory and no error in it; Escape ends it, which is a reset."""
    needs()
    kernel = packaged("memtest86+", f"boot/memtest86+{name}.bin")
    got = boot(Case(f"memtest-{name}", timeout=PATIENCE, stop_at=r"vm=memtest reset",
                    vms=[f"kernel={kernel},name=memtest,mem=8M,legacy=on"],
                    answers=[(r"Test #\d", ESCAPE)],
                    expect=[r"^memtest\| +Memtest86\+ v6", r"Memory  : +8MB",
                            r"Using: All Cores +\| Pass:  0 +Errors: 0\b"]))
    record_property("saw", shown(got, r"Memtest86\+ v[\d.]+"))


def test_invaders(boot, record_property):
    """The invaders move by the PIT's counter; P stops them, and P once more lets them go on."""
    needs()
    kernel = packaged("grub-invaders", "boot/invaders.exec")
    got = boot(Case("invaders", timeout=PATIENCE, vms=[f"kernel={kernel},name=invaders,mem=8M"],
                    answers=[(r"/ \\", "p"), (r"PRESS 'P'", "p")],
                    stop_at=r"PRESS 'P'[\s\S]*^invaders\| +-\*-",
                    expect=[r"^invaders\| +-\*-", r"^invaders\| +/ \\$", r"^invaders\| +PAUSE$"]))
    record_property("saw", f"{len(re.findall('(?m)^invaders.*-[*]-', got.text))} rows of invaders")


def test_ipxe(boot, record_property):
    """It has only the entry in real mode: refused by one line, and the next VM runs."""
    needs()
    got = boot(Case("ipxe", exits={"hello": 1},
                    vms=[f"kernel={packaged('ipxe', 'boot/ipxe.lkrn')},mem=64M",
                         f"kernel={GUESTS}/hello.elf,mem=4M"],
                    expect=[r"vm=ipxe kernel: starts at 0x0: it has only the entry in real mode"]))
    record_property("saw", re.search(r"vm=ipxe (kernel: .*)$", got.text, re.M).group(1))


def test_tboot(files, boot, record_property):
    """Without SMX tboot measures nothing, and starts the Linux that it was given."""
    needs()
    got = boot(Case("tboot", timeout=PATIENCE, megs=512, exits={"tboot": 0},
                    vms=[f"kernel={packaged('tboot', 'boot/tboot.gz')},mem=256M,"
                         f'cmdline=logging=serial,initrd={files}/vmlinuz,'
                         f'string="console=ttyS0 quiet",initrd={files}/initrd'],
                    expect=[r"^tboot\| TBOOT: .*CPU does not support SMX",
                            r"^tboot\| TBOOT: transfering control to kernel",
                            r"^tboot\| here is Linux 6\.1\S* under nothing"]))
    record_property("saw", shown(got, r"TBOOT: .*not support SMX|here is .*"))


XEN = "xen com1=115200,8n1 console=com1 loglvl=all"
# words behind XEN, memory of dom0 or none, what Xen says, what the case ends with
XENS = {
    "dom0": ("no-real-mode edd=off", 256,
             [r"\(XEN\) Xen version 4\.17", r"\(XEN\) I/O virtualisation disabled"],
             r"here is Linux 6\.1\S* under xen"),
    "pvh": ("no-real-mode edd=off noreboot dom0=pvh", 128,
            [r"\(XEN\) Panic on CPU 0:", r"\(XEN\) Error creating d0: -22"],
            'why="halted with interrupts off"'),
    "alone": ("no-real-mode edd=off noreboot", 0, [r"\(XEN\) dom0 kernel not specified"],
              'why="halted with interrupts off"'),
    "real-mode": ("", 0, [], 'why="INT 15h: there is no BIOS"'),
}


@pytest.mark.parametrize("name", XENS)
def test_xen(name, files, boot, record_property):
    """Xen finds a PC without VMX and without VT-d: it starts a dom0 that is paravirtual, and none
    that would need VMX. It calls the BIOS unless it is asked not to, which ends the VM by name."""
    needs()
    words, megs, said, end = XENS[name]
    (files / "xen").write_bytes(xen())
    dom0 = (f'initrd={files}/vmlinuz,string="console=hvc0 nokaslr mitigations=off quiet",'
            f"initrd={files}/initrd,mem=512M" if megs else "mem=128M")
    got = boot(Case(f"xen-{name}", timeout=PATIENCE, megs=768, stop_at=end,
                    vms=[f'kernel={files}/xen,{dom0},'
                         f'cmdline="{XEN} dom0_mem={megs or 64}M {words}"'],
                    expect=[rf"^xen\| .*{line}" for line in said] + [end]))
    record_property("saw", shown(got, r".*Error creating.*|.*dom0 kernel not.*|here is .*") or end)
