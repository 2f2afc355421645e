/* SPDX-License-Identifier: MIT */
/*
 * The VM's I/O APIC: 47 pins, level-triggered ones too, and an EOI register. Pins 0 to 15 are those
 * of a PC; each PCI device has one of the others.
 * From: guest/assign/intx.c, guest/pc/vuart.c (lines), guest/pc/vlapic_irq.c (EOI).
 * To: guest/pc/vioapic.c.
 * Spec: Intel 82093AA "I/O APIC Registers"; ICH "IOAPIC: EOI Register".
 */
#pragma once
#include "lib/errno.h"
#include "lib/types.h"

#define VIOAPIC_PINS 47

struct vm;
struct vioapic;

MUST_CHECK struct vioapic *vioapic_create(struct vm *vm); /* NULL: no memory */
void vioapic_destroy(struct vioapic *io);
/* As at power-on: every pin is masked. The lines stay as the devices drive them. */
void vioapic_reset(struct vm *vm);

/* The line of a pin, as the device drives it. */
void vioapic_line(struct vioapic *io, unsigned pin, bool asserted);
/* A vCPU wrote EOI for this vector. Level pins of the vector may interrupt again. */
void vioapic_eoi(struct vioapic *io, uint8_t vector);
/* Call `ended` at each EOI of a level interrupt of this pin, before the line can interrupt again.
 * NULL: no call. When this function returns, the previous `ended` is not running. */
void vioapic_on_eoi(struct vioapic *io, unsigned pin, void (*ended)(void *ctx), void *ctx);
/* The redirection table entry of a pin, and the state of its line. */
uint64_t vioapic_rte(const struct vioapic *io, unsigned pin, bool *asserted);
