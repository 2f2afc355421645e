; SPDX-License-Identifier: MIT
;
; 256 interrupt stubs, each 16 bytes: vector and error code to the stack, then one common way into C.
; From: the CPU, by the IDT (arch/trap.c).      To: trap_dispatch() in arch/trap.c.
; Spec: SDM "Exception and Interrupt Reference", "64-Bit Mode Stack Frame".

bits 64
section .text

; Vectors for which the CPU pushes an error code itself: #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX.
%define HAS_ERROR_CODE(v) ((v) == 8 || ((v) >= 10 && (v) <= 14) || (v) == 17 || (v) == 21 || (v) == 29 || (v) == 30)

align 16
global trap_stubs
trap_stubs:
%assign vector 0
%rep 256
    align 16
    %if !HAS_ERROR_CODE(vector)
    push qword 0
    %endif
    push qword vector
    jmp near trap_common
%assign vector vector + 1
%endrep

; Builds struct trap_frame (arch/trap.h) on the stack; the frame pointer chain goes on through it.
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
    mov rbx, rsp                ; kept by the callee
    and rsp, -16                ; as the calling convention wants it
    call trap_dispatch
    mov rsp, rbx
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
