# SPDX-License-Identifier: MIT
"""
Interrupts of a device for a vCPU that runs, that waits for its turn, that sleeps, and at random:
posted by VT-d, posted by software, injected. The guest counts: each interrupt once, and its own
exits. The unit's trace shows what was sent.

From: make test      To: guest/programs/posting.c, docs/posting.md
"""

import re

import documents
import pytest
from case import PROMPT, Case
from lab import trace as traces


WAYS = {"hw": "posted", "sw": "software", "off": "injected"}
GOES_ON = r"\| storm: handled=\d+, and it goes on$"
LOOP = "kernel=endless.bin,name=loop,mem=4M,pin=0"


def way(post):
    """Hamlet's line on how the interrupts of alpha's device are delivered."""
    return rf"vm=alpha .* irq={WAYS[post]}\b"


def said(why):
    """The line of check=on on whether interrupts are posted."""
    return rf"^translation=on interrupt-remapping=on posting={why}$"


def each_once(state):
    """The guest's line: as many handled as raised."""
    return rf"\| {state}: raised=(\d+) handled=\1 double=0$"


def without_exits(count):
    return rf"\| running: interrupts={count} exits=0 slices=0$"


def posting(state, count, expect, post="hw", *, vcpus=1, words="", device="pci=1234:11e8",
            beside=(), exits=(("alpha", 1),), append="", **more):
    """guest/programs/posting.c does `state` that many times; `expect` is all that is to be shown.
    `beside`: other VMs."""
    vm = (f"kernel=posting.elf,name=alpha,mem=16M,vcpus={vcpus},{device},"
          f'cmdline="{state}={count} vcpus={vcpus} {words}"')
    return Case(**{"name": f"{state}-{post}", **more}, vms=[vm, *beside], expect=expect,
                exits=dict(exits), append=append or f"console=com1 post={post}")


# pin=1: the other CPU looks after the VMs; this one is the vCPU's alone.
RUNNING = {"cpus": 2, "device": "pin=1,pci=1234:11e8"}
SHAPES = {"running": RUNNING, "ready": {"vcpus": 2}, "halted": {"cpus": 2, "vcpus": 2},
          "mixed": {"cpus": 2, "vcpus": 4}}


def posts(trace):
    """(SN, ON, notified) before and with each post of the unit."""
    found = re.findall(rb"post sid=\S+ vector=\S+ pid=\S+ on=(\d) sn=(\d) urg=0 notify=(\d)", trace)
    return [(int(sn), int(on), int(notify)) for on, sn, notify in found]


def notifications(trace, vector):
    return len(re.findall(rb"notify vector=0x%02x " % vector, trace))


def destinations(trace):
    """The CPU of each remapped interrupt of the device."""
    return re.findall(rb"interrupt remapped sid=00:02\.0 vector=\S+ dest=(\S+)", trace)


def test_running_takes_10000_without_an_exit(boot):
    got = boot(posting("running", 10000, [way("hw"), without_exits(10000), each_once("running")],
                       outputs=["trace"], **RUNNING))
    assert posts(got.files["trace"]).count((0, 0, 1)) == 10000
    assert notifications(got.files["trace"], 0xf0) == 10000


def test_ready_is_sent_nothing(boot):
    got = boot(posting("ready", 10000, [way("hw"), each_once("ready")],
                       outputs=["trace"], vcpus=2))
    assert posts(got.files["trace"]) == [(1, 0, 0)] * 10000


def test_halted_is_woken_once_for_each(boot):
    got = boot(posting("halted", 10000, [way("hw"), each_once("halted")],
                       outputs=["trace"], cpus=2, vcpus=2))
    assert posts(got.files["trace"]) == [(0, 0, 1)] * 10000
    assert notifications(got.files["trace"], 0xf1) == 10000


def test_a_million_at_random(boot):
    boot(posting("mixed", 1000000, [way("hw"), each_once("mixed")], cpus=2, vcpus=4))


@pytest.mark.parametrize("machine, append", [({"flags": "3"}, ""), ({}, "x2apic=off")],
                         ids=["firmware", "option"])
def test_in_xapic_mode(boot, machine, append):
    """The firmware asks for 8-bit APIC ids (X2APIC_OPT_OUT), or the user does: descriptors and
    entries have them in their places, or the unit would block them."""
    got = boot(posting("mixed", 20000, [r"apic: mode=xapic", way("hw"), each_once("mixed")],
                       name=f"xapic-{append}", outputs=["trace"], cpus=2, vcpus=4, machine=machine,
                       append=f"console=com1 {append}"))
    trace = got.files["trace"]
    assert len(posts(trace)) > 10000 and b" fault " not in trace
    assert {match[1] for match in re.finditer(rb"notify vector=0xf\d dest=(\w+)", trace)} == {
        b"0x0", b"0x1"}


