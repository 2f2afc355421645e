/* SPDX-License-Identifier: MIT */
/*
 * The model of the unit: see vtd_model.h. It is strict where QEMU's is lenient: 64-bit accesses
 * to 32-bit registers, reserved granularities and invalidation registers used beside the queue
 * end the test.
 * From: tests/unit/vtd_model.h.
 * Spec: VT-d "Register Descriptions".
 */
#include "tests/unit/vtd_model.h"
#include "arch/io.h"
#include "tests/unit/test.h"
#include <string.h>

struct model_unit model[MODEL_UNITS];

#define IVA_OFFSET   0xf0
#define IOTLB_OFFSET (IVA_OFFSET + IOTLB_REG_OFFSET)
#define FRCD_OFFSET  0x220

/* Faults */

static void event(struct model_unit *m)
{
    if (m->fectl & FECTL_IM)
        m->fectl |= (uint32_t)FECTL_IP;
    else
        m->events++;
}

static void event_settle(struct model_unit *m)
{
    if (!(m->fsts & ~(uint32_t)FSTS_FRI))
        m->fectl &= ~(uint32_t)FECTL_IP;
}

static void event_control(struct model_unit *m, uint32_t v)
{
    bool pending = m->fectl & FECTL_IP;
    m->fectl = (m->fectl & (uint32_t)FECTL_IP) | (v & (uint32_t)FECTL_IM);
    if (pending && !(v & FECTL_IM)) {
        m->fectl &= ~(uint32_t)FECTL_IP;
        event(m);
    }
}

void model_fault(unsigned n, bdf_t source_id, uint8_t reason, bool read, uint64_t address)
{
    struct model_unit *m = &model[n];
    if (m->fsts & FSTS_PFO)
        return;
    struct u128 *r = &m->records[m->next_record];
    bool pending = m->fsts & FSTS_PPF;
    if (r->hi & FRCD_F) {
        m->fsts |= FSTS_PFO;
        return;
    }
    if (!pending)
        m->fsts = (m->fsts & ~(uint32_t)FSTS_FRI) | (uint32_t)FIELD_SET(FSTS_FRI, m->next_record);
    bool interrupt = reason >= FAULT_REASON_INTERRUPT_FIRST;
    r->lo = interrupt ? FIELD_SET(FRCD_FI_INDEX, address) : address & FRCD_FI;
    /* Bits 55:40 without meaning, as QEMU leaves them. */
    r->hi = FIELD_SET(FRCD_SID, source_id) | FIELD_SET(FRCD_FR, reason) | BITS(55, 40) |
            (read ? FRCD_T1 : 0) | FRCD_F;
    m->next_record = (m->next_record + 1) % ((unsigned)FIELD_GET(CAP_NFR, m->cap) + 1);
    m->fsts |= (uint32_t)FSTS_PPF;
    if (!pending)
        event(m);
}

static void record_clear(struct model_unit *m, unsigned i)
{
    m->records[i].hi &= ~FRCD_F;
    for (i = 0; i < MODEL_RECORDS; i++)
        if (m->records[i].hi & FRCD_F)
            return;
    m->fsts &= ~(uint32_t)FSTS_PPF;
    event_settle(m);
}

/* The device does not wait until software has read the record that it looks at. */
static void go_on(struct model_unit *m)
{
    if (m->goes_on == 0)
        return;
    m->goes_on--;
    model_fault((unsigned)(m - model), m->goes_on_as, 6, true, 0x5000);
}

/* Forgetting */

static void context_forget(struct model_unit *m, unsigned granularity, unsigned did, bdf_t sid)
{
    assert_in_range(granularity, CIRG_GLOBAL, CIRG_DEVICE);
    m->context_flushes[granularity]++;
    model_write_buffer_empty();
    if (granularity == CIRG_GLOBAL)
        memset(m->no_root, 0, sizeof(m->no_root));
    for (unsigned i = 0; i < MODEL_CACHE; i++) {
        struct model_context *c = &m->contexts[i];
        if (granularity == CIRG_GLOBAL || (c->did == did && granularity == CIRG_DOMAIN) ||
            (c->did == did && c->source_id == sid))
            c->valid = false;
    }
}

