# SPDX-License-Identifier: MIT
"""
A person at the serial console: who gets what is typed, and every command of the monitor against what is known to be so.

From: make test      To: monitor/
"""

import pytest
from case import Case

PROMPT = r"\(hamlet\) $"
LOOP = "kernel=endless.bin,name=loop,mem=4M"
TO_MONITOR, NEXT, OFF = "\x01c", "\x01n", "\x01x"


def dialogue(name, asked, vms=(LOOP,), begin=r"entry=0x", end=OFF, **words):
    """The monitor is called when `begin` is seen; then each of (command, regexes of its answer)."""
    answers = [(begin, TO_MONITOR)] + [(PROMPT, command + "\r") for command, _ in asked] + [(PROMPT, end)]
    expect = [regex for command, regexes in asked
              for regex in (r"^\(hamlet\) .*\(hamlet\) " + command.split(" ")[0], *regexes)]
    return Case(name, vms=list(vms), answers=answers, expect=[*words.pop("expect", []), *expect], **words)


CASES = [
    dialogue("help", [("help", [r"^  vm  ", r"^  log  "]), ("help vm", [r"^vm \[list", r"for example: vm pause"]),
                      ("help nothing", [r"^help: no such command: nothing"])]),
    dialogue("pause-and-resume", [("vm", [r"^vm=loop state=running mem=4M vcpus=1 kernel=flat .*\(console\)"]),
                                  ("vm pause", [r"^vm=loop pauses"]), ("vm", [r"state=paused"]),
                                  ("vm pause", [r"^vm: vm=loop is paused: it cannot pause now"]),
                                  ("vm resume loop", [r"^vm=loop runs"]), ("vm", [r"state=running"]),
                                  ("vm reset", [r"is reset"]), ("vm", [r"state=running"])], expect=[]),
    dialogue("stop-one-of-two", [("vm stop other", [r"^vm=other ends", r"why=\"stopped by the monitor\""]),
                                 ("vm", [r"vm=loop state=running", r"vm=other state=ended"])],
             vms=[LOOP, "kernel=endless.bin,name=other,mem=4M"], begin=r"vm=other kernel"),
    dialogue("host", [("mem", [r"^free=\d+M", r"^vm=loop host=0x\w+-0x\w+ size=4M"]),
                      ("cpu", [r"^cpu=0 apic-id=0 loaded=loop\.0", r"^vcpu=loop\.0 state=running home=0"]),
                      ("log vtd trace", [r"^vtd=trace"]), ("log", [r"^all=info", r"^vtd=trace"]),
                      ("log loud", [r"^log: not a level"])]),
    # Arrows, erasing, completion, an abandoned line: what is run is "cpu", three times.
    Case("editing", vms=[LOOP], answers=[("entry=0x", TO_MONITOR), (PROMPT, "cxpu\x1b[D\x1b[D\x7f\r"), (PROMPT, "\x1b[A\r"),
                                         (PROMPT, "vm stop\x03c\tu\x15cp\t\r"), (PROMPT, OFF)],
         expect=[r"^cpu=0 apic-id=0"] * 3, forbid=["no such command", "stopped by"]),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_monitor(boot, case):
    boot(case)
