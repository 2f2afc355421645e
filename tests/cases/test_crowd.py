# SPDX-License-Identifier: MIT
"""
Sixty-four devices, given to three VMs: each sends its message and moves its bytes, and when the
VMs have ended, all memory is there that was there before.

From: make test      To: guest/programs/crowd.c; guest/assign/assign.c, pci/sriov.c
"""

import re

from case import Case

VFS = [f"pci=03:{n >> 3:02x}.{n & 7}" for n in range(1, 64)]


def crowd(name, given):
    return ",".join([f"kernel=crowd.elf,name={name},mem=4M", *given,
                     f"cmdline=devices={len(given)}"])


def test_crowd(boot):
    """One device of its own bus, and 63 virtual functions; a VM has room for 31."""
    vms = [crowd("one", VFS[:31]), crowd("two", VFS[31:62]),
           crowd("three", ["pci=00:02.0", VFS[62]])]
    got = boot(Case("crowd", machine={"ecam": "1", "vfs": "63"}, vms=vms,
                    append="console=com1 vfs=03:00.0,63",
                    expect=[r"vm=three 03:07\.7 .* irq=posted"],
                    forbid=["vtd: fault", "FAIL"], exits={"one": 1, "two": 1, "three": 1}))
    for name, count in ("one", 31), ("two", 31), ("three", 2):
        assert f"{name}| {count} devices, each with its message and its bytes" in got.text
    free = re.findall(r"vm: free-pages=(\d+)", got.text)
    assert len(free) == 2 and free[0] == free[1], free
