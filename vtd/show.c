/* SPDX-License-Identifier: MIT */
/*
 * What only the monitor asks for: the state of a unit, a request's way through the live tables with
 * every entry on it, and the source-ids that had faults.
 * From: monitor/.   To: vtd/unit.c (registers), scope.c.
 * Spec: VT-d "Legacy Mode Address Translation".
 */
#include "vtd/unit.h"
#include "vtd/vtd_regs.h"

bool vtd_unit_state(unsigned n, struct vtd_unit_state *out)
{
    if (n >= vtd.unit_count)
        return false;
    const struct vtd_unit *u = &vtd.units[n];
    *out = (struct vtd_unit_state){.base = u->dmar->base,
                                   .segment = u->dmar->segment,
                                   .usable = u->usable,
                                   .include_all = u->dmar->include_all,
                                   .cap = u->cap,
                                   .ecap = u->ecap};
    if (!u->usable)
        return true;
    out->version = vtd_read32(u, VTD_VER);
    out->status = vtd_read32(u, VTD_GSTS);
    out->fault_status = vtd_read32(u, VTD_FSTS);
    out->root = vtd_read64(u, VTD_RTADDR);
    out->irta = vtd_read64(u, VTD_IRTA);
    out->queue_head = (unsigned)(vtd_read64(u, VTD_IQH) >> IQ_DESC_SHIFT);
    out->queue_tail = (unsigned)(vtd_read64(u, VTD_IQT) >> IQ_DESC_SHIFT);
    return true;
}

static void walk_second_stage(struct vtd_walk *w, gpa_t iova)
{
    struct radix tree = {.root = hpa_ptr(hpa(w->context.lo & CTX_SSPTPTR)),
                         .levels = w->levels,
                         .present = SS_R | SS_W};
    w->count = radix_path(&tree, iova.v, w->entries);
    uint64_t last = w->entries[w->count - 1];
    w->mapped = last & (SS_R | SS_W);
    if (w->mapped)
        w->to = radix_target(last, iova.v, w->levels + 1 - w->count);
}

bool vtd_walk(bdf_t source_id, gpa_t iova, struct vtd_walk *out)
{
    const struct vtd_unit *u = vtd_unit_of(source_id);
    *out = (struct vtd_walk){.levels = vtd.levels};
    if (!u)
        return false;
    out->unit = u->index;
    out->root = u->root[BDF_BUS(source_id)];
    if (!(out->root.lo & ROOT_P))
        return true;
    const struct u128 *contexts = hpa_ptr(hpa(out->root.lo & ROOT_CTP));
    out->context = contexts[BDF_DEVFN(source_id)];
    if (!(out->context.lo & CTX_P))
        return true;
    if (FIELD_GET(CTX_TT, out->context.lo) == CTX_TT_PASS_THROUGH) {
        out->mapped = true; /* there is no table to walk */
        out->to = hpa(iova.v);
    } else if (iova.v < BIT(vtd.address_bits)) {
        walk_second_stage(out, iova);
    }
    return true;
}

bool vtd_fault_source(unsigned n, bdf_t *source_id, uint64_t *count)
{
    if (n >= FAULT_SOURCES || !vtd.fault_sources[n].used)
        return false;
    *source_id = vtd.fault_sources[n].source_id;
    *count = vtd.fault_sources[n].count;
    return true;
}
