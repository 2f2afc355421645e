# SPDX-License-Identifier: MIT
"""
`./hamlet test FOLDER`: boot a user's kernels, and compare what they say and how they end with what
stands in files NAME.case.

From: the launcher `hamlet`      To: lab/results.py (TAP, JUnit XML), lab/lines.py; each case is a
run of the launcher, in the folder of its file

    # the driver moves a page, and needs few exits for it
    vm     = kernel=driver.elf,mem=16M,pci=1234:11e8
    expect = ^factorial of 5 is 120$
    expect = bytes came back
    exits  = 400

Lines KEY = VALUE. Each of vm, append, device, expect, expect-log, monitor may stand several times.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from lab import lines, machines, results
from lab.say import Unusable, write

LAST_WORDS = 3      # lines of guests that a failed case shows
# key: what it is for the reader of a file; several: it is a list
SEVERAL = ("vm", "append", "device", "expect", "expect-log", "monitor")
ONCE = {"on": "auto", "status": "0", "exits": "", "until": "", "cpus": "1", "megs": "256",
        "machine": "", "timeout": "300"}
NUMBERS = ("status", "exits", "cpus", "megs", "timeout")


@dataclass
class Case:
    path: Path
    several: dict = field(default_factory=lambda: {key: [] for key in SEVERAL})
    once: dict = field(default_factory=lambda: dict(ONCE))

    def words(self):
        """For `./hamlet run`."""
        found = ["--on", self.once["on"]]
        for key in ("vm", "append", "device", "monitor"):
            found += [word for value in self.several[key] for word in (f"--{key}", value)]
        for key in ("cpus", "megs", "machine", "timeout"):
            found += [f"--{key}", self.once[key]] if self.once[key] else []
        return [*found, "--expect", self.once["until"]] if self.once["until"] else found


def text_of(path):
    """Of any editor: one of them puts a mark before it."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise Unusable(f"{path}: no text in UTF-8") from None


def read(path):
    """The case of a file; Unusable, with the line's number, for a line that is none."""
    case, seen = Case(path), set()
    for number, line in enumerate(text_of(path).split("\n"), 1):
        key, equals, value = (part.strip() for part in line.partition("="))
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"{path}:{number}: "
        if not equals or not (key in SEVERAL or key in ONCE):
            raise Unusable(f"{where}no line KEY = VALUE with a key of {', '.join(SEVERAL)}, "
                           f"{', '.join(ONCE)}")
        if key in NUMBERS and not value.isdecimal():
            raise Unusable(f"{where}{key} is a number, and not {value}")
        if key in ("expect", "expect-log", "until"):
            lines.pattern(value, f"{where}{key}")
        if key in SEVERAL:
            case.several[key].append(value)
        elif key in seen:
            raise Unusable(f"{where}{key} stands there twice")
        else:
            case.once[key] = value
        seen.add(key)
    if not case.several["vm"]:
        raise Unusable(f"{path}: no line vm = kernel=FILE,...")
    return case


def collect(folder, wanted):
    """The cases of a folder and those below it, by name; `wanted`: part of their names."""
    if not folder.is_dir():
        raise Unusable(f"{folder}: no such folder")
    cases = [read(path) for path in sorted(folder.rglob("*.case"))
             if wanted in str(path.relative_to(folder))]
    if not cases:
        raise Unusable(f"{folder}: no file NAME.case{f' with {wanted} in it' if wanted else ''}")
    return cases


def run(launcher, folder, jobs, wanted, junit):
    """TAP on stdout while it goes on; returns the status: 0, or 1 if a case failed."""
    cases = collect(folder, wanted)
    print(f"TAP version 13\n1..{len(cases)}", flush=True)
    lock, done = threading.Lock(), []

    def one(case):
        result = _run(launcher, folder, case)
        with lock:
            done.append(result)
            print(results.tap(len(done), result), flush=True)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(one, cases))
    if junit:
        done.sort(key=lambda result: result.name)
        write(junit, results.junit(folder.resolve().name, done))
    return int(any(result.failed for result in done))


def _run(launcher, folder, case):
    name = str(case.path.relative_to(folder).with_suffix(""))
    on = machines.resolve(case.once["on"]) if case.once["on"] in (*machines.NAMES, "auto") else ""
    reason = machines.why_not(on) if on else None
    if reason:
        return results.Result(name, skipped=f"{on}: {reason}")
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hamlet-test-") as scratch:
        files = {key: Path(scratch) / key for key in ("json", "log")}
        done = subprocess.run(
            [sys.executable, launcher, "run", *case.words(),
             *(word for key, path in files.items() for word in (f"--{key}", path))],
            cwd=case.path.parent, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, errors="replace", env=dict(os.environ))
        text, told = "", None
        if files["json"].exists():
            text, told = files["log"].read_text(), json.loads(files["json"].read_text())
    failed = "\n".join(_findings(case, done, text, told))
    return results.Result(name, time.monotonic() - begin, failed, text=text)


def _in_words(said):
    """A device's last fault: where, and what."""
    where = [f"{key} {said[key]}" for key in ("read", "write", "index") if key in said]
    return " ".join([*where, said.get("what", "")]).strip()


def _findings(case, done, text, told):
    """What is not as the file says, a line each."""
    status = int(case.once["status"])
    if told is None:
        yield from (line.removeprefix("[hamlet] ") for line in done.stderr.strip().split("\n"))
        return
    if done.returncode != status:
        yield f"status {done.returncode}, and not {status}{': ' * bool(told['why'])}{told['why']}"
        for vm in told["vms"]:
            yield f"vm {vm['name']}: exit={vm['exit']} {vm.get('why', '')}".rstrip()
            yield from (f"vm {vm['name']}: fault of {bdf}: {_in_words(said)}"
                        for bdf, said in vm.get("devices", {}).items() if "last-fault" in said)
        yield from [line for line in lines.split(text) if lines.GUEST.fullmatch(line)][-LAST_WORDS:]
    for key in ("expect", "expect-log"):
        wanted = lines.Wanted([lines.pattern(value, key) for value in case.several[key]],
                              of_guests=key == "expect")
        if not wanted.take(lines.split(text), ""):
            yield f"not shown, in this order: {wanted.left[0].pattern}"
    for vm in told["vms"] if case.once["exits"] else []:
        if int(vm.get("exits", 0)) > int(case.once["exits"]):
            yield f"vm {vm['name']}: {vm['exits']} exits, and {case.once['exits']} at most"
