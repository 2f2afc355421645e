; SPDX-License-Identifier: MIT
; The ground under a program that tests the machine itself, without Hamlet: multiboot2 header, long
; mode, 4 GiB mapped one to one, a GDT with a 32-bit code segment too, and an IDT that counts.
; From: GRUB        To: tests/guests/mends.c (bare_main)
; Spec: SDM "Initializing IA-32e Mode"

global gdt, gdt_end, tss, idt, idt_end, taken, taken_with_if, fault, recover_rip, recover_rsp
extern bare_main

SELECTOR_CODE   equ 0x08
SELECTOR_DATA   equ 0x10
SELECTOR_CODE32 equ 0x18
SELECTOR_TSS    equ 0x20

section .multiboot progbits alloc noexec nowrite align=8
header:
    dd 0xe85250d6, 0, header_end - header, -(0xe85250d6 + header_end - header)
    dw 0, 0
    dd 8
header_end:

bits 32
section .text
global _start
_start:
    cli
    mov esp, stack_top
    mov al, 0xff                        ; the firmware's timer tick is none of our interrupts
    out 0x21, al
    out 0xa1, al
    mov edi, pml4               ; pml4[0] -> pdpt, pdpt[0..3] -> four directories of 2 MiB pages
    mov dword [pml4], pdpt + 3
    mov eax, directories + 3
    mov edi, pdpt
    mov ecx, 4
.pdpt:
    mov [edi], eax
    add eax, 4096
    add edi, 8
    loop .pdpt
    mov eax, 0x83
    mov edi, directories
    mov ecx, 4 * 512
.directory:
    mov [edi], eax
    add eax, 0x200000
    add edi, 8
    loop .directory
    mov eax, pml4
    mov cr3, eax
    mov eax, cr4
    or eax, 1 << 5                      ; PAE
    mov cr4, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 1 << 8                      ; EFER.LME
    wrmsr
    mov eax, 0x80000021                 ; PG, NE, PE
    mov cr0, eax
    lgdt [gdt_pointer]
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
    mov eax, tss
    mov [gdt + SELECTOR_TSS + 2], ax
    shr eax, 16
    mov [gdt + SELECTOR_TSS + 4], al
    mov [gdt + SELECTOR_TSS + 7], ah
    mov ax, SELECTOR_TSS
    ltr ax
    mov rax, stubs                      ; a gate is: offset 15:0, selector, type, offset 31:16, 0
    mov rdi, idt
    mov ecx, 256
.gate:
    mov [rdi], ax
    mov word [rdi + 2], SELECTOR_CODE
    mov word [rdi + 4], 0x8e00
    mov rdx, rax
    shr rdx, 16
    mov [rdi + 6], dx
    add rdi, 16
    add rax, 16
    loop .gate
    lidt [idt_pointer]
    call bare_main
.end:
    hlt
    jmp .end

; One stub per vector, 16 bytes apart. An exception goes to recover_rip; an interrupt is counted.
align 16
global stubs
stubs:
%assign vector 0
%rep 256
    align 16, db 0x90
    push qword vector
    jmp counted
%assign vector vector + 1
%endrep
counted:
    push rax
    mov rax, [rsp + 8]
    cmp rax, 32
    jb exception
    inc dword [taken + rax * 4]
    test dword [rsp + 32], 1 << 9       ; RFLAGS of what was interrupted
    jz .masked
    inc dword [taken_with_if + rax * 4]
.masked:
    pop rax
    add rsp, 8
    iretq
exception:
    mov [fault], eax
    mov rsp, [recover_rsp]
    jmp [recover_rip]

section .data
align 16
gdt:
    dq 0
    dq 0x00af9b000000ffff               ; 64-bit code
    dq 0x00cf93000000ffff               ; data
    dq 0x00cf9b000000ffff               ; 32-bit code
    dq 0x0000890000000067, 0            ; TSS, its base is filled in
gdt_end:
gdt_pointer:
    dw gdt_end - gdt - 1
    dq gdt
idt_pointer:
    dw idt_end - idt - 1
    dq idt

section .bss
alignb 4096
pml4:        resb 4096
pdpt:        resb 4096
directories: resb 4 * 4096
idt:         resb 4096
idt_end:
tss:         resb 104
taken:         resd 256                 ; interrupts taken, by vector
taken_with_if: resd 256                 ; of these, where RFLAGS.IF was 1, as it has to be
fault:       resd 1                     ; the last exception
recover_rip: resq 1
recover_rsp: resq 1
alignb 16
             resb 16384
stack_top:
