# SPDX-License-Identifier: MIT
"""
What this host offers the machine `kvm`: VMX that nests, interrupt controllers in KVM, and QEMU's
VT-d unit. Each question has an answer that a user can act on.

From: lab/machines/__init__.py, lab/machines/qemu.py (the command line), the launcher (doctor)

`root` is / but in tests.
"""

import fcntl
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

QEMU = "qemu-system-x86_64"
ROOT = Path("/")

NESTING = "modprobe -r kvm_intel; modprobe kvm_intel nested=1"
KEPT = "to keep it: options kvm_intel nested=1 in a file of /etc/modprobe.d"
BUILT_IN = "KVM is no module here: kvm_intel.nested=1 on Linux' command line, and a reboot"

# Of Linux' <linux/kvm.h>: the request KVM_CHECK_EXTENSION, and two extensions.
CHECK_EXTENSION, SPLIT_IRQCHIP, X2APIC_API = 0xAE03, 121, 129


@dataclass(frozen=True)
class Offers:
    """What QEMU may be asked for there. All of it on the kernels of Debian."""
    split: bool = True      # local APICs in KVM, I/O APIC in QEMU, whose interrupts are remapped
    x2apic: bool = True     # remapped interrupts to APIC ids of 32 bits
    unit: bool = True       # QEMU has the device intel-iommu
    apicv: bool = True      # KVM uses APICv itself: only then it nests posted interrupts

    def lacks(self):
        """A line for each thing that is not there, and what that means for Hamlet."""
        rows = [(self.apicv, "kvm_intel has enable_apicv off: no posted interrupts"),
                (self.unit, f"{QEMU} has no intel-iommu: no DMA or interrupt remapping"),
                (self.split or not self.unit, "KVM has no split irqchip: no interrupt remapping"),
                (self.x2apic or not (self.unit and self.split),
                 "KVM has no X2APIC_API: interrupts are remapped to APIC ids below 256")]
        return [text for there, text in rows if not there]


def why_not(root=ROOT):
    """A /dev/kvm alone proves nothing: the processor must have VMX, and KVM must pass it on."""
    flags = (root / "proc/cpuinfo").read_text()
    if " vmx" not in flags:
        return _no_vmx(flags)
    module = root / "sys/module/kvm_intel"
    if not module.exists():
        return f"kvm_intel is not loaded: modprobe kvm_intel nested=1 ({KEPT})"
    if not _is_on(module / "parameters/nested"):
        return f"kvm_intel has nesting off: {_how_to_nest(root)}"
    if not os.access(root / "dev/kvm", os.R_OK | os.W_OK):
        return "/dev/kvm cannot be opened by this user: add it to the group kvm"
    return None if shutil.which(QEMU) else f"{QEMU} is missing: install qemu-system-x86"


def _no_vmx(flags):
    if " svm" in flags:
        return "this processor has AMD's SVM, and Hamlet is for Intel's VMX"
    why = "VT-x is off in the firmware, or not there"
    if " hypervisor" in flags:
        why = "this is a VM: its host has to nest VMX, KVM by kvm_intel nested=1 and -cpu host"
    return f"this processor shows no vmx in /proc/cpuinfo ({why})"


def _is_on(parameter):
    return parameter.exists() and parameter.read_text().strip() in ("Y", "1")


def _how_to_nest(root):
    """A module that is in use cannot be loaded again; a Linux without modules has no such file."""
    modules = root / "proc/modules"
    lines = modules.read_text().splitlines() if modules.exists() else []
    users = [line.split()[2] for line in lines if line.startswith("kvm_intel ")]
    if not users:
        return BUILT_IN
    first = "" if users[0] == "0" else "end the VMs that run on it, then "
    return f"{first}{NESTING} ({KEPT})"


def offers(root=ROOT, qemu=QEMU):
    """Ask KVM and QEMU. Only of a host for which why_not() has no reason."""
    with open(root / "dev/kvm", "rb") as device:
        split, x2apic = (fcntl.ioctl(device, CHECK_EXTENSION, number) > 0
                         for number in (SPLIT_IRQCHIP, X2APIC_API))
    said = subprocess.run([qemu, "-device", "intel-iommu,help"], capture_output=True, text=True)
    return Offers(split, x2apic, "intel-iommu options" in said.stdout,
                  _is_on(root / "sys/module/kvm_intel/parameters/enable_apicv"))


def arguments(offered, iommu):
    """QEMU's options for interrupt controllers and VT-d unit. `iommu`: the machine's option, "off"
    or more properties. Interrupts that are not remapped need nothing of QEMU: KVM has all the
    controllers then."""
    properties = list(filter(None, iommu.split(":")))
    unit = offered.unit and iommu != "off"
    remaps = unit and offered.split and "intremap=off" not in properties
    line = ["-machine", f"q35,accel=kvm,kernel-irqchip={'split' if remaps else 'on'}",
            "-cpu", "host,migratable=off"]
    if not unit:
        return line
    words = ["intel-iommu", f"intremap={'on' if remaps else 'off'}",
             *([] if offered.x2apic or not remaps else ["eim=off"]),
             *(word for word in properties if word != "intremap=off")]
    return [*line, "-device", ",".join(words)]
