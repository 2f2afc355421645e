/* SPDX-License-Identifier: MIT */
/*
 * Interrupts through a real remapping unit (QEMU's, on `tcg`): the entry decides vector and CPU,
 * and whether the sender may use it; the unit's own fault event comes by interrupt as well.
 */
#include "arch/apic.h"
#include "arch/cpu.h"
#include "arch/ktest.h"
#include "arch/log.h"
#include "arch/page.h"
#include "lib/string.h"
#include "arch/trap.h"
#include "tests/kernel/edu.h"
#include "vtd/vtd.h"
#include "vmx/vcpu/posted.h"

static unsigned taken_a, taken_b, faults;

static void take(void *counter) { atomic_fetch_add((unsigned *)counter, 1); }
static void count_fault(const struct vtd_fault *f) { faults += f->reason != 0; }

/* Handle what comes within `us` microseconds. */
static void interrupts_for(uint64_t us)
{
    uint64_t end = time_deadline_us(us);
    while (rdtsc() < end) {
        apic_timer_at(end);
        cpu_wait();
    }
    apic_timer_at(0);
}

#define NEED_EDU(e)                                                                                \
    do {                                                                                           \
        if (!vtd_active())                                                                         \
            KSKIP("no VT-d here");                                                                 \
        if (!edu_find(&(e), 0))                                                                    \
            KSKIP("no edu here");                                                                  \
    } while (0)

static void raise(struct edu *e)
{
    mmio_write32(e->regs + EDU_RAISE, 1);
    interrupts_for(2000);
    mmio_write32(e->regs + EDU_ACKNOWLEDGE, 1);
}

KTEST(vtd_msi_through_an_entry)
{
    struct edu edu;
    NEED_EDU(edu);
    if (!vtd_ir_active())
        KSKIP("no interrupt remapping here");
    int a = irq_alloc(take, &taken_a), b = irq_alloc(take, &taken_b);
    int index = vtd_irte_alloc(edu.f->bdf, 1);
    KEXPECT(a > 0 && b > 0 && index >= 0);
    taken_a = taken_b = 0;
    pci_msi_set(edu.f, vtd_msi_address((unsigned)index, false), 0, 0);
    pci_msi_enable(edu.f, true);
    raise(&edu);
    KEXPECT(taken_a == 0 && taken_b == 0); /* the entry is not present */
    vtd_irte_remap((unsigned)index, apic_id(), (uint8_t)a, false);
    for (int i = 0; i < 20; i++)
        raise(&edu);
    KEXPECT(taken_a == 20 && taken_b == 0);
    vtd_irte_remap((unsigned)index, apic_id(), (uint8_t)b, false);
    raise(&edu);
    KEXPECT(taken_a == 20 && taken_b == 1);
    vtd_irte_block((unsigned)index);
    raise(&edu);
    KEXPECT(taken_a == 20 && taken_b == 1);
    pci_msi_enable(edu.f, false);
    vtd_irte_free((unsigned)index, 1);
    irq_free((uint8_t)a);
    irq_free((uint8_t)b);
}

/* An entry that another function may use, to vector `a` of this CPU; forged by edu. */
static unsigned entry_of_another(int a)
{
    int index = vtd_irte_alloc(BDF(0, 0x1e, 3), 1);
    taken_a = 0;
    if (a > 0 && index >= 0)
        vtd_irte_remap((unsigned)index, apic_id(), (uint8_t)a, false);
    return (unsigned)index;
}

/* VT-d "Interrupt Remapping Fault Conditions": an entry verifies who sends. */
KTEST(vtd_entry_of_somebody_else)
{
    struct edu edu;
    NEED_EDU(edu);
    if (!vtd_ir_active())
        KSKIP("no interrupt remapping here");
    int a = irq_alloc(take, &taken_a);
    unsigned index = entry_of_another(a);
    pci_msi_set(edu.f, vtd_msi_address(index, false), 0, 0);
    pci_msi_enable(edu.f, true);
    raise(&edu);
    pci_msi_enable(edu.f, false);
    KEXPECT(taken_a == 0);
    vtd_irte_free(index, 1);
    irq_free((uint8_t)a);
}

