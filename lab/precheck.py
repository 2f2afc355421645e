# SPDX-License-Identifier: MIT
"""
What is wrong with words and kernels is said before a machine is started, by Hamlet's own readers.

From: the launcher `hamlet`, lab/suite.py      To: lab/precheck.c, lab/iso.py (Menu)
"""

import gzip
import subprocess
import tempfile
from pathlib import Path

from lab.iso import check_file
from lab.say import Unusable, note

PROGRAM = Path(__file__).resolve().parents[1] / "build/precheck"
GZIP = b"\x1f\x8b"


def check(menu, cpus):
    """Unusable, after one line per complaint, if Hamlet would complain of `menu`."""
    said = complaints(menu, cpus)
    for line in said:
        note(line)
    if said:
        raise Unusable("so nothing was started; --unchecked starts it all the same")


def complaints(menu, cpus):
    """One line for each thing that Hamlet would not take."""
    with tempfile.TemporaryDirectory(prefix="hamlet-precheck-") as name:
        words = [str(cpus), menu.append]
        for number, module in enumerate(menu.modules):
            words += [module.words, _as_loaded(module, Path(name) / str(number))]
        try:
            done = subprocess.run([PROGRAM, *words], capture_output=True, text=True,
                                  errors="replace")
        except FileNotFoundError:
            raise Unusable(f"{PROGRAM} is not there: make -C {PROGRAM.parents[1]}") from None
    if done.returncode not in (0, 1):
        raise Unusable(f"{PROGRAM.name} failed: {done.stderr.strip() or done.returncode}")
    return done.stdout.splitlines()


def _as_loaded(module, copy):
    """The path of a module as GRUB gives it to Hamlet: unpacked."""
    path = Path(module.path)
    check_file(path)
    with open(path, "rb") as file:
        packed = module.unpack and file.read(2) == GZIP
    if packed:
        try:
            copy.write_bytes(gzip.decompress(path.read_bytes()))
        except (OSError, EOFError) as problem:
            raise Unusable(f"{path}: {problem}") from None
        path = copy
    return str(path)
