/* SPDX-License-Identifier: MIT */
/*
 * The model of the unit, its other half: what becomes of a device's request, by way of the caches.
 * From: tests/unit/vtd_model.h.
 * Spec: VT-d "Legacy Mode Address Translation", "Interrupt-Remapping Hardware Operation".
 */
#include "tests/unit/test.h"
#include "tests/unit/vtd_model.h"

static void context_remember(struct model_unit *m, bdf_t sid, unsigned did, struct u128 entry)
{
    for (unsigned i = 0; i < MODEL_CACHE; i++)
        if (!m->contexts[i].valid) {
            m->contexts[i] = (struct model_context){true, sid, did, entry};
            return;
        }
}

/* The context entry, cached or walked; 0 or the fault's reason. */
static uint8_t context_of(struct model_unit *m, bdf_t sid, struct u128 *out)
{
    for (unsigned i = 0; i < MODEL_CACHE; i++)
        if (m->contexts[i].valid && m->contexts[i].source_id == sid) {
            *out = m->contexts[i].entry;
            return out->lo & CTX_P ? 0 : 2;
        }
    struct u128 root = model_read_128(hpa((m->rtaddr_latched & RTADDR_RTA) + BDF_BUS(sid) * 16));
    *out = (struct u128){0};
    if (m->no_root[BDF_BUS(sid)])
        root.lo = 0;
    m->no_root[BDF_BUS(sid)] = (m->cap & CAP_CM) && !(root.lo & ROOT_P);
    if (root.lo & ROOT_P)
        *out = model_read_128(hpa((root.lo & ROOT_CTP) + BDF_DEVFN(sid) * 16));
    if (out->lo & CTX_P)
        context_remember(m, sid, (unsigned)FIELD_GET(CTX_DID, out->hi), *out);
    else if (m->cap & CAP_CM)
        context_remember(m, sid, 0, *out);
    if (!(root.lo & ROOT_P))
        return 1;
    return out->lo & CTX_P ? 0 : 2;
}

static void translation_remember(struct model_unit *m, struct model_translation t)
{
    for (unsigned i = 0; i < MODEL_CACHE; i++)
        if (!m->translations[i].valid) {
            m->translations[i] = t;
            return;
        }
}

/* Walk the second stage; 0 or the fault's reason. */
static uint8_t walk(struct model_unit *m, struct u128 context, uint64_t iova,
                    struct model_translation *t)
{
    unsigned level = (unsigned)FIELD_GET(CTX_AW, context.hi) + 2;
    bool through = FIELD_GET(CTX_TT, context.lo) == CTX_TT_PASS_THROUGH;
    if (!(FIELD_GET(CAP_SAGAW, m->cap) & BIT(level - 2)) || (through && !(m->ecap & ECAP_PT)))
        return 3;
    if (iova >> MIN(12 + 9 * level, FIELD_GET(CAP_MGAW, m->cap) + 1))
        return 4;
    if (through) {
        t->size = PAGE_SIZE;
        t->iova = ALIGN_DOWN(iova, PAGE_SIZE);
        t->entry = t->iova | SS_R | SS_W;
        return FIELD_GET(CAP_SAGAW, m->cap) >> (level - 1) ? 3 : 0; /* AW is the widest there is */
    }
    uint64_t table = context.lo & CTX_SSPTPTR;
    for (;; level--) {
        t->size = PAGE_SIZE << (9 * (level - 1));
        t->iova = ALIGN_DOWN(iova, t->size);
        t->entry = model_read(hpa(table + iova / t->size % 512 * 8));
        if (!(t->entry & (SS_R | SS_W)))
            return 0;
        if ((t->entry & SS_SNP) && !(m->ecap & ECAP_SC))
            return 0xc;
        if (level == 1)
            return 0;
        if (t->entry & SS_PS) {
            bool known = m->cap & (level == 2 ? CAP_SSLPS_2M : CAP_SSLPS_1G);
            return known && level < 4 && !(t->entry & SS_ADDR & (t->size - 1)) ? 0 : 0xc;
        }
        table = t->entry & SS_ADDR;
    }
}

static uint8_t translate(struct model_unit *m, bdf_t sid, uint64_t iova,
                         struct model_translation *t)
{
    for (unsigned i = 0; i < MODEL_CACHE; i++) {
        *t = m->translations[i];
        if (t->valid && t->source_id == sid && iova >= t->iova && iova < t->iova + t->size)
            return 0;
    }
    struct u128 context;
    uint8_t reason = context_of(m, sid, &context);
    *t = (struct model_translation){.valid = true,
                                    .source_id = sid,
                                    .did = (unsigned)FIELD_GET(CTX_DID, context.hi),
                                    .unreported = reason != 1 && (context.lo & CTX_FPD)};
    if (reason)
        return reason;
    reason = walk(m, context, iova, t);
    if (!reason && ((t->entry & (SS_R | SS_W)) || (m->cap & CAP_CM)))
        translation_remember(m, *t);
    return reason;
}

