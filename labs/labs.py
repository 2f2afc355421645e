#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The labs: something is taken out of Hamlet, and a reader puts it back.

    labs/labs.py begin N    copies the files of lab N to labs/NN-name/mine/, without a part of them
    labs/labs.py check N    builds Hamlet with those files instead of its own, tries it, and says
                            what was seen; status 0 if it is right
    labs/labs.py trap N     makes the mistake of row N of docs/passthrough-traps.md in a copy, and
                            shows the test that turns red; status 0 if one does

From: make lab N, make lab-check N, make trap N      To: labs/traps.py, labs/NN-name/gap.patch
(what is taken out), labs/16-get-out/holes/ (what is put in), labs/judges.py (what has to be seen)
"""

import difflib
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "labs"), str(ROOT / "tests/cases"), str(ROOT / "tests/unit")]

import judges                                    # noqa: E402
from workbench import Bench, NotYet              # noqa: E402
from lab.say import Unusable, ended              # noqa: E402
from traps import TRAPS                          # noqa: E402


def folders():
    """{number: folder} of all labs."""
    return {int(path.name[:2]): path for path in sorted((ROOT / "labs").glob("[0-9][0-9]-*"))}


def files(patch):
    """The files that a patch changes, by their names in Hamlet."""
    return re.findall(r"^\+\+\+ b/(\S+)$", patch.read_text(), re.M)


def copy(patch, mine, gap):
    """Hamlet's files that a patch changes, with the change or as they are."""
    for name in files(patch):
        (mine / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, mine / name)
    if gap:
        subprocess.run(["patch", "-s", "-p1", "--fuzz=0", "--no-backup-if-mismatch", "-i", patch],
                       cwd=mine, check=True)


def hide(folder, mine, hole):
    """Lab 16: the reader writes the attacker, and Hamlet has a hole."""
    mine.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / "attack.c", mine)
    (mine / "hole").write_text(f"{hole}\n")


def begin(folder):
    mine, name, number = folder / "mine", f"labs/{folder.name}", int(folder.name[:2])
    page = f"the page: {name}/README.md"
    if mine.exists():
        return f"{name}/mine is there: go on with it, or remove it to begin again; {page}"
    if (folder / "holes").exists():
        hide(folder, mine, random.choice(sorted((folder / "holes").iterdir())).stem)
        where = f"{name}/mine/attack.c"
    else:
        copy(folder / "gap.patch", mine, True)
        where = ", ".join(f"{name}/mine/{file}" for file in files(folder / "gap.patch"))
    return f"{page}\nyour file: {where}\nthen: make lab-check {number}"


def complete(folder, mine, names):
    """Unusable, if a file is gone: Hamlet's own would be tried in its place."""
    for name in names:
        if not (mine / name).is_file():
            raise Unusable(f"labs/{folder.name}/mine/{name} is not there: remove mine, and begin "
                           f"again: make lab {int(folder.name[:2])}")


def bench_of(folder, mine):
    """What the reader's files are tried on; a hole is not among what the reader sees."""
    if not (folder / "holes").exists():
        names = files(folder / "gap.patch")
        complete(folder, mine, names)
        return Bench(mine, names)
    complete(folder, mine, ["attack.c", "hole"])
    hole = folder / f"holes/{(mine / 'hole').read_text().strip()}.patch"
    if not hole.is_file():
        raise Unusable(f"labs/{folder.name}/mine/hole names no hole: remove mine, and begin again")
    hidden = ROOT / f"build/labs/{folder.name}-hidden"
    shutil.rmtree(hidden, ignore_errors=True)
    copy(hole, hidden, True)
    shutil.copy(mine / "attack.c", hidden)
    return Bench(hidden, files(hole))


def check(folder, mine):
    """(right or not, lines that say what was seen)"""
    try:
        return True, judges.JUDGES[int(folder.name[:2])](bench_of(folder, mine))
    except NotYet as seen:
        return False, str(seen).splitlines()


def trap(number):
    """(a test turns red or not, lines that tell which)"""
    name, text, instead, program, _ = TRAPS[number]
    copied = ROOT / f"build/labs/trap-{number}"
    shutil.rmtree(copied, ignore_errors=True)
    (copied / name).parent.mkdir(parents=True)
    (copied / name).write_text((ROOT / name).read_text().replace(text, instead))
    shown = list(difflib.unified_diff(text.splitlines(), instead.splitlines(), name, name,
                                      lineterm=""))
    try:
        return False, [*shown, *Bench(copied, [name]).unit(program)]
    except NotYet as seen:
        return True, [*shown, *str(seen).splitlines()]


def trap_shown(word):
    if not word.isdigit() or int(word) not in TRAPS:
        return f"which trap? make trap N; rows of docs/passthrough-traps.md: 1 to {len(TRAPS)}"
    red, lines = trap(int(word))
    print("\n".join(f"  {line}" for line in lines))
    print(f"trap {word}: {'a test turns red' if red else 'no test notices'}")
    return not red


def main(words):
    labs = folders()
    if words[:1] == ["trap"]:
        return trap_shown("".join(words[1:]))
    if len(words) != 2 or words[0] not in ("begin", "check") or not words[1].isdigit() or (
            int(words[1]) not in labs):
        return f"which lab? make lab N, make lab-check N; N is one of {', '.join(map(str, labs))}"
    folder = labs[int(words[1])]
    if words[0] == "begin":
        print(begin(folder))
        return 0
    if not (folder / "mine").exists():
        return f"lab {words[1]} has not begun: make lab {words[1]}"
    try:
        right, lines = check(folder, folder / "mine")
    except Unusable as problem:
        return str(problem)
    print("\n".join(f"  {line}" for line in lines))
    print(f"lab {words[1]}: {'right' if right else 'not yet'}")
    return not right


if __name__ == "__main__":
    sys.exit(ended("labs", lambda: main(sys.argv[1:])))
