#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
What `./hamlet run --check` prints on processors from 2011 to 2024, as the lab machine has them:
check_texts.txt has each line once, behind the letters of the processors that print it. Started as a
program (make check-texts) it boots each of them and writes that file; `git diff` then shows what
has become different, for a person to judge.

From: tests/cases/test_check.py, make check-texts
To:   monitor/cmd/machine.c, vmx/caps.c (caps_lack), guest/programs/selftest.c
"""

import difflib
import re
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import case  # noqa: E402

FILE = Path(__file__).with_suffix(".txt")

# letter: Bochs' name of the processor
MODELS = {
    "S": "corei7_sandy_bridge_2600k", "V": "corei7_ivy_bridge_3770k", "H": "corei7_haswell_4770",
    "B": "broadwell_ult", "C": "corei3_cnl", "I": "corei7_icelake_u", "T": "tigerlake",
    "R": "sapphire_rapids", "A": "arrow_lake",
}

# Numbers that are N in the file, as they change with size and speed of Hamlet's own code. With the
# same image they are the same from run to run.
MASKED = [
    r"^hamlet: boot entry_tsc=(\d+) ",                      # GRUB reads the image
    r"^\[0\] vm: free-pages=(\d+)$",                        # what the image leaves
    r"^  root=0x(\w+) irta=0x(\w+)\w{3} queue ",            # pages behind the image
    r" kernel=ELF64 .* entry=0x(\w+)$",                     # the linker of the guest
    r"^\[0\] boot: us=(\d+) own=(\d+) serial=(\d+) memory=(\d+) devices=(\d+)$",
    r"^selftest\| cycles: cpuid=(\d+) vmcall=(\d+) in=(\d+)$",
    r"^selftest\| cycles: [a-z-]+=(\d+)$",
    r"^hamlet: vm=selftest exits\.io-instruction=(\d+)$",      # for each digit of "cycles:"
    r"^hamlet: vm=selftest exit=1 exits=(\d+) ",
]
# Lines that are there or not for the same reason: a tick falls into the guest, or beside it.
LEFT_OUT = (r"^hamlet: vm=selftest exits\."
            r"(external-interrupt|interrupt-window|vmx-preemption-timer-expired)=")


def a_case(letter):
    return case.Case(f"check-{MODELS[letter]}", cpus=2, machine={"model": MODELS[letter]},
                     vms=["kernel=selftest.elf,mem=16M,vcpus=2"], append="console=com1 check=on",
                     exits={"selftest": 1})


def printed(text):
    """The lines of Hamlet and its guest, as they are compared: a kind of exit has a line."""
    lines = []
    for line in text[text.index("hamlet: boot "):].rstrip().splitlines():
        name, *counts = line.split(" exits.")
        lines += [f"{name} exits.{count}" for count in counts] or [line]
    return [masked(line.rstrip()) for line in lines if not re.search(LEFT_OUT, line)]


def masked(line):
    for pattern in MASKED:
        found = re.search(pattern, line)
        for group in range(len(found.groups()) if found else 0, 0, -1):
            line = line[:found.start(group)] + "N" + line[found.end(group):]
    return line


def rows():
    """(letters, line) of the file; its head has none."""
    for row in FILE.read_text().splitlines():
        letters, bar, line = row.partition("|")
        if bar and not row.startswith("#"):
            yield letters, line


def expected(letter):
    return [line for letters, line in rows() if letter in letters]


def difference(letter, text):
    """"" or what is missing (-) and what is new (+), with the lines around it."""
    name = MODELS[letter]
    return "\n".join(difflib.unified_diff(expected(letter), printed(text), f"{FILE.name}, {name}",
                                          "this run", lineterm="", n=2))


def merged(texts):
    """The rows for {letter: lines}. What several say of the same thing stands together."""
    table = []      # (the thing, {line: letters})
    for letter, lines in texts.items():
        table = _with(table, letter, lines)
    return [("".join(c if c in letters else " " for c in texts), line)
            for _, variants in table for line, letters in variants.items()]


def _with(table, letter, lines):
    named = [line.partition("=")[0] for line in lines]
    things = [name if named.count(name) == 1 else line for name, line in zip(named, lines)]
    out, new = [], list(zip(things, lines))
    match = difflib.SequenceMatcher(None, [thing for thing, _ in table], things, autojunk=False)
    for what, a, a_end, b, b_end in match.get_opcodes():
        if what == "equal":
            for (thing, variants), (_, line) in zip(table[a:a_end], new[b:b_end]):
                out.append((thing, {**variants, line: variants.get(line, "") + letter}))
        else:
            out += table[a:a_end] + [(thing, {line: letter}) for thing, line in new[b:b_end]]
    return out


def head():
    return ["# SPDX-License-Identifier: MIT",
            "# What `./hamlet run --check` prints on nine processors. Before each line stand the",
            "# letters of those that print it. N: a number that says nothing of the processor.",
            "# Written by make check-texts; tests/cases/check_texts.py.",
            *(f"#  {letter} {name}" for letter, name in MODELS.items())]


def write(texts):
    FILE.write_text("\n".join([*head(), *(f"{letters}|{line}" for letters, line in merged(texts))])
                    + "\n")


def main():
    def run(letter):
        with tempfile.TemporaryDirectory(prefix="hamlet-check-") as scratch:
            return letter, printed(case.run(a_case(letter), Path(scratch)).text)

    with ThreadPoolExecutor(2) as pool:
        write(dict(pool.map(run, MODELS)))
    print(f"wrote {FILE.relative_to(case.ROOT)}; what is different: git diff")


if __name__ == "__main__":
    sys.exit(main())
