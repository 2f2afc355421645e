# SPDX-License-Identifier: MIT
"""
The tables of docs/peer.md: made of figures, written into the page, and read from it again.

From: tests/bench/peer.py (writes them), tests/bench/bench.py (shows KVM's figures beside Hamlet's),
tests/bench/scale.py (has tables of its own), tests/cases/test_peer.py, tests/judges/test_kvm.py

Figures: side -> way -> key -> {n, min, median, mean, p95, max}. A side is hamlet or kvm. A way is
posted, remapped or injected: how the device's interrupts come; injected is without APICv.
"""

import re
from pathlib import Path

from lab.say import Unusable

PAGE = Path(__file__).resolve().parents[2] / "docs/peer.md"
SIDES = ("hamlet", "kvm")

# Key of peer.elf, the operation, and what answers it under KVM.
OPERATIONS = [
    ("cpuid", "CPUID", "kernel"),
    ("vmcall", "VMCALL that does nothing", "kernel"),
    ("wrmsr_tsc_deadline", "WRMSR TSC_DEADLINE, disarmed", "kernel, a fast path"),
    ("wrmsr_tsc_armed", "WRMSR TSC_DEADLINE, armed: a tick", "kernel, a fast path"),
    ("in_pic", "IN 0x21, the mask of the first 8259", "kernel"),
    ("in_uart", "IN 0x3FF, of the UART", "QEMU"),
    ("out_cf8", "OUT 0xCF8", "QEMU"),
    ("config_vendor", "configuration read, vendor id", "QEMU, VFIO"),
    ("config_status", "configuration read, command and status", "QEMU, VFIO"),
    ("config_capability", "configuration read, a capability from hardware", "QEMU, VFIO"),
    ("msix_entry_read", "read of an MSI-X table entry", "QEMU"),
    ("io_bar_in8", "IN of the device's I/O BAR", "QEMU, VFIO; Hamlet passes the port"),
    ("bar_read", "read of the device's memory BAR", "the device, on both sides"),
    ("bar_write", "write to the device's memory BAR", "the device, on both sides"),
]
# An interrupt of the device, by what the vCPU is doing.
INTERRUPTS = [
    ("irq_running", "it runs"),
    ("irq_ready", "ready; another vCPU has the CPU, and then sleeps"),
    ("irq_halted_alone", "halted, the CPU idle"),
    ("irq_halted", "halted, the sender on another CPU"),
    ("irq_halted_polled", "the same, KVM still polls for it"),
]
# Way -> its words in the head of a table, and the rows.
TABLES = {"operations": ({"posted": "APICv", "injected": "no APICv"}, OPERATIONS),
          "interrupts": ({"posted": "posted", "remapped": "remapped", "injected": "no APICv"},
                         INTERRUPTS)}
# Hamlet does not poll. KVM polls where it posts, and so measured it is.
SAME = {("hamlet", "irq_halted_polled"): "irq_halted"}
ABSENT = {("kvm", "remapped", "irq_halted_polled"), ("kvm", "injected", "irq_halted_polled")}

# Two CPUs take turns by quanta, and a Linux that is idle does one thing or another as it wakes.
TWO_CPUS = ("irq_halted", "irq_halted_polled")
LOOSE = {(side, key) for side in SIDES for key in TWO_CPUS} | {("kvm", "irq_halted_alone")}


def wanted():
    """(side, way, key) of each figure that the tables show."""
    return [(side, way, key) for ways, rows in TABLES.values() for key, *_ in rows for way in ways
            for side in SIDES if ("kvm", way, key) not in ABSENT]


def medians(figures):
    """(side, way, key) -> median. Unusable, if one is not there."""
    found = {}
    for side, way, key in wanted():
        values = figures.get(side, {}).get(way, {}).get(SAME.get((side, key), key))
        if not values:
            raise Unusable(f"{side}, {way}: no figure for {key}")
        found[side, way, key] = values["median"]
    return found


def ratio(ours, theirs):
    if ours == theirs:
        return "equal"
    if min(ours, theirs) < 10:      # of nothing there is no multiple
        return "Hamlet direct" if ours < theirs else "KVM direct"
    return f"{theirs / ours:.1f}"


def made(name, found):
    """Lines of the table `name`."""
    ways, rows = TABLES[name]
    head = [""]
    for words in ways.values():
        head += [f"Hamlet, {words}", f"KVM, {words}", "KVM / Hamlet"]
    last = ["KVM has the answer from"] if name == "operations" else []
    lines = [f"|{' | '.join(head + last)} |", "|---" * len(head + last) + "|"]
    for key, words, *answers in rows:
        row = [words]
        for way in ways:
            pair = [found.get((side, way, key)) for side in SIDES]
            row += ["-"] * 3 if None in pair else [*map(str, pair), ratio(*pair)]
        lines.append("| " + " | ".join(row + answers) + " |")
    return lines


def _block(place):
    return re.compile(rf"(<!-- {place} -->\n)(.*?)(<!-- end -->)", re.S)


def put(page, place, lines):
    """The page with these lines in their place, between <!-- place --> and <!-- end -->."""
    text = "".join(f"{line}\n" for line in lines)
    page, count = _block(place).subn(lambda block: block[1] + text + block[3], page)
    if count != 1:
        raise Unusable(f"a page has {count} places <!-- {place} -->")
    return page


def cells(page, place):
    """The table in that place: a list of cells for each row, without its head."""
    block = _block(place).search(page)
    return [[cell.strip() for cell in line.strip("| ").split("|")]
            for line in block[2].splitlines()[2:]] if block else []


def written(page, found):
    """The page with its tables made of `found`."""
    for name in TABLES:
        page = put(page, f"make peer: {name}", made(name, found))
    return page


def told(page=None):
    """(side, way, key) -> median, as the tables of the page tell."""
    page = PAGE.read_text() if page is None else page
    found = {}
    for name, (ways, rows) in TABLES.items():
        keys = {words: key for key, words, *_ in rows}
        for words, *figures in cells(page, f"make peer: {name}"):
            for column, way in enumerate(ways):
                for side, cell in zip(SIDES, figures[3 * column:]):
                    if cell != "-":
                        found[side, way, keys[words]] = int(cell)
    return found


def near(side, key, figure):
    """How far another build, or another kernel of Debian's, may be off."""
    return max(200, figure // 2) if (side, key) in LOOSE else max(40, figure // 10)


def differences(page, counted):
    """Of two such dictionaries, what is too far apart: {(side, way, key): (told, counted)}."""
    return {place: (page.get(place), figure) for place, figure in counted.items()
            if place not in page
            or abs(page[place] - figure) > near(place[0], place[2], figure)}


def beside(page, name):
    """KVM's figure for a row of bench.py. `name`: WAY:KEY, or a key: with APICv (and without)."""
    way, colon, key = name.partition(":")
    if colon:
        return str(page["kvm", way, key])
    return f"{page['kvm', 'posted', name]} ({page['kvm', 'injected', name]})" if name else ""
