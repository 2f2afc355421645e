#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
What each mechanism buys: one guest and one device by plans A, B, C and D, as a table per operation:
exits of the guest, interrupts that Hamlet took for it, and instructions. In the lab a tick is an
instruction, so the figures are the same from run to run.

An interrupt is counted twice: on the only CPU, and with a CPU that the vCPU has for itself (ticks
of two CPUs are a little more than instructions). Messages that VT-d does not post go to the CPU of
their vCPU, so by B and C each is one exit. B injects at the next entry; C posts into the
descriptor, and the CPU delivers. D has no exit.

From: make plans, tests/cases/test_plans.py      To: guest/programs/plans.c, which counts
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from lab.say import Unusable, ended     # noqa: E402 (the path comes first)

PLANS = {
    "A": "everything trapped and forwarded",
    "B": "BARs direct, interrupts injected",
    "C": "as B, interrupts posted by Hamlet",
    "D": "as C, interrupts posted by VT-d",
}
MEASURED = ("register", "config", "interrupt")
OPERATIONS = (*MEASURED, "own CPU")
ROUNDS = 100
LEGEND = """
Each group is of one operation: its exits, the interrupts of the host that Hamlet took for it, and
all instructions, the guest's own too.
register: a read of a device register. By plan A it is an exit, and Hamlet decodes the instruction
  that the guest was at, and reads for it.
config: a read of configuration space, which is always trapped.
interrupt: from the write that raises it to its handler; the machine has one CPU.
own CPU: the same, the vCPU on the second of two CPUs, to which its messages go."""


def words(plan, cpus):
    """Of the VM: with two CPUs it has the second for itself."""
    return f"mem=8M,{'pin=1,' if cpus == 2 else ''}pci=1234:11e8,plan={plan}"


def figures(text):
    """{operation: (exits, interrupts taken by Hamlet, instructions)} per operation, of a
    run's console."""
    rows = re.findall(r"\| plans (\w+) exits=(\d+) taken=(\d+) ticks=(\d+)", text)
    return {name: (int(exits) / ROUNDS, int(taken) / ROUNDS, int(ticks) // ROUNDS)
            for name, exits, taken, ticks in rows}


def both(console):
    """console(cpus) runs it; the figures of one CPU, and the interrupt of two."""
    one, two = figures(console(1)), figures(console(2))
    return one | {"own CPU": two["interrupt"]}


def run(plan):
    def console(cpus):
        vm = f"kernel=build/guests/plans.elf,name=plan{plan},{words(plan, cpus)}"
        done = subprocess.run(["./hamlet", "run", "--on", "lab", "--cpus", str(cpus), "--timeout",
                               "60", "--vm", vm], cwd=ROOT, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, errors="replace")
        if done.returncode or set(figures(done.stdout)) != set(MEASURED):
            raise Unusable(f"plan {plan} ended with "
                           f"{done.returncode}:\n{done.stdout[-1500:]}{done.stderr[-500:]}")
        return done.stdout
    return both(console)


def main():
    print(" " * 44 + "".join(name.rjust(27) for name in OPERATIONS))
    print(" " * 44 + "exits taken instructions".rjust(27) * len(OPERATIONS))
    for plan, what in PLANS.items():
        found = run(plan)
        cells = (f"{found[name][0]:.2f}  {found[name][1]:.2f}  {found[name][2]:11d}".rjust(27)
                 for name in OPERATIONS)
        print(f"{plan}: {what}".ljust(44) + "".join(cells))
    print(LEGEND)


if __name__ == "__main__":
    sys.exit(ended("plans", main))
