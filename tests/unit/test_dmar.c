/* SPDX-License-Identifier: MIT */
// sources: vtd/dmar.c
/*
 * The DMAR parser: what QEMU and real firmware write is understood, what makes no sense is refused,
 * and no byte outside the table is read (each table lies at the very end of its allocation).
 */
#include "tests/unit/test.h"
#include "vtd/dmar.h"
#include <stdlib.h>
#include <string.h>

static uint8_t bytes[32768];
static uint32_t used;

static void begin(uint8_t width, uint8_t flags)
{
    memset(bytes, 0, sizeof(bytes));
    memcpy(bytes, "DMAR", 4);
    bytes[36] = (uint8_t)(width - 1);
    bytes[37] = flags;
    used = 48;
}

static void put(const void *p, size_t size)
{
    if (size > 0)
        memcpy(bytes + used, p, size);
    used += (uint32_t)size;
}

static void unit(uint8_t flags, uint16_t segment, uint64_t base, const void *scopes, size_t size)
{
    uint8_t head[16] = {0,     0, (uint8_t)(16 + size), (uint8_t)((16 + size) >> 8),
                        flags, 0, (uint8_t)segment,     0};
    memcpy(head + 8, &base, 8);
    put(head, 16);
    put(scopes, size);
}

static void region(uint64_t base, uint64_t limit, const void *scopes, size_t size)
{
    uint8_t head[24] = {1, 0, (uint8_t)(24 + size), (uint8_t)((24 + size) >> 8)};
    memcpy(head + 8, &base, 8);
    memcpy(head + 16, &limit, 8);
    put(head, 24);
    put(scopes, size);
}

static struct dmar out;

static int parse(void)
{
    memcpy(bytes + 4, &used, 4);
    uint8_t *exact = malloc(used);
    memcpy(exact, bytes, used);
    int err = dmar_parse((const struct acpi_header *)exact, &out);
    free(exact);
    return err;
}

static const uint8_t endpoint[] = {1, 8, 0, 0, 0, 0, 4, 0};

TEST(test_qemu)
{
    static const uint8_t scopes[] = {3, 8, 0, 0, 0, 0xff, 0, 0, 1, 8, 0, 0, 0, 0, 0,    0,
                                     2, 8, 0, 0, 0, 0,    3, 0, 1, 8, 0, 0, 0, 0, 0x1f, 3};
    begin(39, 1);
    unit(0, 0, 0xfed90000, scopes, sizeof(scopes));
    assert_int_equal(parse(), 0);
    assert_int_equal(out.address_width, 39);
    assert_true(out.interrupt_remapping);
    assert_int_equal(out.unit_count, 1);
    assert_false(out.units[0].include_all);
    assert_int_equal(out.units[0].base.v, 0xfed90000);
    assert_int_equal(out.units[0].size, 4096);
    assert_int_equal(out.units[0].scopes.count, 4);
    assert_int_equal(out.scopes[0].type, DMAR_SCOPE_IOAPIC);
    assert_int_equal(out.scopes[0].start_bus, 0xff);
    assert_int_equal(out.scopes[2].type, DMAR_SCOPE_BRIDGE);
    assert_int_equal(out.scopes[3].path[0], 0x1f << 3 | 3);
}

