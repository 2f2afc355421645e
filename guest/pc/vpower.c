/* SPDX-License-Identifier: MIT */
/*
 * Power-off and reset of a VM, by the ports that its ACPI tables name: sleep control, sleep status,
 * and the reset register.
 * From: guest/life/create.c (vpower_create), guest/assign/vpci.c (port 0xCF9 is a port of PCI too).
 * To: guest/core/vm.c (vm_end, vm_reset).
 * Spec: ACPI "Sleep Control and Status Registers", "Reset Register"; ICH "Reset Control Register".
 */
#include "guest/pc/pc.h"
#include "guest/core/bus.h"
#include "guest/load/vacpi.h"

#define SLP_EN  BIT(5)
#define SLP_TYP BITS(4, 2)
#define RST_CPU BIT(2) /* of the reset control register: do it now */

static uint64_t sleep_read(struct vcpu *v, void *owner, uint64_t offset, unsigned width)
{
    (void)v, (void)owner, (void)offset, (void)width;
    return 0;
}

static void sleep_write(struct vcpu *v, void *owner, uint64_t offset, unsigned width,
                        uint64_t value)
{
    (void)owner, (void)width;
    if (offset == 0 && (value & SLP_EN) && FIELD_GET(SLP_TYP, value) == VACPI_S5)
        vm_end(v->vm, VM_EXIT_SHUTDOWN);
}

void vpower_reset_write(struct vm *vm, uint8_t value)
{
    if (value & RST_CPU)
        IGNORE(vm_reset(vm)); /* fails for a VM that is about to end: nothing to reset */
}

int vpower_create(struct vm *vm)
{
    return vm_bus_add(&vm->pio,
                      VM_TRAPPED(VACPI_SLEEP_PORT, 2, "sleep", sleep_read, sleep_write, NULL));
}
