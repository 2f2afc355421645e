# SPDX-License-Identifier: MIT
"""
Interrupts of a device for a vCPU that runs, that waits for its turn, that sleeps, and at random: posted by VT-d, posted
by software, injected. The guest counts: each interrupt once, and its own exits. The unit's trace says what was sent.

From: make test      To: guest/programs/posting.c, docs/posting.md
"""

import re

import pytest
from case import Case
from lab import trace as traces

PROMPT = r"\n\(hamlet\) $"

WAYS = {"hw": "posted", "sw": "software", "off": "injected"}
ALL = r"\| {0}: raised=(\d+) handled=\1 double=0$"


def posting(state, count, post="hw", on="lab", cpus=1, vcpus=1, words="", device="pci=1234:11e8", **more):
    vm = (f"kernel=posting.elf,name=alpha,mem=16M,vcpus={vcpus},{device},"
          f'cmdline="{state}={count} vcpus={vcpus} {words}"')
    more.setdefault("append", f"console=com1 post={post}")
    more.setdefault("expect", []).insert(0, rf"vm=alpha .* irq={WAYS[post]}\b")
    more["expect"].append(ALL.format(state))
    return Case(f"{state}-{post}", on=on, cpus=cpus, vms=[vm], exits={"alpha": 1}, **more)


# pin=1: the other CPU looks after the VMs and takes the remapped interrupts; this one is the vCPU's alone.
RUNNING = {"cpus": 2, "device": "pin=1,pci=1234:11e8"}
SHAPES = {"running": RUNNING, "ready": {"vcpus": 2}, "halted": {"cpus": 2, "vcpus": 2}, "mixed": {"cpus": 2, "vcpus": 4}}


def posts(trace):
    """(SN, ON, notified) before and with each post of the unit."""
    found = re.findall(rb"post sid=\S+ vector=\S+ pid=\S+ on=(\d) sn=(\d) urg=0 notify=(\d)", trace)
    return [(int(sn), int(on), int(notify)) for on, sn, notify in found]


def notifications(trace, vector):
    return len(re.findall(rb"notify vector=0x%02x " % vector, trace))


def test_running_takes_10000_without_an_exit(boot):
    got = boot(posting("running", 10000, outputs=["trace"], **RUNNING,
                       expect=[r"\| running: interrupts=10000 exits=0 slices=0$"]))
    assert posts(got.files["trace"]).count((0, 0, 1)) == 10000
    assert notifications(got.files["trace"], 0xf0) == 10000


def test_ready_is_sent_nothing(boot):
    got = boot(posting("ready", 10000, outputs=["trace"], vcpus=2))
    assert posts(got.files["trace"]) == [(1, 0, 0)] * 10000


def test_halted_is_woken_once_for_each(boot):
    got = boot(posting("halted", 10000, outputs=["trace"], cpus=2, vcpus=2))
    assert posts(got.files["trace"]) == [(0, 0, 1)] * 10000
    assert notifications(got.files["trace"], 0xf1) == 10000


def test_a_million_at_random(boot):
    boot(posting("mixed", 1000000, cpus=2, vcpus=4, timeout=240))


@pytest.mark.parametrize("state", SHAPES)
@pytest.mark.parametrize("post", ["sw", "off"])
def test_without_hardware_posting(boot, state, post):
    more = {"expect": [r"\| running: interrupts=1000 exits=0 slices=0$"]} if (state, post) == ("running", "sw") else {}
    count = {"running": 1000, "mixed": 100000}.get(state, 500)
    got = boot(posting(state, count, post, outputs=["trace"], **SHAPES[state], **more))
    assert not posts(got.files["trace"])
    assert len(re.findall(rb"interrupt remapped sid=00:02.0", got.files["trace"])) >= count


@pytest.mark.parametrize("state", SHAPES)
def test_without_apicv(boot, state):
    boot(posting(state, 50000 if state == "mixed" else 500, "off", **SHAPES[state], append="console=com1 apicv=off"))


def assert_nothing_sent_afterwards(trace):
    """Not one message after its entry was flushed for the last time."""
    sent, gone = rb"unit0 (post|interrupt remapped) sid=00:02\.0", rb"unit0 flush iec "
    last = max(match.start() for match in re.finditer(sent, trace))
    assert last < max(match.start() for match in re.finditer(gone, trace))
    assert b" stale " not in trace and b" fault " not in trace


