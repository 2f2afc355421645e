/* SPDX-License-Identifier: MIT */
/*
 * Events whose stack or gate is where there is no memory, and page tables there. By its command
 * line:
 *   (none)    the frame of a breakpoint is lost, its handler runs all the same; many times
 *   gate=1    the IDT is there, and a breakpoint becomes a triple fault
 *   gate=2    an interrupt comes, before an instruction that reads a device
 *   device=1  the stack is in a device, which ends the VM with a reason
 *   tables=1  accesses through page tables of ones are page faults
 *   tables=2  CR3 itself is there, which is a triple fault
 * From: tests/cases/test_guests.py.
 * To: guest/pc/mmio.c vcpu_on_gpa(), guest/pc/delivery.c, guest/pc/linear.c.
 * Spec: SDM "Information for VM Exits That Occur During Event Delivery", "Page-Fault Exceptions".
 */
#include "arch/msr.h"
#include "guest/programs/lib/guest.h"

#define NOWHERE UINT64_C(0xbf000000)
#define IOAPIC  UINT64_C(0xfec00000)
#define AGAIN   20

extern char without_a_frame[];
uint64_t good_rsp, handled, frame_had;

/* The handler leaves the lost stack at once. Where its frame should be it reads ones. */
asm("without_a_frame:\n\t"
    "mov (%rsp), %rax; mov %rax, frame_had(%rip); incq handled(%rip)\n\t"
    "mov good_rsp(%rip), %rsp; ret");

struct gate {
    uint16_t offset_low, selector, type, offset_middle;
    uint32_t offset_high, reserved;
};

static void handler(struct interrupt_frame *frame) { (void)frame; }

static void lose_a_frame(void)
{
    struct table_register idtr;
    uint64_t at = (uint64_t)without_a_frame;
    asm volatile("sidt %0" : "=m"(idtr));
    struct gate *gate = (struct gate *)idtr.base + VECTOR_BP;
    gate->offset_low = (uint16_t)at;
    gate->offset_middle = (uint16_t)(at >> 16);
    for (unsigned n = 0; n < AGAIN; n++) {
        asm volatile("lea 1f(%%rip), %%rax; push %%rax; mov %%rsp, good_rsp(%%rip)\n\t"
                     "mov %0, %%rsp; int3; ud2; 1:" ::"r"(NOWHERE + 0x1010)
                     : "rax", "memory");
        check(frame_had == UINT64_MAX && mmio_read64((void *)(NOWHERE + 0xff0)) == UINT64_MAX);
    }
    check(handled == AGAIN);
    print("frames lost, handlers run: %lu", handled);
}

/* --- Page tables ------------------------------------------------------------------------------ */

#define LOST (UINT64_C(255) << 39) /* a linear address whose entry of the PML4 leads nowhere */

static uint64_t go_on_at, error_of, fault_at;

static void page_fault(struct interrupt_frame *frame)
{
    error_of = frame->error;
    asm volatile("mov %%cr2, %0" : "=r"(fault_at));
    frame->rip = go_on_at;
}

/* The error code of the page fault at LOST + n that the instruction causes. */
#define ERROR_OF(n, instruction, ...)                                                              \
    ({                                                                                             \
        uint64_t at_ = LOST + (n);                                                                 \
        fault_at = 0;                                                                              \
        asm volatile("movq $1f, %[go_on]; " instruction "; 1:"                                     \
                     : [go_on] "=m"(go_on_at)                                                      \
                     : [at] "r"(at_), __VA_ARGS__                                                  \
                     : "memory", "rax", "rcx", "rdx", "rsi", "rdi");                               \
        check(fault_at == at_);                                                                    \
        error_of;                                                                                  \
    })

static void lose_tables(void)
{
    uint64_t *pml4, fetch = rdmsr(MSR_IA32_EFER) & EFER_NXE ? 0x19 : 9;
    asm volatile("mov %%cr3, %0" : "=r"(pml4));
    pml4[255] = NOWHERE | 7;
    on_interrupt(VECTOR_PF, page_fault);
    for (unsigned n = 0; n < AGAIN; n++) {
        check(ERROR_OF(n, "mov (%[at]), %%al", "i"(0)) == 9);
        check(ERROR_OF(n, "movl $5, (%[at])", "i"(0)) == 0xb);
        check(ERROR_OF(n, "jmp *%[at]", "i"(0)) == fetch);
    }
    /* by Hamlet's own walk: a port, and a device on the other side */
    check(ERROR_OF(1, "mov %[at], %%rdi; mov $0xe1, %%edx; insb", "i"(0)) == 0xb);
    check(ERROR_OF(2, "mov %[at], %%rsi; mov $0xe1, %%edx; outsb", "i"(0)) == 9);
    check(ERROR_OF(3, "mov %[at], %%rdi; mov %[io], %%rsi; movsl", [io] "r"(IOAPIC)) == 0xb);
    check(ERROR_OF(4, "mov %[at], %%rsi; mov %[io], %%rdi; movsl", [io] "r"(IOAPIC)) == 9);
    print("tables of ones: page faults");
}

int main(void)
{
    struct table_register nowhere = {0xfff, NOWHERE};
    on_interrupt(VECTOR_BP, handler);
    if (option("device", 0))
        asm volatile("mov %0, %%rsp; int3" ::"r"(IOAPIC + 0x20));
    if (option("gate", 0) == 1)
        asm volatile("lidt %0; int3" ::"m"(nowhere));
    if (option("gate", 0) == 2) {
        apic_on(false);
        asm volatile("lidt %0" ::"m"(nowhere));
        send_ipi(0, 0x4000 | 0x40);
        asm volatile("sti; nop; 1: mov (%0), %%eax; jmp 1b" ::"r"(IOAPIC) : "rax", "memory");
    }
    if (option("tables", 0) == 2)
        asm volatile("mov %0, %%cr3; hlt" ::"r"(NOWHERE) : "memory");
    if (option("tables", 0) == 1)
        lose_tables();
    else
        lose_a_frame();
    return 0;
}
