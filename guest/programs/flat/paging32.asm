; SPDX-License-Identifier: MIT
; A 32-bit kernel that pages: two levels with pages of 4 MiB, then PAE. Its four entries of PAE are
; loaded by the CPU where a write of CR0 or CR3 does not exit, and by Hamlet where it does: one that
; changes CR0.CD. What the CPU would refuse, Hamlet refuses then.
; To: vmx/exit/cr.c (cr_load_pdptes, switch_long_mode).
; Spec: SDM "32-Bit Paging", "PDPTE Registers", "Initializing IA-32e Mode"; Multiboot "OS image
; format".
bits 32
org 0x100000

MAGIC   equ     0x1badb002
FLAGS   equ     1 << 16                 ; addresses are valid

PD      equ     0x200000                ; tables; VM: mem=8M
PDPT    equ     0x201000
PD_A    equ     0x202000
PD_B    equ     0x203000
MARK_A  equ     0x300000        ; what the page at 4 MiB (and, in PAE, at 3 GiB and 4 MiB) shows
MARK_B  equ     0x700000
LARGE   equ     0x83                    ; present, writable, large
PE_NE   equ     0x21
PG      equ     1 << 31
CD      equ     1 << 30

header: dd      MAGIC, FLAGS, -(MAGIC + FLAGS)
        dd      header, header, 0, 0, start

%macro  SAY 1
        mov     esi, %1
        call    say
%endmacro
%macro  EXPECT 2                        ; what is at an address
        cmp     dword [%1], %2
        jne     wrong
%endmacro
%macro  CR0 1
        mov     eax, %1
        mov     cr0, eax
%endmacro
%macro  CR3 1
        mov     eax, %1
        mov     cr3, eax
%endmacro

start:  cld
        mov     esp, 0x180000
        lgdt    [gdt.pointer]           ; for the gate's selector
        lidt    [idt.pointer]
        mov     dword [MARK_A], 'aaaa'
        mov     dword [MARK_B], 'bbbb'

        mov     dword [PD], LARGE       ; itself
        mov     dword [PD + 4], LARGE   ; again at 4 MiB
        mov     eax, cr4
        or      eax, 1 << 4             ; PSE
        mov     cr4, eax
        CR3     PD
        CR0     PG | PE_NE
        EXPECT  MARK_A + 0x400000, 'aaaa'
        CR0     PE_NE
        SAY     two

        mov     dword [PDPT], PD_A + 1
        mov     dword [PDPT + 3 * 8], PD_A + 1
        mov     dword [PD_A], LARGE
        mov     dword [PD_A + 8], LARGE + 0x200000
        mov     dword [PD_A + 2 * 8], LARGE + 0x200000
        mov     dword [PD_B + 2 * 8], LARGE + 0x600000
        mov     eax, cr4
        or      eax, 1 << 5             ; PAE
        mov     cr4, eax
        CR3     PDPT
        CR0     PG | PE_NE              ; no exit
        EXPECT  0x500000, 'aaaa'
        EXPECT  0xc0500000, 'aaaa'
        mov     dword [PDPT + 3 * 8], PD_B + 1
        EXPECT  0xc0500000, 'aaaa'      ; the old one, until they are loaded
        CR3     PDPT
        EXPECT  0xc0500000, 'bbbb'
        SAY     three

        mov     dword [PDPT + 3 * 8], PD_A + 1
        CR0     PG | PE_NE | CD         ; an exit
        EXPECT  0xc0500000, 'aaaa'
        mov     dword [PDPT + 3 * 8], PD_B + 1
        CR0     PG | PE_NE
        EXPECT  0xc0500000, 'bbbb'
        CR0     PE_NE | CD              ; off and on again, with exits
        EXPECT  MARK_B, 'bbbb'
        CR0     PG | PE_NE
        EXPECT  0xc0500000, 'bbbb'
        SAY     exits

        CR3     0x50000000              ; no memory: entries of ones. #GP: on with `refused`
        jmp     wrong

in_a_hole:
        EXPECT  0xc0500000, 'bbbb'
        SAY     hole
        mov     dword [next], reserved_bit
        mov     dword [PDPT + 2 * 8], PD_A + 3 ; bit 1 is reserved
        CR0     PG | PE_NE | CD         ; #GP: on with `refused`
        jmp     wrong

reserved_bit:
        EXPECT  0xc0500000, 'bbbb'
        SAY     reserved
        mov     dword [next], no_address
        mov     dword [PDPT + 2 * 8], PD_A + 1
        mov     dword [PDPT + 2 * 8 + 4], 1 << 19 ; bit 51: no physical address is that wide
        CR0     PG | PE_NE | CD         ; #GP
        jmp     wrong

no_address:
        EXPECT  0xc0500000, 'bbbb'
        SAY     wide
        mov     dword [next], old_task
        CR0     PE_NE
        mov     ax, gdt.tss - gdt
        ltr     ax
        mov     ecx, 0xc0000080         ; EFER.LME
        mov     eax, 1 << 8
        xor     edx, edx
        wrmsr
        CR0     PG | PE_NE | CD         ; #GP: the task register holds a TSS of 16 bits
        jmp     wrong

old_task:
        mov     ecx, 0xc0000080
        rdmsr
        test    eax, 1 << 10            ; LMA
        jnz     wrong
        SAY     tss16
        xor     eax, eax
        out     0xf4, al
        hlt

wrong:  SAY     no
        mov     al, 1
        out     0xf4, al
        hlt

refused:
        mov     eax, cr0
        test    eax, CD
        jnz     wrong
        mov     esp, 0x180000
        jmp     [next]

say:    mov     edx, 0x3f8
.next:  lodsb
        test    al, al
        jz      .end
        out     dx, al
        jmp     .next
.end:   ret

two:    db      "two levels", 10, 0
three:  db      "three levels", 10, 0
exits:  db      "three levels, by exits", 10, 0
reserved: db    "a reserved bit: #GP", 10, 0
wide:   db      "bit 51: #GP", 10, 0
tss16:  db      "a TSS of 16 bits: #GP", 10, 0
hole:   db      "entries of ones: #GP", 10, 0
next:   dd      in_a_hole
no:     db      "WRONG", 10, 0

align 8
gdt:    dq      0
        dq      0x00cf9b000000ffff
        dq      0x00cf93000000ffff
.tss:   dw      0x2b, 0x8000, 0x8118, 0 ; of 16 bits, available, at 0x188000
.pointer:
        dw      $ - gdt - 1
        dd      gdt

align 8
idt:    times 13 dq 0
        dw      (refused - header) & 0xffff, 8, 0x8e00, 0x10 ; at 1 MiB and something
.pointer:
        dw      $ - idt - 1
        dd      idt
