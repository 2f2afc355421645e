/* SPDX-License-Identifier: MIT */
/*
 * From an APIC id to core and socket. CPUID has a subleaf for each level, from the thread up, with
 * the number of low bits of the APIC id that tell apart what is in one unit of the next level. The
 * ids have gaps: they are not counted, but shifted.
 * From: arch/cpu.c.   To: arch/x86.h.   Contract: arch/topology.h.
 * Spec: SDM "CPUID-CPU Identification", leaves 0BH and 1FH.
 */
#include "arch/topology.h"
#include "arch/x86.h"

#define LEVEL_SHIFT  BITS(4, 0)  /* EAX */
#define LEVEL_TYPE   BITS(15, 8) /* ECX; 0: no more levels */
#define LEVEL_THREAD 1
#define LEVELS_MAX   8

/* Leaf 1FH is as 0BH, with levels between core and socket; it may be empty. */
static uint32_t shifted(uint32_t apic_id, bool to_core)
{
    static const uint8_t leaves[] = {0x1f, 0xb};
    for (unsigned i = 0; i < ARRAY_COUNT(leaves); i++) {
        unsigned bits = 0;
        uint32_t n = cpuid(0, 0).eax < leaves[i] ? LEVELS_MAX : 0;
        bool told = false;
        for (; n < LEVELS_MAX; n++) {
            struct cpuid_regs level = cpuid(leaves[i], n);
            uint64_t type = FIELD_GET(LEVEL_TYPE, level.ecx);
            if (!type)
                break;
            told = true;
            if (!to_core || type == LEVEL_THREAD)
                bits = level.eax & LEVEL_SHIFT;
        }
        if (told)
            return apic_id >> bits;
    }
    return to_core ? apic_id : 0;
}

uint32_t topology_core(uint32_t apic_id) { return shifted(apic_id, true); }
uint32_t topology_socket(uint32_t apic_id) { return shifted(apic_id, false); }
