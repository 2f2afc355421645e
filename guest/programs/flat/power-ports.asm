; SPDX-License-Identifier: MIT
; A kernel that switches its PC off as hobby kernels do, by a port of the emulator on which it was
; written; its command line says which: `q`emu, `b`ochs, `v`irtualbox, `c`loud hypervisor. Before
; that it writes the same value without the bit that counts.
; To: guest/pc/legacy/pm.c, guest/pc/vpower.c.
; Spec: ACPI "PM1 Control Registers", "Sleep Control and Status Registers".
bits 32
org 0x100000

MAGIC   equ     0x1badb002
FLAGS   equ     1 << 16 | 1 << 1        ; addresses are valid; tell about memory

header: dd      MAGIC, FLAGS, -(MAGIC + FLAGS)
        dd      header, header, 0, 0, start

ports:  db      "q"
        dw      0x604, 0x2000, 0x2000   ; port, value, the bit that counts
        db      "b"
        dw      0xb004, 0x2000, 0x2000
        db      "v"
        dw      0x4004, 0x3400, 0x2000
        db      "c"
        dw      0x600, 0x34, 0x20

start:  mov     esi, [ebx + 16]         ; cmdline
        mov     al, [esi]
        mov     ebx, ports
.next:  cmp     al, [ebx]
        je      .found
        add     ebx, 7
        jmp     .next
.found: mov     dx, [ebx + 1]
        mov     ax, [ebx + 3]
        mov     cx, ax
        xor     ax, [ebx + 5]
        out     dx, ax                  ; nothing
        mov     ax, cx
        out     dx, ax
        mov     al, 1                   ; still on
        out     0xf4, al
        hlt
