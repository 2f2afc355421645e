# SPDX-License-Identifier: MIT
"""
The second judge: Xen 4.17, Debian's, on the lab machine, with Debian's Linux as dom0, PV and PVH,
that drives the lab device. Xen sets up both kinds of remapping, and posts into a PVH dom0.

From: make judges      To: labdev.c and tests/cases/linux_device.c (the drivers in dom0), xen_init

Xen writes GSTS back to GCMD with its one-shot bits, so each command repeats SRTP and SIRTP, without
the flushes that belong to them. The trace reports it as a violation, and advises against what
follows of it: caches not flushed since. Nothing stale is used.
"""

import re
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from host import CASES, FAULT, HOSTILE, needs, run, wrong
from lab import cache, debian, iso, linux
from lab import kernel as kernels
from lab.bochs import dmar

HERE = Path(__file__).parent
PACKAGE = "xen-hypervisor-4.17-amd64"
SUITE = "bookworm"
MEGS = 1024
GRUB = "normal multiboot2 iso9660 biosdisk configfile boot acpi serial terminal memrw"
XEN = ("iommu=verbose,debug,intremap,intpost com1=115200,8n1 console=com1 loglvl=all "
       "guest_loglvl=all noreboot")
LINUX = "console=hvc0 nokaslr mitigations=off 8250.nr_uarts=0 quiet"
# A PVH dom0 cannot register the GSI of an INTx with Xen, and gives up the device for it.
LINUX_OF = {"pv": "", "pvh": " acpi=noirq"}
DEVICE = "0000:00:02.0"
OVER = r"Reboot disabled on cmdline|Hardware Dom0 (?:halted|crashed|shutdown)|Panic on CPU"
KNOWN = " violation several commands in one write "       # see above
LABDEV = "insmod /modules/labdev.ko irq={} rounds=50 2>/dev/null; rmmod labdev\n"


@dataclass
class Boot:
    kind: str                                       # of dom0: pv or pvh
    script: str
    expect: list                                    # what dom0 shows, patterns
    cpus: int = 1
    words: str = ""                                 # more of Xen's
    posts: int = 0
    description: dict = field(default_factory=dict)


def moved(irq, interrupts=100):
    return rf"labdev: irq={irq} rounds=50 wrong=0 lost=0 interrupts={interrupts}"


USER = f"linux_device {DEVICE} 50\n"
USER_MOVED = "device: moved 204800 bytes in 100 transfers, 100 interrupts"
STRAY = "insmod /modules/labdev.ko irq=0 rounds=0 stray=1 2>/dev/null; rmmod labdev\n"
REFUSED = "labdev: stray refused=2"
BOOTS = {
    "pv": Boot("pv", "".join(map(LABDEV.format, range(3))) + STRAY,
               [*map(moved, range(3)), REFUSED]),
    "pvh": Boot("pvh", STRAY + USER, [REFUSED, USER_MOVED], cpus=2, posts=100),
    "pvh-hostile": Boot("pvh", LABDEV.format(0) + STRAY + USER, [moved(0), REFUSED, USER_MOVED],
                        posts=200, description={**HOSTILE, "width": "39"},
                        words="iommu=no-sharept"),
    "pvh-registers": Boot("pvh", STRAY + USER, [REFUSED, USER_MOVED],
                          words="iommu=no-qinval,no-intremap,no-intpost"),
}


def summed(data, at, span):
    """With its checksum in the byte `at`."""
    whole = bytearray(data)
    whole[at] = -sum(whole[:span]) & 0xFF
    return bytes(whole)


def written(at, data):
    """GRUB commands that put the bytes into memory."""
    data += bytes(-len(data) % 4)
    return "".join(f"write_dword {at + n:#x} {int.from_bytes(data[n:n + 4], 'little'):#x}\n"
                   for n in range(0, len(data), 4))


def tables_by_hand(table, cpus):
    """GRUB commands that leave an RSDP of revision 2 in the EBDA, and an XSDT and the DMAR table in
    the firmware's own ACPI region. A PVH dom0 needs that: Xen reads the XSDT whatever the revision,
    and hands over only tables whose pages are ACPI data as a whole; GRUB's `acpi` does neither."""
    base, extra = (MEGS << 20) - 0x10000, 8 * (cpus - 1)
    # where Bochs' firmware puts FADT, SSDT, MADT and HPET; the last two depend on the CPUs
    facp, ssdt = base + 0x34, base + 0xF38
    apic = (ssdt + 0x37 + 13 * (cpus - 1) + 7) & ~7
    hpet = (apic + 0x4A + extra + 7) & ~7
    xsdt_at, table_at, rsdp_at = base + 0x8000, base + 0x8100, 0x9FFC0
    entries = b"".join(struct.pack("<Q", at) for at in (facp, ssdt, apic, hpet, table_at))
    size = 36 + len(entries)
    xsdt = struct.pack("<4sIBB6s8sI4sI", b"XSDT", size, 1, 0, b"HAMLET", b"LABXSDT ", 1, b"HMLT", 1)
    rsdp = b"RSD PTR " + bytes(1) + b"HAMLET" + bytes([2])
    rsdp += struct.pack("<IIQ", base, 36, xsdt_at) + bytes(4)
    return (written(xsdt_at, summed(xsdt + entries, 9, size)) + written(table_at, table)
            + written(rsdp_at, summed(summed(rsdp, 8, 20), 32, 36)))


