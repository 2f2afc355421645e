# SPDX-License-Identifier: MIT
"""
A guest's time: it begins at 0, the guest may set its TSC, and it stands while the VM is paused.

From: make test      To: guest/programs/clock.c, guest/life/control.c, vmx/exit/msr.c
"""

import re

import pytest
from case import PROMPT, Case

TO_MONITOR, NEXT = "\x01c", "\x01n"
OFFSET = "vcpu vmcs tsc_offset"

CASES = [Case(f"clock{name}", append=append, vms=["kernel=clock.elf,mem=4M,timeout=60"],
              expect=[r"^clock\| wrong=0$"], forbid=["WRONG"], exits={"clock": 1})
         for name, append in (("", "console=com1"), ("-by-software", "console=com1 apicv=off"))]

# The TSC of the second CPU is ahead from its reset on, which IA32_TSC_ADJUST does not tell; or no
# such register is there to set it.
TWO = "kernel=clock.elf,mem=4M,vcpus=2,timeout=60,cmdline=two=3000"
CASES += [
    Case("clock-of-two-processors", cpus=2, vms=[TWO], machine={"tsc_ahead": "5000000"},
         expect=[r"time: apic_id=1: its TSC is ahead by (4999|5000)\d\d\d ticks, and is set$",
                 r"cpu: online=2 ", r"^clock\| back=0$"], exits={"clock": 1}),
    Case("clock-that-cannot-be-set", cpus=2, vms=[TWO],
         machine={"tsc_ahead": "5000000", "model": "corei7_sandy_bridge_2600k"},
         expect=[r"time: apic_id=1: its TSC is ahead by (4999|5000)\d\d\d ticks$",
                 r"cpu: apic_id=1 is left out", r"cpu: online=1 madt=2 ", r"^clock\| back=0$"],
         exits={"clock": 1}),
]

PAUSED = Case("clock-stands-while-paused", vms=["kernel=clock.elf,mem=4M,cmdline=watch=1"],
              answers=[(r"clock\| watching", TO_MONITOR),
                       *[(PROMPT, command + "\r") for command in (
                           OFFSET, "vm pause", *["mem"] * 5, "vm resume", OFFSET)],
                       (PROMPT, NEXT + "x")],
              expect=[r"^vm=clock pauses", r"^vm=clock runs", r"^clock\| jump=\d+"],
              exits={"clock": 1})


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.on}-{case.name}")
def test_tsc(boot, case):
    boot(case)


# In the lab most of an idle CPU's time passes at once, so any pause is long.
def test_a_pause_is_not_seen(boot):
    text = boot(PAUSED).text
    before, after = (int(n, 16) for n in re.findall(r"TSC_OFFSET +0x(\w+)", text))
    jump, stood = int(re.search(r"jump=(\d+)", text)[1]), before - after
    assert stood > 2 * jump, f"the VM's time stood for {stood} ticks, and jumped by {jump}"
