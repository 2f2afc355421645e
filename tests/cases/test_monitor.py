# SPDX-License-Identifier: MIT
"""
The serial console: which VM or monitor gets what is typed, and the answer of every command of the
monitor against what is known of the machine.

From: make test      To: monitor/
"""

import json
import os
import random
import re
import shutil
import subprocess

import documents
import pytest
from case import PATIENCE, PROMPT, ROOT, Case

from lab import trace as traces

LOOP = "kernel=endless.bin,name=loop,mem=4M"
EDU = 'kernel=edu-msi.elf,name=alpha,mem=16M,pci=1234:11e8,cmdline="count=100000000"'
TO_MONITOR, NEXT, OFF = "\x01c", "\x01n", "\x01x"


def dialogue(name, asked, vms=(LOOP,), begin=r"entry=0x", end=OFF, **words):
    """The monitor is called when `begin` is seen; then each of (command, regexes of its answer)."""
    answers = [(begin, TO_MONITOR), *[(PROMPT, command + "\r") for command, *_ in asked],
               (PROMPT, end)]
    expect = [regex for command, *regexes in asked
              for regex in (r"^\(hamlet\) " + command.split(" ")[0], *regexes)]
    return Case(name, vms=list(vms), answers=answers, expect=expect, **words)


# A dialogue's rows: what is typed, then what its answer shows.
HELP = dialogue("help", [
    ("help", r"^  vm  ", r"^  log  "),
    ("help vm", r"^vm \[list", r"for example: vm pause"),
    ("help nothing", r"^help: no such command: nothing"),
])

PAUSE = dialogue("pause-and-resume", [
    ("vm", r"^vm=loop state=running mem=4M vcpus=1 kernel=flat .*\(console\)"),
    ("vm pause", r"^vm=loop pauses"),
    ("vm", r"state=paused"),
    ("vm pause", r"^vm: vm=loop is paused: it cannot pause now"),
    ("vm resume loop", r"^vm=loop runs"),
    ("vm", r"state=running"),
    ("vm reset", r"is reset"),
    ("vm", r"state=running"),
])

# One of the two waits for the CPU of the other, which is also the console's.
STOP = dialogue("stop-one-of-two", [
    ("vcpu loop.0", r"^vcpu=loop\.0 state=\w+", r"rip=0x10000[01]"),
    ("vcpu other.0", r"^vcpu=other\.0 state=\w+", r"rip=0x10000[01]"),
    ("vcpu loop.0 vmcs guest_rip", r"GUEST_RIP +0x10000[01]"),
    ("vm stop other", r"^vm=other ends"),
    ("vm", r"vm=loop state=running", r"vm=other state=end"),
], vms=[LOOP, "kernel=endless.bin,name=other,mem=4M"], begin=r"vm=other kernel")

HOST = dialogue("host", [
    ("mem", r"^free=\d+M", r"^vm=loop host=0x\w+-0x\w+ size=4M"),
    ("cpu", r"^cpu=0 apic-id=0 loaded=loop\.0", r"^vcpu=loop\.0 state=running home=0"),
    ("log vtd trace", r"^vtd=trace"),
    ("log", r"^all=info", r"^vtd=trace"),
    ("log loud", r"^log: not a level"),
])

