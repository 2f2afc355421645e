# SPDX-License-Identifier: MIT
"""
The machines Hamlet runs on. Each module has: why_not() -> a reason it cannot be used here, or None;
run(boot, console).

From: the launcher `hamlet`, tests/cases/conftest.py
To:   bochs.py (lab), qemu.py (tcg, kvm), nested.py (nested); kvm.py: what this host offers;
boot.py: what is started and what came of it
"""

from lab.machines import bochs, kvm, nested, qemu

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


def run(name, boot, console):
    """Start `boot` on the machine `name`; returns a boot.Ended when it is over."""
    if name == "lab":
        return bochs.run(boot, console)
    if name == "nested":
        return nested.run(boot, console)
    return qemu.run(boot, console, accel=name)