static void iotlb_forget(struct model_unit *m, unsigned granularity, unsigned did, uint64_t iova,
                         unsigned mask, bool drain)
{
    assert_in_range(granularity, IIRG_GLOBAL, IIRG_PAGE);
    m->iotlb_flushes[granularity]++;
    *(drain ? &m->drained : &m->undrained) += 1;
    model_write_buffer_empty();
    if (granularity == IIRG_PAGE) {
        assert_true(m->cap & CAP_PSI);
        assert_true(mask <= FIELD_GET(CAP_MAMV, m->cap));
        m->flushed_iova = iova;
        m->flushed_mask = mask;
    }
    uint64_t size = PAGE_SIZE << mask, first = ALIGN_DOWN(iova, size);
    for (unsigned i = 0; i < MODEL_CACHE; i++) {
        struct model_translation *t = &m->translations[i];
        /* A large page is only found by a mask as large: VT-d "Caching Fractured Translations". */
        bool named = t->iova >= first && t->iova + t->size <= first + size;
        if (granularity == IIRG_GLOBAL || (t->did == did && granularity == IIRG_DOMAIN) ||
            (t->did == did && named))
            t->valid = false;
    }
}

static void interrupts_forget(struct model_unit *m, bool all, unsigned index, unsigned mask)
{
    model_write_buffer_empty();
    assert_true(all || mask <= FIELD_GET(ECAP_MHMV, m->ecap));
    for (unsigned i = 0; i < MODEL_CACHE; i++)
        if (all || m->interrupts[i].index >> mask == index >> mask)
            m->interrupts[i].valid = false;
}

/* "Drain Reads", "Drain Writes": asked for where the unit has it, and only there. */
static bool drains(const struct model_unit *m, bool reads, bool writes)
{
    return reads == !!(m->cap & CAP_DRD) && writes == !!(m->cap & CAP_DWD);
}

/* The queue */

static bool descriptor_run(struct model_unit *m, struct u128 d)
{
    unsigned granularity = (unsigned)FIELD_GET(DESC_GRANULARITY, d.lo);
    unsigned did = (unsigned)FIELD_GET(DESC_DID, d.lo);
    switch (FIELD_GET(DESC_TYPE, d.lo)) {
    case DESC_CONTEXT:
        context_forget(m, granularity, did, (bdf_t)FIELD_GET(DESC_SID, d.lo));
        return true;
    case DESC_IOTLB:
        iotlb_forget(m, granularity, did, d.hi & DESC_IOTLB_ADDR,
                     (unsigned)FIELD_GET(DESC_IOTLB_AM, d.hi),
                     drains(m, d.lo & DESC_IOTLB_DR, d.lo & DESC_IOTLB_DW));
        return true;
    case DESC_IEC:
        interrupts_forget(m, !(d.lo & DESC_IEC_INDEXED), (unsigned)FIELD_GET(DESC_IEC_IIDX, d.lo),
                          (unsigned)FIELD_GET(DESC_IEC_IM, d.lo));
        return true;
    case DESC_WAIT:
        assert_true(d.lo & DESC_WAIT_SW);
        *(uint32_t *)hpa_ptr(hpa(d.hi & DESC_WAIT_ADDR)) =
            (uint32_t)FIELD_GET(DESC_WAIT_DATA, d.lo);
        return true;
    default:
        return false;
    }
}

static void queue_run(struct model_unit *m)
{
    while ((m->gsts & GCMD_QIE) && !m->dead && !m->slow && m->iqh != m->iqt &&
           !(m->fsts & (FSTS_IQE | FSTS_ITE))) {
        struct u128 *queue = hpa_ptr(hpa(ALIGN_DOWN(m->iqa, PAGE_SIZE)));
        struct u128 d = queue[m->iqh >> IQ_DESC_SHIFT]; /* always snooped */
        bool again = m->refused_at == (m->iqh | 1), wait = FIELD_GET(DESC_TYPE, d.lo) == DESC_WAIT;
        bool refused = (m->refuse > 0 || again) && !wait;
        if (m->mute > 0 && FIELD_GET(DESC_TYPE, d.lo) == DESC_WAIT) {
            m->mute--;
            m->fsts |= (uint32_t)FSTS_ITE;
            event(m);
            return;
        }
        m->refuse -= refused && !again;
        m->refused_at = refused ? m->iqh | 1 : 0;
        if (refused || !descriptor_run(m, d)) {
            m->fsts |= (uint32_t)FSTS_IQE;
            event(m);
            return;
        }
        m->iqh = (m->iqh + 16) % PAGE_SIZE;
    }
}

/* Registers */

