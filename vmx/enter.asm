; SPDX-License-Identifier: MIT
;
; VM entry that looks like a function call: the guest runs inside of vmx_enter(), which returns at
; the VM exit. The run loop around it is plain C. The guest's registers replace Hamlet's: all but
; RSP and RBP are lost in the call, and vmx/enter.h names them to the compiler.
; From: vmx/enter.h (vmx_enter), vmx/vcpu/guards.c (which exit).   To: back to vmx/run/run.c (the
; exit table), vmx/vmcs.c (vmcs_failed).
; Spec: SDM "VM Entries", "Loading Host State"; Intel "Microarchitectural Data Sampling", "L1
; Terminal Fault", "Indirect Branch Restricted Speculation", "Post-barrier Return Stack Buffer
; Predictions".
;
; There are two ways in and two ways out. A CPU without known leaks takes the short ones, but for
; the first entry of a vCPU that has come to it. The long ones do what arch/leaks.c has found to be
; needed.
;
; Layout of struct vcpu, pinned by LAYOUT in vmx/vcpu/vcpu.c.

VCPU_LAUNCHED   equ 96
VCPU_GUARDS     equ 97          ; behind it: one comparison of a word looks at both
LAUNCHED_ONCE   equ 1 << 0      ; vmx/vcpu/vcpu.h
VCPU_SPEC_CTRL  equ 100
VCPU_HOST_RSP   equ 104
VCPU_GPR        equ 112         ; sixteen registers in the order of instruction encodings

; LEAKS_... of arch/leaks.h
GUARD_FLUSH     equ 1 << 1
GUARD_SPEC_CTRL equ 1 << 2
GUARD_RSB       equ 1 << 3
WORD_VERW_BIT   equ 8 + 0       ; of VCPU_GUARDS, in the word at VCPU_LAUNCHED

CPU_VCPU        equ 128         ; of struct vmx_cpu in struct cpu

HOST_RSP        equ 0x6c14      ; vmx/vmcs_fields.h
IA32_SPEC_CTRL  equ 0x48        ; arch/msr.h
IA32_FLUSH_CMD  equ 0x10b
GDT_DATA        equ 0x10        ; arch/cpu.h

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
        global vmx_exit_point_guarded
        global vmread_failed
        global vmwrite_failed
        extern vmcs_failed
        extern leaks_spec_ctrl
        extern leaks_returns

; In: RDI = struct vcpu *v. The flags stay as they are.
%macro LOAD_GUEST 0
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
%endmacro

; GS is this CPU's struct cpu, in which v is loaded. Out: RDI = v.
%macro SAVE_GUEST 0
        push rdi
        mov rdi, [gs:CPU_VCPU]
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
%endmacro

; In: RDI = struct vcpu *v.
vmx_enter_guest:
        push rbp
        cmp word [rdi + VCPU_LAUNCHED], LAUNCHED_ONCE   ; from here, and no guard
        jne enter_guarded
        LOAD_GUEST
        vmresume

; Only a VMfail comes by here: the controls or the host state are wrong, and Hamlet wrote both.
; vmcs_failed() panics.
failed:
        mov rsi, [gs:CPU_VCPU]
        pop rbp
        lea rdi, [rel instruction]
        call vmcs_failed

enter_guarded:
        ; The CPU finds our stack by HOST_RSP. Another one is announced by LAUNCHED_ELSEWHERE.
        cmp rsp, [rdi + VCPU_HOST_RSP]
        je .stack_known
        mov [rdi + VCPU_HOST_RSP], rsp
        mov eax, HOST_RSP
        vmwrite rax, rsp
        jbe failed
.stack_known:
        test byte [rdi + VCPU_GUARDS], GUARD_SPEC_CTRL
        jz .spec_ctrl_done
        mov ecx, IA32_SPEC_CTRL
        mov eax, [rdi + VCPU_SPEC_CTRL]
        xor edx, edx
        wrmsr
.spec_ctrl_done:
        test byte [rdi + VCPU_GUARDS], GUARD_FLUSH
        jz .flush_done
        mov ecx, IA32_FLUSH_CMD
        mov eax, 1
        xor edx, edx
        wrmsr
.flush_done:
        ; ZF: not launched yet; CF: VERW is needed, as the last instruction before the entry, since
        ; each load leaves its data in a buffer. BT leaves ZF alone, and VERW does not.
        test byte [rdi + VCPU_LAUNCHED], LAUNCHED_ONCE
        mov byte [rdi + VCPU_LAUNCHED], LAUNCHED_ONCE
        bt word [rdi + VCPU_LAUNCHED], WORD_VERW_BIT
        LOAD_GUEST
        jc .verw
        jz .launch
        vmresume
        jmp failed
.launch:
        vmlaunch
        jmp failed
.verw:
        jz .verw_launch
        verw [rel data_selector]
        vmresume
        jmp failed
.verw_launch:
        verw [rel data_selector]
        vmlaunch
        jmp failed

; The CPU has loaded RSP, segments and control registers of the host-state area; the other registers
; are the guest's.
vmx_exit_point:
        SAVE_GUEST
        pop rbp
        ret

; The guest has trained the predictors of branches and returns. No branch follows a prediction of
; the guest's: the register holds Hamlet's value, each return that is still predicted leads to
; .trap, and nothing goes on at LFENCE until the branches before it are known.
vmx_exit_point_guarded:
        SAVE_GUEST
        test byte [rdi + VCPU_GUARDS], GUARD_SPEC_CTRL
        jz .spec_ctrl_done
        mov ecx, IA32_SPEC_CTRL
        mov eax, [rel leaks_spec_ctrl]
        xor edx, edx
        wrmsr
.spec_ctrl_done:
        test byte [rdi + VCPU_GUARDS], GUARD_RSB
        jz .returns_done
        mov edx, [rel leaks_returns]
        mov ecx, edx
.next:  call .called
.trap:  pause
        lfence
        jmp .trap
.called:
        dec ecx
        jnz .next
        lea rsp, [rsp + 8 * rdx]
.returns_done:
        lfence
        xor eax, eax                    ; no address that a guest has chosen is left in a register
        xor ecx, ecx
        xor edx, edx
        xor ebx, ebx
        xor esi, esi
        xor r8d, r8d
        xor r9d, r9d
        xor r10d, r10d
        xor r11d, r11d
        xor r12d, r12d
        xor r13d, r13d
        xor r14d, r14d
        xor r15d, r15d
        pop rbp
        ret

; A VMREAD or VMWRITE has failed: vmx/vmcs.h.   In: RAX = the field.
vmread_failed:
        lea rdi, [rel read]
        jmp vmwrite_failed.say
vmwrite_failed:
        lea rdi, [rel write]
.say:
        mov rsi, rax
        call vmcs_failed

        section .rodata
data_selector:
        dw GDT_DATA
instruction:
        db "VM entry of vcpu", 0
read:
        db "VMREAD", 0
write:
        db "VMWRITE", 0
