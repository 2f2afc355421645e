# SPDX-License-Identifier: MIT
"""
What has to be seen for each lab: a function of its number, which returns lines about what it saw,
or raises NotYet with lines about what is missing. Programs of this host are asked first: they
answer in a second or two, and a boot of what they refuse may hang.

From: labs/labs.py      To: labs/workbench.py, tests/unit/, tests/explore/, guest/programs/
"""

import re

from workbench import NotYet

DEVICE = "pci=00:02.0"
SEARCHES = 5        # those that take a second together
JUDGES = {}


def lab(number):
    def known(judge):
        JUDGES[number] = judge
        return judge
    return known


def seen(text, pattern, missing):
    """What a pattern finds in a console or a trace; NotYet(missing) if it is not there."""
    match = re.search(pattern, text, re.M)
    if not match:
        raise NotYet(missing)
    return match


def trace_of(got):
    return got.files["trace"].decode(errors="replace")


def refuse(trace, pattern, why):
    """A line that must not be in the unit's trace."""
    lines = re.findall(rf"^.*{pattern}.*$", trace, re.M)
    if lines:
        raise NotYet(f"{why}; the unit's trace, {len(lines)} such lines:\n| " +
                     "\n| ".join(line.strip() for line in lines[:3]))


@lab(1)
def one_bit(bench):
    said = bench.unit("test_bitmaps")
    got = bench.boot("one-bit", vms=[f"kernel=bench.elf,mem=4M,{DEVICE}"])
    passed, trapped = (int(seen(got.text, rf"bench {name}=(\d+)", f"no line of {name}")[1])
                       for name in ("passed_in", "trapped_in"))
    if passed > 20:
        raise NotYet(f"an IN of the device's own port costs {passed} instructions: it exits")
    return [*said, f"an IN of the device's port costs {passed} instructions, of another port "
            f"{trapped}: that one exits"]


@lab(2)
def first_entry(bench):
    got = bench.boot("first-entry", vms=["kernel=one-instruction.bin,mem=4M,run=3"],
                     expect=[r"run=3 rax=0x7"])
    return [seen(got.text, r"hamlet: vm=one-instruction run=3 .*", "")[0]]


@lab(3)
def two_walks(bench):
    return bench.unit("test_radix", "test_ept")


@lab(4)
def a_bar(bench):
    said = bench.unit("test_vpci", "test_vpci_msi")
    got = bench.boot("a-bar", vms=[f"kernel=edu-mmio.elf,mem=4M,{DEVICE}"])
    match = seen(got.text, r"reads=(\d+) exits=(\d+)", "the guest did not reach its device")
    if int(match[2]):
        raise NotYet(f"{match[1]} reads of a register took {match[2]} exits")
    return [*said, f"{match[1]} reads of a register, and no exit"]


@lab(5)
def a_header(bench):
    return bench.unit("test_vpci", "test_vpci_edges")


@lab(6)
def whose_request(bench):
    said = bench.unit("test_vtd_dma")
    got = bench.boot("whose-request", machine={"devices": "2"},
                     vms=[f"kernel=edu-dma.elf,name=one,mem=4M,{DEVICE}",
                          "kernel=edu-dma.elf,name=two,mem=4M,pci=00:03.0"])
    used = re.findall(r"dma read sid=(\S+) did=(\d+) iova=(\S+) hpa=(\S+)", trace_of(got))
    firsts = {sid: f"source-id {sid} reads in domain {did}: {iova} is {hpa}"
              for sid, did, iova, hpa in reversed(used)}
    if len(firsts) != 2 or not re.search(r"vms=2 failed=0", got.text):
        raise NotYet("one of the two devices moved nothing: " + "; ".join(firsts.values()))
    return [*said, *sorted(firsts.values())]


@lab(7)
def the_same_address(bench):
    got = bench.boot("the-same-address", vms=[f"kernel=edu-dma.elf,mem=4M,{DEVICE}"])
    faults = re.findall(r"^.*vtd: fault .*$", got.text, re.M)
    if faults or "the pattern came back" not in got.text:
        raise NotYet("the CPU writes where the device does not read:\n| " + "\n| ".join(faults[:3]))
    own = bench.boot("its-own-bar", vms=[f"kernel=edu-dma.elf,mem=4M,{DEVICE},cmdline=bar=1"])
    return ["the pattern came back, and no request faulted",
            seen(own.text, r"dma from its own BAR.*", "the device does not reach its own BAR")[0]]


