# SPDX-License-Identifier: MIT
"""
Steps that Hamlet's recorder reports: changes of descriptors, the scheduler, emulated accesses.

From: lab/play/story.py      To: arch/trace.h (the events)
"""

from lab import trace as traces
from lab.play import bits

POSTED = "vmx/vcpu/posted.c"
# A guest names a moment by a text at this port (guest/programs/lib/guest.h). The text may be
# anything: so much of it is shown.
MARK_PORT, MARK_LENGTH, MARK_ENDS = 0xE9, 64, (0, 0x0A, 0x0D)
# VCPU_REQUEST_..., the rarest first.
REQUESTS = {0: "a request to stop", 3: "an INIT signal", 4: "a STARTUP IPI", 2: "an NMI",
            5: "an interrupt"}
LEFT = {1: "its slice is over, or other work is due", 2: "it has executed HLT",
        3: "its VM ends", 4: "it waits for SIPI"}


def take(story, row):
    event = row.event
    owner = story.trace.owner(event)
    vcpu = story.trace.who(owner) if owner != traces.NO_VCPU else ""
    teller = TELLERS.get(event.type, _other)
    teller(story, row, event, vcpu)


def _lane(vcpu):
    return f"vcpu {vcpu}" if vcpu else "hamlet"


def _moved(story, vcpu, cpu=None, name=""):
    """The changes: the vCPU stands on one list at most, the wake list or the run queue of a CPU."""
    changes = {}
    for (at, which), listed in story.lists.items():
        if vcpu in listed:
            listed.remove(vcpu)
            changes[f"cpu/{at}/{which}"] = ", ".join(listed)
    if name:
        listed = story.lists.setdefault((cpu, name), [])
        listed.append(vcpu)
        changes[f"cpu/{cpu}/{name}"] = ", ".join(listed)
    return changes


# --- The descriptor ------------------------------------------------------------------------------

def _pid(story, row, event, vcpu):
    vcpu = vcpu or f"vCPU of descriptor 0x{event.b:x}"
    state = traces.PID_STATES.get(event.info, "?")
    changes = bits.control(vcpu, event.c)
    changes[f"vcpu/{vcpu}/pid"] = f"0x{event.b:x}"
    STATES[state](story, row, event, vcpu, changes)


def _running(story, row, event, vcpu, changes):
    cpu = changes[f"vcpu/{vcpu}/ndst"]
    before = story.of(vcpu, "state")
    changes.update({f"vcpu/{vcpu}/state": "running", **_moved(story, vcpu)})
    text = (f"Hamlet makes {vcpu} running: SN = 0, and from now on a post notifies CPU {cpu} by "
            "0xf0 (ANV).")
    if before == "halted":
        story.chains.answered(story.chains.waiting(vcpu))
        text = (f"Hamlet takes {vcpu} from the wake list and makes it running at once: from "
                f"now on a post notifies CPU {cpu} by 0xf0 (ANV).")
    if before == "running" and changes[f"vcpu/{vcpu}/on"]:
        text = (f"Hamlet sets ON of {vcpu}: something was posted while SN was 1, when no poster "
                "sets ON.")
    story.step(row, _lane(vcpu), text, source=(POSTED, "posted_to_running"),
               title=("VT-d", "Using Interrupt Posting for Virtual Interrupt Delivery"),
               chains=story.chains.waiting(vcpu), changes=changes)


def _ready(story, row, event, vcpu, changes):
    before = story.of(vcpu, "state")
    changes[f"vcpu/{vcpu}/state"] = "ready"
    how = ("is awake, and waits for its turn" if before == "halted" else "waits for its turn")
    if before == "halted":
        story.chains.answered(story.chains.waiting(vcpu))
    story.step(row, _lane(vcpu), f"{vcpu} {how}: Hamlet sets SN, and a post only sets PIR.",
               source=(POSTED, "posted_to_ready"),
               title=("VT-d", "Using Interrupt Posting for Virtual Interrupt Delivery"),
               chains=story.chains.waiting(vcpu) if before == "halted" else (), changes=changes)


