/* SPDX-License-Identifier: MIT */
/*
 * Events whose stack or gate is where there is no memory. By its command line:
 *   (none)    the frame of a breakpoint is lost, its handler runs all the same; many times
 *   gate=1    the IDT is there, and a breakpoint becomes a triple fault
 *   gate=2    an interrupt comes, before an instruction that reads a device
 *   device=1  the stack is in a device, which ends the VM with a reason
 * From: tests/cases/test_guests.py.   To: guest/pc/mmio.c vcpu_on_gpa(), guest/pc/delivery.c.
 * Spec: SDM "Information for VM Exits That Occur During Event Delivery".
 */
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
    lose_a_frame();
    return 0;
}
