/* SPDX-License-Identifier: MIT */
/*
 * The vCPUs of a destination: of an IPI, of a pin of the virtual I/O APIC, of a device's message.
 * From: guest/pc/vlapic_irq.c (IPIs), guest/pc/vioapic.c (pins), guest/assign/irq.c (messages).
 * To: guest/pc/vlapic.h (LDR and DFR on the virtual-APIC page).
 * Spec: SDM "Determining IPI Destination".
 */
#include "guest/pc/vlapic.h"
#include "arch/apic.h"

#define BROADCAST    0xff
#define BROADCAST_X2 UINT32_MAX

static bool matches_logical(const struct vcpu *v, uint32_t dest)
{
    uint32_t ldr = vlapic_get(v, APIC_LDR);
    if (vlapic_is_x2apic(v)) /* a cluster, and a bit for each APIC in it */
        return FIELD_GET(X2APIC_CLUSTER, ldr) == FIELD_GET(X2APIC_CLUSTER, dest) &&
               (ldr & dest & BITS(15, 0));
    ldr = (uint32_t)FIELD_GET(XAPIC_ID, ldr);
    if (FIELD_GET(DFR_MODEL, vlapic_get(v, APIC_DFR)) == DFR_FLAT) /* a bit for each APIC */
        return ldr & dest;
    return (ldr & BITS(7, 4)) == (dest & BITS(7, 4)) && (ldr & dest & BITS(3, 0));
}

uint64_t vlapic_takers(const struct vm *vm, uint64_t set)
{
    uint64_t found = 0;
    for (uint64_t rest = set; rest; rest &= rest - 1) {
        const struct vcpu *v = vm->vcpus[__builtin_ctzll(rest)];
        if (vlapic_takes(v))
            found |= BIT(v->index);
    }
    return found;
}

uint64_t vlapic_match(struct vm *vm, uint32_t dest, bool logical)
{
    uint64_t found = 0;
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        const struct vcpu *v = vm->vcpus[i];
        if (!(v->apic_base & APIC_BASE_EN))
            continue;
        bool all = dest == BROADCAST_X2 || (dest == BROADCAST && !(logical && vlapic_is_x2apic(v)));
        if (all || (logical ? matches_logical(v, dest) : v->index == dest))
            found |= BIT(i);
    }
    return found;
}
