# SPDX-License-Identifier: MIT
"""
A tour is walked: Hamlet is run under GDB, from step to step of docs/tours/, and GDB shows what the
tour shows. What is typed and what is printed are the blocks of the tour, the runs walk-NAME.

From: make test      To: docs/tours/, lab/walk.py, tests/cases/documents.py
"""

import shlex
import subprocess

import documents
import pytest
from case import LOGS, PATIENCE, ROOT

from lab import port
from lab.bochs import build

STUB = build.home("gdb") / "ready"
GDB = "gdb -nx -q -batch"


@pytest.mark.parametrize("run", documents.runs("walk-"))
def test_walk(run, tmp_path):
    if not STUB.exists():
        pytest.skip("lab: there is no Bochs with a debugger's stub yet; make debug DEBUG_ON=lab")
    (command,) = documents.typed(run, "$ ")
    script = tmp_path / "typed.gdb"
    script.write_text("\n".join(["set confirm off", *documents.typed(run, "(gdb) "), "kill", ""]))
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"tour-{run}.log"
    done = subprocess.run([*shlex.split(command), "-s", f"DEBUG_PORT={port.free()}", f"GDB={GDB}",
                           f"DEBUG_LOG={log}", f"DEBUG_MORE=-x {script}"], cwd=ROOT, text=True,
                          capture_output=True, stdin=subprocess.DEVNULL, timeout=PATIENCE)
    documents.shown(run, done.stdout + done.stderr)
