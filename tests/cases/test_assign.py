# SPDX-License-Identifier: MIT
"""
Giving functions away and taking them back, in the lab: who may be given, what a guest may do to the
header, INTx, two VMs at once, and devices that are no friends.

From: make test      To: guest/assign/audit.c, guest/assign/assign.c,
guest/assign/vbar.c, guest/assign/intx.c
"""

import re

import pytest
from case import PROMPT, Case

EDU = "pci=1234:11e8"
MONITOR, OFF = "\x01c", "\x01x"


def typed(*turns):
    """At each regex of a guest's line, commands for the monitor; then back to the guests."""
    return [answer for seen, *commands in turns
            for answer in ((seen, MONITOR), *((PROMPT, command + "\r") for command in commands),
                           (PROMPT, MONITOR))]


CASES = [
    Case("audit", expect=[
        r"assign: 00:00\.0 8086:1237 not assignable: bridge \(it is the host bridge\)",
        r"assign: 00:01\.1 8086:7010 not assignable: group",
        r"assign: 00:02\.0 1234:11e8 assignable reset=flr",
        r"assign: 00:02\.1 1234:11e9 assignable reset=af-flr trapped-bar=yes"]),
    Case("hidden", append="console=com1 hide=00:02.0",
         vms=[f"kernel=edu-mmio.elf,name=alpha,mem=8M,{EDU}"],
         expect=[r"00:02\.0 1234:11e8 not assignable: hidden",
                 r"vm=alpha pci=00:02\.0 refused: hidden", r"hamlet: end vms=0 failed=1"]),
    Case("hidden-but-unsafe", append="console=com1 hide=00:02.0",
         vms=[f"kernel=edu-mmio.elf,name=alpha,mem=8M,{EDU},unsafe=hidden"],
         expect=[r"vm=alpha pci=00:02\.0 unsafe=hidden: given although the command line hides it"],
         exits={"alpha": 1}),
    Case("rmrr", machine={"rmrr": "00:02.0@0x7000000-0x7000fff"},
         vms=[f"kernel=edu-mmio.elf,name=alpha,mem=8M,{EDU}"],
         expect=[r"vm=alpha pci=00:02\.0 refused: rmrr"]),
    # A region in a hole of the machine's memory map. The VM's memory map has it, and the promises
    # hold: what a device reaches, the CPU reaches.
    Case("rmrr-mapped", machine={"rmrr": "00:02.0@0xfff0000-0xfff0fff"},
         append="console=com1 rmrr=map",
         vms=[f"kernel=edu-dma.elf,name=alpha,mem=8M,{EDU}"],
         expect=[r"vm=alpha RMRR at 0xfff0000 size=0x1000 is mapped", r"the pattern came back"],
         forbid=[r"breach"], exits={"alpha": 1}),
    Case("rmrr-in-memory", machine={"rmrr": "00:02.0@0x7000000-0x7000fff"},
         append="console=com1 rmrr=map",
         vms=[f"kernel=edu-dma.elf,name=alpha,mem=8M,{EDU}", "kernel=hello.elf,name=beta,mem=8M"],
         expect=[r"vm=alpha: RMRR at 0x7000000 size=0x1000 lies in RAM that is not reserved",
                 r'vm=alpha exit=refused why="vm=alpha: RMRR at 0x7000000 '], exits={"beta": 1}),
    Case("group", vms=["kernel=hello.elf,name=alpha,mem=8M,pci=00:01.1,unsafe=no-reset"],
         expect=[
             r"vm=alpha pci=00:01\.1 refused: group \(its group holds a part of the chipset\)"]),
    Case("lab-intx", vms=["kernel=lab-intx.elf,name=alpha,mem=8M,pci=00:02.1"],
         expect=[r"alpha\| intx=1000", r"exits\.virtualized-eoi=1000\b"], exits={"alpha": 1}),
    # The line ends at pin 18, while the Interrupt Line register names another.
    Case("intx-of-a-pch", machine={"pch_intx": "1"}, exits={"alpha": 1},
         vms=["kernel=lab-intx.elf,name=alpha,mem=8M,pci=00:02.1,intx=18,cmdline=count=100"],
         expect=[r"alpha\| intx=100 spurious=0"]),
    # 00:02.2 and 00:03.1 share a line. One of them has a guest that never lowers it; the other gets
    # its interrupts all the same.
    Case("a-storm-on-a-shared-line", machine={"devices": "2"}, cpus=2,
         vms=['kernel=lab-intx.elf,name=one,mem=8M,pci=00:02.2,pin=1,cmdline="count=5000 '
              'stubborn=1"',
              "kernel=lab-intx.elf,name=two,mem=8M,pci=00:03.1,cmdline=count=1000"],
         expect=[r"(?s)(?=.*one\| intx=5000 spurious=0)(?=.*two\| intx=1000 spurious=0)"],
         exits={"one": 1, "two": 1}),
    *(Case(f"trapped-{bar}", forbid=["FAIL"],
           expect=[r"alpha\| strings exits=", r"alpha\| an operand over the border",
                   r"alpha\| vectors, locked operations, comparisons and PUSH",
                   r'why="device memory at 0x\w+ touched by an instruction that is not emulated '
                   r'\(x87\): dd 1\w '],
           vms=[f"kernel=trapped.elf,name=alpha,mem=8M,{EDU},bar={bar},pci=00:02.1,pci=00:02.2"])
      for bar in ("eager", "lazy")),
    Case("msix-plan-a",
         vms=[f"kernel=posting.elf,name=alpha,mem=8M,{EDU},plan=A,cmdline=running=100"],
         exits={"alpha": 1}, expect=[r"running: raised=100 handled=100 double=0"]),
    # Ten resets of 100 ms on the one CPU. The neighbour there hardly waits for its time slice.
    Case("resets-beside-a-neighbour", machine={"devices": "2"},
         vms=[f"kernel=upheaval.elf,name=alpha,mem=8M,{EDU}#0,cmdline=resets=10",
              f'kernel=victim.elf,mem=16M,{EDU}#1,cmdline="seconds=2 late=20000"'],
         expect=[r"(?s)(?=.*alpha\| moved, sized, switched and reset)(?=.*victim\| rounds=)"],
         exits={"alpha": 1, "victim": 1}),
    # What a reset from inside leaves of INTx.
    Case("intx-after-a-reset",
         vms=["kernel=lab-intx.elf,name=alpha,mem=8M,pci=00:02.1,cmdline=resets=1"],
         expect=[r"alpha\| intx=1000 spurious=0"] * 2, exits={"alpha": 1}),
    Case("two-vms-at-once", machine={"devices": "2"},
         vms=[f'kernel=edu-msi.elf,name=one,mem=8M,{EDU},cmdline="count=10000 mark=1"',
              f'kernel=edu-msi.elf,name=two,mem=8M,{EDU}#1,cmdline="count=10000 mark=2"'],
         expect=[r"(?s)(?=.*one\| msi=10000 \S+ arrived=10000 )(?=.*two\| msi=10000 \S+ "
                 r"arrived=10000 )"], exits={"one": 1, "two": 1}),
    # No vCPU reaches a BAR where it is no more: neither the one that moved it nor another.
    Case("moved-bar", vms=[f"kernel=moved.elf,mem=8M,{EDU}"], exits={"moved": 1}, forbid=["FAIL"]),
    Case("moved-bar-under-another-vcpu", cpus=2, forbid=["FAIL"], exits={"moved": 1},
         vms=[f"kernel=moved.elf,mem=8M,vcpus=2,{EDU},cmdline=cpus=2"]),
    Case("surprise-removal", vms=[f"kernel=upheaval.elf,name=alpha,mem=8M,{EDU},cmdline=dead=1"],
         exits={"alpha": 1},
         expect=[r"alpha\| the device is gone, its guest is not",
                 r"pci: 00:02\.0 does not answer any more", r"assign: 00:02\.0 is parked"]),
    Case("reset-inside", vms=[f"kernel=reset-inside.elf,name=alpha,mem=8M,{EDU}"],
         exits={"alpha": 1},
         expect=[r"boot: us=\d+ own=\d+ serial=\d+ memory=\d+ devices=11\d{4}$",  # FLR, TSC
                 r"alpha\| reset from inside: messages=20"]),
    *(Case(f"messages-{post}", machine={"messages": "32"}, append=f"console=com1 post={post}",
           exits={"alpha": 1}, vms=[f"kernel=messages.elf,name=alpha,mem=8M,{EDU}"],
           expect=[r"alpha\| messages=32: each"]) for post in ("hw", "sw")),
    # What a header claims: each a line, and either no device or a device without that.
    *(Case(f"claims-{n}", machine={"claims": str(n)},
           vms=[f"kernel=edu-mmio.elf,name=alpha,mem=8M,{EDU}"], expect=[line], **more)
      for n, line, more in (
          (1, r"vm=alpha pci=00:02\.0 refused: bar \(two of its BARs overlap\)", {}),
          (2, r"vm=alpha pci=00:02\.0 refused: bar \(a BAR lies over RAM\)", {}),
          (3, r"vm=alpha pci=00:02\.0 refused: (unplaced|out-of-reach) \(", {}),
          (4, r"pci: 00:02\.0 msix refused: table=bar2\+0x4000 .* beyond the BAR",
           {"exits": {"alpha": 1}}))),
    Case("capability-loop", machine={"capability_loop": "1"},
         vms=[f"kernel=edu-mmio.elf,name=alpha,mem=8M,{EDU}"],
         expect=[r"00:02\.0 capability list ignored: it has no proper end",
                 r"vm=alpha pci=00:02\.0 refused: no-reset"]),
    Case("capability-loop-unsafe", machine={"capability_loop": "1"}, exits={"alpha": 1},
         vms=[f"kernel=edu-mmio.elf,name=alpha,mem=8M,{EDU},unsafe=no-reset"]),
]


