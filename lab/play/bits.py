# SPDX-License-Identifier: MIT
"""
Words of memory in plain words: entries, commands, a descriptor's control word.

From: lab/play/of_unit.py, of_hamlet.py, of_cpu.py
Spec: VT-d "Interrupt Remapping Table Entry (IRTE) for Posted Interrupts", "Root Entry", "Context
Entry", "Second-Stage Paging Entries", "Queued Invalidation Interface", "Posted Interrupt Descriptor
(PID)"
"""

from lab import trace as traces

NOTIFICATIONS = {0xF0: "ANV, the active notification vector",
                 0xF1: "WNV, the wake-up notification vector"}
SHORT = {0xF0: "ANV", 0xF1: "WNV"}
RIGHTS = {0: "no rights", 1: "read", 2: "write", 3: "read and write"}
CACHES = {"context": "context-cache", "iotlb": "IOTLB", "paging": "paging-structure cache",
          "iec": "interrupt entry cache"}
REASONS = {"0x01": "no root entry is present", "0x02": "no context entry is present",
           "0x03": "the context entry is invalid", "0x05": "no right to write",
           "0x06": "no right to read", "0x20": "the message is malformed",
           "0x21": "the index is beyond the table", "0x22": "the entry is not present",
           "0x25": "compatibility format is blocked", "0x26": "the source-id is another one"}
ON, SN = 1, 2


def field(word, high, low):
    return word >> low & (1 << high - low + 1) - 1


def cpu_of(apic_id):
    """CPU n has APIC id n on the lab; in xAPIC mode NDST has it in bits 15:8."""
    return apic_id >> 8 if apic_id and not apic_id & 0xFF else apic_id


def irte_words(high, low, vcpu_at):
    if not low & 1:
        return "not present"
    vector, sid = field(low, 23, 16), traces.bdf(high & 0xFFFF)
    if low >> 15 & 1:
        pid = (field(high, 63, 32) << 32) | field(low, 63, 38) << 6
        return f"post vector 0x{vector:02x} to {vcpu_at(hex(pid))}, for {sid} only"
    return f"remap to vector 0x{vector:02x}, for {sid} only"


def control(vcpu, word):
    """The fields of a descriptor's control word, as changes of the state."""
    return {f"vcpu/{vcpu}/on": word & ON, f"vcpu/{vcpu}/sn": word >> 1 & 1,
            f"vcpu/{vcpu}/nv": field(word, 23, 16), f"vcpu/{vcpu}/ndst": cpu_of(word >> 32)}


def posted(story, vcpu, vector, sets_on):
    """What a post changes, as far as its own event says."""
    found = {int(word, 16) for word in story.of(vcpu, "pir", "").split(",") if word} | {vector}
    changes = {f"vcpu/{vcpu}/pir": ",".join(f"{one:02x}" for one in sorted(found))}
    if sets_on:
        changes[f"vcpu/{vcpu}/on"] = 1
    return changes


def table_words(table, high, low):
    if not low & 1:
        return "not present"
    at = f"0x{low & 0xFFFFFFFFFFFFF000:x}"
    if table == "root":
        return f"the context table of this bus is at {at}"
    return f"domain {field(high, 23, 8)}, its second-stage table is at {at}"


def stage_words(value, level):
    """An entry of the second stage; a leaf has bit 7 set, or is of level 1."""
    if not value & 3:
        return "not present"
    at, rights = f"0x{value & 0xFFFFFFFFFF000:x}", RIGHTS[value & 3]
    if level == 1 or value & 0x80:
        return f"a page of {size_words(1 << 3 + 9 * level)} at {at}, {rights}"
    return f"the table of level {level - 1} is at {at}, {rights}"


def size_words(size):
    for shift, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if size >> shift:
            return f"{size >> shift} {unit}"
    return f"{size} bytes"


def command_words(high, low):
    kind = low & 0xF
    if kind == 1:
        return ["", "flush the context-cache", "flush the context-cache of domain "
                f"{field(low, 31, 16)}", "flush the context entry of "
                f"{traces.bdf(field(low, 47, 32))}"][field(low, 5, 4)]
    if kind == 2:
        did = field(low, 31, 16)
        return ["", "flush the IOTLB", f"flush the IOTLB of domain {did}",
                f"flush {1 << field(high, 5, 0)} pages of domain {did} at "
                f"0x{high & ~0xFFF:x} in the IOTLB"][field(low, 5, 4)]
    if kind == 4:
        return (f"flush entry {field(low, 47, 32)} of the interrupt entry cache" if low & 0x10 else
                "flush the interrupt entry cache")
    if kind == 5:
        return f"wait: when all before it is done, write 0x{low >> 32:x} to 0x{high:x}"
    return "flush a device-TLB" if kind == 3 else f"type {kind}"