@pytest.mark.parametrize("state", SHAPES)
@pytest.mark.parametrize("post", ["sw", "off"])
def test_without_hardware_posting(boot, state, post):
    count = {"running": 1000, "mixed": 100000}.get(state, 500)
    why = said("by software because: post=sw" if post == "sw" else "no because: post=off")
    got = boot(posting(state, count, [why, way(post), each_once(state)], post, outputs=["trace"],
                       append=f"console=com1 post={post} check=on", **SHAPES[state]))
    assert not posts(got.files["trace"])
    sent = destinations(got.files["trace"])
    assert len(sent) >= count
    if state == "running": # with one exit of the vCPU, and at no other CPU's expense
        assert f"interrupts={count} exits={count} slices=0" in got.text and set(sent) == {b"0x1"}
    if state == "mixed": # they follow the vCPUs from CPU to CPU
        moves = sum(a != b for a, b in zip(sent, sent[1:]))
        assert set(sent) == {b"0x0", b"0x1"} and moves > 1000


@pytest.mark.parametrize("state", SHAPES)
def test_without_apicv(boot, state):
    boot(posting(state, 50000 if state == "mixed" else 500,
                 [said("no because: apicv=off"), way("off"), each_once(state)], "off",
                 **SHAPES[state], append="console=com1 apicv=off check=on"))


def assert_nothing_sent_afterwards(trace):
    """Not one message after its entry was flushed for the last time. Between the write of an entry
    and its flush a message may meet the old one."""
    sent, gone = rb"unit0 (post|interrupt remapped) sid=00:02\.0", rb"unit0 flush iec "
    last = max(match.start() for match in re.finditer(sent, trace))
    flushed = max(match.start() for match in re.finditer(gone, trace))
    assert last < flushed
    assert b" stale " not in trace[flushed:] and b" fault " not in trace


@pytest.mark.parametrize("post, cpus", [("hw", 1), ("hw", 2), ("sw", 2), ("off", 1)])
def test_torn_down_in_a_storm(boot, post, cpus):
    """The VM ends while its device sends on; its neighbour on the same CPU is not disturbed.
    (Hamlet stops with a panic if a vCPU is left on a list or an entry leads to a descriptor that is
    gone.)"""
    got = boot(posting("storm", 500, [way(post), GOES_ON], post, cpus=cpus, outputs=["trace"],
                       forbid=["has no handler", r"promise"],
                       beside=["kernel=apic.elf,name=beta,mem=16M"],
                       exits={"alpha": 1, "beta": 1}))
    assert_nothing_sent_afterwards(got.files["trace"])


def recorded(boot, state, count, post, words="", **shape):
    """Every change of every descriptor, in order: {descriptor: [(what, vector, control word,
    CPU)]}. By Hamlet's recorder; what the unit posts by the lab's trace, where `notify` stands for
    ON that the unit has set."""
    got = boot(posting(
        state, count, [way(post), each_once(state)], post, words=f"{words} linger=1", exits={},
        append=f"console=com1 trace=on post={post}", **shape,
        answers=[(rf"{state}: raised", "\x01c"), (PROMPT, "trace dump\r"), (PROMPT, "\x01x")]))
    dump = traces.read(got.text)
    assert dump.complete and not dump.dropped
    unit = re.findall(rb"^ *(\d+) unit0 post .* vector=0x(\w+) pid=0x(\w+) "
                      rb"on=\d sn=\d urg=0 notify=(\d)", got.files.get("trace", b""), re.M)
    found = [(e.tsc, e.b, traces.PID_STATES[e.info], e.a, e.c, e.cpu)
             for e in dump.events if e.type == "pid"]
    found += [(int(tsc), int(pid, 16), "unit", int(vector, 16), int(notify), None)
              for tsc, vector, pid, notify in unit]
    states = {}
    for _, pid, what, vector, word, cpu in sorted(found, key=lambda change: change[0]):
        mine = states.setdefault(pid, [])
        if what == "unit":
            what, word = "posted", mine[-1][2] | word
        mine.append((what, vector, word, cpu))
    return states


def of_the_target(states):
    """Of the one descriptor that a device posts to, without CPUs."""
    [mine] = [changes for changes in states.values()
              if any(what == "posted" and vector >= 0x51 for what, vector, _, _ in changes)]
    return [change[:3] for change in mine]


