# SPDX-License-Identifier: MIT
"""
The launcher's verdict: what --expect looks at, a row for every VM that was asked for, one status.

From: make test      To: the launcher `hamlet`, lab/verdict.py, lab/lines.py
"""

import json
import re
import struct
import subprocess
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from xml.etree import ElementTree

import pytest
from case import GUESTS, PATIENCE, PROMPT, ROOT, Case

from lab import channel, iso, limits, lines, moments, results, say, verdict
from lab import trace as traces
from lab.machines.boot import Console, Ended, Line, type_in, watch
from lab.moments import Moments

HELLO = f"kernel={GUESTS}/hello.elf,mem=4M"
END = "hamlet: vm=a exit={} exits=3\nhamlet: end vms=1 failed={}\n"


def launch(*arguments):
    """(status, the launcher's own lines)"""
    run = subprocess.run([ROOT / "hamlet", "run", "--timeout", str(PATIENCE), *arguments],
                         stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    return run.returncode, re.findall(r"^\[hamlet\] (.*)$", run.stderr, re.M)


def wanted(patterns, *pieces, of_guests=True):
    """The number of the piece with which everything was found; None: it was not."""
    reader = lines.Lines()
    found = lines.Wanted([lines.pattern(text, "") for text in patterns], of_guests)
    for number, piece in enumerate(pieces):
        if found.take(reader.take(piece), reader.rest):
            return number
    return None


WANTED = [
    # patterns, what comes, the piece that shows it
    (["PASSED$"], [b"a| PASSED", b"\r\n"], 1),
    (["PASSED$"], [b"a| PASSED", b" not\r\n"], None),
    (["^PASSED$"], [b"a| x\r\na| PASSED\r\n"], 0),
    (["there\\? "], [b"a| who is there? "], 0),
    (["hello"], [b"[0] vm: vm=hello\r\nhamlet: vm=hello\r\n", b"hello| good day\r\n"], None),
    (["one", "two"], [b"a| one two\r\n", b"a| two\r\n"], 1),
    (["one", "two"], [b"a| one", b" two\r\n", b"b| two\r\n"], 2),
    (["two", "one"], [b"a| one\r\n", b"b| two\r\n"], None),
]


@pytest.mark.parametrize("patterns,pieces,at", WANTED)
def test_expected(patterns, pieces, at):
    assert wanted(patterns, *pieces) == at


def test_expected_of_hamlet():
    assert wanted(["vm=hello"], b"[0] vm: vm=hello\r\n", of_guests=False) == 0
    with pytest.raises(say.Unusable, match="no regular expression"):
        lines.pattern("(", "--expect")


JUDGED = [
    # how it ended, what was shown, what was expected; the status, and the row's code and reason
    ("off", END.format(1, 0), "", 0, "1", None),
    ("off", END.format(7, 1), "", 7, "7", None),
    ("off", END.format(257, 1), "", 255, "257", None),
    ("off", END.format(125, 1), "", 255, "125", None),
    ("off", END.format(254, 1), "", 254, "254", None),
    ("off", END.format('refused why="no such device"', 1), "", 125, "refused", "no such device"),
    ("off", END.format(1, 0), "more", 1, "1", None),
    ("off", "hamlet: end vms=0 failed=0\n", "", 125, "none", "Hamlet said nothing of it"),
    ("off", "GRUB\n", "more", 125, "none", "Hamlet said nothing of it"),
    ("seen", "", "more", 0, "none", "what was expected came before its end"),
    ("seen", 'hamlet: vm=a exit=refused why="no"\n', "more", 125, "refused", "no"),
    ("timeout", "", "", 124, "none", "its end was not reached in time"),
    ("panic", 'hamlet: panic cpu=0 rip=0x1 text="a"\n', "", 123, "none", "Hamlet stopped itself"),
    ("broken", "", "", 125, "none", "the machine broke down"),
]


@pytest.mark.parametrize("how,text,expected,status,code,why", JUDGED)
def test_verdict(how, text, expected, status, code, why):
    seen, got, _ = verdict.judge(Ended(how, text, "its words"), ["a"], expected, 9)
    assert (got, seen.vms["a"].exit, seen.vms["a"].keys.get("why")) == (status, code, why)


def test_where_a_vm_was_when_the_time_was_over():
    """Hamlet is asked to end, and tells it; the row does."""
    said = ('hamlet: vm=a vcpu=0 rip=0x100001 rflags=0x2\nhamlet: vm=a vcpu=1 rip=0x5 cr3=0x0\n'
            'hamlet: vm=a why="ended at the console"\nhamlet: vm=a exit=254 exits=3 faults=0\n')
    seen, status, _ = verdict.judge(Ended("timeout", said), ["a"], "", 9)
    assert (status, seen.vms["a"].exit) == (124, "none")
    assert seen.vms["a"].keys["why"].endswith(", vcpu 0 at rip=0x100001, vcpu 1 at rip=0x5")


def test_ended_at_a_terminal():
    """Ctrl-A x is how a person ends what does not end by itself; a VM that failed has failed."""
    ended = 'hamlet: vm={} why="ended at the console"\nhamlet: vm={} exit=254 exits=3 faults=0\n'
    said = ended.format("a", "a") + "hamlet: end vms=1 failed=1\n"
    worse = "hamlet: vm=b exit=7 exits=1 faults=0\n" + said

    def status(text, expected, at_terminal):
        return verdict.judge(Ended("off", text), [], expected, 9, at_terminal)[1]
    assert [status(said, "", True), status(said, "", False)] == [0, 254]
    assert [status(said, "more", True), status(worse, "", True)] == [1, 7]


def test_asked_to_end_when_the_time_is_over():
    """A machine that only repeats what is typed, and ends then. One that has ended gets nothing."""
    console = Console()
    with subprocess.Popen(["head", "-c2"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as child:
        sides = child.stdout.fileno(), child.stdin.fileno()
        how = watch(child, *sides, console, 0.2, Line(0), PATIENCE)
        type_in(child.stdin.fileno(), b"late")
    assert how == "timeout" and console.bytes == b"\x01x"


def test_words_of_the_machine_are_passed_on():
    said = verdict.judge(Ended("broken", "", "no such property"), ["a"], "more", 9)[2]
    assert "no such property" in said


def test_a_panic_ends_the_run(boot):
    got = boot(Case("panic-ends", vms=["kernel=endless.bin,mem=4M"], ends="panic",
                    answers=[(r"vm=endless kernel=", "\x01c"), (PROMPT, "reboot panic\r")],
                    expect=[r"^\[0\] panic:", r"^hamlet: panic cpu=0 rip="]))
    assert verdict.judge(got.ended, ["endless"], "", 9)[1] == verdict.PANIC


def test_expect_is_of_guests():
    """The name of a VM is no word of a guest; its greeting is."""
    status, said = launch("--vm", HELLO, "--expect", "hello", "--expect", "^Hello from a guest.$")
    assert status == 1 and said[-1] == \
        "the machine ended without showing: hello, then ^Hello from a guest.$"
    status, said = launch("--vm", HELLO, "--expect", "^Hello from a guest.$")
    assert status == 0 and said[-1].startswith("seen: "), said


def test_a_bad_pattern_is_one_line():
    assert launch("--vm", HELLO, "--expect", "(") == (125, [
        "--expect (: no regular expression: missing ), unterminated subpattern at position 0"])


WRONG = [
    # words of the launcher, what it says of them; nothing is started
    (["--vm", f"{HELLO},mem=3M"], "vm=hello mem=3M: given twice"),
    (["--vm", f"kernel={GUESTS}/hello.elf,mem=3M"], "mem=3M: not a multiple of 2M"),
    (["--vm", f"{HELLO},foo=bar"], "vm=hello foo=bar: unknown key"),
    (["--vm", f"{HELLO},pin=3"], "vm=hello pin=3: there are 1 CPUs"),
    (["--vm", f"{HELLO},vcpus=2,pin=0,7"], "vm=hello pin=7: there are 1 CPUs"),
    (["--vm", f"{HELLO},pci=00:02.0,plan=E"], "pci=00:02.0"),
    (["--vm", "kernel=/etc/hostname"], "vm=hostname kernel: is no kernel: a text file"),
    (["--vm", "kernel=/no/such"], "/no/such: no such file"),
    (["--vm", "mem=4M"], "no kernel=FILE"),
    (["--vm", HELLO, "--vm", HELLO], "two modules are its kernel"),
    (["--vm", HELLO, "--append", "post=maybe"], "bad value: post=maybe"),
    (["--vm", HELLO, "--append", "nonsense=1"], "unknown option: nonsense=1"),
    (["--vm", HELLO, "--on", "lab", "--device", "edu"], "lab: no edu there"),
    (["--vm", HELLO, "--on", "lab", "--output", "bar"], "--output bar: lab has no such file"),
    (["--vm", HELLO, "--on", "tcg", "--output", "bar"], "--output bar: no device has chardev=bar"),
    (["--vm", HELLO, "--on", "tcg", "--machine", "foo=1"], "--machine foo: tcg has no such option"),
    (["--vm", HELLO, "--on", "lab", "--machine", "vmx=no"], "--machine vmx=no: vmx is on or off"),
    (["--vm", HELLO, "--on", "lab", "--cpus", "20"], "--cpus 20: lab has at most 14"),
    (["--vm", HELLO, "--on", "lab", "--disk", "d=/no/such"], "--disk d=/no/such: no such file"),
    (["--vm", f'{HELLO},cmdline="open'], 'cmdline="open: a quotation mark is not closed'),
    (["--vm", "kernel=,mem=4M"], "kernel= names no file"),
    (["--vm", f"{HELLO},initrd="], "initrd= names no file"),
    (["--vm", "kernel=/dev/zero"], "/dev/zero: no ordinary file"),
    (["--vm", "kernel=/etc"], "/etc: a folder"),
    (["--vm", HELLO, "--monitor", " @ "], "--monitor ' @ ': no command"),
    (["--vm", HELLO, "--monitor", "pci @"], "--monitor 'pci @': no moment behind the @"),
    ([], "no --vm: nothing would run"),
]


OWN = [
    # the launcher's words; the one line, as nothing is looked at but these
    (["run", "--log", "/no/such/x"], "--log /no/such/x: no folder /no/such"),
    (["run", "--trace", "/no/such/x"], "--trace /no/such/x: no folder /no/such"),
    (["run", "--json", "/etc/hostname/x"], "--json /etc/hostname/x: no folder /etc/hostname"),
    (["run", "--junit", "/etc"], "--junit /etc: is a folder"),
    (["run", "--gdb", "99999"], "--gdb 99999: a port is 1 to 65535"),
    (["run", "--gdb", "0"], "--gdb 0: a port is 1 to 65535"),
    (["run", "--debug", "70000"], "--debug 70000: a port is 1 to 65535"),
    (["run", "--cpus", "0"], "--cpus 0: 1 at least"),
    (["run", "--megs", "1"], "--megs 1: 8 MiB at least, which Hamlet and a small guest need"),
    (["run", "--timeout", "-3"], "--timeout -3: more than 0 seconds"),
    (["run", "--timeout", "0"], "--timeout 0: more than 0 seconds"),
    (["run", "--timeout", "nan"], "--timeout nan: more than 0 seconds"),
    (["test", ".", "-j", "0"], "--jobs 0: 1 at least"),
    (["test", ".", "--junit", "/no/such/x"], "--junit /no/such/x: no folder /no/such"),
    (["iso", "/no/such/x.iso"], "/no/such/x.iso: no folder /no/such"),
    (["trace", "nosuch", "--json", "/no/such/x"], "--json /no/such/x: no folder /no/such"),
    (["play", "nosuch", "-o", "/no/such/x"], "--output /no/such/x: no folder /no/such"),
    (["play", "/no/such"], "/no/such: No such file or directory"),
    (["trace", "/etc/hostname"], "/etc/hostname: no trace in there: "),
    (["iso", "/dev/null"], "/dev/null: no ordinary file; dd writes the ISO to a device"),
    (["run", "--cpus", "x"], "argument --cpus: invalid int value: 'x'; see hamlet run --help"),
    (["walk"], "argument command: invalid choice: 'walk'"),
    ([], "the following arguments are required: command; see hamlet --help"),
    (["trace", ".", "--json", "x"], ".: Is a directory"),
]


@pytest.fixture(scope="module")
def launcher():
    """Its program in this process, which is quicker than to start it for each case."""
    loader = SourceFileLoader("launcher", str(ROOT / "hamlet"))
    module = module_from_spec(spec_from_loader("launcher", loader))
    loader.exec_module(module)
    return module


@pytest.mark.parametrize("words,says", OWN)
def test_wrong_words_of_the_launcher(words, says, launcher, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(launcher.signal, "signal", lambda *_: None)
    monkeypatch.setattr(launcher.sys, "argv", ["hamlet", *words])
    assert launcher.main() == 125
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert not out and not list(tmp_path.iterdir()) and line.startswith(f"[hamlet] {says}"), line


def test_a_file_that_may_not_be_written(launcher, tmp_path, monkeypatch):
    """The file if it is there, and else its folder; nothing is made before the run."""
    asked = []
    monkeypatch.setattr(limits.os, "access", lambda path, mode: asked.append(path))
    for path in (tmp_path / "there", tmp_path / "not"):
        if path.name == "there":
            path.touch()
        with pytest.raises(say.Unusable, match=f"^--log {path}: cannot be written here$"):
            limits.check(launcher.parse(["run", "--log", str(path)]))
    assert asked == [tmp_path / "there", tmp_path]


def test_why_no_iso_is_written(tmp_path):
    (tmp_path / "boot/grub").mkdir(parents=True)
    with pytest.raises(say.Unusable, match="FAILURE : Cannot acquire drive"):
        iso.rescue(tmp_path / "no/such.iso", tmp_path, iso.SLIM)


def test_an_iso_is_replaced_by_a_whole_one(tmp_path):
    old, none = tmp_path / "old.iso", iso.Menu(tmp_path / "none", "", [])
    old.write_text("old")
    (tmp_path / "tree").mkdir()
    with pytest.raises(say.Unusable, match="none: no such file"):
        iso.build(old, none)
    with pytest.raises(say.Unusable, match="grub-mkrescue failed"):
        iso.rescue(old, tmp_path / "tree", "nosuch")
    assert old.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.iso", "tree"]


def test_a_full_disk_is_one_line(launcher, tmp_path, monkeypatch, capsys):
    """After a run of half an hour, too: it is said which file is not there."""
    monkeypatch.setattr(launcher.signal, "signal", lambda *_: None)
    monkeypatch.setattr(launcher.sys, "argv", ["hamlet", "doctor"])

    def full():
        with open("/dev/full", "w") as file:
            file.write("x")
    monkeypatch.setattr(launcher, "doctor", full)
    assert launcher.main() == 125
    assert capsys.readouterr().err == "[hamlet] a file: No space left on device\n"


@pytest.mark.parametrize("words,says", WRONG)
def test_wrong_words_start_nothing(words, says):
    status, said = launch(*words)
    assert status == 125 and any(says in line for line in said), said
    assert not any("have ended" in line for line in said), said


def test_wrong_words_of_the_lab_are_named():
    status, said = launch("--vm", HELLO, "--on", "lab", "--machine", "units=7")
    assert status == 125 and "units: 0 to 2" in said[-1], said


def test_unchecked():
    """Hamlet says the same in its log, and in the VM's row."""
    status, said = launch("--unchecked", "--vm", f"{HELLO},foo=bar")
    assert status == 125 and said[-1] == "not started: hello", said
    assert any(re.search(r"hello +refused .*foo=bar: unknown key", line) for line in said), said


def test_words_are_added():
    """--append leaves the console where it was."""
    status, said = launch("--vm", HELLO, "--append", "post=off", "--append", "log=trace",
                          "--expect-log", "cmdline=.console=com1 post=off log=trace.")
    assert status == 0, said


def test_channel_is_read_in_pieces():
    """A record that is cut off, and what a firmware writes, count for nothing."""
    event = bytes([channel.RECORD, 1]) + struct.pack("<4Q", 5, 0x0A02, 2, 3)
    data = b"BIOS\nhamlet: boot x\n" + event + b"trace: type 2 inject\nhamlet: end vms=1\n" + event
    said, trace = channel.read(data[:-1])
    assert said == "BIOS\nhamlet: boot x\nhamlet: end vms=1\n"
    assert trace == "trace: e 1 5 a02 2 3\ntrace: type 2 inject\ntrace: end\n"
    assert channel.read(data[:30])[1] == ""


def test_report_is_not_the_consoles():
    """What stands on the console is not looked at where Hamlet's own port has a report."""
    forged = Ended("off", END.format(0, 0), report=b"hamlet: boot x\n")
    assert verdict.judge(forged, ["a"], "", 9)[1] == 125


def test_whole_trace(boot):
    """Every exit that the report counts is in the trace, more of them than the ring holds, from
    two CPUs."""
    got = boot(Case("whole-trace", cpus=2, append="console=com1 trace=on",
                    vms=["kernel=one-instruction.bin,mem=4M,run=9000,pin=1",
                         "kernel=hello.elf,mem=4M,pin=0"]))
    found = traces.read(got.ended.trace())
    assert found.complete and not found.lost
    for name in ("one-instruction", "hello"):
        exits = [e for e in found.events if e.type == "exit" and found.who(e.vcpu) == f"{name}.0"]
        assert len(exits) == int(got.report.vms[name].keys["exits"])


def test_a_file_gets_lines(capsysbinary):
    """What is shown where no terminal is has no sequences of one, and whole lines only."""
    console = Console(show=True)
    for piece in (b"\x1b[H\x1b[Ja\r\nb", b"b\r\n\r\x1b[K(hamlet) vm\r\x1b[K(hamlet) vm\r\nrest"):
        console.take(piece)
    assert capsysbinary.readouterr().out == b"a\nbb\n(hamlet) vm\n"
    assert console.lines.rest == "rest"


def test_last_words_are_shown(boot):
    """A guest that ends while the monitor has the console, after more lines than are kept."""
    boot(Case("last-words", vms=["kernel=chatter.elf,name=one,mem=4M,cmdline=lines=400"],
              answers=[(r"I listen", "\r\x01c")], exits={"one": 1},
              expect=[r"^The monitor has the console",
                      r"^\(\d+ lines of one before these are left out",
                      r"^one\| line 399 of too many", r"^one\| bytes=0 sum=0x0", r"end vms=1"]))


def test_monitor_after_the_end(boot):
    """With end=monitor the machine goes on until its user has seen enough."""
    boot(Case("end-monitor", append="console=com1 end=monitor", vms=["kernel=hello.elf,mem=4M"],
              answers=[(PROMPT, "vm\r"), (PROMPT, "reboot off\r")],
              expect=[r"^hamlet: vm=hello exit=1", r"^vm=hello state=ended", r"end vms=1"]))


def conversation(texts, *pieces):
    """What is typed in answer to each piece, and the moments that did not come."""
    typed, console = Moments(texts), Console()
    typed.give_to(console)
    return [console.take(piece).decode() for piece in pieces], typed.missed


SHOWN = b"\r\nThe monitor has the console; ...\r\n(hamlet) "
ENDED = SHOWN.replace(b"The", b"No VM runs; the")


def test_moments():
    texts = ["vm; pid a.0 @^a. go$", "exits"]
    assert conversation(texts, b"a| go\r\n", SHOWN, b"\r\n(hamlet) ", b"\r\n(hamlet) ", SHOWN,
                        b"\r\n(hamlet) ") == (
        ["\x01c", "vm\r", "pid a.0\r", "\x01c", "exits\r", "reboot off\r"], [])
    typed, missed = conversation([*texts, "irq @later"], b"a| no\r\n", ENDED[:-1], ENDED[-1:],
                                 b"\r\n(hamlet) ")
    assert (typed, missed) == (["", "", "exits\r", "reboot off\r"], ["^a. go$", "later"])


def test_a_moment_that_comes_during_commands():
    """Hamlet's lines go on while a command is typed; one of them is the next moment, or the end."""
    typed, missed = conversation(
        ["vm @go", "irq @vm=a exit", "exits"], b"a| go\r\n", SHOWN,
        b"vm\r\nhamlet: vm=a exit=1\r\n(hamlet) ", b"\r\nvm=- has the console.\r\n", SHOWN,
        b"irq\r\n(hamlet) ", ENDED, b"\r\n(hamlet) ")
    assert typed == ["\x01c", "vm\r", "\x01c", "\x01c", "irq\r", "\x01c", "exits\r",
                     "reboot off\r"]
    assert not missed


UNKNOWN = b"(hamlet) foo\r\nfoo: no such command; help lists them"


def test_a_mistyped_command():
    """Hamlet's line is a whole one; one of a guest has its name before it. A command's own
    complaint begins with its name, which no other line does."""
    source = (ROOT / "monitor/term/command.c").read_text()
    assert f'"{moments.UNKNOWN.format("%s")}"' in source

    def wrong(*pieces):
        typed, console = Moments(["vm; foo 1"]), Console()
        typed.give_to(console)
        for piece in (SHOWN, *pieces, b"\r\n(hamlet) "):
            console.take(piece)
        return typed.wrong()
    assert wrong(b"\r\n" + UNKNOWN.split(b"\n")[1]) == "no such command: foo"
    assert wrong(b"\r\x1b[K" + UNKNOWN) == "no such command: foo"
    assert wrong(b"\r\na| " + UNKNOWN.split(b"\n")[1]) == ""
    assert wrong(b"\r\nfoo: no such VM: a") == "foo: no such VM: a"
    assert wrong(b"\r\nvmcs: what?") == ""
    assert wrong(b"\r\na| vm: what?") == ""


def test_results():
    """A guest's bytes fit into XML, too."""
    found = [results.Result("a", 1.5, text="x\x01<"), results.Result("b", failed='status 3\nmore')]
    root = ElementTree.fromstring(results.junit("s", found))
    assert root.attrib["tests"] == "2" and root.attrib["failures"] == "1"
    assert root[0].find("system-out").text == "x?<"
    assert results.tap(2, found[1]) == "not ok 2 - b\n# status 3\n# more"
    forged = results.Result("c", failed="a| x\u2028ok 3 - c\x85ok 4 - d")
    assert results.tap(3, forged).splitlines() == ["not ok 3 - c", "# a| x?ok 3 - c?ok 4 - d"]


FOR_GRUB = [
    # words as Hamlet reads them, and what stands in GRUB's script
    ("console=com1 pci=00:02.0,plan=A", "console=com1 pci=00:02.0,plan=A"),
    ('cmdline="a b"  mem=4M', "'cmdline=a b' mem=4M"),
    ('x="$y; {z}"', "'x=$y; {z}'"),
    ("it's", "'it'\\''s'"),
    (r'a\"b c\ d e\\', "'a\"b' 'c d' 'e\\'"),
    ('"open one', "'open one'"),
]


@pytest.mark.parametrize("words, text", FOR_GRUB)
def test_words_for_grub(words, text):
    assert iso.for_grub(words) == text


def test_nothing_is_read_by_grub(tmp_path):
    """Neither a file's name nor a word: its script knows variables and commands."""
    odd = tmp_path / "a b;$c'{|,.elf"
    odd.write_bytes((GUESTS / "hello.elf").read_bytes())
    run = subprocess.run(
        [ROOT / "hamlet", "run", "--on", "lab", "--timeout", "90", "--unchecked", "--vm",
         f'kernel="{odd}",name=a,mem=4M', "--append", """x=$y;{a} "it's | b" """],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    assert run.returncode == 0 and "a| Hello from a guest." in run.stdout, run.stdout
    for word in ("x=$y;{a}", "it's | b"):
        assert f"options: unknown option: {word}\n" in run.stdout, run.stdout


def test_files_of_a_run(tmp_path):
    """All of it without a key typed: a script of the monitor, log, trace, JSON and JUnit XML."""
    files = {name: tmp_path / name for name in ("log", "trace", "json", "junit")}
    status, said = launch("--vm", HELLO, "--monitor", "vm", *(
        word for name, path in files.items() for word in (f"--{name}", path)))
    assert status == 0, said
    log = files["log"].read_text()
    assert re.search(r"^hello\| Hello from a guest.$", log, re.M)
    assert re.search(r"^vm=hello state=ended", log, re.M) and "\x1b" not in log
    found = traces.read(files["trace"].read_text())
    told = json.loads(files["json"].read_text())
    assert found.complete and told["status"] == 0 and told["complete"]
    (vm,) = told["vms"]
    assert (vm["name"], vm["exit"], vm["status"]) == ("hello", "1", 0)
    assert int(vm["exits"]) == sum(e.type == "exit" for e in found.events)
    assert ElementTree.parse(files["junit"]).getroot().attrib["failures"] == "0"


def test_list():
    run = subprocess.run([ROOT / "hamlet", "run", "--on", "lab", "--list"], capture_output=True,
                         text=True, stdin=subprocess.DEVNULL)
    assert re.search(r"^00:02.0 +1234:11e8 +class=00ff00  assignable reset=flr$", run.stdout, re.M)
    assert re.search(r"^00:00.0 .* not assignable: bridge", run.stdout, re.M)
