# SPDX-License-Identifier: MIT
"""
A recorded run, or what `trace dump` sent over the line: as text, and as a file for Perfetto or
Chrome (chrome://tracing). lab/play/ makes a page of it.

From: the launcher `hamlet`, lab/play/
To:   lab/lines.py; arch/trace.h and monitor/cmd/trace.c have the form, lab/record.py that of the
lines of the machine and of the names
"""

import bisect
import re
from dataclasses import dataclass, field

from lab import lines

NO_VCPU = 0xFFFF
WRITE = 0x80
PID_STATES = {1: "running", 2: "ready", 3: "halted", 4: "posted", 5: "taken"}
PID_VECTOR = (4, 5)      # those of which the event has one
HEX = "([0-9a-f]{1,16})"
FORMS = {kind: re.compile(form, re.A) for kind, form in {
    "begin": r".*khz=(\d+) .*dropped=(\d+)", "end": "", "pid": f"{HEX} {HEX}",
    "type": r"(\d+) (.+)", "reason": r"(\d+) (.+)", "vm": r"(\d+) (.+)",
    "lost": r"(\d+) (\d+)", "e": rf"(\d+) {HEX} {HEX} {HEX} {HEX}", "m": r"(\d{1,20}) (.+)",
    "device": r"(\S+) (\S+)", "symbol": rf"(\S+) {HEX} (\S+)"}.items()}
STATES = ("stopped", "waits for SIPI", "ready", "running", "halted")     # enum vcpu_state
LEFT = {0: "runs", 1: "preempted", 2: "halted", 3: "stopped", 4: "waits for SIPI"}


@dataclass
class Event:
    cpu: int
    tsc: int
    type: str
    vcpu: int        # as TRACE_ID; NO_VCPU: none
    info: int
    a: int
    b: int
    c: int


@dataclass
class Trace:
    khz: int = 1
    dropped: int = 0
    lost: int = 0      # of a stream: events that were replaced before they were sent
    types: dict = field(default_factory=dict)      # number -> name
    reasons: dict = field(default_factory=dict)
    vms: dict = field(default_factory=dict)        # index -> name
    pids: dict = field(default_factory=dict)       # address of a descriptor -> vCPU
    events: list = field(default_factory=list)
    machine: list = field(default_factory=list)    # (tick, text) of the lab machine, the same clock
    devices: dict = field(default_factory=dict)    # bus:device.function -> VM
    symbols: dict = field(default_factory=dict)    # VM -> [(address, function)], in order
    complete: bool = False

    def who(self, vcpu):
        return "-" if vcpu == NO_VCPU else f"{self.vms.get(vcpu & 0xFF, '?')}.{vcpu >> 8}"

    def owner(self, event):
        """The vCPU that an event is about: a descriptor's for its changes."""
        return self.pids.get(event.b, NO_VCPU) if event.type == "pid" else event.vcpu

    def symbol(self, vm, address):
        """FUNCTION+OFFSET; "" if the VM's program is not known."""
        found = self.symbols.get(vm, [])
        at = bisect.bisect_right(found, (address, "~"))
        if not at:
            return ""
        base, name = found[at - 1]
        return f"{name}+0x{address - base:x}" if address > base else name

    def us(self, ticks):
        return ticks * 1000 / self.khz

    def start(self):
        return min([*(e.tsc for e in self.events[:1]), *(tick for tick, _ in self.machine[:1])],
                   default=0)

    def slices(self):
        """(vCPU, CPU, begin, end) in ticks, of every time that a vCPU was on a CPU. One whose begin
        was dropped begins where the CPU's ring does."""
        running, first = {}, {}
        for e in self.events:
            first.setdefault(e.cpu, e.tsc)
            if e.type == "sched" and e.a == 0:
                running[e.vcpu] = e.tsc
            elif e.type == "sched":
                yield e.vcpu, e.cpu, running.pop(e.vcpu, first[e.cpu]), e.tsc


def read(text):
    """The last dump in a console's log; whatever else stands there is not looked at. ValueError:
    there is none."""
    trace = None
    for line in lines.split(text):
        match = re.match(r"trace: (\w+)(?: (.*))?$", line)
        if match:
            trace = _take(trace, match.group(1), match.group(2) or "")
    if trace is None:
        raise ValueError("no trace in there: it is what the monitor's command `trace dump` prints")
    trace.events.sort(key=lambda event: event.tsc)
    for found in trace.symbols.values():
        found.sort()
    return trace


def _take(trace, kind, rest):
    """One line more. A line without the form of its kind was cut off: it counts for nothing."""
    words = FORMS[kind].fullmatch(rest) if kind in FORMS else None
    words = words.groups() if words else ()
    if kind == "begin" and words:
        return Trace(khz=int(words[0]) or 1, dropped=int(words[1]))
    if trace is None or (not words and kind != "end"):
        return trace
    if kind == "e":
        cpu, (tsc, head, b, c) = int(words[0]), [int(word, 16) for word in words[1:]]
        trace.events.append(Event(cpu, tsc, trace.types.get(head & 0xFF, "?"), head >> 8 & 0xFFFF,
                                  head >> 24 & 0xFF, head >> 32, b, c))
    elif kind in ("type", "reason", "vm"):
        names = {"type": trace.types, "reason": trace.reasons, "vm": trace.vms}[kind]
        names[int(words[0])] = words[1]
    elif kind == "pid":
        trace.pids[int(words[0], 16)] = int(words[1], 16)
    elif kind == "m":
        trace.machine.append((int(words[0]), words[1]))
    elif kind == "device":
        trace.devices[words[0]] = words[1]
    elif kind == "symbol":
        trace.symbols.setdefault(words[0], []).append((int(words[1], 16), words[2]))
    elif kind == "lost":
        trace.lost += int(words[1])
    elif kind == "end":
        trace.complete = True
    return trace


