# SPDX-License-Identifier: MIT
"""
DMA of assigned devices, seen from guests: storms of faults, two VMs at the same address.

From: make test      To: guest/assign/faults.c, vtd/; guest/programs/storm.c, dma-pair.c (what runs)
"""

import re

import pytest
from case import ROOT, Case

PAIR = "kernel=dma-pair.elf,mem=16M,reveal=on,timeout=60"


def test_storm(boot):
    """100,000 DMAs into nothing: the device is parked and comes back by a reset; the other VM and
    the console go on."""
    got = boot(Case("storm", machine={"devices": "2"},
                    vms=["kernel=storm.elf,mem=16M,pci=00:02.0,timeout=60",
                         f"{PAIR},pci=00:03.0,cmdline=\"seed=2 rounds=2000\""],
                    expect=[r"faults: vm=storm 00:02.0 had 256 faults in \d+ us: parked",
                            r"^dma-pair\| round 1500",
                            r"storm\| attempts=100000 faults=256 parked=1",
                            r"faults: vm=storm 00:02.0 was reset: returned",
                            r"storm\| reset, and of use again",
                            r"vm=storm device=00:02.0 device-faults=256 storms=1 parked=0"],
                    exits={"storm": 1, "dma-pair": 1}))
    assert len(re.findall("blocked", got.text)) < 50, "the console belongs to the faults"
    assert re.search(r"vm=dma-pair exit=1 exits=\d+ faults=0", got.text)


def test_storm_without_bus_master(boot):
    """The device goes on after it was parked: one fault more, and then none is recorded."""
    boot(Case("storm-without-bus-master", machine={"ignores_master": "1"},
              vms=["kernel=storm.elf,mem=16M,pci=00:02.0,cmdline=count=20000"],
              expect=[r"had 256 faults in \d+ us: parked", r"attempts=20000 faults=257 parked=1",
                      r"00:02.0 was reset: returned", r"reset, and of use again"],
              exits={"storm": 1}))


def test_restless(boot):
    """Neither bus master nor a reset stops the device when its VM has ended: it reaches nothing
    from then on, and its faults do not fill the records."""
    got = boot(Case("restless", machine={"ignores_master": "1", "capability_loop": "1"},
                    outputs=["trace"],
                    vms=["kernel=restless.elf,name=alpha,mem=8M,pci=1234:11e8,unsafe=no-reset",
                         "kernel=restless.elf,name=beta,mem=16M,cmdline=watch=500"],
                    expect=[r"00:02\.0 is parked: bus master off, attached to no VM",
                            r"beta\| 500 ms later all is in its place"],
                    exits={"alpha": 1, "beta": 1}))
    trace = got.files["trace"].decode()
    pieces = re.findall(r"device 00:02\.0 dma write .* (ok|refused)$", trace, re.M)
    detached = pieces.index("refused")
    assert detached > 0 and "ok" not in pieces[detached:]
    recorded, _, silent = trace.partition("unit0 blocked sid=00:02.0")
    assert "unit0 fault sid=00:02.0" in recorded and "unit0 fault" not in silent
    assert silent.count("not reported") > 100


def pair(on, **more):
    return Case("dma-pair", on=on, expect=[r"hamlet: end vms=2 failed=0"],
                exits={"one": 1, "two": 1}, **more)


def check_pair(text):
    """One guest-physical address, two places in memory; and the VMs took turns."""
    places = re.findall(r"^(?:one|two)\| gpa=0x600000 is hpa=0x(\w+)", text, re.M)
    assert len(places) == 2 and places[0] != places[1]
    order = "".join(re.findall(r"^(o|t)(?:ne|wo)\| round", text, re.M))
    assert "oto" in order or "tot" in order, f"one after the other: {order}"


def test_pair_lab(boot):
    got = boot(pair("lab", machine={"devices": "2"}, outputs=["trace"],
                    vms=[f"{PAIR},name=one,pci=00:02.0,cmdline=seed=1",
                         f"{PAIR},name=two,pci=00:03.0,cmdline=seed=2"]))
    check_pair(got.text)
    assert " stale " not in got.files["trace"].decode()


@pytest.mark.nested
def test_pair_nested(boot):
    """The same with QEMU's unit and devices; each behind a root port, as devices of one group have
    one owner."""
    edu = "edu,dma_mask=0xffffffffffffffff,bus=port{0}"
    port = "pcie-root-port,id=port{0},chassis={0},slot={0}"
    got = boot(pair("nested",
                    devices=[port.format(1), edu.format(1), port.format(2), edu.format(2)],
                    vms=[f"{PAIR},name=one,pci=1234:11e8#0,cmdline=\"seed=1 rounds=20\"",
                         f"{PAIR},name=two,pci=1234:11e8#1,cmdline=\"seed=2 rounds=20\""]))
    check_pair(got.text)


RACES = [
    # machine, its options, devices: pieces that come slowly; writes that stay in the root complex
    ("lab", {"devices": "4", "dma_split": "64", "dma_delay": "400"}, 0),
    ("lab", {"devices": "4", "dma_split": "64", "dma_delay": "400", "hold": "3000"}, 0),
    ("lab",
     {"devices": "4", "dma_split": "64", "dma_delay": "400", "hold": "3000", "slow": "2000",
      "queue": "0"}, 0),
    ("tcg", {}, 8),
    pytest.param("nested", {}, 4, marks=pytest.mark.nested),
]


