/* SPDX-License-Identifier: MIT */
/*
 * An interrupt whose stack is where there is nothing. What touched that address is the delivery,
 * not the instruction at RIP, so there is nothing to carry out, and the VM ends.
 * From: tests/cases/test_guests.py.   To: guest/pc/mmio.c vcpu_on_gpa().
 * Spec: SDM "Information for VM Exits That Occur During Event Delivery".
 */
#include "guest/programs/lib/guest.h"

#define NOWHERE UINT64_C(0xbf000000)

static void handler(struct interrupt_frame *frame) { (void)frame; }

int main(void)
{
    on_interrupt(VECTOR_BP, handler);
    asm volatile("mov %0, %%rsp; int3; mov %%rax, (%0)" ::"r"(NOWHERE + 0x1000) : "memory");
    return 1;
}