def bdf(number):
    return f"{number >> 8:02x}:{number >> 3 & 0x1F:02x}.{number & 7}"


def _access(event, at, value):
    return f"{at} width={event.info & ~WRITE} {'<-' if event.info & WRITE else '->'} 0x{value:x}"


def words(trace, event):
    e = event
    if e.type == "exit":
        reason = trace.reasons.get(e.info, e.info)
        return f"{reason} cost={e.a or '-'} rip=0x{e.b:x} qualification=0x{e.c:x}"
    if e.type == "inject":
        return f"vector=0x{e.a & 0xFF:02x} info=0x{e.a:x}"
    if e.type == "post":
        return f"vector=0x{e.a:02x}{' notify' if e.info else ''}"
    if e.type == "pid":
        vector = f" vector=0x{e.a:02x}" if e.info in PID_VECTOR else ""
        return f"{PID_STATES.get(e.info, '?')}{vector} control=0x{e.c:x}"
    if e.type == "config":
        return _access(e, f"{bdf(e.a >> 16)} reg=0x{e.a & 0xFFFF:x}", e.b)
    if e.type == "mmio":
        return _access(e, f"0x{e.b:x}", e.c)
    if e.type == "pio":
        return _access(e, f"port=0x{e.a:x}", e.b)
    if e.type == "fault":
        return f"source-id={bdf(e.a)} reason={e.info:x} address=0x{e.b:x}"
    if e.type == "sched":
        return LEFT.get(e.a, "?")
    if e.type == "queue":
        return f"{STATES[e.info] if e.info < len(STATES) else '?'} cpu={e.a} requests=0x{e.b:x}"
    return f"vector=0x{e.a:02x}"


def text(trace):
    """A line per event: tick, microseconds since the first, CPU, vCPU, what."""
    found = [(e.tsc, f"{e.cpu} {trace.who(trace.owner(e)):12} {e.type:7} {words(trace, e)}")
             for e in trace.events]
    found += [(tick, f"- {'machine':12} {said}") for tick, said in trace.machine]
    rows = [f"events={len(trace.events)} dropped={trace.dropped} tsc_khz={trace.khz}"]
    for tick, said in sorted(found, key=lambda row: row[0]):
        rows.append(f"{tick:14} {trace.us(tick - trace.start()):14.3f} {said}")
    return "\n".join(rows) + "\n"


def chrome(trace):
    """Trace Event Format: a process per VM, a thread per vCPU; an exit lasts as long as it cost, a
    slice as long as it ran; ON and SN of a descriptor are counters."""
    out, start = [], trace.start()
    for index, name in trace.vms.items():
        out.append({"ph": "M", "name": "process_name", "pid": index,
                    "args": {"name": f"VM {name}"}})
    out.append({"ph": "M", "name": "process_name", "pid": NO_VCPU, "args": {"name": "machine"}})
    for e in trace.events:
        vcpu = trace.owner(e)
        place = {"pid": NO_VCPU, "tid": e.cpu} if vcpu == NO_VCPU else {"pid": vcpu & 0xFF,
                                                                      "tid": vcpu >> 8}
        at = trace.us(e.tsc - start)
        if e.type == "sched":
            continue
        if e.type == "exit" and e.a:
            out.append({"ph": "X", "cat": "exit", "name": trace.reasons.get(e.info, str(e.info)),
                        "ts": at, "dur": trace.us(e.a),
                        "args": {"rip": hex(e.b), "qualification": hex(e.c), "cost": e.a}, **place})
        else:
            out.append({"ph": "i", "s": "t", "cat": e.type, "name": f"{e.type} {words(trace, e)}",
                        "ts": at, **place})
        if e.type == "pid" and vcpu != NO_VCPU:
            out.append({"ph": "C", "name": f"descriptor of {trace.who(vcpu)}", "ts": at,
                        "pid": place["pid"], "args": {"ON": e.c & 1, "SN": e.c >> 1 & 1}})
    for vcpu, cpu, begin, end in trace.slices():
        out.append({"ph": "X", "cat": "sched", "name": f"on CPU {cpu}",
                    "ts": trace.us(begin - start), "dur": trace.us(end - begin),
                    "pid": vcpu & 0xFF, "tid": vcpu >> 8})
    for vcpu in sorted({trace.owner(e) for e in trace.events} - {NO_VCPU}):
        out.append({"ph": "M", "name": "thread_name", "pid": vcpu & 0xFF, "tid": vcpu >> 8,
                    "args": {"name": f"vCPU {vcpu >> 8}"}})
    for tick, said in trace.machine:
        out.append({"ph": "i", "s": "t", "cat": "machine", "name": said, "pid": NO_VCPU,
                    "tid": NO_VCPU, "ts": trace.us(tick - start)})
    return {"traceEvents": out, "displayTimeUnit": "ns"}


def by_reason(trace):
    """[(reason, count, ticks of one, "-" if none is known)], the most frequent first. An exit after
    which the vCPU left its CPU has no cost."""
    found = {}
    for e in trace.events:
        if e.type == "exit":
            count, measured, ticks = found.get(e.info, (0, 0, 0))
            found[e.info] = (count + 1, measured + bool(e.a), ticks + e.a)
    rows = [(trace.reasons.get(reason, str(reason)), count,
             ticks // measured if measured else "-")
            for reason, (count, measured, ticks) in found.items()]
    return sorted(rows, key=lambda row: -row[1])
