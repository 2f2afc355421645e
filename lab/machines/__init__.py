# SPDX-License-Identifier: MIT
"""
The machines Hamlet runs on. Each module has: why_not() -> a reason it cannot be used here, or None;
run(boot, console).

From: the launcher `hamlet`, tests/cases/conftest.py
To:   bochs.py (lab), qemu.py (tcg, kvm), nested.py (nested); kvm.py: what this host offers;
boot.py: what is started and what came of it
"""

import re
from pathlib import Path

from lab import channel
from lab.machines import bochs, kvm, nested, qemu
from lab.say import Unusable

NAMES = ("lab", "nested", "kvm", "tcg")


def why_not(name):
    """None if the machine `name` can be used here, else the reason, one line."""
    return {"lab": bochs.why_not, "nested": nested.why_not, "kvm": kvm.why_not,
            "tcg": qemu.why_not}[name]()


def resolve(name):
    """`auto` is kvm where nested VMX is really there, else lab."""
    if name != "auto":
        return name
    return "kvm" if kvm.why_not() is None else "lab"


def lacks(name):
    """What a usable machine cannot do here, a line each."""
    return kvm.offers().lacks() if name == "kvm" else []


def tables(name, options, cpus, folder):
    """Paths of the ACPI tables that go with the machine because its firmware has none; written
    into `folder`."""
    paths = []
    for signature, data in (bochs.tables(options, cpus) if name == "lab" else {}).items():
        paths.append(folder / f"{signature.lower()}.bin")
        paths[-1].write_bytes(data)
    return paths


def words():
    """For Hamlet's command line: where a report for programs goes. Each machine has that port."""
    return f"report={channel.PORT}"


# What an option that is not a number, or has a limit, may be; "": anything.
OPTIONS = {
    "lab": {"vmx": "on off", "vtd": "on off", "stock": "0 1", "serial": "on off"},
    "nested": {"apicv": "on off", "iommu": ""},
    "kvm": {"firmware": "bios uefi", "iommu": ""},
    "tcg": {"firmware": "bios uefi", "iommu": ""},
}
LAB_CPUS = 14    # Bochs has 64 timers, and each CPU wants several


def check(name, boot):
    """Unusable for words about the machine that have no meaning on it."""
    known = OPTIONS[name]
    for key, value in boot.options.items():
        if key not in known and name != "lab":      # lab's other keys its plugin knows
            raise Unusable(f"--machine {key}: {name} has no such option; it has {', '.join(known)}")
        if known.get(key) and value not in known[key].split():
            raise Unusable(f"--machine {key}={value}: {key} is {' or '.join(known[key].split())}")
    if name == "lab" and boot.cpus > LAB_CPUS:
        raise Unusable(f"--cpus {boot.cpus}: lab has at most {LAB_CPUS}")
    words = " ".join([*boot.devices, *boot.extras])
    for output in boot.outputs:
        if name == "lab" and output != "trace":
            raise Unusable(f"--output {output}: lab has no such file; it has trace")
        if name != "lab" and not re.search(rf"\bchardev[=:]{re.escape(output)}\b", words):
            raise Unusable(f"--output {output}: no device has chardev={output}")
    for disk, path in boot.disks.items():
        if not Path(path).is_file():
            raise Unusable(f"--disk {disk}={path}: no such file")


def run(name, boot, console):
    """Start `boot` on the machine `name`; returns a boot.Ended when it is over."""
    check(name, boot)
    if name == "lab":
        ended = bochs.run(boot, console)
    elif name == "nested":
        ended = nested.run(boot, console)
    else:
        ended = qemu.run(boot, console, accel=name)
    ended.raw = bytes(console.bytes)
    return ended
