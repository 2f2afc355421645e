#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Prove that the explorers see: break one rule of the descriptor, of the scheduler, of a vector's
end or of a unit's faults at a time, and have it found. A rule of the descriptor is broken twice:
the second time only the CPUs of guests post, by IPI virtualization. `make explore`, or
`tests/explore/explore_mutants.py` from the root; a minute.
"""
import concurrent.futures
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLAGS = ("-std=gnu11 -O1 -w -fno-pie -no-pie -DHAMLET_UNIT -DHAMLET_EXPLORE -DTRACE_NEVER "
         "-I. -mcx16").split()
PID, POST_TAKE, FOLD = "vmx/vcpu/posted.c", "vmx/vcpu/posted.h", "vmx/vcpu/apicv.c"
SCHED, RUN, POST = "vmx/run/sched.c", "vmx/run/run.c", "vmx/run/post.c"
START, WAKE = "vmx/run/sched_start.c", "vmx/run/sched_wake.c"
IRQ, FAULT, DEAD = "arch/irq.c", "vtd/fault.c", "guest/life/dead.c"
# Which explorer runs a broken file; every other one is tests/explore/posting.c's.
EXPLORERS = {IRQ: "irq", FAULT: "fault"}

# Before an entry Hamlet looks at PIR if ON is set, or for the request of to_running(). Where the
# rule is about ON, it may only trust that.
TRUST_ON = [(RUN, "        apicv_fold(v);\n    }\n", "    }\n")]

# This is right too: nothing may be found.
RIGHT = [("trusts ON before an entry", TRUST_ON)]

# What a post by a guest's own CPU does not meet: two rules are the software poster's, one needs an
# exit that changes no state, one another CPU's request, and the others an INIT, a deadline, or a
# VM whose vCPUs all sleep, which those searches do not have.
NOT_BY_ICR = ("SN the wrong way round: the poster", "ON looked at before PIR is set",
              "a post by its own exit not looked at", "a kick's request not looked at",
              "an INIT takes the stop behind it away", "a stop takes the INIT away",
              "an earlier STARTUP is taken away before the INIT is there",
              "two STARTUPs have one request", "a VM's vCPUs are looked at once",
              "what comes is asked for before the others are looked at",
              "one that is woken up as it falls asleep is taken for dead",
              "a deadline is not looked at before an entry",
              "the host's timer does not serve one that falls asleep",
              "the host's timer stays at a later deadline")

# The rule that is broken, and how: (file, text, other text).
MUTANTS = [
    ("SN the wrong way round: ready is notified",
     [(PID, "atomic_fetch_or(&d->control, PI_SN);", "atomic_fetch_and(&d->control, ~PI_SN);")]),
    ("SN the wrong way round: the poster",
     [(POST_TAKE, "if (old & (PI_ON | PI_SN)) {", "if ((old & PI_ON) || !(old & PI_SN)) {")]),
    ("SN stays set when it runs again",
     [(PID, "mask = PI_SN | PI_NV | PI_NDST;", "mask = PI_NV | PI_NDST;")]),
    ("ON not looked at again before it sleeps",
     [(PID, "return !(notify(d, TRACE_PID_HALTED, ndst) & PI_ON);",
       "return notify(d, TRACE_PID_HALTED, ndst), true;")]),
    ("NV set before it is on the wake list",
     [(SCHED,
       "    list_append(&q->halted, v);\n    bool sleeps = posted_to_halted(v->pi_desc, "
       "q->ndst);\n",
       "    spin_unlock(&q->lock);\n    bool sleeps = posted_to_halted(v->pi_desc, q->ndst);\n"
       "    spin_lock(&q->lock);\n    list_append(&q->halted, v);\n")]),
    ("halted with the vector of a running one",
     [(PID, "? VECTOR_ANV : VECTOR_WNV;", "? VECTOR_ANV : VECTOR_ANV;")]),
    ("PIR not folded before an entry",
     [(RUN, "    if (is_notified(v))\n        apicv_fold(v);\n", "")]),
    ("a slice begins without attend()",
     [(SCHED, "    v->alarm = 0; /* a slice begins with attend() */\n", "")]),
    ("PIR not looked at when SN is cleared",
     [*TRUST_ON, (PID, "    if (!posted_pending(d))", "    if (1)")]),
    ("PIR looked at before SN is cleared",
     [*TRUST_ON,
      (PID, "    uint64_t old = notify(d, TRACE_PID_RUNNING, ndst);\n",
       "    bool some = posted_pending(d);\n    uint64_t old = notify(d, TRACE_PID_RUNNING, "
       "ndst);\n    if (!some)\n        return;\n")]),
    ("a post by its own exit not looked at",
     [(POST, "        apicv_fold(v); /* v", "        (void)0; /* v")]),
    ("a kick's request not looked at",
     [(SCHED, "    if (atomic_load(&v->requests))\n        v->al", "    if (0)\n        v->al")]),
    ("ON cleared after PIR was taken",
     [(where, old, new) for where in (FOLD, PID) for old, new in (
         ("    posted_take_begin(d);\n", ""),
         ("    posted_record_taken(d, taken);\n", "    posted_take_begin(d);\n"))]),
    ("PIR taken with a load and a store",
     [(POST_TAKE, "*taken = atomic_exchange(&d->pir[i], 0);", "atomic_store(&d->pir[i], 0);")]),
    ("ON looked at before PIR is set",
     [(POST_TAKE,
       "    atomic_fetch_or(&d->pir[vector / 64], BIT(vector % 64));\n    uint64_t old = "
       "atomic_load(&d->control);\n",
       "    uint64_t old = atomic_load(&d->control);\n    if (!(old & (PI_ON | PI_SN)))\n"
       "        old = atomic_fetch_or(&d->control, PI_ON);\n"
       "    atomic_fetch_or(&d->pir[vector / 64], BIT(vector % 64));\n")]),
    ("the control word written, not replaced",
     [(PID, "    while (!atomic_replace(&d->control, &old, (old & ~mask) | value))\n        ;\n",
       "    atomic_store(&d->control, (old & ~mask) | value);\n")]),
    ("NDST stays behind when it migrates",
     [(PID, "mask = PI_SN | PI_NV | PI_NDST;", "mask = PI_SN | PI_NV;"),
      (PID, " | ndst;", ";")]),
    ("a stopped one is still notified",
     [(START, "    vcpu_release(v);\n    posted_to_ready(v->pi_desc);\n",
       "    vcpu_release(v);\n")]),
    ("a request does not keep it awake",
     [(SCHED, "if (sleeps && !(atomic_load(&v->requests) & REQUESTS_UNSEEN))", "if (sleeps)")]),
    ("the wake-up makes no vCPU ready",
     [(SCHED, "& PI_ON)\n            wake_here(q, v);", "& PI_ON)\n            ;")]),
    ("a deadline is not looked at before an entry",
     [(RUN, "deadline ? MIN(v->slice_end, deadline) : v->slice_end;", "v->slice_end;")]),
    ("the host's timer does not serve one that falls asleep",
     [(SCHED, "    if (sleeps)\n        timer_by(q, v->timer_deadline);\n", "")]),
    ("the host's timer stays at a later deadline",
     [(SCHED, "(q->timer && q->timer <= deadline)", "q->timer")]),
    ("a request brings a running one no exit",
     [(WAKE, "    bool kick = v->state == VCPU_RUNNING || q->idle;\n    if (v->state",
       "    bool kick = q->idle;\n    if (v->state")]),
    ("an INIT takes the stop behind it away",
     [(START, "    if (atomic_load(&v->requests) & VCPU_REQUEST_STOP)\n        state = "
       "VCPU_STOPPED;\n", "")]),
    ("a stop takes the INIT away",
     [(START, "~done);", "~(uint32_t)(VCPU_REQUEST_STOP | VCPU_REQUEST_INIT));"),
      (START, "        state = VCPU_STOPPED;\n    uint32_t", "        (void)0;\n    uint32_t")]),
    ("an earlier STARTUP is taken away before the INIT is there",
     [(START, "        vcpu_request(v, VCPU_REQUEST_INIT); /* first, or v could run with "
       "neither */\n", ""),
      (START, "~(uint32_t)VCPU_REQUEST_SIPIS);\n",
       "~(uint32_t)VCPU_REQUEST_SIPIS);\n        vcpu_request(v, VCPU_REQUEST_INIT);\n")]),
    ("two STARTUPs have one request",
     [(START, "        vcpu_request(v, VCPU_REQUEST_SIPI_2);\n",
       "        vcpu_request(v, VCPU_REQUEST_SIPI);\n"),
      (START, "(atomic_load(&v->requests) & VCPU_REQUEST_SIPI_2))\n        start_at_sipi(v);",
       "(atomic_load(&v->requests) & VCPU_REQUEST_SIPI))\n        start_at_sipi(v);")]),
    ("a VM's vCPUs are looked at once",
     [(DEAD, "    return are_dead(vm, besides) && vm_exits(vm) == exits;\n",
       "    return vm_exits(vm) == exits;\n")]),
    ("what comes is asked for before the others are looked at",
     [(DEAD, "    if (!all_dead(v->vm, v))\n", "    uint32_t comes = atomic_load(&v->requests);\n"
       "    if (!all_dead(v->vm, v))\n"),
      (DEAD, "    if (atomic_load(&v->requests) &", "    if (comes &")]),
    ("one that is woken up as it falls asleep is taken for dead",
     [(DEAD, " && !(requests & VCPU_REQUEST_FOLD)", "")]),
    ("a vector is freed without a wait for its handler",
     [(IRQ, "while (i != this_cpu()->index &&", "while (0 &&")]),
    ("a CPU looks at the handler before it announces the vector",
     [(IRQ, "    atomic_store(here, vector);", "    "),
      (IRQ, "    if (handler)\n",
       "    atomic_store(here, vector);\n    if (handler)\n")]),
    ("the vector is called free before its handler has ended",
     [(IRQ, "    if (handler)\n", "    atomic_store(here, 0);\n    if (handler)\n")]),
    ("the wait comes before the handler is taken out",
     [(IRQ, "    atomic_store(&irqs[vector].handler, NULL);\n    for", "    for"),
      (IRQ, "to leave a handler\");\n",
       "to leave a handler\");\n    atomic_store(&irqs[vector].handler, NULL);\n")]),
    ("a handler is installed before its context",
     [(IRQ, "        irqs[v].ctx = ctx;\n        atomic_store(&irqs[v].handler, handler);\n",
       "        atomic_store(&irqs[v].handler, handler);\n        atomic_store(&irqs[v].ctx, ctx);"
       "\n")]),
    ("the overflow is cleared only if it was seen before the records",
     [(FAULT, "    vtd_write32(u, VTD_FSTS, (uint32_t)FSTS_PFO);\n    return count;",
       "    if (status & FSTS_PFO)\n        vtd_write32(u, VTD_FSTS, (uint32_t)FSTS_PFO);\n"
       "    return count;"),
      (FAULT, "    while (atomic_load(&u->faults_seen) < FAULTS_A_TICK) {",
       "    for (bool once = true; once; once = false) {"),
      (FAULT, "    events_mask(u, true);\n", "")]),
    ("the status is looked at once",
     [(FAULT, "    while (atomic_load(&u->faults_seen) < FAULTS_A_TICK) {",
       "    for (bool once = true; once; once = false) {"),
      (FAULT, "    events_mask(u, true);\n", "")]),
    ("the overflow is never cleared",
     [(FAULT, "    vtd_write32(u, VTD_FSTS, (uint32_t)FSTS_PFO);\n    return count;",
       "    return count;")]),
    ("too many faults are left, and the event is not masked",
     [(FAULT, "    events_mask(u, true);\n", "")]),
    ("the tick does not look at a unit whose event is masked",
     [(FAULT, "        if (u->faults_masked)\n", "        if (0)\n")]),
    ("the event stays masked",
     [(FAULT, "            events_mask(u, false);\n", "")]),
    ("two CPUs take one record",
     [(FAULT, "    spin_lock(&vtd.fault_lock);\n    record->hi", "    record->hi"),
      (FAULT, "(uint32_t)FRCD_F_DWORD);\n    spin_unlock(&vtd.fault_lock);",
       "(uint32_t)FRCD_F_DWORD);")]),
]


def compiled(tree, name):
    program = tree / name
    subprocess.run(["gcc", *FLAGS, f"tests/explore/{name}.c", "tests/explore/explore.c", "-o",
                    program], cwd=tree, check=True)
    return program


def said_of(texts, explorer, search="quick"):
    """What an explorer says of a tree with these files {name: text}; None: it finds nothing."""
    with tempfile.TemporaryDirectory() as folder:
        tree = pathlib.Path(folder)
        for part in ("lib", "arch", "pci", "vtd", "vmx", "guest", "tests/explore"):
            shutil.copytree(ROOT / part, tree / part)
        for name, text in texts.items():
            (tree / name).write_text(text)
        try:
            run = subprocess.run([compiled(tree, explorer), search], capture_output=True,
                                 text=True, timeout=300)
        except subprocess.TimeoutExpired:
            return "it never ends"
        said = [line for line in run.stdout.splitlines() if "FAILED" in line]
        noise = r"explore: FAILED: |(, in the search .*)?, after"
        return re.sub(noise, "", said[0]) if said else None


def broken(rule, edits):
    """The files with their edits, {name: text}. ValueError: one does not fit."""
    texts = {}
    for name, old, new in edits:
        text = texts.get(name) or (ROOT / name).read_text()
        if text.count(old) != 1:
            raise ValueError(f"{rule!r}: {name} has not exactly one {old!r}")
        texts[name] = text.replace(old, new)
    return texts


def found(mutant):
    """What the explorer says with this rule broken; None: it finds nothing."""
    rule, edits = mutant
    return said_of(broken(rule, edits), EXPLORERS.get(edits[0][0], "posting"))


def found_by_icr(mutant):
    """The same, where only the CPUs of guests post."""
    return said_of(broken(*mutant), "posting", "icr")


def of_posting():
    """The rules of the descriptor and of the scheduler."""
    return [mutant for mutant in MUTANTS if mutant[1][0][0] not in EXPLORERS]


def by_ipis():
    """Those of them that are broken a second time."""
    return [mutant for mutant in of_posting() if mutant[0] not in NOT_BY_ICR]


def main():
    survivors = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name, mutants, look in (("", MUTANTS, found), ("by IPIs: ", by_ipis(), found_by_icr)):
            for mutant, how in zip(mutants, pool.map(look, mutants)):
                print(f"{'found   ' if how else 'SURVIVED'} {name}{mutant[0]}: "
                      f"{how or 'no check noticed'}", flush=True)
                survivors += how is None
        for (words, _), how in zip(RIGHT, pool.map(found, RIGHT)):
            print(f"{'WRONGLY FOUND' if how else 'passed  '} {words}")
            survivors += how is not None
    print(f"{len(MUTANTS)} rules broken, {survivors} not found")
    return survivors > 0


if __name__ == "__main__":
    sys.exit(main())