def _halted(story, row, event, vcpu, changes):
    cpu = changes[f"vcpu/{vcpu}/ndst"]
    changes.update({f"vcpu/{vcpu}/state": "halted", **_moved(story, vcpu, cpu, "wake")})
    story.step(row, _lane(vcpu), f"{vcpu} sleeps on the wake list of CPU {cpu}: a post "
               "notifies that CPU by 0xf1 (WNV).",
               source=(POSTED, "posted_to_halted"),
               title=("VT-d", "Using Interrupt Posting for Virtual Interrupt Delivery"),
               changes=changes)


def _posted(story, row, event, vcpu, changes):
    changes.update(bits.posted(story, vcpu, event.a, bool(event.c & bits.ON)))
    chain = story.chains.handled.pop(event.cpu, None)
    if chain is None:
        chain = story.chains.begin("interrupt", f"vector 0x{event.a:02x} from software").number
    story.chains.post(chain, vcpu, event.a, story.of(vcpu, "state", "running"))
    story.step(row, _lane(vcpu),
               f"Hamlet sets PIR[0x{event.a:02x}] in the descriptor of {vcpu}, as "
               f"the unit would; ON is {event.c & 1}.",
               source=("vmx/vcpu/posted.h", "posted_post"),
               title=("VT-d", "Interrupt-Posting Hardware Operation"), chains={chain},
               changes=changes)


def _taken(story, row, event, vcpu, changes):
    left = {int(word, 16) for word in story.of(vcpu, "pir", "").split(",") if word} - {event.a}
    changes[f"vcpu/{vcpu}/pir"] = ",".join(f"{vector:02x}" for vector in sorted(left))
    story.step(row, _lane(vcpu),
               f"Hamlet has cleared ON of {vcpu}, and takes vector 0x{event.a:02x} "
               "out of PIR into the virtual IRR.", source=("vmx/vcpu/posted.h", "posted_take_word"),
               title=("SDM", "Posted-Interrupt Processing"),
               chains=story.chains.waiting(vcpu, event.a), changes=changes)


STATES = {"running": _running, "ready": _ready, "halted": _halted, "posted": _posted,
          "taken": _taken}


# --- The rest ------------------------------------------------------------------------------------

def _sched(story, row, event, vcpu):
    if event.a == 0:
        story.on_cpu[event.cpu] = vcpu
        story.step(row, _lane(vcpu), f"CPU {event.cpu} takes {vcpu}: a slice begins.",
                   source=("vmx/run/sched.c", "run_slice"), chains=story.chains.waiting(vcpu),
                   changes={f"cpu/{event.cpu}/vcpu": vcpu, f"vcpu/{vcpu}/cpu": event.cpu,
                            f"vcpu/{vcpu}/state": "running"})
        return
    changes = {f"cpu/{event.cpu}/vcpu": None, f"vcpu/{vcpu}/cpu": None}
    if event.a in (3, 4):
        changes.update({f"vcpu/{vcpu}/state": None, **_moved(story, vcpu)})
    story.on_cpu.pop(event.cpu, None)
    story.step(row, _lane(vcpu), f"{vcpu} leaves CPU {event.cpu}: {LEFT.get(event.a, '?')}.",
               source=("vmx/run/sched.c", "run_slice"), changes=changes)


def _queue(story, row, event, vcpu):
    before = traces.STATES[event.info % len(traces.STATES)]
    where = f"the run queue of CPU {event.a}"
    text = f"{vcpu} starts: it waits in {where}."
    if before == "running":
        text = f"{vcpu} goes to the end of {where}"
        text += (", which has fewer that are awake." if event.a != event.cpu else ".")
    if before == "halted":
        text = (f"Hamlet takes {vcpu} from the wake list of CPU {event.a} to the end of its run "
                f"queue: {_cause(story, event, vcpu)}.")
    story.step(row, _lane(vcpu), text, source=("vmx/run/sched_wake.c", "sched_to_ready"),
               chains=story.chains.waiting(vcpu) if before == "halted" else (),
               changes=_moved(story, vcpu, event.a, "queue"))


