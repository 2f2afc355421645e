# SPDX-License-Identifier: MIT
"""
A Linux as the system of the lab machine itself, with a unit and a device below it: its medium, and
a boot from which it powers off.

From: tests/judges/, tests/bench/kvm.py      To: lab/machines/bochs.py, lab/bochs/plugin/text.cc
(the trace)
"""

import re

from lab import linux, machines
from lab.bochs import dmar
from lab.lines import Wanted, pattern
from lab.machines.boot import Boot, Console
from lab.nested import image
from lab.say import Progress, Unusable

# Seconds of this host's clock, against a hang only: ten times what the longest boot takes.
PATIENCE = 3000
PANIC = r"Kernel panic - .*|^.*Oops: .*"            # of a Linux, which then does nothing more


class Kept(Console):
    """Also written to a file while it comes, for a boot takes minutes."""

    def __init__(self, path, until):
        super().__init__(wanted=Wanted([pattern(until, "until")]))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        self.path = path
        self.progress = Progress(f"{path.stem}: Linux on the lab machine")

    def take(self, data):
        with open(self.path, "ab") as log:
            log.write(data)
        answer = super().take(data)
        said = self.text().rpartition("\n")[0]
        if said:
            self.progress.tick(said[said.rfind("\n") + 1:][:60])
        return answer


def why_not():
    """None, or one line: what is missing."""
    return machines.why_not("lab") or linux.why_not()


def medium(scratch, kernel, initrd, words, description=None, cpus=1):
    """The ISO scratch/linux.iso with a Linux that finds the machine's DMAR table."""
    tables = linux.acpi({"DMAR": dmar.table(description or {}, cpus)})
    target = scratch / "linux.iso"
    image.medium(scratch / "iso", kernel, tables + initrd, target, words)
    return target


def run(log, iso, *, description=None, cpus=1, megs=1024, disk=None, until=None):
    """Boot the ISO; returns (console, trace), which are in `log`.log and `log`.trace as well.
    `until`: ends what does not power off, a pattern. Unusable, if it does not get there."""
    console = Kept(log.with_name(f"{log.name}.log"), f"{until}|{PANIC}" if until else PANIC)
    ended = machines.run("lab", Boot(iso, cpus=cpus, megs=megs, outputs=["trace"], timeout=PATIENCE,
                                     options=description or {},
                                     disks={"disk": disk} if disk else {}), console)
    trace = ended.files["trace"].decode()
    log.with_name(f"{log.name}.trace").write_text(trace)
    console.progress.done(ended.how)
    panic = re.search(PANIC, ended.text, re.M)
    if panic or ended.how not in ("off", "seen"):
        tail = "\n".join(ended.text.splitlines()[-30:])
        raise Unusable(f"{log.name}: {panic[0] if panic else f'{ended.how} {ended.detail}'}; the "
                       f"end of {log.name}.log:\n{tail}")
    return ended.text, trace
