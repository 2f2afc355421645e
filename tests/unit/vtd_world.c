/* SPDX-License-Identifier: MIT */
/*
 * The machine around the model of the unit: pages, whose content the unit may see late or never, a
 * DMAR table, a few PCI functions, and the small services that the driver calls.
 * From: tests/unit/vtd_model.h.
 */
#include "tests/unit/vtd_model.h"
#include "arch/apic.h"
#include "arch/io.h"
#include "arch/page.h"
#include "arch/paging.h"
#include "arch/time.h"
#include "arch/trap.h"
#include <string.h>

#define ARENA_PAGES 1024
struct model_world world;

/* The same pages three times: as our caches have them, as memory has them, and as a unit
 * sees them. */
static uint8_t arena[ARENA_PAGES * 4096] __attribute__((aligned(65536)));
static uint8_t memory[sizeof(arena)], seen[sizeof(arena)];
static bool taken[ARENA_PAGES];

/* What stands in memory where nothing of ours arrived yet: the worst there is, an entry that lets
 * everything through, at every level of every table. */
static uint64_t garbage(size_t offset) { return offset & 8 ? 0x12345002 : MODEL_GARBAGE; }

static void garbage_fill(uint8_t *at, size_t size)
{
    for (size_t i = 0; i < size; i += 8)
        memcpy(at + i, &(uint64_t){garbage(i)}, 8);
}

static bool write_buffered(void) { return model[0].cap & CAP_RWBF; }
static bool snooped(void)
{
    bool all = true;
    for (unsigned n = 0; n < MODEL_UNITS; n++)
        all &= model[n].cap == 0 || (model[n].ecap & ECAP_C);
    return all;
}

void model_write_buffer_empty(void)
{
    if (write_buffered())
        memcpy(seen, snooped() ? arena : memory, sizeof(seen));
}

void cache_write_back(const void *p, size_t size)
{
    size_t first = ALIGN_DOWN((size_t)((const uint8_t *)p - arena), 64);
    size_t end = ALIGN_UP((size_t)((const uint8_t *)p - arena) + size, 64);
    if ((const uint8_t *)p < arena || end > sizeof(arena))
        return;
    memcpy(memory + first, arena + first, end - first);
}

static const uint8_t *view(hpa_t at)
{
    size_t offset = (size_t)((const uint8_t *)hpa_ptr(at) - arena);
    if (offset >= sizeof(arena))
        return NULL;
    if (write_buffered())
        return seen + offset;
    return (snooped() ? arena : memory) + offset;
}

uint64_t model_read(hpa_t at)
{
    uint64_t v = garbage(at.v);
    const uint8_t *p = view(at);
    if (p)
        memcpy(&v, p, sizeof(v));
    return v;
}

struct u128 model_read_128(hpa_t at)
{
    return (struct u128){.lo = model_read(at), .hi = model_read(hpa(at.v + 8))};
}

/* New pages hold zeros in our caches, and in memory whatever was there before. */
void *pages_alloc(size_t count, uint64_t align)
{
    if (world.pages_limit && world.pages_used + count > world.pages_limit)
        return NULL;
    for (size_t first = 0; first + count <= ARENA_PAGES; first += align / 4096) {
        size_t n = 0;
        while (n < count && !taken[first + n])
            n++;
        if (n < count)
            continue;
        for (n = 0; n < count; n++)
            taken[first + n] = true;
        world.pages_used += (unsigned)count;
        memset(arena + first * 4096, 0, count * 4096);
        garbage_fill(memory + first * 4096, count * 4096);
        garbage_fill(seen + first * 4096, count * 4096);
        return arena + first * 4096;
    }
    return NULL;
}

void *page_alloc(void) { return pages_alloc(1, 4096); }

void pages_free(void *first, size_t count)
{
    size_t n = (size_t)((uint8_t *)first - arena) / 4096;
    for (size_t i = n; i < n + count; i++)
        taken[i] = false;
    garbage_fill(first, count * 4096);
    world.pages_used -= (unsigned)count;
}

void page_free(void *page) { pages_free(page, 1); }
bool page_is_ram(hpa_t base, uint64_t size) { return base.v + size <= MODEL_RAM_END; }
hpa_t page_ram_end(hpa_t below) { return hpa(below.v > BIT(32) ? MODEL_RAM_HIGH : MODEL_RAM_END); }
void *mmio_map(hpa_t base, uint64_t size)
{
    (void)size;
    return hpa_ptr(base);
}

/* Nothing here takes time: what is not done at once never will be. */
uint64_t time_deadline_us(uint64_t us) { return rdtsc() + us / 10; }