bool model_dma(unsigned n, bdf_t source_id, uint64_t iova, bool write, uint64_t *to)
{
    struct model_unit *m = &model[n];
    struct model_translation t = {.iova = 0, .entry = PAGE_SIZE | SS_R | SS_W, .size = UINT64_MAX};
    *to = iova;
    if (!(m->gsts & GCMD_TE)) /* protected memory is all or nothing here */
        return !(m->pmen & PMEN_PRS);
    uint8_t reason = translate(m, source_id, iova, &t);
    if (!reason && !(t.entry & (write ? SS_W : SS_R)))
        reason = write ? 5 : 6;
    if (reason) {
        if (!t.unreported)
            model_fault(n, source_id, reason, !write, iova);
        return false;
    }
    *to = (t.entry & SS_ADDR) + (iova - t.iova);
    return true;
}

static struct u128 interrupt_entry(struct model_unit *m, unsigned index)
{
    for (unsigned i = 0; i < MODEL_CACHE; i++)
        if (m->interrupts[i].valid && m->interrupts[i].index == index)
            return m->interrupts[i].entry;
    struct u128 entry = model_read_128(hpa((m->irta_latched & IRTA_IRTA) + index * 16));
    for (unsigned i = 0; i < MODEL_CACHE && ((entry.lo & IRTE_P) || (m->cap & CAP_CM)); i++)
        if (!m->interrupts[i].valid) {
            m->interrupts[i] = (struct model_interrupt_entry){true, index, entry};
            break;
        }
    return entry;
}

static uint8_t source_check(struct u128 entry, bdf_t sid)
{
    unsigned want = (unsigned)FIELD_GET(IRTE_SID, entry.hi);
    switch (FIELD_GET(IRTE_SVT, entry.hi)) {
    case IRTE_SVT_SID:
        return want == sid ? 0 : 0x26;
    case IRTE_SVT_BUS:
        return BDF_BUS(sid) >= want >> 8 && BDF_BUS(sid) <= (want & 0xff) ? 0 : 0x26;
    default:
        fail_msg("an interrupt entry without source verification");
        return 0x26;
    }
}

static struct model_message deliver(struct model_unit *m, struct u128 e)
{
    struct model_message r = {.vector = (uint8_t)FIELD_GET(IRTE_V, e.lo)};
    if (e.lo & IRTE_IM) {
        assert_true(m->cap & CAP_PI);
        r.outcome = MODEL_POSTED;
        r.urgent = e.lo & IRTE_URG;
        r.descriptor = FIELD_GET(IRTE_PDA_HIGH, e.hi) << 32 | FIELD_GET(IRTE_PDA_LOW, e.lo) << 6;
        return r;
    }
    r.outcome = MODEL_REMAPPED;
    r.level = e.lo & IRTE_TM;
    r.destination = (uint32_t)(m->irta_latched & IRTA_EIME ? FIELD_GET(IRTE_DST, e.lo)
                                                           : FIELD_GET(IRTE_DST_XAPIC, e.lo));
    return r;
}

struct model_message model_interrupt(unsigned n, bdf_t source_id, uint64_t address, uint16_t data)
{
    struct model_unit *m = &model[n];
    struct model_message r = {.outcome = MODEL_COMPATIBILITY, .vector = (uint8_t)data};
    if (!(m->gsts & GCMD_IRE) || (!(address & MSI_REMAPPABLE) && (m->gsts & GCMD_CFI)))
        return r;
    unsigned index = (unsigned)FIELD_GET(MSI_INDEX_LOW, address) |
                     (unsigned)FIELD_GET(MSI_INDEX_15, address) << 15;
    index += address & MSI_SHV ? data : 0;
    uint8_t reason = 0;
    struct u128 entry = {0};
    if (!(address & MSI_REMAPPABLE))
        reason = 0x25;
    else if (index >= 2u << FIELD_GET(IRTA_S, m->irta_latched))
        reason = 0x21;
    else {
        entry = interrupt_entry(m, index);
        reason = entry.lo & IRTE_P ? source_check(entry, source_id) : 0x22;
    }
    if (!reason)
        return deliver(m, entry);
    bool qualified = reason == 0x22 || reason == 0x26;
    if (!qualified || !(entry.lo & IRTE_FPD))
        model_fault(n, source_id, reason, false, index);
    r.outcome = MODEL_BLOCKED;
    return r;
}
