# SPDX-License-Identifier: MIT
"""
What the documents show is what is printed (tests/cases/documents.py): the first run of README.md,
and the transcripts that no other case shows.

From: make test      To: README.md, docs/tours/
"""

import re
import shlex
import subprocess

import documents
import pytest
from case import ROOT, Case

from lab import machines


def demo():
    """The words of `make run`."""
    text = (ROOT / "Makefile").read_text().replace("\\\n", " ").replace("$O", "build")
    return [word for name in ("DEMO_DEVICES", "DEMO")
            for word in shlex.split(re.search(rf"^{name} \?= (.*)$", text, re.M)[1])]


def test_the_readmes_first_run():
    said = ""
    for words in (["run", "--trace", "build/run", *demo()],
                  ["play", "build/run", "-o", "build/run.html"]):
        run = subprocess.run([ROOT / "hamlet", *words], cwd=ROOT, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             errors="replace")
        said += run.stdout
        assert run.returncode == 0, said
    documents.shown("make-run", said)
    documents.shown("tour-port", said)


def test_the_readmes_kernel_tests():
    """As it stands there. What other machines find: tests/cases/test_boot.py."""
    readme = (ROOT / "README.md").read_text()
    (command,) = re.findall(r"^(\./hamlet run --on tcg .*)$", readme, re.M)
    reason = machines.why_not("tcg")
    if reason:
        pytest.skip(f"tcg: {reason}")
    run = subprocess.run(shlex.split(command, comments=True), cwd=ROOT, stdin=subprocess.DEVNULL,
                         capture_output=True, text=True, errors="replace")
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"ktest: \d\d+ passed, 0 failed", run.stdout), run.stdout


def test_a_blocked_access(boot):
    got = boot(Case("tour-fault", vms=["kernel=edu-fault.elf,mem=16M,pci=1234:11e8"],
                    exits={"edu-fault": 1}))
    documents.shown("tour-fault", got.text)


def test_a_line_that_was_not_printed():
    may = [r"0x[0-9a-f]{5,}"]
    assert documents.missing(["a=1 b=0x12345", "c ... e"], ["a=1 b=0x54321", "x", "c d e"],
                             may) is None
    assert documents.missing(["a=1"], ["a=2"], may) == "a=1"
    assert documents.missing(["a", "b"], ["b", "a"], may) == "b"


def test_a_transcript_and_its_run():
    lines, may_differ = documents.transcript("planted-bug")
    assert lines[0] == "(hamlet) vm" and lines[-1] == "breaches=1" and r"exits=\d+" in may_differ
    assert documents.typed("planted-bug", "(hamlet) ")[:2] == ["vm", "pid alpha.0"]
    with pytest.raises(AssertionError, match="no document has"):
        documents.transcript(run="nothing")
    with pytest.raises(AssertionError, match="as printed by the run tour-port: hello"):
        documents.shown("tour-port", "hello| Hello from nobody.")
