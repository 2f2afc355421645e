; SPDX-License-Identifier: MIT
; A kernel as an ELF file of 32 bits, which goes on with 64 bits in the upper half of the addresses:
; `high` is at 0xFFFFFFFF80100200, where nothing is mapped before paging is on.
; To: guest/load/elf.c.
; Spec: ELF "ELF Header", "Program Header"; SDM "Initializing IA-32e Mode".
bits 32
org 0x100000

HIGH    equ     0xffffffff80000000
PML4    equ     0x200000
PDPT    equ     0x201000
PD      equ     0x202000
EFER    equ     0xc0000080

file:   db      0x7f, "ELF", 1, 1, 1    ; 32 bits, little endian
        times 9 db 0
        dw      2, 3                    ; an executable, 80386
        dd      1, start, program - file, 0, 0
        dw      52, 32, 1, 0, 0, 0
program:
        dd      1, 0, file, file, end - file, end - file, 7, 0x1000

start:  mov     dword [PML4], PDPT + 3
        mov     dword [PML4 + 511 * 8], PDPT + 3
        mov     dword [PDPT], PD + 3
        mov     dword [PDPT + 510 * 8], PD + 3
        mov     dword [PD], 0x83        ; 2 MiB
        mov     eax, PML4
        mov     cr3, eax
        mov     eax, cr4
        or      eax, 1 << 5             ; PAE
        mov     cr4, eax
        mov     ecx, EFER
        rdmsr
        or      eax, 1 << 8             ; LME
        wrmsr
        lgdt    [gdt.pointer]
        mov     eax, cr0
        or      eax, 1 << 31            ; PG
        mov     cr0, eax
        jmp     8:low

bits 64
low:    mov     rax, HIGH + high
        jmp     rax

gdt:    dq      0, 0x00af9b000000ffff
.pointer:
        dw      $ - gdt - 1
        dq      gdt

        times 0x200 - ($ - $$) db 0
high:   mov     rbx, 0x1122334455667788
        xor     eax, eax
        out     0xf4, al                ; AL is 0: success
        hlt
end:
