; SPDX-License-Identifier: MIT
; A boot sector that asks a BIOS to print a letter. There is none: the VM ends, in words.
; To: guest/load/firmware.c, guest/pc/vbios.c.
bits 16
org 0x7c00
        mov     dx, 0x3f8
        mov     al, '?'
        out     dx, al
        mov     al, 10
        out     dx, al
        mov     ax, 0x0e41
        int     0x10
        mov     al, '!'
        out     dx, al
        mov     al, 10
        out     dx, al
        hlt
        times   510 - ($ - $$) db 0
        dw      0xaa55
