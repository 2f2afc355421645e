/* SPDX-License-Identifier: MIT */
/*
 * Requests that the unit blocked. The unit records them and sends an interrupt. Here each record is
 * taken, cleared, logged in words, counted for its source-id, and handed to the handler, which
 * knows the VM that has the device.
 * From: vtd/init.c, guest/assign/faults.c (the handler), guest/life/run.c (a tick),
 * guest/life/hypercall.c, monitor/cmd/vtd.c.
 * To: vtd/unit.c (registers), arch/trace.c.
 * Spec: VT-d "Primary Fault Logging", "Non-Recoverable Address Translation Faults".
 */
#include "vtd/unit.h"
#include "arch/apic.h"
#include "arch/trace.h"
#include "arch/trap.h"
#include "vtd/vtd_regs.h"
#define LOG "vtd"
#include "arch/log.h"

#define RECORDS_AT_ONCE 16
#define FAULTS_A_TICK                                                                              \
    64 /* of a unit, that interrupt; each look at its records counts as one more */

static const char *const reason_names[] = {
#define F(number, words) [number] = words,
    FAULT_REASONS(F)
#undef F
};

const char *vtd_reason_name(uint8_t reason)
{
    const char *name = reason < ARRAY_COUNT(reason_names) ? reason_names[reason] : NULL;
    return name ? name : "reason not known";
}

static struct vtd_fault fault_decode(const struct vtd_unit *u, struct u128 record)
{
    /* VT-d "Fault Recording Registers": of an interrupt, FI holds the index. */
    uint8_t reason = (uint8_t)FIELD_GET(FRCD_FR, record.hi);
    bool interrupt =
        reason >= FAULT_REASON_INTERRUPT_FIRST && reason <= FAULT_REASON_INTERRUPT_LAST;
    return (struct vtd_fault){.unit = u->index,
                              .source_id = (bdf_t)FIELD_GET(FRCD_SID, record.hi),
                              .reason = reason,
                              .is_interrupt = interrupt,
                              .is_read = !interrupt && (record.hi & FRCD_T1),
                              .address = interrupt ? FIELD_GET(FRCD_FI_INDEX, record.lo)
                                                   : record.lo & FRCD_FI};
}

/* The entry of a source-id; the last one is shared by all that came when the table was full. */
static struct fault_source *source_find(bdf_t source_id)
{
    for (unsigned i = 0; i < FAULT_SOURCES; i++) {
        struct fault_source *s = &vtd.fault_sources[i];
        if (!s->used)
            *s = (struct fault_source){
                .used = true, .source_id = source_id, .budget = LOG_GUEST_BUDGET};
        if (s->source_id == source_id || i == FAULT_SOURCES - 1)
            return s;
    }
    return NULL;
}

static void fault_report(struct vtd_fault f)
{
    TRACE(TRACE_FAULT, TRACE_NO_ID, f.reason, f.source_id, f.address, 0);
    spin_lock(&vtd.fault_lock);
    struct fault_source *s = source_find(f.source_id);
    s->count++;
    if (f.is_interrupt)
        log_guest(&s->budget, "fault sid=" BDF_FMT " interrupt irte=%lu reason=%x \"%s\"",
                  BDF_ARG(f.source_id), f.address, f.reason, vtd_reason_name(f.reason));
    else
        log_guest(&s->budget, "fault sid=" BDF_FMT " %s iova=0x%lx reason=%x \"%s\"",
                  BDF_ARG(f.source_id), f.is_read ? "read" : "write", f.address, f.reason,
                  vtd_reason_name(f.reason));
    void (*handler)(const struct vtd_fault *fault) = vtd.fault_handler;
    spin_unlock(&vtd.fault_lock);
    if (handler) /* without the lock: the handler may detach the device */
        handler(&f);
}

/* Take one record out of the unit; false: it is empty. */
static bool record_take(struct vtd_unit *u, unsigned n, struct u128 *record)
{
    unsigned at = ((unsigned)FIELD_GET(CAP_FRO, u->cap) + n) * FRCD_SIZE;
    spin_lock(&vtd.fault_lock);
    record->hi = vtd_read64(u, at + 8);
    record->lo = vtd_read64(u, at);
    bool full = record->hi & FRCD_F;
    if (full)
        vtd_write32(u, at + FRCD_F_OFFSET, (uint32_t)FRCD_F_DWORD);
    spin_unlock(&vtd.fault_lock);
    return full;
}

