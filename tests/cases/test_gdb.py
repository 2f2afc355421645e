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

import pytest
from case import GUESTS, ROOT, Case
from test_docs import missing, section

WAIT = "console=com1 gdb=com2,wait"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def debug(boot, tmp_path, case, commands, expect, program=None):
    """Boot the case, run gdb's commands in it, and look for the regexes in what it shows, in
    this order."""
    case.gdb = free_port()
    before = ["set pagination off", "set confirm off", "set tcp connect-timeout 80",
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
            child.wait(20)
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
                vms=["kernel=hello.elf,name=other,mem=4M", "kernel=hello.elf,name=alpha,mem=4M"],
                append=WAIT + ",alpha", exits={"alpha": 1, "other": 1},
                expect=[r"gdb: vm=alpha waits", r"vm=other exit=1", r"alpha\| Jello from a guest"])
    debug(boot, tmp_path, case, program="hello.elf", commands=[
        "info registers rip", "break main", "break print", "continue", "backtrace", "x/i $pc",
        "stepi", "info registers rip",
        "monitor vm", "continue", "x/s $rdi", "set {char}$rdi = 'J'",
        "set $r15 = 0x1122334455667788", "p/x $r15",
        "set $xmm3.v2_int64[1] = 7", "p $xmm3.v2_int64[1]", "p $mxcsr", "x/x 0x40000000",
        "set {int}0x40000000 = 1",
        "info threads", "detach"], expect=[
            r"^rip +0x\w+ +0x\w+ <_start>", r"^Breakpoint 1, .* in main \(\)",
            r"^#0 .* in main \(\)", r"=> 0x\w+ <main>:\s+push ",
            r"in main \(\)", r"<main\+1>", r"^vm=alpha state=paused",
            r"^Breakpoint 2, .* in print \(\)", r'"Hello from a guest\."',
            r"= 0x1122334455667788", r"= 7", r"= 8064",
            r"Cannot access memory at address 0x40000000", r"Cannot access memory",
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
    transcript = [line for block in section("docs/debugging.md", "A guest under GDB")
                  for line in block if not line.startswith("[0] gdb: ")]
    commands = [line[6:] for line in transcript if line.startswith("(gdb) ")]
    debug(boot, tmp_path, case, commands[1:], expect=[], program="smp.sym")
    masked = [r"Thread 1 \(active\).*", r"0x[0-9a-f]+"]
    shown = (tmp_path / "gdb.log").read_text().split("\n")
    answers = [line for line in transcript if not line.startswith(("(gdb) ", "$ "))]
    certain = answers[:answers.index("[Switching to Thread 1]")]
    assert len(certain) >= 10 and missing(certain, shown, masked) is None


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


def test_a_crash_is_looked_at(boot, tmp_path):
    case = Case("gdb-crash", vms=["kernel=triple-fault.bin,name=crash,mem=4M"], append=WAIT,
                exits={"crash": 254}, expect=[r'why="triple fault"'])
    debug(boot, tmp_path, case, commands=["continue", "x/i $pc", "continue"], expect=[
        r"received signal SIGSEGV", r"=> 0x\w+:\s+ud2", r"terminated with signal SIGSEGV"])


def test_a_32_bit_guest(boot, tmp_path):
    """Its registers, and a step over an instruction that Hamlet carries out."""
    case = Case("gdb-32", vms=["kernel=multiboot1.bin,name=old,mem=4M,cmdline=x"], append=WAIT,
                exits={"old": 1})
    debug(boot, tmp_path, case,
          commands=["show architecture", "x/2i $pc", "stepi", "stepi", "p/x $ebp",
                    "info registers eflags", "stepi 5", "x/i $pc", "stepi", "x/i $pc", "continue"],
          expect=[
              r"\"i386\"", r"cld", r"mov +%eax,%ebp", r"= 0x2badb002", r"^eflags .*\[",
              r"=> 0x\w+:\s+out +%al,\(%dx\)", r"=> 0x\w+:\s+jmp ",
              r"exited normally"])


def test_a_64_bit_kernel_that_starts_with_32(boot, tmp_path):
    """The usual hobby kernel: an ELF file of 64 bits with a multiboot2 header. A breakpoint that is
    set before paging is on stops it in 64-bit mode."""
    kernel = ROOT / "build/tests/mends.elf"
    case = Case("gdb-multiboot2", vms=[f"kernel={kernel},name=bare,mem=8M"], append=WAIT,
                exits={"bare": 254})
    debug(boot, tmp_path, case, program=kernel,
          commands=["show architecture", "p $pc", "break bare_main", "continue", "p/x $cs",
                    "x/i $pc", "kill"],
          expect=[r"i386:x86-64", r"_start>", r"Breakpoint 1, .*bare_main", r"= 0x8$",
                  r"=> 0x\w+ <bare_main(\+\d+)?>:\s+\w+ .*%r"])


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
        end = time.monotonic() + 80
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port), 5)
            except ConnectionRefusedError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def _say(self, data, wanted):
        """A serial line may lose a byte: who is not answered says it again, as GDB does."""
        seen, end = b"", time.monotonic() + 60
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
    case.gdb = free_port()
    noise = Noise(case.gdb)
    noise.start()
    boot(case)
    noise.join(10)
    assert noise.problem is None, noise.problem


def test_hamlet_itself():
    """`make debug`, by QEMU's stub: symbols, lines, a backtrace."""
    if subprocess.run(["which", "qemu-system-x86_64"], capture_output=True).returncode:
        pytest.skip("tcg: qemu-system-x86_64 is missing")
    gdb = "gdb -nx -q -batch -ex 'set remotetimeout 60'"
    run = subprocess.run(["make", "-s", "debug", "DEBUG_ON=tcg", f"DEBUG_PORT={free_port()}",
                          f"GDB={gdb}", "DEBUG_MORE=-ex 'break pci_scan' -ex c -ex bt"], cwd=ROOT,
                         capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=90)
    shown(run.stdout,
          [r"Breakpoint 1, hamlet_main", r"^#0 +pci_scan \(\) at pci/scan\.c:\d+",
           r"^#1 .*hamlet_main .* at boot/main\.c:\d+"])
