/* SPDX-License-Identifier: MIT */
/*
 * Which function the scopes of DMAR mean: the unit that serves a source-id, the memory that the
 * firmware reserves for a function (RMRR), and the source-id of an I/O APIC.
 * From: vtd/context.c, show.c, guest/assign/audit.c, intx.c, guest/core/reserved.c.
 * To: vtd/dmar.c.
 * Spec: VT-d "Device Scope Structure", "Reserved Memory Region Reporting Structure".
 */
#include "vtd/unit.h"
#include "pci/pci.h"

static uint8_t secondary_bus(bdf_t bridge)
{
    const struct pci_function *f = pci_find(bridge);
    return f ? f->secondary_bus : 0;
}

static bool scope_covers(const struct dmar_scope *s, bdf_t source_id)
{
    bdf_t at;
    if (!dmar_scope_resolve(s, secondary_bus, &at))
        return false;
    if (at == source_id)
        return true;
    const struct pci_function *bridge = s->type == DMAR_SCOPE_BRIDGE ? pci_find(at) : NULL;
    return bridge && bridge->secondary_bus && BDF_BUS(source_id) >= bridge->secondary_bus &&
           BDF_BUS(source_id) <= bridge->subordinate_bus;
}

static bool scopes_cover(struct dmar_scopes run, bdf_t source_id)
{
    for (unsigned i = 0; i < run.count; i++)
        if (scope_covers(&vtd.dmar.scopes[run.first + i], source_id))
            return true;
    return false;
}

/* Scopes name physical functions only: a virtual one belongs to the unit, and to the reserved
 * memory, of its physical function. */
static bdf_t name_in_scopes(bdf_t source_id)
{
    const struct pci_function *f = pci_find(source_id);
    return f && f->physical ? f->physical->bdf : source_id;
}

struct vtd_unit *scope_unit(bdf_t source_id)
{
    struct vtd_unit *found = NULL;
    source_id = name_in_scopes(source_id);
    for (unsigned i = 0; i < vtd.unit_count; i++) {
        struct vtd_unit *u = &vtd.units[i];
        if (u->dmar->segment != 0) /* a bdf_t names a function of segment 0 */
            continue;
        if (scopes_cover(u->dmar->scopes, source_id))
            return u;
        if (u->dmar->include_all)
            found = u; /* of all that no other unit names */
    }
    return found;
}

struct vtd_unit *vtd_unit_of(bdf_t source_id)
{
    struct vtd_unit *u = vtd.active ? scope_unit(source_id) : NULL;
    return u && u->usable ? u : NULL;
}

bool vtd_covers(bdf_t bdf) { return vtd_unit_of(bdf) != NULL; }

/* Memory that the firmware reserves for devices */

static bool rmrr_covers(const struct dmar_rmrr *r, bdf_t bdf)
{
    return r->segment == 0 && scopes_cover(r->scopes, name_in_scopes(bdf));
}

bool vtd_rmrr(bdf_t bdf, unsigned n, hpa_t *base, uint64_t *size)
{
    for (unsigned i = 0; i < vtd.dmar.rmrr_count; i++) {
        const struct dmar_rmrr *r = &vtd.dmar.rmrrs[i];
        if (!rmrr_covers(r, bdf) || n--)
            continue;
        *base = r->base;
        *size = ALIGN_UP(r->limit.v - r->base.v + 1, PAGE_SIZE);
        return true;
    }
    return false;
}

bool vtd_ioapic_source(uint8_t ioapic_id, bdf_t *source_id)
{
    for (unsigned i = 0; i < vtd.dmar.scope_count; i++) {
        const struct dmar_scope *s = &vtd.dmar.scopes[i];
        if (s->type == DMAR_SCOPE_IOAPIC && s->enumeration_id == ioapic_id)
            return dmar_scope_resolve(s, secondary_bus, source_id);
    }
    return false;
}
