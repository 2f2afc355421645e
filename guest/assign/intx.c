/* SPDX-License-Identifier: MIT */
/*
 * INTx: lines of the machine, the functions that share one, and which function raised it ("check
 * and mask"). Which input of which I/O APIC a pin is wired to stands in AML, which Hamlet does not
 * read. The firmware has left the number of a line of the 8259s in the Interrupt Line register. On
 * many machines that input works too; where it does not, intx= names the right one.
 * From: guest/assign/assign.c, guest/assign/vpci_header.c (intx_guest_disable).
 * To: arch/ioapic.c, vtd/intremap.c, guest/pc/vioapic.c.
 * Spec: PCI Local Bus 3.0 "Interrupt Line", "Device Control", "Device Status";
 * VT-d "I/OxAPIC Programming".
 */
#include "guest/assign/intx.h"
#include "arch/cpu.h"
#include "arch/ioapic.h"
#include "arch/trap.h"
#include "guest/assign/assign.h"
#include "guest/load/vacpi.h"
#include "guest/pc/vioapic.h"
#define LOG "intx"
#include "arch/log.h"

#define LINE_MAX      24
#define LINE_NONE     0xff /* what firmware writes where there is no line */
#define UNCLAIMED_MAX 1000 /* in a row: then the line is masked */

struct intx_line {
    struct intx *users; /* NULL: the line is free */
    uint32_t gsi;
    const struct ioapic *io;
    unsigned irte;
    int vector;
    const struct cpu *cpu; /* that takes its interrupts */
    unsigned unclaimed;
};
static struct intx_line lines[LINE_MAX];
/* Of all lines: a line may have users in several VMs. */
static struct spinlock lock = {.name = "INTx lines"};

static void hardware_disable(const struct intx *x, bool disable)
{
    pci_command(x->a->fn->bdf, disable ? PCI_COMMAND_INTX_OFF : 0,
                disable ? 0 : PCI_COMMAND_INTX_OFF);
}

/* Since PCI 2.3 a function has Interrupt Disable and Interrupt Status. On older ones INTx is
 * not used. */
static bool can_be_silenced(const struct pci_function *fn)
{
    uint16_t old = pci_command(fn->bdf, PCI_COMMAND_INTX_OFF, 0);
    bool sticks = pci_read16(fn->bdf, PCI_COMMAND) & PCI_COMMAND_INTX_OFF;
    pci_command(fn->bdf, 0, PCI_COMMAND_INTX_OFF);
    sticks = sticks && !(pci_read16(fn->bdf, PCI_COMMAND) & PCI_COMMAND_INTX_OFF);
    pci_command(fn->bdf, old & PCI_COMMAND_INTX_OFF, PCI_COMMAND_INTX_OFF);
    return sticks;
}

/* The line is asserted. Silence every function whose Interrupt Status is set, and raise its
 * guest's pin. */
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
        log_often("line %u: %u interrupts that no function claims: masked", l->gsi, UNCLAIMED_MAX);
    }
    spin_unlock(&lock);
}

/* The line goes to a CPU. While no function drives it, it may go to another one. */
static void line_lead(struct intx_line *l, const struct cpu *cpu)
{
    if (l->cpu != cpu)
        vtd_irte_remap(l->irte, cpu->apic_id, (uint8_t)l->vector, true);
    l->cpu = cpu;
}

/* EOI of the guest: lower its pin and let the function drive the line. If the device still asserts
 * INTx, the line rises at once, and line_arrived() sees it again. The vCPU that serves the line is
 * here: so does the line come here, if no other function uses it. */
static void guest_ended(void *ctx)
{
    struct intx *x = ctx;
    spin_lock(&lock);
    if (x->asserted) {
        x->asserted = false;
        vioapic_line(x->a->vm->ioapic, x->pin, false);
        if (x->on->users == x && !x->next)
            line_lead(x->on, this_cpu());
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

void intx_restore(struct assignment *a)
{
    struct intx *x = &a->intx;
    spin_lock(&lock);
    hardware_disable(x, !x->on || x->guest_disable || x->asserted);
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

/* --- A line, from its first user to its last -------------------------------------------------- */

static int line_open(struct intx_line *l, uint32_t gsi)
{
    const struct ioapic *io = ioapic_of_gsi(gsi);
    bdf_t source;
    if (!io || !vtd_ioapic_source(io->id, &source))
        return -ENODEV;
    int irte = vtd_irte_alloc(source, 1);
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
    l->cpu = NULL;
    line_lead(l, cpu_get(0));
    ioapic_write_rte(io, gsi - io->gsi_base,
                     vtd_ioapic_rte(l->irte, (uint8_t)l->vector, true, true));
    return 0;
}

/* The open line of this number, or a free one that is opened; NULL: neither. */
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

/* The last function that leaves the line closes it. */
static void line_leave(struct intx *x)
{
    struct intx_line *l = x->on;
    struct intx **at = &l->users;
    int unused = -1;
    spin_lock(&lock);
    while (*at && *at != x)
        at = &(*at)->next;
    if (*at)
        *at = x->next;
    if (!l->users) {
        ioapic_write_rte(l->io, l->gsi - l->io->gsi_base, RTE_MASKED);
        vtd_irte_free(l->irte, 1);
        unused = l->vector;
    }
    x->on = NULL;
    spin_unlock(&lock);
    if (unused >= 0)
        irq_free((uint8_t)unused); /* line_arrived() takes the lock */
}

void intx_init(struct assignment *a)
{
    uint8_t gsi = (uint8_t)(a->config.intx ? a->config.intx : a->fn->interrupt_line);
    struct intx *x = &a->intx;
    *x = (struct intx){.a = a, .pin = VACPI_PCI_PIN(BDF_DEV(a->v.bdf))};
    if (a->fn->interrupt_pin == 0)
        return;
    if (gsi != LINE_NONE && gsi != 0 && can_be_silenced(a->fn))
        line_join(x, gsi);
    if (!x->on) {
        log_often("vm=%s " BDF_FMT " has no INTx that could be led to a guest", a->vm->name,
                  BDF_ARG(a->fn->bdf));
        return;
    }
    vioapic_on_eoi(a->vm->ioapic, x->pin, guest_ended, x);
    vpci_set_shadow(&a->v, PCI_INTERRUPT_PIN, 1, 1); /* INTA: the device has one function there */
    vpci_set_shadow(&a->v, PCI_INTERRUPT_LINE, 1, x->pin);
    hardware_disable(x, false);
}

void intx_release(struct assignment *a)
{
    struct intx *x = &a->intx;
    if (!x->on)
        return;
    vioapic_on_eoi(a->vm->ioapic, x->pin, NULL, NULL); /* from here on no EOI lets it drive */
    hardware_disable(x, true);
    line_leave(x);
    vioapic_line(a->vm->ioapic, x->pin, false);
}
