# SPDX-License-Identifier: MIT
"""
`./hamlet new FOLDER`: a kernel that boots, drives a device and has a test, with a copy of the small
library for guests, so that it needs nothing of Hamlet's tree to be built.

From: the launcher `hamlet`      To: lab/new/ (what is copied), guest/programs/lib/
"""

import re
from pathlib import Path

from lab.say import Unusable, note

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "lab/new"
LIBRARY = ROOT / "guest/programs/lib"
DEVICE = ROOT / "guest/programs/edu.h"


def make(folder):
    """Returns the status of the launcher."""
    name = folder.resolve().name
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,15}", name):
        raise Unusable(f"{name}: a name has 1 to 15 letters, digits, - and _: it is the VM's, too")
    if folder.exists():
        raise Unusable(f"{folder} is there already")
    for path in sorted(TEMPLATE.iterdir()):
        target = folder / path.name.replace("kernel.case", f"{name}.case")
        _write(target, path.read_text().replace("@NAME@", name)
               .replace("@HAMLET@", str(ROOT / "hamlet")))
    for path in sorted(_with_headers([DEVICE, *LIBRARY.iterdir()])):
        _write(folder / "hamlet" / path.relative_to(ROOT), path.read_text())
    _write(folder / "hamlet/LICENSE", (ROOT / "LICENSE").read_text())
    _write(folder / ".gitignore", "build/\n*.elf\njunit.xml\n")
    note(f"{folder}: make -C {folder} run; make -C {folder} test")
    return 0


def _with_headers(paths):
    """The files, and every header that one of them includes."""
    found, left = set(), list(paths)
    while left:
        path = left.pop()
        if path in found:
            continue
        found.add(path)
        left += [ROOT / name for name in re.findall(r'^#include "(.*)"$', path.read_text(), re.M)]
    return found


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