bool apic_is_x2apic(void) { return world.x2apic; }
uint32_t apic_id(void) { return world.x2apic ? 0x123 : 3; }
void irq_register(uint8_t vector, irq_handler handler, void *ctx)
{
    (void)handler, (void)ctx;
    world.irq_registered += vector == VECTOR_VTD;
}

const struct acpi_header *acpi_find(const char signature[4])
{
    const struct acpi_header *t = (const void *)world.table;
    return t->length && !memcmp(signature, "DMAR", 4) ? t : NULL;
}
bool acpi_was_refused(const char signature[4]) { return signature[0] == 0; }

size_t pci_count(void) { return world.function_count; }
struct pci_function *pci_get(size_t n) { return &world.functions[n]; }
bdf_t pci_requester(const struct pci_function *f) { return world.requesters[f - world.functions]; }
struct pci_function *pci_find(bdf_t bdf)
{
    for (unsigned i = 0; i < world.function_count; i++)
        if (world.functions[i].bdf == bdf)
            return &world.functions[i];
    return NULL;
}

uint16_t pci_command(bdf_t bdf, uint16_t set, uint16_t clear)
{
    (void)set;
    for (unsigned i = 0; i < world.function_count; i++)
        if (world.functions[i].bdf == bdf && (clear & PCI_COMMAND_MASTER))
            world.stopped |= (uint32_t)BIT(i);
    return 0;
}

static void function_add(bdf_t bdf, bdf_t requester, uint8_t secondary, uint8_t subordinate)
{
    world.functions[world.function_count] = (struct pci_function){.bdf = bdf,
                                                                  .header_type = secondary != 0,
                                                                  .secondary_bus = secondary,
                                                                  .subordinate_bus = subordinate};
    world.requesters[world.function_count++] = requester;
}

static void table_append(const void *bytes, size_t size)
{
    struct acpi_header *t = (void *)world.table;
    memcpy(world.table + t->length, bytes, size);
    t->length += (uint32_t)size;
}

static void table_unit(unsigned n, bool all, const void *scopes, uint8_t size)
{
    uint64_t base = MODEL_BASE(n);
    uint8_t drhd[16] = {0, 0, (uint8_t)(16 + size), 0, all};
    memcpy(drhd + 8, &base, 8);
    table_append(drhd, sizeof(drhd));
    table_append(scopes, size);
}

static void table_build(unsigned units)
{
    static const uint8_t own[] = {1, 8, 0, 0, 0, 0,    4,    0,  /* endpoint 00:04.0 */
                                  2, 8, 0, 0, 0, 0,    0x1c, 0,  /* bridge 00:1c.0 */
                                  3, 8, 0, 0, 5, 0xf0, 0x1f, 7}; /* I/O APIC 5 at f0:1f.7 */
    static const uint8_t rmrr[] = {1,    0,    32, 0,    0, 0, 0, 0, 0, 0, 0, 0x90, 0, 0, 0,    0,
                                   0xff, 0xff, 0,  0x90, 0, 0, 0, 0, 1, 8, 0, 0,    0, 0, 0x1d, 0};
    struct acpi_header *t = (void *)world.table;
    t->length = 48;
    world.table[36] = 51; /* addresses of 52 bits */
    world.table[37] = 1;  /* interrupt remapping */
    if (units > 1)
        table_unit(1, false, own, sizeof(own));
    table_unit(0, true, own + 16, 8); /* INCLUDE_PCI_ALL comes last */
    table_append(rmrr, sizeof(rmrr)); /* 00:1d.0 */
}

void model_reset(unsigned units)
{
    memset(&vtd, 0, sizeof(vtd));
    memset(model, 0, sizeof(model));
    memset(&world, 0, sizeof(world));
    memset(taken, 0, sizeof(taken));
    garbage_fill(arena, sizeof(arena));
    garbage_fill(memory, sizeof(memory));
    garbage_fill(seen, sizeof(seen));
    options.vtd = options.ir = true;
    options.inv = INV_QI;
    for (unsigned n = 0; n < units; n++)
        model[n] = (struct model_unit){.cap = MODEL_CAP,
                                       .ecap = MODEL_ECAP,
                                       .version = 0x10,
                                       .gsts = GCMD_CFI,
                                       .fectl = (uint32_t)FECTL_IM};
    function_add(BDF(0, 4, 0), BDF(0, 4, 0), 0, 0);
    function_add(BDF(0, 5, 0), BDF(0, 5, 0), 0, 0);
    function_add(BDF(0, 0x1c, 0), BDF(0, 0x1c, 0), 2, 3);
    function_add(BDF(2, 1, 0), BDF(2, 0, 0), 0, 0); /* behind a PCI Express-to-PCI bridge */
    table_build(units);
}

void model_start(uint64_t cap, uint64_t ecap)
{
    model_reset(1);
    model[0].cap = cap;
    model[0].ecap = ecap;
    (void)!vtd_init();
}
