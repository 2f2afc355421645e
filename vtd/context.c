/* SPDX-License-Identifier: MIT */
/*
 * Which domain a request belongs to. The bus of its source-id picks a root entry, device and
 * function pick a context entry, and the context entry names the second-stage table. An entry that
 * is not present blocks the request.
 * From: guest/assign/assign.c, guest/assign/dma.c, vtd/init.c.
 * To: vtd/sspt.c (the table), invalidate.c.
 * Spec: VT-d "Mapping Devices to Domains", "Context-Entry Programming Considerations".
 *
 * A device with a translation cache of its own (ATS) cannot use it: every entry says "untranslated
 * requests only", so the unit refuses requests that fill such a cache and blocks requests that come
 * out of one. To invalidate the cache, Hamlet would have to trust the device. So there is no
 * device-TLB to invalidate, whatever firmware or guest wrote into the device.
 */
#include "vtd/unit.h"
#include "arch/page.h"
#include "arch/panic.h"
#include "vtd/vtd_regs.h"
#define LOG "vtd"
#include "arch/log.h"

int context_init(struct vtd_unit *u)
{
    u->root = page_alloc();
    if (!u->root)
        return FAIL(ENOMEM, "unit %u: no page for the root table", u->index);
    unit_publish(u->root, PAGE_SIZE);
    return 0;
}

/* The context entry of the source-id; NULL: its bus has no table (create: no memory for one). */
static struct u128 *context_entry(struct vtd_unit *u, bdf_t source_id, bool create)
{
    struct u128 *root = &u->root[BDF_BUS(source_id)];
    if (root->lo & ROOT_P)
        return (struct u128 *)hpa_ptr(hpa(root->lo & ROOT_CTP)) + BDF_DEVFN(source_id);
    struct u128 *table = create ? page_alloc() : NULL;
    if (!table)
        return NULL;
    /* The empty table is in memory before the root entry names it: the unit may walk in between. */
    unit_publish(table, PAGE_SIZE);
    unit_publish_entry(root, (struct u128){.lo = ROOT_P | (ptr_hpa(table).v & ROOT_CTP)});
    if (vtd.caching_mode)
        invalidate_all(u);
    return &table[BDF_DEVFN(source_id)];
}

static struct u128 entry_for(const struct vtd_unit *u, const struct vtd_domain *d)
{
    if (d->tree.root)
        return (struct u128){.lo = CTX_P | FIELD_SET(CTX_TT, CTX_TT_UNTRANSLATED) |
                                   (ptr_hpa(d->tree.root).v & CTX_SSPTPTR),
                             .hi = FIELD_SET(CTX_AW, vtd.levels - 2) | FIELD_SET(CTX_DID, d->id)};
    /* VT-d "Context Entry": for pass-through AW names the widest table that the unit could walk. */
    unsigned widest = 31 - (unsigned)__builtin_clz((unsigned)FIELD_GET(CAP_SAGAW, u->cap));
    return (struct u128){.lo = CTX_P | FIELD_SET(CTX_TT, CTX_TT_PASS_THROUGH),
                         .hi = FIELD_SET(CTX_AW, widest) | FIELD_SET(CTX_DID, d->id)};
}

/* The flush comes after the store, or else the unit could cache the old entry again in between. The
 * domain-id of an entry that is not present is 0; a unit in caching mode caches such an entry under
 * this id. VT-d "Caching Mode". */
static void entry_write(struct vtd_unit *u, struct u128 *entry, struct u128 new, bdf_t source_id)
{
    struct u128 old = *entry;
    unit_publish_entry(entry, new);
    if ((old.lo & CTX_P) || vtd.caching_mode)
        invalidate_device(u, (unsigned)FIELD_GET(CTX_DID, old.hi), source_id);
    else
        invalidate_write_buffer(u);
}

/* The same, and the domain that the old entry named has a device less. */
static void entry_replace(struct vtd_unit *u, struct u128 *entry, struct u128 new, bdf_t source_id)
{
    struct u128 old = *entry;
    unsigned did = (unsigned)FIELD_GET(CTX_DID, old.hi);
    entry_write(u, entry, new, source_id);
    if (old.lo & CTX_P) {
        invariant(did > 0 && did <= VTD_DOMAIN_MAX && vtd.domains[did - 1].device_count > 0);
        vtd.domains[did - 1].device_count--;
    }
}

