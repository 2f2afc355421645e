#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
What each mechanism buys: one guest and one device by plans A, B, C and D, as a table of exits and instructions per
operation. In the lab a tick is an instruction, so the figures are the same from run to run.

From: make plans, tests/cases/test_plans.py      To: guest/programs/plans.c, which counts
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLANS = {
    "A": "everything trapped and forwarded",
    "B": "BARs direct, config space trapped",
    "C": "as B, interrupts redirected by Hamlet",
    "D": "as C, DMA and interrupts by VT-d",
}
OPERATIONS = ("register", "config", "interrupt")
ROUNDS = 100


def figures(text):
    """{operation: (exits, instructions)} per operation, of a run's console."""
    rows = re.findall(r"\| plans (\w+) exits=(\d+) ticks=(\d+)", text)
    return {name: (int(exits) / ROUNDS, int(ticks) // ROUNDS) for name, exits, ticks in rows}


def run(plan):
    vm = f"kernel=build/guests/plans.elf,name=plan{plan},mem=8M,pci=1234:11e8,plan={plan}"
    done = subprocess.run(["./hamlet", "run", "--on", "lab", "--timeout", "60", "--vm", vm], cwd=ROOT,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    found = figures(done.stdout)
    if done.returncode or set(found) != set(OPERATIONS):
        sys.exit(f"plans: plan {plan} ended with {done.returncode}:\n{done.stdout[-1500:]}{done.stderr[-500:]}")
    return found


def main():
    print("exits and instructions per".ljust(45) + "".join(name.rjust(18) for name in OPERATIONS))
    for plan, what in PLANS.items():
        found = run(plan)
        cells = (f"{found[name][0]:6.2f} {found[name][1]:8d}".rjust(18) for name in OPERATIONS)
        print(f"{plan}: {what}".ljust(45) + "".join(cells))


if __name__ == "__main__":
    main()