def xen():
    """The hypervisor, unpacked."""
    target = cache.folder() / PACKAGE
    if not (target / "ready").exists():
        with debian.index(SUITE) as index:
            debian.unpacked(PACKAGE, target, index)
    packed = target / "boot/xen-4.17-amd64.gz"
    return subprocess.run(["gunzip", "-c", packed], capture_output=True, check=True).stdout


def labdev(kernel, scratch):
    """The bytes of labdev.ko, built for this kernel with Debian's headers, which are not
    installed either."""
    release = kernels.release(kernel)
    version, flavour = release.rsplit("-", 1)
    series = ".".join(version.split(".")[:2])
    names = f"linux-headers-{release} linux-headers-{version}-common linux-kbuild-{series}"
    root = debian.unpacked(names, cache.folder() / f"linux-headers-{release}") / "usr/src"
    (scratch / "labdev.c").write_text((HERE / "labdev.c").read_text())
    (scratch / "Makefile").write_text("obj-m := labdev.o\n")
    done = subprocess.run(["make", "-C", root / f"linux-headers-{version}-common",
                           f"O={root}/linux-headers-{release}", f"M={scratch}",
                           f"KERNELRELEASE={release}", "ARCH=x86", "modules"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return (scratch / "labdev.ko").read_bytes()


def medium(scratch, boot):
    kernel, root = kernels.folder(), scratch / "iso"
    (root / "boot/grub").mkdir(parents=True)
    (scratch / "labdev").mkdir()
    program = linux.program(CASES / "linux_device.c", scratch / "linux_device")
    files = {"script": boot.script.encode(),
             "modules/labdev.ko": labdev(kernel, scratch / "labdev")}
    initrd = linux.initrd(kernel, HERE / "xen_init", programs=[program], files=files)
    table = dmar.table(boot.description, boot.cpus)
    tables = tables_by_hand(table, boot.cpus) if boot.kind == "pvh" else "acpi /boot/dmar.aml\n"
    menu = ("set timeout=0\nserial --unit=0 --speed=115200\nterminal_output serial\n" + tables
            + f"multiboot2 /boot/xen {XEN} {'dom0=pvh' if boot.kind == 'pvh' else ''} "
            f"dom0_mem=512M {boot.words}\n"
            f"module2 /boot/vmlinuz {LINUX}{LINUX_OF[boot.kind]}\nmodule2 /boot/initrd\nboot\n")
    for name, data in (("dmar.aml", table), ("xen", xen()), ("initrd", initrd),
                       ("vmlinuz", kernels.image(kernel).read_bytes()),
                       ("grub/grub.cfg", menu.encode())):
        (root / "boot" / name).write_bytes(data)
    iso.rescue(scratch / "xen.iso", root, GRUB)
    return scratch / "xen.iso"


@pytest.mark.parametrize("name", BOOTS)
def test_xen(name, tmp_path, record_property):
    """Xen takes the unit, dom0's driver moves its data, interrupts are posted into a PVH dom0, and
    a stray transfer is refused, reported and printed."""
    needs()
    boot = BOOTS[name]
    text, trace = run(f"xen-{name}", medium(tmp_path, boot), description=boot.description,
                      cpus=boot.cpus, megs=MEGS, until=OVER)
    faults, posts = re.findall(FAULT, trace, re.M), trace.count(" post sid=00:02.0 ")
    on = ", ".join(re.findall(r"^\(XEN\) Intel VT-d (.*)(?<! not) enabled\.$", text, re.M))
    record_property("saw", f"{on}; {posts} posts, {len(faults)} faults, "
                           f"{len(re.findall(KNOWN, trace))} commands repeated")
    tail = "\n".join(text.splitlines()[-40:])
    for wanted in (r"\(XEN\) I/O virtualisation enabled", rf"type={boot.kind.upper()}",
                   *boot.expect, "the end"):
        assert re.search(wanted, text), f"not shown: {wanted!r}; the console's end:\n{tail}"
    queue = "registers" not in name
    assert ("Queued Invalidation" in on) == ("Posted Interrupt" in on) == queue
    assert posts >= boot.posts and (boot.posts or not posts)
    assert len(faults) == 2 and all("iova=0x3000000000" in fault for fault in faults), faults
    assert re.search(r"DMAR:\[DMA (?:Read|Write)\] Request device \[0000:00:02\.0\] fault addr "
                     r"3000000000", text)
    assert not wrong(trace, KNOWN), wrong(trace, KNOWN)