VCPU = dialogue("vcpu", [
    ("vcpu", r"^vcpu=loop\.0 state=running", r"rip=0x100001 .* cr0=0x80010031"),
    ("vcpu loop.0 vmcs guest_rip", r"^681e GUEST_RIP +0x100001"),
    ("vcpu vmcs pin_based_controls",
     r"^4000 PIN_BASED_CONTROLS .* EXTINT NMI VNMI TIMER POST"),
    ("exits", r"VMX-preemption timer expired +\d+  \+[1-9]", r"^vm=loop exits=\d+ since-last="),
    ("vcpu vmcs gdtr", r"^4810 GUEST_GDTR_LIMIT", r"^6816 GUEST_GDTR_BASE",
     r"^6c0c HOST_GDTR_BASE"),
    ("vcpu vmcs cs_access", r"^4816 GUEST_CS_ACCESS_RIGHTS .* S P L G$"),
    ("vcpu vmcs zzz", r"^vcpu: no VMCS field has zzz"),
    ("x gpa 0x100000 2", r"^0000000000100000  fa eb  "),
    ("x 0x100000 2", r"^0000000000100000  fa eb  "),
    ("walk 0x100000", r"guest +level 4 .* P W", r"^gva=0x100000 -> gpa=0x100000",
     r"EPT +level 4 .* R W X", r"^gpa=0x100000 -> hpa=0x\w+ rwx WB"),
    ("map", r"^0000000000000000-00000000003fffff ram rwx WB -> 0x",
     r"^0000000000400000-00000000bfffffff hole",
     r"^00000000fec00000-00000000fec00fff trapped ioapic", r"^port 03f8-03ff trapped uart"),
    ("pid", r"^vcpu=loop\.0 state=running pid=0x\w+ ON=0 SN=0 NV=0xf0 NDST=0x0"),
    ("check", r"^breaches=0: every promise holds"),
])

EXPLAIN = dialogue("explain", [
    ("explain vmcs.exit_qualification 30 0x3f80008",
     r'^vmcs.*"Exit Qualification for I/O Instructions"', r"3 IN +0x1 +direction: IN",
     r"31:16 PORT +0x3f8"),
    ("explain vtd.context 0x2ff7001 0x102", r'VT-d "Context Entry"', r"0 P +0x1",
     r"63:12 SSPTPTR +0x2ff7000", r"66:64 AW +0x2 .*48 bits", r"87:72 DID +0x1"),
    ("explain vtd.irte 0x0000000000518001 0x40010", r"23:16 V +0x51", r"79:64 SID +0x10",
     r"source-id$"),
    ("explain cr0 0x80000031", r"31 PG +0x1"),
    ("explain efer 0xd01", r"10 LMA +0x1", r"11 NXE +0x1"),
    ("explain rflags 0x246", r"2 PF +0x1", r"6 ZF +0x1", r"9 IF +0x1"),
    ("explain vmcs.exit_qualification 29 0x310", r"4 ACCESS +0x1 .*MOV from DR",
     r"11:8 GPR +0x3 .*RBX"),
    ("explain vtd.desc_iotlb 0x100f2 0x3000", r"3:0 TYPE +0x2 .*IOTLB", r"5:4 G +0x3 .*page",
     r"31:16 DID +0x1", r"127:76 ADDR +0x3000"),
    ("explain vtd.rte 0x000900000000a034", r"48 FORMAT .*remappable", r"63:49 INDEX +0x4"),
    ("explain msi.address 0xfee01004", r"19:12 DEST +0x1 ", r"2 DM +0x1 .*logical"),
    ("explain apic.icr 0x1000c0500", r"10:8 DELIVERY +0x5 .*INIT", r"19:18 TO +0x3 .*all others",
     r"63:32 DEST +0x1 "),
    ("explain pci.bar 0xc000000c", r"2:1 TYPE +0x2 .*64 bits", r"3 PREF +0x1",
     r"63:4 ADDR +0xc0000000"),
    ("explain vmcs.exit_qualification 12 0",
     r"^explain: the qualification says nothing for reason 12 \(HLT\)"),
    ("explain", r"vtd\.root", r"vmcs\.pin"),
])

