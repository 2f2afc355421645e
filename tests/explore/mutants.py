#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Prove that the explorer sees: break one rule of the descriptor or of the scheduler at a time, and have it found.
`make explore`, or `tests/explore/mutants.py` from the root; a minute.
"""
import concurrent.futures
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLAGS = "-std=gnu11 -O1 -w -fno-pie -no-pie -DHAMLET_UNIT -DHAMLET_EXPLORE -DTRACE_NEVER -I. -mcx16".split()
PID, SCHED, RUN, APICV = "vmx/run/posted.c", "vmx/run/sched.c", "vmx/run/run.c", "vmx/vcpu/apicv.c"

# Before an entry Hamlet looks at PIR whatever ON says. Where the rule is about ON, it may only trust that.
TRUST_ON = [(RUN, "    apicv_fold(v);\n    if (v->halted)",
             "    if (atomic_load(&v->pid->control) & PID_ON)\n        apicv_fold(v);\n    if (v->halted)")]

# Whoever falls asleep looks at ON and at PIR, where ON alone would do.
ASLEEP_BY_ON = [(PID, "return !(old & PID_ON) && !pid_pending(pid);", "return !(old & PID_ON);")]

# These are right too: nothing may be found.
RIGHT = [("trusts ON before an entry", TRUST_ON), ("trusts ON when it falls asleep", ASLEEP_BY_ON)]

# The rule that is broken, and how: (file, text, other text).
MUTANTS = [
    ("SN the wrong way round: ready is notified", [(PID, "change(pid, 0, PID_SN);", "change(pid, PID_SN, 0);")]),
    ("SN the wrong way round: the poster", [(PID, "((old & PID_SN) && !urgent)", "(!(old & PID_SN) && !urgent)")]),
    ("SN stays set when it runs again", [(PID, "mask = PID_SN | PID_NV | PID_NDST;", "mask = PID_NV | PID_NDST;")]),
    ("ON not looked at again before it sleeps", [(PID, "return !(old & PID_ON) && !pid_pending(pid);", "return true;")]),
    ("NV set before it is on the wake list",
     [(SCHED, "    list_append(&q->halted, v);\n    bool sleeps = pid_to_halted(v->pid, this_cpu()->apic_id, apic_is_x2apic());\n",
       "    spin_unlock(&q->lock);\n    bool sleeps = pid_to_halted(v->pid, this_cpu()->apic_id, apic_is_x2apic());\n"
       "    spin_lock(&q->lock);\n    list_append(&q->halted, v);\n")]),
    ("halted with the vector of a running one",
     [(PID, "? VECTOR_ANV : VECTOR_WNV;", "? VECTOR_ANV : VECTOR_ANV;")]),
    ("PIR not folded before an entry", [(RUN, "    apicv_fold(v);\n    if (v->halted)", "    if (v->halted)")]),
    ("PIR not looked at when SN is cleared", [*TRUST_ON, (PID, "    if (pid_pending(pid)) /*", "    if (0) /*")]),
    ("PIR looked at before SN is cleared",
     [*TRUST_ON, (PID, "    notify(pid, TRACE_PID_RUNNING, apic_id, x2apic);\n    if (pid_pending(pid))",
                  "    bool some = pid_pending(pid);\n    notify(pid, TRACE_PID_RUNNING, apic_id, x2apic);\n    if (some)")]),
    ("ON not looked at before an entry", [(RUN, "(atomic_load(&v->pid->control) & PID_ON);", "0;")]),
    ("ON cleared after PIR was taken",
     [(PID, "change(pid, PID_ON, 0); /* first", "atomic_load(&pid->control); /* first"),
      (PID, "    return lowest >= 0;\n}", "    change(pid, PID_ON, 0);\n    return lowest >= 0;\n}")]),
    ("PIR taken with a load and a store",
     [(PID, "atomic_exchange(&pid->pir[i], 0);", "atomic_load(&pid->pir[i]);\n        atomic_store(&pid->pir[i], 0);")]),
    ("ON looked at before PIR is set",
     [(PID, "    atomic_fetch_or(&pid->pir[vector / 64], BIT(vector % 64));\n    uint64_t old = atomic_load(&pid->control);\n",
       "    uint64_t old = atomic_load(&pid->control);\n    if (!(old & (PID_ON | PID_SN)))\n"
       "        old = atomic_fetch_or(&pid->control, PID_ON);\n"
       "    atomic_fetch_or(&pid->pir[vector / 64], BIT(vector % 64));\n")]),
    ("the control word written, not replaced",
     [*ASLEEP_BY_ON, (PID, "    while (!atomic_replace(&pid->control, &old, (old & ~mask) | value))\n        ;\n",
       "    atomic_store(&pid->control, (old & ~mask) | value);\n")]),
    ("NDST stays behind when it migrates",
     [(PID, "mask = PID_SN | PID_NV | PID_NDST;", "mask = PID_SN | PID_NV;"),
      (PID, " | destination(apic_id, x2apic);", ";")]),
    ("a stopped one is still notified", [(SCHED, "    pid_to_ready(v->pid);\n    spin_lock(&q->lock);\n    q->load--;",
                                          "    spin_lock(&q->lock);\n    q->load--;")]),
    ("a request does not keep it awake", [(SCHED, "if (sleeps && !(atomic_load(&v->requests) & REQUESTS_UNSEEN))", "if (sleeps)")]),
    ("the wake-up wakes nobody", [(SCHED, "        halted_to_ready(q, v);\n        (void)share", "        (void)share")]),
]


def compiled(tree):
    program = tree / "posting"
    subprocess.run(["gcc", *FLAGS, "tests/explore/posting.c", "tests/explore/explore.c", "-o", program], cwd=tree, check=True)
    return program


def found(mutant):
    """What the explorer says of a tree with this rule broken; None: it finds nothing."""
    with tempfile.TemporaryDirectory() as folder:
        tree = pathlib.Path(folder)
        for part in ("arch", "vmx", "tests/explore"):
            shutil.copytree(ROOT / part, tree / part)
        for name, old, new in mutant[1]:
            path = tree / name
            text = path.read_text()
            if text.count(old) != 1:
                sys.exit(f"mutants: {mutant[0]!r}: {name} has not exactly one {old!r}")
            path.write_text(text.replace(old, new))
        try:
            run = subprocess.run([compiled(tree), "quick"], capture_output=True, text=True, timeout=300)
        except subprocess.TimeoutExpired:
            return "it never ends"
        said = [line for line in run.stdout.splitlines() if "FAILED" in line]
        return said[0].replace("explore: FAILED: ", "").replace(", after", "") if said else None


def main():
    survivors = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for mutant, how in zip(MUTANTS, pool.map(found, MUTANTS)):
            print(f"{'found   ' if how else 'SURVIVED'} {mutant[0]}: {how or 'nobody noticed'}", flush=True)
            survivors += how is None
        for (words, _), how in zip(RIGHT, pool.map(found, RIGHT)):
            print(f"{'WRONGLY FOUND' if how else 'passed  '} {words}")
            survivors += how is not None
    print(f"{len(MUTANTS)} rules broken, {survivors} not found")
    return survivors > 0


if __name__ == "__main__":
    sys.exit(main())
