# SPDX-License-Identifier: MIT
"""
A real GDB looks at a guest over the second serial port, and at Hamlet itself over the emulator's
stub; and a program that only makes noise on that port.

From: make test      To: monitor/gdb/gdb.c, monitor/gdb/target.c, vmx/vcpu/debug.c,
lab/machines/boot.py (Line)
"""

import random
import re
import socket
import subprocess
import threading
import time

import documents
import pytest
from case import GUESTS, PATIENCE, ROOT, Case

from lab import port

WAIT = "console=com1 gdb=com2,wait"


def debug(boot, tmp_path, case, commands, expect, program=None):
    """Boot the case, run gdb's commands in it, and look for the regexes in what it shows, in
    this order."""
    case.gdb = case.gdb or port.free()
    before = ["set pagination off", "set confirm off", f"set tcp connect-timeout {PATIENCE}",
              "set remotetimeout 10", f"target remote :{case.gdb}"]
    line = ["gdb", "-nx", "-q", "-batch"]
    for command in [*before, *commands]:
        line += ["-ex", command]
    log = tmp_path / "gdb.log"
    with open(log, "w") as out:
        child = subprocess.Popen(line + ([str(GUESTS / program)] if program else []),
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        try:
            got = boot(case)
            child.wait(PATIENCE)
        finally:
            child.kill()
            child.wait()
            print(log.read_text())                  # pytest shows it when the case fails
    shown(log.read_text(), expect)
    return got


def shown(text, expect):
    at = 0
    for pattern in expect:
        match = re.compile(pattern, re.M).search(text, at)
        assert match, f"gdb did not show, in this order: {pattern!r}"
        at = match.end()


def test_a_guest(boot, tmp_path):
    """Break, look, step, write; the other VM ends meanwhile, and this one when the debugger
    has left."""
    case = Case("gdb-guest",
                vms=["kernel=hello.elf,name=other,mem=4M",
                     "kernel=hello.elf,name=alpha,mem=4M,pci=1234:11e8"],
                append=WAIT + ",alpha", exits={"alpha": 1, "other": 1},
                expect=[r"gdb: vm=alpha waits", r"vm=other exit=1", r"alpha\| Jello from a guest"])
    debug(boot, tmp_path, case, program="hello.elf", commands=[
        "info registers rip", "break main", "break print", "continue", "backtrace", "x/i $pc",
        "stepi", "info registers rip",
        "monitor vm", "continue", "x/s $rdi", "set {char}$rdi = 'J'",
        "set $r15 = 0x1122334455667788", "p/x $r15",
        "set $xmm3.v2_int64[1] = 7", "p $xmm3.v2_int64[1]", "p $mxcsr", "x/x 0x40000000",
        "set {int}0x40000000 = 1", "x/wx 0xd0000000", "monitor bars on", "x/wx 0xd0000000",
        "set {int}0xd0000004 = 1",
        "info threads", "detach"], expect=[
            r"^rip +0x\w+ +0x\w+ <_start>", r"^Breakpoint 1, .* in main \(\)",
            r"^#0 .* in main \(\)", r"=> 0x\w+ <main>:\s+push ",
            r"in main \(\)", r"<main\+1>", r"^vm=alpha state=paused",
            r"^Breakpoint 2, .* in print \(\)", r'"Hello from a guest\."',
            r"= 0x1122334455667788", r"= 7", r"= 8064",
            r"Cannot access memory at address 0x40000000", r"Cannot access memory",
            r"Cannot access memory at address 0xd0000000", r"^bars=on: a device may do something",
            r"^0xd0000000:\s+0x010000ed$", r"Cannot access memory at address 0xd0000004",
            r"^\* 1 +Thread 1 .*active.* in print", r"detached"])


def test_two_vcpus(boot, tmp_path):
    """A breakpoint on the second vCPU, a watchpoint for both, a hardware breakpoint, a step that
    leaves the other alone."""
    case = Case("gdb-vcpus", vms=["kernel=smp.elf,mem=4M,vcpus=2"], append=WAIT, cpus=2,
                exits={"smp": 1}, expect=[r"smp\| counted to 20000 together"])
    debug(boot, tmp_path, case, program="smp.elf", commands=[
        "info threads", "break ap_main", "continue", "info threads", "thread", "delete",
        "watch *(unsigned long *)&total",
        "continue", "continue", "p *(unsigned long *)&total", "delete", "thread 1", "stepi",
        "thread", "hbreak send_ipi", "continue", "p $rdi",
        "delete", "detach"], expect=[
            r"^\* 1 +Thread 1", r"^  2 +Thread 2 .*STARTUP IPI", r"hit Breakpoint 1, .* in ap_main",
            r"^  1 +Thread 1", r"^\* 2 +Thread 2",
            r"^\[Current thread is 2", r"Hardware watchpoint 2",
            r"Old value = 0\nNew value = [12]\n", r"Old value = [12]\nNew value = [2-4]\n",
            r"= [2-4]$",
            r"Current thread is 1", r"hit Breakpoint 3, .* in send_ipi", r"= 1$", r"detached"])


def test_the_session_of_the_documents(boot, tmp_path):
    """Each line that docs/debugging.md shows, by source lines, up to the stop that either of the
    two vCPUs may reach first."""
    case = Case("gdb-documents", vms=["kernel=smp.elf,mem=4M,vcpus=2"], append=WAIT, cpus=2,
                exits={"smp": 1})
    commands = documents.typed("gdb-documents", "(gdb) ")
    debug(boot, tmp_path, case, commands[1:], expect=[], program="smp.sym")
    lines, may_differ = documents.transcript("gdb-documents")
    answers = [line for line in lines if not line.startswith(("(gdb) ", "$ ", "[0] gdb: "))]
    at = answers.index("[Switching to Thread 1]")       # either of the two vCPUs may come first
    certain = answers[:at] + [line for line in answers[at:] if line.startswith("g")]
    printed = (tmp_path / "gdb.log").read_text().split("\n")
    assert len(certain) >= 12 and documents.missing(certain, printed, may_differ) is None


def test_what_is_the_guests_own(boot, tmp_path):
    """The guest steps itself while a debug register is the debugger's, and meets its own INT3 and
    DR0 while INT3s are."""
    case = Case("gdb-own", vms=["kernel=cpu-state.elf,mem=4M,cmdline=pattern=17"], append=WAIT,
                exits={"cpu-state": 1},
                expect=[r"single-step: steps=8", r"breakpoint: hits=3", r"int3: hits=1",
                        r"registers: mine"])
    debug(boot, tmp_path, case, program="cpu-state.elf", commands=[
        "hbreak main", "continue", "delete", "watch *(long *)&steps", "ignore 2 7", "continue",
        "delete", "break on_nmi", "continue",
        "p *(long *)&int3s", "p *(long *)&hits", "delete", "detach"],
          expect=[r"Breakpoint 1, .* in main", r"New value = 8$", r"Breakpoint 3, .* in on_nmi",
                  r"= 1$", r"= 3$", r"detached"])


# A kernel of each format waits for GDB in its turn. Of each: the VM, the file that GDB reads, what
# is typed between "target remote" and "kill", and what GDB shows.
READ_AGAIN = "unset tdesc filename"
FORMATS = [
    # looked at where it crashed
    ("kernel=triple-fault.bin,name=flat,mem=4M", None, ["show architecture", "continue", "x/i $pc"],
     [r"i386:x86-64", r"received signal SIGSEGV", r"=> 0x\w+:\s+ud2"]),
    # Its first instructions, in 32-bit code and back in 16-bit code.
    ("kernel=boot-sector.bin,name=sector,mem=4M", None,
     ["show architecture", "x/3i $pc", "stepi 3", "p/x $esi", "p/x $eip", "monitor mode",
      "hbreak *0x7c35", "continue", READ_AGAIN, "show architecture", "x/2i $pc", "delete",
      "source {hook}", "hbreak *0x7c54", "continue", "x/i $pc", "source {unhook}", "delete"],
     [r"i8086", r"=> 0x7c00:\s+xor +%ax,%ax\n.*mov +%ax,%ds\n.*mov +\$0x\w+,%si$",
      r"= 0x7c\w\w$", r"= 0x7c07$", r"^cpu=16 shown=16$",
      r"^the CPU runs 32-bit code now; to see it so: unset tdesc filename$",
      r"Breakpoint \d, 0x0*7c35",
      r"\"i386\"", r"=> 0x7c35:\s+mov +\$0x10,%ax\n.*mov +%eax,%ds",
      r"=> 0x7c54:\s+mov +\$0x20,%ax$"]),
    # A breakpoint in the upper half, before paging is on.
    ("kernel=to-64.bin,name=elf32,mem=4M", None,
     ["show architecture", "x/i $pc", "monitor mode 64", READ_AGAIN, "hbreak *0xffffffff80100200",
      "continue", "x/i $pc", "stepi", "p/x $rbx", "delete", "continue"],
     [r"\"i386\"", r"=> 0x\w+:\s+movl ", r"^cpu=32 shown=32; to see it so",
      r"Breakpoint \d, 0xffffffff80100200", r"movabs \$0x1122334455667788,%rbx",
      r"= 0x1122334455667788$", r"exited normally"]),
    ("kernel=multiboot1.bin,name=old,mem=4M,cmdline=x", None,
     ["show architecture", "x/2i $pc", "stepi", "stepi", "p/x $ebp", "info registers eflags",
      "stepi 5", "x/i $pc", "stepi", "x/i $pc", "continue"],
     [r"\"i386\"", r"cld", r"mov +%eax,%ebp", r"= 0x2badb002", r"^eflags .*\[",
      r"=> 0x\w+:\s+out +%al,\(%dx\)", r"=> 0x\w+:\s+jmp ", r"exited normally"]),
    ("kernel=multiboot2.bin,name=new,mem=4M", None,
     ["show architecture", "p/x $eax", "continue"],
     [r"\"i386\"", r"= 0x36d76289$", r"exited normally"]),
    # The usual hobby kernel: an ELF file of 64 bits with a multiboot2 header.
    (f"kernel={ROOT / 'build/tests/mends.elf'},name=bare,mem=8M", ROOT / "build/tests/mends.elf",
     ["show architecture", "p $pc", "monitor mode cpu", READ_AGAIN, "p $pc", "x/7i $pc", "stepi",
      "monitor mode 64", READ_AGAIN, "break bare_main", "continue", "p/x $cs", "x/i $pc"],
     [r"i386:x86-64", r"_start>", r"^cpu=32 shown=64; to see it so", r"= .*0x\w+ <_start>",
      r"movl +\$0x\w+,0x\w+$", r"^cpu=32 shown=32; to see it so",
      r"Breakpoint \d, .*bare_main", r"= 0x8$", r"=> 0x\w+ <bare_main(\+\d+)?>:\s+\w+ .*%r"]),
    ("kernel=bzimage.bin,name=linux,mem=4M", None,
     ["show architecture", "x/i $pc", "p/x $rsi", "continue"],
     [r"i386:x86-64", r"=> 0x100200:\s+xor +%eax,%eax", r"= 0x98000$", r"exited normally"]),
    ("kernel=linux-32.bin,name=linux32,mem=4M", None,
     ["show architecture", "x/2i $pc", "p/x $esi", "continue"],
     [r"\"i386\"", r"=> 0x100000:\s+xor +%eax,%eax\n.*cmpl +\$0x53726448,0x202\(%esi\)$",
      r"= 0x98000$", r"exited normally"]),
    # An ELF file of 64 bits again, whose PVH entry is 32-bit code.
    ("kernel=pvh.bin,name=pvh,mem=4M", None,
     ["monitor mode cpu", READ_AGAIN, "show architecture", "x/2i $pc", "x/wx $ebx", "continue"],
     [r"\"i386\"", r"xor +%eax,%eax\n.*cmpl +\$0x336ec578,\(%ebx\)$", r":\s+0x336ec578$",
      r"exited normally"]),
]


def test_each_format(boot, tmp_path):
    """--gdb stops a kernel of each format before its first instruction, and GDB shows the code that
    the CPU runs."""
    case = Case("gdb-formats", vms=[vm for vm, *_ in FORMATS], append=WAIT + ",*", gdb=port.free(),
                exits={"flat": 254, "sector": 254, "elf32": 1, "old": 1, "new": 1, "bare": 254,
                       "linux": 1, "linux32": 1, "pvh": 1})
    hook, unhook = tmp_path / "hook", tmp_path / "unhook"
    hook.write_text(f"define hook-stop\n{READ_AGAIN}\nend\n")
    unhook.write_text("define hook-stop\nend\n")
    typed, expect = [], []
    for vm, program, commands, shows in FORMATS:
        typed += [f"file {program or ''}", f"target remote :{case.gdb}", f"echo -- {vm}\\n"]
        typed += [command.format(hook=hook, unhook=unhook) for command in commands]
        typed += [] if "exited normally" in shows else ["kill"]
        expect += [f"^-- {vm}$", *shows]
    debug(boot, tmp_path, case, typed[2:], expect)
    documents.shown("gdb-formats", (tmp_path / "gdb.log").read_text())


# --- Not GDB --------------------------------------------------------------------------------------

class Noise(threading.Thread):
    """A client that sends anything at all on the line."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.problem, self.line = port, "did not come so far", None

    def run(self):
        try:
            self.line = self._connect()
            self._talk()
            self.problem = None
        except Exception as problem:
            self.problem = repr(problem)

    def _connect(self):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port), 5)
            except ConnectionRefusedError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def _say(self, data, wanted):
        """A serial line may lose a byte: who is not answered says it again, as GDB does."""
        seen, end = b"", time.monotonic() + PATIENCE
        self.line.sendall(data)
        while wanted not in seen:
            try:
                piece = self.line.recv(256)
                assert piece, f"hung up after {seen!r}"
                seen += piece
            except TimeoutError:
                assert time.monotonic() < end, f"no {wanted} to {data[:40]}: {seen!r}"
                self.line.sendall(data)

    def _ask(self, packet, wanted):
        self._say(b"$%s#%02x" % (packet, sum(packet) & 255), b"$" + wanted)

    def _talk(self):
        random.seed(7)
        self._ask(b"g", b"E01")  # no debugger has introduced itself: the guest runs on
        for _ in range(20):
            # a wrong sum
            self._say(bytes(random.randrange(256) for _ in range(40)).replace(b"\x03", b"")
                      + b"#zz$?#00", b"-")
        self._say(b"$" + b"m" * 3000 + b"#00", b"-")               # longer than any packet
        self._ask(b"qSupported", b"PacketSize")
        self._ask(b"m0,ffffffffffffffff", b"")
        for packet in (b"mffffffffffffffff,8", b"M100000,ffffffff:00", b"p999999",
                       b"Z0,ffff800000000000,1", b"Z2,1,3", b"Hg77", b"vCont;c:77", b"vCont;q",
                       b"qXfer:features:read:target.xml:x"):
            self._ask(packet, b"E01")
        self._ask(b"vNothing", b"#00")
        self._say(b"$vCont;c#a8", b"+")
        self._say(b"\x03", b"T02thread:1;")
        self._ask(b"vKill;1", b"OK")


def test_noise(boot):
    """One that waits on the line of a VM that runs; the other VM notices nothing, and
    Hamlet neither."""
    case = Case("gdb-noise",
                vms=["kernel=endless.bin,name=loop,mem=4M",
                     "kernel=smp.elf,name=other,mem=4M,vcpus=2"], append="console=com1 gdb=com2",
                exits={"loop": 254, "other": 1},
                expect=[r"gdb: vm=loop can be debugged", r'why="killed by the debugger"'])
    case.gdb = port.free()
    noise = Noise(case.gdb)
    noise.start()
    boot(case)
    noise.join(PATIENCE)
    assert noise.problem is None, noise.problem


def test_hamlet_itself():
    """`make debug`, by QEMU's stub: symbols, lines, a backtrace."""
    if subprocess.run(["which", "qemu-system-x86_64"], capture_output=True).returncode:
        pytest.skip("tcg: qemu-system-x86_64 is missing")
    gdb = "gdb -nx -q -batch -ex 'set remotetimeout 10'"
    run = subprocess.run(["make", "-s", "debug", "DEBUG_ON=tcg", f"DEBUG_PORT={port.free()}",
                          f"GDB={gdb}", "DEBUG_MORE=-ex 'break pci_scan' -ex c -ex bt"], cwd=ROOT,
                         capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=PATIENCE)
    shown(run.stdout,
          [r"Breakpoint 1, hamlet_main", r"^#0 +pci_scan \(\) at pci/scan\.c:\d+",
           r"^#1 .*hamlet_main .* at boot/main\.c:\d+"])
