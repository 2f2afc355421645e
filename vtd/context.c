/* SPDX-License-Identifier: MIT */
/*
 * Which domain a request belongs to: the bus of its source-id picks a root entry, device and
 * function pick a context entry, and that names the second-stage table. An entry that is not
 * present blocks the request.
 * From: guest/assign/assign.c, guest/assign/dma.c, vtd/init.c.   To: vtd/sspt.c (the table), invalidate.c.
 * Spec: VT-d "Mapping Devices to Domains", "Context-Entry Programming Considerations".
 *
 * A device with a translation cache of its own (ATS) cannot use it: every entry says "untranslated
 * requests only", so the unit refuses requests that fill such a cache and blocks those that come
 * out of one. To invalidate the cache we would have to trust the device; we trust no device. So
 * there is no device-TLB to invalidate, whatever firmware or guest wrote into the device.
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

/* The unit forgets what it knew of the source-id. In this order: it may tag new translations with
 * what is still in its context-cache. */
static void forget(struct vtd_unit *u, unsigned did, bdf_t source_id)
{
    invalidate_context_device(u, did, source_id);
    invalidate_iotlb_domain(u, did);
}

static struct u128 *context_table_new(struct vtd_unit *u, struct u128 *root)
{
    struct u128 *table = page_alloc();
    if (!table)
        return NULL;
    unit_publish(table, PAGE_SIZE);
    unit_publish_entry(root, (struct u128){.lo = ROOT_P | (ptr_hpa(table).v & ROOT_CTP)});
    if (vtd.caching_mode) {
        invalidate_context_all(u);
        invalidate_iotlb_all(u);
    }
    return table;
}

/* The context entry of the source-id; NULL: its bus has no table (create: no memory for one). */
static struct u128 *context_entry(struct vtd_unit *u, bdf_t source_id, bool create)
{
    struct u128 *root = &u->root[BDF_BUS(source_id)];
    struct u128 *table = NULL;
    if (root->lo & ROOT_P)
        table = hpa_ptr(hpa(root->lo & ROOT_CTP));
    else if (create)
        table = context_table_new(u, root);
    return table ? &table[BDF_DEVFN(source_id)] : NULL;
}

/* VT-d "Context Entry": for pass-through AW names the widest table that the unit could walk. */
static struct u128 entry_untranslated(const struct vtd_unit *u, unsigned did)
{
    unsigned widest = 31 - (unsigned)__builtin_clz((unsigned)FIELD_GET(CAP_SAGAW, u->cap));
    return (struct u128){.lo = CTX_P | FIELD_SET(CTX_TT, CTX_TT_PASS_THROUGH),
                         .hi = FIELD_SET(CTX_AW, widest) | FIELD_SET(CTX_DID, did)};
}

static struct u128 entry_for(const struct vtd_unit *u, const struct vtd_domain *d)
{
    if (!d->tree.root)
        return entry_untranslated(u, d->id);
    return (struct u128){.lo = CTX_P | FIELD_SET(CTX_TT, CTX_TT_UNTRANSLATED) |
                               (ptr_hpa(d->tree.root).v & CTX_SSPTPTR),
                         .hi = FIELD_SET(CTX_AW, vtd.levels - 2) | FIELD_SET(CTX_DID, d->id)};
}

/* The old entry leaves: what was cached under its domain-id goes, its domain has a device less. */
static void entry_retire(struct vtd_unit *u, struct u128 old, bdf_t source_id)
{
    unsigned did = (unsigned)FIELD_GET(CTX_DID, old.hi);
    forget(u, did, source_id);
    invariant(did > 0 && did <= VTD_DOMAIN_MAX && vtd.domains[did - 1].device_count > 0);
    vtd.domains[did - 1].device_count--;
}

static int attach_locked(struct vtd_domain *d, struct vtd_unit *u, bdf_t source_id)
{
    struct u128 *entry = context_entry(u, source_id, true);
    if (!entry)
        return FAIL(ENOMEM, "no page for the context table of bus %02x", BDF_BUS(source_id));
    struct u128 old = *entry;
    d->unit_mask |= (uint32_t)BIT(u->index); /* before it can cache anything */
    d->device_count++;
    unit_publish_entry(entry, entry_for(u, d));
    if (old.lo & CTX_P)
        entry_retire(u, old, source_id);
    else if (vtd.caching_mode)
        forget(u, 0, source_id); /* entries that were not present are cached under domain-id 0 */
    else
        invalidate_write_buffer(u);
    return 0;
}

void vtd_prepare(bdf_t source_id)
{
    struct vtd_unit *u = unit_of(source_id);
    if (!u)
        return;
    spin_lock(&vtd.context_lock);
    (void)context_entry(u, source_id, true);
    spin_unlock(&vtd.context_lock);
}

int vtd_attach(struct vtd_domain *d, bdf_t source_id)
{
    struct vtd_unit *u = unit_of(source_id);
    if (!u)
        return FAIL(ENODEV, "no unit serves " BDF_FMT, BDF_ARG(source_id));
    spin_lock(&vtd.context_lock);
    int err = attach_locked(d, u, source_id);
    spin_unlock(&vtd.context_lock);
    if (!err)
        log_trace("attached sid=" BDF_FMT " domain=%u unit=%u", BDF_ARG(source_id), d->id,
                  u->index);
    return err;
}

void vtd_detach(bdf_t source_id)
{
    struct vtd_unit *u = unit_of(source_id);
    if (!u)
        return;
    spin_lock(&vtd.context_lock);
    struct u128 *entry = context_entry(u, source_id, false);
    if (entry && (entry->lo & CTX_P)) {
        struct u128 old = *entry;
        unit_publish_entry(entry, (struct u128){0});
        entry_retire(u, old, source_id);
        log_trace("detached sid=" BDF_FMT, BDF_ARG(source_id));
    }
    spin_unlock(&vtd.context_lock);
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
            *d = (struct vtd_domain){.used = true, .id = i + 1, .tree = tree};
        }
    spin_unlock(&vtd.context_lock);
    return d;
}

struct vtd_domain *vtd_domain_create(void)
{
    if (!vtd.active)
        return NULL;
    struct radix tree;
    int err = sspt_init(&tree);
    struct vtd_domain *d = err < 0 ? NULL : domain_take(tree);
    if (!d) {
        log_error("no domain: %s", err < 0 ? "no page for its table" : "all domain-ids are taken");
        if (err == 0)
            radix_free(&tree);
    }
    return d;
}

struct vtd_domain *vtd_domain_create_untranslated(void)
{
    for (unsigned i = 0; i < vtd.unit_count; i++)
        if (vtd.units[i].usable && !(vtd.units[i].ecap & ECAP_PT)) {
            log_error("unit %u has no pass-through: no device can go untranslated", i);
            return NULL;
        }
    struct vtd_domain *d = vtd.active ? domain_take((struct radix){0}) : NULL;
    if (!d)
        log_error("no domain: no unit, or all domain-ids are taken");
    return d;
}

void vtd_domain_destroy(struct vtd_domain *d)
{
    spin_lock(&vtd.context_lock);
    invariant(d->used && d->device_count == 0);
    for (unsigned i = 0; i < vtd.unit_count; i++)
        if (d->unit_mask & BIT(i)) {
            invalidate_context_domain(&vtd.units[i], d->id);
            invalidate_iotlb_domain(&vtd.units[i], d->id);
        }
    if (d->tree.root)
        radix_free(&d->tree);
    d->used = false;
    spin_unlock(&vtd.context_lock);
}

unsigned vtd_domain_id(const struct vtd_domain *d) { return d->id; }
