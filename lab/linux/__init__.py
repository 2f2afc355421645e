# SPDX-License-Identifier: MIT
"""
A Linux to run in a VM, or below one: Debian's own kernel, as it is, and an initrd of Debian's
busybox. Nothing is built but a cpio archive, nothing is installed.

From: make linux, tests/cases/test_linux.py, test_lab_linux.py, tests/judges/
To:   lab/linux/init (the first process), lab/kernel.py (the kernel's package)

    python3 -m lab.linux build/linux nvme       writes build/linux/vmlinuz and
                                                build/linux/initrd with the module in it
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from lab import kernel as kernels
from lab.nested import image

INIT = Path(__file__).with_name("init")
why_not = image.why_not


def build(target, modules=(), programs=(), script="", kernel=None):
    """Write vmlinuz and initrd into the folder `target`. `modules` are inserted, then `script` is
    run if there is one."""
    target = Path(target)
    target.mkdir(parents=True, exist_ok=True)
    kernel = kernel or kernels.folder()
    shutil.copy(kernels.image(kernel), target / "vmlinuz")
    files = {"script": script.encode()} if script else {}
    (target / "initrd").write_bytes(initrd(kernel, INIT, modules, programs, files))
    return target


def initrd(kernel, init, modules=(), programs=(), files=None, later=()):
    """The bytes of an initrd: `init` is its first process, which finds busybox and the programs
    in /bin, the modules in /modules, and in /modules/list, in this order, those that it is to
    insert; `later` are in /modules only. `files`: more, path -> bytes."""
    with tempfile.TemporaryDirectory(prefix="hamlet-linux-") as name:
        root = Path(name)
        (root / "bin").mkdir()
        (root / "modules").mkdir()
        for program in (image.BUSYBOX, *map(Path, programs)):
            shutil.copy(program, root / "bin" / program.name)
        shutil.copy(init, root / "init")
        (root / "init").chmod(0o755)
        found = kernels.modules(kernel, modules)
        for module, data in {**kernels.modules(kernel, later), **found}.items():
            (root / f"modules/{module}.ko").write_bytes(data)
        (root / "modules/list").write_text("".join(f"{module}\n" for module in found))
        for path, data in (files or {}).items():
            (root / path).write_bytes(data)
        return image.cpio(root)


def acpi(tables):
    """An archive that replaces or adds ACPI tables, to lie before the initrd proper; `tables`:
    signature -> bytes."""
    with tempfile.TemporaryDirectory(prefix="hamlet-acpi-") as name:
        folder = Path(name) / "kernel/firmware/acpi"
        folder.mkdir(parents=True)
        for signature, data in tables.items():
            (folder / f"{signature.lower()}.aml").write_bytes(data)
        return image.cpio(Path(name))


def program(source, target):
    """Compile a C file to the static program `target`: there is no library in the initrd."""
    subprocess.run(["gcc", "-O1", "-static", "-Wall", "-Werror", source, "-o", target], check=True)
    return target
