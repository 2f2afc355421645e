# SPDX-License-Identifier: MIT
"""
QEMU's devices at work, in one boot: each has a VM of its own, whose guest drives it, checks its
data and counts the exits of 1,000 operations. With virtual functions this QEMU has nvme only; igb
is of a later one.

From: make test      To: guest/programs/ (the drivers), guest/assign/assign.c,
lab/machines/nested.py
"""

import re

import pytest
from case import Case

ROM = b"\x55\xaa\x04" + bytes(range(1, 254)) * 33
DISK = 32 << 10

DEVICES = [
    "edu,addr=4,dma_mask=0xffffffffffffffff",
    "pcie-root-port,id=port5,addr=5,chassis=5", "pcie-pci-bridge,id=bridge,bus=port5",
    "edu,bus=bridge,addr=1,dma_mask=0xffffffffffffffff",
    "pci-testdev,addr=6", "pci-serial-2x,addr=7,chardev1=tty1,chardev2=tty2",
    "pcie-root-port,id=port8,addr=8,chassis=8", "nvme-subsys,id=subsystem",
    "nvme,id=controller,bus=port8,serial=x,subsys=subsystem,"
    "sriov_max_vfs=1,sriov_vq_flexible=2,sriov_vi_flexible=2,"
    "max_ioqpairs=6,msix_qsize=6", "nvme-ns,drive=disk,bus=controller,nsid=1",
    "pcie-root-port,id=port9,addr=9,chassis=9", "e1000e,bus=port9,romfile=",
    "i82559er,addr=0xa,romfile={folder}/rom", "rtl8139,addr=0xb,netdev=net,romfile=",
    "AC97,addr=0xc,audiodev=sound", "ivshmem-plain,addr=0xd,memdev=memory", "pvpanic-pci,addr=0xe",
    "pcie-root-port,id=port15,addr=0xf,chassis=15", "qemu-xhci,bus=port15",
]
EXTRAS = [
    "-drive if=none,id=disk,format=raw,file={folder}/disk", "-netdev hubport,id=net,hubid=0",
    "-audiodev none,id=sound", "-object memory-backend-ram,id=memory,size=1M,share=on",
]
UNSAFE = "unsafe=no-reset"
# name, guest, its devices, what it must print, {operation: exits by port, exits by memory} of
# a thousand
GUESTS = [
    ("edu", "edu-mmio", f"pci=00:04.0,{UNSAFE}", r"reads=1000", {}),
    ("bridged", "edu-dma", "pci=1234:11e8#1", r"the pattern came back", {}),
    ("testdev", "testdev", f"pci=1b36:0005,{UNSAFE}", r"1000 writes to each BAR arrived",
     {"memory": (0, 0), "ports": (0, 0)}),
    ("serial", "serial-2x", f"pci=1b36:0003,{UNSAFE}", r"both said their line, intx=100",
     {"ports": (0, 0)}),
    ("nvme", "nvme", "pci=1b36:0010#0,unsafe=vfs,pci=1b36:0010#1,cmdline=vf=1",
     r"nvme-vf: 8 blocks came back, msix=\d+", {"nvme": (0, 0), "nvme-vf": (0, 0)}),
    ("e1000e", "e1000e", "pci=8086:10d3", r"frames came back, msix=\d+", {"frames": (0, 0)}),
    ("i82559er", "i82559er", f"pci=8086:1209,rom=on,{UNSAFE}",
     r"self-test by memory and by port, intx=100", {"registers": (0, 0)}),
    ("rtl8139", "rtl8139", f"pci=10ec:8139,{UNSAFE}", r"the frame came back, intx=\d+",
     {"ports": (0, 0), "sub-page": (0, 1000)}),
    ("ac97", "ac97", f"pci=8086:2415,{UNSAFE}", r"played and recorded, intx=\d+",
     {"ports": (0, 0)}),
    ("ivshmem", "ivshmem", f"pci=1af4:1110,{UNSAFE}", r"its memory keeps",
     {"memory": (0, 0), "sub-page": (0, 1000)}),
    ("pvpanic", "pvpanic", f"pci=1b36:0011,{UNSAFE}", r"events=3", {"sub-page": (0, 1000)}),
    ("xhci", "xhci", "pci=1b36:000d", r"every command had its event, msix=\d+",
     {"commands": (0, 0)}),
]
WORK = Case("devices", on="nested", append="console=com1 vfs=03:00.0,1", devices=DEVICES,
            extras=EXTRAS,
            vms=[f"kernel={guest}.elf,name={vm},mem=4M,timeout=300,{devices}"
                 for vm, guest, devices, _, _ in GUESTS], outputs=["tty1", "tty2"],
            files={"disk": bytes(DISK), "rom": ROM[:8192]})


@pytest.fixture(scope="module")
def got():
    return {}


@pytest.mark.nested
def test_at_work(boot, got):
    """The tests below look at what this boot left."""
    seen = got["devices"] = boot(WORK)
    free = re.findall(r"vm: free-pages=(\d+)", seen.text)
    assert len(free) == 2 and free[0] == free[1], free


@pytest.mark.nested
@pytest.mark.parametrize("name,line,exits", [(row[0], row[3], row[4]) for row in GUESTS],
                         ids=[row[0] for row in GUESTS])
def test_device(got, name, line, exits):
    seen = got["devices"]
    assert seen.report.vms[name].exit == "1", f"{name}: {seen.report.vms[name].keys}"
    assert re.search(rf"^{name}\| .*{line}", seen.text, re.M)
    for what, (port, memory) in exits.items():
        row = re.search(rf"^{name}\| steady {what} operations=\d+ exits.port=(\d+) "
                        rf"exits.memory=(\d+)", seen.text, re.M)
        assert row, what
        assert (int(row.group(1)), int(row.group(2))) == (port,
                                                          memory), f"{name} {what}: {row.group(0)}"


@pytest.mark.nested
def test_what_left_the_machine(got):
    """The bytes that came out at the other end of the devices."""
    files = got["devices"].files
    assert files["tty1"] == b"first of two\n" and files["tty2"] == b"second of two\n"
    for at in (0, 16):
        for i in range(8):
            block = files["disk"][512 * (at + i):512 * (at + i + 1)]
            assert block == bytes((k * 7 + i + at) & 0xFF for k in range(512)), f"block {at + i}"
