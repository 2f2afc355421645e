# SPDX-License-Identifier: MIT
"""
Where Bochs 3.0 strays from the manual, and the edit that leads it back.

From: lab/bochs/build.py (applied to the unpacked source, before configure)
To:   events.py, tlb.py, vmx.py, cpu.py, ipi.py (the mends by area), switches.py, watch.py (other
      edits); tests/cases/test_mends.py (a case per mend: it fails on Bochs as shipped)
Spec: the SDM section named in each row.

A mend is an edit and not a patch file: it names the text that it expects, and stops the build when
that text is not there exactly once. So a new Bochs can never be mended half, or in the wrong place.

Hamlet itself stays right on Bochs as shipped and on hardware: the mends let the *machine* be
trusted as a judge.
"""

import shutil
from pathlib import Path

from lab.bochs.mends import switches, watch
from lab.bochs.mends.cpu import CPU
from lab.bochs.mends.events import EVENTS
from lab.bochs.mends.ipi import IPIS
from lab.bochs.mends.tlb import TLB
from lab.bochs.mends.vmx import VMX

MENDS = EVENTS + TLB + VMX + CPU + IPIS
SWITCHES = switches.SWITCHES + watch.WATCH
HERE = Path(__file__).parent
BYTES = "latin-1"       # some files have bytes that are no UTF-8, and keep them


def apply(source, mends):
    """Edit the tree at `source` (a Path). Raises ValueError, naming the mend, if an anchor is not
    there exactly once."""
    for mend in mends:
        path = source / mend.file
        text = path.read_text(BYTES)
        count = text.count(mend.anchor)
        if count != 1:
            raise ValueError(
                f"mend {mend.name}: its text occurs {count} times in {mend.file}, not once")
        path.write_text(text.replace(mend.anchor, mend.repair), BYTES)
        if mend.adds:
            shutil.copy(HERE / mend.adds, path.parent)


def added(mends):
    """The text of all files that the mends add."""
    return "".join((HERE / mend.adds).read_text() for mend in mends if mend.adds)
