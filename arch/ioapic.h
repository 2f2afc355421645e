/* SPDX-License-Identifier: MIT */
/*
 * I/O APICs as the MADT lists them. At boot every pin is masked, but those by which the firmware
 * gets SMIs. Later a pin is routed only for an assigned device that has no message interrupts.
 * From: boot/main.c, guest/assign/intx.c.   To: arch/ioapic.c.
 * Spec: 82093AA "I/O APIC Registers", "Redirection Table".
 */
#pragma once
#include "lib/bits.h"
#include "lib/types.h"

// clang-format off
#define IOREGSEL        0x00        /* the index of a register; the register is then at IOWIN */
#define IOWIN           0x10
#define IOAPIC_VERSION  0x01
#define IOAPIC_RTE(pin) (0x10 + 2 * (pin))

/* A redirection table entry; what differs with interrupt remapping stands in vtd/vtd_regs.h. */
#define RTE_VECTOR      BITS(7, 0, "VECTOR", "vector")
#define RTE_DELIVERY    BITS(10, 8, "DELIVERY", "delivery mode", DELIVERY_VALUES) /* arch/apic.h */
#define RTE_LOGICAL     BIT(11, "LOGICAL", "logical destination")
#define RTE_STATUS      BIT(12, "PENDING", "is being sent")
#define RTE_ACTIVE_LOW  BIT(13, "LOW", "active low")
#define RTE_REMOTE_IRR  BIT(14, "IRR", "level: waits for the EOI")
#define RTE_LEVEL       BIT(15, "LEVEL", "level-triggered")
#define RTE_MASKED      BIT(16, "MASKED", "masked")
#define RTE_DEST        BITS(63, 56, "DEST", "destination")
// clang-format on

struct ioapic {
    uint8_t id;      /* enumeration id, as in the DMAR scope */
    uint8_t version; /* 0x20 and up: has an EOI register */
    uint32_t gsi_base;
    uint32_t pin_count;
    uint8_t *regs;
};

/* Find, map and mask all I/O APICs. The MADT may list none; one that does not answer is left out
 * (logged). */
void ioapic_init(void);
size_t ioapic_count(void);
const struct ioapic *ioapic_get(size_t n);        /* n below the count */
const struct ioapic *ioapic_of_gsi(uint32_t gsi); /* NULL: no such pin */
/* The redirection table entry of a pin (below pin_count), 64 bits in two registers. It is written
 * masked first, then high, then low: the I/O APIC never acts on an unmasked mix of old and new. */
uint64_t ioapic_read_rte(const struct ioapic *io, unsigned pin);
void ioapic_write_rte(const struct ioapic *io, unsigned pin, uint64_t rte);
