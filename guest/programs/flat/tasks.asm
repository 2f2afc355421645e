; SPDX-License-Identifier: MIT
; A 32-bit kernel that switches tasks by hardware: by JMP, CALL and IRET, by task gates for an
; exception, an interrupt of software, an NMI and a double fault, into a task of privilege level 3
; and out of it, and into a task whose stack segment is wrong. At last into a TSS of 16 bits, which
; Hamlet refuses.
; To: vmx/exit/task.c.
; Spec: SDM "Task Switching", "Task-State Segment (TSS)"; Multiboot "OS image format".
bits 32
org 0x100000

MAGIC   equ     0x1badb002
FLAGS   equ     1 << 16                 ; addresses are valid

CODE    equ     0x08
DATA    equ     0x10
TASK_A  equ     0x18                    ; this one
TASK_B  equ     0x20
TASK_UD equ     0x28                    ; #UD and INT 30h
TASK_DF equ     0x30
TASK_X  equ     0x38                    ; its SS is wrong
TASK_TS equ     0x40
TASK_NMI equ    0x48
TASK_U  equ     0x50                    ; of level 3
TASK_GP equ     0x58
TASK_16 equ     0x60
U_CODE  equ     0x68 | 3
U_DATA  equ     0x70 | 3
GATE_A  equ     0x78 | 3                ; level 3 may use it
TSS     equ     0x190000                ; 128 bytes each, in that order
NT      equ     1 << 14
PD      equ     0x200000                ; each maps the first 4 MiB
PD_B    equ     0x201000                ; and at 4 MiB once more: of TASK_B; VM: mem=8M
LARGE   equ     0x87                    ; present, writable, of the user, large
APIC    equ     0xfee00000

header: dd      MAGIC, FLAGS, -(MAGIC + FLAGS)
        dd      header, header, 0, 0, start

%macro  SAY 1
        mov     esi, %1
        call    say
%endmacro
%macro  EXPECT 2                        ; what is in a word of memory
        cmp     dword [%1], %2
        jne     wrong
%endmacro
%define TSS_OF(selector) (TSS + ((selector) - TASK_A) / 8 * 128)
; Where a task starts, its stack, its SS.
%macro  MAKE 4
        mov     edi, TSS_OF(%1)
        mov     dword [edi + 28], PD
        mov     dword [edi + 32], %2
        mov     dword [edi + 36], 2     ; EFLAGS
        mov     dword [edi + 56], %3
        mov     dword [edi + 72], DATA
        mov     dword [edi + 76], CODE
        mov     dword [edi + 80], %4
        mov     dword [edi + 84], DATA
        mov     dword [edi + 92], DATA  ; FS stays null
%endmacro
%macro  GATE 2                          ; a task gate
        mov     dword [idt + 8 * %1], %2 << 16
        mov     dword [idt + 8 * %1 + 4], 0x8500
%endmacro

start:  cld
        mov     esp, 0x180000
        lgdt    [gdt.pointer]
        lidt    [idt.pointer]
        mov     ecx, 10
        mov     eax, TSS
        mov     ebx, gdt + TASK_A       ; bases of the TSSs
.base:  mov     [ebx + 2], ax
        mov     edx, eax
        shr     edx, 16
        mov     [ebx + 4], dl
        add     eax, 128
        add     ebx, 8
        loop    .base
        MAKE    TASK_A, 0, 0, 0         ; only its CR3 counts
        MAKE    TASK_B, task_b, 0x181000, DATA
        mov     dword [edi + 28], PD_B
        MAKE    TASK_UD, task_ud, 0x182000, DATA
        MAKE    TASK_DF, task_df, 0x183000, DATA
        MAKE    TASK_X, wrong, 0x184000, CODE
        MAKE    TASK_TS, task_ts, 0x185000, DATA
        MAKE    TASK_NMI, task_nmi, 0x186000, DATA
        MAKE    TASK_GP, task_gp, 0x187000, DATA
        MAKE    TASK_U, task_u, 0x188000, U_DATA
        mov     dword [edi + 36], 0x3002 ; may print
        mov     dword [edi + 72], U_DATA
        mov     dword [edi + 76], U_CODE
        mov     dword [edi + 84], U_DATA
        mov     dword [edi + 92], U_DATA
        GATE    2, TASK_NMI
        GATE    6, TASK_UD
        GATE    13, TASK_GP
        GATE    0x30, TASK_UD
        GATE    0x31, TASK_UD
        mov     byte [idt + 8 * 0x31 + 5], 0xe5 ; level 3 may use it
        GATE    8, TASK_DF
        GATE    10, TASK_TS
        mov     ax, TASK_A
        ltr     ax
        mov     dword [PD], LARGE
        mov     dword [PD + (APIC >> 22) * 4], (APIC & 0xffc00000) | LARGE
        mov     dword [PD_B], LARGE
        mov     dword [PD_B + 4], LARGE
        mov     eax, cr4
        or      eax, 1 << 4             ; PSE
        mov     cr4, eax
        mov     eax, PD
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 1 << 31            ; PG
        mov     cr0, eax

        mov     ebx, 0x12345678
        mov     ebp, 0x9abcdef0
        jmp     TASK_B:0                ; on with task_b, and back
        cmp     ebx, 0x12345678
        jne     wrong
        cmp     ebp, 0x9abcdef0
        jne     wrong
        mov     eax, cr0
        test    eax, 8                  ; TS
        jz      wrong
        cmp     byte [gdt + TASK_B + 5], 0x89 ; available again
        jne     wrong
        SAY     by_jmp

        clts
        call    TASK_B:0                ; on behind its JMP
        pushfd
        test    dword [esp], NT
        jnz     wrong
        popfd
        cmp     byte [gdt + TASK_B + 5], 0x89
        jne     wrong
        SAY     by_call

        int     0x30                    ; returns behind it
        cmp     dword [count], 1
        jne     wrong
