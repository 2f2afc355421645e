# SPDX-License-Identifier: MIT
"""
Guests without a device: the smallest VM, kernels of every format, exits that are answered, guests
that misbehave, the local APIC with and without hardware help, several processors, and what is wrong
with a configuration.

From: make test      To: guest/programs/ (what runs), guest/life/report.c (what is looked for)
"""

import re

import pytest
from case import Case

MISBEHAVIOUR = [
    r"misbehave\| VMX instructions: #UD", r"misbehave\| CR4.VMXE: #GP",
    r"misbehave\| reserved bits and absent MSRs: #GP",
    r"gpa=0xbf000000: no device is there", r"misbehave\| memory that is not there: reads as ones",
    r"misbehave\| ports that are not there: read as ones", r"misbehave\| a jump to nowhere: #UD",
    r"misbehave\| a jump to the local APIC: #UD",
]
APIC = [line for mode in ("xapic", "x2apic")
        for line in (
            rf"apic\| {mode}: registers and priorities are right",
            rf"apic\| {mode}: self-ipi=1000 exits=",
            rf"apic\| {mode}: the timer is right, once and periodic",
            rf"apic\| {mode}: TSC-deadline is right")]
SMP = [r"smp\| 4 processors", r"smp\| counted to 40000 together",
       r"smp\| each of the others answered 100 pings"]

