# SPDX-License-Identifier: MIT
"""
What the documents show is what is printed: each line of a transcript, in its order.

From: tests/cases/test_*.py      To: README.md, docs/

A comment before a block names the run that shows it, and what may differ from run to run:

    <!-- run: NAME
    differs: exits=\\d+
    -->

Blocks of one run are one transcript, and what may differ counts in all of them. "..." stands for
what a line leaves out. tests/lint/transcripts.py looks that each block has its run.
"""

import re

from case import ROOT

PAGES = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/**/*.md"))]
BLOCK = re.compile(r"<!-- run: (?P<run>\S+)(?P<differs>(?:\n *differs: [^\n]+)*)\s*-->\n"
                   r" *```\n(?P<lines>.*?)\n *```$", re.S | re.M)
PROMPT = ("$ ", "(gdb) ")       # what follows is typed, and not echoed


def transcript(run):
    """(lines, patterns of what may differ) of a run."""
    blocks = [block for page in PAGES for block in BLOCK.finditer((ROOT / page).read_text())
              if block["run"] == run]
    assert blocks, f"no document has a transcript of the run {run}"
    lines = [line for block in blocks for line in block["lines"].split("\n")]
    return lines, [pattern for block in blocks
                   for pattern in re.findall(r"^ *differs: (.+)$", block["differs"], re.M)]


def runs(prefix):
    """Names of runs, in the order of the documents."""
    return list(dict.fromkeys(block["run"] for page in PAGES
                              for block in BLOCK.finditer((ROOT / page).read_text())
                              if block["run"].startswith(prefix)))


def typed(run, prompt):
    """The commands behind a prompt."""
    return [line.removeprefix(prompt) for line in transcript(run)[0] if line.startswith(prompt)]


def masked(line, patterns):
    for pattern in patterns:
        line = re.sub(pattern, "#", line)
    return re.sub(r" +", " ", line).strip()


def missing(lines, printed, patterns):
    """The first line that was not printed behind the one before; None: all were."""
    left = iter([masked(line, patterns) for line in printed])
    for line in lines:
        wanted = re.escape(masked(line, patterns)).replace(r"\.\.\.", ".*")
        if not any(re.fullmatch(wanted, other) for other in left):
            return line
    return None


def shown(run, text):
    """The transcript of the run has to be in the text."""
    lines, patterns = transcript(run)
    answers = [line for line in lines if not line.startswith(PROMPT)]
    absent = missing(answers, text.split("\n"), patterns)
    assert absent is None, f"a document shows, as printed by the run {run}: {absent}\n{text}"
