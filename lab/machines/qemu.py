# SPDX-License-Identifier: MIT
"""
`tcg` and `kvm`: QEMU's q35 with its own VT-d unit, without and with VMX. lab/machines/nested.py
runs the same line inside Bochs.

From: lab/machines/__init__.py, lab/machines/nested.py

Options: firmware=uefi (OVMF instead of SeaBIOS), iommu=off (no VT-d), iommu=KEY=VALUE:... (more
properties of the unit).
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from lab.machines.boot import WITH_US, Ended, Line, stop, watch
from lab.say import Unusable

QEMU = "qemu-system-x86_64"
OVMF = Path("/usr/share/OVMF")


def why_not():
    return None if shutil.which(QEMU) else f"{QEMU} is missing: install qemu-system-x86"


NESTING = "modprobe -r kvm_intel; modprobe kvm_intel nested=1"
KEPT = "to keep it: options kvm_intel nested=1 in a file of /etc/modprobe.d"


def why_not_kvm():
    """A /dev/kvm alone proves nothing: the processor must have VMX, and KVM must pass it on."""
    flags = Path("/proc/cpuinfo").read_text()
    if " vmx" not in flags:
        return "this processor shows no vmx in /proc/cpuinfo" + (
            " (this is a VM: its host has to nest VMX)" if " hypervisor" in flags else
            " (VT-x is off in the firmware, or not there)")
    nested = Path("/sys/module/kvm_intel/parameters/nested")
    if not nested.exists():
        return f"kvm_intel is not loaded: modprobe kvm_intel nested=1 ({KEPT})"
    if nested.read_text().strip() not in ("Y", "1"):
        return f"kvm_intel has nesting off: {NESTING} ({KEPT})"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "/dev/kvm cannot be opened by this user: add it to the group kvm"
    return why_not()


def arguments(boot, accel, iso, folder):
    """QEMU's command line; output files of the machine go to `folder`. The VT-d unit first: it must
    precede devices."""
    line = [QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-m", str(boot.megs), "-smp", str(boot.cpus)]
    if accel == "tcg":
        line += ["-machine", "q35,accel=tcg", "-cpu", "max"]
    else:
        line += ["-machine", "q35,accel=kvm,kernel-irqchip=split", "-cpu", "host,migratable=off"]
    iommu = boot.options.get("iommu", "")
    if iommu != "off":
        line += ["-device", ",".join(["intel-iommu,intremap=on", *filter(None, iommu.split(":"))])]
    line += ["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
             "-drive", f"file={iso},media=cdrom,if=ide,readonly=on,format=raw"]
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
    line = arguments(boot, accel, boot.iso, scratch)
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
    return Ended(how, console.text(), detail or f"{QEMU} ended with status {child.returncode}",
                 files)


def _uefi(scratch):
    """OVMF keeps its variables in a flash chip of its own: a copy per run."""
    for suffix in ("_4M", ""):
        code, variables = OVMF / f"OVMF_CODE{suffix}.fd", OVMF / f"OVMF_VARS{suffix}.fd"
        if code.exists() and variables.exists():
            shutil.copy(variables, scratch / "vars.fd")
            return ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={code}",
                    "-drive", f"if=pflash,format=raw,unit=1,file={scratch}/vars.fd"]
    raise Unusable(f"no OVMF firmware in {OVMF}: install ovmf")
