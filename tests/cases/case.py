# SPDX-License-Identifier: MIT
"""
A boot case: what is started, and what the console must and must not show.

From: tests/cases/test_*.py      To: lab/iso.py, lab/machines/, lab/report.py

    CASES = [
        Case("hello", on="lab", vms=["kernel=hello.elf,mem=16M"], expect=[r"hello, world"],
             exits={"hello": 1}),
    ]

A machine that cannot be used here is SKIP with the reason; so is a `skip` line, if the case
allows one. A timeout is a failure. So is any line that tells of a broken Hamlet, unless the case
expects it.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from lab import iso, machines, report
from lab.lines import Wanted, pattern
from lab.machines.boot import Boot, Console, Ended

ROOT = Path(__file__).resolve().parents[2]
GUESTS = ROOT / "build/guests"
LOGS = ROOT / "build/cases"

# Seconds of this host's clock, against a hang only: the busiest host is not as slow as that.
PATIENCE = 900
PATIENCE_NESTED = 3000

PROMPT = r"\n\(hamlet\) $"      # of the monitor

# What no healthy run shows.
BROKEN = (r"panic:", r"\bPANIC\b", r"vmx-abort")


@dataclass
class Case:
    name: str
    on: str = "lab"                              # lab, tcg, nested, kvm
    vms: list = field(default_factory=list)      # as --vm; kernel= without a slash: build/guests
    append: str = "console=com1"                 # Hamlet's command line
    devices: list = field(default_factory=list)  # QEMU -device values
    outputs: list = field(default_factory=list)  # chardev names; their bytes are in Got.files
    files: dict = field(default_factory=dict)    # name -> bytes: {folder}/NAME; also in Got.files
    extras: list = field(default_factory=list)   # more of QEMU's options
    disks: dict = field(default_factory=dict)    # name -> path of an image, for drive=NAME
    acpi: list = field(default_factory=list)     # paths of tables given as modules
    modules: list = field(default_factory=list)  # (path, words): a module as it is, right or wrong
    machine: dict = field(default_factory=dict)  # its options: model=, vmx=, apicv=, firmware=
    cpus: int = 1
    megs: int = 256
    timeout: float = 0                           # seconds of this host's clock, 0: PATIENCE*
    expect: list = field(default_factory=list)   # regexes, in this order
    forbid: list = field(default_factory=list)   # regexes that must not occur
    exits: dict = field(default_factory=dict)    # VM name -> exit code in its report
    answers: list = field(default_factory=list)  # (regex, text to type then, or a function of it)
    stop_at: str = ""                            # end the machine here: for what does not end
    ends: str = "off"                            # or "panic"; stop_at asks for "seen"
    gdb: int = 0                                 # TCP port of the second serial line
    skip: str = ""                               # a console line like this is SKIP, and the reason
    rules: bool = True                           # lab: software keeps every rule of the unit
    kernel: Path = ROOT / "build/hamlet.elf"


@dataclass
class Got:
    """What came of a case: for checks that a regex cannot express."""
    text: str
    files: dict
    report: report.Report
    ended: Ended


class Skip(Exception):
    """The machine lacks what the case needs; the text says what."""


def run(case, scratch, server=None):
    """Run a case and check it; returns Got. AssertionError: failed. Skip: lacks something.
    `server`: nested's."""
    reason = machines.why_not(case.on)
    if reason:
        raise Skip(f"{case.on}: {reason}")
    medium = scratch / "hamlet.iso"
    modules = [module for vm in case.vms for module in iso.vm_modules(_with_folder(vm))]
    modules += [iso.Module(Path(path), words) for path, words in case.modules]
    tables = machines.tables(case.on, case.machine, case.cpus, scratch)
    modules += [iso.Module(Path(path), "acpi") for path in [*tables, *case.acpi]]
    append = f"{case.append} {machines.words()}".strip()
    iso.build(medium, iso.Menu(case.kernel, append, modules),
              "both" if case.machine.get("firmware") == "uefi" else "bios")
    patience = case.timeout or (PATIENCE_NESTED if case.on == "nested" else PATIENCE)
    outputs, options = _with_trace(case)
    boot = Boot(medium, case.cpus, case.megs, case.devices, outputs, patience, case.gdb,
                options=options, files=case.files, extras=case.extras, disks=case.disks)
    wanted = Wanted([pattern(case.stop_at, "stop_at")]) if case.stop_at else None
    console = Console(wanted=wanted, answers=case.answers)
    ended = server.run(boot, console) if server else machines.run(case.on, boot, console)
    _keep(case, ended)
    return check(case, ended)


def _with_trace(case):
    """On lab the unit's trace is read for each case; without single transfers, unless asked for."""
    if case.on != "lab" or "trace" in case.outputs:
        return case.outputs, case.machine
    return [*case.outputs, "trace"], {"trace_dma": "0", **case.machine}


def check(case, ended):
    if case.skip:
        match = re.search(case.skip, ended.text, re.M)
        if match:
            raise Skip(match.group(0).strip())
    tail = "\n".join(ended.text.splitlines()[-40:])
    if ended.detail:
        tail += f"\n({ended.detail})"
    tail = f"the console's end:\n{tail}"
    assert ended.how != "timeout", f"still running when the time was over; {tail}"
    assert ended.how != "broken", f"the machine broke down: {ended.detail}; {tail}"
    assert not case.stop_at or ended.how == "seen", f"ended without {case.stop_at!r}:\n{tail}"
    assert case.stop_at or ended.how == case.ends, f"not the end that it has: {ended.how}; {tail}"
    at = 0
    for pattern in case.expect:
        match = re.compile(pattern, re.M).search(ended.text, at)
        assert match, f"not shown (in this order): {pattern!r}; {tail}"
        at = match.end()
    for pattern in [*case.forbid, *BROKEN]:
        may = pattern in case.expect or (pattern in BROKEN and case.ends == "panic")
        match = None if may else re.search(pattern, ended.text, re.M)
        assert not match, f"shown, but must not be: {pattern!r} at {match.group(0)!r}; {tail}"
    broken = re.search(rb"^.*\bviolation .*$", ended.files.get("trace", b""), re.M)
    assert not (broken and case.rules), f"a rule of the unit is broken: {broken.group(0)}; {tail}"
    seen = report.read(ended.said())
    if ended.how == "off":
        assert seen == report.read(ended.text), f"two reports; {tail}\n{ended.said()}"
    for name, code in case.exits.items():
        assert name in seen.vms, f"no report of vm {name}; {tail}"
        ended_with = seen.vms[name].exit
        assert ended_with == str(code), f"vm {name}: exit={ended_with}, not {code}; {tail}"
    return Got(ended.text, ended.files, seen, ended)


def _with_folder(vm):
    """kernel=hello.elf means build/guests/hello.elf."""
    return re.sub(r"\b(kernel|initrd)=([^/,]+)(?=,|$)",
                  lambda m: f"{m.group(1)}={GUESTS / m.group(2)}", vm)


def _keep(case, ended):
    LOGS.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w.-]+", "-", f"{case.on}-{case.name}")
    (LOGS / f"{name}.log").write_text(ended.text + f"\n[{ended.how}] {ended.detail}\n")
