# SPDX-License-Identifier: MIT
"""
The line itself: which VM gets the input, that none of it gets lost, that no VM talks the monitor
down, and the launcher's last screen.

From: make test      To: monitor/term/console.c, guest/pc/vuart.c, arch/uart.c;
guest/programs/chatter.c; the launcher `hamlet`
"""

import re
import subprocess
import sys
import time

import pexpect
from case import GUESTS, PATIENCE, PROMPT, ROOT, Case

TO_MONITOR, NEXT, HELP, OFF = "\x01c", "\x01n", "\x01h", "\x01x"


def listener(name, **options):
    words = " ".join(f"{key}={value}" for key, value in options.items())
    return f"kernel=chatter.elf,name={name},mem=4M" + (f',cmdline="{words}"' if words else "")


def heard(text):
    """What a listener says of a line that has come whole."""
    total = 0
    for byte in text.encode("latin-1"):
        total = (total * 31 + byte) & 0xFFFFFFFF
    return rf"bytes={len(text)} sum=0x{total:x}$"


def test_flood(boot):
    """A guest that prints without end: the monitor is called, answers in peace, and the guest
    goes on."""
    got = boot(Case("flood", vms=[listener("flood", flood=1), listener("other")], answers=[
        (r"line 20 of", TO_MONITOR), (PROMPT, "vm\r"), (PROMPT, "exits flood\r"),
        (PROMPT, TO_MONITOR),
        (r"flood has the console[\s\S]*line \d+ of", HELP), (r"Ctrl-A x [\s\S]*line \d+ of", OFF)],
                    expect=[r"^flood\| line 20 of", r"The monitor has the console",
                            r"^\(hamlet\) vm$", r"^vm=flood state=running",
                            r"^  top ports: 0x3f8=\d+", r"^vm=flood has the console",
                            r"^flood\| line \d+", r"^Ctrl-A n", r"^flood\| line \d+",
                            r"^hamlet: end vms=2"]))
    quiet = got.text[got.text.index("The monitor has"):got.text.index("vm=flood has the console")]
    assert "flood|" not in quiet, "the guest has talked into the monitor's answers"


LINE = "".join(chr(32 + (n * 7 + n // 95) % 95) for n in range(2600))


def test_pasted_line_is_whole(boot):
    """More than a guest's buffer holds, faster than it reads."""
    boot(Case("paste", vms=[listener("slow", slow=30000)], answers=[(r"I listen", LINE + "\r")],
              expect=[r"^slow\| " + heard(LINE)], forbid=["typed=lost"], exits={"slow": 1}))


def test_out_of_a_guest_that_does_not_read(boot):
    """Ctrl-A is heard; what the guest had no room for is no command, and it is said how much
    that was."""
    boot(Case("out", vms=[listener("deaf", slow=10**12)], answers=[
        (r"I listen", LINE[:2300] + "\r" + TO_MONITOR), (PROMPT, "vm\r"), (PROMPT, OFF)],
              expect=[r"^hamlet: typed=lost bytes=2\d\d", r"^vm=deaf state=running"],
              forbid=[r"no such command"]))


def test_a_reader_that_is_late(boot):
    """The line holds less than the guest prints meanwhile: the machine waits, nothing is lost."""
    lines = 1000
    got = boot(Case("late", vms=[listener("one", lines=lines)], exits={"one": 1}, answers=[
        (r"I listen", "\r"), (r"line 5 of", lambda _: time.sleep(5) or "")]))
    assert re.findall(r"^one\| line (\d+) of too many$", got.text, re.M) == [
        str(n) for n in range(lines)]


def test_typed_while_nobody_looks(boot):
    """Making a big VM takes longer than the port's FIFO holds what is typed: that some of it is
    lost is said. What a slow host types later, the guest hears whole."""
    boot(Case("overrun", megs=1024, vms=["kernel=chatter.elf,name=one,mem=800M"],
              answers=[(r"vm: free-pages", LINE[:400] + "\r"), (r"typed=lost", OFF)],
              expect=[rf"^hamlet: typed=lost bytes=\d+|^one\| {heard(LINE[:400])}"]))


def test_keys(boot):
    """Ctrl-A n moves the focus, Ctrl-A twice is one for the guest, another key after it is none;
    twice Ctrl-A x ends at once."""
    boot(Case("keys", vms=[listener("one"), listener("two"), "kernel=endless.bin,name=loop,mem=4M"],
              answers=[
                  (r"(I listen[\s\S]*){2}", NEXT), (r"vm=two has the console", "x\x01\x01\x01qy\r"),
                  (r"vm=two exit=[\s\S]*vm=one has the console", "abc\r"),
                  (r"vm=one exit=", OFF)],
              expect=[r"^vm=two has the console", r"^two\| " + heard("x\x01y"),
                      r"^vm=one has the console", r"^one\| " + heard("abc"),
                      r'^hamlet: vm=loop why="ended at the console"']))


def launch(*arguments):
    return subprocess.run([ROOT / "hamlet", "run", "--on", "lab", "--timeout", str(PATIENCE),
                           *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          errors="replace")


def test_last_screen():
    """What came of each VM, in a row of its own; the status is the guest's that failed."""
    run = launch("--vm", f"kernel={GUESTS}/hello.elf,mem=4M", "--vm",
                 f"kernel={GUESTS}/triple-fault.bin,name=dies,mem=4M", "--vm",
                 f"kernel={GUESTS}/hello.elf,name=none,mem=4M,pci=00:1e.0")
    rows = re.findall(r"^\[hamlet\] (.*)$", run.stderr, re.M)
    assert run.returncode == 125, run.stderr
    assert any(re.match(r"VM +exit +exits +faults", row) for row in rows), rows
    assert any(re.match(r"hello +1 \(ok\) +22 +0 +io-instruction 2\d", row) for row in rows), rows
    assert any(re.match(r"none +refused +vm=none pci=00:1e.0: there is no such device", row)
               for row in rows), rows
    assert any(re.match(r"dies +254 +\d+ +0 .*triple-fault 1.* triple fault$", row)
               for row in rows), rows
    assert re.match(r"lab: 2 of 3 VMs have ended, \d+ s$", rows[-2]), rows
    assert rows[-1].startswith("not started: "), rows


def test_progress(tmp_path):
    """A long step is shown while it lasts, in one line of the terminal: how much has come, and for
    how many seconds."""
    (tmp_path / "part").write_bytes(bytes(2_500_000))
    step = f"until [ -e {tmp_path}/seen ]; do sleep 0.05; done"
    program = (f"import lab.say, pathlib; lab.say.patiently('a download', ['sh', '-c', '{step}'], "
               f"pathlib.Path('{tmp_path}'))")
    child = pexpect.spawn(sys.executable, ["-c", program], cwd=ROOT, encoding="utf-8",
                          timeout=PATIENCE)
    child.expect(r"\[hamlet\] a download \.\.\.\r\n"
                 r"\r\x1b\[K\[hamlet\] a download: 2\.5 MB \(\d+ s\)")
    (tmp_path / "seen").touch()
    child.expect(r"\r\x1b\[K\[hamlet\] a download: done \(\d+ s\)")
    child.expect(pexpect.EOF)
