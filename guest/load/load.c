/* SPDX-License-Identifier: MIT */
/*
 * Which kind of kernel is it, and the parts that all kinds need.
 * From: guest/life/create.c.   To: guest/load/linux.c, load_multiboot.c, load_elf.c, load_flat.c, load_info.c.
 * Spec: SDM "4-Level Paging".
 */
#include "guest/load/load.h"
#include "lib/string.h"
#define LOG "load"
#include "arch/log.h"

#define PTE_P  BIT(0)
#define PTE_W  BIT(1)
#define PTE_PS BIT(7) /* this entry maps a large page */

static bool overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

int load_put(struct load *l, uint64_t at, const uint8_t *bytes, uint64_t file_size,
             uint64_t memory_size)
{
    if (memory_size == 0)
        return 0;
    if (at >= l->low || memory_size > l->low - at)
        return LOAD_FAIL(l, "needs memory at 0x%lx, size 0x%lx; the VM has 0x%lx", at, memory_size,
                         l->low);
    if (overlaps(at, memory_size, LOAD_AREA, LOAD_AREA_END - LOAD_AREA))
        return LOAD_FAIL(l, "needs memory at 0x%lx, size 0x%lx; 0x%lx to 0x%lx is reserved", at,
                         memory_size, LOAD_AREA, LOAD_AREA_END);
    memcpy(l->ram + at, bytes, file_size);
    memset(l->ram + at + file_size, 0, memory_size - file_size);
    if (l->image_start == l->image_end) {
        l->image_start = at;
        l->image_end = at;
    }
    l->image_start = MIN(l->image_start, at);
    l->image_end = MAX(l->image_end, at + memory_size);
    return 0;
}

/* At the end of low memory, out of the kernel's way. */
static int put_initrd(struct load *l)
{
    if (!l->initrd)
        return 0;
    if (l->initrd_size > l->low)
        return LOAD_FAIL(l, "initrd of 0x%lx bytes; the VM has 0x%lx", l->initrd_size, l->low);
    uint64_t end = l->initrd_max ? MIN(l->low, l->initrd_max + 1) : l->low;
    l->initrd_at = l->initrd_size < end ? ALIGN_DOWN(end - l->initrd_size, PAGE_SIZE) : 0;
    if (l->initrd_at < LOAD_AREA_END ||
        overlaps(l->initrd_at, l->initrd_size, l->image_start, l->image_end - l->image_start))
        return LOAD_FAIL(l, "no room for an initrd of 0x%lx bytes", l->initrd_size);
    memcpy(l->ram + l->initrd_at, l->initrd, l->initrd_size);
    return 0;
}

void load_start_long(struct load *l, uint64_t entry)
{
    uint64_t *pml4 = (uint64_t *)(l->ram + LOAD_TABLES), *pdpt = pml4 + 512, *pd = pdpt + 512;
    pml4[0] = (LOAD_TABLES + PAGE_SIZE) | PTE_P | PTE_W;
    for (unsigned i = 0; i < 4; i++)
        pdpt[i] = (LOAD_TABLES + (2 + i) * PAGE_SIZE) | PTE_P | PTE_W;
    for (unsigned i = 0; i < 4 * 512; i++)
        pd[i] = i * SIZE_2M | PTE_P | PTE_W | PTE_PS;
    l->mode = VCPU_LONG64;
    l->rip = entry;
    l->rsp = LOAD_AREA;
    l->cr3 = LOAD_TABLES;
    l->rdi = LOAD_INFO;
}

size_t load_map(const struct load *l, struct load_range out[LOAD_RANGE_MAX])
{
    size_t n = 0;
    out[n++] = (struct load_range){0, LOAD_AREA, true};
    out[n++] = (struct load_range){LOAD_AREA, LOAD_AREA_END - LOAD_AREA, false};
    out[n++] = (struct load_range){LOAD_AREA_END, l->low - LOAD_AREA_END, true};
    out[n++] = (struct load_range){VM_ECAM_BASE, VM_MMIO_BASE - VM_ECAM_BASE, false};
    out[n++] = (struct load_range){VM_IOAPIC_BASE, PAGE_SIZE, false};
    out[n++] = (struct load_range){VM_APIC_BASE, PAGE_SIZE, false};
    if (l->high)
        out[n++] = (struct load_range){UINT64_C(1) << 32, l->high, true};
    return n;
}

int load_kernel(struct load *l)
{
    int done = load_linux(l);
    if (done == 0)
        done = load_multiboot2(l);
    if (done == 0)
        done = load_multiboot1(l);
    if (done == 0)
        done = load_is_elf(l) ? load_elf(l) : load_flat(l);
    if (done < 0)
        return done;
    int err = put_initrd(l);
    if (err)
        return err;
    if (l->rsi)
        load_linux_info(l);
    else if (l->rax == MULTIBOOT1_MAGIC)
        load_info1(l);
    else
        load_info2(l);
    return 0;
}
