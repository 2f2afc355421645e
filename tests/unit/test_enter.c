/* SPDX-License-Identifier: MIT */
/*
 * The two ways out of a guest, as this program can walk them, too: what is saved, what is left in
 * the registers, and that the stack is as it was. There is no WRMSR here, so the guard that needs
 * one is off.
 * Spec: Intel "Post-barrier Return Stack Buffer Predictions".
 */
// sources: vmx/enter.asm
#include "arch/leaks.h"
#include "arch/page.h"
#include "tests/unit/test.h"
#include "vmx/cpu.h"
#include "vmx/enter.h"
#include "vmx/vcpu/vcpu.h"
#include <asm/prctl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

uint32_t leaks_spec_ctrl, leaks_returns;
void vmcs_failed(void);
void vmcs_failed(void) { fail(); }

/* Leaves as after a VM exit: the stack as vmx_enter_guest() has left it, and each register but RSP
 * has a value of the guest: 0x1111 times its number plus one. after[]: the registers behind it, in
 * the order of their numbers; by how much the stack is off stands in place of RSP. */
void leave(void (*way)(void), uint64_t after[16]);
asm(".globl leave\n"
    "leave: push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "mov %rsi, leave_after(%rip); mov %rdi, leave_way(%rip); mov %rsp, leave_rsp(%rip)\n"
    "lea 1f(%rip), %rax; push %rax; push %rbp\n"
    "mov $0x1111, %eax; mov $0x2222, %ecx; mov $0x3333, %edx; mov $0x4444, %ebx\n"
    "mov $0x6666, %ebp; mov $0x7777, %esi; mov $0x8888, %edi; mov $0x9999, %r8d\n"
    "mov $0xaaaa, %r9d; mov $0xbbbb, %r10d; mov $0xcccc, %r11d; mov $0xdddd, %r12d\n"
    "mov $0xeeee, %r13d; mov $0xffff, %r14d; mov $0x11110, %r15d\n"
    "jmp *leave_way(%rip)\n"
    "1: push %rdi; mov leave_after(%rip), %rdi\n"
    "mov %rax, (%rdi); mov %rcx, 8(%rdi); mov %rdx, 16(%rdi); mov %rbx, 24(%rdi)\n"
    "mov %rbp, 40(%rdi); mov %rsi, 48(%rdi); mov %r8, 64(%rdi); mov %r9, 72(%rdi)\n"
    "mov %r10, 80(%rdi); mov %r11, 88(%rdi); mov %r12, 96(%rdi); mov %r13, 104(%rdi)\n"
    "mov %r14, 112(%rdi); mov %r15, 120(%rdi); pop %rax; mov %rax, 56(%rdi)\n"
    "mov %rsp, %rax; sub leave_rsp(%rip), %rax; mov %rax, 32(%rdi)\n"
    "mov leave_rsp(%rip), %rsp\n"
    "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n"
    ".local leave_after, leave_way, leave_rsp\n"
    ".comm leave_after, 8, 8; .comm leave_way, 8, 8; .comm leave_rsp, 8, 8\n");

static struct vcpu v;
static struct cpu cpu;
static uint64_t after[16];

static void leave_by(void (*way)(void), uint8_t guards)
{
    memset(&v, 0, sizeof(v));
    memset(after, 0xee, sizeof(after));
    v.guards = guards;
    vmx_cpu(&cpu)->vcpu = &v;
    assert_int_equal(syscall(SYS_arch_prctl, ARCH_SET_GS, &cpu), 0); /* glibc does not use it */
    leave(way, after);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(v.regs.gpr[i], i == RSP ? 0 : 0x1111 * (i + 1));
    assert_int_equal(after[RSP], 0);
    assert_int_equal(after[RDI], (uintptr_t)&v);
}

TEST(the_short_way)
{
    leave_by(vmx_exit_point, 0);
    assert_int_equal(after[R15], 0x11110); /* it costs nothing that is not needed */
}

static void assert_nothing_is_left(void)
{
    for (unsigned i = 0; i < 16; i++)
        if (i != RDI && i != RBP)
            assert_int_equal(after[i], 0);
}

TEST(no_register_of_the_guest_is_left)
{
    leave_by(vmx_exit_point_guarded, 0);
    assert_nothing_is_left();
    static const uint32_t counts[] = {1, 2, 32};
    for (unsigned i = 0; i < ARRAY_COUNT(counts); i++) {
        leaks_returns = counts[i];
        leave_by(vmx_exit_point_guarded, LEAKS_RSB);
        assert_nothing_is_left();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_short_way),
                                       cmocka_unit_test(no_register_of_the_guest_is_left)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
