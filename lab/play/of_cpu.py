# SPDX-License-Identifier: MIT
"""
Steps of a processor: VM entry and exit, and what it does with posted and virtual interrupts.

From: lab/play/story.py      To: lab/bochs/plugin/glue_cpu.cc (the lines)
"""

from lab import trace as traces
from lab.play import bits

VIRTUAL = ("rvi", "svi", "vppr")
SDM = "SDM"


def take(story, row):
    cpu, facts = row.cpu(), row.facts
    vcpu = _vcpu(story, row, cpu)
    changes = {f"vcpu/{vcpu}/{name}": int(facts[name], 16) for name in VIRTUAL if name in facts}
    changes.update({f"vcpu/{vcpu}/{name}": facts[name] for name in ("virr", "visr")
                    if name in facts})
    TELLERS.get(facts["does"], _other)(story, row, cpu, vcpu, changes)


def _vcpu(story, row, cpu):
    """By the descriptor that its VMCS names; without posting, the one that has the CPU."""
    if "pid" in row.facts:
        return story.vcpu_at(row.facts["pid"])
    if row.event:
        return story.trace.who(row.event.vcpu)
    return story.on_cpu.get(cpu, f"the guest of CPU {cpu}")


def _entry(story, row, cpu, vcpu, changes):
    changes.update({f"cpu/{cpu}/mode": "guest", f"cpu/{cpu}/vcpu": vcpu,
                    f"vcpu/{vcpu}/state": "running", f"vcpu/{vcpu}/mode": "guest",
                    f"vcpu/{vcpu}/exit": None, f"cpu/{cpu}/sent": None})
    where = ""
    if "rip" in row.facts:
        place = story.place(vcpu, int(row.facts["rip"], 16))
        changes[f"vcpu/{vcpu}/rip"] = place
        where = f" at {place}"
    chains = story.chains.waiting(vcpu) if int(row.facts.get("rvi", "0"), 16) else ()
    story.step(row, f"cpu {cpu}", f"CPU {cpu} enters {vcpu}{where}.",
               source=("vmx/run/run.c", "vcpu_run"), title=(SDM, "VM Entries"), chains=chains,
               changes=changes, who=vcpu)


def _exit(story, row, cpu, vcpu, changes):
    reason = int(row.facts["reason"])
    name = story.trace.reasons.get(reason, f"reason {reason}")
    changes.update({f"cpu/{cpu}/mode": "hamlet", f"vcpu/{vcpu}/mode": "hamlet",
                    f"vcpu/{vcpu}/exit": name})
    text = f"{vcpu} exits to Hamlet on CPU {cpu}: {name}"
    chains = set()
    vector = int(row.facts.get("info", "0"), 16)
    if vector >> 31 and reason == 1:
        text += f", vector 0x{vector & 0xFF:02x}"
        chains = story.chains.rung.pop((cpu, vector & 0xFF), set())
    if row.event:
        place = story.place(vcpu, row.event.b)
        changes[f"vcpu/{vcpu}/rip"] = place
        text += f", at {place}"
        if row.event.a:
            text += f"; {row.event.a} ticks to the next entry"
    story.step(row, f"cpu {cpu}", text + ".", source=("vmx/run/run.c", "vcpu_run"),
               title=(SDM, "VM Exits"), chains=chains, changes=changes, who=vcpu)


def _notified(story, row, cpu, vcpu, changes):
    pir = row.facts.get("pir", "")
    found = ", ".join(f"0x{word}" for word in pir.split(",")) if pir else "empty"
    chains = story.chains.waiting(vcpu)
    story.chains.rung.pop((cpu, int(row.facts["vector"], 16)), None)
    changes.update({f"vcpu/{vcpu}/on": 0, f"cpu/{cpu}/sent": None, f"vcpu/{vcpu}/pir": pir})
    story.step(row, f"cpu {cpu}",
               f"CPU {cpu} recognizes the notification vector while {vcpu} runs: no "
               f"exit. It clears ON, and finds in PIR: {found}.",
               source=("lib/pi_desc.h", ""), title=(SDM, "Posted-Interrupt Processing"),
               chains=chains, changes=changes, who=vcpu)


def _folded(story, row, cpu, vcpu, changes):
    changes[f"vcpu/{vcpu}/pir"] = ""
    story.step(row, f"cpu {cpu}", f"CPU {cpu} has moved PIR of {vcpu} into VIRR; RVI is "
               f"{row.facts.get('rvi', '?')}, the highest vector there.",
               source=("vmx/vcpu/apicv.c", ""), title=(SDM, "Posted-Interrupt Processing"),
               chains=story.chains.waiting(vcpu), changes=changes, who=vcpu)


def _delivered(story, row, cpu, vcpu, changes):
    vector = int(row.facts["vector"], 16)
    place = story.place(vcpu, int(row.facts["rip"], 16))
    changes.update({f"vcpu/{vcpu}/handler": vector, f"vcpu/{vcpu}/rip": place})
    story.step(row, f"cpu {cpu}",
               f"CPU {cpu} delivers virtual interrupt 0x{vector:02x} to {vcpu}, which "
               f"was at {place}: the bit moves from VIRR to VISR, and the handler begins.",
               source=("vmx/vcpu/apicv.c", ""), title=(SDM, "Virtual-Interrupt Delivery"),
               chains=story.chains.deliver(vcpu, vector), marks=("deliver",), changes=changes,
               who=vcpu)


def _eoi(story, row, cpu, vcpu, changes):
    vector = int(row.facts["vector"], 16)
    changes[f"vcpu/{vcpu}/handler"] = None
    story.step(row, f"cpu {cpu}",
               f"{vcpu} writes EOI, without an exit: the CPU clears 0x{vector:02x} in "
               "VISR.", source=("vmx/vcpu/apicv.c", ""),
               title=(SDM, "APIC Virtualization and Virtual Interrupts"),
               chains=story.chains.end(vcpu, vector), changes=changes, who=vcpu)


def _posts(story, row, cpu, vcpu, changes):
    """An IPI without an exit; the line names the sender's own descriptor, too."""
    target, vector = story.vcpu_at(row.facts["to"]), int(row.facts["vector"], 16)
    silent, pending = story.of(target, "sn"), story.of(target, "on")
    sends = not silent and not pending
    chain = story.chains.begin("interrupt", f"IPI of {vcpu}").number
    story.chains.post(chain, target, vector, story.of(target, "state", "running"))
    changes.update(bits.posted(story, target, vector, sends))
    after = ("SN is 1, so nothing is sent" if silent else
             "ON was 1, so no further notification is sent")
    if sends:
        notified, to = story.of(target, "nv", 0xF0), story.of(target, "ndst", cpu)
        changes[f"cpu/{to}/sent"] = f"0x{notified:02x}"
        story.chains.rung.setdefault((to, notified), set()).add(chain)
        after = f"it sets ON, and sends vector 0x{notified:02x} to CPU {to}"
    story.step(row, f"cpu {cpu}",
               f"{vcpu} writes ICR, without an exit: CPU {cpu} sets PIR[0x{vector:02x}] in the "
               f"descriptor of {target}; {after}.", source=("vmx/bitmaps.c", "bitmaps_ipi"),
               title=(SDM, "IPI Virtualization"), chains={chain},
               marks=("notify",) if sends else (), changes=changes, who=vcpu)


def _other(story, row, cpu, vcpu, changes):
    story.step(row, f"cpu {cpu}", f"{row.words}.", changes=changes, who=vcpu)


TELLERS = {"entry": _entry, "exit": _exit, "notified": _notified, "folded": _folded,
           "delivered": _delivered, "eoi": _eoi, "posts": _posts}
