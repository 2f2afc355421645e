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

static uint8_t bytes[4096];
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
    uint8_t head[16] = {0, 0, (uint8_t)(16 + size), 0, flags, 0, (uint8_t)segment, 0};
    memcpy(head + 8, &base, 8);
    put(head, 16);
    put(scopes, size);
}

static void region(uint64_t base, uint64_t limit, const void *scopes, size_t size)
{
    uint8_t head[24] = {1, 0, (uint8_t)(24 + size)};
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
    assert_true(out.interrupt_remapping && !out.x2apic_opt_out);
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
    assert_true(out.x2apic_opt_out);
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

static void refuse(const void *scopes, size_t size)
{
    begin(39, 0);
    unit(0, 0, 0xfed90000, scopes, size);
    assert_int_equal(parse(), -EINVAL);
}

TEST(test_hostile_scopes)
{
    refuse("\x01\x00\x00\x00\x00\x00\x04", 7);     /* length 0 would never end */
    refuse("\x01\x08\x00\x00\x00\x00\x04", 7);     /* cut off */
    refuse("\x01\x06\x00\x00\x00\x00", 6);         /* no path */
    refuse("\x01\x07\x00\x00\x00\x00\x04", 7);     /* half a step */
    refuse("\x01\x08\x00\x00\x00\x00\x20\x00", 8); /* device 32 */
    refuse("\x01\x08\x00\x00\x00\x00\x04\x08", 8); /* function 8 */
    refuse("\x01", 1);                             /* not even a head */
    refuse("\x01\x18\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
           "\x00\x00\x00",
           24); /* nine steps */
}

TEST(test_hostile_structures)
{
    static const uint8_t none[] = {0, 0, 0, 0}, cut[] = {0, 0, 16, 0, 0, 0, 0, 0};
    static const uint8_t small[] = {0, 0, 8, 0, 0, 0, 0, 0};
    begin(39, 0);
    put(none, sizeof(none));
    assert_int_equal(parse(), -EINVAL);
    begin(39, 0);
    put(cut, sizeof(cut));
    assert_int_equal(parse(), -EINVAL);
    begin(39, 0);
    put(small, sizeof(small));
    assert_int_equal(parse(), -EINVAL);
    begin(39, 0);
    put("\x00", 1);
    assert_int_equal(parse(), -EINVAL);
    begin(39, 0);
    unit(0, 0, 0xfed90800, NULL, 0); /* not on a page border */
    assert_int_equal(parse(), -EINVAL);
    begin(39, 0);
    unit(0, 0, 0xfed90000, NULL, 0);
    unit(0, 0, 0xfed90000, NULL, 0); /* the same twice */
    assert_int_equal(parse(), -EINVAL);
    begin(39, 0);
    region(0x2000, 0x1fff, endpoint, sizeof(endpoint));
    assert_int_equal(parse(), -EINVAL);
    begin(39, 0);
    used = 40; /* shorter than its own header */
    assert_int_equal(parse(), -EINVAL);
    begin(5, 0);
    assert_int_equal(parse(), -EINVAL);
}

TEST(test_too_many)
{
    begin(39, 0);
    for (unsigned i = 0; i <= DMAR_UNIT_MAX; i++)
        unit(0, 0, 0xfed00000 + i * 0x1000, NULL, 0);
    assert_int_equal(parse(), -ENOSPC);
    begin(39, 0);
    for (unsigned i = 0; i <= DMAR_RMRR_MAX; i++)
        region(0, 0xfff, NULL, 0);
    assert_int_equal(parse(), -ENOSPC);
    begin(39, 0);
    for (unsigned i = 0; i <= DMAR_SCOPE_MAX / 16; i++) {
        uint8_t many[16 * 8];
        for (unsigned k = 0; k < 16; k++)
            memcpy(many + 8 * k, endpoint, 8);
        if (i < DMAR_UNIT_MAX)
            unit(0, 0, 0xfed00000 + i * 0x1000, many, sizeof(many));
        else
            region(0, 0xfff, many, 8);
    }
    assert_int_equal(parse(), -ENOSPC);
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
        cmocka_unit_test(test_qemu),      cmocka_unit_test(test_all_kinds),
        cmocka_unit_test(test_path),      cmocka_unit_test(test_hostile_scopes),
        cmocka_unit_test(test_too_many),  cmocka_unit_test(test_hostile_structures),
        cmocka_unit_test(test_every_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
