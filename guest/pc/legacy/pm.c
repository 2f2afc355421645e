/* SPDX-License-Identifier: MIT */
/*
 * The ACPI timer and a power switch, at the ports where QEMU's PCs have them: many a kernel writes
 * there without a look at any table. The switches of Bochs and VirtualBox count where no device of
 * the VM has ports.
 * From: guest/pc/legacy/legacy.c (ports, pm_unclaimed).
 * To: guest/core/vm.c (vm_end).
 * Spec: ACPI "Power Management Timer", "Sleep Control and Status Registers".
 */
#include "arch/time.h"
#include "guest/pc/legacy/chips.h"

#define PORT_CONTROL 0x604 /* SCI_EN; in the high byte SLP_TYP and SLP_EN */
#define PORT_TIMER   0x608
#define PORT_BOCHS   0xb004
#define PORT_VBOX    0x4004
#define SCI_EN       BIT(0) /* ACPI mode, from the beginning */
#define SLP_EN       BIT(13)
#define TIMER_HZ     3579545
#define TIMER_MASK   BITS(23, 0)

/* A wide access comes from its low byte on: all bytes are of one moment. */
uint8_t pm_in(struct legacy *l, uint16_t port)
{
    if (port == PORT_TIMER)
        l->pm_timer = muldiv(vm_now(l->vm), TIMER_HZ, time_tsc_khz() * 1000) & TIMER_MASK;
    if (port >= PORT_TIMER)
        return (uint8_t)(l->pm_timer >> 8 * (port - PORT_TIMER));
    return port == PORT_CONTROL ? SCI_EN : 0;
}

void pm_out(struct legacy *l, uint16_t port, uint8_t value)
{
    if (port == PORT_CONTROL + 1 && (value & SLP_EN >> 8))
        vm_end(l->vm, VM_EXIT_SHUTDOWN);
}

void pm_unclaimed(struct vm *vm, uint16_t port, uint32_t value)
{
    if ((port == PORT_BOCHS || port == PORT_VBOX) && (value & SLP_EN))
        vm_end(vm, VM_EXIT_SHUTDOWN);
}
