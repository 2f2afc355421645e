#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Prove that the VT-d tests can fail: leave one flush or one write-back out of the driver, for each
that there is, and see some test turn red. `tests/unit/vtd_mutants.py` from the root; a minute.
"""
import concurrent.futures
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = ("vtd/unit.c vtd/init.c vtd/invalidate.c vtd/context.c vtd/sspt.c arch/radix.c "
         "vtd/intremap.c vtd/fault.c").split()
TESTS = "test_vtd_dma test_vtd_unit test_vtd_intremap test_vtd_fault".split()
# A statement that flushes, writes back, or drains; also the parts of which flushes are made.
CALL = re.compile(
    r"^\s+(invalidate_\w+|context_command|iotlb_command|unit_publish|publish|flush|flush_range"
    r"|announce_range|entry_write|entry_replace|entries_block|cache_write_back)\(.*\);$")
FLAGS = "-std=gnu11 -O0 -w -DHAMLET_UNIT -I. -mcx16".split()


def run(tree, test):
    """True: the test passes on this tree."""
    source = (tree / f"tests/unit/{test}.c").read_text()
    sources = " ".join(re.findall(r"^// sources: *(.*)$", source, re.M)).split()
    program = tree / test
    subprocess.run(["gcc", *FLAGS, f"tests/unit/{test}.c", *sources, "tests/unit/stubs.c",
                    "-lcmocka", "-o", program], cwd=tree, check=True)
    try:
        return subprocess.run([program], capture_output=True, timeout=60).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def killed_by(name, number):
    """The test that notices that line `number` of the file NAME is gone; None: no test does."""
    with tempfile.TemporaryDirectory() as folder:
        tree = pathlib.Path(folder)
        for part in ("lib", "arch", "pci", "vtd", "tests/unit"):
            shutil.copytree(ROOT / part, tree / part)
        path = tree / name
        lines = path.read_text().splitlines()
        lines[number] = ";"
        path.write_text("\n".join(lines) + "\n")
        return next((test for test in TESTS if not run(tree, test)), None)


def main():
    mutants = [(name, number, line.strip()) for name in FILES
               for number, line in enumerate((ROOT / name).read_text().splitlines())
               if CALL.match(line)]
    survivors = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for (name, number, line), test in zip(
                mutants, pool.map(lambda m: killed_by(m[0], m[1]), mutants)):
            print(f"{'noticed' if test else 'SURVIVED':9} {name}:{number + 1}: {line}")
            survivors += test is None
    print(f"{len(mutants)} mutants, {survivors} survived")
    return survivors > 0 or not mutants


if __name__ == "__main__":
    sys.exit(main())