TURN = ["halted", "posted", "running", "taken"]
SLEEPER = {"cpus": 2, "vcpus": 2, "outputs": ["trace"]}


def assert_thirty_turns(states):
    """HLT, a post, the wake-up, which begins a turn, the vector taken: each thirty times, each word
    bit by bit."""
    steps = [what for what, _, _ in states]
    assert "".join(steps).count("".join(TURN)) == 30, steps
    at = steps.index("halted")
    cpu = states[at][2] >> 32 << 32
    woken, active = cpu | 0xF1 << 16, cpu | 0xF0 << 16
    assert [word for _, _, word in states[at:at + 4]] == [woken, woken | 1, active | 1, active]


def documented_turn():
    """What docs/posting.md draws: (step, control word without NDST)."""
    drawn = "\n".join(documents.transcript("same-states")[0])
    steps = re.findall(r" (halted|post|running|taken) +[0-9a-f]{8}_([0-9a-f]{8}) ", drawn)
    return [("posted" if what == "post" else what, int(word, 16)) for what, word in steps]


def test_hardware_and_software_leave_the_same_states(boot):
    """Bit for bit, ON, SN, NV and NDST: what the unit did to the descriptor, and what the poster in
    software did."""
    hardware, software = (of_the_target(recorded(boot, "halted", 30, post, **SLEEPER))
                          for post in ("hw", "sw"))
    assert_thirty_turns(hardware)
    at = [what for what, _, _ in hardware].index("halted")
    assert documented_turn() == [(what, word & 0xFFFFFFFF) for what, _, word in hardware[at:at + 4]]
    assert hardware == software


def rounds_of(states):
    """From one turn to the next. Of a ready vCPU only the rounds with a post count: the others are
    idle slices."""
    rounds, now = [], []
    for change in states:
        now.append(change)
        if change[0] == "ready":
            rounds.append(now)
            now = [change]
    return [r for r in rounds if any(what == "posted" for what, _, _ in r)]


def test_hardware_and_software_leave_the_same_states_of_a_ready_one(boot):
    shape = {"vcpus": 2, "outputs": ["trace"]}
    hardware, software = (rounds_of(of_the_target(recorded(boot, "ready", 40, post, **shape)))
                          for post in ("hw", "sw"))
    assert len(hardware) == 10 and hardware == software
    for first, *posted, running, found, t1, t2, t3, t4, ready in hardware:
        taken = [t1, t2, t3, t4]
        assert [what for what, _, _ in (first, running, found, *taken, ready)] == [
            "ready", "running", "running", *["taken"] * 4, "ready"]
        assert [vector for _, vector, _ in posted] == [0x51, 0x52, 0x53, 0x54]
        assert [vector for _, vector, _ in taken] == [0x51, 0x52, 0x53, 0x54]
        # No poster has set ON; Hamlet does, and clears it before it takes.
        assert [word & 1 for _, _, word in (running, found, *taken)] == [0, 1, 0, 0, 0, 0]
        # SN is set, and a post changes nothing in the word.
        assert {word for _, _, word in [first, *posted]} == {first[2]} and first[2] & 3 == 2


FOLLOWS = {"ready": {"ready", "running"}, "running": {"running", "taken", "ready", "halted"},
           "taken": {"taken", "ready", "halted"}, "halted": {"ready", "running"}}


def assert_legal(states):
    """Each word holds what its state asks for: SN, NV, as NDST the CPU that made the change; and
    while SN is set ON does not change. Returns which state followed which."""
    path = [change for change in states if change[0] != "posted"]
    for what, _, word, cpu in path:
        sn, nv, ndst = word >> 1 & 1, word >> 16 & 0xFF, word >> 32
        if what == "ready":
            assert sn == 1
        else:
            assert (sn, nv, ndst) == (0, 0xF1 if what == "halted" else 0xF0, cpu)
        assert what != "taken" or not word & 1
    for (before, _, word, _), (after, _, later, _) in zip(path, path[1:]):
        assert after in FOLLOWS[before], (before, after)
        assert before != "ready" or word & 1 == later & 1
        assert before != after or before != "running" or (word & 1, later & 1) == (0, 1)
    return {(before[0], after[0]) for before, after in zip(path, path[1:])}


@pytest.mark.parametrize("post", ["hw", "sw"])
def test_the_same_rules_at_random(boot, post):
    """Four vCPUs on two CPUs, in any order: with either poster each word is what the rules make of
    the one before."""
    states = recorded(boot, "mixed", 500, post, cpus=2, vcpus=4, words="phase=128 awake=4",
                      outputs=["trace"])
    went = set().union(*map(assert_legal, states.values()))
    assert went >= {("halted", "ready"), ("ready", "running"), ("running", "taken"),
                    ("taken", "halted")}


