# SPDX-License-Identifier: MIT
"""
The image of `nested`: Debian's kernel with KVM, and Debian's QEMU, in a form that Bochs boots
in seconds.

From: lab/machines/nested.py
To:   lab/nested/init (what runs in it)

Two files, because what GRUB has to read by BIOS calls is slow and what Linux reads by bus-master
DMA is not: linux.iso (GRUB, the kernel, an initramfs of busybox and a few modules) and programs.img
(a disk that is one cpio archive: QEMU, its libraries, its firmware). Nothing is installed on the
host; the kernel's package is only unpacked.
"""

import lzma
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from lab import cache, debian
from lab.say import Progress, Unusable, note

INIT = Path(__file__).with_name("init")
BUSYBOX = Path("/bin/busybox")
QEMU = Path("/usr/bin/qemu-system-x86_64")
FIRMWARE = ("bios-256k.bin", "kvmvapic.bin", "linuxboot_dma.bin", "multiboot_dma.bin")
FIRMWARE_FOLDERS = ("/usr/share/qemu", "/usr/share/seabios", "/usr/lib/ipxe/qemu")
EARLY = ("ata_piix", "sd_mod")              # to reach the disks; KVM's modules are loaded per case
KVM = ("irqbypass", "kvm", "kvm-intel")
# A tick of the TSC is an instruction, and ips=100000000 of them are a second, whatever CPUID says
# of the frequency.
COMMAND_LINE = (
    "console=ttyS0 quiet nokaslr mitigations=off tsc=reliable tsc_early_khz=100000 lpj=400000 "
    "8250.nr_uarts=2")
SECTOR_TRACK = 16 * 63 * 512                # a flat disk of Bochs is a whole number of cylinders


def why_not():
    for path, package in ((BUSYBOX, "busybox-static"), (QEMU, "qemu-system-x86")):
        if not path.exists():
            return f"{path} is missing: install {package}"
    return None if shutil.which("cpio") else "cpio is missing: install cpio"


def ensure():
    """Folder with linux.iso and programs.img; built if need be."""
    stamp = (QEMU.stat().st_size, QEMU.stat().st_mtime_ns)
    key = cache.key(INIT.read_text(), Path(__file__).read_text(), stamp)
    target = cache.folder() / f"nested-{key}"
    with cache.lock(target.name):
        if not (target / "ready").exists():
            _build(target)
    return target


def _build(target):
    note("building the nested machine's image (once)")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    kernel = _kernel()
    progress = Progress("nested image: packing")
    with tempfile.TemporaryDirectory(prefix="hamlet-nested-") as name:
        scratch = Path(name)
        initramfs = _initramfs(scratch / "initramfs", kernel)
        _iso(scratch / "iso", kernel, initramfs, target / "linux.iso")
        archive = _programs(scratch / "programs")
        (target / "programs.img").write_bytes(whole_disk(archive))
    (target / "ready").write_text("")
    progress.done()


def _kernel():
    """Debian's kernel package of this release, unpacked in the cache: its folder. Without network,
    one kept earlier."""
    out = subprocess.run(["apt-cache", "depends", "linux-image-amd64"], capture_output=True,
                         text=True).stdout
    names = re.findall(r"Depends: (linux-image-\d\S*)", out)
    target = cache.folder() / (names[0] if names else "linux-image")
    if (target / "ready").exists():
        return target
    try:
        if not names:
            raise Unusable("apt knows no linux-image-amd64: run apt-get update")
        return _unpack_kernel(names[0], target)
    except Unusable:
        kept = sorted(cache.folder().glob("linux-image-*/ready"))
        if not kept:
            raise
        return kept[-1].parent


def _unpack_kernel(name, target):
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    package = debian.binary_package(name, target)
    subprocess.run(["dpkg", "-x", str(package), str(target)], check=True)
    package.unlink()
    (target / "ready").write_text("")
    return target


def _module(kernel, name):
    """The bytes of a kernel module, unpacked if the package has it compressed."""
    pattern = name.replace("-", "_").replace("_", "[-_]")
    for path in kernel.rglob("*.ko*"):
        if re.fullmatch(rf"{pattern}\.ko(\.xz)?", path.name):
            data = path.read_bytes()
            return lzma.decompress(data) if path.suffix == ".xz" else data
    raise Unusable(f"Debian's kernel package has no module {name}")


def _with_needs(kernel, names):
    """{name: bytes} of the modules and all they depend on, in an order in which they can
    be inserted."""
    chosen = {}

    def visit(name):
        name = name.replace("-", "_")
        if name in chosen:
            return
        data = _module(kernel, name)
        needs = re.search(rb"\0depends=([^\0]*)\0", data)
        for need in filter(None, needs.group(1).decode().split(",") if needs else []):
            visit(need)
        chosen[name] = data

    for name in names:
        visit(name)
    return chosen


def _initramfs(root, kernel):
    (root / "bin").mkdir(parents=True)
    (root / "modules").mkdir()
    shutil.copy(BUSYBOX, root / "bin/busybox")
    shutil.copy(INIT, root / "init")
    (root / "init").chmod(0o755)
    early = _with_needs(kernel, EARLY)
    for name, data in early.items():
        (root / f"modules/{name}.ko").write_bytes(data)
    for name in KVM:
        (root / f"modules/{name}.ko").write_bytes(_module(kernel, name))
    (root / "modules/early").write_text("\n".join(early) + "\n")
    return cpio(root)


def _iso(root, kernel, initramfs, target, words=COMMAND_LINE):
    (root / "boot/grub").mkdir(parents=True)
    (vmlinuz,) = (kernel / "boot").glob("vmlinuz-*")
    shutil.copy(vmlinuz, root / "boot/vmlinuz")
    (root / "boot/initramfs").write_bytes(initramfs)
    (root / "boot/grub/grub.cfg").write_text(
        f"set timeout=0\nlinux /boot/vmlinuz {words}\ninitrd /boot/initramfs\nboot\n")
    done = subprocess.run(["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "--fonts=", "--themes=",
                           "--locales=",
                           "--install-modules=normal linux iso9660 biosdisk configfile boot", "-o",
                           target, root], capture_output=True, text=True)
    if done.returncode:
        raise Unusable(f"grub-mkrescue failed: {done.stderr.strip()[-200:]}")


def _programs(root):
    root.mkdir()
    out = subprocess.run(["ldd", QEMU], capture_output=True, text=True, check=True).stdout
    for path in {QEMU, *map(Path, re.findall(r"(/\S+)", out))}:
        shutil.copy(os.path.realpath(path), root / path.name)
    for name in FIRMWARE:
        for folder in map(Path, FIRMWARE_FOLDERS):
            if (folder / name).exists():
                shutil.copy(folder / name, root / name)
                break
    return cpio(root)


def cpio(root):
    """The folder as a cpio archive of the kind that Linux takes as an initramfs."""
    names = "\n".join(sorted(str(path.relative_to(root)) for path in root.rglob("*")))
    return subprocess.run(["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"],
                          input=names.encode(), cwd=root, capture_output=True, check=True).stdout


def whole_disk(data, least=0):
    """`data` padded to what Bochs takes as a disk."""
    size = max(len(data), least, 1)
    return data + bytes(-(-size // SECTOR_TRACK) * SECTOR_TRACK - len(data))
