# SPDX-License-Identifier: MIT
"""
Read Hamlet's closing report off the console.

From: the launcher `hamlet`, lab/machines/boot.py (PANIC), tests/cases/      To: lab/lines.py
Form: `hamlet: vm=alpha exit=7 exits=12 ...` per VM, exit=refused for one that did not start, and
`hamlet: end vms=2 failed=0` last; before them `hamlet: screen vm=alpha row=3 |...` for the rows of
a text screen that are not blank. A guest cannot forge a line: what a guest prints begins with
`alpha| `, the name of its VM.
"""

import re
from dataclasses import dataclass, field

from lab import lines

NO_NUMBER = 125    # a VM that ended otherwise than by an exit code
OWN = (123, 124, 125)    # statuses of the launcher itself
NO_STATUS = 255    # an exit code that is one of these, or is no status of a process
# shutdown, or 0 written to port 0xF4: exit = value << 1 | 1, as QEMU's isa-debug-exit has it
SUCCESS = (0, 1)
NO_END = ("refused", "none")      # instead of a code: not started; no end was seen
PANIC = re.compile(r'hamlet: panic cpu=\d+ rip=\S+ text="(.*)"')      # a panic's last line


@dataclass
class Vm:
    name: str
    exit: str = ""
    keys: dict = field(default_factory=dict)
    devices: dict = field(default_factory=dict)    # what is said of each, by its address
    vcpus: dict = field(default_factory=dict)      # likewise, of a VM that has crashed
    rows: dict = field(default_factory=dict)   # of its text screen, by number

    def screen(self):
        """Its text screen at the end, a line per row."""
        last = max(self.rows, default=-1)
        return "".join(self.rows.get(row, "") + "\n" for row in range(last + 1))

    def status(self):
        """What the launcher returns for it: 0 for success, else the exit code, never cut."""
        if not re.fullmatch(r"0x[0-9a-f]+|\d+", self.exit):
            return NO_NUMBER
        code = int(self.exit, 0)
        return 0 if code in SUCCESS else NO_STATUS if code in OWN else min(code, NO_STATUS)


@dataclass
class Report:
    vms: dict = field(default_factory=dict)    # name -> Vm; lines of one VM are merged
    complete: bool = False                     # the end line was seen
    panic: str = ""                            # what Hamlet said when it could not go on
    end: dict = field(default_factory=dict)

    def ran(self):
        return [vm for vm in self.vms.values() if vm.exit not in NO_END]

    def missing(self, name, why):
        """A row for a VM that was asked for, and of which nothing was reported."""
        if name not in self.vms:
            self.vms[name] = Vm(name, NO_END[1], {"why": why})

    def failed(self):
        return [vm for vm in self.vms.values() if vm.status()]

    def status(self):
        """The first guest's exit code that is not 0; a VM that Hamlet refused to start counts
        as failed."""
        codes = [vm.status() for vm in self.failed()]
        return codes[0] if codes else (NO_NUMBER if self.end.get("failed", "0") != "0" else 0)


def read(text):
    report = Report()
    for line in lines.split(text):
        panic = PANIC.match(line)
        report.panic = report.panic or (panic.group(1) if panic else "")
        match = re.match(r"hamlet: screen vm=(\S+) row=(\d+) \|(.*)", line)
        if match:
            vm = report.vms.setdefault(match.group(1), Vm(match.group(1)))
            vm.rows[int(match.group(2))] = match.group(3)
            continue
        match = re.match(r"hamlet: (vm=(\S+)|end\b)(.*)", line)
        if not match:
            continue
        keys = {key: value.strip('"')
                for key, value in re.findall(r'(\S+?)=("[^"]*"|\S+)', match.group(3))}
        if match.group(2):
            vm = report.vms.setdefault(match.group(2), Vm(match.group(2)))
            part = (vm.devices.setdefault(keys.pop("device"), {}) if "device" in keys else
                    vm.vcpus.setdefault(keys.pop("vcpu"), {}) if "vcpu" in keys else vm.keys)
            part.update(keys)
            vm.exit = keys.get("exit", vm.exit)
        else:
            report.end, report.complete = keys, True
    report.vms = {name: vm for name, vm in report.vms.items() if vm.exit}
    return report


def screen(report):
    """What a person wants to know at the end: a row per VM."""
    rows = [("VM", "exit", "exits", "faults", "exits for", "")]
    for vm in report.vms.values():
        counts = {key[6:]: int(count) for key, count in vm.keys.items()
                  if key.startswith("exits.") and count.isdecimal()}
        reasons = sorted(((count, reason) for reason, count in counts.items()), reverse=True)
        most = ", ".join(f"{reason} {count}" for count, reason in reasons[:3])
        rows.append((vm.name, vm.exit + (" (ok)" if vm.status() == 0 else ""),
                     vm.keys.get("exits", ""), vm.keys.get("faults", ""), most,
                     vm.keys.get("why", "")))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return [
        ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths)) + "  " + row[5]).rstrip()
        for row in rows]
