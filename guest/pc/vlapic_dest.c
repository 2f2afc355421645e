/* SPDX-License-Identifier: MIT */
/*
 * Which vCPUs a destination names: of an IPI, of an entry of the virtual I/O APIC, of a device's message.
 * From: guest/pc/vlapic_irq.c (IPIs), guest/pc/vioapic.c (pins), guest/assign/irq.c (messages).
 * To: guest/pc/vlapic.h (LDR and DFR on the virtual-APIC page).
 * Spec: SDM "Determining IPI Destination".
 */
#include "guest/pc/vlapic.h"

#define BROADCAST    0xff
#define BROADCAST_X2 UINT32_MAX

static bool matches_logical(const struct vcpu *v, uint32_t dest)
{
    uint32_t ldr = vlapic_get(v, APIC_LDR);
    if (vlapic_is_x2apic(v))
        return ldr >> 16 == dest >> 16 && (ldr & dest & BITS(15, 0));
    ldr >>= 24;
    if (vlapic_get(v, APIC_DFR) >> 28 == 0xf) /* flat model: a bit each */
        return ldr & dest;
    return (ldr & BITS(7, 4)) == (dest & BITS(7, 4)) && (ldr & dest & BITS(3, 0));
}

uint64_t vlapic_match(struct vm *vm, uint32_t dest, bool logical)
{
    uint64_t found = 0;
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        const struct vcpu *v = vm->vcpus[i];
        if (!(v->apic_base & APIC_BASE_EN))
            continue;
        bool all = dest == BROADCAST_X2 || (dest == BROADCAST && !vlapic_is_x2apic(v)) ||
                   (dest == BROADCAST && !logical);
        if (all || (logical ? matches_logical(v, dest) : v->index == dest))
            found |= BIT(i);
    }
    return found;
}
