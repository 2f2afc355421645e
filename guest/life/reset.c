/* SPDX-License-Identifier: MIT */
/*
 * The reset of a VM's virtual parts, as one list. A VM begins by it, too, so that what a reset
 * leaves is what the first start had. A part with state that its guest can change stands here.
 * From: guest/life/create.c (the VM is made), guest/life/control.c (it is reset).
 * To: guest/pc/, guest/assign/vpci.c, vmx/vcpu/vcpu.c (each its own part).
 * Spec: SDM "IA-32 Processor States Following Power-up, Reset, or INIT".
 */
#include "guest/assign/dma.h"
#include "guest/assign/vpci.h"
#include "guest/life/life.h"
#include "guest/pc/legacy/legacy.h"
#include "guest/pc/pc.h"
#include "guest/pc/vioapic.h"

static void reset_vcpus(struct vm *vm)
{
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        vcpu_power_on(vm->vcpus[i]);
}

/* Time and vCPUs first: the others may look at it, and send them something. The UART lowers its
 * line at the I/O APIC. The legacy PC wires the local APIC of the first vCPU. */
static void (*const parts[])(struct vm *vm) = {
    vm_clock_reset, reset_vcpus, vlapic_reset, vioapic_reset, vuart_reset,
    vrtc_reset,     vpci_reset,  dma_reset,    legacy_reset,
};

void vm_power_on(struct vm *vm)
{
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++)
        parts[i](vm);
}