TEST(test_all_kinds)
{
    static const uint8_t hpet[] = {4, 8, 0, 0, 0, 0xf0, 0xf, 0};
    static const uint8_t atsr[] = {2, 0, 8, 0, 1, 0, 0, 0};
    static const uint8_t rhsa[] = {3, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t andd[] = {4, 0, 12, 0, 0, 0, 0, 1, 'X', 'Y', 0, 0};
    static const uint8_t satc[] = {5, 0, 16, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0, 4, 0};
    static const uint8_t later[] = {99, 0, 6, 0, 1, 2};
    begin(46, 3);
    unit(0, 0, 0xfed90000, endpoint, sizeof(endpoint));
    put(atsr, sizeof(atsr));
    unit(1, 0, 0xfed91000, hpet, sizeof(hpet));
    put(rhsa, sizeof(rhsa));
    put(andd, sizeof(andd));
    put(satc, sizeof(satc));
    put(later, sizeof(later));
    region(0x70000000, 0x7fffffff, endpoint, sizeof(endpoint));
    assert_int_equal(parse(), 0);
    assert_int_equal(out.unit_count, 2);
    assert_true(out.units[1].include_all);
    assert_int_equal(out.skipped_count, 5);
    assert_int_equal(out.rmrr_count, 1);
    assert_int_equal(out.rmrrs[0].limit.v, 0x7fffffff);
    assert_int_equal(out.rmrrs[0].scopes.count, 1);
}

/* Bridge 00:03.0 leads to bus 5, bridge 05:02.0 to bus 6. */
static uint8_t bus_behind(bdf_t bridge)
{
    return bridge == BDF(0, 3, 0) ? 5 : bridge == BDF(5, 2, 0) ? 6 : 0;
}

TEST(test_path)
{
    static const uint8_t hops[] = {1, 12, 0, 0, 0, 0, 3, 0, 2, 0, 1, 7};
    static const uint8_t nowhere[] = {1, 10, 0, 0, 0, 0, 9, 0, 2, 0};
    begin(39, 0);
    unit(0, 0, 0xfed90000, hops, sizeof(hops));
    unit(0, 0, 0xfed91000, nowhere, sizeof(nowhere));
    assert_int_equal(parse(), 0);
    bdf_t at;
    assert_true(dmar_scope_resolve(&out.scopes[0], bus_behind, &at));
    assert_int_equal(at, BDF(6, 1, 7));
    assert_false(dmar_scope_resolve(&out.scopes[1], bus_behind, &at));
}

/* A scope that makes no sense ends the list of its unit, and nothing else. */
static void ends_the_list(const void *scopes, size_t size)
{
    begin(39, 0);
    unit(0, 0, 0xfed90000, endpoint, sizeof(endpoint));
    memcpy(bytes + used, scopes, size);
    used += (uint32_t)size;
    bytes[48 + 2] = (uint8_t)(bytes[48 + 2] + size);
    unit(1, 0, 0xfed91000, endpoint, sizeof(endpoint));
    assert_int_equal(parse(), 0);
    assert_int_equal(out.unit_count, 2);
    assert_int_equal(out.units[0].scopes.count, 1);
    assert_false(out.units[0].scopes.whole);
    assert_int_equal(out.units[1].scopes.count, 1);
    assert_true(out.units[1].scopes.whole);
    assert_int_equal(out.scopes[out.units[1].scopes.first].path[0], 4 << 3);
}

TEST(test_hostile_scopes)
{
    ends_the_list("\x01\x00\x00\x00\x00\x00\x04", 7);     /* length 0 would never end */
    ends_the_list("\x01\x08\x00\x00\x00\x00\x04", 7);     /* cut off */
    ends_the_list("\x01\x06\x00\x00\x00\x00", 6);         /* no path */
    ends_the_list("\x01\x07\x00\x00\x00\x00\x04", 7);     /* half a step */
    ends_the_list("\x01\x08\x00\x00\x00\x00\x20\x00", 8); /* device 32 */
    ends_the_list("\x01\x08\x00\x00\x00\x00\x04\x08", 8); /* function 8 */
    ends_the_list("\x01", 1);                             /* not even a head */
    ends_the_list("\x01\x18\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
                  "\x00\x00\x00\x00\x00\x00",
                  24); /* nine steps */
}

/* Where the next structure is, or how many units there are, is not known. */
TEST(test_hostile_structures)
{
    static const uint8_t none[] = {0, 0, 0, 0}, cut[] = {0, 0, 16, 0, 0, 0, 0, 0};
    static const uint8_t small[] = {0, 0, 8, 0, 0, 0, 0, 0}, short_region[] = {1, 0, 4, 0};
    const struct {
        const void *bytes;
        size_t size;
    } tables[] = {{none, sizeof(none)},
                  {cut, sizeof(cut)},
                  {small, sizeof(small)},
                  {short_region, sizeof(short_region)},
                  {"", 1}};
    for (size_t i = 0; i < ARRAY_COUNT(tables); i++) {
        begin(39, 0);
        put(tables[i].bytes, tables[i].size);
        assert_int_equal(parse(), -EINVAL);
    }
    begin(39, 0);
    used = 40; /* shorter than its own header */
    assert_int_equal(parse(), -EINVAL);
}

/* A unit at no possible place is kept, so that its devices are not taken for those of another. */
TEST(test_units_at_no_place)
{
    static const uint64_t places[] = {0, 0xfed90800, 0xfed91000};
    for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
        begin(39, 0);
        unit(0, 0, 0xfed91000, NULL, 0);
        unit(0, 0, places[i], endpoint, sizeof(endpoint)); /* the last one: a second time */
        assert_int_equal(parse(), 0);
        assert_int_equal(out.unit_count, 2);
        assert_int_equal(out.units[0].base.v, 0xfed91000);
        assert_int_equal(out.units[1].base.v, 0);
        assert_int_equal(out.units[1].scopes.count, 1);
    }
}

