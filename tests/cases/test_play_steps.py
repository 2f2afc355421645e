# SPDX-License-Identifier: MIT
"""
The steps that the page makes of single recorded events: stale entries, an IPI, a blocked request, a
guest's marks, a run that ended early, a trace of another machine.

From: make test      To: lab/play/, lab/record.py
"""

import re
from types import SimpleNamespace

import pytest

from lab import record
from lab import trace as traces
from lab.play import beside
from lab.play.story import Story
from lab.say import Unusable

STALE = """trace: begin khz=1000 dropped=0
trace: m 1 unit0 iec fill sid=00:02.0 index=5 entry=0000000000040010.0029400000518001
trace: m 2 unit0 iec stale sid=00:02.0 index=5 cached=0000000000040010.0029400000518001 \
now=0000000000040010.0029400000528001
trace: m 3 unit0 iec gone sid=00:02.0 index=5
trace: end
"""


def test_a_stale_entry():
    """It is marked until it is dropped, and shown beside what is in memory."""
    story = Story(traces.read(STALE))
    fill, stale, gone = story.steps
    assert [step.marks for step in story.steps] == [(), ("stale",), ()]
    changed = {path: new for path, _, new in stale.changes}
    assert changed["unit0/iec/5"][1] == 2 and "0x51" in changed["unit0/iec/5"][0]
    assert "0x52" in stale.text and "unit0/iec/5" not in story.state
    assert [word[-6:] for word in changed["unit0/irte"][1:]] == ["040010", "518001", "040010",
                                                                 "528001"]


@pytest.mark.parametrize("whole, damaged", [
    ("index=5 entry", "index==5 entry"), ("entry=0000", "entry=zzzz"), ("entry=", "")])
def test_a_line_that_was_changed(whole, damaged):
    with pytest.raises(Unusable, match="^no such line is in a recorded run: unit0 iec fill sid="):
        Story(traces.read(STALE.replace(whole, damaged)))
    assert Story(traces.read(STALE.replace("unit0 iec fill", "unit iec fill"))).steps


SUPERSEDED = """trace: begin khz=1000 dropped=0
trace: m 1 unit0 iec fill sid=00:02.0 index=5 entry=0000000000040010.0029400000518001
trace: m 2 unit0 iotlb fill sid=00:02.0 did=1 page=0x1000 size=0x1000 hpa=0x9000 rights=3
trace: m 3 unit0 table written interrupt hpa=0x9050 before=0000000000040010.0029400000518001 \
after=0000000000000000.0000000000000000
trace: m 3 unit0 iec superseded index=5
trace: m 4 unit0 table written second-stage did=1 level=1 hpa=0x7008 before=0000000000009003 \
after=0000000000000000
trace: m 4 unit0 iotlb superseded sid=00:02.0 page=0x1000
trace: m 5 unit0 iotlb agrees sid=00:02.0 page=0x1000
trace: m 6 unit0 iec gone index=5
trace: end
"""


def test_an_entry_is_old_from_the_change_on():
    """Not only from the use on: the steps say who changed what, and what the unit still holds."""
    story = Story(traces.read(SUPERSEDED))
    ages = {}
    for step in story.steps:
        for path, _, value in step.changes:
            if re.match("unit0/(iec|iotlb)/", path):
                ages.setdefault(path, []).append(value[1] if value else None)
    assert ages == {"unit0/iec/5": [0, 1, None], "unit0/iotlb/00:02.0 0x1000": [0, 1, 0]}
    assert [step.lane for step in story.steps if "changed" in step.text] == ["hamlet", "hamlet"]
    assert "entry 5 of" in story.steps[2].text and "Now: not present" in story.steps[2].text


IPIS = """trace: begin khz=1000 dropped=0
trace: type 4 pid
trace: type 9 sched
trace: vm 0 a
trace: pid 1000 0
trace: pid 2000 100
trace: e 0 1 9 0 0
trace: e 1 1 1010004 2000 100f00000
trace: m 2 cpu0 posts vector=0x60 to=0x2000 pid=0x1000 rvi=0x00 svi=0x00 vppr=0x00 virr= visr=
trace: m 3 cpu1 notified vector=0xf0 pid=0x2000 pir=60 rvi=0x00 svi=0x00 vppr=0x00 virr= visr=
trace: e 1 4 2010004 2000 100f00002
trace: m 5 cpu0 posts vector=0x61 to=0x2000 pid=0x1000 rvi=0x00 svi=0x00 vppr=0x00 virr= visr=
trace: m 6 cpu1 delivered vector=0x60 rip=0x1 pid=0x2000 rvi=0x00 svi=0x60 vppr=0x60 virr= visr=60
trace: m 7 cpu0 knows pid=0x1000
trace: end
"""


