/* SPDX-License-Identifier: MIT */
/*
 * INTx of an assigned function: a level line of the machine, on its way to a pin of the VM's I/O
 * APIC. Hamlet silences the function as soon as it sees the line asserted, and lets it drive the
 * line again at the guest's EOI. So a line that stays asserted costs one interrupt per service.
 * From: guest/assign/assign.c.   To: arch/ioapic.c, vtd/intremap.c, guest/pc/vioapic.c.
 * Spec: PCI Local Bus 3.0 "Interrupt Pins", "Device Control" (Interrupt Disable), "Device Status".
 */
#pragma once
#include "lib/types.h"

struct assignment;

struct intx {
    struct intx *next;    /* on the same line of the machine */
    struct intx_line *on; /* NULL: this function has no usable INTx */
    struct assignment *a;
    unsigned pin;       /* of the VM's I/O APIC */
    bool asserted;      /* seen, and the guest's EOI has not come yet: silenced in the hardware */
    bool guest_disable; /* Command.Interrupt Disable as the guest wrote it */
};

/* Route the function's INTx to the VM. A function that has no pin is left alone. One without a
 * usable line, or that cannot be silenced, gets no INTx: that is logged, and no error, as most
 * drivers use messages. */
void intx_init(struct assignment *a);
void intx_release(struct assignment *a);
/* The guest wrote Command.Interrupt Disable. */
void intx_guest_disable(struct assignment *a, bool disable);
/* The function was reset: it drives no line, and neither Hamlet nor its guest silences it. */
void intx_reset(struct assignment *a);
/* The function was reset from inside, and Command restored: Interrupt Disable is set again if it
 * was. */
void intx_restore(struct assignment *a);
