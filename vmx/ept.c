/* SPDX-License-Identifier: MIT */
/*
 * The extended page tables of one VM: guest-physical to host-physical, four levels, largest pages
 * that fit (arch/radix.c). What CPUs have cached of them is the task of vmx/ept_flush.c. Pure, so
 * tests/unit/test_ept.c runs this file on the host.
 * From: guest/core/memory.c (vm_map, vm_unmap).   To: arch/radix.c (the
 * tree), vmx/ept_flush.c (ept_flush).
 * Spec: SDM "The Extended Page Table Mechanism (EPT)".
 *
 * Memory types: RAM is WB, and the guest's PAT may weaken it. Registers of devices are UC, which
 * the guest can only turn into WC.
 */
#include "vmx/ept.h"
#include "vmx/caps.h"
#include "vmx/ept_flush.h"
#include "arch/leaks.h"
#include "arch/page.h"

#define GPA_LIMIT RADIX_SPAN(EPT_LEVELS + 1)

struct ept *ept_create(void)
{
    struct ept *ept = page_alloc();
    if (!ept)
        return NULL;
    ept->lock.name = "ept->lock";
    ept->tree = (struct radix){.levels = EPT_LEVELS,
                               .pages_2m = vmx_caps.ept_2m,
                               .pages_1g = vmx_caps.ept_1g,
                               .present = EPT_PERM_ALL};
    if (radix_init(&ept->tree) < 0) {
        page_free(ept);
        return NULL;
    }
    return ept;
}

void ept_destroy(struct ept *ept)
{
    radix_free(&ept->tree);
    if (ept->apic_page)
        page_free(ept->apic_page);
    page_free(ept);
}

int ept_map(struct ept *ept, gpa_t at, hpa_t to, uint64_t size, unsigned perm, enum ept_type type)
{
    if (!IS_ALIGNED(at.v | to.v | size, PAGE_SIZE) || at.v >= GPA_LIMIT ||
        size > GPA_LIMIT - at.v || !(perm & EPT_PERM_ALL))
        return -EINVAL;
    uint64_t rights = FIELD_SET(EPT_MEMTYPE, type) | (perm & EPT_PERM_ALL);
    struct radix tree = ept->tree;
    if ((perm & EPT_PERM_EXEC) && (leaks_guards & LEAKS_SMALL))
        tree.pages_2m = tree.pages_1g = false;
    spin_lock(&ept->lock);
    int err = radix_map(&tree, at.v, size, to.v | rights);
    spin_unlock(&ept->lock);
    if (err == -ENOMEM)
        ept_unmap(ept, at,
                  size); /* a part may be mapped, and a CPU in the guest may have cached it */
    return err;
}

/* The flush waits for other CPUs, so it comes after the lock. */
void ept_unmap(struct ept *ept, gpa_t at, uint64_t size)
{
    spin_lock(&ept->lock);
    radix_clear(&ept->tree, at.v, at.v + size);
    atomic_fetch_add(&ept->generation, 1);
    spin_unlock(&ept->lock);
    ept_flush(ept);
}

static void leaf_decode(uint64_t entry, unsigned *perm, enum ept_type *type)
{
    *perm = entry & EPT_PERM_ALL;
    *type = (enum ept_type)FIELD_GET(EPT_MEMTYPE, entry);
}

bool ept_translate(const struct ept *ept, gpa_t at, hpa_t *to, unsigned *perm, enum ept_type *type)
{
    if (at.v >= GPA_LIMIT)
        return false;
    unsigned level;
    uint64_t entry = radix_walk(&ept->tree, at.v, &level);
    *to = radix_target(entry, at.v, level);
    leaf_decode(entry, perm, type);
    return *perm != 0;
}

void ept_visit(const struct ept *ept,
               bool (*visit)(void *ctx, gpa_t at, hpa_t to, uint64_t size, unsigned perm,
                             enum ept_type type),
               void *ctx)
{
    uint64_t entry, size;
    unsigned perm;
    enum ept_type type;
    for (uint64_t at = 0; (entry = radix_run(&ept->tree, &at, GPA_LIMIT, &size)); at += size) {
        leaf_decode(entry, &perm, &type);
        if (!visit(ctx, gpa(at), radix_target(entry, at, 1), size, perm, type))
            return;
    }
}

uint64_t ept_run(const struct ept *ept, gpa_t at, uint64_t most, hpa_t *to, unsigned *perm)
{
    uint64_t first = at.v, size, end = MIN(at.v + most, GPA_LIMIT);
    uint64_t entry = radix_run(&ept->tree, &first, end, &size);
    if (!entry || first != at.v)
        return 0;
    *to = radix_target(entry, at.v, 1);
    *perm = entry & EPT_PERM_ALL;
    return size;
}

unsigned ept_walk(const struct ept *ept, gpa_t at, uint64_t entries[4])
{
    return radix_path(&ept->tree, at.v, entries);
}

int ept_apic_page(struct ept *ept, hpa_t *page)
{
    if (!ept->apic_page)
        ept->apic_page = page_alloc();
    *page = ptr_hpa(ept->apic_page);
    return ept->apic_page ? 0 : -ENOMEM;
}
