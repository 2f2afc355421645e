/* SPDX-License-Identifier: MIT */
// sources: vtd/dmar.c vtd/unit.c vtd/scope.c vtd/init.c vtd/invalidate.c vtd/context.c vtd/sspt.c
// sources: arch/radix.c vtd/intremap.c vtd/fault.c tests/unit/vtd_model.c tests/unit/vtd_requests.c
// sources: tests/unit/vtd_world.c vtd/show.c
/*
 * DMA, the real driver against the model of the unit. Every scenario runs on every kind of unit:
 * one that snoops, one that does not, one with a write buffer, one in caching mode, and each of
 * them by queue and by registers. Devices touch memory before a change as well, so that the caches
 * are warm and a flush that is missing shows.
 */
#include "tests/unit/test.h"
#include "tests/unit/vtd_model.h"
#include <stdlib.h>
#include <string.h>

#define NIC  BDF(0, 4, 0)
#define DISK BDF(0, 5, 0)
#define RAM  UINT64_C(0x10000000)

static const struct kind {
    const char *name;
    uint64_t cap_add, ecap_remove;
    enum inv_mode inv;
} kinds[] = {
    {"snooping, queue", 0, 0, INV_QI},
    {"snooping, registers", 0, 0, INV_REG},
    {"not snooping, queue", 0, ECAP_C, INV_QI},
    {"not snooping, registers", 0, ECAP_C, INV_REG},
    {"write buffer, queue", CAP_RWBF, 0, INV_QI},
    {"write buffer, not snooping, registers", CAP_RWBF, ECAP_C, INV_REG},
    {"caching mode, queue", CAP_CM, 0, INV_QI},
    {"caching mode, not snooping, registers", CAP_CM, ECAP_C, INV_REG},
};

static void start(const struct kind *k)
{
    model_reset(1);
    model[0].cap |= k->cap_add;
    model[0].ecap &= ~k->ecap_remove;
    options.inv = k->inv;
    assert_int_equal(vtd_init(), 0);
}

static bool reaches(unsigned n, bdf_t device, uint64_t iova, bool write, uint64_t expected)
{
    uint64_t to;
    if (!model_dma(n, device, iova, write, &to))
        return false;
    assert_int_equal(to, expected);
    return true;
}
#define assert_reaches(device, iova, to)                                                           \
    do {                                                                                           \
        assert_true(reaches(0, device, iova, true, to));                                           \
        assert_true(reaches(0, device, iova, false, to));                                          \
    } while (0)
#define assert_blocked(device, iova)                                                               \
    do {                                                                                           \
        assert_false(reaches(0, device, iova, true, 0));                                           \
        assert_false(reaches(0, device, iova, false, 0));                                          \
    } while (0)

static struct vtd_domain *domain_with(uint64_t to, uint64_t size)
{
    struct vtd_domain *d = vtd_domain_create();
    assert_non_null(d);
    assert_int_equal(vtd_map(d, gpa(0), hpa(to), size, VTD_READ | VTD_WRITE), 0);
    return d;
}

