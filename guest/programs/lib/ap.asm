; SPDX-License-Identifier: MIT
; Where the other processors of a guest start: real mode, at a page below 1 MiB to which
; guest/programs/lib/processor.c has copied this code. They take over CR3, GDT and the program from
; the first processor.
; From: guest/programs/lib/processor.c.   Spec: SDM "Initializing IA-32e Mode".
TRAMPOLINE equ  0x8000

section .text
bits 16
global ap_trampoline, ap_trampoline_end
ap_trampoline:
        cli
        xor     ax, ax
        mov     ds, ax
        lgdt    [TRAMPOLINE + gdtr - ap_trampoline]
        mov     eax, 1 << 5             ; CR4.PAE
        mov     cr4, eax
        mov     eax, 0x90000            ; the loader's page tables (guest/load/load.h LOAD_TABLES)
        mov     cr3, eax
        mov     ecx, 0xc0000080         ; IA32_EFER
        rdmsr
        or      eax, 1 << 8             ; LME
        wrmsr
        mov     eax, cr0
        or      eax, 1 << 31 | 1        ; PG, PE: both at once, straight to compatibility mode
        mov     cr0, eax
        jmp     dword 0x08:TRAMPOLINE + long_mode - ap_trampoline

bits 64
long_mode:
        mov     ax, 0x10
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     rsp, [abs ap_stack]
        call    [abs ap_entry]

align 8
gdt:    dq      0
        dq      0x00209b0000000000      ; 0x08: 64-bit code
        dq      0x00cf93000000ffff      ; 0x10: data
gdtr:   dw      gdtr - gdt - 1
        dd      TRAMPOLINE + gdt - ap_trampoline
ap_trampoline_end:

global ap_stack, ap_entry
section .bss
alignb 8
ap_stack:       resq 1
ap_entry:       resq 1          ; void (*)(void), does not return
