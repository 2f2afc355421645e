/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of devices. With remapping on, a message names an index instead of vector and CPU. The
 * entry at that index holds vector and CPU, and the source-id that may use it. So the unit blocks a
 * forged message with the index of another function, and every message in the old format.
 * From: guest/assign/irq.c, guest/assign/intx.c, vtd/init.c.   To: vtd/invalidate.c.
 * Spec: VT-d "Interrupt Remapping", "Interrupt Posting".
 */
#include "vtd/unit.h"
#include "arch/ioapic.h"
#include "arch/page.h"
#include "arch/panic.h"
#include "pci/pci.h"
#include "vtd/vtd_regs.h"
#define LOG "vtd"
#include "arch/log.h"

int intremap_init(void)
{
    uint64_t size = VTD_IRTE_MAX * sizeof(struct u128);
    vtd.irt = pages_alloc(size / PAGE_SIZE, size);
    if (!vtd.irt)
        return FAIL(ENOMEM, "no pages for the interrupt remapping table");
    unit_publish(vtd.irt, size);
    return 0;
}

/* Table and cache are empty before remapping goes on (IRE), and it is on before the old format is
 * blocked (CFI = 0). If the firmware left it on, it goes off first: EIME must not change while it
 * is on, and the old entries would be read in the new format.
 * VT-d "Interrupt-Remapping Hardware Operation", "Interrupt Remapping Table Address Register". */
int intremap_enable(struct vtd_unit *u)
{
    if (!vtd.interrupt_remapping)
        return 0;
    int err = vtd_read32(u, VTD_GSTS) & GCMD_IRE ? unit_command(u, GCMD_IRE, false) : 0;
    if (err)
        return err;
    /* A source-id does not tell its segment. The entries are for functions of segment 0, so a unit
     * of another segment gets a table that stays empty; so does one that only blocks. */
    struct u128 *table = vtd.irt;
    unsigned count = VTD_IRTE_MAX;
    if (u->dmar->segment != 0 || !u->usable) {
        count = PAGE_SIZE / sizeof(*table);
        table = page_alloc();
        if (!table)
            return FAIL(ENOMEM, "unit %u: no page for its interrupt table", u->index);
        unit_publish(table, PAGE_SIZE);
        invalidate_write_buffer(u);
    }
    vtd_write64(u, VTD_IRTA,
                ptr_hpa(table).v | FIELD_SET(IRTA_S, __builtin_ctz(count) - 1) |
                    (vtd.eime ? IRTA_EIME : 0));
    err = unit_command(u, GCMD_SIRTP, true);
    if (err)
        return err;
    invalidate_iec_all(u);
    err = unit_command(u, GCMD_IRE, true);
    return err ? err : unit_command(u, GCMD_CFI, false);
}

/* After this no unit uses what stood in the entries before. */
static void flush(unsigned index, unsigned count)
{
    FOR_UNITS(u)
        invalidate_iec(u, index, count);
}

static void entries_block(unsigned index, unsigned count, struct u128 absent)
{
    invariant(index < VTD_IRTE_MAX && count <= VTD_IRTE_MAX - index && index % count == 0);
    for (unsigned i = index; i < index + count; i++)
        unit_publish_entry(&vtd.irt[i], absent);
    flush(index, count);
}

/* How the unit verifies the source-id: all its bits. But requests from behind a PCI Express-to-PCI
 * bridge carry the id of the secondary bus, or the function's own. So if another function sends
 * under this id, only the bus can be verified.
 * VT-d "Identifying Origination of Interrupt Requests". */
static uint64_t verify_source(bdf_t source_id)
{
    unsigned bus = BDF_BUS(source_id);
    for (size_t i = 0; i < pci_count(); i++) {
        const struct pci_function *f = pci_get(i);
        if (f->bdf != source_id && BDF_BUS(f->bdf) == bus && pci_requester(f) == source_id)
            /* SID holds the first and the last bus that may send. */
            return FIELD_SET(IRTE_SVT, IRTE_SVT_BUS) | FIELD_SET(IRTE_SID, bus << 8 | bus);
    }
    return FIELD_SET(IRTE_SVT, IRTE_SVT_SID) | FIELD_SET(IRTE_SQ, IRTE_SQ_ALL) |
           FIELD_SET(IRTE_SID, source_id);
}

unsigned vtd_irte_count(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < VTD_IRTE_MAX; i++)
        n += vtd.slots[i].used;
    return n;
}

int vtd_irte_alloc(bdf_t source_id, unsigned count)
{
    invariant(count > 0 && (count & (count - 1)) == 0);
    if (!vtd.interrupt_remapping)
        return FAIL_OFTEN(ENODEV, "no interrupt remapping: no entry for " BDF_FMT,
                          BDF_ARG(source_id));
    unsigned first = 0, free = 0;
    spin_lock(&vtd.irt_lock);
    for (unsigned i = 0; i < VTD_IRTE_MAX && free < count; i++) {
        if (i % count == 0) { /* a new group: all of its entries have to be free */
            first = i;
            free = 0;
        }
        free += !vtd.slots[i].used;
    }
    for (unsigned i = first; i < first + count && free == count; i++)
        vtd.slots[i] = (struct irte_slot){.used = true, .source_id = source_id};
    spin_unlock(&vtd.irt_lock);
    if (free < count)
        return FAIL_OFTEN(ENOSPC, "no %u interrupt entries left for " BDF_FMT, count,
                          BDF_ARG(source_id));
    return (int)first;
}

