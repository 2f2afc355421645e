# SPDX-License-Identifier: MIT
"""
`tcg` and `kvm`: QEMU's q35 with its own VT-d unit, without and with VMX. lab/machines/nested.py
runs the same line inside Bochs.

From: lab/machines/__init__.py, lab/machines/nested.py
To:   lab/machines/kvm.py (what this host offers)

Options: firmware=uefi (OVMF instead of SeaBIOS), iommu=off (no VT-d), iommu=KEY=VALUE:... (more
properties of the unit).
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from lab import channel
from lab.machines import kvm
from lab.machines.boot import WITH_US, Ended, Line, stop, watch
from lab.machines.kvm import QEMU
from lab.say import Unusable, note

OVMF = Path("/usr/share/OVMF")
# tcg: an instruction takes 32 ns, and an idle machine goes on to its next event at once. Nothing
# there depends on how fast or how busy this host is.
CLOCK = "shift=5,sleep=off"


def why_not():
    return None if shutil.which(QEMU) else f"{QEMU} is missing: install qemu-system-x86"


def arguments(boot, accel, iso, folder, offered=kvm.Offers()):
    """QEMU's command line; output files of the machine go to `folder`. The VT-d unit first: it must
    precede devices."""
    line = [QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-m", str(boot.megs), "-smp", str(boot.cpus)]
    iommu = boot.options.get("iommu", "")
    if accel == "kvm":
        line += kvm.arguments(offered, iommu)
    else:
        line += ["-machine", "q35,accel=tcg", "-cpu", "max", "-icount", CLOCK]
        if iommu != "off":
            line += ["-device", ",".join(["intel-iommu", "intremap=on",
                                          *filter(None, iommu.split(":"))])]
    line += ["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
             "-drive", f"file={iso},media=cdrom,if=ide,readonly=on,format=raw"]
    line += ["-chardev", f"file,id=report,path={folder}/report",
             "-device", f"isa-debugcon,iobase={channel.PORT},chardev=report"]
    for name, path in boot.disks.items():
        line += ["-drive", f"if=none,id={name},format=raw,file={path}"]
    for name in boot.outputs:
        line += ["-chardev", f"file,id={name},path={folder}/{name}"]
    for words in [*boot.extras, *(f"-device {device}" for device in boot.devices)]:
        line += words.replace("{folder}", str(folder)).split(" ", 1)
    return line


def run(boot, console, accel):
    with tempfile.TemporaryDirectory(prefix=f"hamlet-{accel}-") as name:
        return _run(Path(name), boot, console, accel)


def _run(scratch, boot, console, accel):
    offered = kvm.offers() if accel == "kvm" else kvm.Offers()
    for lack in offered.lacks():
        note(f"kvm: {lack}")
    line = arguments(boot, accel, boot.iso, scratch, offered)
    for name, data in boot.files.items():
        (scratch / name).write_bytes(data)
    if boot.options.get("firmware") == "uefi":
        line += _uefi(scratch)
    if boot.debug:
        line += ["-gdb", f"tcp::{boot.debug}", "-S"]
    log = scratch / "qemu.err"
    with Line(boot.gdb) as second:
        if boot.gdb:
            line += ["-chardev", f"serial,id=second,path={second.name}", "-serial",
                     "chardev:second"]
        with open(log, "w") as errors:
            child = subprocess.Popen([*WITH_US, *line], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, stderr=errors)
        with child:
            try:
                how = watch(child, child.stdout.fileno(), child.stdin.fileno(), console,
                            boot.timeout, second)
            finally:
                stop(child)
    detail = log.read_text(errors="replace").strip()
    if how == "off" and child.returncode:
        how = "broken"
    files = {name: (scratch / name).read_bytes() for name in [*boot.outputs, *boot.files]
             if (scratch / name).exists()}
    report = scratch / "report"
    return Ended(how, console.text(), detail or f"{QEMU} ended with status {child.returncode}",
                 files, report.read_bytes() if report.exists() else b"")


def _uefi(scratch):
    """OVMF keeps its variables in a flash chip of its own: a copy per run."""
    for suffix in ("_4M", ""):
        code, variables = OVMF / f"OVMF_CODE{suffix}.fd", OVMF / f"OVMF_VARS{suffix}.fd"
        if code.exists() and variables.exists():
            shutil.copy(variables, scratch / "vars.fd")
            return ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={code}",
                    "-drive", f"if=pflash,format=raw,unit=1,file={scratch}/vars.fd"]
    raise Unusable(f"no OVMF firmware in {OVMF}: install ovmf")
