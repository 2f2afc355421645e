/* SPDX-License-Identifier: MIT */
/*
 * MSI-X of an assigned function. The guest reads and writes a table in Hamlet's memory; the device's
 * own table holds messages in remappable format that Hamlet wrote, each once.
 * From: guest/assign/vbar.c (the table's pages are trapped), guest/assign/vpci_caps.c (Message Control).
 * To: guest/assign/irq.c.
 * Spec: PCI Local Bus 3.0 "MSI-X Capability and Table Structures".
 */
#pragma once
#include "guest/assign/irq.h"
#include "pci/pci.h"

struct vm;
struct vpci_function;
struct vmsix;

/* The pages of a BAR that hold the table; size 0: none of this BAR. Offsets in the BAR. */
struct vmsix_hole {
    uint64_t offset, size;
};
struct vmsix_hole vmsix_hole(const struct vmsix *m, unsigned bar);

/* Read the capability, make the guest's table, mask every entry of the device's. 0 with f->msix NULL:
 * the function has none that could be trusted. */
MUST_CHECK int vmsix_init(struct vpci_function *f);
void vmsix_release(struct vpci_function *f);
/* Forget what the guest had set, as a reset of the function does. */
void vmsix_reset(struct vpci_function *f);

/* Trap the table's pages at this guest-physical address. */
MUST_CHECK int vmsix_map(struct vmsix *m, struct vm *vm, uint64_t at);
void vmsix_unmap(struct vmsix *m, struct vm *vm, uint64_t at);
/* The same for a BAR of which every access is trapped: is this one (offset in the BAR) ours? m may be NULL. */
bool vmsix_holds(const struct vmsix *m, uint64_t bar_offset);
void vmsix_read(const struct vmsix *m, uint64_t bar_offset, unsigned width, uint64_t *value);
void vmsix_write(struct vmsix *m, uint64_t bar_offset, unsigned width, uint64_t value);

/* The route of entry n, and what the guest wrote there; NULL: the function has no such entry. */
const struct irq_route *vmsix_route(const struct vmsix *m, unsigned n, bool *guest_masked);
