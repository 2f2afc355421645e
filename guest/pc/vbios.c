/* SPDX-License-Identifier: MIT */
/*
 * No BIOS: a guest that calls one in real mode reaches code that guest/load/firmware.c has left,
 * and that writes to a port. The write ends the VM, in words.
 * From: guest/life/create.c (vbios_create).
 * To: guest/core/vm.c (vm_fail).
 */
#include "guest/core/bus.h"
#include "guest/load/load.h"
#include "guest/pc/pc.h"
#include "arch/x86.h"
#include "vmx/vcpu/vcpu.h"

#define SEGMENT_CS 1 /* in struct vcpu_paging */

static uint64_t bios_read(struct vcpu *v, void *owner, uint64_t offset, unsigned width)
{
    (void)v, (void)owner, (void)offset, (void)width;
    return UINT64_MAX; /* as without a device */
}

/* Another write to the port has no effect: the code is in real mode, in a segment of its own. */
static void bios_write(struct vcpu *v, void *owner, uint64_t offset, unsigned width, uint64_t value)
{
    struct vcpu_paging state;
    vcpu_paging(v, &state);
    uint64_t vector = (state.segment_base[SEGMENT_CS] >> 4) - LOAD_BIOS_SEGMENT;
    (void)owner, (void)offset, (void)width, (void)value;
    if (!(state.cr0 & CR0_PE) && vector < 256)
        vm_fail(v->vm, "INT %02lXh: there is no BIOS", vector);
}

int vbios_create(struct vm *vm)
{
    return vm_bus_add(&vm->pio, VM_TRAPPED(LOAD_BIOS_PORT, 1, "bios", bios_read, bios_write, NULL));
}