/* The same, sent by the DMA engine: a write to the interrupt addresses is a message as well. */
KTEST(vtd_message_forged_by_dma)
{
    struct edu edu;
    NEED_EDU(edu);
    if (!vtd_ir_active())
        KSKIP("no interrupt remapping here");
    int a = irq_alloc(take, &taken_a);
    unsigned index = entry_of_another(a);
    KEXPECT(edu_write(&edu, vtd_msi_address(index, false), 4));
    interrupts_for(2000);
    unsigned arrived = taken_a;
    vtd_irte_free(index, 1);
    irq_free((uint8_t)a);
    if (arrived)
        KSKIP("this unit does not know who sent a message that comes by DMA (QEMU 7.2)");
}

static struct pi_desc pi;

/* A descriptor whose notifications come to vector `nv` of this CPU. */
static void pid_for_us(uint8_t nv)
{
    pi = PI_DESC_READY;
    posted_to_running(&pi, posted_ndst(apic_id(), apic_is_x2apic()));
    atomic_store(&pi.control, (pi.control & ~PI_NV) | FIELD_SET(PI_NV, nv));
}

/* VT-d "Interrupt-Posting Hardware Operation": the vector goes into PIR; a notification is sent if
 * none is outstanding and SN is clear, or the entry is urgent. */
KTEST(vtd_msi_posted)
{
    struct edu edu;
    NEED_EDU(edu);
    if (vtd_no_posting())
        KSKIP("no posting by hardware here");
    int a = irq_alloc(take, &taken_a), index = vtd_irte_alloc(edu.f->bdf, 1);
    KEXPECT(a > 0 && index >= 0);
    taken_a = 0;
    pid_for_us((uint8_t)a);
    vtd_irte_post((unsigned)index, &pi, 0x91, false);
    pci_msi_set(edu.f, vtd_msi_address((unsigned)index, false), 0, 0);
    pci_msi_enable(edu.f, true);
    raise(&edu);
    KEXPECT(taken_a == 1 && (pi.control & PI_ON) && pi.pir[0x91 / 64] == BIT(0x91 % 64));
    raise(&edu); /* ON is still set */
    KEXPECT(taken_a == 1);
    pid_for_us((uint8_t)a);
    atomic_fetch_or(&pi.control, PI_SN);
    raise(&edu);
    KEXPECT(taken_a == 1 && !(pi.control & PI_ON) && posted_pending(&pi));
    vtd_irte_post((unsigned)index, &pi, 0x92, true);
    raise(&edu);
    KEXPECT(taken_a == 2 && (pi.control & PI_ON) && pi.pir[0x92 / 64] & BIT(0x92 % 64));
    pci_msi_enable(edu.f, false);
    vtd_irte_free((unsigned)index, 1);
    irq_free((uint8_t)a);
}

KTEST(vtd_fault_event_interrupts)
{
    struct edu edu;
    NEED_EDU(edu);
    interrupts_for(1000); /* events that still wait */
    vtd_fault_poll();
    vtd_fault_handler_set(count_fault);
    uint64_t before = vtd_fault_count(edu.f->bdf);
    for (unsigned i = 1; i <= 2; i++) {
        faults = 0;
        KEXPECT(edu_write(&edu, 0x1000 * i, 4));
        interrupts_for(2000);
        KEXPECT(faults == 1 && vtd_fault_count(edu.f->bdf) == before + i);
    }
    vtd_fault_handler_set(NULL);
}

/* A line of the console takes longer than a device needs for many faults. */
static void count_slowly(const struct vtd_fault *f)
{
    faults += f->reason != 0;
    console_line("ktest: fault %u, unit=%u", faults, f->unit);
}

/* VT-d "Non-Recoverable Fault Event": after faults that came while others were reported, here of
 * two pages at once and again and again, the next one of another device is an event as ever. */
KTEST(vtd_fault_events_go_on)
{
    struct edu edu, other;
    NEED_EDU(edu);
    if (!edu_find(&other, 1) || !vtd_covers(other.f->bdf))
        KSKIP("no second edu here");
    interrupts_for(1000);
    vtd_fault_poll();
    vtd_fault_handler_set(count_slowly);
    for (unsigned round = 0; round < 3; round++) {
        KEXPECT(edu_write(&edu, 0x1ff8, 16));
        interrupts_for(2000);
    }
    faults = 0;
    uint64_t before = vtd_fault_count(other.f->bdf);
    KEXPECT(edu_write(&other, 0x3000, 4));
    interrupts_for(2000);
    KEXPECT(faults > 0 && vtd_fault_count(other.f->bdf) > before);
    vtd_fault_handler_set(NULL);
}
