; SPDX-License-Identifier: MIT
; The ending of many a kernel, of its panic too: HLT with interrupts off. Nothing can wake the only
; processor, so the VM has ended; as it has not said that all went well, it did not.
; To: guest/life/dead.c vcpu_on_dead_halt().
bits 64
        cli
        hlt
        out     0xf4, al        ; never: HLT must not fall through
