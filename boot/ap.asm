; SPDX-License-Identifier: MIT
;
; The first instructions of every other CPU. A STARTUP IPI makes that CPU execute, in real mode, the
; copy of ap_start16 in a page below 1 MiB. The copy jumps into the image as soon as 32-bit
; addresses work, so the low page need not be executable when paging is on.
; From: arch/cpu.c (ap_start16, ap_cpu).
; To: boot/header.asm (enter_long_mode), arch/cpu.c (cpu_ap_main).
; Spec: SDM "MP Initialization Example", "Switching to Protected Mode".

CPU_STACK_TOP   equ 16                  ; LAYOUT in arch/cpu.c
CODE32          equ 0x18                ; in boot_gdt
DATA            equ 0x10
CR0_PE          equ 1

extern boot_gdt, enter_long_mode, cpu_ap_main

section .text
bits 16
global ap_start16, ap_start16_end
ap_start16:                             ; runs at CS:0, so its data is addressed through CS
    cli
    cld
    o32 lgdt [cs:.gdt - ap_start16]
    mov eax, cr0
    or al, CR0_PE
    mov cr0, eax
    jmp dword CODE32:ap_start32         ; in the image, no longer in the copy
align 4
.gdt:
    dw 4 * 8 - 1
    dd boot_gdt
ap_start16_end:

bits 32
ap_start32:                             ; protected mode, flat segments, no stack yet
    mov eax, DATA
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov ebp, ap_start64
    jmp enter_long_mode

bits 64
ap_start64:
    mov rdi, [ap_cpu]                   ; cpu_start() changes it when this CPU is online or parked
    mov rsp, [rdi + CPU_STACK_TOP]
    xor ebp, ebp                        ; the end of every backtrace
    call cpu_ap_main                    ; does not return
.halt:
    cli
    hlt
    jmp .halt

section .data
align 8
global ap_cpu
ap_cpu:
    dq 0                                ; struct cpu * of the CPU that is being started