.fault: ud2                             ; the handler lets it go on elsewhere
        jmp     wrong
.behind:
        cmp     dword [count], 2
        jne     wrong
        SAY     by_gate

        jmp     TASK_X:0                ; #TS in that task
back:   cmp     dword [count], 3
        jne     wrong
        SAY     no_stack

        jmp     TASK_U:0
        cmp     dword [count], 5
        jne     wrong
        SAY     user

        mov     dword [APIC + 0x310], 0
        mov     dword [APIC + 0x300], 0x4400 ; an NMI to itself
        mov     ecx, 1000000
.nmi:   cmp     dword [count], 7
        loopne  .nmi
        jne     wrong
        SAY     by_nmi

        mov     byte [idt + 8 * 13 + 5], 0 ; no gate for #GP, so it is a #DF
        mov     ax, 0xfff8
        mov     ds, ax
wrong:  mov     ax, DATA
        mov     ds, ax
        SAY     no
        mov     al, 1
        out     0xf4, al
        hlt

task_b: cmp     byte [gdt + TASK_A + 5], 0x89
        jne     wrong
        cmp     byte [gdt + TASK_B + 5], 0x8b ; busy
        jne     wrong
        str     ax
        cmp     ax, TASK_B
        jne     wrong
        EXPECT  header + 0x400000, MAGIC
        cmp     esp, 0x181000
        jne     wrong
        mov     ax, fs
        test    ax, ax
        jnz     wrong
        jmp     TASK_A:0
        EXPECT  TSS_OF(TASK_B), TASK_A  ; by CALL now: the link
        cmp     byte [gdt + TASK_A + 5], 0x8b
        jne     wrong
        pushfd
        test    dword [esp], NT
        jz      wrong
        popfd
        iretd
        jmp     wrong

task_ud:
        cmp     esp, 0x182000           ; no error code
        jne     wrong
        inc     dword [count]
        cmp     dword [count], 2
        jne     .iret
        cmp     dword [TSS_OF(TASK_A) + 32], start.fault
        jne     wrong
        mov     dword [TSS_OF(TASK_A) + 32], start.behind
.iret:  iretd
        jmp     task_ud

task_ts:
        cmp     dword [esp], CODE       ; the error code: the selector
        jne     wrong
        EXPECT  TSS_OF(TASK_TS), TASK_X
        inc     dword [count]
        mov     dword [TSS_OF(TASK_A) + 32], back
        jmp     TASK_A:0

; Level 3: a gate that it may use, a TSS that it may not, and a gate back.
task_u: mov     ax, cs
        cmp     ax, U_CODE
        jne     wrong
        mov     ax, ss
        cmp     ax, U_DATA
        jne     wrong
        int     0x31
        cmp     dword [count], 4
        jne     wrong
.fault: jmp     TASK_A:0
        jmp     wrong
.behind:
        mov     ax, cs
        cmp     ax, U_CODE
        jne     wrong
        jmp     GATE_A:0
        jmp     wrong

task_gp:
        cmp     dword [esp], TASK_A     ; the error code
        jne     wrong
        EXPECT  TSS_OF(TASK_GP), TASK_U
        EXPECT  TSS_OF(TASK_U) + 32, task_u.fault
        inc     dword [count]
        mov     dword [TSS_OF(TASK_U) + 32], task_u.behind
        add     esp, 4
        iretd
        jmp     wrong

; The second NMI, which comes while the first is handled, waits until its IRET.
task_nmi:
        cmp     esp, 0x186000
        jne     wrong
        inc     dword [count]
        cmp     dword [count], 6
        jne     .iret
        mov     dword [APIC + 0x300], 0x4400
        mov     ecx, 1000
.wait:  loop    .wait
        cmp     dword [count], 6
        jne     wrong
.iret:  iretd
        jmp     task_nmi

task_df:
        cmp     esp, 0x182ffc
        jne     wrong
        cmp     dword [esp], 0
        jne     wrong
        EXPECT  TSS_OF(TASK_DF), TASK_A
        SAY     double
        jmp     TASK_16:0
        jmp     wrong

say:    mov     edx, 0x3f8
.next:  lodsb
        test    al, al
        jz      .end
        out     dx, al
        jmp     .next
.end:   ret

count:  dd      0
by_jmp: db      "by JMP, there and back", 10, 0
by_call: db     "by CALL and IRET", 10, 0
by_gate: db     "by a gate: INT and #UD", 10, 0
no_stack: db    "a wrong stack segment: #TS in the new task", 10, 0
user:   db      "level 3: by a gate, not by a TSS, and back", 10, 0
by_nmi: db      "two NMIs by a gate, one after the other", 10, 0
double: db      "a double fault has its own stack", 10, 0
no:     db      "WRONG", 10, 0

align 8
gdt:    dq      0
        dq      0x00cf9b000000ffff
        dq      0x00cf93000000ffff
        times 9 dq 0x0000890000000067   ; available TSSs of 32 bits
        dq      0x000081000000002b      ; of 16 bits
        dq      0x00cffb000000ffff, 0x00cff3000000ffff
        dq      0xe500 << 32 | TASK_A << 16
.pointer:
        dw      $ - gdt - 1
        dd      gdt

align 8
idt:    times 0x32 dq 0
.pointer:
        dw      $ - idt - 1
        dd      idt