static void command(struct model_unit *m, uint32_t v)
{
    uint32_t on = v & (uint32_t)(GCMD_TE | GCMD_QIE | GCMD_IRE | GCMD_CFI);
    if ((m->gsts & GCMD_TE) && !(on & GCMD_TE))
        m->translation_dropped = true;
    bool new_mode = (v & GCMD_SRTP) && ((m->rtaddr ^ m->rtaddr_latched) & RTADDR_MODE);
    assert_false(new_mode && (m->gsts & GCMD_TE) && !(m->cap & CAP_ESRTPS));
    assert_false((on & GCMD_IRE) && !(m->gsts & GCMD_IRE) && m->sirtp == 0);
    if (v & GCMD_SRTP) { /* from here on the table may be read */
        assert_true(model_read(hpa(m->rtaddr & RTADDR_RTA)) != MODEL_GARBAGE);
        m->rtaddr_latched = m->rtaddr;
        m->srtp++;
    }
    if (v & GCMD_SIRTP) {
        assert_true(model_read(hpa(m->irta & IRTA_IRTA)) != MODEL_GARBAGE);
        m->irta_latched = m->irta;
        m->sirtp++;
    }
    if (v & GCMD_WBF) {
        m->wbf++;
        model_write_buffer_empty();
    }
    /* The answers to SRTP and SIRTP stay set. */
    m->gsts = on | (m->gsts & (uint32_t)(GCMD_SRTP | GCMD_SIRTP)) |
              (v & (uint32_t)(GCMD_SRTP | GCMD_SIRTP));
    if (!(on & GCMD_QIE))
        m->iqh = 0;
    queue_run(m);
}

static void context_register(struct model_unit *m, uint64_t v)
{
    assert_false(m->gsts & GCMD_QIE);
    m->ccmd = v & ~(m->refuse ? CCMD_ICC | CCMD_CAIG : 0);
    if (!(v & CCMD_ICC) || m->dead || m->refuse)
        return;
    unsigned granularity = (unsigned)FIELD_GET(CCMD_CIRG, v);
    context_forget(m, granularity, (unsigned)FIELD_GET(CCMD_DID, v), (bdf_t)FIELD_GET(CCMD_SID, v));
    m->ccmd = (v & ~(CCMD_ICC | CCMD_CAIG)) | FIELD_SET(CCMD_CAIG, granularity);
}

static void iotlb_register(struct model_unit *m, uint64_t v)
{
    assert_false(m->gsts & GCMD_QIE);
    m->iotlb = v & ~(m->refuse ? IOTLB_IVT | IOTLB_IAIG : 0);
    if (!(v & IOTLB_IVT) || m->dead || m->refuse)
        return;
    unsigned granularity = (unsigned)FIELD_GET(IOTLB_IIRG, v);
    iotlb_forget(m, granularity, (unsigned)FIELD_GET(IOTLB_DID, v), m->iva & IVA_ADDR,
                 (unsigned)FIELD_GET(IVA_AM, m->iva), drains(m, v & IOTLB_DR, v & IOTLB_DW));
    m->iotlb = (v & ~(IOTLB_IVT | IOTLB_IAIG)) | FIELD_SET(IOTLB_IAIG, granularity);
}

#define FIELD(reg, field)                                                                          \
    {                                                                                              \
        reg, offsetof(struct model_unit, field)                                                    \
    }
static const struct {
    unsigned at;
    size_t field;
} registers_32[] = {
    FIELD(VTD_VER, version),     FIELD(VTD_GSTS, gsts),       FIELD(VTD_FSTS, fsts),
    FIELD(VTD_FECTL, fectl),     FIELD(VTD_FEDATA, fedata),   FIELD(VTD_FEADDR, feaddr),
    FIELD(VTD_PMEN, pmen),       FIELD(VTD_FEUADDR, feuaddr), FIELD(VTD_PLMBASE, plm[0]),
    FIELD(VTD_PLMLIMIT, plm[1]),
};

static uint32_t *register_32(struct model_unit *m, unsigned at)
{
    for (size_t i = 0; i < ARRAY_COUNT(registers_32); i++)
        if (registers_32[i].at == at)
            return (uint32_t *)((char *)m + registers_32[i].field);
    fail_msg("32-bit access to 0x%x", at);
    return NULL;
}

static const struct {
    unsigned at;
    size_t field;
} registers_64[] = {
    FIELD(VTD_CAP, cap),        FIELD(VTD_ECAP, ecap),      FIELD(VTD_RTADDR, rtaddr),
    FIELD(VTD_CCMD, ccmd),      FIELD(VTD_IQH, iqh),        FIELD(VTD_IQT, iqt),
    FIELD(VTD_IQA, iqa),        FIELD(VTD_IRTA, irta),      FIELD(IVA_OFFSET, iva),
    FIELD(IOTLB_OFFSET, iotlb), FIELD(VTD_PHMBASE, phm[0]), FIELD(VTD_PHMLIMIT, phm[1]),
};