def _cause(story, event, vcpu):
    """Who has woken it, and where that was."""
    other = story.on_cpu.get(event.cpu)
    where = f"CPU {event.cpu}{f', at an exit of {other}' if other else ''}"
    if event.b:
        what = next((word for bit, word in REQUESTS.items() if event.b >> bit & 1), "work")
        return f"there is {what} for it, from {where}"
    return (f"a notification has come to {where}" if story.of(vcpu, "on") else
            f"its timer has fired on {where}")


def _irq(story, row, event, vcpu):
    chain = story.chains.remapped.pop(0) if story.chains.remapped else None
    if chain is not None:
        story.chains.handled[event.cpu] = chain
    story.step(row, _lane(vcpu), f"Hamlet's handler gets the device's interrupt: it is vector "
               f"0x{event.a:02x} of {vcpu}.", source=("guest/assign/irq.c", "post"),
               chains={chain} if chain is not None else ())


def _inject(story, row, event, vcpu):
    story.step(row, _lane(vcpu),
               f"Hamlet injects vector 0x{event.a & 0xFF:02x} into {vcpu} with the "
               "next VM entry.", source=("vmx/vcpu/inject.c", "inject_plain"),
               title=("SDM", "Event Injection"))


def _post(story, row, event, vcpu):
    """The descriptor's own event says the same, and more."""


def _access(story, row, event, vcpu):
    width, write = event.info & ~traces.WRITE, event.info & traces.WRITE
    if event.type == "config":
        where, value = (f"register 0x{event.a & 0xFFFF:x} in the configuration space of "
                        f"{traces.bdf(event.a >> 16)}"), event.b
    elif event.type == "mmio":
        where, value = f"0x{event.b:x}", event.c
    else:
        where, value = f"port 0x{event.a:x}", event.b
    size = f"{width} byte{'s' if width > 1 else ''}"
    text = f"{vcpu} reads {where}: Hamlet answers 0x{value:x}, {size}."
    if write:
        text = f"{vcpu} writes 0x{value:x} to {where}, {size}; Hamlet emulates it."
    source = ("guest/core/vm.h", f"vm_note_{event.type}")
    if event.type == "pio":
        source = ("guest/pc/pio.c", "vcpu_on_out" if write else "vcpu_on_in")
    story.step(row, _lane(vcpu), text, source=source)


def _pio(story, row, event, vcpu):
    if event.a == MARK_PORT and event.info & traces.WRITE:
        width = event.info & ~traces.WRITE
        for byte in (event.b & (1 << 8 * width) - 1).to_bytes(width, "little"):
            _mark(story, row, vcpu, byte)
    else:
        _access(story, row, event, vcpu)


def _mark(story, row, vcpu, byte):
    """The step is there from the first character on."""
    step = story.marks.get(vcpu)
    if byte in MARK_ENDS:
        story.marks.pop(vcpu, None)
        return
    letter = chr(byte) if 0x20 <= byte < 0x7F else "."
    if step is None:
        story.step(row, _lane(vcpu), "", source=("guest/programs/lib/guest.h", "trace_mark"),
                   marks=("mark",))
        step = story.marks[vcpu] = story.steps[-1]
        step.raw = "mark "
    if len(step.raw) < len("mark ") + MARK_LENGTH:
        step.raw += letter
        step.text = f"{vcpu} is here: \u201c{step.raw.removeprefix('mark ')}\u201d."


def _fault(story, row, event, vcpu):
    reason = f"0x{event.info:02x}"
    story.step(row, "hamlet", f"Hamlet reads a fault record: {traces.bdf(event.a)}, reason "
               f"{reason} ({bits.REASONS.get(reason, '?')}), 0x{event.b:x}.",
               source=("vtd/fault.c", ""), title=("VT-d", "Fault Recording Registers"),
               chains=story.chains.fault_read(traces.bdf(event.a)), marks=("fault",))


def _other(story, row, event, vcpu):
    story.step(row, _lane(vcpu), f"{event.type} {traces.words(story.trace, event)}.")


TELLERS = {"pid": _pid, "sched": _sched, "irq": _irq, "inject": _inject, "post": _post,
           "config": _access, "mmio": _access, "pio": _pio, "fault": _fault,
           "queue": _queue}
