#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Prove that the lab machine notices a forgotten flush: leave one flush, write-back or drain out of Hamlet's VT-d driver, for
each that there is, and look for a stale hit in the unit's trace, or a kernel test that fails. By hand, from the root, after
make: tests/cases/lab_mutants.py [WORD]... (only lines that contain a WORD); some four seconds each.

From: -      To: tests/unit/vtd_mutants.py (which lines), tests/cases/test_lab_vtd.py (the same run, unharmed)
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/cases"), str(ROOT / "tests/unit")]

from lab import iso, machines                    # noqa: E402
from lab.machines.boot import Boot, Console      # noqa: E402
from vtd_mutants import CALL, FILES              # noqa: E402

# Units on which a mistake shows: one that keeps everything for ever, one that keeps absent entries too, one that knows no
# single pages, one with a write buffer, one whose writes linger.
UNITS = [{}, {"caching_mode": "1"}, {"page_selective": "0"}, {"write_buffer": "1"}, {"hold": "100000"}]


def noticed(tree, scratch):
    """What gave the mutant away, or None."""
    for unit in UNITS:
        options = {"devices": "2", **unit}
        tables = machines.tables("lab", options, 1, scratch)
        modules = [iso.Module(table, "acpi") for table in tables]
        iso.build(scratch / "mutant.iso", iso.Menu(tree / "build/hamlet-test.elf", "console=com1", modules))
        boot = Boot(scratch / "mutant.iso", outputs=["trace"], timeout=30, options=options)
        ended = machines.run("lab", boot, Console())
        trace = ended.files["trace"].decode()
        seen = re.search(r"unit\d \S+ stale.*", trace)
        if seen:
            return seen.group(0)
        failed = re.search(r"ktest: FAIL \S+|panic: .*", ended.text)
        if failed or "0 failed" not in ended.text:
            return failed.group(0) if failed else ended.how
    return None


def main():
    words = sys.argv[1:]
    lines = [(name, number, line.strip()) for name in FILES
             for number, line in enumerate((ROOT / f"vtd/{name}.c").read_text().splitlines())
             if CALL.match(line) and (not words or any(word in line for word in words))]
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="hamlet-mutants-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".git", "guests", "cases", "unit", "fuzz"))
        for name, number, line in lines:
            path = tree / f"vtd/{name}.c"
            whole = path.read_text()
            kept = whole.splitlines()
            kept[number] = ";"
            path.write_text("\n".join(kept) + "\n")
            built = subprocess.run(["make", "-s", "build/hamlet-test.elf", "EXTRA_CFLAGS=-w"], cwd=tree,
                                   capture_output=True, text=True)
            how = noticed(tree, Path(folder)) if built.returncode == 0 else "does not build"
            path.write_text(whole)
            print(f"{'noticed' if how else 'SURVIVED':9} vtd/{name}.c:{number + 1}: {line}  <- {how}", flush=True)
            survivors += how is None
    print(f"{len(lines)} mutants, {survivors} survived")
    return survivors > 0


if __name__ == "__main__":
    sys.exit(main())
