# SPDX-License-Identifier: MIT
"""
Giving functions away and taking them back, in the lab: who may be given, what a guest may do to the header, INTx, two
VMs at once, and devices that are no friends.

From: make test      To: guest/audit.c, guest/assign.c, guest/vbar.c, guest/intx.c
"""

import re

import pytest
from case import Case

EDU = "pci=1234:11e8"
CASES = [
    Case("audit", expect=[
        r"assign: 00:00\.0 8086:1237 not assignable: bridge \(it is the host bridge\)",
        r"assign: 00:01\.1 8086:7010 not assignable: group",
        r"assign: 00:02\.0 1234:11e8 assignable reset=flr",
        r"assign: 00:02\.1 1234:11e9 assignable reset=af-flr trapped-bar=yes"]),
    Case("hidden", append="console=com1 hide=00:02.0", vms=[f"kernel=edu-mmio.elf,name=alpha,mem=8M,{EDU}"],
         expect=[r"00:02\.0 1234:11e8 not assignable: hidden", r"vm=alpha pci=00:02\.0 refused: hidden",
                 r"hamlet: end vms=0 failed=1"]),
    Case("hidden-but-unsafe", append="console=com1 hide=00:02.0",
         vms=[f"kernel=edu-mmio.elf,name=alpha,mem=8M,{EDU},unsafe=hidden"],
         expect=[r"vm=alpha pci=00:02\.0 unsafe=hidden: given although the command line hides it"], exits={"alpha": 1}),
    Case("rmrr", machine={"rmrr": "00:02.0@0x7000000-0x7000fff"}, vms=[f"kernel=edu-mmio.elf,name=alpha,mem=8M,{EDU}"],
         expect=[r"vm=alpha pci=00:02\.0 refused: rmrr"]),
    Case("group", vms=["kernel=hello.elf,name=alpha,mem=8M,pci=00:01.1,unsafe=no-reset"],
         expect=[r"vm=alpha pci=00:01\.1 refused: group \(its group holds a part of the chipset\)"]),
    Case("lab-intx", vms=["kernel=lab-intx.elf,name=alpha,mem=8M,pci=00:02.1"], expect=[r"alpha\| intx=1000"], exits={"alpha": 1}),
    Case("two-vms-at-once", machine={"devices": "2"},
         vms=[f"kernel=edu-msi.elf,name=one,mem=8M,{EDU},cmdline=count=10000",
              f"kernel=edu-msi.elf,name=two,mem=8M,{EDU}#1,cmdline=count=10000"],
         expect=[r"(?s)(?=.*one\| msi=10000 \S+ arrived=10000 )(?=.*two\| msi=10000 \S+ arrived=10000 )"],
         exits={"one": 1, "two": 1}),
    Case("surprise-removal", vms=[f"kernel=upheaval.elf,name=alpha,mem=8M,{EDU},cmdline=dead=1"], exits={"alpha": 1},
         expect=[r"alpha\| the device is gone, its guest is not", r"pci: 00:02\.0 does not answer any more",
                 r"assign: 00:02\.0 is parked"]),
    Case("capability-loop", machine={"capability_loop": "1"}, vms=[f"kernel=edu-mmio.elf,name=alpha,mem=8M,{EDU}"],
         expect=[r"00:02\.0 capability list ignored: it has no proper end", r"vm=alpha pci=00:02\.0 refused: no-reset"]),
    Case("capability-loop-unsafe", machine={"capability_loop": "1"}, exits={"alpha": 1},
         vms=[f"kernel=edu-mmio.elf,name=alpha,mem=8M,{EDU},unsafe=no-reset"]),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_assign(boot, case):
    boot(case)


@pytest.mark.parametrize("options", ["", ",bar=lazy"])
def test_upheaval(boot, options):
    """The device is usable after all of it, and what it cost comes back."""
    got = boot(Case(f"upheaval{options}", append="console=com1", outputs=["trace"], exits={"alpha": 1},
                    vms=[f"kernel=upheaval.elf,name=alpha,mem=8M,{EDU}{options}"], expect=[r"alpha\| moved, sized, switched and reset"]))
    free = re.findall(r"vm: free-pages=(\d+)", got.text)
    assert len(free) == 2 and free[0] == free[1], free
    assert b" stale " not in got.files["trace"]