CASES = [
    Case("one-instruction-once", vms=["kernel=one-instruction.bin,mem=4M,run=1"],
         expect=[r"kernel=flat", r"exits.monitor-trap-flag=1$", r"run=1 rax=0x7 length=7",
                 r"exit=0 exits=1 "], exits={"one-instruction": 0}),
    Case("one-instruction-many", vms=["kernel=one-instruction.bin,mem=4M,run=1000"],
         expect=[r"exits.monitor-trap-flag=1000$", r"run=1000 rax=0x7 length=7",
                 r"exit=0 exits=1000 "]),
    Case("hello", vms=["kernel=hello.elf,mem=16M"],
         expect=[r"kernel=ELF64", r"^hello\| Hello from a guest\."], exits={"hello": 1}),
    Case("multiboot",
         vms=['kernel=multiboot1.bin,mem=4M,cmdline="the first"',
              'kernel=multiboot2.bin,mem=4M,cmdline="the second"'],
         expect=[r"multiboot1\| the first", r"multiboot2\| the second"],
         exits={"multiboot1": 1, "multiboot2": 1}),
    Case("real-mode", vms=["kernel=boot-sector.bin,mem=4M"],
         expect=[r"kernel=boot-sector", r"^boot-sector\| real mode", r"\| wrap$",
                 r"\| protected mode", r"\| real mode"], exits={"boot-sector": 1}),
    Case("paging-of-32-bits", vms=["kernel=paging32.bin,mem=8M"], forbid=["WRONG"],
         exits={"paging32": 1},
         expect=[r"paging32\| two levels", r"\| three levels$", r"\| three levels, by exits",
                 r"\| entries of ones: #GP",
                 r"\| a reserved bit: #GP", r"\| bit 51: #GP", r"\| a TSS of 16 bits: #GP"]),
    # Hardware task switches: the program has run on QEMU, too. The last one is refused.
    *(Case(f"tasks-apicv-{apicv}", vms=["kernel=tasks.bin,mem=8M"], forbid=["WRONG"],
           append=f"console=com1 apicv={apicv}", exits={"tasks": 254},
           expect=[r"tasks\| by JMP, there and back", r"\| by CALL and IRET",
                   r"\| by a gate: INT and #UD", r"\| a wrong stack segment: #TS in the new task",
                   r"\| level 3: by a gate, not by a TSS, and back$",
                   r"\| two NMIs by a gate, one after the other$",
                   r"\| a double fault has its own stack",
                   r'why="task switch: a TSS of 16 bits'])
      for apicv in ("on", "off")),
    Case("cpuid-port", vms=["kernel=cpuid-port.elf,mem=4M"],
         expect=[r"ports: answered in the right part of RAX", r"\| out of a string$",
                 r"strings: both directions", r"strings: a fault comes before the port"],
         exits={"cpuid-port": 1}),
    Case("console-input", vms=["kernel=echo.elf,mem=4M"],
         answers=[(r"echo\| who is there\? ", "Bernardo\r")],
         expect=[r"^echo\| who is there\? ", r"^echo\| good day, Bernardo$"], exits={"echo": 1}),
    Case("power", vms=["kernel=power.elf,mem=4M"],
         answers=[(r"power\| What\?", key) for key in "csro"],
         expect=[r"^power\| the clock goes", r"^power\| still here", r"vm=power reset$",
                 r"^power\| What\?"], forbid=["not reset", "not off", "FAIL"], exits={"power": 0}),
    Case("reboot", vms=["kernel=reboot.bin,mem=4M"],
         stop_at=r"vm=reboot reset[\s\S]*vm=reboot reset"),
    # A VM that resets itself all the time is no longer there at its deadline.
    Case("reboot-timeout", vms=["kernel=reboot.bin,mem=4M,timeout=1"],
         expect=[r'why="timeout=1: still running"'], exits={"reboot": 254}),
    # Each is stopped or answered as hardware would, and the next one runs.
    Case("misbehaviour",
         vms=["kernel=triple-fault.bin,mem=4M", "kernel=misbehave.elf,mem=4M",
              "kernel=endless.bin,mem=4M,timeout=1", "kernel=dead-halt.bin,mem=4M",
              "kernel=hello.elf,mem=4M"],
         expect=[r'vm=dead-halt why="halted with interrupts off"',
                 r"hamlet: end vms=5 failed=3"],
         exits={"triple-fault": 254, "misbehave": 1, "endless": 254, "dead-halt": 252,
                "hello": 1}),
    # 128 is written to port 0xF4, and is not cut off to a success.
    Case("exit-of-more-bits", vms=["kernel=exit-128.bin,mem=4M"], exits={"exit-128": 257}),
    # Events whose frame or gate is where there is no memory: as on a PC.
    *(Case(f"lost-stack-apicv-{apicv}", append=f"console=com1 apicv={apicv}",
           vms=["kernel=lost-stack.elf,name=frame,mem=4M",
                "kernel=lost-stack.elf,name=gate,mem=4M,cmdline=gate=1",
                "kernel=lost-stack.elf,name=irq,mem=4M,cmdline=gate=2",
                "kernel=lost-stack.elf,name=device,mem=4M,cmdline=device=1",
                "kernel=lost-stack.elf,name=tables,mem=4M,cmdline=tables=1",
                "kernel=lost-stack.elf,name=cr3,mem=4M,cmdline=tables=2",
                "kernel=hello.elf,mem=4M"],
           expect=[r"(?s)(?=.*frame\| frames lost, handlers run: 20)"
                   r"(?=.*vm=gate why=\"triple fault\")(?=.*vm=irq why=\"triple fault\")"
                   r"(?=.*vm=device why=\"stack or tables of an interrupt in a device)"
                   r"(?=.*tables\| tables of ones: page faults)"
                   r"(?=.*vm=cr3 why=\"triple fault\")"],
           exits={"frame": 1, "gate": 254, "irq": 254, "device": 254, "hello": 1, "tables": 1,
                  "cr3": 254})
      for apicv in ("on", "off")),
    Case("misbehaviour-answers", vms=["kernel=misbehave.elf,mem=4M"], expect=MISBEHAVIOUR),
    Case("crash-report", vms=["kernel=triple-fault.bin,mem=4M"],
         expect=[r'last-exit="triple fault"', r"rip=0000000000100007", r'why="triple fault"',
                 r"exit=254"]),
    # What APIC virtualization serves without an exit; a deadline costs two, to be set and to come.
    # (Time slices end too.)
    Case("apic", vms=["kernel=apic.elf,mem=4M,timeout=60"],
         expect=[rf"\| {mode}: {line}" for mode in ("xapic", "x2apic")
                 for line in (
                     r"self-ipi=1000 exits=0$", r"tpr=1000 exits=0$", r"deadlines=100 exits=20\d$")]
         + APIC[-1:], exits={"apic": 1}),
    Case("apic-by-software", append="console=com1 apicv=off",
         vms=["kernel=apic.elf,mem=4M,timeout=60"], expect=[r"apicv=off", *APIC],
         exits={"apic": 1}),
    *[Case(f"apic-rules{name}", append=append, forbid=["WRONG"], exits={"apic-rules": 1},
           vms=["kernel=apic-rules.elf,mem=4M,vcpus=2,timeout=60"])
      for name, append in (("", "console=com1"), ("-by-software", "console=com1 apicv=off"))],
    Case("smp", cpus=2, vms=["kernel=smp.elf,mem=4M,vcpus=4,cmdline=cpus=4,timeout=60"], expect=SMP,
         exits={"smp": 1}),
    Case("smp-one-cpu", expect=SMP,
         vms=['kernel=smp.elf,mem=4M,vcpus=4,cmdline="cpus=4 last=1",timeout=60'],
         exits={"smp": 1}),
    Case("smp-by-software", cpus=2, append="console=com1 apicv=off",
         vms=["kernel=smp.elf,mem=4M,vcpus=4,cmdline=cpus=4,timeout=60"], expect=SMP,
         exits={"smp": 1}),
    # A TLB shootdown for a vCPU that computes on a CPU of its own: into its descriptor, and no exit
    # there. Without posting one each.
    Case("smp-posted", cpus=2,
         vms=['kernel=smp.elf,mem=4M,vcpus=2,cmdline="cpus=2 computing=1000",timeout=60'],
         expect=[r"\| computing: pings=1000 exits=0$"], exits={"smp": 1}),
    Case("smp-not-posted", cpus=2, append="console=com1 post=off",
         vms=['kernel=smp.elf,mem=4M,vcpus=2,cmdline="cpus=2 computing=1000",timeout=60'],
         expect=[r"\| computing: pings=1000 exits=1\d\d\d$"], exits={"smp": 1}),
    Case("nested-guests", on="nested", append="console=com1",
         vms=["kernel=one-instruction.bin,mem=4M,run=10", "kernel=cpuid-port.elf,mem=4M",
              "kernel=misbehave.elf,mem=4M", "kernel=hello.elf,mem=4M"],
         expect=[r"hamlet: end vms=4 failed=0"],
         exits={"one-instruction": 0, "cpuid-port": 1, "misbehave": 1, "hello": 1}),
    Case("nested-apic", on="nested", vms=["kernel=apic.elf,mem=4M,timeout=60"], expect=APIC,
         exits={"apic": 1}),
]

