/* SPDX-License-Identifier: MIT */
/*
 * VT-d as hardware: which memory a device reaches, and which interrupts it sends. From vtd_init()
 * on every DMA is blocked that no domain allows. Knows PCI, nothing of guests or VMX.
 * From: boot/main.c, guest/assign/assign.c, guest/core/memory.c (vm_map).
 * To: vtd/init.c (bring-up), unit.c, scope.c (DMAR), context.c (domains), sspt.c (their tables),
 * intremap.c, fault.c, show.c.
 * Spec: VT-d "Translation Structure Formats", "Interrupt Remapping" (docs/references.md).
 *
 * Units: an address and a size are in bytes, an APIC id is plain, a source-id is the bdf_t of a
 * requester of segment 0. A function that returns int returns 0 or -E...; the reason is logged.
 */
#pragma once
#include "lib/atomic.h"
#include "lib/errno.h"
#include "lib/pi_desc.h"
#include "lib/types.h"

/* Bring-up: init.c, unit.c. */

/* Parse DMAR, take over every unit, enable translation with everything blocked and, unless ir=off,
 * interrupt remapping. -ENODEV: no usable unit, so no device can be assigned. */
int vtd_init(void);
/* True (logged): the firmware asks that the local APICs stay in xAPIC mode, in which its own code
 * for SMIs knows them. Before apic_init(). VT-d "DMA Remapping Reporting Structure". */
bool vtd_asks_for_xapic(void);
bool vtd_active(void);    /* vtd_init() succeeded */
bool vtd_ir_active(void); /* interrupt remapping is on in every unit */
/* Why the units post no interrupts; NULL: they do. */
const char *vtd_no_posting(void);

/* Domains: context.c. VT-d "Mapping Devices to Domains". */

struct vtd_domain;
/* One second-stage table and one domain-id, shared by the devices of a VM. NULL: VT-d is off, or no
 * memory or no domain-id left (logged). */
MUST_CHECK struct vtd_domain *vtd_domain_create(void);
/* A domain without a table: its devices reach all memory, Hamlet's too, at host-physical addresses.
 * Only for devices that the user marked dma=pv or dma=identity. Nothing can be mapped into it. NULL
 * also: a unit has no pass-through (ECAP.PT). */
MUST_CHECK struct vtd_domain *vtd_domain_create_untranslated(void);
/* No device is attached to it. The flush in here comes before table and domain-id are reused. */
void vtd_domain_destroy(struct vtd_domain *d);
unsigned vtd_domain_id(const struct vtd_domain *d);
unsigned vtd_domains_used(void);
/* Make the context table for the bus of the source-id; it stays, so vtd_attach() needs no memory.
 * Without memory for it, vtd_attach() fails. */
void vtd_prepare(bdf_t source_id);
/* Give the source-id this domain's view of memory, in place of the one it has. -ENODEV: no unit
 * serves it; -ENOMEM: no page for a context table. */
MUST_CHECK int vtd_attach(struct vtd_domain *d, bdf_t source_id);
/* When this returns, every request of the source-id is blocked and none is on its way. */
void vtd_detach(bdf_t source_id);

/* The table of a domain: sspt.c. VT-d "Second-Stage Translation". */

#define VTD_READ  BIT(0)
#define VTD_WRITE BIT(1)
/* Make [iova, iova + size) reach [to, to + size); multiples of 4 KiB; the largest pages that fit
 * and that every unit has. -EEXIST: the range has a page already; -ENOMEM: nothing of it is mapped;
 * -EINVAL: wider than the units reach, or in 0xFEEx_xxxx, which are interrupts. */
MUST_CHECK int vtd_map(struct vtd_domain *d, gpa_t iova, hpa_t to, uint64_t size, unsigned perm);
/* When this returns, no DMA reaches the range any more (IOTLB flushed, reads and writes drained).
 * Multiples of 4 KiB; holes in the range are allowed. */
void vtd_unmap(struct vtd_domain *d, gpa_t iova, uint64_t size);
/* Walk the live table as the unit does. False: not mapped. */
bool vtd_translate(const struct vtd_domain *d, gpa_t iova, hpa_t *to, unsigned *perm);
/* Call visit for each run of pages of the live table, in order of iova, until visit returns false.
 * A run is as long as the memory goes on, with the same rights. */
void vtd_visit(const struct vtd_domain *d,
               bool (*visit)(void *ctx, gpa_t iova, hpa_t to, uint64_t size, unsigned perm),
               void *ctx);

/* What DMAR tells of a function: scope.c. VT-d "Device Scope Structure". */

bool vtd_covers(bdf_t bdf); /* a usable unit has the function in its scope */
/* The n-th region that the firmware reserves for the function, in whole pages; false: no more.
 * VT-d "Reserved Memory Region Reporting Structure". */
