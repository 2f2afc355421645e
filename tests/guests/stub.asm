; SPDX-License-Identifier: MIT
; The way into 64-bit mode for a guest program of ours that QEMU starts: a Multiboot kernel whose
; module is that program.
; From: QEMU (-kernel)        To: tests/guests/stub.c (load)
; Spec: Multiboot 1 "OS image format"; SDM "Initializing IA-32e Mode"

extern load, entry, info

SELECTOR_CODE equ 0x08
SELECTOR_DATA equ 0x10
PML4          equ 0x90000               ; filled in by load()

bits 32
section .multiboot align=4
        dd 0x1badb002, 3, -(0x1badb002 + 3)     ; modules at page boundaries, and memory told

section .text
global _start
_start:
        cli
        mov esp, stack_top
        push ebx                        ; the boot information
        call load
        lgdt [gdt_pointer]
        mov eax, cr4
        or eax, 1 << 5                  ; PAE
        mov cr4, eax
        mov eax, PML4
        mov cr3, eax
        mov ecx, 0xc0000080
        rdmsr
        or eax, 1 << 8                  ; EFER.LME
        wrmsr
        mov eax, 0x80000021             ; PG, NE, PE
        mov cr0, eax
        jmp SELECTOR_CODE:long_mode

bits 64
long_mode:
        mov ax, SELECTOR_DATA
        mov ds, ax
        mov es, ax
        mov ss, ax
        xor eax, eax
        mov fs, ax
        mov gs, ax
        mov esp, stack_top
        mov edi, info
        mov rax, [abs entry]
        jmp rax

section .data
align 8
gdt:    dq 0
        dq 0x00209b0000000000           ; 64-bit code
        dq 0x00cf93000000ffff           ; data
gdt_pointer:
        dw gdt_pointer - gdt - 1
        dd gdt

section .bss
alignb 16
        resb 16384
stack_top:
