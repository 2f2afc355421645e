/* SPDX-License-Identifier: MIT */
/*
 * MSI-X of an assigned function. The guest reads and writes a table in Hamlet's memory. The
 * device's own table holds messages in remappable format; Hamlet writes each of them once.
 * From: guest/assign/vbar.c (the table's pages are trapped), guest/assign/vpci_caps.c,
 * guest/assign/reset.c.   To: guest/assign/vmsix.c.
 * Spec: PCI Local Bus 3.0 "MSI-X Capability and Table Structures".
 */
#pragma once
#include "guest/assign/irq.h"

struct vm;
struct vpci_function;
struct vmsix;

/* The pages of a BAR that hold the table, in bytes from its start. Size 0: m is NULL, as the BAR
 * holds no table. */
struct vmsix_hole {
    uint64_t offset, size;
};
struct vmsix_hole vmsix_hole(const struct vmsix *m);

/* Read the capability at `at`, make the guest's table, mask every entry of the device's table.
 * -ENOMEM. 0 with f->msix NULL: the function has no table that could be trusted (logged), so the
 * capability is hidden: this is no error. */
MUST_CHECK int vmsix_init(struct vpci_function *f, uint8_t at);
void vmsix_release(struct vpci_function *f);
/* Forget what the guest has set, as a reset of the function does. */
void vmsix_reset(struct vpci_function *f);

/* The same as vmsi_reroute(). m may be NULL. */
void vmsix_reroute(struct vmsix *m);

/* Trap the table's pages at this guest-physical address, until vm_bus_remove(). -EEXIST, -ENOSPC:
 * as vm_bus_add(). */
MUST_CHECK int vmsix_map(struct vmsix *m, struct vm *vm, uint64_t at);
/* For a BAR of which every access is trapped: does this one hit the pages of the table? m may be
 * NULL. If so, vmsix_read() and vmsix_write() handle it. `width`: 1, 2, 4 or 8 bytes; what a read
 * gives above them does not count. */
bool vmsix_holds(const struct vmsix *m, uint64_t bar_offset);
uint64_t vmsix_read(const struct vmsix *m, uint64_t bar_offset, unsigned width);
void vmsix_write(struct vmsix *m, uint64_t bar_offset, unsigned width, uint64_t value);

/* The route of entry n, and whether the guest has it masked; NULL: no such entry. m may be NULL. */
const struct irq_route *vmsix_route(const struct vmsix *m, unsigned n, bool *guest_masked);
