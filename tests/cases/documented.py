# SPDX-License-Identifier: MIT
"""
The commands that stand in the documents, and who runs each: a case of `make test`, the judge of the
documents, or a person, because it takes too long.

From: tests/lint/commands.py (each command has one that runs it), tests/judges/test_documents.py

A command stands in a block, or in backquotes. One in capitals (FILE, PORT) is what a reader puts
there.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", "docs/**/*.md", "labs/**/*.md", "guest/programs/**/*.c",
         "guest/programs/**/*.asm")
BLOCK = re.compile(r"^ *```(?P<kind>\w*)\n(?P<lines>.*?)^ *```$", re.S | re.M)
QUOTED = re.compile(r"(?<!`)`(?!`)(?:time )?([^`]+)`")
HEAD = re.compile(r"^[ ;*]+(\./hamlet [a-z].*)$", re.M)          # of a program
COMMAND = re.compile(r"(\./hamlet [a-z]|make [a-z-]|make -C |python3 -m lab\.|/sbin/mke2fs )")


def commands():
    """(page, line, command) of each, in one line, without the remark behind it."""
    for path in sorted({path for page in PAGES for path in ROOT.glob(page)}):
        text = path.read_text()
        page = path.relative_to(ROOT)
        found = HEAD if path.suffix != ".md" else QUOTED
        blocks = list(BLOCK.finditer(text)) if path.suffix == ".md" else []
        for block in blocks:
            if not block["kind"]:
                yield from _in_block(page, text, block)
        rest = BLOCK.sub(lambda block: re.sub(r"[^\n]", " ", block[0]), text)
        for match in found.finditer(rest):
            command = re.sub(r"\s+", " ", match[1]).strip()
            if COMMAND.match(command):
                yield page, _line(rest, match.start()), command


def _in_block(page, text, block):
    begun, first = "", 0
    for number, line in enumerate(block["lines"].split("\n")):
        first = first if begun else number
        begun += line.strip().removeprefix("$ ").removesuffix("\\")
        if not line.endswith("\\"):
            command = re.sub(r"\s+", " ", re.sub(r"\s+# .*", "", begun))
            if COMMAND.match(command):
                yield page, _line(text, block.start("lines")) + first, command
            begun = ""


def _line(text, at):
    return text.count("\n", 0, at) + 1


# --- Run by a case of make test, or by its first stage --------------------------------------------

CHECK = "tests/run.py"
CASES = {
    "make unit": CHECK, "make lint": CHECK, "make check": CHECK,
    "make build/unit/lab_models.passed": CHECK,
    "make run": "test_docs.py::test_the_readmes_first_run",
    "./hamlet run": "test_docs.py::test_the_readmes_first_run",
    "./hamlet run --on tcg --device edu --kernel build/hamlet-test.elf --expect-log "
    "'ktest: .* 0 failed'": "test_docs.py::test_the_readmes_kernel_tests",
    "./hamlet run --trace FILE": "test_launcher.py::test_files_of_a_run",
    "./hamlet run --gdb PORT": "test_gdb.py::test_a_guest",
    "./hamlet run --debug PORT": "test_gdb.py::test_hamlet_itself",
    "make debug": "test_gdb.py::test_hamlet_itself",
    "./hamlet run --gdb 4712 --cpus 2 --vm kernel=build/guests/smp.elf,mem=4M,vcpus=2":
        "test_gdb.py::test_the_session_of_the_documents",
    "./hamlet run --gdb 4712 --vm kernel=mykernel/mykernel.elf,mem=16M,pci=1234:11e8":
        "test_suite.py::test_its_bug_under_gdb",
    "./hamlet test FOLDER": "test_suite.py::test_a_kernel_to_start_from",
    "make plans": "test_plans.py::test_plan",
    "./hamlet play FILE -o page.html": "test_play.py::test_sources_and_titles",
    "./hamlet play FILE --beside OTHER": "test_play.py::test_a_browser_shows_both",
}
# By a judge of their own.
JUDGES = {"make pictures": "test_pictures.py::test_pictures",
          "make book": "test_book.py::test_book", "make peer": "test_kvm.py::test_beside",
          "make scale": "test_scale.py::test_scale"}
# These with any number: tests/cases/test_labs.py, tests/judges/test_traps.py.
NUMBERED = re.compile(r"make (?:lab|lab-check|trap) \d+")

# A walk of a tour (tests/cases/test_tours.py) begins with such a command, and boots what the other
# boots.
WALK, BOOT = "make debug DEBUG_ON=lab DEMO=", "./hamlet run "


def runners(command, others):
    """How many run it; `others`: the commands of all documents."""
    walked = command.startswith(WALK) or f"{WALK}'{command.removeprefix(BOOT)}'" in others
    return sum(command in table for table in (CASES, JUDGES, BY_HAND, JUDGED)) + walked + \
        bool(NUMBERED.fullmatch(command))


# --- Run by nothing: too long even for a judge, or what runs everything else ----------------------

BY_HAND = {
    "make test": "runs the cases", "make judges": "runs the judges",
    "make mutants": "half an hour; before a release",
    "make linux-nested": "half an hour; before a release",
}

# --- Run by tests/judges/test_documents.py --------------------------------------------------------


@dataclass
class Run:
    """A command, typed at a terminal in a copy of the tree."""
    says: list = field(default_factory=list)     # regexes of lines, in this order
    first: str = ""                              # a shell's commands that prepare the copy
    typed: str = ""                              # instead of the command: its capitals replaced
    answers: list = field(default_factory=list)  # (regex, what is typed then)
    makes: list = field(default_factory=list)    # files that are there then
    status: int = 0
    forbid: str = r"Error \d+"                   # of make


MYKERNEL = ("[ -e mykernel/mykernel.elf ] || { rm -rf mykernel; ./hamlet new mykernel; "
            "make -sC mykernel; }; ")
LINUX = ("[ -e build/linux/vmlinuz ] || python3 -m lab.linux build/linux; "
         "cp build/linux/vmlinuz vmlinuz; cp build/linux/initrd initrd.img; ")
TRACE = "[ -e events ] || ./hamlet run --trace events --vm kernel=build/guests/hello.elf,mem=16M; "
PLAY = ("[ -e run ] || ./hamlet run --trace run --vm "
        "kernel=build/guests/edu-msi.elf,mem=16M,pci=1234:11e8; ")
MEMTEST = ("cp $(python3 -c \"from lab import cache, debian; print(debian.unpacked('memtest86+', "
           "cache.folder() / 'kernel-memtest86+'))\")/boot/memtest86+x64.bin .; ")
DISK = ("rm -f disk.img; /sbin/mke2fs -q -t ext4 disk.img 96M; "
        "python3 -m lab.linux build/linux crc32c_generic nvme ext4; ")
END = [(r"/ # ", "\x01x")]      # a shell's prompt; Ctrl-A x
ENDED = r'linu[xz] +254 .* ended at the console'
TAP = [r"^TAP version 13", r"^ok 1 - mykernel"]
OWN = [r"^mykernel\| factorial of 5 is 120", r"^\[hamlet\] mykernel +1 \(ok\)"]
FUZZED = r"^readers +\d+"

JUDGED = {
    # README.md, docs/own-kernel.md
    "./hamlet new mykernel": Run([r"make -C mykernel run"], "rm -rf mykernel",
                                 makes=["mykernel/main.c", "mykernel/mykernel.case"]),
    "make -C mykernel run": Run(OWN),
    "make -C mykernel test": Run(TAP, makes=["mykernel/junit.xml"]),
    "./hamlet test mykernel": Run(TAP, MYKERNEL),
    "./hamlet run --vm kernel=mykernel/mykernel.elf,mem=64M,pci=1234:11e8": Run(OWN, MYKERNEL),
    "./hamlet run --vm name=a,kernel=a.elf --vm name=b,kernel=b.elf,pci=1234:11e8,bar=lazy "
    "--cpus 2":
        Run([r"^\[hamlet\] (?s:.*)2 of 2 VMs have ended"],
            "cp build/guests/hello.elf a.elf; cp build/guests/edu-msi.elf b.elf"),
    "./hamlet run --trace run --vm kernel=mykernel/mykernel.elf,mem=16M,pci=1234:11e8":
        Run(OWN, MYKERNEL, makes=["run"]),
    "./hamlet iso hamlet.iso --vm kernel=mykernel/mykernel.elf,pci=00:04.0":
        Run([r"wrote hamlet.iso, for BIOS and UEFI"], MYKERNEL, makes=["hamlet.iso"]),
    "./hamlet doctor": Run([r"^lab +usable", r"^auto +is (lab|kvm)"]),
    "./hamlet run --help": Run([r"^ +--monitor COMMANDS"]),
    "make linux": Run([ENDED], answers=END),
    "./hamlet run --megs 512 --vm kernel=vmlinuz,initrd=initrd.img,mem=256M,pci=1234:11e8,"
    "'cmdline=\"console=ttyS0\"'": Run([ENDED], LINUX, answers=END),
    "./hamlet run --cpus 2 --machine devices=2 --vm kernel=build/guests/attacker.elf,mem=2M,"
    "legacy=off,reveal=on,pci=00:02.0 --vm kernel=build/guests/victim.elf,mem=16M,pci=00:03.0,"
    "cmdline=seconds=8": Run([r"^attacker\| attempts=\d\d+ through=0", r"attacker +1 \(ok\)",
                              r"victim +1 \(ok\)"]),
    "make diff": Run([r"diff_insn: .* differences=0", r"diff_insn_exec: .* differences=0"]),
    "make fuzz": Run([FUZZED]),
    "make fuzz-long": Run([FUZZED], typed="make fuzz-long FUZZ_RUNS=20000"),
    "make fuzz-small": Run(),
    "make bench": Run([r"^trace_off_cost "], makes=["build/bench.json"]),
    "make profile": Run([r"^exit_cpuid +\d+", r"^in all +\d+"]),
    "make profile EXIT=exit_cpuid": Run([r"^exit_cpuid +\d+", r"^in all +\d+"]),
    "make explore": Run([r"found"]),
    "make mutants FILES=\"guest/pc/vioapic.c\"": Run([r"vioapic.c: \d+ mutants"]),
    # docs/debugging.md
    "./hamlet run --trace events --vm kernel=build/guests/hello.elf,mem=16M":
        Run([r"hello +1 \(ok\)"], makes=["events"]),
    "./hamlet trace events": Run([r"pio +port=0x3f8 width=1 <- 0x48"], TRACE),
    "./hamlet play events -o page.html": Run(first=TRACE, makes=["page.html"]),
    "./hamlet trace events --json trace.json": Run(first=TRACE, makes=["trace.json"]),
    "./hamlet run --vm kernel=build/guests/hello.elf,mem=16M --log log --monitor "
    "'pci; irq @Hello from' --monitor machine":
        Run([r"00:02\.0 1234:11e8 device", r"posting", r"hello +1 \(ok\)"], makes=["log"]),
    # docs/play.md, docs/book/
    "./hamlet run --trace run --vm 'kernel=build/guests/posting.elf,name=alpha,mem=16M,vcpus=2,"
    "pci=1234:11e8,cmdline=\"running=2 ready=8 halted=4 vcpus=2\"'":
        Run([r"alpha +1 \(ok\)"], makes=["run"]),
    "./hamlet run --trace other --append post=off --vm 'kernel=build/guests/posting.elf,name=alpha,"
    "mem=16M,vcpus=2,pci=1234:11e8,cmdline=\"running=2 ready=8 halted=4 vcpus=2\"'":
        Run([r"alpha +1 \(ok\)"], makes=["other"]),
    "./hamlet play run --beside other -o both.html":
        Run([r"no event differs"], PLAY + "cp run other; ", makes=["both.html"]),
    "./hamlet play run -o page.html": Run(first=PLAY, makes=["page.html"]),
    "./hamlet run --on lab --machine ecam=1,card=1 --list": Run([r"group .*its group"]),
    "make profile EXIT=exit_io_instruction": Run([r"^in all +\d+"]),
    # docs/hardware.md, docs/lab.md, labs/
    "./hamlet iso FILE": Run([r"wrote file.iso, for BIOS and UEFI"], typed="./hamlet iso file.iso",
                             makes=["file.iso"]),
    "make check-texts": Run([r"^wrote tests/cases/check_texts\.txt"],
                            makes=["tests/cases/check_texts.txt"]),
    "./hamlet run --check": Run([r"^selftest\| ", r"selftest +1 \(ok\)"]),
    "./hamlet run --machine units=2,devices=2,slow=1000 --output trace --vm "
    "kernel=build/guests/edu-dma.elf,mem=16M,pci=00:02.0":
        Run([r"vtd: on: units=2", r"edu-dma +1 \(ok\)"], makes=["trace"]),
    "./hamlet run --on lab --vm kernel=build/guests/hello.elf,mem=16M --expect 'Hello from'":
        Run([r"seen: Hello from"]),
    "./hamlet run --machine devices=2 --vm kernel=build/guests/hello.elf,mem=16M":
        Run([r"pci: 00:03\.0 1234:11e8 .*bar0=mem,0x\w+", r"vm=hello .* ram=0x400000 "]),
    # docs/legacy.md, docs/linux.md
    "./hamlet run --vm kernel=kernel.elf,mem=64M --screen screen.txt":
        Run([r"kernel +1 \(ok\)"], "cp build/guests/course.bin kernel.elf",
            answers=[(r"kernel\| >", "hello\r")], makes=["screen.txt"]),
    "./hamlet run --vm kernel=memtest86+x64.bin,name=memtest,legacy=on,mem=64M":
        Run([r"^memtest\| +Memtest86\+ v6", r"Errors: 0\b"], MEMTEST,
            answers=[(r"Errors: 0\b(?s:.*)Test #\d", "\x01x")]),
    "/sbin/mke2fs -t ext4 disk.img 96M": Run(first="rm -f disk.img", makes=["disk.img"]),
    "python3 -m lab.linux FOLDER MODULE...":
        Run(typed="python3 -m lab.linux modules nvme",
            makes=["modules/vmlinuz", "modules/initrd"]),
    "python3 -m lab.linux build/linux crc32c_generic nvme ext4": Run(makes=["build/linux/initrd"]),
    "./hamlet run --on nested --disk disk=disk.img --megs 512 --timeout 1200 --device "
    "pcie-root-port,id=port4,addr=4,chassis=4 --device nvme,bus=port4,serial=x,drive=disk --vm "
    "'kernel=build/linux/vmlinuz,initrd=build/linux/initrd,mem=256M,pci=1b36:0010,cmdline="
    "\"console=ttyS0 quiet\"'": Run(
        [r"^linux\| +259 +0 +98304 nvme0n1|98304 nvme0n1", ENDED], DISK,
        answers=[(r"/ # ", "cat /proc/partitions\r"), (r"nvme0n1(?s:.*)/ # ", "\x01x")]),
    # guest/programs/flat/
    "./hamlet run --vm kernel=build/guests/boot-sector.bin,mem=4M":
        Run([r"^boot-sector\| protected mode", r"boot-sector +1 \(ok\)"]),
    "./hamlet run --vm kernel=build/guests/one-instruction.bin,run=1000":
        Run([r"vm=one-instruction run=1000 rax=0x7", r"one-instruction +0 \(ok\)"]),
}
