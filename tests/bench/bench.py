#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
What operations cost, as a table and as build/bench.json: an object per machine. In the lab a tick of the TSC is an
instruction, so the figures are instructions, the same from run to run; nothing here is a measurement of time.

From: make bench      To: guest/programs/bench.c, which counts
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Key, what is counted, the most that it may be (None: no promise), KVM's figure in the same Bochs (without / with APICv).
ROWS = [
    ("cpuid_exit", "CPUID, exit to next guest instruction", 250, "1249 / 1315"),
    ("vmcall", "VMCALL that does nothing", 250, "3554 / 3711"),
    ("trapped_in", "IN of an emulated port", 400, "1432 / 1540"),
    ("passed_in", "IN of an assigned device's port", 5, "5081 / 5976"),
    ("direct_mmio_read", "read of an assigned device's register", 5, "7501 / 7963"),
    ("trace_on_cost", "what a trace adds to an exit", 59, ""),
    ("trace_off_cost", "what looking whether there is one adds", 5, ""),
    ("boot_to_guest", "from Hamlet's first instruction to the guest's", None, ""),
]


def figures(machine, *words):
    vm = "kernel=build/guests/bench.elf,name=bench,mem=16M,pci=1234:11e8"
    run = subprocess.run(["./hamlet", "run", "--on", machine, "--vm", vm, "--timeout", "120", *words], cwd=ROOT,
                         stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    if run.returncode:
        sys.exit(f"bench: the run on {machine} ended with {run.returncode}:\n{run.stdout[-2000:]}{run.stderr[-500:]}")
    found = {key: int(value) for key, value in re.findall(r"\| bench (\w+)=(\d+)", run.stdout)}
    entry = int(re.search(r"entry_tsc=(\d+)", run.stdout).group(1))
    found["boot_to_guest"] = found.pop("start_tsc") - entry
    return found


def trace_costs(plain):
    """The same exit with a trace, and by a Hamlet that was built without any."""
    subprocess.run(["make", "-s", "O=build/no-trace", "EXTRA_CFLAGS=-DTRACE_NEVER", "build/no-trace/hamlet.elf"], cwd=ROOT, check=True)
    traced = figures("lab", "--append", "console=com1 trace=on")
    without = figures("lab", "--kernel", "build/no-trace/hamlet.elf")
    return {"trace_on_cost": traced["cpuid_exit"] - plain["cpuid_exit"],
            "trace_off_cost": plain["cpuid_exit"] - without["cpuid_exit"]}


def main():
    results = {"lab": figures("lab")}
    results["lab"] |= trace_costs(results["lab"])
    (ROOT / "build/bench.json").write_text(json.dumps(results, indent=2) + "\n")
    over = []
    print(f"{'lab: instructions per operation':52} {'Hamlet':>10} {'at most':>8}  KVM without / with APICv")
    for key, words, limit, kvm in ROWS:
        value = results["lab"][key]
        print(f"{key:17} {words:46} {value:10} {limit or '':>8}  {kvm}".rstrip())
        if limit and value > limit:
            over.append(key)
    if over:
        sys.exit(f"bench: more than it may cost: {', '.join(over)}")


if __name__ == "__main__":
    main()
