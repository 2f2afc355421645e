/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of devices. With remapping on, a message names an index instead of vector and CPU; the
 * entry at that index says what happens, and which source-id may use it. A forged message with
 * the index of another function is blocked by its source-id; one in the old format is blocked too.
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
    uint64_t size = IRT_COUNT * sizeof(struct u128);
    vtd.irt = pages_alloc(size / PAGE_SIZE, size);
    if (!vtd.irt)
        return FAIL(ENOMEM, "no pages for the interrupt remapping table");
    unit_publish(vtd.irt, size);
    return 0;
}

/* The table is empty and the caches are, before the first message is looked up in it.
 * VT-d "Interrupt-Remapping Hardware Operation". */
int intremap_enable(struct vtd_unit *u)
{
    if (!vtd.interrupt_remapping)
        return 0;
    /* A source-id does not say its segment: entries are for functions of segment 0. */
    struct u128 *table = vtd.irt;
    unsigned count = IRT_COUNT;
    if (u->dmar->segment != 0) {
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
    int err = unit_command(u, GCMD_SIRTP, true);
    if (err)
        return err;
    invalidate_iec_all(u);
    err = unit_command(u, GCMD_IRE, true);
    if (err)
        return err;
    return unit_command(u, GCMD_CFI, false);
}

static void flush(unsigned index, unsigned count)
{
    for (unsigned i = 0; i < vtd.unit_count; i++)
        if (vtd.units[i].usable)
            invalidate_iec(&vtd.units[i], index, count);
}

/* Does anybody else send under this id? Behind a PCI Express-to-PCI bridge requests carry the id of
 * the secondary bus, or the function's own: then only the bus can be verified.
 * VT-d "Identifying Origination of Interrupt Requests". */
static bool is_bus_alias(bdf_t source_id)
{
    for (size_t i = 0; i < pci_count(); i++) {
        const struct pci_function *f = pci_get(i);
        if (f->bdf != source_id && BDF_BUS(f->bdf) == BDF_BUS(source_id) &&
            pci_requester(f) == source_id)
            return true;
    }
    return false;
}

static uint64_t verify_source(bdf_t source_id)
{
    if (!is_bus_alias(source_id))
        return FIELD_SET(IRTE_SVT, IRTE_SVT_SID) | FIELD_SET(IRTE_SQ, IRTE_SQ_ALL) |
               FIELD_SET(IRTE_SID, source_id);
    unsigned bus = BDF_BUS(source_id); /* first and last bus of the range that may send */
    return FIELD_SET(IRTE_SVT, IRTE_SVT_BUS) | FIELD_SET(IRTE_SID, bus << 8 | bus);
}

static bool slots_free(unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++)
        if (vtd.slots[i].used)
            return false;
    return true;
}

unsigned vtd_irte_count(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < IRT_COUNT; i++)
        n += vtd.slots[i].used;
    return n;
}

int vtd_irte_alloc(bdf_t source_id, unsigned count)
{
    invariant(count > 0 && (count & (count - 1)) == 0);
    if (!vtd.interrupt_remapping)
        return FAIL(ENODEV, "no interrupt remapping: no entry for " BDF_FMT, BDF_ARG(source_id));
    int found = -ENOSPC;
    spin_lock(&vtd.irt_lock);
    for (unsigned first = 0; first + count <= IRT_COUNT && found < 0; first += count)
        if (slots_free(first, count))
            found = (int)first;
    for (unsigned i = 0; i < count && found >= 0; i++)
        vtd.slots[(unsigned)found + i] = (struct irte_slot){.used = true, .source_id = source_id};
    spin_unlock(&vtd.irt_lock);
    if (found < 0)
        return FAIL(ENOSPC, "no %u interrupt entries left for " BDF_FMT, count, BDF_ARG(source_id));
    return found;
}

void vtd_irte_free(unsigned index, unsigned count)
{
    invariant(index < IRT_COUNT && count <= IRT_COUNT - index && index % count == 0);
    for (unsigned i = index; i < index + count; i++)
        unit_publish_entry(&vtd.irt[i], (struct u128){0});
    flush(index, count);
    spin_lock(&vtd.irt_lock);
    for (unsigned i = index; i < index + count; i++) {
        invariant(vtd.slots[i].used);
        vtd.slots[i].used = false;
    }
    spin_unlock(&vtd.irt_lock);
}

static void entry_set(unsigned index, struct u128 value)
{
    invariant(index < IRT_COUNT && vtd.slots[index].used);
    value.lo |= IRTE_P;
    value.hi |= verify_source(vtd.slots[index].source_id);
    unit_publish_entry(&vtd.irt[index], value);
    flush(index, 1);
}

void vtd_irte_remap(unsigned index, uint32_t apic_id, uint8_t vector, bool level)
{
    if (!vtd.eime && apic_id > 0xff) {
        log_error("irte=%u: APIC id %u does not fit into 8 bits, entry blocked", index, apic_id);
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
    invariant(vtd.can_post);
    uint64_t address = ptr_hpa(pid).v;
    invariant(IS_ALIGNED(address, sizeof(*pid)));
    entry_set(index,
              (struct u128){.lo = IRTE_IM | (urgent ? IRTE_URG : 0) | FIELD_SET(IRTE_V, vector) |
                                  FIELD_SET(IRTE_PDA_LOW, LO32(address) >> 6),
                            .hi = FIELD_SET(IRTE_PDA_HIGH, HI32(address))});
}

void vtd_irte_block(unsigned index)
{
    invariant(index < IRT_COUNT);
    unit_publish_entry(&vtd.irt[index], (struct u128){0});
    flush(index, 1);
}

struct u128 vtd_irte_read(unsigned index)
{
    invariant(index < IRT_COUNT);
    return vtd.irt ? vtd.irt[index] : (struct u128){0};
}

const struct pi_desc *vtd_irte_descriptor(unsigned index)
{
    struct u128 e = vtd_irte_read(index);
    if (!(e.lo & IRTE_P) || !(e.lo & IRTE_IM))
        return NULL;
    return hpa_ptr(hpa(FIELD_GET(IRTE_PDA_HIGH, e.hi) << 32 | FIELD_GET(IRTE_PDA_LOW, e.lo) << 6));
}

int vtd_irte_posted(unsigned index)
{
    for (; vtd.interrupt_remapping && index < IRT_COUNT; index++)
        if ((vtd.irt[index].lo & IRTE_P) && (vtd.irt[index].lo & IRTE_IM))
            return (int)index;
    return -ENOENT;
}

int vtd_irte_unverified(unsigned index)
{
    for (; vtd.interrupt_remapping && index < IRT_COUNT; index++)
        if ((vtd.irt[index].lo & IRTE_P) && FIELD_GET(IRTE_SVT, vtd.irt[index].hi) == 0)
            return (int)index;
    return -ENOENT;
}

uint32_t vtd_compatibility_units(void)
{
    uint32_t units = 0;
    for (unsigned i = 0; i < vtd.unit_count && vtd.interrupt_remapping; i++)
        if (vtd.units[i].usable && (vtd_read32(&vtd.units[i], VTD_GSTS) & GCMD_CFI))
            units |= (uint32_t)BIT(i);
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