void vtd_prepare(bdf_t source_id)
{
    struct vtd_unit *u = vtd_unit_of(source_id);
    if (!u)
        return;
    spin_lock(&vtd.context_lock);
    context_entry(u, source_id, true);
    spin_unlock(&vtd.context_lock);
}

int vtd_attach(struct vtd_domain *d, bdf_t source_id)
{
    struct vtd_unit *u = vtd_unit_of(source_id);
    if (!u)
        return FAIL(ENODEV, "no unit serves " BDF_FMT, BDF_ARG(source_id));
    spin_lock(&vtd.context_lock);
    struct u128 *entry = context_entry(u, source_id, true);
    if (entry) {
        d->unit_mask |= BIT(u->index); /* before the unit can cache anything */
        d->device_count++;
        entry_replace(u, entry, entry_for(u, d), source_id);
    }
    spin_unlock(&vtd.context_lock);
    if (!entry)
        return FAIL(ENOMEM, "no page for the context table of bus %02x", BDF_BUS(source_id));
    log_trace("attached sid=" BDF_FMT " domain=%u unit=%u", BDF_ARG(source_id), d->id, u->index);
    return 0;
}

void vtd_detach(bdf_t source_id)
{
    struct vtd_unit *u = vtd_unit_of(source_id);
    if (!u)
        return;
    spin_lock(&vtd.context_lock);
    struct u128 *entry = context_entry(u, source_id, false);
    if (entry && (entry->lo & CTX_P)) {
        entry_replace(u, entry, (struct u128){0}, source_id);
        log_trace("detached sid=" BDF_FMT, BDF_ARG(source_id));
    }
    spin_unlock(&vtd.context_lock);
}

/* Whether faults of the source-id are recorded, present entry or not. VT-d "Context Entry": FPD. */
static void faults_record(struct vtd_unit *u, bdf_t source_id, bool on)
{
    spin_lock(&vtd.context_lock);
    struct u128 *entry = context_entry(u, source_id, !on);
    if (entry && !!(entry->lo & CTX_FPD) == on)
        entry_write(u, entry, (struct u128){.lo = entry->lo ^ CTX_FPD, .hi = entry->hi}, source_id);
    spin_unlock(&vtd.context_lock);
}

void vtd_fault_silence(const struct vtd_fault *f)
{
    faults_record(&vtd.units[f->unit], f->source_id, false);
}

void vtd_fault_listen(bdf_t source_id)
{
    struct vtd_unit *u = vtd_unit_of(source_id);
    if (u)
        faults_record(u, source_id, true);
}

/* Domains */

unsigned vtd_domains_used(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < VTD_DOMAIN_MAX; i++)
        n += vtd.domains[i].used;
    return n;
}

static struct vtd_domain *domain_take(struct radix tree)
{
    struct vtd_domain *d = NULL;
    unsigned count = MIN((unsigned)VTD_DOMAIN_MAX, vtd.domain_count - 1);
    spin_lock(&vtd.context_lock);
    for (unsigned i = 0; i < count && !d; i++)
        if (!vtd.domains[i].used) {
            d = &vtd.domains[i];
            *d =
                (struct vtd_domain){.used = true, .id = i + 1, .tree = tree, .lock.name = "domain"};
        }
    spin_unlock(&vtd.context_lock);
    if (!d)
        log_error("no domain: all domain-ids are taken");
    return d;
}

struct vtd_domain *vtd_domain_create(void)
{
    if (!vtd.active)
        return NULL;
    struct radix tree;
    if (sspt_init(&tree)) {
        log_error("no domain: no page for its table");
        return NULL;
    }
    struct vtd_domain *d = domain_take(tree);
    if (!d)
        radix_free(&tree);
    return d;
}

struct vtd_domain *vtd_domain_create_untranslated(void)
{
    FOR_UNITS(u)
        if (!(u->ecap & ECAP_PT)) {
            log_error("unit %u has no pass-through: no device can go untranslated", u->index);
            return NULL;
        }
    if (!vtd.active) {
        log_error("no domain: no unit");
        return NULL;
    }
    return domain_take((struct radix){0});
}

void vtd_domain_destroy(struct vtd_domain *d)
{
    spin_lock(&vtd.context_lock);
    invariant(d->used && d->device_count == 0);
    /* Before the tables and the domain-id are used again: the caches know both. */
    FOR_UNITS_OF(u, d)
        invalidate_domain(u, d->id);
    if (d->tree.root)
        radix_free(&d->tree);
    d->used = false;
    spin_unlock(&vtd.context_lock);
}

unsigned vtd_domain_id(const struct vtd_domain *d) { return d->id; }
