# SPDX-License-Identifier: MIT
"""
A recorded run as a list of steps. A step is one event: a sentence, what it changes in the state
that the page shows, and the chains it belongs to.

From: lab/play/page.py
To:   stream.py (the events), chain.py (what led to what), of_hamlet.py, of_unit.py, of_device.py,
of_cpu.py (the sentences and the changes, by who reports the event)

State is flat, path -> value, so that a step is a list of (path, old value, new value), and the page
goes back as it goes forward. Paths: vcpu/NAME/FIELD, cpu/N/FIELD, UNIT/CACHE/KEY, UNIT/FIELD,
device/BDF/FIELD.
"""

from dataclasses import dataclass, field

from lab import trace as traces
from lab.play import of_cpu, of_device, of_hamlet, of_unit, stream
from lab.play.chain import Chains
from lab.say import Unusable


@dataclass
class Step:
    at: int                 # tick
    lane: str
    text: str
    source: tuple = ()      # (file, function)
    title: tuple = ()       # (manual, title of a section)
    raw: str = ""           # the event as it was recorded
    chains: tuple = ()
    marks: tuple = ()       # of: notify, deliver, stale, fault, mark
    changes: list = field(default_factory=list)
    who: str = ""           # of a processor's event: the vCPU


class Story:
    """`trace`: a lab.trace.Trace."""

    def __init__(self, trace):
        self.trace, self.state, self.steps = trace, {}, []
        self.chains = Chains()
        self.on_cpu = {}        # CPU -> vCPU that has it
        self.lists = {}         # (CPU, "queue" or "wake") -> [vCPU]
        self.marks = {}         # vCPU -> step of the text that it is writing
        for row in stream.merged(trace):
            try:
                self._take(row)
            except (ValueError, LookupError):   # of a file that was cut, or changed
                raise Unusable(f"no such line is in a recorded run: {self._raw(row)}") from None

    def _take(self, row):
        of = of_hamlet if row.event and not row.facts else self._teller(row)
        of.take(self, row)

    @staticmethod
    def _teller(row):
        if "does" in row.facts:
            return of_cpu
        return of_unit if of_unit.UNIT.match(row.words) else of_device

    # --- What a teller calls ---------------------------------------------------------------------

    def step(self, row, lane, text, *, source=(), title=(), chains=(), marks=(), **more):
        """A step more. `more`: changes={path: value}; None removes the path; who=vCPU."""
        changes = []
        for path, value in more.get("changes", {}).items():
            old = self.state.get(path)
            if old != value:
                changes.append((path, old, value))
                if value is None:
                    self.state.pop(path, None)
                else:
                    self.state[path] = value
        self.steps.append(Step(row.at, lane, text, source, title, self._raw(row),
                               tuple(sorted(chains)), marks, changes, more.get("who", "")))

    def _raw(self, row):
        """As it was recorded."""
        return row.words or (f"{row.event.type} {traces.words(self.trace, row.event)}"
                             if row.event else "")

    def vcpu_at(self, descriptor):
        """The vCPU of a descriptor's address, as in the trace's text."""
        owner = self.trace.pids.get(int(descriptor, 16)) if descriptor else None
        return self.trace.who(owner) if owner is not None else f"vCPU of descriptor {descriptor}"

    def of(self, vcpu, name, default=None):
        return self.state.get(f"vcpu/{vcpu}/{name}", default)

    def owner(self, bdf):
        """" (alpha)" if the device belongs to a VM."""
        vm = self.trace.devices.get(bdf)
        return f" ({vm})" if vm else ""

    def place(self, vcpu, rip):
        """An address of a guest, with its function."""
        vm = vcpu.rpartition(".")[0]
        name = self.trace.symbol(vm, rip)
        return f"{name} (0x{rip:x})" if name else f"0x{rip:x}"


def vectors(text):
    """"51,60" as {0x51, 0x60}."""
    return {int(word, 16) for word in text.split(",") if word}


def listed(found):
    return ",".join(f"{vector:02x}" for vector in sorted(found))


def spoken(found):
    """Vectors in a sentence."""
    words = [f"0x{vector:02x}" for vector in sorted(found)]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words) or "none"
