# SPDX-License-Identifier: MIT
"""
The virtual CPU: what it must not have, what it must not lose, and CPUs that are not fit for Hamlet,
each refused by name; older ones that do with less.

From: make test      To: vmx/caps.c, guest/programs/cpu-rules.c, guest/programs/cpu-state.c
"""

import pytest
from case import Case

RULES = [r"cpu-rules\| signature=HamletHamlet hypervisor-bit=1", r"cpu-rules\| wrong=0"]
STATE = [r"single-step: steps=8", r"breakpoint: hits=3", r"nmi: count=2 inside=0",
         r"sti: handled=2", r"registers: mine"]
TWO = ["kernel=cpu-state.elf,name=alpha,mem=4M,cmdline=pattern=17",
       'kernel=cpu-state.elf,name=beta,mem=4M,cmdline="pattern=99 xcr0=3"']
STALE = r".*\| nothing is left.*\| CR4.PGE takes.*\| the local APIC is there"

CASES = [
    Case("cpu-rules", vms=["kernel=cpu-rules.elf,mem=4M"], expect=RULES, forbid=[r"\| WRONG"],
         exits={"cpu-rules": 1}),
    Case("cpu-state", vms=["kernel=cpu-state.elf,mem=4M"], expect=STATE, exits={"cpu-state": 1}),
    Case("cpu-state-by-software", append="console=com1 apicv=off",
         vms=["kernel=cpu-state.elf,mem=4M"], expect=[r"apicv=off", *STATE],
         exits={"cpu-state": 1}),
    # Three virtual CPUs share one: none sees the others' registers. Two of them use AVX and
    # AVX-512, so what one leaves in the upper halves would be seen by the other.
    Case("cpu-state-three-vms",
         vms=[*TWO, "kernel=cpu-state.elf,name=gamma,mem=4M,cmdline=pattern=68"],
         exits={"alpha": 1, "beta": 1, "gamma": 1},
         expect=[r"(?s)(?=.*alpha\| registers: mine xcr0=0xe7)"
                 r"(?=.*beta\| registers: mine xcr0=0x3)"
                 r"(?=.*gamma\| registers: mine xcr0=0xe7)"]),
    # The program starts again after its reset: every line comes once more.
    *(Case(f"stale-apicv-{apicv}", append=f"console=com1 apicv={apicv}",
           vms=["kernel=stale.elf,mem=8M"],
           stop_at=r"(?s)(?=.*vm=stale reset)" + STALE + STALE) for apicv in ("on", "off")),
    Case("shadow", vms=["kernel=shadow.elf,mem=8M"], exits={"shadow": 1},
         expect=[r"\| user: INT1 behind MOV SS", r"\| kernel: a step over STI"]),
    Case("cpu-no-posting", machine={"model": "corei7_haswell_4770"}, vms=TWO,
         expect=[r"apicv=on posting=off"], exits={"alpha": 1, "beta": 1}),
    Case("cpu-no-apicv", machine={"model": "corei7_ivy_bridge_3770k"}, vms=TWO,
         expect=[r"apicv=off posting=off"], exits={"alpha": 1, "beta": 1}),
    Case("cpu-no-xsave", machine={"model": "corei5_arrandale_m520"}, vms=TWO,
         expect=[r"apicv=off posting=off"], exits={"alpha": 1, "beta": 1}),
    Case("cpu-no-ept", machine={"model": "core2_penryn_t9600"}, vms=["kernel=hello.elf,mem=4M"],
         expect=[r'vmx: this CPU lacks "EPT"', r"hamlet: end"], forbid=[r"hello\|"]),
    Case("cpu-no-unrestricted-guest", machine={"model": "corei5_lynnfield_750"},
         vms=["kernel=hello.elf,mem=4M"],
         expect=[r'vmx: this CPU lacks "unrestricted guest"', r"hamlet: end"], forbid=[r"hello\|"]),
    Case("vmx-locked-off", machine={"vmx": "off"}, vms=["kernel=hello.elf,mem=4M"],
         append="console=com1 check=on", forbid=[r"hello\|"],
         expect=[r"vmx: the firmware has locked VMX off",
                 r" posting=no because: this CPU runs no guests$", r"hamlet: end"]),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.on}-{case.name}")
def test_vmx(boot, case):
    boot(case)