@pytest.mark.parametrize("post, cpus", [("hw", 1), ("hw", 2), ("sw", 2), ("off", 1)])
def test_torn_down_in_a_storm(boot, post, cpus):
    """The VM ends while its device sends on; its neighbour on the same CPU is not disturbed. (Hamlet stops with a panic if
    a vCPU is left on a list or an entry leads to a descriptor that is gone.)"""
    case = posting("storm", 500, post, cpus=cpus, outputs=["trace"], forbid=["for which nobody waits", r"promise"])
    case.expect[-1] = r"\| storm: handled=\d+, and it goes on$"
    case.vms.append("kernel=apic.elf,name=beta,mem=16M")
    case.exits["beta"] = 1
    assert_nothing_sent_afterwards(boot(case).files["trace"])


def recorded(boot, post):
    """Every change of vCPU 0's descriptor, as (what, vector, control word): by Hamlet's recorder and by the unit's."""
    case = posting("halted", 30, post, cpus=3, vcpus=2, outputs=["trace"], append=f"console=com1 trace=on post={post}")
    case.vms.append("kernel=endless.bin,name=loop,mem=4M,pin=2")       # so that somebody is left to be asked
    case.answers = [(r"vm=alpha exit=", "\x01c"), (PROMPT, "trace dump\r"), (PROMPT, "\x01x")]
    got = boot(case)
    dump = traces.read(got.text)
    unit = re.findall(rb"^ *(\d+) unit0 post .* vector=0x(\w+) pid=0x(\w+) on=\d sn=\d urg=0 notify=(\d)", got.files["trace"], re.M)
    changes = [e for e in dump.events if e.type == "pid"]
    posted = [int(pid, 16) for _, _, pid, _ in unit] or [e.b for e in changes if e.info == 4 and e.a == 0x51]
    sequence = [(e.tsc, traces.PID_STATES[e.info], e.a, e.c) for e in changes if e.b == posted[0]]
    sequence += [(int(tsc), "posted", int(vector, 16), int(notify)) for tsc, vector, _, notify in unit]
    states, control = [], 0
    for tsc, what, vector, word in sorted(sequence):
        control = control | word if unit and what == "posted" else word        # the unit says whether it set ON
        states.append((what, vector, control))
    return states


def test_hardware_and_software_leave_the_same_states(boot):
    """Bit for bit, ON, SN, NV and NDST: what the unit did to the descriptor, and what its likeness in software did."""
    hardware, software = recorded(boot, "hw"), recorded(boot, "sw")
    steps = [what for what, _, _ in hardware]
    turn = ["halted", "posted", "ready", "running", "taken"]
    assert "".join(steps).count("".join(turn)) == 30, steps
    assert hardware == software
    at = steps.index("halted")
    cpu = hardware[at][2] >> 32 << 32
    assert [word for _, _, word in hardware[at:at + 5]] == [cpu | 0xF1 << 16, cpu | 0xF1 << 16 | 1, cpu | 0xF1 << 16 | 3,
                                                           cpu | 0xF0 << 16 | 1, cpu | 0xF0 << 16]


@pytest.mark.parametrize("post", ["hw", "sw"])
def test_moved_while_it_sends(boot, post):
    """The guest changes vector and vCPU of a message, unmasked, while the device sends it; the entry follows, whole."""
    trace = boot(posting("moved", 2000, post, cpus=2, vcpus=2, outputs=["trace"])).files["trace"]
    assert b" fault " not in trace
    if post == "hw":
        found = re.findall(rb"post sid=\S+ vector=0x(\w+) pid=0x(\w+)", trace)
        assert len(found) == 2000
        assert len({pid for _, pid in found}) == 2 and len(set(found)) == 4 and {v for v, _ in found} == {b"51", b"52"}


def test_three_on_one_cpu_come_equally_far(boot):
    case = Case("fair", vms=['kernel=smp.elf,name=alpha,mem=4M,vcpus=3,cmdline="cpus=3 fair=10000000"'], exits={"alpha": 1})
    turns = [int(n) for n in re.findall(r"\| fair: processor=\d turns=(\d+)", boot(case).text)]
    assert len(turns) == 3 and max(turns) - min(turns) < max(turns) / 50, turns