@pytest.mark.parametrize("post", ["hw", "sw"])
def test_moved_while_it_sends(boot, post):
    """The guest changes vector and vCPU of a message, unmasked, while the device sends it; the
    entry follows, whole."""
    got = boot(posting("moved", 2000, [way(post), each_once("moved")], post, cpus=2, vcpus=2,
                       outputs=["trace"]))
    trace = got.files["trace"]
    assert b" fault " not in trace
    if post == "hw":
        found = re.findall(rb"post sid=\S+ vector=0x(\w+) pid=0x(\w+)", trace)
        assert len(found) == 2000
        assert len({pid for _, pid in found}) == 2 and len(set(found)) == 4
        assert {vector for vector, _ in found} == {b"51", b"52"}


@pytest.mark.parametrize("cpus", [1, 2])
def test_three_vcpus_come_equally_far(boot, cpus):
    vm = 'kernel=smp.elf,name=alpha,mem=4M,vcpus=3,cmdline="cpus=3 fair=40000000"'
    got = boot(Case(f"fair-{cpus}", cpus=cpus, vms=[vm], exits={"alpha": 1}))
    turns = [int(n) for n in re.findall(r"\| fair: processor=\d turns=(\d+)", got.text)]
    assert len(turns) == 3 and max(turns) - min(turns) < max(turns) / 50, turns


def test_moved_under_load(boot):
    """Three vCPUs that take turns on two CPUs, and interrupt each other all the time: NDST goes
    with them, none is lost."""
    got = boot(posting("mixed", 40000, [way("hw"), each_once("mixed")], cpus=2, vcpus=3,
                       words="phase=100000", outputs=["trace"]))
    sent = re.findall(rb"pid=(\w+) on=0 sn=0 urg=0 notify=1\n"
                      rb" *\d+ unit0 notify vector=0xf0 dest=(\w+)", got.files["trace"])
    last, moves = {}, 0
    for pid, dest in sent:
        moves += last.get(pid, dest) != dest
        last[pid] = dest
    assert len(last) == 3 and moves >= 20


def test_an_idle_cpu_is_left_asleep(boot):
    """CPU 2 has nothing to run. It sleeps once, however long CPU 0 computes: no tick, no turn of a
    loop. CPU 1 looks after the first one, once a second."""
    got = boot(Case("idle", cpus=3, vms=[LOOP],
                    answers=[(r"vm=loop kernel", "\x01c"), *[(PROMPT, "cpu\r")] * 3,
                             (PROMPT, "\x01x")]))
    sleeps = re.findall(r"^cpu=2 apic-id=2 loaded=\S+ sleeps=(\d+)", got.text, re.M)
    assert sleeps == ["1"] * 3


def test_several_cannot_be_posted_by_the_unit(boot):
    """An entry names one descriptor: a message for several, or for any of them, is remapped; Hamlet
    posts it, and logs that."""
    expect = [way("hw"),
              r"vector=0x51: several vCPUs, cannot be posted by VT-d: remapped$",
              r"\| both: raised=50 vcpu0=50 vcpu1=50$",
              r"vector=0x51: lowest priority, cannot be posted by VT-d: remapped$",
              r"\| any: raised=50 vcpu0=50 vcpu1=0$",
              r"\| one: raised=50 vcpu0=0 vcpu1=50$",
              r"\| moved: raised=50 vcpu0=0 vcpu1=50$"] # to an address that it has taken since
    got = boot(posting("several", 50, expect, cpus=2, vcpus=2, words="x2apic=0",
                       outputs=["trace"]))
    assert len(posts(got.files["trace"])) == 100
    assert len(re.findall(rb"interrupt remapped sid=00:02\.0", got.files["trace"])) == 100


# The monitor takes the device away while the vCPU is in that state. A second VM, which only
# computes, has CPU 0 besides; a vCPU that is to be found ready has two, so that not each tick, at
# which the monitor looks, comes in the turn of the same one.
DETACHED = {"running": (RUNNING, "busy=1"), "ready": ({}, "busy=1"),
            "halted": (RUNNING, "period=50000")}