# One device, seen from all sides; taken away and given back while its guest runs. The guest raises
# interrupts all the time: one may be outstanding at any look.
DEVICE = dialogue("device", vms=[EDU], asked=[
    ("pci", r"^00:02\.0 1234:11e8 device 00ff00 vm=alpha"),
    ("pci 00:02.0", r"^00:02\.0 1234:11e8",
     r"vm=alpha there=00:01\.0 source-id=00:02\.0 domain=1",
     r"vendor +0x00001234 +0x00001234",
     r"command .* MASTER",
     r"bar0 +0xc0000000 +0xd0000000 .*ADDR=0xc0000000",
     r"msi-data +0x00000000 +0x00000051",
     r"pcie-status +0x00000000 +0x00000000",
     r"  bar0 mem host=0xc0000000 size=0x100000 guest=0xd0000000"),
    ("exits alpha", r"^  I/O instruction +(\d+) ", r"^  top ports: 0xcf8=\d+ 0xcfc=\d+",
     r"^  top MSRs: .*0x80f=1", r"^vm=alpha exits="),
    ("map", r"^00000000d0000000-00000000d00fffff direct 00:02\.0 bar0 UC -> 0xc0000000",
     r"^00000000d0100000-00000000d0100fff trapped msix-table", r"^port c040-c05f direct"),
    ("vtd", r"^unit=0 at=0xfed90000", r"PI=yes", r"gsts=0x\w+ TES",
     r"^translation=on interrupt-remapping=on posting=by hardware"),
    ("vtd 00:02.0 0x1000", r"root .* P CTP", r"context .* P TT=all, ATS is blocked .* DID=0x1",
     r"second level 4", r"^iova=0x1000 -> hpa=0x\w+1000"),
    ("walk 00:02.0 0x80000000", r"^iova=0x80000000 is blocked: not mapped"),
    ("irq 00:02.0", r"^00:02\.0 msi=0 irte=0 posted vcpu=0 vector=0x51 count=0$",
     r"P IM=posted V=0x51 .* SVT=source-id",
     r"of the entry: 00:02\.0, of the device: 00:02\.0",
     r"^vcpu=alpha\.0 state=running pid=0x\w+ ON=[01]"),
    ("irq", r"^host ioapic=1 pin=9 .* FORMAT=remappable"),
    ("audit", r"00:02\.0 1234:11e8 assignable reset=flr"),
    ("vtd faults", r"^no faults"),
    ("unassign 00:02.0", r"^00:02\.0 is taken back"),
    ("irq", r"^no VM has a device"),
    ("walk 00:02.0 0x1000", r"^iova=0x1000 is blocked: context entry not present"),
    ("walk 00:1e.7 0x1000", r"source-id=00:1e\.7 \(no function is there: what the unit would do"),
    ("assign 00:02.0", r"^00:02\.0 is given to vm=alpha"),
    ("check", r"^breaches=0"),
])

# The answer to each of these is one line, and nothing else happens.
NONSENSE = dialogue("nonsense", [
    ("walk zz 0x1000", r"^walk: address: no number: zz"),
    ("x", r"^x: address is missing"),
    ("x 0xffff800000000000", r"^x: no memory"),
    ("x hpa 0xfed90000", r"^x: no memory"),
    ("x 0 99999", r"^x: count"),
    ("x 0xffffffffffffffff 64", r"^x: count"),
    ("vcpu loop.9", r"^vcpu: vm=loop has 1"),
    ("irq 99:99.9", r"^irq: no device"),
    ("pci 1f:1f.7", r"^pci: nothing at"),
    ("assign 00:00.0", r"^assign: 00:00\.0 is not given"),
    ("unassign 00:00.0", r"^unassign: no VM has"),
    ("irq 00:00.0", r"^irq: no VM has 00:00\.0"),
    ("gdb", r"^gdb: no port: gdb=com2"),
    ("inject 9", r"^inject: vector"),
    ("explain vtd.foo 1", r"^explain: no register"),
    ("a b c d e f g h i j k l m n o p q r", r"^monitor: too many words"),
    ("vm", r"vm=loop state=running"),
])

INJECT = dialogue("inject", [
    ("inject nmi", r"^vcpu=loop\.0 gets an NMI", r'why="triple fault"'),
], end="", vms=[LOOP])

