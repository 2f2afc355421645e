#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Prove that a forgotten invalidation of vmx/ is noticed: leave out one INVEPT, INVVPID, VMCLEAR,
step of a generation or step of the posting path at a time, or tear an atomic step in two, and see a
unit test, the explorer of interleavings or a boot on the lab machine turn red. By hand, from the
root, after make: tests/cases/vmx_mutants.py [WORD]..., only mutants whose line "vmx/ept.c:64:
atomic_fetch_add(..." contains a WORD. A quarter of an hour for all.

From: make mutants      To: tests/unit/mutants.py (statements, unit tests),
tests/explore/explore_mutants.py, tests/cases/lab_mutants.py (builds), tests/cases/test_*.py (boots)
"""

import collections
import dataclasses
import functools
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/cases"), str(ROOT / "tests/unit"),
                str(ROOT / "tests/explore")]

import case                                      # noqa: E402
import test_assign                               # noqa: E402
import test_guests                               # noqa: E402
import test_vmx                                  # noqa: E402
from explore_mutants import said_of              # noqa: E402
from lab_mutants import copied, judged, show, words_of_user  # noqa: E402
from mutants import Test, Workshop, bodies, masked, statements  # noqa: E402
from test_posting import SHAPES, each_once, posting  # noqa: E402

Mutant = collections.namedtuple("Mutant", "name line what text")  # text: of the broken file

# What is left out: invalidations, and the steps that order them.
FLUSH = r"(invept|invvpid|ept_flush\w*|ept_out_of_guest|vmcs_clear|vmcs_make_current)\("
LOADED = (r"(vcpu_release|vcpu_load|load_\w+|come_from_memory|vcpu_setup_host|fpu_\w+|save_others|"
          r"write_cr2|wrmsr|registers_msrs)\(")
SEEN = r"\*?[\w>().-]*(seen|generation|launched|->vcpu|->alarm|->running) = "
ATOMIC = r"(__)?atomic_\w+\("
POSTED = (r"(posted_\w+|change|to_\w+|wake_here|begin_turn|queue_\w+|apicv_\w+|"
          r"apic_ipi|cpu_kick|sched_\w+)\(")
STEPS = re.compile("|".join((FLUSH, LOADED, SEEN, ATOMIC, POSTED)))
FILES = ("vmx/ept_flush.c vmx/ept_flush.h vmx/ept.c vmx/vcpu/vcpu.c vmx/vcpu/load.c "
         "vmx/vcpu/state.c vmx/vcpu/apicv.c vmx/exit/cr.c vmx/run/init.c vmx/vcpu/posted.c "
         "vmx/vcpu/posted.h vmx/run/post.c vmx/run/run.c vmx/run/sched.c vmx/run/sched_start.c "
         "vmx/run/sched_wake.c vmx/bitmaps.c vmx/exit/task.c vmx/vcpu/inject.c "
         "vmx/vcpu/request.h").split()

# An atomic step as a load and a store: what another CPU or a device does in between is lost.
TORN = re.compile(r"atomic_fetch_(or|and|add)\((&[^,]+), ([^;]+)\);")
OPERATOR = {"or": "|", "and": "&", "add": "+"}

# Steps that are no statement of their own: (file, text, other text).
EDITS = [
    ("vmx/vcpu/posted.c", "uint64_t old = change(d, mask, value);",
     "uint64_t old = atomic_load(&d->control);"),
    ("vmx/vcpu/posted.h", "*taken = atomic_exchange(&d->pir[i], 0);",
     "*taken = atomic_load(&d->pir[i]), atomic_store(&d->pir[i], 0);"),
    ("vmx/vcpu/posted.h", "while (!atomic_replace(&d->control, &old, old | PI_ON));",
     "while (0);\n    atomic_store(&d->control, old | PI_ON);"),
    ("vmx/run/sched.c", "posted_to_halted(v->pi_desc, q->ndst);", "true;"),
    ("vmx/ept_flush.c", "while (!is_clean(cpu, ept, generation))", "while (0)"),
    ("vmx/ept_flush.c", "atomic_load(&cpu->guest_ept) != ept ||", "false ||"),
    ("vmx/ept_flush.c", "|| atomic_load(&cpu->guest_generation) >= generation", ""),
    ("vmx/ept_flush.h", '"xchg %0, %%gs:%c1"', '"mov %0, %%gs:%c1"'),
    ("vmx/ept_flush.h", '"movq $0, %%gs:%c0"', '"nop # %c0"'),
    ("vmx/ept_flush.h", "if (__builtin_expect(*seen != generation, 0))", "if (0)"),
    ("vmx/run/run.c", "return v->irq_waits | ", "return "),
]

# What no test on this machine notices, by file and text, and why. It is not booted.
STARTUP = ("the explorer sends no NMI to a processor that starts; boots do not meet the one "
           "instruction in between")
ALONE = "no explorer has the file; boots do not meet the one instruction in between"
RECORDED = "test_posted notices; unit tests are run here for sources, and not for headers"
LOCKED = "vm->lock is held: nothing else writes it meanwhile, and a CPU only reads it"
EXPLAINED = {
    "vmx/ept_flush.h: atomic_store(&this_vmx_cpu()->guest_ept, ept);": "for unit tests only",
    "vmx/ept_flush.h: atomic_store(&this_vmx_cpu()->guest_ept, NULL);": "for unit tests only",
    "vmx/run/sched.c: here->running = NULL;":
        "another vCPU waits there, and takes the place under the same lock",
    "vmx/vcpu/posted.c: torn: atomic_fetch_or(&d->control, PI_ON);":
        "a poster in between sets the same bit, and no other changes then",
    "vmx/vcpu/posted.c: torn: atomic_fetch_or(&d->control, PI_SN);":
        "an ON that is lost leaves PIR, at which a READY vCPU looks before it runs",
    "vmx/vcpu/posted.h: torn: atomic_fetch_and(&d->control, ~PI_ON);":
        "an ON that is lost was set behind its bit of PIR, which is taken now",
    "vmx/vcpu/posted.h: posted_write_event(d, what, vector, control);": RECORDED,
    "vmx/vcpu/posted.h: posted_record(d, TRACE_PID_POSTED, vector, old);": RECORDED,
    "vmx/vcpu/posted.h: posted_record(d, TRACE_PID_POSTED, vector, old | PI_ON);": RECORDED,
    "vmx/vcpu/posted.h: posted_record_words(d, taken[0], taken[1], taken[2], taken[3]);": RECORDED,
    "vmx/ept_flush.h: \"xchg %0, %%gs:%c1\" -> \"mov %0, %%gs:%c1\"":
        "only a CPU whose loads pass its stores differs, and Bochs has one order",
    "vmx/ept.c: torn: atomic_fetch_add(&ept->generation, 1);":
        "ept->lock is held: nothing else writes it meanwhile",
    "vmx/bitmaps.c: torn: atomic_fetch_or(&map[n / 8], mask);": LOCKED,
    "vmx/bitmaps.c: torn: atomic_fetch_and(&map[n / 8], (uint8_t)~mask);": LOCKED,
    "vmx/exit/task.c: ept_flush_vpid(v->vpid);":
        "tests/fuzz/fuzz_task.c notices; fuzz programs are not run here",
    "vmx/vcpu/inject.c: torn: atomic_fetch_and(&v->requests, ~last);": ALONE,
    "vmx/run/init.c: ept_flush_all();": "the lab's firmware uses no VMX, so it leaves nothing",
    "vmx/vcpu/vcpu.c: torn: atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQUEST_NMIS);": ALONE,
    "vmx/run/run.c: v->alarm = 0;":
        "at the timer's exit the clock shows the same, as the timer is never early; a slice begins "
        "with an alarm that is over, or with a request",
    "vmx/run/run.c: v->alarm = is_always_due(v) ? 0 : alarm;":
        "attend() runs at each exit then, which only make bench notices",
    "vmx/run/sched.c: apicv_fold(v);":
        "what is posted there sets ON, with which no vCPU falls asleep: the next turn folds, which "
        "only make bench notices",
    "vmx/run/sched_start.c: torn: atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQUEST_SIPIS);":
        STARTUP,
    "vmx/run/sched_start.c: torn: atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQUEST_SIPI_2);":
        STARTUP,
}


# Boots that use what vmx/ keeps: translations, VPIDs, a VMCS on several CPUs; or that post.
KNOWN = {c.name: c for c in [*test_vmx.CASES, *test_assign.CASES, *test_guests.CASES]
         if c.on == "lab"}
TRANSLATIONS = [KNOWN[name] for name in ("stale-apicv-on", "moved-bar-under-another-vcpu",
                                         "cpu-state-three-vms", "smp",
                                         "apic-by-software")]
POSTS = [KNOWN["smp"], KNOWN["smp-posted"],
         posting("mixed", 20000, [each_once("mixed")], **SHAPES["mixed"])]
TIMEOUT = 60    # seconds; a boot takes five on an idle host
POSTING_FILES = ("vmx/vcpu/posted.c", "vmx/vcpu/posted.h", "vmx/run/post.c", "vmx/run/sched.c",
                 "vmx/run/sched_start.c", "vmx/run/sched_wake.c")


def of_file(name):
    """The mutants of a file; one that does not compile is none, which the tests find out."""
    text = (ROOT / name).read_text()
    code = masked(text)

    def broken(at, behind, instead, what):
        return Mutant(name, text.count("\n", 0, at) + 1, what,
                      text[:at] + instead + text[behind:])

    spans = bodies(code) if name.endswith(".c") else [(0, len(code))]
    for at, behind in (s for start, end in spans for s in statements(code, start, end, True)):
        statement = " ".join(code[at:behind].split())
        if not STEPS.match(statement):
            continue
        yield broken(at, behind, ";", statement)
        torn = TORN.fullmatch(statement)
        if torn:
            how, where, value = torn.groups()
            yield broken(at, behind, f"{{ uint64_t torn = atomic_load({where}); "
                         f"atomic_store({where}, torn {OPERATOR[how]} {value}); }}",
                         f"torn: {statement}")
    for file, old, new in EDITS:
        if file == name:
            assert text.count(old) == 1, (name, old)
            at = text.index(old)
            yield broken(at, at + len(old), new,
                         f"{' '.join(old.split())} -> {' '.join(new.split())}")


class Host:
    """The programs of this machine that have a file."""

    def __init__(self, folder):
        self.tests = [Test(p) for p in sorted((ROOT / "tests/unit").glob("test_*.c"))]
        self.shops, self.folder = {}, folder
        explorer = (ROOT / "tests/explore/posting.c").read_text()
        sources = re.findall(r'^#include "(.*\.c)"$', explorer, re.M)
        self.explored = sources + [str(Path(source).with_suffix(".h")) for source in sources]

    def noticed(self, mutant):
        shop = self.shops.setdefault(mutant.name, Workshop(mutant.name, self.tests, self.folder))
        if shop.tests and shop.verdict(mutant.text, {}) == "noticed":
            return Path(shop.tests[0].main).stem
        if mutant.name in self.explored:
            said = said_of({mutant.name: mutant.text}, "posting")
            return said and f"explore_posting: {said}"
        return None


def noticed_in_lab(boots, tree, scratch):
    """The boot that fails, and with which words; None: none does."""
    for boot in list(boots):
        changed = dataclasses.replace(boot, kernel=tree / "build/hamlet.elf", timeout=TIMEOUT)
        try:
            case.run(changed, scratch)
        except AssertionError as failure:
            boots.sort(key=lambda other: other is not boot)  # the next mutant meets it first
            return f"{boot.name}: {str(failure).splitlines()[0][:90]}"
    return None


def verdict_of(mutant, host, tree):
    """(verdict, how)"""
    boots = POSTS if mutant.name in POSTING_FILES else TRANSLATIONS
    how = host.noticed(mutant)
    reason = EXPLAINED.get(f"{mutant.name}: {mutant.what}")
    if reason and not how:
        return "explained", reason
    try:
        how = how or judged(tree, mutant.name, mutant.text, "build/hamlet.elf",
                            functools.partial(noticed_in_lab, boots))
    except subprocess.CalledProcessError:
        return "no C", None
    return "noticed" if how else "UNNOTICED", how


def main():
    count, words = collections.Counter(), words_of_user(__doc__)
    chosen = [(m, title) for name in FILES for m in of_file(name)
              for title in [f"{m.name}:{m.line}: {m.what}"]
              if not words or any(word in title for word in words)]
    with tempfile.TemporaryDirectory(prefix="hamlet-mutants-") as folder:
        tree, host = copied(folder), Host(folder)
        how = noticed_in_lab(TRANSLATIONS + POSTS[1:], ROOT, Path(folder))
        if how:
            sys.exit(f"mutants: Hamlet as it is does not pass: {how}")
        for mutant, title in chosen:
            verdict, how = verdict_of(mutant, host, tree)
            show(verdict, title, how)
            count[verdict] += 1
    print(f"{sum(count.values()) - count['no C']} mutants of vmx/: {count['noticed']} noticed, "
          f"{count['explained']} explained, {count['UNNOTICED']} unnoticed")
    return count["UNNOTICED"] > 0 or not count


if __name__ == "__main__":
    sys.exit(main())
