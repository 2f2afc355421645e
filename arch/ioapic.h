/* SPDX-License-Identifier: MIT */
/*
 * I/O APICs as the MADT lists them. At boot every pin is masked. Later a pin is routed only for an
 * assigned device that has no message interrupts.
 * To: arch/ioapic.c.
 * Spec: Intel I/O Advanced Programmable Interrupt Controller (82093AA, ICH) "Redirection Table".
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

void ioapic_init(void); /* map and mask all; the MADT may name none */
size_t ioapic_count(void);
const struct ioapic *ioapic_get(size_t n);
const struct ioapic *ioapic_of_gsi(uint32_t gsi); /* NULL: no such pin */
uint64_t ioapic_read_rte(const struct ioapic *io, unsigned pin);
/* Write both halves in an order that never leaves a mix of old and new unmasked: mask the low half,
 * write the high half, write the low half. */
void ioapic_write_rte(const struct ioapic *io, unsigned pin, uint64_t rte);
