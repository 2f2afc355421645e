/* SPDX-License-Identifier: MIT */
/*
 * Hamlet's page tables: four levels, pages of 2 MiB where they fit, else of 4 KiB.
 * From: boot/main.c (paging_init), arch/cpu.c (paging_load), everywhere (mmio_map).
 * To: arch/radix.c (the tree).
 * INVARIANT: no page is both writable and executable, and page 0 is not mapped.
 * Spec: SDM "4-Level Paging and 5-Level Paging", "Access Rights", "Invalidation of TLBs and
 * Paging-Structure Caches".
 */
#include "arch/paging.h"
#include "arch/layout.h"
#include "arch/msr.h"
#include "arch/page.h"
#include "arch/radix.h"
#include "arch/spinlock.h"
#include "arch/x86.h"
#include "lib/bits.h"
#include "lib/errno.h"
#define LOG "paging"
#include "arch/log.h"

// clang-format off
#define PTE_RIGHTS  (PTE_P | PTE_RW | PTE_PWT | PTE_PCD | PTE_NX)

#define PTE_TEXT    PTE_P
#define PTE_RODATA  (PTE_P | PTE_NX)
#define PTE_DATA    (PTE_P | PTE_RW | PTE_NX)
#define PTE_SCREEN  (PTE_DATA | PTE_PWT)            /* PAT entry 1: WC */
#define PTE_DEVICE  (PTE_DATA | PTE_PCD | PTE_PWT)  /* PAT entry 3: UC */

/* Addresses from there on are not canonical, or walk the tables again. */
#define LOWER_HALF  BIT(47)
#define PAT UINT64_C(0x0007040600070106) /* as after reset, but for entry 1: WC, not WT */

#define CPUID_EXT_EDX_NX BIT(20)    /* CPUID.80000001H:EDX "Execute Disable Bit" */
// clang-format on

static uint64_t root[512] __attribute__((aligned(4096)));
static const struct radix tree = {
    .root = root,
    .levels = 4,
    .pages_2m = true,
    .present = PTE_P | PTE_RW,
};
static struct spinlock lock = {.name = "host page tables"};

/* Give these rights to every page that [base, base + size) touches; rights 0: unmap it. A page that
 * has them already keeps its entry, so that no large page is split without need. */
static int set_range(uint64_t base, uint64_t size, uint64_t rights)
{
    uint64_t end = ALIGN_UP(base + size, PAGE_SIZE);
    for (uint64_t at = ALIGN_DOWN(base, PAGE_SIZE); at < end;) {
        unsigned level;
        if ((radix_walk(&tree, at, &level) & PTE_RIGHTS) == rights) {
            at = radix_after(at, level);
            continue;
        }
        uint64_t done = radix_set(&tree, at, end - at, rights ? at | rights : 0);
        if (done == 0)
            return -ENOMEM;
        at += done;
        write_cr3(read_cr3()); /* forget them all: no page is global */
    }
    return 0;
}

/* A part of Hamlet's image, between two borders of linker.ld. */
static int set_part(const char *start, const char *end, uint64_t rights)
{
    return set_range((uintptr_t)start, (uintptr_t)(end - start), rights);
}

int paging_init(const struct boot_info *info)
{
    if (!(cpuid(0x80000001, 0).edx & CPUID_EXT_EDX_NX))
        return FAIL(ENODEV, "this CPU has no execute-disable bit, or the firmware has it off");
    int err = 0;
    for (size_t i = 0; i < info->range_count && err == 0; i++)
        if (info->ranges[i].usable)
            err = set_range(info->ranges[i].base.v, info->ranges[i].size, PTE_DATA);
    const struct boot_screen *s = &info->screen;
    if (s->base.v && s->base.v < LOWER_HALF && err == 0)
        err = set_range(s->base.v, (uint64_t)s->pitch * s->height, PTE_SCREEN);
    if (err < 0 || set_range(info->info_base.v, info->info_size, PTE_DATA) < 0 ||
        set_part(image_start, text_end, PTE_TEXT) < 0 ||
        set_part(text_end, rodata_end, PTE_RODATA) < 0 ||
        set_part(rodata_end, image_end, PTE_DATA) < 0 || set_range(0, PAGE_SIZE, 0) < 0)
        return FAIL(ENOMEM, "no memory for Hamlet's own page tables");
    paging_load();
    return 0;
}

void paging_load(void)
{
    wrmsr(MSR_IA32_EFER, rdmsr(MSR_IA32_EFER) | EFER_NXE);
    wrmsr(MSR_IA32_PAT, PAT);
    write_cr3(ptr_hpa(root).v);
    write_cr4(CR4_PAE | CR4_MCE | CR4_PGE);
    write_cr0(read_cr0() | CR0_WP | CR0_NE | CR0_MP);
}

static void *map(hpa_t base, uint64_t size, uint64_t rights)
{
    if (base.v >= LOWER_HALF || size > LOWER_HALF - base.v)
        return NULL;
    spin_lock(&lock);
    int err = set_range(base.v, size, rights);
    spin_unlock(&lock);
    return err < 0 ? NULL : hpa_ptr(base);
}

void *mmio_map(hpa_t base, uint64_t size) { return map(base, size, PTE_DEVICE); }

const void *firmware_map(hpa_t base, uint64_t size)
{
    /* Some firmware calls its tables usable memory, which is mapped already; a table may also begin
     * there and end in a range of its own. */
    for (uint64_t at = ALIGN_DOWN(base.v, PAGE_SIZE); at < base.v + size; at += PAGE_SIZE)
        if (!page_is_ram(hpa(at), PAGE_SIZE) && !map(hpa(at), PAGE_SIZE, PTE_RODATA))
            return NULL;
    return hpa_ptr(base);
}

void mmio_unmap(hpa_t base, uint64_t size)
{
    if (!map(base, size, 0))
        log_error("no memory to take out 0x%lx", base.v);
}

uint64_t paging_rights(const void *p, bool *writable, bool *executable)
{
    unsigned level;
    uint64_t entry = radix_walk(&tree, (uintptr_t)p, &level);
    *writable = entry & PTE_RW;
    *executable = !(entry & PTE_NX);
    return entry & PTE_P ? RADIX_SPAN(level) : 0;
}
