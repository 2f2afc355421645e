; SPDX-License-Identifier: MIT
; The ending of every hobby kernel: HLT with interrupts off. Nothing can wake the only processor, so
; the VM has ended.
; To: guest/life/run.c vcpu_on_dead_halt().
bits 64
        cli
        hlt
        out     0xf4, al        ; never: HLT must not fall through
