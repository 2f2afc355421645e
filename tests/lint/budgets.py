#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
No guest writes as many lines of the log as it likes.

What a guest can cause begins at an exit, at an interrupt of a device, or at a tick that carries out
what a guest asked for. From there every function is followed that is called, or whose address is
taken, in that function. None of them uses log_info, log_error or FAIL: those lines have no limit.
Some functions end what the guest can do, so what they print comes once (ENDS).
"""
import collections
import re
import sys

from house import functions, room_of, sources, text
from house.report import report

# Where a guest's doings enter, besides functions of GUESTS whose address is taken there.
ROOTS = ["vcpu_on_in", "vcpu_on_out", "vcpu_on_gpa", "vcpu_on_vmcall", "vcpu_on_rdmsr",
         "vcpu_on_wrmsr", "vcpu_on_dead_halt", "apic_on_write", "apic_on_init", "apic_on_eoi",
         "apic_on_timer", "irq_dispatch", "fault_interrupt", "fault_arrived", "assign_tick",
         "vm_follow_up", "legacy_poll"]
GUESTS = ("guest/pc", "guest/pc/legacy", "guest/assign", "guest/core", "vmx/exit")
ENDS = {"vcpu_on_crash": "the VM ends", "exit_unexpected": "the VM ends",
        "vm_load": "after a failure the VM ends", "panic_at": "the machine stops",
        "panic_begin": "the machine stops", "panic_from": "the machine stops"}
UNLIMITED = re.compile(r"\b(log_info|log_error|FAIL)\(")


def bodies(name):
    """function -> (line, its text without comments and strings)"""
    lines, starts = text(name).splitlines(), {}
    for function, (line, _) in functions(name).items():
        end = line
        while end < len(lines) and not re.match(r"\}|\w.*\}$", lines[end - 1]):
            end += 1
        body = "\n".join(lines[line - 1:end])
        body = re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', re.sub(r"/\*.*?\*/", "", body, flags=re.S))
        starts[function] = (line, body)
    return starts


def known():
    """(file, function) -> (line, text), and function -> its files; static ones by their file."""
    found, files = {}, collections.defaultdict(list)
    for name in sources(".c"):
        for function, what in bodies(name).items():
            found[name, function] = what
            files[function].append(name)
    return found, files


def target(name, word, files):
    """The function that a word of a file means; None: it is none."""
    if name in files.get(word, ()):
        return name, word
    others = [other for other in files.get(word, ()) if not functions(other)[word][1]]
    return (others[0], word) if others else None


def taken(found, files):
    """Functions of GUESTS whose address stands somewhere in these rooms."""
    for name in sources(".c"):
        if room_of(name) in GUESTS:
            code = re.sub(r"/\*.*?\*/", "", text(name), flags=re.S)
            for word in set(re.findall(r"\b([a-z]\w+)\b(?!\s*\()", code)):
                at = target(name, word, files)
                if at and at in found:
                    yield at


def reached(found, files):
    """Every function that a guest can make run, and by which one."""
    todo = [at for root in ROOTS for at in [(files[root][0], root)]] + list(taken(found, files))
    seen = dict.fromkeys(todo)
    while todo:
        at = todo.pop()
        for word in set(re.findall(r"\b[a-z]\w+\b", found[at][1])):
            other = target(at[0], word, files)
            if other and other not in seen and word not in ENDS:
                seen[other] = at
                todo.append(other)
    return seen


def main():
    found, files = known()
    missing = [root for root in [*ROOTS, *ENDS] if root not in files]
    findings = [("tests/lint/budgets.py", 1, f"there is no function {root}") for root in missing]
    for at, by in reached(found, files).items() if not missing else ():
        line, body = found[at]
        for match in UNLIMITED.finditer(body):
            way = f"{at[1]}() < {by[1]}()" if by else f"{at[1]}()"
            findings.append((at[0], line + body[:match.start()].count("\n"),
                             f"a guest can repeat this line: {way}; log_guest() or log_often()"))
    return report("budgets", findings)


if __name__ == "__main__":
    sys.exit(main())
