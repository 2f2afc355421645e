; SPDX-License-Identifier: MIT
;
; 256 stubs of 8 bytes, one for each vector: keep the vector, then go into C, one way for exceptions
; and one for interrupts.
; From: the CPU, by the IDT: arch/idt.c.      To: arch/trap.c (trap_dispatch), arch/irq.c
; (irq_dispatch).
; Spec: SDM "Exception and Interrupt Reference", "64-Bit Mode Stack Frame".

bits 64
section .text

; Vectors for which the CPU pushes an error code itself: #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX.
%define HAS_ERROR_CODE(v) \
    ((v) == 8 || ((v) >= 10 && (v) <= 14) || (v) == 17 || (v) == 21 || (v) == 29 || (v) == 30)

align 8
global trap_stubs
trap_stubs:
%assign vector 0
%rep 256
    align 8
    %if vector >= 32
    mov dil, vector
    jmp near interrupt_common
    %else
    push byte vector
    %if HAS_ERROR_CODE(vector)
    jmp near trap_common
    %else
    jmp near trap_without_error_code
    %endif
    %endif
%assign vector vector + 1
%endrep

; An interrupt comes only in cpu_wait(), a function whose caller expects that it changes RDI and the
; other registers that a call may change. The handler keeps the rest. So nothing is saved.
extern irq_dispatch
interrupt_common:
    movzx edi, dil
    call irq_dispatch           ; RSP is aligned to 8 only: no vector register is used
    iretq

trap_without_error_code:
    push qword [rsp]            ; the vector moves down by one word,
    mov qword [rsp + 8], 0      ; and 0 takes the place of the error code

; Build struct trap_frame (arch/trap.h) on the stack. RBP stays, so a backtrace leads on into the
; interrupted code.
extern trap_dispatch
trap_common:
    push rax
    push rcx
    push rdx
    push rbx
    push rbp
    push rsi
    push rdi
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
    cld
    mov rdi, rsp
    call trap_dispatch          ; RSP is aligned: the CPU aligns it before its own pushes
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop rdi
    pop rsi
    pop rbp
    pop rbx
    pop rdx
    pop rcx
    pop rax
    add rsp, 16                 ; vector and error code
    iretq