static void each_kind(void (*scenario)(void))
{
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        print_message("  on: %s\n", kinds[i].name);
        start(&kinds[i]);
        scenario();
        vtd_fault_poll();
    }
}
#define SCENARIO(name)                                                                             \
    static void name##_once(void);                                                                 \
    TEST(name) { each_kind(name##_once); }                                                         \
    static void name##_once(void)

SCENARIO(blocked_from_the_start)
{
    assert_blocked(NIC, 0x1000);
    assert_blocked(BDF(0xff, 31, 7), RAM);
    assert_true(vtd_active() && vtd_covers(NIC));
    assert_false(model[0].undrained);
    vtd_fault_poll();
    assert_int_equal(vtd_fault_count(NIC), 2);
}

SCENARIO(attach_gives_the_view)
{
    assert_blocked(NIC, 0x5000); /* caching mode remembers this */
    struct vtd_domain *d = domain_with(RAM, 4 * SIZE_2M);
    unsigned flushed = model[0].iotlb_flushes[IIRG_GLOBAL];
    assert_int_equal(vtd_attach(d, NIC), 0);
    /* The bus got its context table: a change of a root entry asks for global invalidation. */
    assert_int_equal(model[0].iotlb_flushes[IIRG_GLOBAL] - flushed, vtd.caching_mode);
    assert_reaches(NIC, 0x5123, RAM + 0x5123);
    assert_blocked(NIC, 4 * SIZE_2M);
    assert_blocked(DISK, 0x5000);
    assert_int_equal(vtd_attach(d, DISK), 0);
    assert_reaches(DISK, 0x5000, RAM + 0x5000);
}

/* A function that was not there at boot: its bus has no context table yet, and a change of a root
 * entry asks for global invalidation. */
SCENARIO(attach_on_a_new_bus)
{
    const bdf_t late = BDF(0x40, 1, 0);
    assert_blocked(late, 0x5000);
    struct vtd_domain *d = domain_with(RAM, SIZE_2M);
    unsigned flushed = model[0].iotlb_flushes[IIRG_GLOBAL];
    assert_int_equal(vtd_attach(d, late), 0);
    assert_int_equal(model[0].iotlb_flushes[IIRG_GLOBAL] - flushed, vtd.caching_mode);
    assert_reaches(late, 0x5123, RAM + 0x5123);
}

/* A device may have a cache of translations, and the unit may be able to fill it: it is not let. */
TEST(no_translation_leaves_the_unit)
{
    model_reset(1);
    model[0].ecap |= ECAP_DT | ECAP_PT;
    assert_int_equal(vtd_init(), 0);
    assert_int_equal(vtd_attach(domain_with(RAM, SIZE_2M), NIC), 0);
    uint64_t table = vtd.units[0].root[BDF_BUS(NIC)].lo & ROOT_CTP;
    const struct u128 *entry = (const struct u128 *)hpa_ptr(hpa(table)) + BDF_DEVFN(NIC);
    assert_true(entry->lo & CTX_P);
    assert_int_equal(FIELD_GET(CTX_TT, entry->lo), CTX_TT_UNTRANSLATED);
}

/* Pass-through is for those that ask for it, ends with the flush, and leaves the
 * others translated. */
static void untranslated_on(const struct kind *k)
{
    model_reset(1);
    model[0].cap |= k->cap_add;
    model[0].ecap = (model[0].ecap & ~k->ecap_remove) | ECAP_PT;
    options.inv = k->inv;
    assert_int_equal(vtd_init(), 0);
    struct vtd_domain *through = vtd_domain_create_untranslated(), *d = domain_with(RAM, SIZE_2M);
    assert_non_null(through);
    assert_blocked(NIC, 0x5000);
    assert_int_equal(vtd_attach(through, NIC), 0);
    assert_int_equal(vtd_attach(d, DISK), 0);
    assert_reaches(NIC, 0x5123, 0x5123);
    assert_reaches(NIC, RAM + 7, RAM + 7);
    assert_reaches(DISK, 0x5123, RAM + 0x5123);
    struct vtd_walk w;
    assert_true(vtd_walk(DISK, gpa(0x5123), &w) && w.mapped && w.to.v == RAM + 0x5123);
    assert_true(vtd_walk(NIC, gpa(0x5123), &w) && w.mapped && w.to.v == 0x5123 && w.count == 0);
    vtd_detach(NIC);
    assert_blocked(NIC, 0x5000);
    assert_int_equal(vtd_attach(d, NIC), 0);
    assert_reaches(NIC, 0x5123, RAM + 0x5123);
    vtd_detach(NIC);
    vtd_domain_destroy(through);
}

TEST(untranslated_only_if_asked)
{
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
        untranslated_on(&kinds[i]);
    model_reset(1);
    assert_int_equal(vtd_init(), 0);
    assert_null(vtd_domain_create_untranslated()); /* this unit has no pass-through */
}

SCENARIO(map_after_attach)
{
    struct vtd_domain *d = domain_with(RAM, 0x2000);
    assert_int_equal(vtd_attach(d, NIC), 0);
    assert_blocked(NIC, 0x2000);
    assert_blocked(NIC, SIZE_1G);
    assert_int_equal(vtd_map(d, gpa(0x2000), hpa(RAM + 0x8000), 0x1000, VTD_READ | VTD_WRITE), 0);
    assert_reaches(NIC, 0x2fff, RAM + 0x8fff);
    assert_int_equal(vtd_map(d, gpa(SIZE_1G), hpa(SIZE_1G), SIZE_1G, VTD_READ), 0);
    assert_true(reaches(0, NIC, SIZE_1G + 5, false, SIZE_1G + 5));
    assert_false(reaches(0, NIC, SIZE_1G + 5, true, 0));
}

SCENARIO(unmap_is_final)
{
    struct vtd_domain *d = domain_with(RAM, 2 * SIZE_2M);
    assert_int_equal(vtd_map(d, gpa(SIZE_1G), hpa(RAM), 0x10000, VTD_READ | VTD_WRITE), 0);
    assert_int_equal(vtd_attach(d, NIC), 0);
    assert_int_equal(vtd_attach(d, DISK), 0);
    for (uint64_t at = 0; at < 0x10000; at += 0x1000)
        assert_reaches(NIC, SIZE_1G + at, RAM + at);
    assert_reaches(DISK, SIZE_1G + 0x5000, RAM + 0x5000);
    vtd_unmap(d, gpa(SIZE_1G + 0x3000), 0x5000);
    for (uint64_t at = 0; at < 0x10000; at += 0x1000)
        if (at >= 0x3000 && at < 0x8000)
            assert_blocked(NIC, SIZE_1G + at);
        else
            assert_reaches(NIC, SIZE_1G + at, RAM + at);
    assert_blocked(DISK, SIZE_1G + 0x5000);
    assert_reaches(NIC, 0, RAM);
    vtd_unmap(d, gpa(0), 2 * SIZE_2M);
    assert_blocked(NIC, 0);
    vtd_unmap(d, gpa(0), BIT(50)); /* holes, and more than there is */
    assert_blocked(NIC, SIZE_1G);
    assert_false(model[0].undrained);
}

SCENARIO(unmap_splits_large_pages)
{
    struct vtd_domain *d = domain_with(SIZE_1G, SIZE_1G);
    assert_int_equal(vtd_attach(d, NIC), 0);
    assert_reaches(NIC, 0x5000, SIZE_1G + 0x5000);
    vtd_unmap(d, gpa(0x5000), 0x1000);
    assert_blocked(NIC, 0x5000);
    assert_reaches(NIC, 0x4fff, SIZE_1G + 0x4fff);
    assert_reaches(NIC, 0x6000, SIZE_1G + 0x6000);
    assert_reaches(NIC, SIZE_2M, SIZE_1G + SIZE_2M);
    assert_reaches(NIC, SIZE_1G - 1, 2 * SIZE_1G - 1);
    /* 64 KiB across a border of 2 MiB */
    vtd_unmap(d, gpa(3 * SIZE_2M - 0x8000), 0x10000);
    assert_blocked(NIC, 3 * SIZE_2M);
    assert_reaches(NIC, 3 * SIZE_2M + 0x8000, SIZE_1G + 3 * SIZE_2M + 0x8000);
}

SCENARIO(split_without_memory_stays_safe)
{
    struct vtd_domain *d = domain_with(SIZE_1G, SIZE_1G);
    assert_int_equal(vtd_attach(d, NIC), 0);
    assert_reaches(NIC, SIZE_2M, SIZE_1G + SIZE_2M);
    world.pages_limit = world.pages_used;
    vtd_unmap(d, gpa(0x5000), 0x1000);
    assert_blocked(NIC, 0x5000);
    assert_blocked(NIC, SIZE_2M);
}

SCENARIO(detach_blocks)
{
    struct vtd_domain *d = domain_with(RAM, SIZE_2M);
    assert_int_equal(vtd_attach(d, NIC), 0);
    assert_int_equal(vtd_attach(d, DISK), 0);
    assert_reaches(NIC, 0, RAM);
    vtd_detach(NIC);
    assert_blocked(NIC, 0);
    assert_reaches(DISK, 0, RAM);
    vtd_detach(NIC); /* nothing there any more */
    vtd_detach(DISK);
    assert_blocked(DISK, 0);
    assert_false(model[0].undrained);
}

/* One store from one domain to the other: at no moment both or a mixture. */
SCENARIO(attach_elsewhere)
{
    struct vtd_domain *a = domain_with(RAM, SIZE_2M), *b = domain_with(2 * RAM, SIZE_2M);
    assert_int_equal(vtd_attach(a, NIC), 0);
    assert_reaches(NIC, 0x1000, RAM + 0x1000);
    assert_int_equal(vtd_attach(b, NIC), 0);
    assert_reaches(NIC, 0x1000, 2 * RAM + 0x1000);
    vtd_domain_destroy(a);
    assert_reaches(NIC, 0x1000, 2 * RAM + 0x1000);
}

SCENARIO(same_address_two_domains)
{
    struct vtd_domain *a = domain_with(RAM, SIZE_2M), *b = domain_with(2 * RAM, SIZE_2M);
    assert_int_not_equal(vtd_domain_id(a), vtd_domain_id(b));
    assert_int_equal(vtd_attach(a, NIC), 0);
    assert_int_equal(vtd_attach(b, DISK), 0);
    for (uint64_t at = 0; at < 0x8000; at += 0x1000) {
        assert_reaches(NIC, at, RAM + at);
        assert_reaches(DISK, at, 2 * RAM + at);
    }
    vtd_unmap(a, gpa(0), SIZE_2M);
    assert_blocked(NIC, 0x1000);
    assert_reaches(DISK, 0x1000, 2 * RAM + 0x1000);
}

/* A domain-id comes back only after everything that the units knew of it is gone, and no
 * page is lost. */
SCENARIO(domain_ids_are_reused_clean)
{
    unsigned id = 0;
    for (int round = 0; round < 3; round++) {
        struct vtd_domain *d = domain_with(RAM + (uint64_t)round * SIZE_2M, 0x2000);
        unsigned before = model[0].context_flushes[CIRG_DOMAIN];
        assert_int_equal(vtd_attach(d, NIC), 0);
        assert_reaches(NIC, 0, RAM + (uint64_t)round * SIZE_2M);
        unsigned pages = world.pages_used;
        vtd_detach(NIC);
        unsigned iotlb = model[0].iotlb_flushes[IIRG_DOMAIN];
        vtd_domain_destroy(d);
        assert_int_equal(model[0].context_flushes[CIRG_DOMAIN], before + 1);
        assert_int_equal(model[0].iotlb_flushes[IIRG_DOMAIN], iotlb + 1);
        assert_int_equal(world.pages_used, pages - vtd.levels);
        assert_true(round == 0 || vtd_domain_id(d) == id);
        id = vtd_domain_id(d);
        assert_blocked(NIC, 0);
    }
}

/* Each unit has so many ids, and 0 is none of a domain. */
TEST(domain_ids_run_out)
{
    model_start(MODEL_CAP & ~CAP_ND, MODEL_ECAP);
    assert_int_equal(vtd_domains_used(), 0);
    struct vtd_domain *d[16];
    for (unsigned i = 0; i < 15; i++) {
        d[i] = vtd_domain_create();
        assert_int_equal(vtd_domain_id(d[i]), 1 + i);
        assert_int_equal(vtd_domains_used(), 1 + i);
    }
    unsigned pages = world.pages_used;
    assert_null(vtd_domain_create());
    assert_int_equal(world.pages_used, pages);
    vtd_domain_destroy(d[0]);
    assert_int_equal(vtd_domains_used(), 14);
    world.pages_limit = world.pages_used; /* an id, but no page for its table */
    assert_null(vtd_domain_create());
    assert_int_equal(vtd_domains_used(), 14);
    model_start(MODEL_CAP, MODEL_ECAP);
    for (unsigned i = 0; i < VTD_DOMAIN_MAX; i++)
        assert_non_null(vtd_domain_create());
    assert_null(vtd_domain_create());
}

/* With the table of its bus made before, a device is attached without memory. */
SCENARIO(a_prepared_bus_needs_no_memory)
{
    const bdf_t late = BDF(0x41, 1, 0);
    struct vtd_domain *d = domain_with(RAM, SIZE_2M);
    unsigned pages = world.pages_used;
    vtd_detach(late); /* makes no table */
    assert_int_equal(world.pages_used, pages);
    vtd_prepare(late);
    assert_int_equal(world.pages_used, pages + 1);
    vtd_prepare(late);
    world.pages_limit = pages + 1;
    assert_int_equal(vtd_attach(d, late), 0);
    assert_reaches(late, 0x5123, RAM + 0x5123);
    assert_int_equal(vtd_attach(d, BDF(0x42, 1, 0)), -ENOMEM);
    vtd_prepare(BDF(0x42, 1, 0));
    assert_blocked(BDF(0x42, 1, 0), 0x5000);
}

/* No unit serves it: nothing happens. */
TEST(what_no_unit_serves)
{
    model_reset(2);
    memset(world.table + 48 + 8, 0, 8); /* the unit of the NIC has no place */
    assert_int_equal(vtd_init(), 0);
    unsigned pages = world.pages_used;
    vtd_prepare(NIC);
    vtd_detach(NIC);
    vtd_fault_listen(NIC);
    assert_int_equal(vtd_attach(vtd_domain_create(), NIC), -ENODEV);
    assert_int_equal(world.pages_used, pages + 1);
}

/* Only what a unit may have cached is flushed: an entry that was present, or, in caching mode, one
 * that was not. */
SCENARIO(no_flush_for_nothing)
{
    struct vtd_domain *d = domain_with(RAM, SIZE_2M);
    vtd_prepare(NIC);
    unsigned before = model[0].context_flushes[CIRG_DEVICE], wbf = model[0].wbf;
    assert_int_equal(vtd_attach(d, NIC), 0);
    assert_int_equal(model[0].context_flushes[CIRG_DEVICE] - before, vtd.caching_mode);
    assert_int_equal(model[0].wbf - wbf, model[0].cap & CAP_RWBF ? 1 : 0);
    vtd_detach(NIC);
    before = model[0].context_flushes[CIRG_DEVICE];
    vtd_detach(NIC);
    assert_int_equal(model[0].context_flushes[CIRG_DEVICE], before);
    assert_true((model[0].cap & CAP_RWBF) || model[0].wbf == 0);
}

/* The fewest pages that hold the range: aligned, a power of two. */
SCENARIO(the_least_is_flushed)
{
    static const uint64_t rows[][4] = {
        /* from, size, flushed from, mask */
        {0x5000, 0x1000, 0x5000, 0},    {0x6000, 0x2000, 0x6000, 1}, {0x9000, 0x2000, 0x8000, 2},
        {0xf000, 0x2000, 0, 5},         {0, 0x1000, 0, 0},           {0x1000, 0x1000, 0x1000, 0},
        {SIZE_2M, SIZE_2M, SIZE_2M, 9},
    };
    struct vtd_domain *d = vtd_domain_create();
    assert_int_equal(vtd_attach(d, NIC), 0);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_int_equal(vtd_map(d, gpa(rows[i][0]), hpa(RAM + rows[i][0]), rows[i][1], VTD_READ),
                         0);
        unsigned flushed = model[0].iotlb_flushes[IIRG_PAGE];
        vtd_unmap(d, gpa(rows[i][0]), rows[i][1]);
        assert_int_equal(model[0].iotlb_flushes[IIRG_PAGE], flushed + 1);
        assert_int_equal(model[0].flushed_iova, rows[i][2]);
        assert_int_equal(model[0].flushed_mask, rows[i][3]);
    }
    unsigned flushed = model[0].iotlb_flushes[IIRG_PAGE]; /* the most that this unit can */
    vtd_unmap(d, gpa(SIZE_1G), SIZE_1G);
    assert_int_equal(model[0].iotlb_flushes[IIRG_PAGE], flushed + 1);
    assert_int_equal(model[0].flushed_mask, 18);
    vtd_unmap(d, gpa(0), 2 * SIZE_1G);
    assert_int_equal(model[0].iotlb_flushes[IIRG_PAGE], flushed + 1);
}

SCENARIO(map_refuses)
{
    struct vtd_domain *d = domain_with(RAM, SIZE_2M);
    unsigned rw = VTD_READ | VTD_WRITE;
    assert_int_equal(vtd_map(d, gpa(0x1000), hpa(RAM), 0x1000, rw), -EEXIST);
    assert_int_equal(vtd_map(d, gpa(0), hpa(0), SIZE_1G, rw), -EEXIST);
    assert_int_equal(vtd_map(d, gpa(SIZE_1G), hpa(RAM), 0x800, rw), -EINVAL);
    assert_int_equal(vtd_map(d, gpa(SIZE_1G), hpa(RAM), 0, rw), -EINVAL);
    assert_int_equal(vtd_map(d, gpa(SIZE_1G), hpa(RAM), 0x1000, 0), -EINVAL);
    assert_int_equal(vtd_map(d, gpa(SIZE_1G), hpa(RAM), 0x1000, 4), -EINVAL);
    assert_int_equal(vtd_map(d, gpa(0xfee00000), hpa(RAM), 0x1000, rw), -EINVAL);
    assert_int_equal(vtd_map(d, gpa(0xfedff000), hpa(RAM), 0x2000, rw), -EINVAL);
    assert_int_equal(vtd_map(d, gpa(BIT(48)), hpa(RAM), 0x1000, rw), -EINVAL);
    assert_int_equal(vtd_map(d, gpa(BIT(48) - 0x1000), hpa(RAM), 0x2000, rw), -EINVAL);
    assert_int_equal(vtd_map(d, gpa(UINT64_MAX - 0xfff), hpa(RAM), 0x1000, rw), -EINVAL);
    assert_int_equal(vtd_map(d, gpa(SIZE_1G), hpa(BIT(52)), 0x1000, rw), -EINVAL);
    assert_int_equal(vtd_map(d, gpa(BIT(48) - 0x1000), hpa(RAM), 0x1000, rw), 0);
}

SCENARIO(map_without_memory_leaves_nothing)
{
    struct vtd_domain *d = domain_with(RAM, 0x1000);
    assert_int_equal(vtd_attach(d, NIC), 0);
    world.pages_limit = world.pages_used + 2; /* for the first table, not for the second */
    assert_int_equal(vtd_map(d, gpa(2 * SIZE_1G - 0x1000), hpa(RAM), 0x2000, VTD_READ | VTD_WRITE),
                     -ENOMEM);
    assert_blocked(NIC, 2 * SIZE_1G - 0x1000);
    hpa_t to;
    unsigned perm;
    assert_false(vtd_translate(d, gpa(2 * SIZE_1G - 0x1000), &to, &perm));
}

SCENARIO(translate_agrees_with_the_unit)
{
    struct vtd_domain *d = domain_with(SIZE_1G, SIZE_1G + SIZE_2M + 0x3000);
    assert_int_equal(vtd_map(d, gpa(BIT(38)), hpa(RAM), 0x1000, VTD_READ), 0);
    assert_int_equal(vtd_attach(d, NIC), 0);
    uint64_t probes[] = {0,
                         0x1fff,
                         SIZE_1G,
                         SIZE_1G + SIZE_2M,
                         SIZE_1G + SIZE_2M + 0x2fff,
                         SIZE_1G + SIZE_2M + 0x3000,
                         BIT(38),
                         BIT(38) + 0x1000,
                         BIT(47)};
    for (size_t i = 0; i < ARRAY_COUNT(probes); i++) {
        hpa_t to = hpa(0);
        unsigned perm = 0;
        uint64_t real = 0;
        bool mapped = vtd_translate(d, gpa(probes[i]), &to, &perm);
        assert_int_equal(mapped, model_dma(0, NIC, probes[i], false, &real));
        assert_true(!mapped || real == to.v);
        assert_true(!mapped || !!(perm & VTD_WRITE) == model_dma(0, NIC, probes[i], true, &real));
    }
    hpa_t to;
    unsigned perm;
    assert_false(vtd_translate(d, gpa(BIT(60)), &to, &perm));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocked_from_the_start),
        cmocka_unit_test(attach_gives_the_view),
        cmocka_unit_test(attach_on_a_new_bus),
        cmocka_unit_test(untranslated_only_if_asked),
        cmocka_unit_test(no_translation_leaves_the_unit),
        cmocka_unit_test(map_after_attach),
        cmocka_unit_test(unmap_is_final),
        cmocka_unit_test(unmap_splits_large_pages),
        cmocka_unit_test(split_without_memory_stays_safe),
        cmocka_unit_test(detach_blocks),
        cmocka_unit_test(attach_elsewhere),
        cmocka_unit_test(same_address_two_domains),
        cmocka_unit_test(domain_ids_are_reused_clean),
        cmocka_unit_test(domain_ids_run_out),
        cmocka_unit_test(a_prepared_bus_needs_no_memory),
        cmocka_unit_test(what_no_unit_serves),
        cmocka_unit_test(no_flush_for_nothing),
        cmocka_unit_test(the_least_is_flushed),
        cmocka_unit_test(map_refuses),
        cmocka_unit_test(map_without_memory_leaves_nothing),
        cmocka_unit_test(translate_agrees_with_the_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
