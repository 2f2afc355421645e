; SPDX-License-Identifier: MIT
;
; VM entry that looks like a function call: the guest runs inside of vmx_enter(), which returns at
; the VM exit. The run loop around it is plain C. The guest's registers replace Hamlet's: all but
; RSP and RBP are lost in the call, and vmx/enter.h names them to the compiler.
; From: vmx/enter.h (vmx_enter).   To: back to vmx/run/run.c (the exit table), vmx/vmcs.c
; (vmcs_failed).
; Spec: SDM "VM Entries", "Loading Host State".
;
; Layout of struct vcpu, pinned by LAYOUT in vmx/vcpu/vcpu.c.

VCPU_LAUNCHED   equ 104
VCPU_HOST_RSP   equ 112
VCPU_GPR        equ 120         ; sixteen registers in the order of instruction encodings

HOST_RSP        equ 0x6c14      ; vmx/vmcs_fields.h

RAX_            equ 0
RCX_            equ 1
RDX_            equ 2
RBX_            equ 3
RBP_            equ 5
RSI_            equ 6
RDI_            equ 7
%define GPR(n)  VCPU_GPR + 8 * (n)

        bits 64
        section .text
        global vmx_enter_guest
        global vmx_exit_point
        extern vmcs_failed

; In: RDI = struct vcpu *v.
vmx_enter_guest:
        push rbp
        push rdi                        ; the VM exit finds v here

        ; The CPU finds our stack by HOST_RSP. It is the same at nearly every entry.
        cmp rsp, [rdi + VCPU_HOST_RSP]
        je .stack_known
        mov [rdi + VCPU_HOST_RSP], rsp
        mov eax, HOST_RSP
        vmwrite rax, rsp
        jbe .failed
.stack_known:
        cmp byte [rdi + VCPU_LAUNCHED], 0       ; MOV leaves the flag alone up to the JE

        mov rax, [rdi + GPR(RAX_)]
        mov rcx, [rdi + GPR(RCX_)]
        mov rdx, [rdi + GPR(RDX_)]
        mov rbx, [rdi + GPR(RBX_)]
        mov rbp, [rdi + GPR(RBP_)]
        mov rsi, [rdi + GPR(RSI_)]
        mov r8,  [rdi + GPR(8)]
        mov r9,  [rdi + GPR(9)]
        mov r10, [rdi + GPR(10)]
        mov r11, [rdi + GPR(11)]
        mov r12, [rdi + GPR(12)]
        mov r13, [rdi + GPR(13)]
        mov r14, [rdi + GPR(14)]
        mov r15, [rdi + GPR(15)]
        mov rdi, [rdi + GPR(RDI_)]
        je .launch
        vmresume
        jmp .failed
.launch:
        vmlaunch

        ; Only a VMfail comes by here: the controls or the host state are wrong, and Hamlet wrote
        ; both. vmcs_failed() panics.
.failed:
        pop rsi
        pop rbp
        lea rdi, [rel instruction]
        call vmcs_failed

; The CPU has loaded RSP, segments and control registers of the host-state area; the other registers
; are the guest's.
vmx_exit_point:
        push rdi
        mov rdi, [rsp + 8]
        mov [rdi + GPR(RAX_)], rax
        mov [rdi + GPR(RCX_)], rcx
        mov [rdi + GPR(RDX_)], rdx
        mov [rdi + GPR(RBX_)], rbx
        mov [rdi + GPR(RBP_)], rbp
        mov [rdi + GPR(RSI_)], rsi
        mov [rdi + GPR(8)],  r8
        mov [rdi + GPR(9)],  r9
        mov [rdi + GPR(10)], r10
        mov [rdi + GPR(11)], r11
        mov [rdi + GPR(12)], r12
        mov [rdi + GPR(13)], r13
        mov [rdi + GPR(14)], r14
        mov [rdi + GPR(15)], r15
        pop qword [rdi + GPR(RDI_)]
        pop rdi
        pop rbp
        ret

        section .rodata
instruction:
        db "VM entry of vcpu", 0