@lab(8)
def stale(bench):
    got = bench.boot("stale", image="hamlet-test",
                     append="console=com1 ktest=vtd_no_write_after_unmap",
                     machine={"devices": "2", "dma_split": "8", "dma_delay": "20",
                              "trace_dma": "0"})
    if "ktest: PASS vtd_no_write_after_unmap" not in got.text:
        refuse(trace_of(got), " stale ", "a byte arrived after vtd_unmap() had returned")
        raise NotYet("the test of the driver does not pass")
    return [seen(got.text, r"rounds=\d+ .*", "the test did not end")[0],
            "no byte arrived after vtd_unmap() had returned", *bench.unit("test_vtd_dma")]


@lab(9)
def nothing_is_cached_too(bench):
    said = bench.unit("test_vtd_dma")
    got = bench.boot("nothing-is-cached-too", image="hamlet-test", append="console=com1 ktest=vtd",
                     machine={"devices": "2", "caching_mode": "1"})
    refuse(trace_of(got), " (stale|advice) ", "the unit went by what was absent before")
    seen(got.text, r" 0 failed", "a test of the driver fails")
    return [*said, "in caching mode no device met an entry that was absent before"]


@lab(10)
def the_message(bench):
    said = bench.unit("test_vtd_intremap")
    got = bench.boot("the-message", vms=[f"kernel=edu-msi.elf,mem=16M,{DEVICE}"],
                     expect=[r"msi=1000 "])
    return [*said, seen(got.text, r"msi=1000 .*", "")[0]]


@lab(11)
def the_descriptor(bench):
    return [*bench.unit("test_posted"), *bench.explorer("posting", SEARCHES)]


@lab(12)
def ready(bench):
    return [*bench.explorer("posting", SEARCHES), *bench.unit("test_posted")]


@lab(13)
def halted(bench):
    return bench.explorer("posting", SEARCHES)


@lab(14)
def a_line(bench):
    said = bench.unit("test_intx", "test_assign")
    got = bench.boot("a-line", vms=["kernel=lab-intx.elf,mem=8M,pci=00:02.1"],
                     expect=[r"intx=1000 spurious=0"])
    return [*said, seen(got.text, r"intx=1000 spurious=0", "")[0]]


@lab(15)
def take_it_back(bench):
    return bench.unit("test_assign_order", "test_assign")


# Besides a victim that does not end well: what Hamlet says of interrupts that none of it has sent.
STRAY = re.compile(r"an INIT that Hamlet has not sent|at vector \S+ has no handler|\bNMI\b.*")
VICTIM = ('kernel=victim.elf,mem=16M,pci=00:03.0,timeout=4,cmdline="seconds=1 msi=1 '
          'late=20000"')


def disturbed(bench, attack, kernel=None):
    """What the victim or Hamlet noticed of the attack; None: nothing."""
    try:
        got = bench.boot("get-out", kernel=kernel, cpus=2, machine={"devices": "2"},
                         vms=[f"kernel={attack},name=attack,mem=2M,timeout=4,{DEVICE}", VICTIM])
    except NotYet as broken:
        return str(broken).splitlines()[0]
    stray = STRAY.search(got.text)
    if stray:
        return f"Hamlet: {stray[0]}"
    victim = got.report.vms.get("victim")
    if victim and victim.exit == "1" and re.search(r"victim\| rounds=.* unexpected=0", got.text):
        return None
    said = re.findall(r"^victim\| .*|hamlet: vm=victim exit=.*", got.text, re.M)
    return "the victim: " + (said[-1] if said else "it says nothing")


@lab(16)
def get_out(bench):
    hamlet, attack = bench.built("hamlet.elf", "attack.elf")
    noticed = disturbed(bench, attack, hamlet)
    if not noticed:
        raise NotYet("the victim lives on and noticed nothing, and Hamlet got no stray interrupt")
    whole = disturbed(bench, attack, bench.whole())
    if whole:
        raise NotYet(f"but so it is without the hole, which is worse: please report it: {whole}")
    return [noticed, "without the hole the victim notices nothing"]
