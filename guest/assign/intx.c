/* SPDX-License-Identifier: MIT */
/*
 * INTx: lines of the machine, the functions that share one, and who of them it was ("check and mask").
 * Which input of which I/O APIC a function's pin is wired to stands in AML, which Hamlet does not read;
 * the firmware has left the number of the line in the Interrupt Line register, and that input works too.
 * From: guest/assign/assign.c.   To: guest/pc/vioapic.c.
 * Spec: PCI Local Bus 3.0 "Interrupt Line", "Device Control", "Device Status"; VT-d "I/OxAPIC Programming".
 */
#define LOG "intx"
#include "guest/assign/intx.h"
#include "arch/cpu.h"
#include "arch/ioapic.h"
#include "arch/log.h"
#include "arch/trap.h"
#include "guest/assign/assign.h"
#include "guest/load/vacpi.h"
#include "guest/pc/vioapic.h"

#define LINE_MAX      24
#define LINE_NONE     0xff /* what firmware writes where there is no line */
#define UNCLAIMED_MAX 1000 /* in a row, before the line is masked for good */

struct intx_line {
    struct intx *users; /* NULL: the line is free */
    uint32_t gsi;
    const struct ioapic *io;
    unsigned irte;
    int vector;
    unsigned unclaimed;
};
static struct intx_line lines[LINE_MAX];
static struct spinlock lock; /* of all lines: one may have users in several VMs */

static void hardware_disable(const struct intx *x, bool disable)
{
    pci_command(x->a->fn->bdf, disable ? PCI_COMMAND_INTX_OFF : 0,
                disable ? 0 : PCI_COMMAND_INTX_OFF);
}

/* PCI 2.3 functions can be silenced and asked; on others INTx is not used. */
static bool can_be_silenced(const struct pci_function *fn)
{
    uint16_t old = pci_command(fn->bdf, PCI_COMMAND_INTX_OFF, 0);
    bool sticks = pci_read16(fn->bdf, PCI_COMMAND) & PCI_COMMAND_INTX_OFF;

    pci_command(fn->bdf, 0, PCI_COMMAND_INTX_OFF);
    sticks = sticks && !(pci_read16(fn->bdf, PCI_COMMAND) & PCI_COMMAND_INTX_OFF);
    pci_command(fn->bdf, old & PCI_COMMAND_INTX_OFF, PCI_COMMAND_INTX_OFF);
    return sticks;
}

/* The line is high: whoever says that it is him is silenced and his guest is told. */
static void line_arrived(void *ctx)
{
    struct intx_line *l = ctx;
    bool claimed = false;

    spin_lock(&lock);
    for (struct intx *x = l->users; x; x = x->next) {
        if (x->asserted || x->guest_disable ||
            !(pci_read16(x->a->fn->bdf, PCI_STATUS) & PCI_STATUS_INTX))
            continue;
        claimed = true;
        x->asserted = true;
        hardware_disable(x, true);
        vioapic_line(x->a->vm->ioapic, x->pin, true);
    }
    l->unclaimed = claimed ? 0 : l->unclaimed + 1;
    if (l->unclaimed == UNCLAIMED_MAX) {
        ioapic_write_rte(l->io, l->gsi - l->io->gsi_base, RTE_MASKED);
        log_info("line %u: %u interrupts that nobody claims: masked for good", l->gsi,
                 UNCLAIMED_MAX);
    }
    spin_unlock(&lock);
}

/* The guest has ended its service: the line falls, and rises again if the device still drives it. */
static void guest_ended(void *ctx)
{
    struct intx *x = ctx;

    spin_lock(&lock);
    if (x->asserted) {
        x->asserted = false;
        vioapic_line(x->a->vm->ioapic, x->pin, false);
        hardware_disable(x, x->guest_disable);
    }
    spin_unlock(&lock);
}

void intx_guest_disable(struct assignment *a, bool disable)
{
    struct intx *x = &a->intx;

    spin_lock(&lock);
    if (x->on && x->guest_disable != disable) {
        x->guest_disable = disable;
        hardware_disable(x, disable || x->asserted);
    }
    spin_unlock(&lock);
}

void intx_reset(struct assignment *a)
{
    struct intx *x = &a->intx;

    if (!x->on)
        return;
    spin_lock(&lock);
    x->asserted = x->guest_disable = false;
    vioapic_line(a->vm->ioapic, x->pin, false);
    hardware_disable(x, false);
    spin_unlock(&lock);
}

/* --- A line, from its first user to its last ------------------------------------------------------ */

static int line_open(struct intx_line *l, uint32_t gsi)
{
    const struct ioapic *io = ioapic_of_gsi(gsi);
    bdf_t source;
    int irte;

    if (!io || !vtd_ioapic_source(io->id, &source))
        return -ENODEV;
    irte = vtd_irte_alloc(source, 1);
    if (irte < 0)
        return irte;
    l->vector = irq_alloc(line_arrived, l);
    if (l->vector < 0) {
        vtd_irte_free((unsigned)irte, 1);
        return -ENOSPC;
    }
    l->io = io;
    l->gsi = gsi;
    l->irte = (unsigned)irte;
    l->unclaimed = 0;
    vtd_irte_remap(l->irte, cpu_get(0)->apic_id, (uint8_t)l->vector, true);
    ioapic_write_rte(io, gsi - io->gsi_base,
                     vtd_ioapic_rte(l->irte, (uint8_t)l->vector, true, true));
    return 0;
}

static void line_close(struct intx_line *l)
{
    ioapic_write_rte(l->io, l->gsi - l->io->gsi_base, RTE_MASKED);
    vtd_irte_free(l->irte, 1);
    irq_free((uint8_t)l->vector);
}

static struct intx_line *line_of(uint32_t gsi)
{
    struct intx_line *free = NULL;

    for (size_t i = 0; i < LINE_MAX; i++) {
        if (lines[i].users && lines[i].gsi == gsi)
            return &lines[i];
        if (!lines[i].users && !free)
            free = &lines[i];
    }
    return free && line_open(free, gsi) == 0 ? free : NULL;
}

static void line_join(struct intx *x, uint8_t gsi)
{
    spin_lock(&lock);
    x->on = line_of(gsi);
    if (x->on) {
        x->next = x->on->users;
        x->on->users = x;
    }
    spin_unlock(&lock);
}

static void line_leave(struct intx *x)
{
    spin_lock(&lock);
    for (struct intx **at = &x->on->users; *at; at = &(*at)->next)
        if (*at == x) {
            *at = x->next;
            break;
        }
    if (!x->on->users)
        line_close(x->on);
    x->on = NULL;
    spin_unlock(&lock);
}

void intx_init(struct assignment *a)
{
    uint8_t gsi = a->fn->interrupt_line;
    struct intx *x = &a->intx;

    *x = (struct intx){.a = a, .pin = VACPI_PCI_PIN(BDF_DEV(a->v.bdf))};
    if (a->fn->interrupt_pin == 0)
        return;
    if (gsi != LINE_NONE && gsi != 0 && can_be_silenced(a->fn))
        line_join(x, gsi);
    if (!x->on) {
        log_info("vm=%s " BDF_FMT " has no INTx that could be led to a guest", a->vm->name,
                 BDF_ARG(a->fn->bdf));
        return;
    }
    vioapic_on_eoi(a->vm->ioapic, x->pin, guest_ended, x);
    vpci_set_shadow(&a->v, PCI_INTERRUPT_PIN, 1, 1); /* INTA: it is a function of its own there */
    vpci_set_shadow(&a->v, PCI_INTERRUPT_LINE, 1, x->pin);
    hardware_disable(x, false);
}

void intx_release(struct assignment *a)
{
    struct intx *x = &a->intx;

    if (!x->on)
        return;
    hardware_disable(x, true);
    vioapic_on_eoi(a->vm->ioapic, x->pin, NULL, NULL);
    line_leave(x);
    vioapic_line(a->vm->ioapic, x->pin, false);
}
