/* SPDX-License-Identifier: MIT */
/*
 * The VM's I/O APIC: 47 pins (16, and one for each PCI device), level-correct, with an EOI register.
 * From: guest/assign/intx.c and virtual devices (lines), guest/pc/mmio.c (registers), guest/pc/vlapic.c (EOI).
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
void vioapic_reset(struct vioapic *io);

/* The line of a pin, as the device drives it. */
void vioapic_line(struct vioapic *io, unsigned pin, bool asserted);
/* A vCPU has ended the service of this vector. Pins of that vector may interrupt again. */
void vioapic_eoi(struct vioapic *io, uint8_t vector);
/* Tell `ended` of each EOI for a level interrupt of this pin, before its line is looked at again. */
void vioapic_on_eoi(struct vioapic *io, unsigned pin, void (*ended)(void *ctx), void *ctx);
/* A pin's entry and line as they are. */
uint64_t vioapic_rte(const struct vioapic *io, unsigned pin, bool *asserted);
