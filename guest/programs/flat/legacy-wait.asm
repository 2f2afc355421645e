; SPDX-License-Identifier: MIT
; A kernel that waits for chips that a VM with legacy=off has not: first for the PIT's counter,
; then, with PIC and PIT programmed, for an interrupt. Hamlet names both waits.
; To: guest/pc/legacy/absent.c.
bits 32
org 0x100000

header: dd      0x1badb002, 1 << 16, -(0x1badb002 + (1 << 16))
        dd      header, header, 0, 0, start

start:  mov     ecx, 50000
.count: in      al, 0x40
        cmp     al, 0xff
        loope   .count
        mov     al, 0x11
        out     0x20, al
        mov     al, 0x34
        out     0x43, al
        mov     al, 0
        out     0x40, al
        out     0x40, al
        sti
.wait:  hlt
        jmp     .wait