/* Copy what is recorded, from the oldest on, and make room for more before anything is reported:
 * a line of the log takes longer than many faults. The overflow bit is cleared last. While it is
 * set the unit records nothing, so then FSTS is 0 afterwards. VT-d "Primary Fault Logging". */
static unsigned records_take(struct vtd_unit *u, uint32_t status, struct u128 *taken)
{
    unsigned size = (unsigned)FIELD_GET(CAP_NFR, u->cap) + 1, count = 0;
    unsigned first = (unsigned)FIELD_GET(FSTS_FRI, status);
    for (unsigned i = 0; i < size && count < RECORDS_AT_ONCE; i++)
        count += record_take(u, (first + i) % size, &taken[count]);
    vtd_write32(u, VTD_FSTS, (uint32_t)FSTS_PFO);
    return count;
}

static void events_mask(struct vtd_unit *u, bool on)
{
    spin_lock(&vtd.fault_lock);
    if (u->faults_masked != on)
        vtd_write32(u, VTD_FECTL, on ? (uint32_t)FECTL_IM : 0);
    u->faults_masked = on;
    spin_unlock(&vtd.fault_lock);
}

/* The unit raises no event as long as one of its status bits is set, so a pass follows until all
 * are clear. If faults come faster than that, or too many between two ticks, the event is masked,
 * and vtd_fault_tick() goes on. VT-d "Non-Recoverable Fault Event". */
static void unit_poll(struct vtd_unit *u)
{
    struct u128 taken[RECORDS_AT_ONCE];
    while (atomic_load(&u->faults_seen) < FAULTS_A_TICK) {
        uint32_t status = vtd_read32(u, VTD_FSTS);
        if (!(status & (FSTS_PPF | FSTS_PFO))) {
            events_mask(u, false);
            return;
        }
        unsigned count = records_take(u, status, taken);
        atomic_fetch_add(&u->faults_seen, count + 1);
        for (unsigned i = 0; i < count; i++)
            fault_report(fault_decode(u, taken[i]));
    }
    events_mask(u, true);
}

void vtd_fault_poll(void)
{
    FOR_UNITS(u) {
        atomic_store(&u->faults_seen, 0);
        unit_poll(u);
    }
}

void vtd_fault_tick(void)
{
    FOR_UNITS(u) {
        atomic_store(&u->faults_seen, 0);
        if (u->faults_masked)
            unit_poll(u);
    }
}

/* Of the unit that has an event, or of several. */
void fault_interrupt(void *ctx)
{
    (void)ctx;
    FOR_UNITS(u)
        unit_poll(u);
}

void vtd_fault_handler_set(void (*handler)(const struct vtd_fault *fault))
{
    vtd.fault_handler = handler;
}

uint64_t vtd_fault_count(bdf_t source_id)
{
    for (unsigned i = 0; i < FAULT_SOURCES; i++)
        if (vtd.fault_sources[i].used && vtd.fault_sources[i].source_id == source_id)
            return vtd.fault_sources[i].count;
    return 0;
}

/* The unit's own interrupt is never remapped: compatibility format, to this CPU.
 * VT-d "Remapping Hardware Event Interrupt Programming". */
int fault_init(struct vtd_unit *u)
{
    uint32_t id = apic_id();
    vtd_write32(u, VTD_FECTL, (uint32_t)FECTL_IM);
    vtd_write32(u, VTD_FEDATA, VECTOR_VTD);
    vtd_write32(u, VTD_FEADDR, (uint32_t)(MSI_ADDRESS | FIELD_SET(MSI_ADDRESS_DEST, id & 0xff)));
    vtd_write32(u, VTD_FEUADDR, id & (uint32_t)BITS(31, 8));
    struct u128 record;
    for (unsigned i = 0; i <= FIELD_GET(CAP_NFR, u->cap); i++)
        record_take(u, i, &record);
    vtd_write32(u, VTD_FSTS, (uint32_t)FSTS_CLEARABLE);
    return 0;
}

int fault_enable(struct vtd_unit *u)
{
    vtd_write32(u, VTD_FECTL, 0);
    return 0;
}