# What a VM leaves that did not end by itself, and Hamlet when it must not go on: for people, and as
# keys for a program.
DEATH = dialogue("death-report", vms=[EDU], end="", asked=[
    ("vm stop",
     r"vmx: vcpu=0 state=stopped",
     r"^hamlet: vm=alpha vcpu=0 rip=0x\w+ .* cr3=0x90000 cr4=0x\w+ efer=0xd01",
     r"vcpu=0 rsp=0x8\w+ rbp=",
     r"vcpu=0 r12=0x\w+ .* r15=0x",
     r"vcpu=0 last-exits=vmx-preemption-timer-expired",
     r"vcpu=0 posted=(-|0x51) requested=", # the device's interrupt may be on its way
     r"last-access=config device=00:01\.0 register=0x\w+ width=\d wrote=0x\w+",
     r"^hamlet: vm=alpha exit=254"),
])
PANIC = dialogue("panic", vms=[EDU], end="", cpus=2, asked=[
    ("reboot panic",
     r"vmx: vcpu=0",
     r"^hamlet: panic vcpu=0 rip=0x\w+ cr3=0x90000 exit-reason=52",
     r"panic: .*asked for at the console",
     r"#0 \w+ cmd_reboot\+0x",
     r" task_main\+0x",
     r"^hamlet: panic cpu=0 trace=cmd_reboot\+0x\w+,.*,task_main\+0x",
     r"panic:",
     r"#\d \w+ other_cpu\+0x",
     r"^hamlet: panic cpu=1 trace=.*,other_cpu\+0x"),
], stop_at=r"hamlet: panic cpu=0 rip=0x\w+ text=\"asked for at the console\"")

# Arrows, erasing, completion, an abandoned line: what is run is "cpu", three times.
EDITING = Case("editing", vms=[LOOP], answers=[
    ("entry=0x", TO_MONITOR),
    (PROMPT, "cxpu\x1b[D\x1b[D\x7f\r"),
    (PROMPT, "\x1b[A\r"),
    (PROMPT, "vm stop\x03c\tu\x15cp\t\r"),
    (PROMPT, OFF),
], expect=[r"^cpu=0 apic-id=0"] * 3, forbid=["no such command", "stopped by"])

# Tab: a command, a command to be helped with, a VM, a register; several are shown to choose from.
COMPLETION = Case("completion", vms=[LOOP], answers=[
    ("entry=0x", TO_MONITOR),
    (PROMPT, "vc\tlo\t\r"),
    (PROMPT, "help un\t\r"),
    (PROMPT, "explain vtd.con\t1 2\r"),
    (PROMPT, "un\t\t\x15p\t"),
    (r"  pci\n[\s\S]*p$", "\x15" + "cpu\r"),
    (PROMPT, OFF),
], expect=[
    r"^\(hamlet\) vcpu loop $", r"^vcpu=loop\.0", r"^unassign bb", r"^vtd\.context: ",
    r"^  pci$", r"^  pid$", r"^cpu=0",
])

# Two cores of two threads: 0 and 1 are threads of one core.
def on_four_cpus(name, words, *where):
    vms = [f'kernel=smp.elf,name=a,mem=4M,vcpus=2,cmdline="wait=1"{words}']
    return dialogue(name, vms=vms, cpus=4, machine={"cores": "2", "threads": "2"},
                    begin=r"a\| waits", asked=[("cpu", *where)])


PLACED = on_four_cpus("placed", "", r"^vcpu=a\.0 .* home=0$", r"^vcpu=a\.1 .* home=2$")
PINNED = on_four_cpus("pinned", ",pin=3,1", r"^cpu=3 .*loaded=a\.0",
                      r"^vcpu=a\.0 state=running home=3$", r"^vcpu=a\.1 .* home=1$")

