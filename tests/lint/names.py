#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
A name says where it lives: one can find a function without a search.

- a public function begins with the name of its file (vcpu_ in vcpu.c, vlapic_ in vlapic_irq.c
  beside vlapic.c), of its room (pci_, exit_), or with a prefix of the room in the table below;
  a number may follow (cr0_ in cr.c)
- an upcall (upcalls.h) begins as its declaration has it; functions of ISO C keep their names
- a static function's name is used once in a room
"""
import re
import sys

from house import functions, room_of, sources
from house.graph import graph, upcalls
from house.report import report

AGREED = { # room: prefixes beside the names of its files and its own
    # the log's lines and bytes go to the console; more than one page; what paging maps; an
    # instruction of the SDM, or a read of one byte, that may fault; what a spinlock does
    "arch": ("console", "pages", "mmio", "firmware", "rdmsr", "wrmsr", "read8", "spin"),
    "boot": ("hamlet",), # hamlet_main: the entry of the whole
    "vmx": ("vmx", "vmcs", "vm_instruction", "exit_reason"),
    "vmx/run": ("vmx", "vcpu"),
    "vmx/vcpu": ("vcpu",),
    "vmx/show": ("vcpu",),
    "guest/core": ("vm", "vcpu"), # the vCPUs of a VM
    "guest/life": ("vm",),
    "monitor": ("complain", "word"), # about a word of the line
    "monitor/gdb": ("cmd",), # the command that starts it
}
ISO_C = set("memcpy memmove memset memcmp strlen strcmp strncmp strchr snprintf vsnprintf".split())


def prefixes(name):
    room, stem = room_of(name), name.rpartition("/")[2].rpartition(".")[0]
    stem = re.sub(r"\d+$", "", stem)
    found = {stem, *room.split("/"), *AGREED.get(room, ())}
    first = stem.partition("_")[0]
    if any(f"{room}/{first}{ending}" in sources() for ending in (".c", ".h")):
        found.add(first)
    return found


def check_public():
    called = {function for _, _, function, _ in upcalls()} | ISO_C
    for name, symbols in graph().defined.items():
        if name.endswith(".asm"):
            continue
        own = functions(name)
        for function in sorted(symbols & set(own) - called):
            fits, line = sorted(prefixes(name)), own[function][0]
            if not re.match(rf"({'|'.join(fits)})\d*(_|$)", function):
                yield name, line, f"{function}() begins with none of {'_, '.join(fits)}_"


def check_static():
    seen = {}
    for name in sources(".c"):
        for function, (line, static) in functions(name).items():
            if static:
                seen.setdefault((room_of(name), function), []).append((name, line))
    for (_, function), places in seen.items():
        for name, line in places[1:]:
            yield name, line, \
                f"{function}() is another function in {places[0][0]}:{places[0][1]}"


def main():
    return report("names", [*check_public(), *check_static()])


if __name__ == "__main__":
    sys.exit(main())
