/* SPDX-License-Identifier: MIT */
/*
 * The ACPI timer and a power switch, at the ports where QEMU's PCs have them: many a kernel writes
 * there without a look at any table.
 * From: guest/pc/legacy/legacy.c (pm_create).   To: guest/core/vm.c (vm_end).
 * Spec: ACPI "Power Management Timer", "Sleep Control and Status Registers".
 */
#include "arch/time.h"
#include "guest/pc/legacy/chips.h"

#define PORT_CONTROL 0x604 /* SLP_TYP and SLP_EN */
#define PORT_TIMER   0x608
#define SLP_EN       BIT(13)
#define TIMER_HZ     3579545
#define TIMER_MASK   BITS(23, 0)

static void control_read(struct vcpu *v, void *owner, uint64_t offset, unsigned width,
                         uint64_t *value)
{
    (void)v, (void)owner, (void)offset, (void)width;
    *value = 1; /* SCI_EN: ACPI mode, from the beginning */
}

static void control_write(struct vcpu *v, void *owner, uint64_t offset, unsigned width,
                          uint64_t value)
{
    (void)owner, (void)width;
    if (value << (8 * offset) & SLP_EN)
        vm_end(v->vm, VM_EXIT_SHUTDOWN);
}

static void timer_read(struct vcpu *v, void *owner, uint64_t offset, unsigned width,
                       uint64_t *value)
{
    (void)v, (void)owner, (void)width;
    *value = (muldiv(rdtsc(), TIMER_HZ, time_tsc_khz() * 1000) & TIMER_MASK) >> (8 * offset);
}

static void timer_write(struct vcpu *v, void *owner, uint64_t offset, unsigned width,
                        uint64_t value)
{
    (void)v, (void)owner, (void)offset, (void)width, (void)value; /* read-only */
}

int pm_create(struct legacy *l)
{
    struct vm_bus *bus = &l->vm->pio;
    int err =
        vm_bus_add(bus, VM_TRAPPED(PORT_CONTROL, 2, "pm-control", control_read, control_write, l));
    return err ? err
               : vm_bus_add(bus, VM_TRAPPED(PORT_TIMER, 4, "pm-timer", timer_read, timer_write, l));
}
