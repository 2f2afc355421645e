# SPDX-License-Identifier: MIT
"""
Faults of the machine under Hamlet: an NMI, an error that the hardware has corrected, one that it
has not. QEMU's own monitor makes them.

From: make test      To: arch/mce.c, arch/trap.c (trap_tell_nmi)
"""

from test_terminal import pc

CORRECTED = 0x9c00000000000151      # VAL EN MISCV ADDRV
UNCORRECTED = 0xbe00000000000134    # UC and PCC, too
IN_PROGRESS = 0x5                   # of IA32_MCG_STATUS: MCIP RIPV


def test_faults_of_the_machine(tmp_path):
    port = tmp_path / "port"
    more = ["-chardev", f"file,id=port,path={port}", "-device",
            "isa-serial,chardev=port,iobase=0x3f8,irq=4"]

    def until(text):
        machine.until(f"{text!r} is not shown", lambda: text in port.read_text(errors="replace"))

    with pc(tmp_path, append="end=key", more=more) as machine:
        machine.until_said("hamlet: end")
        machine.ask("nmi")
        until("trap: NMI: the platform does not name a reason; more of them are not reported")
        machine.ask(f"mce 0 4 {CORRECTED:#x} 0 0x1234000 0x8c")
        until(f"mce: an error of the hardware: bank=4 status={CORRECTED:#x} corrected code=0x151 "
              "address=0x1234000 misc=0x8c")
        machine.ask(f"mce 0 9 {UNCORRECTED:#x} {IN_PROGRESS:#x} 0x5678000 0x8c")
        until(f"mce: machine check: status={IN_PROGRESS:#x} banks=10")
        until(f"mce: machine check: bank=9 status={UNCORRECTED:#x} uncorrected code=0x134 "
              "address=0x5678000 misc=0x8c")
        machine.until_said("hamlet: panic cpu=0 rip=")
    text = port.read_text(errors="replace")
    dump = text[text.index("#MC machine check"):]
    assert "bank=4" not in dump, "the bank was read, and not freed"
