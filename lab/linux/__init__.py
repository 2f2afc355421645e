# SPDX-License-Identifier: MIT
"""
A Linux to run in a VM: Debian's own kernel, as it is, and an initrd of Debian's busybox. Nothing is
built but a cpio archive, nothing is installed.

From: make linux, tests/cases/test_linux.py
To:   lab/linux/init (the first process), lab/nested/image.py (the kernel's package)

    python3 -m lab.linux build/linux nvme       writes build/linux/vmlinuz and
                                                build/linux/initrd with the module in it
"""

import shutil
import sys
import tempfile
from pathlib import Path

from lab.nested import image

INIT = Path(__file__).with_name("init")
why_not = image.why_not


def build(target, modules=(), programs=(), script=""):
    """Write vmlinuz and initrd into the folder `target`. `modules` are inserted, then `script` is
    run if there is one."""
    target = Path(target)
    target.mkdir(parents=True, exist_ok=True)
    kernel = image._kernel()
    (vmlinuz,) = (kernel / "boot").glob("vmlinuz-*")
    shutil.copy(vmlinuz, target / "vmlinuz")
    with tempfile.TemporaryDirectory(prefix="hamlet-linux-") as name:
        root = Path(name)
        (root / "bin").mkdir()
        (root / "modules").mkdir()
        shutil.copy(image.BUSYBOX, root / "bin/busybox")
        shutil.copy(INIT, root / "init")
        (root / "init").chmod(0o755)
        for program in map(Path, programs):
            shutil.copy(program, root / "bin" / program.name)
        found = image._with_needs(kernel, modules)
        for module, data in found.items():
            (root / f"modules/{module}.ko").write_bytes(data)
        (root / "modules/list").write_text("".join(f"{module}\n" for module in found))
        if script:
            (root / "script").write_text(script)
        (target / "initrd").write_bytes(image.cpio(root))
    return target