def test_an_idle_cpu_is_left_asleep(boot):
    """CPU 1 has nothing to run. It sleeps once, however long CPU 0 computes: no tick, no turn of a loop."""
    case = Case("idle", cpus=2, vms=["kernel=endless.bin,name=loop,mem=4M,pin=0"])
    case.answers = [(r"vm=loop kernel", "\x01c"), *[(PROMPT, "cpu\r")] * 3, (PROMPT, "\x01x")]
    assert re.findall(r"^cpu=1 apic-id=1 loaded=\S+ sleeps=(\d+)", boot(case).text, re.M) == ["1"] * 3


def test_several_cannot_be_posted_by_the_unit(boot):
    """An entry names one descriptor: a message for several, or for any of them, is remapped; Hamlet posts it, and says so."""
    case = posting("several", 50, cpus=2, vcpus=2, outputs=["trace"])
    case.expect[1:] = [r"vector=0x51: several vCPUs, cannot be posted by VT-d: remapped$",
                       r"\| both: raised=50 vcpu0=50 vcpu1=50$",
                       r"vector=0x51: lowest priority, cannot be posted by VT-d: remapped$",
                       r"\| any: raised=50 vcpu0=50 vcpu1=0$", r"\| one: raised=50 vcpu0=0 vcpu1=50$"]
    trace = boot(case).files["trace"]
    assert len(posts(trace)) == 50 and len(re.findall(rb"interrupt remapped sid=00:02\.0", trace)) == 100


# The monitor takes the device away while the vCPU is ... A second VM, which only computes, has CPU 0 besides.
DETACHED = {"running": (RUNNING, "busy=1"), "ready": ({}, "busy=1"), "halted": (RUNNING, "period=50000")}


@pytest.mark.parametrize("post", ["hw", "sw"])
@pytest.mark.parametrize("state", DETACHED)
def test_detached_in_a_storm(boot, state, post):
    """Nothing comes any more; the vCPU is on no list that it should not be on, and its timer still finds it."""
    shape, words = DETACHED[state]
    case = posting("detached", 1, post, words=words, outputs=["trace"], **shape,
                   forbid=["for which nobody waits", r"promise is broken"])
    case.vms.append("kernel=endless.bin,name=loop,mem=4M,pin=0")
    case.expect[1:] = [rf"^vcpu=alpha\.0 state={state} ", r"^00:02\.0 is taken back"]
    case.answers = [(r"it sends", "\x01c"), (PROMPT, "pid alpha.0\r"), (PROMPT, "unassign 00:02.0\rcheck\r"),
                    (r"vm=alpha exit=", "cpu\r"), (r"cpu=0 .*", "\x01x")]
    got = boot(case)
    assert re.search(r"^breaches=0", got.text, re.M)
    assert re.search(r"\| detached: handled=\d+, 0 of them later$", got.text, re.M)
    assert_nothing_sent_afterwards(got.files["trace"])


# Chosen for one device, whatever the others have.
@pytest.mark.parametrize("irq, way", [("remap", "software"), ("inject", "injected")])
def test_chosen_for_a_device(boot, irq, way):
    case = posting("running", 1000, **{**RUNNING, "device": f"pin=1,pci=1234:11e8,irq={irq}"})
    case.expect[0] = rf"vm=alpha .* irq={way} because: irq={irq}$"
    got = boot(case)
    exits = int(re.search(r"interrupts=1000 exits=(\d+)", got.text).group(1))
    assert exits == 0 if irq == "remap" else exits >= 1000


def edu(n):
    """One of QEMU's, behind a port of its own by which it can be reset."""
    return [f"pcie-root-port,id=rp{n},chassis={n + 1},addr={4 + n}", f"edu,bus=rp{n}"]


NESTED = {"running": 100, "ready": 8, "halted": 10, "mixed": 200}


@pytest.mark.nested
@pytest.mark.parametrize("apicv", ["on", "off"])
@pytest.mark.parametrize("state", SHAPES)
def test_nested(boot, state, apicv):
    shape = SHAPES[state]
    count = shape.get("vcpus", 1) if state == "mixed" else 1
    devices = [word for n in range(count) for word in edu(n)]
    pci = ",".join(f"pci=1234:11e8#{n}" for n in range(count))
    shape = {**shape, "device": ("pin=1," if state == "running" else "") + pci}
    case = posting(state, NESTED[state], "sw" if apicv == "on" else "off", "nested", words="delay=400000", **shape,
                   devices=devices, machine={"apicv": apicv} if apicv == "off" else {}, timeout=240,
                   append="console=com1 post=hw")
    if state == "running" and apicv == "on":
        case.expect.insert(1, r"\| running: interrupts=\d+ exits=0 ")
    boot(case)
