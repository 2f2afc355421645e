; SPDX-License-Identifier: MIT
; A guest that crashes: an exception without an IDT is a double fault without an IDT is a
; triple fault.
; To: vmx/run/run.c (exit "triple fault"), guest/life/run.c vcpu_on_crash().
; Spec: SDM "Interrupt 8 - Double Fault Exception (#DF)".
bits 64
        lidt    [rel nothing]
        ud2
nothing:
        times 10 db 0
