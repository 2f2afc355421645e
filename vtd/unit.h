/* SPDX-License-Identifier: MIT */
/*
 * Private to vtd/: the state of the units, what they have in common, and the functions that its
 * files call in each other.
 * From: every file of vtd/.   To: vtd/unit.c, scope.c, invalidate.c, context.c, sspt.c, intremap.c,
 * fault.c.
 * Spec: VT-d "Remapping Hardware - Software View".
 */
#pragma once
#include "lib/atomic.h"
#include "arch/radix.h"
#include "arch/spinlock.h"
#include "vtd/dmar.h"
#include "vtd/vtd.h"

/* A unit that takes longer for one command is broken. */
#define VTD_TIMEOUT_US UINT64_C(1000000)

struct vtd_unit {
    /* set by vtd_init(), constant afterwards */
    unsigned index;
    bool answers; /* it takes commands */
    bool blocks;  /* its devices reach nothing that no domain allows */
    bool usable;  /* it can do more than block; if not, no device in its scope is given away */
    uint8_t *regs;
    const struct dmar_unit *dmar;
    uint64_t cap, ecap;
    struct u128 *root; /* one entry per bus, each to 256 context entries */
    bool queued;       /* invalidation by queue, not by registers */

    /* hold lock: commands and the queue */
    struct spinlock lock;
    struct u128 *queue; /* one page */
    unsigned queue_tail;
    uint32_t ticket; /* written by the last wait descriptor */
    uint32_t status; /* where the unit writes the ticket; never on a stack: it may answer late */

    /* fault.c */
    unsigned faults_seen; /* since the last tick */
    bool faults_masked;   /* too many of them: no event, vtd_fault_tick() looks */
};

struct vtd_domain {
    bool used;
    unsigned id; /* domain-id, from 1 on: caching mode tags what is not present with 0 */
    unsigned device_count;
    uint64_t unit_mask; /* units that may have cached something of this domain */
    struct spinlock lock;
    struct radix tree; /* without a root: untranslated */
};

/* The source-id that may use an interrupt remapping table entry. */
struct irte_slot {
    bool used;
    bdf_t source_id;
};

/* The faults of a source-id since boot. */
struct fault_source {
    bool used;
    bdf_t source_id;
    int budget; /* of log lines */
    uint64_t count;
};

#define VTD_DOMAIN_MAX 64
#define FAULT_SOURCES  64

/* All units together. A second-stage table serves every unit, so it has what all of them have. */
struct vtd_state {
    bool active, interrupt_remapping;
    const char *no_posting;   /* why the units do not post; NULL, with active: they do */
    bool eime, eime_required; /* 32-bit APIC ids in interrupt entries; some unit knows no others */
    bool coherent;            /* every unit snoops our caches */
    bool caching_mode;        /* some unit caches what is not present */
    bool snoop_control, pages_2m, pages_1g;
    unsigned levels;       /* of second-stage tables: 3 or 4 */
    unsigned address_bits; /* an IOVA is below 2^this */
    unsigned domain_count; /* domain-ids below this */
    unsigned unit_count;
    struct vtd_unit units[DMAR_UNIT_MAX];
    struct dmar dmar;

    struct spinlock context_lock; /* root and context tables, domains */
    struct vtd_domain domains[VTD_DOMAIN_MAX];

    struct spinlock irt_lock;
    struct u128 *irt;                     /* interrupt remapping table, one for all units */
    struct irte_slot slots[VTD_IRTE_MAX]; /* who has an entry, present or not */

    struct spinlock fault_lock;
    struct fault_source fault_sources[FAULT_SOURCES];
    void (*fault_handler)(const struct vtd_fault *fault);
};
extern struct vtd_state vtd;

/* Each unit that can be driven; each of them that may have cached something of the domain. */
#define FOR_UNITS(u)                                                                               \
    for (struct vtd_unit *u = vtd.units; u < vtd.units + vtd.unit_count; u++)                      \
        if (u->usable)
#define FOR_UNITS_OF(u, domain)                                                                    \
    FOR_UNITS(u)                                                                                   \
        if ((domain)->unit_mask & BIT(u->index))

/* unit.c. Registers by offset from the unit's base, see vtd/vtd_regs.h. */
uint32_t vtd_read32(const struct vtd_unit *u, unsigned reg);
uint64_t vtd_read64(const struct vtd_unit *u, unsigned reg);
void vtd_write32(struct vtd_unit *u, unsigned reg, uint32_t v);
void vtd_write64(struct vtd_unit *u, unsigned reg, uint64_t v);
/* Set or clear one bit of Global Command and wait for the unit's answer; -ETIMEDOUT (logged). With
 * u->lock held, except during vtd_init(). VT-d "Global Command Register". */
MUST_CHECK int unit_command(struct vtd_unit *u, uint64_t bit, bool on);
/* Let the units see [p, p + size) of a table: write it back if some unit does not snoop. Called
 * after each store on which a unit may act, before the store that leads the unit to it. */
void unit_publish(const void *p, size_t size);
/* Replace an entry of a table in one store: a unit may read it at any moment. The address in a
 * posted interrupt entry, e.g., is spread over both halves; with one half old and the other new,
 * the unit would write to an address that is in neither. */
void unit_publish_entry(struct u128 *entry, struct u128 value);

/* scope.c: the unit that serves the source-id; NULL: none, or one that cannot be driven. */
struct vtd_unit *vtd_unit_of(bdf_t source_id);
/* The unit in whose scope DMAR has it, whatever that unit can do; NULL: none. */
struct vtd_unit *scope_unit(bdf_t source_id);

/* invalidate.c: VT-d "Invalidation of Translation Caches". After the change of a table is
 * published. Each returns when the unit is done, or panics: a stale cache is not safe. */
MUST_CHECK int invalidate_init(struct vtd_unit *u); /* set up the queue; -ENOMEM, -ETIMEDOUT */
void invalidate_all(struct vtd_unit *u);            /* context-cache and IOTLB */
void invalidate_domain(struct vtd_unit *u, unsigned did);
/* The context entry of the source-id, and the translations of the domain that it named. */
void invalidate_device(struct vtd_unit *u, unsigned did, bdf_t source_id);
/* Translations of at least [iova, iova + size). size > 0, in bytes. */
void invalidate_iotlb_range(struct vtd_unit *u, unsigned did, uint64_t iova, uint64_t size);
/* Interrupt entries; count: a power of two, index a multiple of it. */
void invalidate_iec_all(struct vtd_unit *u);
void invalidate_iec(struct vtd_unit *u, unsigned index, unsigned count);
/* An entry has become present: a unit without caching mode has nothing to drop, but the store may
 * still wait in a buffer (CAP.RWBF). VT-d "Write Buffer Flushing". */
void invalidate_write_buffer(struct vtd_unit *u);

/* context.c: an empty root table; -ENOMEM. */
MUST_CHECK int context_init(struct vtd_unit *u);

/* sspt.c: an empty tree that all units can walk; -ENOMEM. */
MUST_CHECK int sspt_init(struct radix *tree);

/* intremap.c: the empty table (-ENOMEM), and remapping by it (unless ir=off; -ENOMEM,
 * -ETIMEDOUT). */
MUST_CHECK int intremap_init(void);
MUST_CHECK int intremap_enable(struct vtd_unit *u);

/* fault.c: neither fails; both are steps of vtd_init(). */
int fault_init(struct vtd_unit *u);   /* events are masked, old records are cleared */
int fault_enable(struct vtd_unit *u); /* from here on events interrupt this CPU */
void fault_interrupt(void *ctx);