/* Regions that make no sense are kept for the devices that they name. */
TEST(test_odd_regions)
{
    static const struct {
        uint64_t base, limit, got_base, size;
    } rows[] = {
        {0x1000, 0x1fff, 0x1000, 0x1000},
        {0x1000, 0x17ff, 0x1000, 0x800},
        {0x1800, 0x2fff, 0x1000, 0x2000}, /* begins in the middle of a page */
        {0x2000, 0x1fff, 0x2000, 0},      /* empty, */
        {0x2000, 0x1000, 0x2000, 0},      /* and less than that */
        {0x800, 0, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        begin(39, 0);
        region(rows[i].base, rows[i].limit, endpoint, sizeof(endpoint));
        assert_int_equal(parse(), 0);
        assert_int_equal(out.rmrr_count, 1);
        assert_int_equal(out.rmrrs[0].base.v, rows[i].got_base);
        assert_true(out.rmrrs[0].limit.v - out.rmrrs[0].base.v + 1 == rows[i].size);
        assert_int_equal(out.rmrrs[0].scopes.count, 1);
    }
}

TEST(test_xapic)
{
    for (uint8_t flags = 0; flags < 8; flags++) {
        begin(39, flags);
        memcpy(bytes + 4, &used, 4);
        assert_int_equal(dmar_asks_for_xapic((const void *)bytes), (flags & 3) == 3);
    }
    used = 47;
    memcpy(bytes + 4, &used, 4);
    assert_false(dmar_asks_for_xapic((const void *)bytes));
}

TEST(test_address_width)
{
    static const uint8_t widths[][2] = {{39, 39}, {52, 52}, {5, 52}, {53, 52}, {32, 32}, {0, 52}};
    for (size_t i = 0; i < ARRAY_COUNT(widths); i++) {
        begin(widths[i][0], 0);
        assert_int_equal(parse(), 0);
        assert_int_equal(out.address_width, widths[i][1]);
    }
}

/* A server: 64 units, 512 regions, 2048 scopes; and one more of each. */
TEST(test_too_many)
{
    uint8_t many[32 * 8];
    for (unsigned k = 0; k < 32; k++)
        memcpy(many + 8 * k, endpoint, 8);
    for (unsigned more = 0; more < 2; more++) {
        begin(39, 0);
        for (unsigned i = 0; i < DMAR_UNIT_MAX + more; i++)
            unit(0, 0, 0xfed00000 + i * 0x1000, NULL, 0);
        assert_int_equal(parse(), more ? -ENOSPC : 0);
        begin(39, 0);
        for (unsigned i = 0; i < DMAR_RMRR_MAX + more; i++)
            region(0, 0xfff, NULL, 0);
        assert_int_equal(parse(), more ? -ENOSPC : 0);
        begin(39, 0);
        for (unsigned i = 0; i < DMAR_SCOPE_MAX / 32; i++)
            region(0, 0xfff, many, sizeof(many));
        region(0, 0xfff, many, 8 * more);
        assert_int_equal(parse(), more ? -ENOSPC : 0);
    }
}

/* Every cut of a good table is refused or understood, and never read beyond. */
TEST(test_every_cut)
{
    begin(39, 0);
    unit(1, 0, 0xfed90000, endpoint, sizeof(endpoint));
    region(0x1000, 0x1fff, endpoint, sizeof(endpoint));
    uint32_t whole = used;
    for (used = 36; used < whole; used++) {
        bool border = used == 48 || used == 72;
        assert_int_equal(parse(), border ? 0 : -EINVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_qemu),        cmocka_unit_test(test_all_kinds),
        cmocka_unit_test(test_path),        cmocka_unit_test(test_hostile_scopes),
        cmocka_unit_test(test_too_many),    cmocka_unit_test(test_hostile_structures),
        cmocka_unit_test(test_every_cut),   cmocka_unit_test(test_units_at_no_place),
        cmocka_unit_test(test_odd_regions), cmocka_unit_test(test_address_width),
        cmocka_unit_test(test_xapic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