def test_an_ipi_without_an_exit():
    """The sender's CPU posts by the target's ON and SN; and what no teller knows is a step, too."""
    story = Story(traces.read(IPIS))
    ends = [(chain.name, chain.vcpu, chain.state, [
        step.raw.split()[1] for step in story.steps if chain.number in step.chains])
            for chain in story.chains.all]
    assert ends == [("IPI of a.0", "a.1", "running", ["posts", "notified", "delivered"]),
                    ("IPI of a.0", "a.1", "ready", ["posts"])]
    first, second = (step for step in story.steps if " posts " in step.raw)
    assert first.marks == ("notify",) and "sends vector 0xf0 to CPU 1" in first.text
    assert second.marks == () and second.text.endswith("SN is 1, so nothing is sent.")
    assert ("vcpu/a.1/on", 0, 1) in first.changes and story.steps[-1].raw == "cpu0 knows pid=0x1000"


BLOCKED = """trace: begin khz=1000 dropped=0
trace: type 8 fault
trace: m 1 unit0 context hit sid=00:02.0 did=1 entry=0000000000000102.000000000028e001
trace: m 1 unit0 event fault vector=0xe2 dest=0x0
trace: m 1 unit0 fault sid=00:02.0 reason=0x05 iova=0xa000000 write
trace: m 1 device 00:02.0 dma write address=0xa000000 n=64 refused
trace: m 2 cpu0 exit reason=1 info=0x800000e2
trace: e 0 3 1005ffff08 a000000 0
trace: m 4 unit0 context hit sid=00:02.0 did=1 entry=0000000000000102.000000000028e001
trace: end
"""


def test_a_blocked_request():
    """One chain, up to where Hamlet reads the record: the unit's event, and the exit that it is."""
    story = Story(traces.read(BLOCKED))
    assert [step.chains for step in story.steps] == [(0,)] * 6 + [(1,)]
    assert "vector 0xe2" in story.steps[1].text and story.steps[5].lane == "hamlet"


def written(tick, byte, width=1, vcpu=0):
    """A line of the trace: this vCPU has written to the port of the marks."""
    head = 0xE9 << 32 | (0x80 | width) << 24 | vcpu << 16 | 7
    return f"trace: e 0 {tick:x} {head:x} {byte:x} 0\n"


def test_a_guests_own_mark():
    """One step for a text, as long as it may be, with printable characters only; of two vCPUs at a
    time."""
    head = "trace: begin khz=1000 dropped=0\ntrace: type 7 pio\ntrace: vm 0 a=pid=z\n"
    text = head + "".join([
        written(1, ord("h")), written(2, ord("x"), vcpu=1), written(3, ord("i")), written(4, 0),
        written(5, 0), written(6, 0x646E6F, 4), written(7, 0x1B), written(8, ord("<")),
        written(9, ord("\n")), *(written(10 + n, ord("y")) for n in range(1000)),
        "trace: end\n"])
    steps = Story(traces.read(text)).steps
    assert [(step.at, step.raw) for step in steps] == [
        (1, "mark hi"), (2, "mark x"), (6, "mark ond"), (7, "mark .<"), (10, "mark " + "y" * 64)]
    assert {step.marks for step in steps} == {("mark",)} and "\u201chi\u201d" in steps[0].text
    one, other = (Story(traces.read(said)) for said in (text, text.replace(" 69 0\n", " 6f 0\n")))
    row = next(row for row in beside.rows(one, other) if row.kind == beside.DIFFERS)
    assert [words[-5:] for words in beside.sentences(one, other, row)] == [
        "\u201chi\u201d.", "\u201cho\u201d."]


def test_a_run_that_ended_early():
    """Hamlet has sent nothing; what the machine did is worth reading all the more."""
    ended = SimpleNamespace(trace=lambda: "", text="", files={
        "trace": b"5 unit0 notify vector=0xf0 dest=0x0\n"})
    assert "0xf0" in Story(traces.read(record.text(ended, []))).steps[0].text
    ended.files = {}
    assert record.text(ended, []) == ""


def test_a_trace_of_another_machine():
    """Without the lab's lines the entries are made of Hamlet's exits and their cost."""
    head = "trace: begin khz=1000 dropped=0\ntrace: type 1 exit\ntrace: vm 0 a\n"
    story = Story(traces.read(head + "trace: e 0 64 2800000c000001 1000 0\ntrace: end\n"))
    assert [(step.at, step.text.split(" on ")[0].split(":")[0]) for step in story.steps] == [
        (100, "a.0 exits to Hamlet"), (0x64 + 0x280000, "CPU 0 enters a.0.")]
