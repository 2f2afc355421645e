/* SPDX-License-Identifier: MIT */
/*
 * INTx of an assigned function: a level line of the machine, on its way to a pin of the VM's I/O APIC.
 * The source is silenced as soon as it is seen, and heard again when the guest has ended its
 * service; so a line that stays high costs one interrupt per service, whoever shares it.
 * From: guest/assign/assign.c.   To: arch/ioapic.c, vtd/intremap.c, guest/pc/vioapic.c.
 * Spec: PCI Local Bus 3.0 "Interrupt Pins", "Device Control" (Interrupt Disable), "Device Status".
 */
#pragma once
#include "lib/errno.h"
#include "lib/types.h"

struct assignment;

struct intx {
    struct intx *next;    /* on the same line of the machine */
    struct intx_line *on; /* NULL: this function has no usable INTx */
    struct assignment *a;
    unsigned pin;       /* of the VM's I/O APIC */
    bool asserted;      /* seen, and not yet ended by the guest: silenced in the hardware */
    bool guest_disable; /* Command.Interrupt Disable as the guest wrote it */
};

/* Lead the function's INTx to the VM. Without a pin, a line or a way to silence it, nothing is led
 * anywhere (said once); most functions do without. */
void intx_init(struct assignment *a);
void intx_release(struct assignment *a);
void intx_guest_disable(struct assignment *a, bool disable);
/* The function was reset: it drives nothing, and may be heard again. */
void intx_reset(struct assignment *a);
