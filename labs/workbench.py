# SPDX-License-Identifier: MIT
"""
What a lab is tried on: unit tests, the explorer of interleavings, and boots of the lab machine.
Each is built with the reader's files instead of Hamlet's of the same names.

From: labs/judges.py, labs/labs.py      To: tests/unit/, tests/explore/, tests/cases/case.py
"""

import re
import signal
import subprocess
import tempfile
from pathlib import Path

import case as cases
from mutants import Test

ROOT = Path(__file__).resolve().parents[1]
UNIT = "-std=gnu11 -O0 -g -w -fno-pie -no-pie -DHAMLET_UNIT -I. -Ibuild -mcx16".split()
EXPLORE = ("-std=gnu11 -O1 -w -fno-pie -no-pie -DHAMLET_UNIT -DHAMLET_EXPLORE -DTRACE_NEVER "
           "-I. -mcx16").split()
SECONDS = 60        # of CPU time, however busy the host is: a program may loop
HANGS = 300         # seconds of the host's clock, for a boot and for what waits


class NotYet(Exception):
    """What was seen is not what the lab asks for; the text says what, in a line or more."""


def run(command, what="it"):
    """stdout has stderr's lines in their places."""
    try:
        ran = subprocess.run(["prlimit", f"--cpu={SECONDS}:", *command], cwd=ROOT, text=True,
                             errors="replace", timeout=HANGS, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
    except subprocess.TimeoutExpired:
        raise NotYet(f"{what} is still busy after {HANGS} s") from None
    if ran.returncode == -signal.SIGXCPU:
        raise NotYet(f"{what} is still busy after {SECONDS} s of CPU time")
    return ran


class Bench:
    """`mine`: the folder of the reader's files, below ROOT; `files`: their names in Hamlet."""

    def __init__(self, mine, files):
        self.mine, self.files = mine.relative_to(ROOT), files
        self.scratch = tempfile.TemporaryDirectory(prefix="hamlet-lab-")

    def compiled(self, command):
        made = run(["gcc", f"-I{self.mine}", *command])
        if made.returncode:
            raise NotYet("gcc does not take it:\n" + made.stdout[:2000])

    def ours(self, name):
        return str(self.mine / name) if name in self.files else name

    def unit(self, *names):
        """All tests of these programs of tests/unit/ pass. Returns a line for each."""
        said = []
        for name in names:
            test, program = Test(ROOT / f"tests/unit/{name}.c"), f"{self.scratch.name}/{name}"
            self.compiled([*UNIT, test.main, *map(self.ours, test.linked), "tests/unit/stubs.c",
                           "-lcmocka", "-o", program])
            ran = run([program], name)
            if ran.returncode:
                raise NotYet(failures(name, ran.stdout))
            said.append(f"{name}: {ran.stdout.count('[       OK ]')} tests pass")
        return said

    def explorer(self, name, searches):
        """No interleaving of the first so many searches of an explorer breaks a promise."""
        program = f"{self.scratch.name}/{name}"
        self.compiled([*EXPLORE, f"tests/explore/{name}.c", "tests/explore/explore.c", "-o",
                       program])
        states = 0
        for number in range(searches):
            ran = run([program, "quick", str(number)], "the explorer")
            if ran.returncode:
                raise NotYet(ran.stdout[ran.stdout.find("explore: FAILED"):].strip())
            states += int(re.search(r"states=(\d+)", ran.stdout)[1])
        return [f"{states} states of the explorer's first {searches} searches, and nothing is lost"]

    def built(self, *images):
        """Paths of what is made of the reader's files, by its names below build/."""
        made = run(["make", "-s", f"MINE={self.mine}", "EXTRA_CFLAGS=-w",
                    *(f"build/{self.mine}/{image}" for image in images)])
        if made.returncode:
            raise NotYet("it does not build:\n" + made.stdout[:2000])
        return [ROOT / f"build/{self.mine}/{image}" for image in images]

    @staticmethod
    def whole():
        """Hamlet without a reader's files."""
        return ROOT / "build/hamlet.elf"

    def boot(self, name, image="hamlet", kernel=None, **more):
        """What came of a boot of Hamlet with the reader's files (tests/cases/case.py: Got);
        `kernel`: of another image of Hamlet."""
        kernel = kernel or self.built(f"{image}.elf")[0]
        case = cases.Case(f"lab-{name}", kernel=kernel, timeout=HANGS, outputs=["trace"],
                          rules=False, **more)
        try:
            return cases.run(case, Path(self.scratch.name))
        except AssertionError as failure:
            raise NotYet(told(str(failure))) from None


def failures(name, text):
    """Each test of a cmocka program that fails, with its reason and where it stands."""
    lines = []
    for part in re.split(r"^\[ RUN      \] ", text, flags=re.M)[1:]:
        test = part.split("\n", 1)[0]
        said = re.findall(r"^\[ +(?:ERROR|LINE) +\] --- (.*?)(?:: error: Failure!)?$", part, re.M)
        if "[       OK ]" not in part:
            lines.append(f"{name}: {test}: {', '.join(said) or part.strip().splitlines()[-1]}")
    return "\n".join(lines[:8]) or f"{name} fails: {text[-500:]}"


# Of the console of a boot that failed: what is worth reading first.
TELLING = re.compile(r"panic: .*:\d+: |why=|breach|fault |FAIL|is not good|because")


def told(failure):
    """What a boot says that failed: the reason, and the lines that tell, or else the end."""
    reason, _, rest = failure.partition("; the console's end:\n")
    lines = rest.splitlines()
    telling = [line for line in lines if TELLING.search(line)][:6] or lines[-8:]
    return "\n".join([reason, *(f"| {line}" for line in telling)])
