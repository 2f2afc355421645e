/* SPDX-License-Identifier: MIT */
/*
 * A program in user mode that single-steps, and puts INT1 behind MOV SS, which holds its own trap
 * back: the #DB exits under blocking by MOV SS. And a kernel that single-steps over STI. Either is
 * the guest's right, and its VM goes on.
 * From: tests/cases/test_vmx.py.   To: vmx/vcpu/debug.c debug_exception().
 * Spec: SDM "Checks on Guest Non-Register State", "Debug Exceptions".
 */
#include "guest/programs/lib/guest.h"

#define CODE64      UINT64_C(0x00209b0000000000)
#define DATA        UINT64_C(0x00cf93000000ffff)
#define USER        UINT64_C(0x0000600000000000) /* DPL 3 */
#define PTE_USER    BIT(2)
#define RFLAGS_STEP BIT(8)

enum { KERNEL_CODE = 0x08, TSS = 0x18 }; /* the user's: 0x28 and 0x30, with RPL 3 */
enum { TSS_RSP0 = 4 };

static uint64_t gdt[7] = {0, CODE64, DATA, 0, 0, CODE64 | USER, DATA | USER};
static uint8_t tss[104], kernel_stack[4096] __attribute__((aligned(16)));
uint8_t user_stack[4096] __attribute__((aligned(16)));
uint64_t back_rip, back_rsp;
static uint64_t traps;
extern char user_program[], user_last[];
void to_user(void);

/* The user's program: SS is loaded under RFLAGS.TF, INT1 follows, and UD2 ends it. */
asm("user_program:\n\t"
    "mov %ss, %eax; pushfq; orl $0x100, (%rsp); popfq\n\t"
    "mov %eax, %ss; .byte 0xf1\n\t"
    "user_last: ud2\n"
    "to_user:\n\t"
    "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n\t"
    "mov %rsp, back_rsp(%rip); lea 1f(%rip), %rax; mov %rax, back_rip(%rip)\n\t"
    "pushq $0x33; pushq $user_stack + 4096; pushq $2; pushq $0x2b; pushq $user_program; iretq\n\t"
    "1: pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret");

static void on_debug(struct interrupt_frame *frame)
{
    traps++;
    if (frame->rip >= (uint64_t)user_last || frame->cs == KERNEL_CODE)
        frame->rflags &= ~RFLAGS_STEP;
}

/* The end of the user's program: back to the kernel. */
static void on_end(struct interrupt_frame *frame)
{
    check((frame->cs & 3) == 3 && frame->rip == (uint64_t)user_last);
    frame->rip = back_rip;
    frame->rsp = back_rsp;
    frame->cs = KERNEL_CODE;
    frame->ss = 0;
}

static void tables(void)
{
    struct table_register gdtr = {sizeof(gdt) - 1, (uint64_t)gdt};
    uint64_t base = (uint64_t)tss, stack = (uint64_t)(kernel_stack + sizeof(kernel_stack));
    memcpy(tss + TSS_RSP0, &stack, sizeof(stack));
    gdt[TSS / 8] = 0x890000000067 | (base & BITS(23, 0)) << 16 | (base & BITS(31, 24)) << 32;
    asm volatile("lgdt %0; ltr %w1" ::"m"(gdtr), "r"(TSS));
    uint64_t *pml4 = (uint64_t *)(read_cr3() & BITS(51, 12));
    uint64_t *pdpt = (uint64_t *)(pml4[0] & BITS(51, 12));
    uint64_t *directory = (uint64_t *)(pdpt[0] & BITS(51, 12));
    pml4[0] |= PTE_USER;
    pdpt[0] |= PTE_USER;
    for (unsigned i = 0; i < 4; i++)
        directory[i] |= PTE_USER;
    write_cr3(read_cr3());
}

int main(void)
{
    tables();
    on_interrupt(VECTOR_DB, on_debug);
    on_interrupt(VECTOR_UD, on_end);
    to_user();
    check(traps >= 1);
    print("user: INT1 behind MOV SS, under single step");
    traps = 0;
    asm volatile("pushfq; orl $0x100, (%%rsp); popfq; sti; nop; cli" ::: "memory", "cc");
    check(traps >= 1);
    print("kernel: a step over STI");
    return 0;
}
