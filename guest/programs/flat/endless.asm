; SPDX-License-Identifier: MIT
; A loop with interrupts off, without any exit of its own: Hamlet has its CPU back all the same, by
; the VMX-preemption timer, and ends it by timeout=.
; To: vmx/run/sched.c (slices), guest/life/run.c (deadline).
bits 64
        cli
        jmp     $
