# SPDX-License-Identifier: MIT
"""
Steps that the lab's devices and its I/O APIC report.

From: lab/play/story.py      To: lab/bochs/plugin/device.cc, messages.cc, ioapic.cc (the lines)
"""

import re

DEVICE = re.compile(r"device (\S+) (.*)")
REGISTERS = {0x00: "identification", 0x04: "liveness", 0x08: "factorial", 0x20: "status",
             0x24: "interrupt causes", 0x60: "raise", 0x64: "acknowledge", 0x80: "DMA source",
             0x88: "DMA target", 0x90: "DMA count", 0x98: "DMA command", 0x110: "queue tail",
             0x118: "message"}
HERE = "lab/bochs/plugin/"


def take(story, row):
    device = DEVICE.match(row.words)
    if not device:
        story.step(row, row.words.split()[0], f"{row.words[0].upper()}{row.words[1:]}.",
                   source=(HERE + "ioapic.cc", ""), title=("VT-d", "I/OxAPIC Programming"))
        return
    bdf, said = device.groups()
    for begin, teller in TELLERS.items():
        if said.startswith(begin):
            return teller(story, row, bdf, said)
    story.step(row, f"device {bdf}", f"Device {bdf}{story.owner(bdf)}: {said}.",
               source=(HERE + "device.cc", ""))


def _message(story, row, bdf, said):
    chain = story.chains.request(bdf, "interrupt", f"message of {bdf}", fresh=True)
    address, data = row.facts["address"], row.facts["data"]
    story.step(row, f"device {bdf}",
               f"Device {bdf}{story.owner(bdf)} sends a message: it writes {data} to {address}.",
               source=(HERE + "messages.cc", "send"), title=("PCI", "MSI and MSI-X Operation"),
               chains={chain}, changes={f"device/{bdf}/message": f"{address} \u2190 {data}"})


def _access(story, row, bdf, said):
    bar, offset = int(said[3:].split()[0]), int(row.facts["offset"], 16)
    arrow, value = said.split()[-2:]
    name = REGISTERS.get(offset, "") if bar == 0 else ""
    register = f"register 0x{offset:x}{f' ({name})' if name else ''} of BAR {bar}"
    text = (f"A processor writes {value} to {register} of {bdf}" if arrow == "<-" else
            f"A processor reads {register} of {bdf}: {value}")
    guest = [cpu for cpu in story.on_cpu if story.state.get(f"cpu/{cpu}/mode") == "guest"]
    if len(story.on_cpu) == 1 and guest:
        text = text.replace("A processor", f"{story.on_cpu[guest[0]]}", 1) + ", without an exit"
    story.step(row, f"device {bdf}", text + ".", source=(HERE + "device.cc", ""),
               title=("PCI", "Base Addresses"),
               changes={f"device/{bdf}/access": f"BAR {bar} + 0x{offset:x} {arrow} {value}"})


def _dma(story, row, bdf, said):
    chains = story.chains.request_of(bdf)
    words = said.split()
    refused = words[-1] not in ("done", "ok")
    story.step(row, f"device {bdf}",
               f"Device {bdf}{story.owner(bdf)}: its DMA {words[1]} of {row.facts['n']} bytes at "
               f"{row.facts['address']} is {words[-1]}.",
               source=(HERE + "device.cc", ""), title=("VT-d", "DMA Remapping"), chains=chains,
               marks=("fault",) if refused and "refused" in said else (),
               changes={f"device/{bdf}/dma": f"{words[1]} {row.facts['address']} n="
                                             f"{row.facts['n']} {words[-1]}"})
    story.chains.request_ends(bdf)


def _intx(story, row, bdf, said):
    up = row.facts["intx"] == "1"
    story.step(row, f"device {bdf}", f"Device {bdf} {'asserts' if up else 'lets go of'} its line.",
               source=(HERE + "messages.cc", "update_intx"), title=("PCI", "Interrupt Pins"),
               changes={f"device/{bdf}/intx": "asserted" if up else None})


TELLERS = {"message ": _message, "bar": _access, "dma ": _dma, "intx=": _intx}
