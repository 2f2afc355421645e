; SPDX-License-Identifier: MIT
; The instructions that tests/guests/mends.c looks at, one by one: guests, each ended by VMCALL, and
; the world switch.
; From: tests/guests/mends.c, mends_tlb.c, mends_vmx.c, mends_ipi.c (which say what has to be seen)

global vm_launch, root_clears_paging
global guest_nothing, guest_ipi_masked, guest_notify, guest_sti_hlt, guest_cli_hlt, guest_hlt_cli
global guest_undefined, guest_clears_paging, guest_probe, guest_probe32, guest_enables_paging
global guest_int1_in_shadow, guest_reads_hole, guest_int_without_stack
global guest_ipi, guest_ipi_done, guest_ipi_msr, guest_ipi_msr_done
extern fault, recover_rip, recover_rsp, probed, ipi_command, ipi_target, ipi_msr

APIC    equ 0xfee00000
ICR     equ APIC + 0x300
ICRHIGH equ APIC + 0x310
COUNT   equ APIC + 0x380
TO_SELF equ 0x44000                     ; shorthand "self", level assert, fixed

HOST_RSP equ 0x6c14
HOST_RIP equ 0x6c16

bits 64
section .text

; int vm_launch(void): 0 after a VM exit, 1 if VMLAUNCH failed.
vm_launch:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    mov eax, HOST_RSP
    vmwrite rax, rsp
    mov eax, HOST_RIP
    mov rdx, .exit
    vmwrite rax, rdx
    vmlaunch
    mov eax, 1
    jmp .out
.exit:
    xor eax, eax
.out:
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret

guest_nothing:
    vmcall

guest_ipi_masked:                       ; entered with IF = 0, a virtual interrupt pending
    mov edx, ICR
    mov dword [rdx], TO_SELF | 0x40
    times 16 nop
    vmcall

guest_notify:                           ; entered with IF = 1, nothing posted
    mov edx, ICR
    mov dword [rdx], TO_SELF | 0xf2
    times 16 nop
    vmcall

guest_sti_hlt:                          ; entered with IF = 0, a virtual interrupt pending
    sti
    hlt
    vmcall

guest_cli_hlt:                          ; the local APIC's timer will exit, IF or no IF
    mov edx, COUNT
    mov dword [rdx], 5000
    hlt
    vmcall

; The timer brings the notification; CLI is too late to stop what was posted.
guest_hlt_cli:
    mov edx, COUNT
    mov dword [rdx], 5000
    sti
    hlt
    cli
    vmcall

; Entered with an interrupt pending that may come after this one.
guest_undefined:
    ud2

; RFLAGS.TF is set before MOV SS, whose trap is held back.
guest_int1_in_shadow:
    mov eax, ss
    pushf
    or dword [rsp], 1 << 8
    popf
    mov ss, eax
    db 0xf1                             ; INT1
    vmcall

; An IPI, as a guest sends it in xAPIC mode: the target's id is the upper byte of another register.
guest_ipi:
    mov eax, [ipi_target]
    shl eax, 24
    mov edx, ICRHIGH
    mov [rdx], eax
    mov eax, [ipi_command]
    mov edx, ICR
    mov [rdx], eax
guest_ipi_done:
    times 16 nop
    vmcall

guest_ipi_msr:                          ; and in x2APIC mode
    mov ecx, [ipi_msr]
    mov eax, [ipi_command]
    mov edx, [ipi_target]
    wrmsr
guest_ipi_msr_done:
    times 16 nop
    vmcall

guest_reads_hole:
    mov edx, 2 << 30
    mov rax, [rdx]
    vmcall

guest_int_without_stack:
    mov esp, (2 << 30) + 4096
    int 0x70
    vmcall

guest_probe:
    mov rdx, 5 << 30
    mov rax, [rdx]
    mov [probed], rax
    vmcall

bits 32
; The same with paging of 32 bits, and by a kernel that has just been started: MOV to CR3, and then
; paging on. ESP names its tables.
guest_enables_paging:
    mov eax, esp
    mov cr3, eax
    mov eax, cr0
    bts eax, 31
    mov cr0, eax
guest_probe32:
    mov edx, 1 << 30
    mov eax, [edx]
    mov [probed], eax
    mov dword [probed + 4], 0
    vmcall

guest_clears_paging:
    mov eax, cr0
    btr eax, 31
    mov cr0, eax
    vmcall

bits 64
; int root_clears_paging(void): the exception that MOV to CR0 causes there, -1 for none.
root_clears_paging:
    push rbx
    mov dword [fault], -1
    mov qword [recover_rip], .back
    mov [recover_rsp], rsp
    sub rsp, 16
    mov qword [rsp], .narrow
    mov qword [rsp + 8], 0x18
    db 0x48
    retf
bits 32
.narrow:
    mov eax, cr0
    mov ebx, eax
    btr eax, 31
    mov cr0, eax
    mov cr0, ebx                        ; not stopped: back to paging, and home
    jmp 0x08:.wide
bits 64
.wide:
    mov rsp, [recover_rsp]
.back:
    mov eax, [fault]
    pop rbx
    ret
