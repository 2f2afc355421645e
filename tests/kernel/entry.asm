; SPDX-License-Identifier: MIT
;
; The first instructions of the test image: CR4 and PAT become what some firmware and its boot
; loader leave. LA57 stays set when 5-level paging was in use, and IA-32e mode would use it again;
; DE stands for all that Hamlet does not ask for. Then Hamlet starts as always.
; From: GRUB (the entry of build/hamlet-test.elf).      To: boot/header.asm (boot_entry).
; Spec: Multiboot2 "I386 machine state"; SDM "Control Registers".

LEAF_FEATURES   equ 7
LA57            equ 16                  ; of ECX
MSR_PAT         equ 0x277
CR4_DE          equ 1 << 3
CR4_LA57        equ 1 << 12

extern boot_entry

section .text
bits 32
global test_entry:function
test_entry:
    mov esi, eax                        ; Multiboot2's magic and information: CPUID takes both
    mov edi, ebx
    xor eax, eax
    cpuid
    mov ebp, CR4_DE
    cmp eax, LEAF_FEATURES
    jb .set
    mov eax, LEAF_FEATURES
    xor ecx, ecx
    cpuid
    bt ecx, LA57
    jnc .set
    or ebp, CR4_LA57
.set:
    mov ecx, MSR_PAT
    mov eax, 0x06070406                 ; entry 3 is write-back, not uncacheable
    mov edx, eax
    wrmsr
    mov eax, cr4
    or eax, ebp
    mov cr4, eax
    mov eax, esi
    mov ebx, edi
    jmp boot_entry
