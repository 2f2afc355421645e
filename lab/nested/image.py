# SPDX-License-Identifier: MIT
"""
The image of `nested`: Debian's kernel with KVM, and Debian's QEMU, in a form that Bochs boots
in seconds.

From: lab/machines/nested.py
To:   lab/nested/init (what runs in it), lab/kernel.py (Debian's kernel and its modules)

Two files, because what GRUB has to read by BIOS calls is slow and what Linux reads by bus-master
DMA is not: linux.iso (GRUB, the kernel, an initramfs of busybox and a few modules) and programs.img
(a disk that is one cpio archive: QEMU, its libraries, its firmware). Nothing is installed on the
host; the kernel's package is only unpacked.
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from lab import cache, iso
from lab import kernel as kernels
from lab.bochs import LINUX
from lab.say import Progress, note

INIT = Path(__file__).with_name("init")
BUSYBOX = Path("/bin/busybox")
QEMU = Path("/usr/bin/qemu-system-x86_64")
FIRMWARE = ("bios-256k.bin", "kvmvapic.bin", "linuxboot_dma.bin", "multiboot_dma.bin")
FIRMWARE_FOLDERS = ("/usr/share/qemu", "/usr/share/seabios", "/usr/lib/ipxe/qemu")
EARLY = ("ata_piix", "sd_mod")              # to reach the disks; KVM's modules are loaded per case
KVM = ("irqbypass", "kvm", "kvm-intel")
COMMAND_LINE = f"{LINUX} 8250.nr_uarts=2"
SECTOR_TRACK = 16 * 63 * 512                # a flat disk of Bochs is a whole number of cylinders


def why_not():
    for path, package in ((BUSYBOX, "busybox-static"), (QEMU, "qemu-system-x86")):
        if not path.exists():
            return f"{path} is missing: install {package}"
    return None if shutil.which("cpio") else "cpio is missing: install cpio"


def ensure():
    """Folder with linux.iso and programs.img; built if need be."""
    stamp = (QEMU.stat().st_size, QEMU.stat().st_mtime_ns)
    recipe = [path.read_text() for path in (INIT, Path(__file__), Path(kernels.__file__))]
    key = cache.key(recipe, COMMAND_LINE, stamp)
    target = cache.folder() / f"nested-{key}"
    with cache.lock(target.name):
        if not (target / "ready").exists():
            _build(target)
    return target


def _build(target):
    note("building the nested machine's image (once)")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    kernel = kernels.folder()
    progress = Progress("nested image: packing")
    with tempfile.TemporaryDirectory(prefix="hamlet-nested-") as name:
        scratch = Path(name)
        initramfs = _initramfs(scratch / "initramfs", kernel)
        medium(scratch / "iso", kernel, initramfs, target / "linux.iso")
        archive = _programs(scratch / "programs")
        (target / "programs.img").write_bytes(whole_disk(archive))
    (target / "ready").write_text("")
    progress.done()


def _initramfs(root, kernel):
    (root / "bin").mkdir(parents=True)
    (root / "modules").mkdir()
    shutil.copy(BUSYBOX, root / "bin/busybox")
    shutil.copy(INIT, root / "init")
    (root / "init").chmod(0o755)
    early = kernels.modules(kernel, EARLY)
    for name, data in [*early.items(), *kernels.modules(kernel, KVM).items()]:
        (root / f"modules/{name}.ko").write_bytes(data)
    (root / "modules/early").write_text("\n".join(early) + "\n")
    return cpio(root)


def medium(root, kernel, initramfs, target, words=COMMAND_LINE):
    """The ISO `target`, on which GRUB finds this Linux; `root`: a folder to make it in."""
    (root / "boot/grub").mkdir(parents=True)
    shutil.copy(kernels.image(kernel), root / "boot/vmlinuz")
    (root / "boot/initramfs").write_bytes(initramfs)
    (root / "boot/grub/grub.cfg").write_text(
        f"set timeout=0\nlinux /boot/vmlinuz {words}\ninitrd /boot/initramfs\nboot\n")
    iso.rescue(target, root, "normal linux iso9660 biosdisk configfile boot")


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
