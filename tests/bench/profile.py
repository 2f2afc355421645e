#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Where the instructions of one VM exit go: one line per function, from the exit to the next entry.
And those of a host interrupt that ends the sleep of an idle CPU, to the entry of whom it wakes up.

    tests/bench/profile.py HANDLER [VM [WORDS]]

HANDLER: a function of the exit table, exit_cpuid, or one behind it; or the handler of an interrupt,
on_wake_up. WORDS: of the command line.

The lab machine is stopped by the emulator's own GDB stub when HANDLER is reached for the 20th time;
the next exit or interrupt that comes to it is followed instruction by instruction, until a guest
runs again, or the CPU sleeps. "VMCS" counts VMREAD and VMWRITE, which cost some 30 cycles each on
hardware and one here.

From: make profile      To: build/hamlet.sym
"""

import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from lab import port    # noqa: E402

VM = "kernel=build/guests/peer.elf,name=peer,mem=64M,pci=1234:11e8,cmdline=test=1"
WARM = 20                # exits before the one that is followed
LONGEST = 100000         # instructions
GDB = os.environ.get("GDB", "gdb")
SCRIPT = r'''
set pagination off
set confirm off
set tcp connect-timeout 600
python
import re
# vmx_exit_point, and, behind the two instructions of a vector's stub, interrupt_common
BEGINNINGS = ("vmx_exit_point", "interrupt_common")

def word_at(place):
    return int(gdb.parse_and_eval("*(unsigned long *)(%s)" % place))

# A guest has other code at the same addresses. As long as no machine is there, GDB reads the file.
ours = {{name: word_at("&" + name) for name in (*BEGINNINGS, "{handler}")}}
gdb.execute("target remote :{port}")

def pc():
    return int(gdb.parse_and_eval("$pc").cast(gdb.lookup_type("long")))

def name_at(address):
    return gdb.execute("info symbol 0x%x" % address, to_string=True).split()[0]

def stopped_at():
    """The name of a breakpoint that Hamlet has reached; the stub stops for other reasons, too."""
    gdb.execute("continue", to_string=True)
    name = name_at(pc())
    return name if name in ours and ours[name] == word_at("&" + name) else None

def follow():
    """One exit or interrupt, to the VMRESUME that ends it, the VMLAUNCH of another vCPU, or HLT."""
    found = []
    while len(found) < {longest} and not (found and re.match("0f01c[32]|f4", found[-1][1])):
        code = bytes(gdb.selected_inferior().read_memory(pc(), 3)).hex()
        name = name_at(pc())
        found.append((name, code))
        if re.match("f3(48)?a[45ab]", code):    # REP: each element takes a tick
            found += [(name, "")] * (int(gdb.parse_and_eval("$rcx")) - 1)
        gdb.execute("stepi", to_string=True)
    return found

gdb.execute("hbreak {handler}")
arrived = 0
while arrived < {warm}:
    arrived += stopped_at() == "{handler}"
gdb.execute("delete")
for name in BEGINNINGS:
    gdb.execute("hbreak " + name)
found = []
while "{handler}" not in [name for name, _ in found]:
    found = follow() if stopped_at() in BEGINNINGS else []
for step in found:
    print("step", step[0], step[1] or "rep")
end
kill
'''


def steps(handler, vm, words=""):
    """(function, first bytes) of each instruction."""
    number = port.free()
    machine = subprocess.Popen(["./hamlet", "run", "--on", "lab", "--debug", str(number),
                                "--timeout", "600", "--append", f"console=com1 {words}",
                                "--vm", vm], cwd=ROOT,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        with tempfile.NamedTemporaryFile("w", suffix=".gdb") as script:
            script.write(SCRIPT.format(port=number, handler=handler, warm=WARM, longest=LONGEST))
            script.flush()
            run = subprocess.run([GDB, "-batch", "-nx", "-x", script.name,
                                  "build/hamlet.sym"], cwd=ROOT, capture_output=True, text=True,
                                 timeout=600)
    finally:
        machine.kill()
    found = re.findall(r"^step (\S+) (\w+)$", run.stdout, re.M)
    if not found:
        sys.exit(f"profile: {run.stdout[-1000:]}{run.stderr[-1000:]}")
    return found


def is_vmcs(step):
    """VMREAD 0F 78, VMWRITE 0F 79, with or without a REX prefix."""
    return re.match(r"(4\w)?0f7[89]", step[1]) is not None


def main():
    if not 2 <= len(sys.argv) <= 4 or not shutil.which(GDB):
        sys.exit(__doc__)
    found = steps(sys.argv[1], *(sys.argv[2:] or [VM]))
    count, vmcs = collections.Counter(), collections.Counter()
    for name, code in found:
        count[name] += 1
        vmcs[name] += is_vmcs((name, code))
    print(f"{'function':32} instructions  VMCS")
    for name, n in count.most_common():
        print(f"{name:32} {n:12} {vmcs[name] or '':>5}".rstrip())
    print(f"{'in all':32} {sum(count.values()):12} {sum(vmcs.values()):5}")


if __name__ == "__main__":
    main()
