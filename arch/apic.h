/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of this CPU, in x2APIC mode if the CPU has it and x2apic=off is not given. An APIC
 * id is plain: 32 bits, of which xAPIC mode has 8.
 * From: everywhere; the bits also serve the virtual APIC.   To: arch/apic.c.
 * Spec: SDM "Advanced Programmable Interrupt Controller (APIC)".
 */
#pragma once
#include "lib/bits.h"
#include "lib/types.h"

/* Offsets in the xAPIC page; x2APIC MSR = 0x800 + offset / 16. */
enum apic_reg {
    APIC_ID = 0x20,
    APIC_VERSION = 0x30,
    APIC_TPR = 0x80,
    APIC_PPR = 0xa0,
    APIC_EOI = 0xb0,
    APIC_LDR = 0xd0,
    APIC_DFR = 0xe0,
    APIC_SVR = 0xf0,
    APIC_ISR = 0x100,
    APIC_TMR = 0x180,
    APIC_IRR = 0x200,
    APIC_ESR = 0x280,
    APIC_LVT_CMCI = 0x2f0,
    APIC_ICR = 0x300,
    APIC_ICR_HIGH = 0x310,
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_THERMAL = 0x330,
    APIC_LVT_PMC = 0x340,
    APIC_LVT_LINT0 = 0x350,
    APIC_LVT_LINT1 = 0x360,
    APIC_LVT_ERROR = 0x370,
    APIC_TIMER_INITIAL = 0x380,
    APIC_TIMER_CURRENT = 0x390,
    APIC_TIMER_DIVIDE = 0x3e0,
    APIC_SELF_IPI = 0x3f0,
};

// clang-format off
/* Delivery mode in every word that sends an interrupt: LVT, ICR, message data, I/O APIC entry. */
#define DELIVERY_VALUES         "0:fixed|1:lowest priority|2:SMI|4:NMI|5:INIT|6:STARTUP|7:ExtINT"
#define     APIC_DELIVERY_FIXED     0
#define     APIC_DELIVERY_LOWEST    1
#define     APIC_DELIVERY_SMI       2
#define     APIC_DELIVERY_NMI       4
#define     APIC_DELIVERY_INIT      5
#define     APIC_DELIVERY_STARTUP   6
#define     APIC_DELIVERY_EXTINT    7

#define APIC_SVR_VECTOR         BITS(7, 0, "VECTOR", "of a spurious interrupt")
#define APIC_SVR_ENABLE         BIT(8, "EN", "enabled by software")
#define APIC_SVR_NO_BROADCAST   BIT(12, "NOBCAST", "an EOI does not go to the I/O APICs")
#define APIC_LVT_VECTOR         BITS(7, 0, "VECTOR", "vector")
#define APIC_LVT_DELIVERY       BITS(10, 8, "DELIVERY", "delivery mode", DELIVERY_VALUES)
#define APIC_LVT_PENDING        BIT(12, "PENDING", "is being sent")
#define APIC_LVT_ACTIVE_LOW     BIT(13, "LOW", "active low")
#define APIC_LVT_REMOTE_IRR     BIT(14, "IRR", "level: waits for the EOI")
#define APIC_LVT_LEVEL          BIT(15, "LEVEL", "level-triggered")
#define APIC_LVT_MASKED         BIT(16, "MASKED", "masked")
#define APIC_LVT_TIMER_MODE     BITS(18, 17, "MODE", "of the timer", \
                                     "0:one-shot|1:periodic|2:TSC deadline")
#define     APIC_TIMER_ONE_SHOT     0
#define     APIC_TIMER_PERIODIC     1
#define     APIC_TIMER_TSC_DEADLINE 2
#define APIC_ICR_VECTOR         BITS(7, 0, "VECTOR", "vector")
#define APIC_ICR_DELIVERY       BITS(10, 8, "DELIVERY", "delivery mode", DELIVERY_VALUES)
#define APIC_ICR_LOGICAL        BIT(11, "LOGICAL", "logical destination")
#define APIC_ICR_PENDING        BIT(12, "PENDING", "is being sent")
#define APIC_ICR_ASSERT         BIT(14, "ASSERT", "assert")
#define APIC_ICR_LEVEL          BIT(15, "LEVEL", "level-triggered")
#define APIC_ICR_SHORTHAND      BITS(19, 18, "TO", "receiver", \
                                     "0:the destination|1:itself|2:all|3:all others")
#define     APIC_SHORTHAND_SELF     1
#define     APIC_SHORTHAND_ALL      2
#define     APIC_SHORTHAND_OTHERS   3
#define APIC_ICR_DEST           BITS(63, 32, "DEST", "destination (xAPIC: in bits 63:56)")

/* SDM "Message Address Register Format", "Message Data Register Format" */
#define MSI_ADDRESS_BASE        BITS(63, 20, "FEE", "0xfee: an interrupt, not memory")
#define     MSI_ADDRESS_FEE         0xfee
#define MSI_ADDRESS_DEST        BITS(19, 12, "DEST", "destination APIC id")
#define MSI_ADDRESS_RH          BIT(3, "RH", "redirection hint: to one of several")
#define MSI_ADDRESS_LOGICAL     BIT(2, "DM", "destination mode", "0:physical|1:logical")
#define MSI_DATA_VECTOR         BITS(7, 0, "VECTOR", "vector; remappable format: of the subhandle")
#define MSI_DATA_DELIVERY       BITS(10, 8, "DELIVERY", "delivery mode", DELIVERY_VALUES)
#define MSI_DATA_ASSERT         BIT(14, "ASSERT", "level: assert")
#define MSI_DATA_LEVEL          BIT(15, "LEVEL", "level-triggered")
// clang-format on

/* SDM "Valid Interrupt Vectors": 0 to 15 are not. "Task and Processor Priorities": the class. */
#define VECTOR_FIRST_LEGAL 16
#define APIC_ID_MAX_XAPIC  0xfe /* 0xff means all CPUs */
#define PRIORITY_CLASS     BITS(7, 4)

/* Enable the local APIC of this CPU, with all LVTs masked but the timer's, and those by which the
 * firmware gets SMIs. The first call also masks both 8259s; they stay masked. */
void apic_init(void);
bool apic_is_x2apic(void);
uint32_t apic_id(void);
void apic_eoi(void);
bool apic_in_service(uint8_t vector); /* its ISR bit */
/* Fixed, edge, physical destination. SDM "Interrupt Command Register (ICR)". */
void apic_ipi(uint32_t apic_id, uint8_t vector);
void apic_self_ipi(uint8_t vector);
void apic_nmi(uint32_t apic_id); /* none, if this CPU's APIC is not in use yet */
/* INIT: that CPU executes nothing, until a STARTUP. */
void apic_park_cpu(uint32_t apic_id);
/* INIT, then two STARTUPs at page `start` (below 1 MiB), with the manual's pauses. */
void apic_start_cpu(uint32_t apic_id, hpa_t start);
/* Interrupt VECTOR_TIMER when the TSC reaches `tsc`; 0: none. TSC-deadline mode, or one-shot where
 * the CPU lacks it. */
void apic_timer_at(uint64_t tsc);