# Taken from one running VM and given to another, and back, in the middle of its DMA and of a storm
# of its interrupts; a VM that is reset, or killed and made again, finds its device as after
# power-on, where it was at first.
HOT = [
    Case("hot", outputs=["trace"], exits={"one": 1, "two": 1}, forbid=["FAIL"],
         vms=[f"kernel=hotplug.elf,name=one,mem=8M,{EDU},cmdline=turns=2",
              "kernel=hotplug.elf,name=two,mem=8M,cmdline=turns=2"],
         answers=typed((r"one\| turn 1: at work", "unassign 00:02.0"),
                       (r"one\| turn 1: gone", "assign 00:02.0 two"),
                       (r"two\| turn 1: at work", "unassign 00:02.0"),
                       (r"two\| turn 1: gone", "assign 00:02.0 one"),
                       (r"hamlet: vm=one exit=1", "check", "assign 00:02.0 two")),
         expect=[r"breaches=0", r"00:02\.0 is given to vm=two"]),
    Case("reset", outputs=["trace"],
         vms=[f"kernel=hotplug.elf,name=one,mem=8M,{EDU},cmdline=turns=2"], forbid=["FAIL"],
         answers=[*typed((r"one\| turn 1: at work", "vm reset"),
                         (r"one\| turn 1: at work", "vm reset")),
                  (r"one\| turn 1: at work", MONITOR), (PROMPT, OFF)],
         expect=[r"one\| turn 1: at work, bar0=0xd0000000"] * 3),
    Case("killed", outputs=["trace"], vms=[f"kernel=hotplug.elf,name=one,mem=8M,kills=8,{EDU}"],
         forbid=["FAIL"], exits={"one": 1}, expect=[r"hamlet: vm=one kills=8 lost=0"]),
]


