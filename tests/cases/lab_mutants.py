#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Prove that the lab machine notices a forgotten flush: leave one flush, write-back or drain out of
Hamlet's VT-d driver, for each that there is, and look for a stale hit in the unit's trace, or a
kernel test that fails. By hand, from the root, after make: tests/cases/lab_mutants.py [WORD]...;
only mutants whose text ("vtd/sspt.c:205: flush_range(...") contains a WORD; some four seconds
for each unit that it is tried on. `make mutants` runs all of them, and those of the model on
this machine.

From: -      To: tests/unit/vtd_mutants.py (which lines), tests/cases/test_lab_vtd.py (the same
run, unharmed)
"""

import argparse
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

# Units on which a mistake shows: one that keeps everything, one that keeps absent entries
# too, one that knows no single pages, one with a write buffer beside another segment's, one whose
# interrupt entries go one by one, one whose writes linger.
UNITS = [{}, {"caching_mode": "1"}, {"page_selective": "0"},
         {"write_buffer": "1", "units": "2", "second_segment": "1", "devices": "1"},
         {"index_mask": "0"}, {"hold": "100000"}]


def noticed(tree, scratch):
    """What gave the mutant away, or None."""
    for unit in UNITS:
        options = {"devices": "2", **unit}
        tables = machines.tables("lab", options, 1, scratch)
        modules = [iso.Module(table, "acpi") for table in tables]
        iso.build(scratch / "mutant.iso",
                  iso.Menu(tree / "build/hamlet-test.elf", "console=com1", modules))
        boot = Boot(scratch / "mutant.iso", outputs=["trace"], timeout=30, options=options)
        ended = machines.run("lab", boot, Console())
        trace = ended.files["trace"].decode()
        seen = re.search(r"unit\d (\S+ (stale|advice)|violation).*", trace)
        if seen:
            return seen.group(0)
        failed = re.search(r"ktest: FAIL \S+|panic: .*", ended.text)
        if failed or "0 failed" not in ended.text:
            return failed.group(0) if failed else ended.how
    return None


def mutants(words):
    """(file, its lines, index of the line to leave out), for each that contains a word."""
    for name in FILES:
        lines = (ROOT / name).read_text().splitlines()
        for number, line in enumerate(lines):
            if CALL.match(line) and (not words
                                     or any(word in title(name, lines, number) for word in words)):
                yield name, lines, number


def title(name, lines, number):
    return f"{name}:{number + 1}: {lines[number].strip()}"


def copied(folder):
    """A tree that Hamlet can be built in, with what is built of it."""
    return shutil.copytree(ROOT, Path(folder) / "tree", ignore=shutil.ignore_patterns(
        ".git", "guests", "cases", "unit", "fuzz", "clang"))


def judged(tree, name, text, image, judge):
    """What judge() says of an image with this text of a file. CalledProcessError: it is no C."""
    path = tree / name
    original = path.read_text()
    path.write_text(text)
    try:
        subprocess.run(["make", "-s", image, "EXTRA_CFLAGS=-w"], cwd=tree, capture_output=True,
                       check=True)
        return judge(tree, tree.parent)
    finally:
        path.write_text(original)


def show(verdict, title, how):
    print(f"{verdict:9} {title}  <- {how}", flush=True)


def words_of_user(described):
    """The arguments: only mutants with one of these words in their title are made."""
    parser = argparse.ArgumentParser(description=described.strip(),
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="WORD",
                        help="only mutants whose file, line or text has this in it")
    return parser.parse_args().words


def main():
    count = {"noticed": 0, "UNNOTICED": 0}
    with tempfile.TemporaryDirectory(prefix="hamlet-mutants-") as folder:
        tree = copied(folder)
        for name, lines, number in mutants(words_of_user(__doc__)):
            text = "\n".join([*lines[:number], ";", *lines[number + 1:]]) + "\n"
            how = judged(tree, name, text, "build/hamlet-test.elf", noticed)
            verdict = "noticed" if how else "UNNOTICED"
            show(verdict, title(name, lines, number), how)
            count[verdict] += 1
    print(f"{sum(count.values())} mutants: {count['noticed']} noticed in lab, "
          f"{count['UNNOTICED']} unnoticed")
    return count["UNNOTICED"] > 0 or not sum(count.values())


if __name__ == "__main__":
    sys.exit(main())
