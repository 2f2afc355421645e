# SPDX-License-Identifier: MIT
"""
What takes too long for make test: two Linuxes on nested at once, on one wire; and two with two
vCPUs each under load.

From: make linux-nested      To: tests/cases/linux_script (what they do), test_linux.py
"""

import os

import pytest
from test_linux import MODULES, QUIET, SCRIPT, interrupts, linux_case, no_warnings, one

DEVICES = ["pcie-root-port,id=port5,addr=5,chassis=5", "e1000e,bus=port5,netdev=one,romfile=",
           "pcie-root-port,id=port6,addr=6,chassis=6", "e1000e,bus=port6,netdev=two,romfile="]
WIRE = ["-netdev hubport,id=one,hubid=0", "-netdev hubport,id=two,hubid=0"]
VMS = [("here", "mem=192M,pci=8086:10d3#0", f"who=here {QUIET}"),
       ("there", "mem=192M,pci=8086:10d3#1", f"who=there {QUIET}")]


@pytest.mark.nested
def test_network(boot, tmp_path):
    """16 MiB by TCP from one VM's e1000e to the other's, and the same back."""
    got = boot(linux_case(tmp_path / "linux", "linux-network", VMS, on="nested", modules=MODULES,
                          megs=480, script=SCRIPT.read_text(), devices=DEVICES,
                          extras=WIRE, exits={"here": 0, "there": 0}))
    sent = one(r"^here\| sent (\w{32})  -$", got)
    assert one(r"^there\| came (\w{32})  -$", got) == sent and one(r"^here\| back (\w{32})  -$",
                                                                   got) == sent
    for vm, _, _ in VMS:
        assert interrupts(vm, "eth0-rx-0", got)[0] >= 100
        # QEMU's card sends what Linux leaves to it to cut (TSO) as fragments of IP; whole again, it
        # is more than a frame holds.
        no_warnings(got, vm,
                    "TCP: eth0: Driver has suspect GRO"
                    if int(one(rf"^{vm}\| fragments (\d+)$", got)) else "-")


SECONDS = int(os.environ.get("HAMLET_LOAD_SECONDS", 300))       # of the guests' time


@pytest.mark.nested
def test_load(boot, tmp_path):
    """Two VMs, two vCPUs each, on two CPUs: no lockup, no complaint of RCU's."""
    vms = [(vm, "mem=192M,vcpus=2", f"who={vm} seconds={SECONDS} {QUIET}")
           for vm in ("left", "right")]
    got = boot(linux_case(tmp_path / "linux", "linux-load", vms, on="nested",
                          script=SCRIPT.read_text(), cpus=2, megs=480,
                          exits={"left": 0, "right": 0}))
    for vm, _, _ in vms:
        assert int(one(rf"^{vm}\| processors 2 rounds (\d+)$", got)) >= 3
        assert one(rf"^{vm}\| complaints (\d+)$", got) == "0"
        no_warnings(got, vm)
