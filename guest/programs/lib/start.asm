; SPDX-License-Identifier: MIT
; Where every guest program starts: 64-bit mode, the low 4 GiB mapped where they are, RDI =
; multiboot2 information (guest/load/load.h). And the entry points of its interrupts.
; To: guest/programs/lib/lib.c, guest/programs/lib/interrupt.c.
bits 64
section .text

extern guest_start, guest_interrupt
global _start
_start:
        cld
        and     rsp, -16
        xor     ebp, ebp
        lgdt    [gdtr]          ; the segments are as we want them, but an interrupt loads CS
        call    guest_start     ; runs main(), does not return

align 8
gdt:    dq      0
        dq      0x00209b0000000000      ; 0x08: 64-bit code, as the loader has it
        dq      0x00cf93000000ffff      ; 0x10: data
gdtr:   dw      gdtr - gdt - 1
        dq      gdt

; One stub per vector, 16 bytes apart: an error code or a zero, then the vector.
global interrupt_stubs
align 16
interrupt_stubs:
%assign v 0
%rep 256
        align   16
%if v == 8 || (v >= 10 && v <= 14) || v == 17 || v == 21
        nop
        nop
%else
        push    byte 0
%endif
        push    strict dword v
        jmp     strict near interrupt_common
%assign v v+1
%endrep

interrupt_common:
        push    rax
        push    rcx
        push    rdx
        push    rbx
        push    rbp
        push    rsi
        push    rdi
        push    r8
        push    r9
        push    r10
        push    r11
        push    r12
        push    r13
        push    r14
        push    r15
        mov     rdi, rsp
        mov     rbp, rsp
        and     rsp, -16
        cld
        call    guest_interrupt
        mov     rsp, rbp
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     r11
        pop     r10
        pop     r9
        pop     r8
        pop     rdi
        pop     rsi
        pop     rbp
        pop     rbx
        pop     rdx
        pop     rcx
        pop     rax
        add     rsp, 16
        iretq
