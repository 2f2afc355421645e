# SPDX-License-Identifier: MIT
"""
The house, as every check in tests/lint/ sees it: its rooms, its files, what they say of themselves.

A room is a folder. The table lists the rooms from the ground up; a file lies in the room of its
folder. A room may use itself and what its row allows: no include and no symbol leads anywhere else.
What has to call up is declared in a header named upcalls.h (tests/lint/rooms.py).
"""
import functools
import os
import re
import subprocess
from pathlib import Path

# HOUSE=path: look at another tree than this one
ROOT = Path(os.environ.get("HOUSE") or Path(__file__).resolve().parents[3])
BUILT = ROOT / os.environ.get("O", "build")

ROOMS = ( # lowest first: folder, what lies there, what it may use
    ("lib", "what knows no hardware: types, bits, strings, parsing, wire formats", ""),
    ("arch", "this PC as it would be without virtualization", "all below"),
    ("pci", "PCI as hardware", "all below"),
    ("vtd", "VT-d as hardware", "all below"),
    ("vmx", "VT-x as hardware: capabilities, VMCS, EPT, bitmaps", "all below but vtd pci"),
    ("vmx/vcpu", "one vCPU: its registers, interrupts, debug state", "all below but vtd pci"),
    ("vmx/exit", "a decoder for each family of exits", "all below but vtd pci"),
    ("vmx/show", "what a vCPU was doing, in words", "all below but vtd pci"),
    ("vmx/run", "entry, exit table, and which vCPU runs where", "all below but vtd pci"),
    ("guest/core", "a VM's memory, its buses, its state", "all below"),
    ("guest/insn", "bytes of an instruction to its effect", "lib arch"),
    ("guest/load", "kernels and the tables they expect", "lib arch guest/core"),
    ("guest/pc", "virtual devices of the PC", "all below"),
    ("guest/pc/legacy", "chips of a PC before ACPI", "all below"),
    ("guest/assign", "a physical function in a VM", "all below"),
    ("guest/life", "VMs from their creation to their end", "all below"),
    ("monitor", "the console of a person: words, memory, whose console it is", "all below"),
    ("monitor/explain", "registers in words", "all below"),
    ("monitor/cmd", "a file for each group of commands", "all below"),
    ("monitor/gdb", "GDB at the serial port", "all below"),
    ("monitor/term", "keys, lines, and the table of commands", "all below"),
    ("boot", "from GRUB to the list of init calls", "all below"),
)
ORDER = [name for name, _, _ in ROOMS]
TOPS = list(dict.fromkeys(name.split("/")[0] for name in ORDER))
NOT_HERE = ("guest/programs/",) # guests, not the hypervisor


@functools.cache
def listed():
    """Every file that is, or will be, in git: paths as text, relative to the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted({name for name in out.splitlines() if (ROOT / name).is_file()})


@functools.cache
def sources(*suffixes):
    """The hypervisor's own files, without tests and guest programs."""
    suffixes = suffixes or (".c", ".h", ".asm")
    return [name for name in listed() if name.endswith(suffixes) and name.split("/")[0] in TOPS
            and "/" in name and not name.startswith(NOT_HERE)]


@functools.cache
def text(name):
    return (ROOT / name).read_text(errors="replace")


def room_of(name):
    """The nearest folder above a file that the table lists; "" if there is none."""
    folder = name.rpartition("/")[0]
    while folder and folder not in ORDER:
        folder = folder.rpartition("/")[0]
    return folder


@functools.cache
def may_use(room):
    """Names of all rooms that files of `room` may use, itself among them."""
    if room not in ORDER:
        return frozenset()
    said, below = ROOMS[ORDER.index(room)][2], ORDER[:ORDER.index(room)]
    if not said.startswith("all below"):
        return frozenset([room, *said.split()])
    without = said.removeprefix("all below").removeprefix(" but").split()
    return frozenset([room, *(name for name in below if name not in without)])


def private(header):
    """The folder that a header is kept to, with its slash, if it says "Private to vtd/."; or ""."""
    said = re.search(r"\bPrivate to ([\w/]+/)\.", text(header))
    return said[1] if said else ""


def head(name):
    """The comment in which a source says what it is: lines of text, and the number of the first."""
    lines = text(name).splitlines()
    if name.endswith(".asm"):
        said = []
        for line in lines:
            if not line.startswith(";"):
                break
            said.append(line.lstrip("; "))
        return said, 1
    for start, line in enumerate(lines):
        if line == "/*":
            end = next((n for n in range(start, len(lines)) if "*/" in lines[n]), start)
            return [re.sub(r"^ ?\*/? ?", "", line) for line in lines[start + 1:end]], start + 2
    return [], 1


@functools.cache
def functions(name):
    """Functions (in assembly: labels) that a file defines: name -> (line, is static)."""
    lines, found = text(name).splitlines(), {}
    for n, line in enumerate(lines):
        if name.endswith(".asm"):
            match = re.match(r"(\w+):", line)
            found.update({match[1]: (n + 1, False)} if match else {})
        elif line == "{" or (line.endswith("}") and re.match(r"\w.*\) ?\{.*\}$", line)):
            first = n if line != "{" else n - 1
            while first > 0 and not re.match(r"\w", lines[first]):
                first -= 1
            match = re.search(r"(?<!__attribute__\()\b(?!__attribute__)(\w+)\((?!\()", lines[first])
            if match:
                static = lines[first].startswith("static") or lines[first - 1].startswith("static")
                found.setdefault(match[1], (first + 1, static))
    return found


def line_of(name, word):
    """Where a file first names a word outside its head comment; 1 if it never does."""
    seen = [n for n, line in enumerate(text(name).splitlines(), 1)
            if re.search(rf"\b{re.escape(word)}\b", line)]
    after = [n for n in seen if n > head(name)[1] + len(head(name)[0])]
    return (after or seen or [1])[0]


def resolve(path, near=""):
    """The source that a path means: in the folder `near`, a whole path, or the end of only one."""
    names = sources()
    if f"{near}/{path}" in names:
        return f"{near}/{path}"
    if path in names or (ROOT / path).is_file():
        return path
    fits = [name for name in names if name.endswith("/" + path)]
    return fits[0] if len(fits) == 1 else None
