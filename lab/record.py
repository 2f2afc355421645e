# SPDX-License-Identifier: MIT
"""
A run as one file: what Hamlet recorded, what the lab machine did meanwhile, and the names of both.
One file, so that no trace can be laid beside that of another run.

From: the launcher `hamlet` (run --trace)
To:   lab/trace.py (the reader); boot.Ended has the parts

    trace: m TICK WORDS            the lab machine, by the clock of Hamlet's events
    trace: device BDF VM           whose device this is
    trace: symbol VM ADDRESS NAME  a function of the VM's kernel
"""

import re
import subprocess

from lab import iso, lines
from lab.bochs import IPS

FILE = "trace"      # of the lab machine's outputs
MACHINE = {"trace_detail": "1"}
DEVICE = re.compile(r"\[\d+\] assign: vm=(\S+) (\S+:\S+\.\d) .*source-id=")
END = "trace: end\n"
# Of a Hamlet that sent none, because it ran no VM (a kernel test) or hung.
NOTHING = f"trace: begin khz={IPS // 1000} dropped=0\n"


def text(ended, vms):
    """`ended`: a boot.Ended; `vms`: the values of --vm."""
    machine = ended.files.get(FILE, b"").decode("utf-8", "replace")
    said = ended.trace() or (NOTHING if machine else "")
    if not said:
        return said
    out = [said.removesuffix(END)]
    out += [f"trace: device {bdf} {vm}\n" for vm, bdf in DEVICE.findall(ended.text)]
    for vm in vms:
        out += [f"trace: symbol {iso.vm_name(vm)} {line}\n" for line in _functions(vm)]
    out += [f"trace: m {line.strip()}\n" for line in lines.split(machine) if line.strip()]
    return "".join(out) + (END if said.endswith(END) else "")


def _functions(vm):
    """ADDRESS NAME of each function; nothing of a kernel that is no ELF file, or has no table."""
    kernel = dict(word.partition("=")[::2] for word in iso.split(vm)).get("kernel", "")
    said = subprocess.run(["nm", "--defined-only", kernel], capture_output=True, text=True).stdout
    for row in said.splitlines():
        words = row.split()
        if len(words) == 3 and words[1] in "tTwW":
            yield f"{words[0].lstrip('0') or '0'} {words[2]}"
