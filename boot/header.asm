; SPDX-License-Identifier: MIT
;
; The first instructions of Hamlet. GRUB jumps here in 32-bit protected mode without paging, under
; BIOS and UEFI alike. The code maps the first 4 GiB to themselves, enters long mode, sets a stack
; and calls hamlet_main(magic, info).
; From: GRUB; boot/ap.asm (enter_long_mode).      To: boot/main.c (hamlet_main).
; Spec: Multiboot2 "OS image format", "I386 machine state"; SDM "Initializing IA-32e Mode".

MAGIC           equ 0xe85250d6
ARCH_I386       equ 0                   ; 32-bit protected mode of i386
TAG_END         equ 0
TAG_REQUEST     equ 1
TAG_SCREEN      equ 5
TAG_ALIGN       equ 6
TAG_OPTIONAL    equ 1                   ; in the tag's flags

INFO_CMDLINE    equ 1
INFO_MODULE     equ 3
INFO_MMAP       equ 6
INFO_ELF        equ 9
INFO_RSDP_OLD   equ 14
INFO_RSDP_NEW   equ 15

CR0_PE          equ 1 << 0
CR0_PG          equ 1 << 31
CR0_CACHE_OFF   equ 3 << 29             ; CD and NW, both set after INIT
CR4_PAE         equ 1 << 5
MSR_EFER        equ 0xc0000080
EFER_LME        equ 1 << 8

PTE_P_RW        equ 3
PDE_2M          equ 1 << 7

BOOT_STACK_SIZE equ 16384               ; CPU_STACK_SIZE in arch/cpu.h

section .multiboot2 progbits alloc noexec nowrite align=8
header:
    dd MAGIC
    dd ARCH_I386
    dd header_end - header
    dd -(MAGIC + ARCH_I386 + (header_end - header))

    align 8
request:
    dw TAG_REQUEST, 0
    dd request_end - request
    dd INFO_CMDLINE, INFO_MODULE, INFO_MMAP
request_end:
    align 8
wish:                                   ; optional: Hamlet starts without these
    dw TAG_REQUEST, TAG_OPTIONAL
    dd wish_end - wish
    dd INFO_ELF, INFO_RSDP_OLD, INFO_RSDP_NEW
wish_end:
    align 8
    dw TAG_SCREEN, TAG_OPTIONAL         ; pixels, as many and as deep as the loader likes
    dd 20
    dd 0, 0, 0
    align 8
    dw TAG_ALIGN, TAG_OPTIONAL          ; modules begin on page borders
    dd 8
    align 8
    dw TAG_END, 0
    dd 8
header_end:

section .text
bits 32
global boot_entry:function
boot_entry:
    mov esi, eax                        ; the magic, before RDTSC takes EAX and EDX
    rdtsc
    mov [boot_entry_tsc], eax
    mov [boot_entry_tsc + 4], edx
    mov esp, boot_stack_top
    cld

    mov edi, ebx                        ; CPUID takes EBX
    mov eax, 0x80000000
    cpuid
    cmp eax, 0x80000001
    jb no_long_mode
    mov eax, 0x80000001
    cpuid
    mov ebx, edi
    bt edx, 29                          ; CPUID.80000001H:EDX "Intel 64 Architecture"
    jnc no_long_mode

    call build_tables
    mov ebp, boot_entry64
    jmp enter_long_mode

; The console is not set up yet. Write the reason to COM1, with the speed that the firmware left.
no_long_mode:
    mov esi, no_long_mode_text
    mov dx, 0x3f8
.next:
    lodsb
    test al, al
    jz .halt
    out dx, al
    jmp .next
.halt:
    cli
    hlt
    jmp .halt

; Map the first 4 GiB to themselves, in pages of 2 MiB, with all rights. paging_init() builds tables
; with fewer rights as soon as there is memory.
build_tables:
    mov dword [boot_pml4], boot_pdpt + PTE_P_RW
    mov ecx, 4
    mov eax, boot_pd + PTE_P_RW
    mov edi, boot_pdpt
.pdpt:
    mov [edi], eax
    add edi, 8
    add eax, 4096
    loop .pdpt

    mov ecx, 4 * 512
    mov eax, PTE_P_RW | PDE_2M
    mov edi, boot_pd
.pd:
    mov [edi], eax
    add edi, 8
    add eax, 1 << 21
    loop .pd
    ret

; Enter 64-bit code at EBP, from 32-bit protected mode without paging. Keeps ESI and EBX.
; SDM "Initializing IA-32e Mode": PAE, CR3 and EFER.LME are set before CR0.PG. What the firmware
; left in CR4 and EFER goes: with CR4.LA57 the CPU would walk five levels of tables.
global enter_long_mode:function
enter_long_mode:
    mov eax, CR4_PAE
    mov cr4, eax
    mov eax, boot_pml4
    mov cr3, eax
    mov ecx, MSR_EFER
    mov eax, EFER_LME
    xor edx, edx
    wrmsr
    lgdt [boot_gdt_pointer]             ; the other CPUs have loaded it already
    mov eax, cr0
    and eax, ~CR0_CACHE_OFF
    or eax, CR0_PG | CR0_PE
    mov cr0, eax
    jmp 0x08:long_mode

bits 64
long_mode:
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    mov eax, ebp
    jmp rax

extern boot_entry_tsc
extern hamlet_main
boot_entry64:
    mov esp, boot_stack_top             ; a write to ESP clears the upper half of RSP
    xor ebp, ebp                        ; the end of every backtrace
    mov edi, esi                        ; magic
    mov esi, ebx                        ; the Multiboot2 information
    call hamlet_main                    ; does not return
.halt:
    cli
    hlt
    jmp .halt

section .rodata
align 8
global boot_gdt
boot_gdt:
    dq 0
    dq 0x00af9b000000ffff               ; 0x08: code, 64 bits
    dq 0x00cf93000000ffff               ; 0x10: data
    dq 0x00cf9b000000ffff               ; 0x18: code, 32 bits, flat; for boot/ap.asm
boot_gdt_end:
global boot_gdt_pointer
boot_gdt_pointer:
    dw boot_gdt_end - boot_gdt - 1
    dd boot_gdt
    dd 0

no_long_mode_text:
    db "hamlet: this CPU has no 64-bit mode", 13, 10, 0

section .bss
align 4096
boot_pml4:
    resb 4096
boot_pdpt:
    resb 4096
boot_pd:
    resb 4 * 4096
boot_stack:
    resb BOOT_STACK_SIZE
global boot_stack_top
boot_stack_top:
