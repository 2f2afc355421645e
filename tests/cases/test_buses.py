# SPDX-License-Identifier: MIT
"""
Devices behind root ports of the lab machine: virtual functions, a card of two functions that only
the reset of their bus resets, two devices behind a bridge that signs for both.

From: make test      To: lab/bochs/plugin/buses.cc; pci/, guest/assign/assign.c, vtd/scope.c
"""

import pytest
from case import PROMPT, ROOT, Case

MONITOR = "\x01c"
PAIR = "kernel=dma-pair.elf,name=alpha,mem=16M"

CASES = [
    # What a scope says of the physical function holds for its virtual ones: they are unit 1's.
    Case("virtual-functions", machine={"ecam": "1", "vfs": "3", "units": "2"},
         append="console=com1 vfs=03:00.0,2",
         vms=["kernel=dma-pair.elf,name=one,mem=16M,pci=03:00.1,cmdline=rounds=100",
              "kernel=posting.elf,name=two,mem=8M,pci=03:00.2,cmdline=running=100"],
         expect=[r"pci: 03:00\.2 1234:11e8 .* flr=yes",
                 r"running: raised=100 handled=100 double=0"],
         forbid=["vtd: fault"],
         exits={"one": 1, "two": 1}),
    # The id of the bridge leads to the VM until the last of both is taken back.
    Case("behind-a-bridge", machine={"ecam": "1", "bridge": "1"}, outputs=["trace"],
         vms=[PAIR + ",pci=05:01.0,pci=05:02.0,cmdline=rounds=1000000000"],
         answers=[(r"round 0", MONITOR), (PROMPT, "unassign 05:02.0\r"), (PROMPT, MONITOR + "q")],
         expect=[r"05:01\.0 1234:11e8 .* source-id=05:00\.0", r"05:02\.0 is taken back"],
         forbid=["vtd: fault"], exits={"alpha": 1}),
    # The reset before it is given makes the BAR small; the guest has it as large as at boot.
    Case("large-bar", machine={"ecam": "1", "card": "1", "large_bar": "131072"},
         vms=["kernel=large-bar.elf,name=alpha,mem=8M,pci=02:00.0,pci=02:00.1"],
         expect=[r"bar4=mem64p,0x4000000000,128G",
                 r"alpha\| bar4 of 131072 MiB at 0x\w+ keeps its words"], exits={"alpha": 1}),
    # 1.3 s after each reset.
    Case("slow-after-a-reset", machine={"ready": "130000000"},
         vms=[PAIR + ",pci=00:02.0,cmdline=rounds=20"], forbid=["did not come back"],
         exits={"alpha": 1}),
    # Without Access Control Services in the port, two virtual functions can reach each other.
    Case("a-group", machine={"ecam": "1", "vfs": "2", "acs": "0"},
         append="console=com1 vfs=03:00.0,2",
         vms=["kernel=hello.elf,name=one,mem=8M,pci=03:00.1",
              "kernel=hello.elf,name=two,mem=8M,pci=03:00.2"],
         expect=[r"vm=two pci=03:00\.2 refused: group \(its group has another owner\)"],
         exits={"one": 1}),
    Case("ports-and-ecam", machine={"ecam": "1", "card": "1", "vfs": "2", "bridge": "1"},
         kernel=ROOT / "build/hamlet-test.elf", append="console=com1 ktest=pci_",
         expect=[r"ktest: PASS pci_ports_and_ecam_show_the_same",
                 r"ktest: PASS pci_scan_leaves_bars_as_they_were"], forbid=[r"ktest: FAIL"]),
    # One half of a card cannot be given: what resets it resets the other half. Firmware has left
    # its I/O BAR without an address. Beside it a VM that looks at its device beyond register 256.
    Case("half-a-card", machine={"ecam": "1", "card": "1"},
         vms=["kernel=hello.elf,name=alpha,mem=8M,pci=02:00.0",
              "kernel=extended.elf,name=beyond,mem=8M,pci=00:02.0"],
         expect=[r"refused: no-reset \(it can be reset only with all that is behind its bridge\)",
                 r"beyond\| at 0x100: id=0x0001", r"beyond\| at 0x150: id=0x0018",
                 r"beyond\| at 0x1d0: id=0x0003",
                 r"beyond\| serial number 0123456789abcd10",
                 r"aer: vm=beyond 00:02\.0 fatal error: malformed TLP; error: unsupported request",
                 r"beyond\| errors: uncorrected=0x00140000 corrected=0x1000 tlp=dead0000"],
         exits={"beyond": 1}),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_buses(boot, case):
    boot(case)


def test_card(boot):
    """Both halves together: reset once before they are given and once after they are taken back,
    each time the VM is made. The I/O BAR, without an address, does not matter."""
    got = boot(Case("card", machine={"ecam": "1", "card": "1", "large_bar": "256"},
                    outputs=["trace"],
                    vms=["kernel=hotplug.elf,name=one,mem=8M,kills=2,pci=02:00.0,pci=02:00.1"],
                    expect=[r"02:00\.0 bar1 is not shown: the firmware left it without an address",
                            r"02:00\.1 .* reset=bus", r"hamlet: vm=one kills=2 lost=0"],
                    forbid=["is parked", "FAIL"], exits={"one": 1}))
    assert got.files["trace"].count(b"resets bus 02") == 6
    assert b" fault sid=02:00" not in got.files["trace"]