@pytest.mark.parametrize("on,machine,devices", RACES)
def test_no_write_after_unmap(boot, on, machine, devices):
    """10,000 times a page is unmapped under DMA; see tests/kernel/vtd_race.c."""
    got = boot(Case(f"race-{'-'.join(machine)}", on=on, machine=machine,
                    kernel=ROOT / "build/hamlet-test.elf",
                    devices=["edu,dma_mask=0xffffffffffffffff"] * devices,
                    append="console=com1 ktest=vtd_no_write_after_unmap",
                    expect=[r"ktest: rounds=10000 ", r"ktest: PASS vtd_no_write_after_unmap"]))
    # The round must have had something to lose. An edu of QEMU's takes 100 ms, so few rounds meet
    # one; in lab every round does.
    assert int(re.search(r"with-arrivals=(\d+)", got.text).group(1)) > (0 if devices else 9000)


MODES = "kernel=dma-modes.elf,mem=24M,timeout=60,pci=00:02.0"


def test_pv(boot):
    """dma=pv: host addresses by hypercall, pins counted, said to be unsafe, and no trace of it at
    the end."""
    got = boot(Case("dma-pv", vms=[f"{MODES},dma=pv,cmdline=mode=1"], outputs=["trace"],
                    expect=[r"vm=dma-modes 00:02.0 UNSAFE dma=pv: ",
                            r"dma=pv: gpa=0x1200000 is hpa=0x(?!1200000)", r"pins are counted",
                            r"bench dma_pv_transfer=\d+", r"vm=dma-modes dma=pv pinned=0"],
                    exits={"dma-modes": 1}))
    free = re.findall(r"vm: free-pages=(\d+)", got.text)
    assert len(free) == 2 and free[0] == free[1], free
    host = re.search(r"gpa=0x1200000 is hpa=0x(\w+)", got.text).group(1)
    assert re.search(rf"dma read sid=00:02.0 did=\d+ iova=0x{host} hpa=0x{host} ",
                     got.files["trace"].decode())


def test_vtd_mode(boot):
    """The same program with translation: nothing to ask for, the device uses what the
    guest sees."""
    got = boot(Case("dma-vtd", vms=[f"{MODES},dma=vtd,cmdline=mode=0"], outputs=["trace"],
                    forbid=["UNSAFE"],
                    expect=[r"dma=vtd: gpa=0x1200000", r"bench dma_vtd_transfer=\d+"],
                    exits={"dma-modes": 1}))
    assert re.search(r"dma read sid=00:02.0 did=\d+ iova=0x1200000 hpa=0x(?!1200000)",
                     got.files["trace"].decode())


def test_no_pass_through(boot):
    """A unit that must translate everything: the VM is refused, with a line that says why."""
    boot(Case("dma-no-pt", vms=[f"{MODES},dma=pv,cmdline=mode=1"], machine={"pass_through": "0"},
              expect=[r"vtd: unit 0 has no pass-through",
                      r'vm=dma-modes exit=refused why="unit 0 has no pass-through']))


def test_own_bar(boot):
    """A device reads its own BAR by DMA: the VM's domain has its devices' BARs, at the addresses
    that the guest sees."""
    boot(Case("dma-own-bar", vms=["kernel=edu-dma.elf,mem=8M,pci=00:02.0,cmdline=bar=1"],
              expect=[r"edu-dma\| dma from its own BAR at gpa=0xd0000000: 0x10000ed"],
              exits={"edu-dma": 1}))


def test_identity(boot):
    """dma=identity: one VM has its RAM where it sees it, if Hamlet kept the memory; a second one
    is refused."""
    got = boot(Case(
        "dma-identity", append="console=com1 identity=64M", outputs=["trace"],
        machine={"devices": "2"},
        vms=[f"{MODES},dma=identity,cmdline=mode=2",
             "kernel=dma-modes.elf,name=second,mem=24M,pci=00:03.0,dma=identity,cmdline=mode=2"],
        expect=[r"vm=dma-modes gpa=hpa from 0x1000000 to 0x1800000",
                r"vm=dma-modes 00:02.0 UNSAFE dma=identity: ",
                r"vm=second dma=identity: another VM has it",
                r'vm=second exit=refused why="vm=second dma=identity: another VM has it',
                r"dma=identity: gpa=0x1200000 is hpa=0x1200000, the pattern came back"],
        exits={"dma-modes": 1}))
    free = re.findall(r"vm: free-pages=(\d+)", got.text)
    assert len(free) == 2 and free[0] == free[1], free
    assert re.search(r"dma read sid=00:02.0 did=\d+ iova=0x1200000 hpa=0x1200000 ",
                     got.files["trace"].decode())


def test_identity_beside_a_translated_device(boot):
    """One VM with a device of each kind: the second stage of the translated one has the VM's RAM
    where the EPT has it, its low 16 MiB among it (the promises are checked before the VM runs)."""
    got = boot(Case(
        "dma-identity-vtd", append="console=com1 identity=64M", machine={"devices": "2"},
        vms=["kernel=dma-modes.elf,mem=24M,pci=00:02.0,dma=vtd,pci=00:03.0,dma=identity,"
             "cmdline=mode=0"],
        expect=[r"vm=dma-modes gpa=hpa from 0x1000000 to 0x1800000",
                r"vm=dma-modes 00:03.0 UNSAFE dma=identity: ", r"dma=vtd: gpa=0x1200000"],
        exits={"dma-modes": 1}))
    free = re.findall(r"vm: free-pages=(\d+)", got.text)
    assert len(free) == 2 and free[0] == free[1], free


def test_identity_not_kept(boot):
    boot(Case("dma-identity-none", vms=[f"{MODES},dma=identity,cmdline=mode=2"],
              expect=[r"vm=dma-modes dma=identity mem=24M: not above 16M and within identity=0M",
                      r'vm=dma-modes exit=refused why=".*: not above 16M and within identity=0M"']))