CASES = [HELP, PLACED, PINNED, PAUSE, STOP, HOST, VCPU, EXPLAIN, DEVICE, NONSENSE, INJECT, DEATH,
         PANIC, EDITING, COMPLETION]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_monitor(boot, case):
    got = boot(case)
    if case is PANIC:
        documents.shown("panic", got.text)


# --- The trace -----------------------------------------------------------------------------------

BENCHES = [f"kernel=bench.elf,name=b{n},mem=4M" for n in range(3)]


def traced(boot, count):
    """Wrap the rings by the exits of the benchmark, then read the last `count` events. No VM runs
    then: however late a command comes, nothing is added."""
    asked = [("trace", r"^trace=on kept=\d+ dropped="), ("trace off", r"^trace=off"),
             ("trace show 3", r"^\(hamlet\) trace show 3"),
             (f"trace dump {count}", r"^trace: begin", r"^trace: end")]
    got = boot(Case(f"trace-{count}", vms=BENCHES, append="console=com1 trace=on end=monitor",
                    answers=[*((PROMPT, f"{command}\r") for command, *_ in asked),
                             (PROMPT, "reboot off\r")],
                    expect=[regex for _, *regexes in asked for regex in regexes]))
    return got.text, traces.read(got.text)


def test_trace(boot, tmp_path):
    text, trace = traced(boot, 700)
    assert trace.complete and len(trace.events) == 700
    dropped = re.search(r"trace=off kept=8192 dropped=(\d+)", text).group(1)
    assert int(dropped) > 1000, "the ring did not wrap"
    assert [e.tsc for e in trace.events] == sorted(e.tsc for e in trace.events)
    assert {"exit", "sched"} <= {e.type for e in trace.events}
    log = tmp_path / "console.log"
    log.write_text(text)
    run = subprocess.run([ROOT / "hamlet", "trace", log], capture_output=True, text=True,
                         check=True)
    assert re.search(r"b\d\.0 +exit +I/O instruction cost=\d", run.stdout)
    subprocess.run([ROOT / "hamlet", "trace", log, "--json", tmp_path / "t.json"], check=True)
    chrome = json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    assert any(e["ph"] == "X" and e["cat"] == "exit" and e["dur"] > 0 for e in chrome)


def noise(chance, commands):
    """A line: bytes of any kind, or a command with words that may be an address, a name, a device,
    or none of these."""
    if chance.randrange(2):
        keys = [*range(2, 127), 0x1b, 0x5b]
        line = "".join(chr(chance.choice(keys)) for _ in range(chance.randrange(1, 40)))
        return line.replace("\r", " ").replace("\n", " ")
    words = ["loop", "loop.0", "loop.7", "gpa", "hpa", "vmcs", "all", "on", "0", "-1", "0x100000",
             "0xffffffffffffffff", "99999999999999999999", "00:02.0", "ff:1f.7", "vtd.context",
             "faults", "dump", "\xff", "%s%n", "." * 30, str(chance.randrange(2 ** 40))]
    return " ".join([chance.choice(commands), *chance.choices(words, k=chance.randrange(5))])


NOISE = int(os.environ.get("HAMLET_NOISE", 80))       # lines


def test_noise(boot):
    """Random lines and binary noise on the line: each gets its answer, and the VM goes on.
    (tests/unit/test_monitor.c has ten thousand; HAMLET_NOISE=10000 types as many here, in two
    minutes.)"""
    chance = random.Random(7)
    commands = ["help", "vcpu", "exits", "x", "walk", "tlb", "mem", "pci", "assign", "unassign",
                "vtd", "irq", "pid", "explain", "log", "cpu", "trace", "Vm", "vm", "inject", "map",
                "check", "audit"]
    lines = [line for line in (noise(chance, commands) for _ in range(NOISE))
             if not re.match(r"(map|audit|trace dump|vcpu.* all|inject)\b", line)]
    asked = [(PROMPT, line + "\x1b[Z\x03" + "zz\r" if n % 3 == 0 else line + "\x1b[Z\r")
             for n, line in enumerate(lines)]
    got = boot(Case("noise", vms=[LOOP], timeout=PATIENCE + NOISE,
                    answers=[("entry=0x", TO_MONITOR), *asked, (PROMPT, "\x15vm\r"), (PROMPT, OFF)],
                    expect=[r"^vm=loop state=running"]))
    assert len(re.findall(r"^zz: no such command", got.text, re.M)) >= len(lines[::3])
    assert len(lines) > NOISE * 3 / 4


