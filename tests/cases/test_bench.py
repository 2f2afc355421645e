# SPDX-License-Identifier: MIT
"""
What programs that measure, and what fetches their machine, say when they cannot: one line, before
minutes have gone.

From: make test      To: tests/bench/ (bench.py, profile.py), lab/say.py (ended), lab/debian.py
"""

import sys
from pathlib import Path

import pytest
from case import ROOT

from lab import debian
from lab.say import Unusable, ended, write

sys.path.insert(0, str(ROOT / "tests/bench"))
import bench                    # noqa: E402 (the path comes first)
import profile as followed      # noqa: E402


def raising(problem):
    def main():
        raise problem
    return main


@pytest.mark.parametrize("problem, status, says", [
    (Unusable("no machine"), 1, "no machine"),
    (KeyboardInterrupt(), 130, "stopped by the user"),
    (OSError(28, "No space left on device", "build/bench.json"), 1,
     "build/bench.json: No space left on device"),
    (OSError(28, "No space left on device", "from", None, "to"), 1, "to: No space left on device"),
])
def test_what_ends_a_measurement_is_a_line(problem, status, says, capsys):
    assert ended("bench", raising(problem)) == status
    assert capsys.readouterr() == ("", f"[hamlet] bench: {says}\n")


def test_what_ends_well(capsys):
    assert ended("bench", lambda: 0) == 0 and capsys.readouterr() == ("", "")


@pytest.mark.parametrize("what", ["text", b"bytes"])
def test_a_full_disk_names_the_file(what):
    with pytest.raises(Unusable, match="^/dev/full: No space left on device$"):
        write(Path("/dev/full"), what)


@pytest.mark.parametrize("words, says", [
    ([], "which function? HANDLER [VM [WORDS]], as make profile EXIT=exit_cpuid"),
    (["exit_cpuid", "vm", "words", "more"], "which function?"),
    (["exit_nosuch"], "exit_nosuch: no function of Hamlet's"),
    (["exit_("], "exit_(: no function of Hamlet's"),
])
def test_a_way_that_is_not_there(words, says, monkeypatch, capsys):
    monkeypatch.setattr(followed.sys, "argv", ["profile.py", *words])
    assert ended("profile", followed.main) == 1
    assert capsys.readouterr().err.startswith(f"[hamlet] profile: {says}")


def test_a_machine_that_does_not_start(monkeypatch):
    """The reason is the launcher's; GDB does not wait for a machine that never comes."""
    monkeypatch.setattr(followed.build, "ensure", lambda variant: None)
    with pytest.raises(Unusable, match="^nosuch.elf: no such file"):
        followed.steps("exit_cpuid", "kernel=nosuch.elf,mem=4M")


def test_figures_that_could_not_be_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(bench, "KEPT", tmp_path / "nosuch/bench.json")
    monkeypatch.setattr(bench, "boot", raising(AssertionError))
    with pytest.raises(Unusable, match="no folder"):
        bench.main()


def test_no_network(monkeypatch):
    """apt calls an index that it cannot fetch a success, if no option says otherwise."""
    monkeypatch.setattr(debian, "mirror", lambda: "http://127.0.0.1:9/debian")
    with pytest.raises(Unusable, match="^apt-get update failed .network..: Failed to fetch http"):
        with debian.index("trixie", "deb-src"):
            pass