@pytest.mark.parametrize("case", HOT, ids=lambda case: case.name)
def test_hot(boot, case):
    got = boot(case)
    free = re.findall(r"vm: free-pages=(\d+)", got.text)
    assert len(free) == 2 and free[0] == free[1], free
    assert b" stale " not in got.files["trace"]
    assert not re.search(rb"fault sid=00:02\.0", got.files["trace"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_assign(boot, case):
    boot(case)


def test_neighbour(boot):
    """One VM crashes, one is paused, goes on, is reset, loses its device and is stopped, in the
    middle of its DMA and its interrupts: the one beside them has its memory, its device, and no
    interrupt too many."""
    at_work = r"one\| turn 1: at work"
    got = boot(Case("neighbour", cpus=2, machine={"devices": "2"}, outputs=["trace"],
                    vms=['kernel=victim.elf,mem=16M,pin=1,pci=00:03.0,'
                         'cmdline="seconds=1000000 msi=1"',
                         "kernel=hotplug.elf,name=one,mem=8M,pin=0,pci=00:02.0,cmdline=turns=2",
                         "kernel=triple-fault.bin,mem=4M,pin=0"],
                    answers=[*typed((at_work, "vm pause one", "vm", "check", "vm resume one",
                                     "vm reset one"), (at_work, "unassign 00:02.0"),
                                    (r"one\| turn 1: gone", "check", "vm stop one")),
                             (r"vm=one exit=", "q")],     # which ends the victim
                    expect=[r"vm=one state=paus", r"breaches=0", r"vm=one reset", r"breaches=0",
                            r"vm=one exit=254", r"victim\| rounds=", r"hamlet: end vms=3 failed=2"],
                    exits={"victim": 1, "triple-fault": 254}))
    assert re.search(r"victim\| rounds=(\d+) latest-tick=\d+ us messages=\1 unexpected=0 faults=0",
                     got.text)
    free = re.findall(r"vm: free-pages=(\d+)", got.text)
    assert len(free) == 2 and free[0] == free[1], free
    assert not re.search(rb" stale |fault sid=", got.files["trace"])


@pytest.mark.parametrize("options", ["", ",bar=lazy"])
def test_upheaval(boot, options):
    """The device is usable after all of it, and what it cost comes back."""
    got = boot(Case(f"upheaval{options}", append="console=com1", outputs=["trace"],
                    exits={"alpha": 1},
                    vms=[f"kernel=upheaval.elf,name=alpha,mem=8M,{EDU}{options}"],
                    expect=[r"alpha\| moved, sized, switched and reset"]))
    free = re.findall(r"vm: free-pages=(\d+)", got.text)
    assert len(free) == 2 and free[0] == free[1], free
    assert b" stale " not in got.files["trace"]
