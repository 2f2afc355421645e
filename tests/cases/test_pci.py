# SPDX-License-Identifier: MIT
"""
pci/ on QEMU's hardware: what the scan says of it, and the tests in tests/kernel/pci.c with the
devices that they need.

From: make test      To: tests/cases/case.py
"""

import pytest
from case import Case, ROOT

BRIDGES = [
    "edu,addr=4", "pvpanic-pci,addr=5", "pci-testdev,addr=6,membar=1M",
    "pcie-root-port,id=nic,addr=8,chassis=1", "e1000e,bus=nic",
    "pcie-root-port,id=slot9,addr=9,chassis=2", "pcie-pci-bridge,id=express,bus=slot9",
    "edu,bus=express,addr=1",
    "i82801b11-bridge,id=dmi,addr=0xa", "pci-bridge,id=conventional,bus=dmi,chassis_nr=9,addr=1",
    "edu,bus=conventional,addr=3",
    "pcie-root-port,id=disk,addr=0xb,chassis=3", "nvme-subsys,id=subsystem",
    "nvme,bus=disk,serial=x,subsys=subsystem,"
    "sriov_max_vfs=4,sriov_vq_flexible=8,sriov_vi_flexible=4,"
    "max_ioqpairs=26,msix_qsize=29",
    "pxb-pcie,id=numa,bus_nr=64,addr=0xc", "pcie-root-port,bus=numa,id=far,chassis=4",
]

KERNEL_TESTS = [
    "pci_sriov_makes_functions", "pci_msix_of_nvme_is_inside_its_bar", "pci_flr_clears_a_device",
    "pci_bus_reset_clears_a_device", "pci_requesters_behind_bridges", "pci_a_bar_of_two_bytes",
    "pci_ports_and_ecam_show_the_same", "pci_scan_leaves_bars_as_they_were",
]

CASES = [
    Case("pci-scan", on="tcg", devices=BRIDGES, expect=[
        r"pci: config=ecam base=0xb0000000 buses=00-ff",
        r"pci: 00:04\.0 1234:11e8 class=00ff00 bar0=mem,0x[0-9a-f]+,1M msi flr=no",
        r"pci: 00:05\.0 1b36:0011 class=088000 bar0=mem,0x[0-9a-f]+,2 flr=no",
        r"pci: 00:06\.0 1b36:0005 class=00ff00 bar0=mem,\S+,4K bar1=io,\S+,256 bar2=mem64p,\S+,1M "
        r"flr=no",
        r"pci: 06:00\.0 1b36:0010 class=010802 bar0=mem64,0x[0-9a-f]+,16K msix pcie flr=yes",
        r"pci: 40:00\.0 1b36:000c class=060400 buses=41-41",
        r"pci: functions=\d+",
    ]),
    Case("pci-scan-by-ports", on="lab", expect=[
        r'pci: config=cf8 reason="no MCFG"',
        r"pci: 00:01\.1 8086:7010 class=010180 bar4=io,0x[0-9a-f]+,16 flr=no",
        r"pci: functions=\d+",
    ]),
    Case("pci-kernel-tests", on="tcg", devices=BRIDGES, kernel=ROOT / "build/hamlet-test.elf",
         expect=[rf"(?s)(?=.*ktest: PASS {name}\b)" for name in KERNEL_TESTS],
         forbid=[r"ktest: FAIL pci_"]),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_pci(case, boot):
    boot(case)