def test_examples(boot):
    """What `help COMMAND` gives as an example can be typed as it stands, and is answered. Those
    that end or change something come last."""
    table = (ROOT / "monitor/term/command.c").read_text()
    names = re.findall(r'^    \{"(\w+)", \w+, ', table, re.M)
    last = ["help", "vm", "unassign", "assign", "inject", "reboot"]
    # `gdb` needs a second port: tests/cases/test_gdb.py.
    order = [name for name in names if name not in [*last, "gdb"]] + last
    example = r"for example: ([^\n]*)(?:\n[\s\S]*)?\n\(hamlet\) $"
    asked = [row for name in order
             for row in ((PROMPT, f"help {name}\r"), (example, given_back("{0}\r")))]
    text = boot(Case("examples", vms=[EDU], answers=[("entry=0x", TO_MONITOR), *asked],
                     expect=[r'^hamlet: vm=alpha why="ended at the console"',
                             r"^hamlet: end"])).text
    examples = dict(re.findall(r"^\(hamlet\) help (\w+)\n(?:.*\n)*?  for example: (.*)$",
                               text, re.M))
    assert list(examples) == order, "a command without an example"
    for name in order[:-1]:
        answer = text.split("\n(hamlet) help " + name + "\n", 1)[1]
        assert re.match(rf"{name}( |\n)", answer), answer
        answer = answer.split(f"\n(hamlet) {examples[name]}\n", 1)[1].split("\n(hamlet) ", 1)[0]
        refused = re.search(rf"^{examples[name].split()[0]}: ", answer, re.M)
        assert answer and not refused, f"{examples[name]}: {answer}"


# --- On the machine that others wrote ------------------------------------------------------------
# Every command that shows VT-d, against what QEMU's unit and device are.

PAIR = r"{} +0x(\w{{16}})(\w{{16}})[\s\S]*\n\(hamlet\) $"     # an entry of 128 bits, as "high low"
EDU_NESTED = "01:00.0"
NESTED = [
    # what is typed, after what was seen; then what it shows
    (PROMPT, "pci", r"^00:05\.0 1b36:000c bridge 060400 bridge$",
     r"^  01:00\.0 1234:11e8 device 00ff00 vm=alpha"),
    (PROMPT, "vtd", r"^unit=0 at=0xfed90000 segment=0", r"cap=0x\w+ .* PI=no",
     r"ecap=0x\w+ .*QI=yes .*IR=yes", r"gsts=0x\w+ TES RTPS QIES IRES IRTPS",
     r"^translation=on interrupt-remapping=on posting=by software"),
    (r"  cap=0x(\w+)[\s\S]*\n\(hamlet\) $", "explain vtd.cap 0x{0}",
     r'VT-d "Capability Register"', r"59 PI +0x0 .*: no"),
    (PROMPT, f"walk {EDU_NESTED} 0x1000", r"root .* P CTP=0x",
     r"context .* P TT=all, ATS is blocked .* DID=0x1$", r"second level 3 ",
     r"^iova=0x1000 -> hpa=0x\w+1000$"),
    (PAIR.format("context"), "explain vtd.context 0x{1} 0x{0}", r'VT-d "Context Entry"',
     r"87:72 DID +0x1 "),
    (PROMPT, f"vtd {EDU_NESTED} 0x80000000", r"^iova=0x80000000 is blocked: not mapped"),
    (PROMPT, f"irq {EDU_NESTED}",
     r"^01:00\.0 msi=0 irte=\d+ software vcpu=0 vector=0x51 count=[1-9]\d*$",
     r"P .*IM=remapped .* SID=0x100 SQ=all 16 SVT=source-id",
     r"of the entry: 01:00\.0, of the device: 01:00\.0"),
    (PAIR.format("irte"), "explain vtd.irte 0x{1} 0x{0}", r"15 IM +0x0 .*: remapped",
     r"79:64 SID +0x100 "),
    (PROMPT, f"pci {EDU_NESTED}", r"^01:00\.0 1234:11e8 device",
     r"vm=alpha there=00:01\.0 source-id=01:00\.0 domain=1 faults=0", r"command .* MASTER",
     r"msi-control .* ENABLE", r"msi-address .*FORMAT=remappable"),
    (PROMPT, "pid", r"^vcpu=alpha\.0 state=running pid=0x"),
    (PROMPT, "audit", r"01:00\.0 1234:11e8 assignable reset=bus"),
    (PROMPT, "vtd faults", r"^no faults"),
    (PROMPT, "check", r"^breaches=0: every promise holds"),
    (PROMPT, f"unassign {EDU_NESTED}", r"is taken back"),
    (PROMPT, f"walk {EDU_NESTED} 0x1000", r"^iova=0x1000 is blocked: context entry not present"),
    (PROMPT, f"assign {EDU_NESTED}", r"is given to vm=alpha"),
]


