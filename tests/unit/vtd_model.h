/* SPDX-License-Identifier: MIT */
/*
 * A remapping unit in host memory, for tests of the real driver: registers, queue, table walks,
 * and caches that keep what they once read until a command flushes it. What the driver
 * writes into a table reaches the unit only by the ways that a real one offers: written back
 * where the unit does not snoop, flushed where there is a write buffer. So whatever the driver
 * leaves out, shows.
 * From: tests/unit/test_vtd_*.c.   To: vtd_model.c (registers, queue, flushes),
 * vtd_requests.c (DMA and interrupts), vtd_world.c (the machine around it).
 * Spec: VT-d "DMA Remapping", "Interrupt Remapping", "Caching Translation Information".
 */
#pragma once
#include "arch/acpi.h"
#include "lib/atomic.h"
#include "arch/options.h"
#include "pci/pci.h"
#include "vtd/unit.h"
#include "vtd/vtd_regs.h"

#define MODEL_UNITS    2
#define MODEL_BASE(n)  (UINT64_C(0xfed90000) + (n)*0x10000)
#define MODEL_RAM_END  UINT64_C(0x80000000)  /* from here to 4 GiB there is no memory ... */
#define MODEL_RAM_HIGH UINT64_C(0x123456000) /* ... and no more from here on */
#define MODEL_CACHE    64
#define MODEL_RECORDS  4
#define MODEL_GARBAGE  UINT64_C(0x12345003) /* a present entry of whatever kind */

/* CAP and ECAP of an ordinary unit; tests add and take away. */
#define MODEL_CAP                                                                                  \
    (FIELD_SET(CAP_ND, 2) | FIELD_SET(CAP_SAGAW, 4) | FIELD_SET(CAP_MGAW, 47) |                    \
     FIELD_SET(CAP_FRO, 0x22) | CAP_SSLPS_2M | CAP_SSLPS_1G | CAP_PSI |                            \
     FIELD_SET(CAP_NFR, MODEL_RECORDS - 1) | FIELD_SET(CAP_MAMV, 18) | CAP_DWD | CAP_DRD)
#define MODEL_ECAP                                                                                 \
    (ECAP_C | ECAP_QI | ECAP_IR | ECAP_EIM | FIELD_SET(ECAP_IRO, 0xf) | FIELD_SET(ECAP_MHMV, 15))

struct model_context {
    bool valid;
    bdf_t source_id;
    unsigned did; /* tag: 0 for an entry that is not present */
    struct u128 entry;
};

struct model_translation {
    bool valid, unreported; /* FPD of the context entry */
    bdf_t source_id;
    unsigned did;
    uint64_t iova, size, entry; /* entry without R and W: known to be not present */
};

struct model_interrupt_entry {
    bool valid;
    unsigned index;
    struct u128 entry;
};

struct model_unit {
    uint64_t cap, ecap;
    uint32_t version;
    uint32_t gsts, fsts, fectl, fedata, feaddr, feuaddr, pmen, plm[2];
    uint64_t phm[2];
    uint64_t rtaddr, rtaddr_latched, irta, irta_latched, iqa, iqh, iqt, ccmd, iva, iotlb;
    struct u128 records[MODEL_RECORDS];
    unsigned next_record;
    uint64_t refused_at; /* the head at a descriptor that is refused, with bit 0 set */

    struct model_context contexts[MODEL_CACHE];
    struct model_translation translations[MODEL_CACHE];
    struct model_interrupt_entry interrupts[MODEL_CACHE];
    bool no_root[256]; /* caching mode: the bus is known to have no context table */

    /* what happened, for tests to look at */
    unsigned events;           /* fault interrupts sent */
    bool translation_dropped;  /* TE was cleared */
    bool protected;            /* memory was, at some time */
    unsigned srtp, sirtp, wbf; /* one-shot commands */
    unsigned drained, undrained;
    unsigned context_flushes[4], iotlb_flushes[4]; /* by granularity */
    uint64_t flushed_iova;                         /* of the last one by page */
    unsigned flushed_mask;

    /* what the test asks for */
    unsigned goes_on; /* a device faults so often again, once at each look at a record */
    bdf_t goes_on_as; /* this one */
    unsigned refuse;  /* so many descriptors are refused, until they are replaced; any command */
    unsigned slow;    /* so many looks at the fault status, and then the queue is done */
    unsigned mute;    /* so many are dropped, as by a device that does not answer (ITE) */
    bool dead;        /* takes commands, finishes none */
};

extern struct model_unit model[MODEL_UNITS];

enum model_outcome { MODEL_BLOCKED, MODEL_REMAPPED, MODEL_POSTED, MODEL_COMPATIBILITY };
struct model_message {
    enum model_outcome outcome;
    uint8_t vector;
    bool level, urgent;
    uint32_t destination;
    uint64_t descriptor;
};

/* A device on unit n reads or writes one byte. True: it went through, to *to. */
bool model_dma(unsigned n, bdf_t source_id, uint64_t iova, bool write, uint64_t *to);
/* A device sends a message. */
struct model_message model_interrupt(unsigned n, bdf_t source_id, uint64_t address, uint16_t data);
/* Record a fault as the unit does. */
void model_fault(unsigned n, bdf_t source_id, uint8_t reason, bool read, uint64_t address);
/* Write buffer emptied, for unit n. */
void model_write_buffer_empty(void);

/* vtd_world.c: the machine around the units. */
struct model_world {
    bool x2apic;
    unsigned pages_used, pages_limit;
    unsigned panics, irq_registered;
    unsigned function_count;
    struct pci_function functions[8];
    bdf_t requesters[8]; /* of functions[] */
    uint32_t stopped;    /* bit n: bus mastering of functions[n] was cleared */
    uint8_t table[1024]; /* DMAR */
};
extern struct model_world world;

/* A fresh machine: `units` units, the second with a scope of its own, one endpoint 00:04.0 and a
 * bridge 00:1c.0 to buses 2 and 3 in it; everything else belongs to the first. Not yet started. */
void model_reset(unsigned units);
/* model_reset(1), then vtd_init(); the capabilities are these. */
void model_start(uint64_t cap, uint64_t ecap);
/* What a unit reads at an address of a table; garbage where nothing ever arrived. */
uint64_t model_read(hpa_t at);
struct u128 model_read_128(hpa_t at);
