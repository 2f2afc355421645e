; SPDX-License-Identifier: MIT
; A kernel of the first Multiboot specification, with the addresses in its header: it prints its
; command line and what EAX held, then ends with status 0 if that was the magic.
; To: guest/load/multiboot.c, guest/load/info.c.
; Spec: Multiboot "OS image format", "Machine state".
bits 32
org 0x100000

MAGIC   equ     0x1badb002
FLAGS   equ     1 << 16 | 1 << 1        ; addresses are valid; tell about memory

header: dd      MAGIC, FLAGS, -(MAGIC + FLAGS)
        dd      header, header, 0, 0, start

start:  cld
        mov     ebp, eax
        mov     esi, [ebx + 16]         ; cmdline
        mov     dx, 0x3f8
.next:  lodsb
        test    al, al
        jz      .end
        out     dx, al
        jmp     .next
.end:   mov     al, 10
        out     dx, al
        xor     eax, eax
        cmp     ebp, 0x2badb002
        setne   al
        out     0xf4, al
        hlt