def given_back(text):
    """What was seen, typed again: {0} is the first group."""
    return lambda match: text.format(*(group.decode() for group in match.groups()))


@pytest.mark.nested
def test_nested(boot):
    """In one boot. `explain` gets what `walk`, `irq` and `vtd` have shown: live values, in
    words."""
    expect = [regex for _, typed, *regexes in NESTED
              for regex in (r"^\(hamlet\) " + typed.split(" ")[0], *regexes)]
    typed = [(seen, given_back(typed + "\r")) for seen, typed, *_ in NESTED]
    boot(Case("monitor", on="nested", devices=["pcie-root-port,id=rp0,addr=5", "edu,bus=rp0"],
              vms=[EDU], expect=expect,
              answers=[(r"vm=alpha kernel[\s\S]*entry=0x", TO_MONITOR), *typed, (PROMPT, OFF)]))


# --- A planted bug, found with the monitor alone -------------------------------------------------

@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A Hamlet that writes another function's source-id into each interrupt-remapping entry."""
    tree = tmp_path_factory.mktemp("planted") / "tree"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(
        ".git", "guests", "cases", "unit", "fuzz", "clang", "no-trace", "docs"))
    source = tree / "vtd/intremap.c"
    right = "FIELD_SET(IRTE_SID, source_id)"
    assert right in source.read_text()
    source.write_text(source.read_text().replace(right, "FIELD_SET(IRTE_SID, source_id ^ 1)"))
    subprocess.run(["make", "-s", "build/hamlet.elf"], cwd=tree, check=True, capture_output=True)
    return tree / "build/hamlet.elf"


def test_planted_bug_is_found(boot, planted):
    """The dialogue of docs/debugging.md: a guest waits for interrupts that never come. Why?"""
    got = boot(dialogue("planted-bug", kernel=planted, vms=[EDU], asked=[
        ("vm", r"^vm=alpha state=running"),
        ("pid alpha.0", r"ON=0 SN=0"),
        ("pci 00:02.0", r"command .* MASTER", r"msi-control .* ENABLE"),
        ("vtd faults", r"^source-id=00:02\.0 faults=[1-9]"),
        ("irq 00:02.0", r"BLOCKED: the entry is for another source-id",
         r"of the entry: 00:02\.1, of the device: 00:02\.0"),
        ("check", r"breach: irte=\d+ of 00:02\.0 is for another source-id", r"^breaches=1"),
    ], ends="panic"))
    documents.shown("planted-bug", got.text)
