# SPDX-License-Identifier: MIT
"""
A reader types what the documents say: each command that no case of `make test` runs, at a terminal,
in a copy of the tree.

From: make judges      To: tests/cases/documented.py (the commands)
"""

import os
import re
import shutil
from pathlib import Path

import documented
import pexpect
import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 3000                 # seconds of this host's clock, against a hang only
# What the copy does without: build/ is copied, so that nothing is built twice, without its logs.
LEFT_OUT = shutil.ignore_patterns("cases", "judges", "labs", "fuzz", "mine")
SCREEN = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[78]|\r")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The tree, with what is built; the modification times stay, for make."""
    folder = tmp_path_factory.mktemp("documents") / "hamlet"
    for name in os.listdir(ROOT):
        if (ROOT / name).is_dir():
            skip = LEFT_OUT if name == "build" else shutil.ignore_patterns("mine")
            shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=skip)
        else:
            shutil.copy2(ROOT / name, folder / name)
    yield folder
    shutil.rmtree(folder)


def typed(command, answers, folder):
    """(what is shown, status) of a command at a terminal."""
    environment = dict(os.environ, PATH=f"/usr/bin:{os.environ['PATH']}", TERM="dumb")
    child = pexpect.spawn("/bin/bash", ["-c", command], cwd=str(folder), env=environment,
                          timeout=PATIENCE, encoding="utf-8", codec_errors="replace",
                          dimensions=(50, 250))
    said = []
    try:
        for pattern, text in answers:
            child.expect(pattern)
            said += [child.before, child.after]
            child.send(text)
        child.expect(pexpect.EOF)
        said.append(child.before)
        child.wait()
    except (pexpect.TIMEOUT, pexpect.EOF):
        pytest.fail(f"{pattern} did not come:\n{''.join(said)[-2000:]}{child.before[-3000:]}")
    finally:
        child.close(force=True)
    return SCREEN.sub("", "".join(said)), child.exitstatus


@pytest.mark.parametrize("command", documented.JUDGED)
def test_command(command, copy, record_property):
    run = documented.JUDGED[command]
    if run.first:
        said, status = typed(run.first, [], copy)
        assert status == 0, said
    for name in run.makes:
        (copy / name).unlink(missing_ok=True)
    said, status = typed(run.typed or command, run.answers, copy)
    tail = f"{command}\n{said[-4000:]}"
    assert status == run.status, f"status {status}: {tail}"
    assert not re.search(run.forbid, said), tail
    at = 0
    for pattern in run.says:
        match = re.compile(pattern, re.M).search(said, at)
        assert match, f"not shown (in this order): {pattern!r}: {tail}"
        at = match.end()
    for name in run.makes:
        assert (copy / name).stat().st_size, name
    record_property("saw", re.sub(r"\s+", " ", match[0])[:60] if run.says else ", ".join(run.makes))