void vtd_irte_free(unsigned index, unsigned count)
{
    entries_block(index, count, (struct u128){0}); /* before another source-id can get them */
    spin_lock(&vtd.irt_lock);
    for (unsigned i = index; i < index + count; i++) {
        invariant(vtd.slots[i].used);
        vtd.slots[i].used = false;
    }
    spin_unlock(&vtd.irt_lock);
}

static void entry_set(unsigned index, struct u128 value)
{
    invariant(index < VTD_IRTE_MAX && vtd.slots[index].used);
    value.lo |= IRTE_P;
    value.hi |= verify_source(vtd.slots[index].source_id);
    unit_publish_entry(&vtd.irt[index], value);
    flush(index, 1);
}

void vtd_irte_remap(unsigned index, uint32_t apic_id, uint8_t vector, bool level)
{
    if (!vtd.eime && apic_id > 0xff) {
        log_often("irte=%u: APIC id %u does not fit into 8 bits, entry blocked", index, apic_id);
        vtd_irte_block(index);
        return;
    }
    uint64_t destination =
        vtd.eime ? FIELD_SET(IRTE_DST, apic_id) : FIELD_SET(IRTE_DST_XAPIC, apic_id);
    entry_set(index,
              (struct u128){.lo = FIELD_SET(IRTE_V, vector) | destination | (level ? IRTE_TM : 0)});
}

void vtd_irte_post(unsigned index, const struct pi_desc *pid, uint8_t vector, bool urgent)
{
    invariant(!vtd_no_posting());
    uint64_t address = ptr_hpa(pid).v;
    invariant(IS_ALIGNED(address, sizeof(*pid)));
    entry_set(index,
              (struct u128){.lo = IRTE_IM | (urgent ? IRTE_URG : 0) | FIELD_SET(IRTE_V, vector) |
                                  FIELD_SET(IRTE_PDA_LOW, LO32(address) >> 6),
                            .hi = FIELD_SET(IRTE_PDA_HIGH, HI32(address))});
}

void vtd_irte_block(unsigned index) { entries_block(index, 1, (struct u128){0}); }
void vtd_irte_hold(unsigned index) { entries_block(index, 1, (struct u128){.lo = IRTE_FPD}); }

struct u128 vtd_irte_read(unsigned index)
{
    invariant(index < VTD_IRTE_MAX);
    return vtd.irt ? vtd.irt[index] : (struct u128){0};
}

unsigned vtd_irte_next(unsigned index)
{
    while (index < VTD_IRTE_MAX && !(vtd.irt && (vtd.irt[index].lo & IRTE_P)))
        index++;
    return index;
}

bool vtd_irte_posts(unsigned index, const struct pi_desc **pid)
{
    struct u128 e = vtd_irte_read(index);
    *pid = hpa_ptr(hpa(FIELD_GET(IRTE_PDA_HIGH, e.hi) << 32 | FIELD_GET(IRTE_PDA_LOW, e.lo) << 6));
    return (e.lo & IRTE_P) && (e.lo & IRTE_IM);
}

bool vtd_irte_unverified(unsigned index)
{
    struct u128 e = vtd_irte_read(index);
    return (e.lo & IRTE_P) && FIELD_GET(IRTE_SVT, e.hi) == IRTE_SVT_NONE;
}

uint32_t vtd_compatibility_units(void)
{
    uint32_t units = 0;
    for (struct vtd_unit *u = vtd.units; u < vtd.units + vtd.unit_count; u++)
        if (vtd.interrupt_remapping && u->blocks && (vtd_read32(u, VTD_GSTS) & GCMD_CFI))
            units |= (uint32_t)BIT(u->index);
    return units;
}

uint64_t vtd_msi_address(unsigned index, bool subhandle)
{
    return MSI_ADDRESS | FIELD_SET(MSI_INDEX_LOW, index) | MSI_REMAPPABLE |
           (subhandle ? MSI_SHV : 0) | (index & BIT(15) ? MSI_INDEX_15 : 0);
}

uint64_t vtd_ioapic_rte(unsigned index, uint8_t vector, bool level, bool active_low)
{
    return FIELD_SET(RTE_INDEX_LOW, index) | RTE_REMAPPABLE | (level ? RTE_LEVEL : 0) |
           (active_low ? RTE_ACTIVE_LOW : 0) | (index & BIT(15) ? RTE_INDEX_15 : 0) |
           FIELD_SET(RTE_VECTOR, vector);
}
