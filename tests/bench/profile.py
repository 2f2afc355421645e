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

From: make profile, tests/bench/bench.py      To: build/hamlet.sym
"""

import collections
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from lab import machines, port          # noqa: E402 (the path comes first)
from lab.bochs import build             # noqa: E402
from lab.say import Unusable, ended     # noqa: E402

SYMBOLS = ROOT / "build/hamlet.sym"
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


def check(handler):
    """Unusable, before anything is started: no such function, no machine with a debugger's stub."""
    if not SYMBOLS.exists():
        raise Unusable(f"{SYMBOLS.relative_to(ROOT)} is not there: make all")
    names = subprocess.run(["nm", SYMBOLS], capture_output=True, text=True, check=True).stdout
    if not re.search(rf" [tT] {re.escape(handler)}(\.[\w.]+)?$", names, re.M):
        raise Unusable(f"{handler}: no function of Hamlet's, or one that has no code of its own")
    reason = machines.why_not("lab") or (None if shutil.which(GDB) else f"{GDB} is missing")
    if reason:
        raise Unusable(reason)
    build.ensure("gdb")     # the first time it takes minutes, longer than GDB may wait


@contextlib.contextmanager
def booted(number, vm, words, told):
    """The launcher, whose machine waits for GDB; what it tells its user goes to the file `told`."""
    machine = subprocess.Popen(["./hamlet", "run", "--on", "lab", "--debug", str(number),
                                "--timeout", "600", "--append", f"console=com1 {words}",
                                "--vm", vm], cwd=ROOT, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=told)
    try:
        yield machine
    finally:
        machine.terminate()
        machine.wait()


def followed(number, handler, machine):
    """What GDB prints until it ends. If the machine ends before it does, GDB may wait for long."""
    with tempfile.NamedTemporaryFile("w", suffix=".gdb") as script:
        script.write(SCRIPT.format(port=number, handler=handler, warm=WARM, longest=LONGEST))
        script.flush()
        gdb = subprocess.Popen([GDB, "-batch", "-nx", "-x", script.name, SYMBOLS], cwd=ROOT,
                               text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        while True:
            try:
                return gdb.communicate(timeout=1)[0]
            except subprocess.TimeoutExpired:
                if machine.poll() is not None:
                    gdb.kill()


def steps(handler, vm, words=""):
    """(function, first bytes) of each instruction."""
    check(handler)
    number = port.free()
    with tempfile.TemporaryFile("w+") as told:
        with booted(number, vm, words, told) as machine:
            said = followed(number, handler, machine)
            failed = machine.poll()
        told.seek(0)
        last = told.read().rstrip().rpartition("\n")[2].removeprefix("[hamlet] ")
    found = re.findall(r"^step (\S+) (\w+)$", said, re.M)
    if not found:
        raise Unusable(last if failed else f"{handler} is not reached {WARM + 1} times by {vm}; "
                       f"by another one: tests/bench/profile.py {handler} VM")
    return found


def is_vmcs(step):
    """VMREAD 0F 78, VMWRITE 0F 79, with or without a REX prefix."""
    return re.match(r"(4\w)?0f7[89]", step[1]) is not None


def main():
    if not 2 <= len(sys.argv) <= 4:
        raise Unusable("which function? HANDLER [VM [WORDS]], as make profile EXIT=exit_cpuid")
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
    sys.exit(ended("profile", main))
