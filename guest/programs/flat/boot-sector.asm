; SPDX-License-Identifier: MIT
; A boot sector: it starts in real mode at 0x7C00 and prints a line there, one in 32-bit protected
; mode, and one in real mode again. There is no BIOS to call; the serial port is all that it needs.
;   ./hamlet run --vm kernel=build/guests/boot-sector.bin,mem=4M
; To: guest/load/flat.c (a file that ends its first 512 bytes with 55 AA).
; Spec: SDM "Switching to Protected Mode", "Switching Back to Real-Address Mode".
org 0x7c00
CODE32  equ     0x08
DATA32  equ     0x10
CODE16  equ     0x18
DATA16  equ     0x20

bits 16
start:  xor     ax, ax
        mov     ds, ax
        mov     si, in_real
        call    say
        mov     word [0xfffe], 'wr'     ; SI has 16 bits: behind the segment's end comes its start
        mov     word [0], 'ap'
        mov     byte [2], 10
        mov     si, 0xfffe
        mov     cx, 5
        rep     outsb
        lgdt    [gdt.pointer]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     CODE32:protected

bits 32
protected:
        mov     ax, DATA32
        mov     ds, ax
        mov     esi, in_protected
        mov     edx, 0x3f8
.next:  lodsb
        test    al, al
        jz      .end
        out     dx, al
        jmp     .next
.end:   jmp     CODE16:leave
bits 16
leave:  mov     ax, DATA16
        mov     ds, ax
        mov     eax, cr0
        and     al, 0xfe
        mov     cr0, eax
        jmp     0:again
again:  xor     ax, ax
        mov     ds, ax
        mov     si, in_real
        call    say
        out     0xf4, al                ; AL is 0: success
        hlt

say:    mov     dx, 0x3f8
.next:  lodsb
        out     dx, al
        test    al, al
        jnz     .next
        ret

in_real:        db "real mode", 10, 0
in_protected:   db "protected mode", 10, 0

align 8
gdt:    dq      0
        dq      0x00cf9b000000ffff
        dq      0x00cf93000000ffff
        dq      0x00009b000000ffff
        dq      0x000093000000ffff
.pointer:
        dw      $ - gdt - 1
        dd      gdt

        times 510 - ($ - $$) db 0
        dw      0xaa55
