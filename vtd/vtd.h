/* SPDX-License-Identifier: MIT */
/*
 * VT-d as hardware: which memory a device reaches, and which interrupts it sends. From vtd_init()
 * on every DMA is blocked that no domain allows. Knows PCI, nothing of guests or VMX.
 * From: boot/main.c, guest/assign/assign.c, guest/core/memory.c (vm_map).
 * To: vtd/dmar.c (the table), init.c (bring-up), unit.c (registers), scope.c, context.c, sspt.c,
 * invalidate.c, intremap.c, fault.c.
 * Spec: Intel Virtualization Technology for Directed I/O, Rev 5.10 (docs/references.md).
 */
#pragma once
#include "lib/atomic.h"
#include "lib/errno.h"
#include "lib/pi_desc.h"
#include "lib/types.h"

/* Parse DMAR, take over every unit, enable translation with everything blocked and, unless ir=off,
 * interrupt remapping. -ENODEV: no usable unit (said why); devices then cannot be assigned. */
int vtd_init(void);
bool vtd_active(void);
bool vtd_ir_active(void);   /* interrupt remapping is on in every unit */
bool vtd_can_post(void);    /* every unit has CAP.PI, and EIM matches the host's APICs */
bool vtd_covers(bdf_t bdf); /* some unit has the function in its scope */
/* A function for which the firmware reserves memory (RMRR); it is refused unless rmrr=map. */
bool vtd_has_rmrr(bdf_t bdf);
struct vtd_domain;
/* rmrr=map: let the domain reach what the firmware reserves for the function, at its own address;
 * to be called before vtd_attach(), and stays until the domain is destroyed. -EEXIST: the VM has
 * something else there; -EPERM: the region lies in RAM that the firmware did not reserve (both
 * logged). */
MUST_CHECK int vtd_map_rmrr(struct vtd_domain *d, bdf_t bdf);

/* A domain: one second-stage table and one domain-id, shared by the devices of a VM.
 * NULL: no memory or no domain-id left (logged). */
MUST_CHECK struct vtd_domain *vtd_domain_create(void);
/* A domain without a table: its devices reach all memory, Hamlet's too, at host-physical addresses.
 * For those only that the user gives away so by name. Nothing can be mapped into it. NULL also: a
 * unit has no pass-through (ECAP.PT). */
MUST_CHECK struct vtd_domain *vtd_domain_create_untranslated(void);
/* Nothing may be attached any more. The domain-id is reused only after the flush in here. */
void vtd_domain_destroy(struct vtd_domain *d);
unsigned vtd_domain_id(const struct vtd_domain *d);

#define VTD_READ  BIT(0)
#define VTD_WRITE BIT(1)
/* Make [iova, iova + size) reach [to, to + size); multiples of 4 KiB; the largest pages that fit
 * and that every unit has. -EEXIST: something is mapped there; -ENOMEM; -EINVAL: wider than the
 * units reach, or in 0xFEEx_xxxx, which are interrupts. Flushes where caching mode asks for it. */
MUST_CHECK int vtd_map(struct vtd_domain *d, gpa_t iova, hpa_t to, uint64_t size, unsigned perm);
/* When this returns no DMA reaches the range any more (IOTLB flushed, reads and writes drained).
 * Holes in the range are allowed. */
void vtd_unmap(struct vtd_domain *d, gpa_t iova, uint64_t size);
/* Walk the live table as the unit does. False: not mapped. */
bool vtd_translate(const struct vtd_domain *d, gpa_t iova, hpa_t *to, unsigned *perm);

/* Call visit for each leaf of the live table, in order of iova, until it returns false. */
void vtd_visit(const struct vtd_domain *d,
               bool (*visit)(void *ctx, gpa_t iova, hpa_t to, uint64_t size, unsigned perm),
               void *ctx);

/* Make the table that the source-id's entry will stand in, once and for good: attaching then costs
 * no memory. No memory for it: vtd_attach() will say so. */
void vtd_prepare(bdf_t source_id);
/* Give the source-id this domain's view of memory, or take it away (blocked again, flushed). */
MUST_CHECK int vtd_attach(struct vtd_domain *d, bdf_t source_id);
void vtd_detach(bdf_t source_id);

/* Interrupt-remapping table entries. `count` contiguous entries (a power of two, for multi-message
 * MSI) that only `source_id` may use. Returns the first index, -ENOSPC. Not present until set. */
MUST_CHECK int vtd_irte_alloc(bdf_t source_id, unsigned count);
void vtd_irte_free(unsigned index, unsigned count); /* P = 0, flush, then reusable */
unsigned vtd_irte_count(void);                      /* entries that somebody has */
unsigned vtd_domains_used(void);
/* Remapped: to the host vector on one CPU (plain APIC id). */
void vtd_irte_remap(unsigned index, uint32_t apic_id, uint8_t vector, bool level);
/* Posted: into the descriptor. Needs vtd_can_post(). One 16-byte atomic store, then the flush. */
void vtd_irte_post(unsigned index, const struct pi_desc *pid, uint8_t vector, bool urgent);
void vtd_irte_block(unsigned index); /* P = 0, flush */
struct u128 vtd_irte_read(unsigned index);
/* Into which descriptor the entry posts, if it is present and does; NULL: it does not. */
const struct pi_desc *vtd_irte_descriptor(unsigned index);
/* The first entry from `index` on that posts; -ENOENT. */
int vtd_irte_posted(unsigned index);
/* The first present entry from `index` on whose source-id is not verified; -ENOENT: none. */
int vtd_irte_unverified(unsigned index);
/* Units that take interrupts in compatibility format although remapping is on, as a bit each. */
uint32_t vtd_compatibility_units(void);
/* Message that makes a function use entry `index` (remappable format; subhandle: the message number
 * of a multi-message MSI is added to the index). Data is 0. */
uint64_t vtd_msi_address(unsigned index, bool subhandle);
/* I/O APIC redirection table entry in remappable format. The RTE's vector must equal the IRTE's. */
uint64_t vtd_ioapic_rte(unsigned index, uint8_t vector, bool level, bool active_low);
/* Source-id of an I/O APIC by its enumeration id in DMAR; false: not in any scope. */
bool vtd_ioapic_source(uint8_t ioapic_id, bdf_t *source_id);

/* Faults, decoded. The handler is called for each record, after it was cleared; set by guest/. */
struct vtd_fault {
    bdf_t source_id;
    uint8_t reason;    /* VT-d "Primary Fault Logging": vtd_reason_name() */
    bool is_interrupt; /* reason 0x20 and up: address is the IRTE index */
    bool is_read;
    uint64_t address;
};
const char *vtd_reason_name(uint8_t reason);
void vtd_fault_handler_set(void (*handler)(const struct vtd_fault *fault));
/* Look at every unit's records now (also done by the fault event's interrupt). */
void vtd_fault_poll(void);
/* Faults counted for a source-id since boot. */
uint64_t vtd_fault_count(bdf_t source_id);

/* show.c: for the monitor. */
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
 * level (`levels`) on. What is not reached is 0. */
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
