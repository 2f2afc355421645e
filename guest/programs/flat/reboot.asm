; SPDX-License-Identifier: MIT
; A boot sector that goes where firmware would start, again and again: each time its VM is reset.
; To: guest/life/kernel.c (reset_code), guest/life/control.c.
bits 16
org 0x7c00
        jmp     0xf000:0xfff0

        times 510 - ($ - $$) db 0
        dw      0xaa55
