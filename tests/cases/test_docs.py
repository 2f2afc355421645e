# SPDX-License-Identifier: MIT
"""
What the documents show is what is printed: each line of a transcript, in its order. Numbers that
another build or another machine may change are masked, by the patterns beside the transcript.

From: make test      To: README.md, docs/own-kernel.md
"""

import re
import shlex
import subprocess

from case import ROOT

# Addresses, times, and counts in which the host's clock has a part.
MASKED = [r"entry_tsc=\d+", r"tsc-per-run=\d+", r"0x[0-9a-f]{5,}", r"free=\d+M", r", \d+ s$",
          r"exits=\d\d+", r"(?:io-instruction|wrmsr|vmcall) \d+", r"  +\d+ +0  "]


def masked(line, patterns):
    for pattern in patterns:
        line = re.sub(pattern, "#", line)
    return re.sub(r" +", " ", line).strip()


def missing(transcript, printed, patterns):
    """The first line of a transcript that was not printed behind the one before; None: all were.
    "..." stands for what a line leaves out."""
    left = iter([masked(line, patterns) for line in printed])
    for line in transcript:
        wanted = re.escape(masked(line, patterns)).replace(r"\.\.\.", ".*")
        if not any(re.fullmatch(wanted, other) for other in left):
            return line
    return None


def demo():
    """The words of `make run`."""
    text = (ROOT / "Makefile").read_text().replace("\\\n", " ").replace("$O", "build")
    return [word for name in ("DEMO_DEVICES", "DEMO")
            for word in shlex.split(re.search(rf"^{name} \?= (.*)$", text, re.M)[1])]


def section(page, title):
    """The blocks below a heading."""
    text = (ROOT / page).read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return [block.split("\n")[1:-1] for block in text.split("```")[1::2]]


def test_the_readmes_first_run():
    run = subprocess.run([ROOT / "hamlet", "run", *demo()], cwd=ROOT, stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         errors="replace")
    (transcript,) = [block for block in section("README.md", "Two commands")
                     if "[hamlet] booting on" in block[0]]
    assert run.returncode == 0, run.stdout
    assert missing(transcript, run.stdout.split("\n"), MASKED) is None, run.stdout


def test_a_line_that_was_not_printed():
    assert missing(["a=1 b=0x12345", "c ... e"], ["a=1 b=0x54321", "x", "c d e"], MASKED) is None
    assert missing(["a=1"], ["a=2"], MASKED) == "a=1"
    assert missing(["a", "b"], ["b", "a"], MASKED) == "b"