HELLO = "kernel=hello.elf,name=good,mem=4M"
BAD = [
    # what is wrong, the VM's line, what reports it: in a line, and in the VM's row
    ("text", "kernel={text},name=bad,mem=4M", r"vm=bad kernel: is no kernel: a text file"),
    ("empty", "kernel={empty},name=bad,mem=4M",
     r"vm=bad kernel: is no kernel: an empty file"),
    ("too-much-memory", "kernel=hello.elf,name=bad,mem=64G",
     r"vm=bad mem=65536M: not that much memory in one piece"),
    ("unknown-key", "kernel=hello.elf,name=bad,color=red",
     r"module=\d vm=bad color=red: unknown key"),
    ("out-of-range", "kernel=hello.elf,name=bad,vcpus=99",
     r"module=\d vm=bad vcpus=99: out of range"),
    ("device-not-there", "kernel=hello.elf,name=bad,mem=4M,pci=00:1e.0",
     r"vm=bad pci=00:1e.0: there is no such device"),
    ("device-twice", "kernel=hello.elf,name=bad,mem=4M,pci=00:02.0,pci=0:2.0",
     r"module=\d vm=bad pci=0:2.0: given twice"),
    ("pin", "kernel=hello.elf,name=bad,mem=4M,pin=3",
     r"vm=bad pin=3: there are 1 CPUs, the first is 0"),
    ("pins", "kernel=hello.elf,name=bad,mem=4M,vcpus=3,pin=0,0",
     r"module=\d vm=bad pin=\.\.\.: fewer CPUs than vCPUs"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.on}-{case.name}")
def test_guest(boot, case):
    boot(case)


@pytest.mark.parametrize("what,vm,line", BAD, ids=[row[0] for row in BAD])
def test_bad_vm_costs_itself_only(boot, tmp_path, what, vm, line):
    text, empty = tmp_path / "grub.cfg", tmp_path / "nothing"
    text.write_text("set timeout=0\n")
    empty.write_bytes(b"")
    boot(Case(f"bad-{what}", vms=[vm.format(text=text, empty=empty), HELLO],
              expect=[r"^\[0\] \w+: " + line, rf'^hamlet: vm=bad exit=refused why="{line}',
                      r"good\| Hello", r"hamlet: end vms=1 failed=1"],
              exits={"good": 1, "bad": "refused"}))


def test_no_modules(boot):
    boot(Case("no-modules",
              expect=[r"vm: no VM: GRUB's entry has no line module2",
                      r"hamlet: end vms=0 failed=0"]))


def test_pages_balance(boot):
    """What a VM had is free again when it has ended, however it ended."""
    got = boot(Case("pages-balance",
                    vms=["kernel=hello.elf,mem=4M", "kernel=triple-fault.bin,mem=4M",
                         "kernel=smp.elf,mem=4M,vcpus=2"]))
    free = re.findall(r"vm: free-pages=(\d+)", got.text)
    assert len(free) == 2 and free[0] == free[1], free
