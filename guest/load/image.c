/* SPDX-License-Identifier: MIT */
/*
 * The common part of all loaders: bytes into guest memory, the map of that memory, a start state.
 * From: guest/load/linux.c, multiboot.c, elf.c, flat.c (all four), load.c, info.c.
 * To: arch/task.c (task_copy: a copy may take long).
 * Spec: SDM "4-Level Paging"; Multiboot "Machine state".
 */
#include "guest/load/load.h"
#include "arch/paging.h"
#include "arch/task.h"
#define LOG "load"
#include "arch/log.h"

int load_put(struct load *l, uint64_t at, const uint8_t *bytes, uint64_t file_size,
             uint64_t memory_size)
{
    if (memory_size == 0)
        return 0;
    if (at >= l->low || memory_size > l->low - at)
        return LOAD_FAIL(l, "needs memory at 0x%lx, size 0x%lx; the VM has 0x%lx", at, memory_size,
                         l->low);
    if (ranges_overlap(at, memory_size, LOAD_AREA, LOAD_AREA_END - LOAD_AREA))
        return LOAD_FAIL(l, "needs memory at 0x%lx, size 0x%lx; 0x%lx to 0x%lx is reserved", at,
                         memory_size, LOAD_AREA, LOAD_AREA_END);
    task_copy(l->ram + at, bytes, file_size);
    task_copy(l->ram + at + file_size, NULL, memory_size - file_size);
    bool first = l->image_start == l->image_end;
    l->image_start = first ? at : MIN(l->image_start, at);
    l->image_end = first ? at + memory_size : MAX(l->image_end, at + memory_size);
    return 0;
}

uint64_t load_top(struct load *l, uint64_t size)
{
    uint64_t at = size <= l->top ? ALIGN_DOWN(l->top - size, PAGE_SIZE) : 0;
    if (at < LOAD_AREA_END ||
        ranges_overlap(at, size, l->image_start, l->image_end - l->image_start))
        return 0;
    l->top = at;
    return at;
}

/* At the end of low memory, so that the kernel can grow behind its image. In one piece and in their
 * order: a Linux takes all of them for one initrd, where zeros may stand between two archives. */
int load_modules(struct load *l)
{
    uint64_t size = 0, at;
    l->top = l->low;
    if (l->module_count == 0)
        return 0;
    if (l->initrd_max)
        l->top = MIN(l->low, l->initrd_max + 1);
    for (size_t i = 0; i < l->module_count; i++) {
        if (l->modules[i].size > l->low)
            return LOAD_FAIL(l, "initrd of 0x%lx bytes; the VM has 0x%lx", l->modules[i].size,
                             l->low);
        size += ALIGN_UP(l->modules[i].size, PAGE_SIZE);
    }
    at = load_top(l, size);
    if (!at)
        return LOAD_FAIL(l, "no room for an initrd of 0x%lx bytes", size);
    for (struct load_module *m = l->modules; m < l->modules + l->module_count; m++) {
        task_copy(l->ram + at, m->bytes, m->size);
        m->at = at;
        at += ALIGN_UP(m->size, PAGE_SIZE);
    }
    return 0;
}

/* One PML4 entry, four directories of 2-MByte pages: the low 4 GiB, linear as physical. */
void load_start_long(struct load *l, const char *format, uint64_t entry)
{
    uint64_t *pml4 = (uint64_t *)(l->ram + LOAD_TABLES), *pdpt = pml4 + 512, *pd = pdpt + 512;
    pml4[0] = (LOAD_TABLES + PAGE_SIZE) | PTE_P | PTE_RW;
    for (unsigned i = 0; i < 4; i++)
        pdpt[i] = (LOAD_TABLES + (2 + i) * PAGE_SIZE) | PTE_P | PTE_RW;
    for (unsigned i = 0; i < 4 * 512; i++)
        pd[i] = i * SIZE_2M | PTE_P | PTE_RW | PTE_PS;
    l->start = (struct vm_start){
        .format = format,
        .mode = VCPU_LONG64,
        .rip = entry,
        .rsp = LOAD_AREA,
        .cr3 = LOAD_TABLES,
        .rdi = LOAD_INFO,
    };
}

void load_start_multiboot(struct load *l, const char *format, uint64_t entry, uint32_t magic)
{
    l->start = (struct vm_start){
        .format = format,
        .mode = VCPU_PROTECTED32,
        .rip = entry,
        .rsp = LOAD_AREA,
        .rax = magic,
        .rbx = LOAD_INFO,
    };
}

size_t load_map(const struct load *l, struct load_range out[LOAD_RANGE_MAX])
{
    size_t n = 0;
    out[n++] = (struct load_range){0, LOAD_AREA, MEMORY_USABLE};
    out[n++] = (struct load_range){LOAD_AREA, LOAD_HOLE - LOAD_AREA, MEMORY_RESERVED};
    out[n++] = (struct load_range){LOAD_ROM, LOAD_AREA_END - LOAD_ROM, MEMORY_RESERVED};
    out[n++] = (struct load_range){LOAD_AREA_END, l->low - LOAD_AREA_END, MEMORY_USABLE};
    out[n++] = (struct load_range){VM_ECAM_BASE, VM_MMIO_BASE - VM_ECAM_BASE, MEMORY_RESERVED};
    out[n++] = (struct load_range){VM_IOAPIC_BASE, PAGE_SIZE, MEMORY_RESERVED};
    out[n++] = (struct load_range){VM_APIC_BASE, PAGE_SIZE, MEMORY_RESERVED};
    if (l->high)
        out[n++] = (struct load_range){UINT64_C(1) << 32, l->high, MEMORY_USABLE};
    for (size_t i = 0; l->reserved && i < VM_RESERVED_COUNT && l->reserved[i].size; i++)
        out[n++] = (struct load_range){l->reserved[i].at, l->reserved[i].size, MEMORY_RESERVED};
    return n;
}