@pytest.mark.parametrize("post", ["hw", "sw"])
@pytest.mark.parametrize("state", DETACHED)
def test_detached_in_a_storm(boot, state, post):
    """Nothing comes any more; the vCPU is on no list that it should not be on, and its timer still
    finds it. It leaves its state for each message for a moment, in which it may be asked for it."""
    shape, words = DETACHED[state]
    others = [LOOP, LOOP.replace("=loop", "=loop2")] if state == "ready" else [LOOP]
    expect = [way(post), rf"^vcpu=alpha\.0 state={state} ", r"^00:02\.0 is taken back"]
    got = boot(posting("detached", 1, expect, post, words=words, outputs=["trace"], **shape,
                       forbid=["has no handler", r"promise is broken"], beside=others,
                       answers=[(r"it sends", "\x01c"), *[(PROMPT, "pid alpha.0\r")] * 12,
                                (PROMPT, "unassign 00:02.0\rcheck\r"),
                                (r"vm=alpha exit=", "cpu\r"), (r"cpu=0 .*", "\x01x"),
                                *[(r"^vm=loop2? has the console", "\x01x")] * (len(others) - 1)]))
    assert re.search(r"^breaches=0", got.text, re.M)
    assert re.search(r"\| detached: handled=\d+, 0 of them later$", got.text, re.M)
    assert_nothing_sent_afterwards(got.files["trace"])


def test_a_storm_beside_a_neighbour(boot):
    """A device sends without end, and its vCPU sleeps between two messages: the VM that computes on
    the same CPU has most of the time. (Not 55 percent, as with nothing held back.)"""
    got = boot(posting("storm", 15000, [way("sw"), r"irq: vm=alpha 00:02\.0 .*: held back",
                                        r"^share\| share=8\d percent", GOES_ON],
                       "sw", name="beside", words="period=900", outputs=["trace"],
                       beside=["kernel=share.elf,mem=4M,cmdline=turns=4000000"],
                       exits={"alpha": 1, "share": 1}))
    trace = got.files["trace"]
    assert trace.count(b"blocked sid=00:02.0") > 1000 and b" fault " not in trace


# Chosen for one device, whatever the others have.
@pytest.mark.parametrize("irq, chosen", [("remap", "software"), ("inject", "injected")])
def test_chosen_for_a_device(boot, irq, chosen):
    expect = [rf"vm=alpha .* irq={chosen} because: irq={irq}$", each_once("running")]
    got = boot(posting("running", 1000, expect, cpus=2, device=f"pin=1,pci=1234:11e8,irq={irq}"))
    exits = int(re.search(r"interrupts=1000 exits=(\d+)", got.text).group(1))
    assert exits >= 1000


def edu(n):
    """One of QEMU's, behind a port of its own by which it can be reset."""
    return [f"pcie-root-port,id=rp{n},chassis={n + 1},addr={4 + n}", f"edu,bus=rp{n}"]


def nested(words, count, apicv, expect, **shape):
    """On KVM's VMX and QEMU's unit, which does not post: by software, and injected where KVM shows
    no APICv. `expect`: behind the line of the way."""
    post = "sw" if apicv == "on" else "off"
    return posting("linger", 0, [way(post), *expect], post, name=f"{words.split()[0]}-{post}",
                   on="nested", words=f"delay=400000 {words}",
                   append="console=com1 post=hw",
                   devices=[word for n in range(count) for word in edu(n)],
                   machine={"apicv": apicv} if apicv == "off" else {}, **shape)


@pytest.mark.nested
@pytest.mark.parametrize("apicv", ["on", "off"])
def test_nested(boot, apicv):
    """One vCPU that runs, is ready and sleeps, one after the other, on a CPU that it shares with
    the one that raises."""
    expect = [r"\| running: interrupts=1000 exits=[1-9]\d{3} ", each_once("running"),
              each_once("ready"), each_once("halted")]
    boot(nested("running=1000 ready=100 halted=100", 1, apicv, expect, vcpus=2,
                device="pin=1,pci=1234:11e8", cpus=2))


@pytest.mark.nested
@pytest.mark.parametrize("apicv", ["on", "off"])
def test_nested_at_random(boot, apicv):
    boot(nested("mixed=2000 phase=128 awake=8", 4, apicv, [each_once("mixed")], vcpus=4, cpus=2,
                device=",".join(f"pci=1234:11e8#{n}" for n in range(4))))


@pytest.mark.nested
def test_the_lab_and_others_record_the_same_states(boot):
    """Word by word what the software poster leaves here and there, though neither the CPU nor the
    unit is the same."""
    here = of_the_target(recorded(boot, "halted", 30, "sw", **SLEEPER))
    there = of_the_target(recorded(boot, "halted", 30, "sw", on="nested", cpus=2, vcpus=2,
                                   words="delay=400000", devices=edu(0)))
    assert_thirty_turns(there)
    assert here == there
