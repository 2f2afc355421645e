/* SPDX-License-Identifier: MIT */
/*
 * What only a person asks for: a VMCS field by its number, an EPT walk with every entry on the way.
 * From: monitor/.   To: vmx/vcpu/vcpu.c (vcpu_borrow).
 * Spec: SDM "VMREAD", "The Extended Page Table Mechanism (EPT)".
 */
#include "vmx/show/show.h"
#include "vmx/ept_flush.h"

#define LEVELS          4
#define EPT_ADDR        BITS(51, 12)
#define EPT_LEAF        BIT(7)
#define SHIFT_OF(level) (12 + 9 * ((level)-1))

bool vcpu_vmcs_field(const struct vcpu *v, uint32_t encoding, uint64_t *value)
{
    bool failed;
    vcpu_borrow(v);
    asm volatile("vmread %2, %1"
                 : "=@ccbe"(failed), "=r"(*value)
                 : "r"((uint64_t)encoding)
                 : "memory");
    vcpu_return(v);
    return !failed;
}

unsigned ept_walk(const struct ept *ept, gpa_t at, uint64_t entries[4])
{
    const uint64_t *table = ept->root;
    for (unsigned level = LEVELS;; level--) {
        uint64_t entry = table[at.v >> SHIFT_OF(level) & BITS(8, 0)];
        entries[LEVELS - level] = entry;
        if (level == 1 || !(entry & EPT_PERM_ALL) || (entry & EPT_LEAF))
            return LEVELS - level + 1;
        table = hpa_ptr(hpa(entry & EPT_ADDR));
    }
}
