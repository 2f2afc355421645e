#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Prove that each mend of Bochs has a check of its own: take back one edit at a time, compile, and see
a check of tests/guests/mends.c go wrong that is right with all of them. By hand, from the root,
after make: tests/cases/mend_mutants.py [WORD]..., only edits whose name has a WORD.

From: make mutants      To: lab/bochs/mends/ (the edits), tests/guests/mends.c (the checks)

Bochs as shipped (HAMLET_STOCK=1, test_mends.py) shows that a check can fail. Here it fails for the
one reason that it is there for.
"""

import collections
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/cases")]

import case                                      # noqa: E402
import test_mends                                # noqa: E402
from lab.bochs import build, mends               # noqa: E402
from lab.bochs.plugin import build as plugin     # noqa: E402
from lab_mutants import show                     # noqa: E402

# What no check sees, and why.
OTHER_EPT = "it differs where one VPID has mappings of two EPTs, and Hamlet's have one at a time"
BAKED = "it differs where a guest and its VMCS change CR0.WP or CR4.SMEP in turn: no check does"
HOST_ADDRESSES = "Bochs keeps addresses of its own process in the entries: no rule of the manual"
EXPLAINED = {
    "exception-commits-rip-2": "what a variable has after longjmp is then the compiler's choice",
    "vpid-tagged-tlb: flush": OTHER_EPT,
    "vpid-tagged-tlb: flush all but globals": OTHER_EPT,
    "vpid-tagged-tlb: INVLPG": OTHER_EPT,
    "vpid-tagged-tlb: before entry": BAKED,
    "vpid-tagged-tlb: before exit": BAKED,
    "vpid-tagged-tlb: EPTP switching": "no VM function is switched on, here or in Hamlet",
    "vpid-tagged-tlb: reset": "a processor is reset once, and has cached nothing before",
    "vpid-tagged-tlb: memory map": HOST_ADDRESSES,
    "ipi-virtualization: arrow_lake": "the checks run on another one; test_check.py sees it",
    "vpid-tagged-tlb: APIC base": HOST_ADDRESSES,
}
PATIENCE = 120      # seconds; a boot takes two on an idle host, and may hang without a mend


def looked_at(scratch):
    """check -> "ok ..." or "WRONG ..."; what is not reached is not there."""
    try:
        text = case.run(case.Case("mend", kernel=test_mends.PROGRAM, machine=test_mends.MACHINE,
                                  cpus=2, timeout=PATIENCE), scratch).text
    except AssertionError as failure:
        text = str(failure)
    return test_mends.checks(text)


def shipped(names):
    """The files of Bochs' source as they come: name -> text."""
    with tarfile.open(build.tarball()) as archive:
        top = archive.getnames()[0].partition("/")[0]
        return {name: archive.extractfile(f"{top}/{name}").read().decode(mends.BYTES)
                for name in names}


def without(left_out, home, original, scratch):
    """The checks that go wrong without this edit; None: Bochs is not built without it."""
    path = home / "source" / left_out.file
    whole = path.read_text(mends.BYTES)
    path.write_text(original, mends.BYTES)
    try:
        mends.apply(home / "source", [edit for edit in build.VARIANTS["mended"][1]
                                      if edit.file == left_out.file and edit is not left_out])
        subprocess.run(["make", "-s", "bochs"], cwd=home / "source", capture_output=True,
                       check=True)
        found = looked_at(scratch)
        return [check for check in test_mends.CHECKS + test_mends.KEPT
                if not found.get(check, "").startswith("ok")]
    except (ValueError, subprocess.CalledProcessError):
        return None
    finally:
        path.write_text(whole, mends.BYTES)


def main():
    chosen = [mend for mend in mends.MENDS
              if not sys.argv[1:] or any(word in mend.name for word in sys.argv[1:])]
    files, count = shipped({mend.file for mend in chosen}), collections.Counter()
    with tempfile.TemporaryDirectory(prefix="hamlet-mends-") as folder:
        home, plugins = Path(folder) / "bochs", plugin.ensure(build.ensure())
        shutil.copytree(build.ensure(), home, symlinks=True)
        build.ensure, plugin.ensure = lambda *_: home, lambda _: plugins
        for mend in chosen:
            wrong = without(mend, home, files[mend.file], Path(folder))
            verdict = ("not alone" if wrong is None else "noticed" if wrong else
                       "explained" if mend.name in EXPLAINED else "UNNOTICED")
            show(verdict, mend.name, EXPLAINED.get(mend.name) if not wrong else " ".join(wrong))
            count[verdict] += 1
    print(f"{sum(count.values())} edits of Bochs: " +
          ", ".join(f"{number} {verdict}" for verdict, number in count.items()))
    return count["UNNOTICED"] > 0 or not count


if __name__ == "__main__":
    sys.exit(main())
