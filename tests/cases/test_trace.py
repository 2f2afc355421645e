# SPDX-License-Identifier: MIT
"""
A trace as text and for Perfetto: what was dropped is not shown. tests/cases/test_play.py has the
page, and what the machine did.

From: make test      To: lab/trace.py
"""

from lab import trace as traces

HEAD = "trace: begin khz=1000 dropped=5\ntrace: type 1 exit\ntrace: type 9 sched\ntrace: vm 0 a\n"
LEAVES, RUNS, EXIT = 0x200000009, 0x000000009, 0x000000C000001


def made(*events):
    return traces.read(HEAD + "".join(f"trace: e {cpu} {tsc:x} {head:x} 0 0\n"
                                      for cpu, tsc, head in events) + "trace: end\n")


def test_a_slice_whose_begin_was_dropped():
    """It begins with what the ring of its CPU still holds, not with the first event of all."""
    trace = made((0, 100, EXIT), (1, 500, EXIT), (1, 700, LEAVES), (1, 800, RUNS), (1, 900, LEAVES))
    assert list(trace.slices()) == [(0, 1, 500, 700), (0, 1, 800, 900)]
    slices = [e for e in traces.chrome(trace)["traceEvents"] if e.get("cat") == "sched"]
    assert [(e["ts"], e["dur"]) for e in slices] == [(400, 200), (700, 100)]


def test_cost_of_an_exit_that_left_its_cpu():
    """None, and not 0: the mean is of those that have one."""
    trace = made((0, 100, EXIT | 40 << 32), (0, 200, EXIT))
    assert "cost=40 " in traces.text(trace) and "cost=- " in traces.text(trace)
    assert traces.by_reason(trace) == [("12", 2, 40)]
    exits = [e for e in traces.chrome(trace)["traceEvents"] if e["name"] == "12"]
    assert [e["dur"] for e in exits] == [40]


def test_a_descriptor():
    """Its words and its vector as text, ON and SN as counters."""
    head = HEAD + "trace: type 4 pid\ntrace: pid 1000 0\n"
    rows = [(100, 0x2000004, 2), (200, 0x51_0500_0004 | 0xFFFF << 8, 0)]
    trace = traces.read(head + "".join(f"trace: e 0 {tsc:x} {word:x} 1000 {control:x}\n"
                                       for tsc, word, control in rows) + "trace: end\n")
    said = traces.text(trace)
    assert " ready control=0x2\n" in said and " taken vector=0x51 control=0x0\n" in said
    counters = [e for e in traces.chrome(trace)["traceEvents"] if e["ph"] == "C"]
    assert [(e["ts"], e["args"]) for e in counters] == [
        (0, {"ON": 0, "SN": 1}), (100, {"ON": 0, "SN": 0})]
    assert {e["name"] for e in counters} == {"descriptor of a.0"}