bool vtd_rmrr(bdf_t bdf, unsigned n, hpa_t *base, uint64_t *size);
/* Source-id of an I/O APIC by its enumeration id; false: in no scope. */
bool vtd_ioapic_source(uint8_t ioapic_id, bdf_t *source_id);

/* Entries of the interrupt-remapping table: intremap.c. VT-d "Interrupt Remapping". Each change is
 * one 16-byte atomic store, and flushed when the function returns. */

#define VTD_IRTE_MAX 4096 /* a power of two, at most 65536; an index is below it */
/* `count` contiguous entries (a power of two, for multi-message MSI) that only `source_id` may use.
 * Returns the first index, a multiple of `count`; -ENOSPC; -ENODEV: no interrupt remapping. Not
 * present until set. */
MUST_CHECK int vtd_irte_alloc(bdf_t source_id, unsigned count);
void vtd_irte_free(unsigned index, unsigned count); /* blocked first; as they were allocated */
unsigned vtd_irte_count(void);                      /* allocated entries */
/* To the host vector on one CPU. An APIC id that does not fit blocks the entry (logged). */
void vtd_irte_remap(unsigned index, uint32_t apic_id, uint8_t vector, bool level);
/* Into the descriptor, as the guest's vector, if vtd_no_posting() has no reason against it.
 * VT-d "Interrupt Posting". */
void vtd_irte_post(unsigned index, const struct pi_desc *pid, uint8_t vector, bool urgent);
void vtd_irte_block(unsigned index); /* P = 0: its messages are faults */
void vtd_irte_hold(unsigned index);  /* the same, and these faults are not recorded */
struct u128 vtd_irte_read(unsigned index);
/* The first entry from `index` on that is present; VTD_IRTE_MAX: there is none. */
unsigned vtd_irte_next(unsigned index);
/* The descriptor into which the entry posts. False: the entry is not present or does not post. */
bool vtd_irte_posts(unsigned index, const struct pi_desc **pid);
bool vtd_irte_unverified(unsigned index); /* present, and any source-id may use it */
/* Units that take interrupts in compatibility format although remapping is on: bit n for unit n. */
uint32_t vtd_compatibility_units(void);
/* The address of the message that makes a function use entry `index`; its data is 0. subhandle: the
 * unit adds the message number of a multi-message MSI to the index.
 * VT-d "MSI and MSI-X Register Programming". */
uint64_t vtd_msi_address(unsigned index, bool subhandle);
/* The same for a pin of an I/O APIC, as redirection table entry. The vector must equal that of the
 * interrupt entry. VT-d "I/OxAPIC Programming". */
uint64_t vtd_ioapic_rte(unsigned index, uint8_t vector, bool level, bool active_low);

/* Faults: fault.c. VT-d "Primary Fault Logging". */

struct vtd_fault {
    unsigned unit; /* that blocked the request */
    bdf_t source_id;
    uint8_t reason;    /* see vtd_reason_name() */
    bool is_interrupt; /* reasons 0x20 to 0x2f: address is the index of the interrupt entry */
    bool is_read;
    uint64_t address;
};
const char *vtd_reason_name(uint8_t reason);
/* The handler is called for each record, after the record was cleared. NULL: none. */
void vtd_fault_handler_set(void (*handler)(const struct vtd_fault *fault));
/* Take the records of every unit now (the interrupt of the fault event does so, too). */
void vtd_fault_poll(void);
/* The unit records no further fault of the source-id for a blocked DMA, until vtd_fault_listen() or
 * vtd_attach(). Faults of interrupts go on. */
void vtd_fault_silence(const struct vtd_fault *f);
void vtd_fault_listen(bdf_t source_id);
/* Of a unit whose devices fault without end, look again at what fault.c has left; from then on it
 * interrupts again. Once a tick. */
void vtd_fault_tick(void);
uint64_t vtd_fault_count(bdf_t source_id); /* since boot */

/* For the monitor: show.c. */

struct vtd_unit_state {
    hpa_t base;
    uint16_t segment;
    bool usable, include_all;
    uint64_t cap, ecap;
    uint32_t version, status, fault_status; /* from here on 0 if it is not usable */
    uint64_t root, irta;
    unsigned queue_head, queue_tail; /* in descriptors */
};
bool vtd_unit_state(unsigned n, struct vtd_unit_state *out); /* false: no such unit */
/* A request's way: root entry, context entry, then `count` second-stage entries from the highest
 * level (`levels`) on; none if the domain is untranslated. What is not reached is 0.
 * VT-d "Legacy Mode Address Translation". */
struct vtd_walk {
    unsigned unit, levels, count;
    struct u128 root, context;
    uint64_t entries[5];
    bool mapped;
    hpa_t to;
};
bool vtd_walk(bdf_t source_id, gpa_t iova, struct vtd_walk *out); /* false: no unit serves it */
/* The n-th source-id that had a fault; false: no more. */
bool vtd_fault_source(unsigned n, bdf_t *source_id, uint64_t *count);
