#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Who writes a member of struct vcpu or struct vm stands above it, and nothing else writes it.

- a comment in the struct that names files or rooms opens a group: its members are theirs
- a write is `v->member = ...` (vcpu) or `vm->member = ...` (VM), each assignment and atomic change;
  the names `v` and `vm` are those of the house
- the file that makes one sets every member
- a group whose comment names no file is open to every file that the struct is visible in
"""
import re
import sys

from house import TOPS, room_of, sources, text
from house.report import report

STRUCTS = ( # where, its name, the variables that point to one, the file that makes one
    ("vmx/vcpu/vcpu.h", "vcpu", "v", "vmx/vcpu/vcpu.c"),
    ("guest/core/vm.h", "vm", "vm", "guest/life/create.c"))
PATH = re.compile(rf"\b(?:{'|'.join(TOPS)})/[\w/]*(?:\.c|\.h|\.asm)?")


def groups(header, name):
    """(member, owners, is a pointer) of a struct, in order; owners empty: any file."""
    body = re.search(rf"^struct {name} \{{\n(.*?)^\}};", text(header), re.S | re.M)[1]
    body = re.sub(r"\{[^{}]*\}", lambda inner: re.sub(r"[^\n]", " ", inner[0]), body)
    owners = []
    for part in re.finditer(r"/\*(.*?)\*/|([^;/]+);", body, re.S):
        comment, member = part[1], part[2]
        starts = body[:part.start()].rpartition("\n")[2].strip() == ""
        if comment and starts:
            owners = PATH.findall(comment)
        elif member:
            for one in member.split(","):
                word = re.findall(r"\w+", re.sub(r"\[.*", "", one))
                if word:
                    yield word[-1], owners, "*" in one


def writes(name, variable, member, pointer):
    """Lines of a file that change a member; what a pointer points to is another matter."""
    place = rf"\b{variable}->{member}\b" + ("" if pointer else r"(?:\[[^\]]*\]|\.\w+)*")
    change = rf"(?:(?:\+\+|--){place}|{place}\s*(?:=(?!=)|\+\+|--|[-+|&^]=|<<=|>>=)" \
             rf"|atomic_(?!load)\w+\(&{place})"
    for number, line in enumerate(text(name).splitlines(), 1):
        if re.search(change, line):
            yield number


def allowed(name, owners):
    return any(name == owner or owner.endswith("/") and name.startswith(owner) or
               room_of(name) == owner.rstrip("/") for owner in owners)


def find():
    for header, struct, variable, maker in STRUCTS:
        for member, owners, pointer in groups(header, struct):
            for name in sources(".c", ".h"):
                if name in (header, maker) or not owners or allowed(name, owners):
                    continue
                for number in writes(name, variable, member, pointer):
                    yield name, number, \
                        f"{variable}->{member} is written by {', '.join(owners)} ({header})"


def main():
    return report("owners", [*find()])


if __name__ == "__main__":
    sys.exit(main())