static uint64_t *register_64(struct model_unit *m, unsigned at)
{
    for (size_t i = 0; i < ARRAY_COUNT(registers_64); i++)
        if (registers_64[i].at == at)
            return (uint64_t *)((char *)m + registers_64[i].field);
    unsigned record = (at - FRCD_OFFSET) / FRCD_SIZE;
    if (at >= FRCD_OFFSET && record < MODEL_RECORDS && at % 8 == 0) {
        go_on(m);
        return at % 16 ? &m->records[record].hi : &m->records[record].lo;
    }
    fail_msg("64-bit access to 0x%x", at);
    return NULL;
}

/* VT-d "Protected Memory Enable Register": the regions change only while they are off, in steps of
 * 2 MiB, and hold no registers of devices. */
static void protect(struct model_unit *m, uint32_t v)
{
    m->pmen = v & PMEN_EPM ? (uint32_t)(PMEN_EPM | PMEN_PRS) : 0;
    uint64_t low = m->plm[0], low_end = m->plm[1] | (SIZE_2M - 1);
    assert_false(m->pmen && low <= low_end && low_end >= MODEL_RAM_END);
    assert_false(m->pmen && m->phm[0] <= m->phm[1] && m->phm[0] < BIT(32));
    m->protected |= m->pmen && low == 0 && low_end == MODEL_RAM_END - 1 && m->phm[0] == BIT(32) &&
                    (m->phm[1] | (SIZE_2M - 1)) >= MODEL_RAM_HIGH - 1;
}

static void region_write(struct model_unit *m, unsigned at, uint64_t v)
{
    assert_false(m->pmen & PMEN_PRS);
    uint64_t *high = &m->phm[at == VTD_PHMLIMIT];
    if (at == VTD_PLMBASE || at == VTD_PLMLIMIT)
        m->plm[at == VTD_PLMLIMIT] = (uint32_t)ALIGN_DOWN(v, SIZE_2M);
    else
        *high = ALIGN_DOWN(v & BITS(51, 0), SIZE_2M);
}

/* The window of unit n stands at its physical address: nothing else of the test lies there. */
static struct model_unit *unit_at(const void *p, unsigned *offset)
{
    uintptr_t at = (uintptr_t)p;
    for (unsigned n = 0; n < MODEL_UNITS; n++)
        if (at - MODEL_BASE(n) < 0x10000) {
            *offset = (unsigned)(at - MODEL_BASE(n));
            return &model[n];
        }
    fail_msg("device access outside every unit: %p", p);
    return NULL;
}

uint32_t mmio_read32(const void *p)
{
    unsigned at;
    struct model_unit *m = unit_at(p, &at);
    if (at == VTD_FSTS && m->slow && --m->slow == 0)
        queue_run(m);
    return *register_32(m, at);
}

uint64_t mmio_read64(const void *p)
{
    unsigned at;
    struct model_unit *m = unit_at(p, &at);
    return *register_64(m, at);
}

void mmio_write32(void *p, uint32_t v)
{
    unsigned at;
    struct model_unit *m = unit_at(p, &at);
    unsigned record = (at - FRCD_OFFSET) / FRCD_SIZE;
    if (at == VTD_GCMD)
        command(m, v);
    else if (at == VTD_FSTS) {
        m->fsts &= ~(v & (uint32_t)FSTS_CLEARABLE);
        event_settle(m);
        if (v & FSTS_ITE)
            queue_run(m);
    } else if (at >= FRCD_OFFSET && record < MODEL_RECORDS && at % 16 == FRCD_F_OFFSET) {
        go_on(m);
        if (v & FRCD_F_DWORD)
            record_clear(m, record);
    } else if (at == VTD_FECTL)
        event_control(m, v);
    else if (at == VTD_PMEN)
        protect(m, v);
    else if (at == VTD_PLMBASE || at == VTD_PLMLIMIT)
        region_write(m, at, v);
    else
        *register_32(m, at) = v;
}

void mmio_write64(void *p, uint64_t v)
{
    unsigned at;
    struct model_unit *m = unit_at(p, &at);
    /* VT-d "Interrupt Remapping Table Address Register": not while remapping is active. */
    assert_false(at == VTD_IRTA && (m->gsts & GCMD_IRE) && ((m->irta ^ v) & IRTA_EIME));
    if (at == VTD_CCMD)
        context_register(m, v);
    else if (at == IOTLB_OFFSET)
        iotlb_register(m, v);
    else if (at == VTD_PHMBASE || at == VTD_PHMLIMIT)
        region_write(m, at, v);
    else
        *register_64(m, at) = v;
    if (at == VTD_IQT)
        queue_run(m);
}
