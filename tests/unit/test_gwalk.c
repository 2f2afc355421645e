/* SPDX-License-Identifier: MIT */
// sources: guest/insn/gwalk.c
/*
 * The guest page walk against tables built here: every way of paging, every page size, every cause
 * of a page fault with its error code.
 * From: make unit.   To: guest/insn/gwalk.c.
 */
#include <stdint.h>
#include <string.h>

#include "arch/x86.h"
#include "guest/insn/gwalk.h"
#include "tests/unit/test.h"

#define P  BIT(0)
#define RW BIT(1)
#define US BIT(2)
#define A  BIT(5)
#define D  BIT(6)
#define PS BIT(7)
#define XD BIT(63)

/* Guest memory: eight pages, of which page n - 1 holds the table of level n. */
static uint64_t memory[8 * 512];
static struct gwalk_cpu cpu;

static int memory_read(void *ctx, gpa_t at, unsigned size, uint64_t *value)
{
    (void)ctx;
    assert_true(at.v % size == 0);
    if (at.v + size > sizeof(memory))
        return -EIO;
    *value = UINT64_MAX; /* what lies above the entry's width does not count */
    memcpy(value, (uint8_t *)memory + at.v, size);
    return 0;
}

static int memory_set_bits(void *ctx, gpa_t at, unsigned size, uint64_t bits)
{
    uint64_t value = 0;
    int err = memory_read(ctx, at, size, &value);
    value |= bits;
    if (!err)
        memcpy((uint8_t *)memory + at.v, &value, size);
    return err;
}

static const struct gwalk_bus bus = {.read = memory_read, .set_bits = memory_set_bits};

static uint64_t table(unsigned level) { return (level - 1) * PAGE_SIZE; }

/* The entry of this level which translates gva. */
static uint64_t *entry_64(unsigned level, uint64_t gva)
{
    return &memory[table(level) / 8 + (gva >> (12 + 9 * (level - 1)) & 511)];
}

static uint32_t *entry_32(unsigned level, uint64_t gva)
{
    return (uint32_t *)memory + table(level) / 4 + (gva >> (12 + 10 * (level - 1)) & 1023);
}

static void setup_long_mode(unsigned levels, uint64_t gva)
{
    memset(memory, 0, sizeof(memory));
    cpu = (struct gwalk_cpu){
        .cr0 = CR0_PE | CR0_PG | CR0_WP,
        .cr3 = table(levels),
        .cr4 = CR4_PAE | (levels == 5 ? CR4_LA57 : 0),
        .efer = EFER_LME | EFER_LMA | EFER_NXE,
        .maxphyaddr = 40,
        .cpl = 3,
    };
    for (unsigned level = levels; level > 1; level--)
        *entry_64(level, gva) = table(level - 1) | P | RW | US;
    *entry_64(1, gva) = UINT64_C(0xab12345000) | P | RW | US;
}

static void setup_32(uint64_t gva)
{
    memset(memory, 0, sizeof(memory));
    cpu = (struct gwalk_cpu){
        .cr0 = CR0_PE | CR0_PG, .cr3 = table(2), .cr4 = CR4_PSE, .maxphyaddr = 36, .cpl = 0};
    *entry_32(2, gva) = table(1) | P | RW | US;
    *entry_32(1, gva) = 0x87654000 | P | RW | US;
}

static void setup_pae(uint64_t gva)
{
    setup_long_mode(2, gva);
    cpu.efer = EFER_NXE;
    cpu.cr3 = 0x123e0; /* not used: the registers hold what was there */
    cpu.pdpte[gva >> 30 & 3] = table(2) | P;
}

static void expect_gpa(uint64_t gva, enum gwalk_access access, uint64_t gpa, uint64_t page_size)
{
    struct gwalk out;
    assert_int_equal(gwalk(&cpu, gva, access, &bus, &out), 0);
    assert_int_equal(out.gpa.v, gpa);
    assert_int_equal(out.page_size, page_size);
}

static void expect_fault(uint64_t gva, enum gwalk_access access, uint64_t error_code)
{
    struct gwalk out;
    assert_int_equal(gwalk(&cpu, gva, access, &bus, &out), -EPERM);
    assert_int_equal(out.error_code, error_code);
}

TEST(no_paging)
{
    cpu = (struct gwalk_cpu){.cr0 = CR0_PE, .maxphyaddr = 36};
    expect_gpa(0x12345678, GWALK_WRITE, 0x12345678, PAGE_SIZE);
}

TEST(paging_of_32_bits)
{
    const uint64_t gva = 0xc0403123;
    setup_32(gva);
    expect_gpa(gva, GWALK_READ, 0x87654123, PAGE_SIZE);
    expect_gpa(gva | UINT64_C(1) << 32, GWALK_READ, 0x87654123,
               PAGE_SIZE); /* bit 32 is not there */
    cpu.cr3 |= 0x18;       /* PWT and PCD are not part of the address */
    expect_gpa(gva, GWALK_READ, 0x87654123, PAGE_SIZE);
    *entry_32(1, gva) = 0;
    expect_fault(gva, GWALK_WRITE, PFERR_W);
    cpu.cpl = 3;
    expect_fault(gva, GWALK_FETCH, PFERR_U); /* neither NX nor SMEP: I is not told */
}

TEST(pages_of_4_mbytes)
{
    const uint64_t gva = 0xc0403123;
    setup_32(gva);
    *entry_32(2, gva) = 0x40000000 | FIELD_SET(BITS(16, 13), 0x9) | P | PS;
    expect_gpa(gva, GWALK_READ, UINT64_C(0x940003123), SIZE_2M * 2);
    *entry_32(2, gva) |= BIT(17); /* bit 36 of the address: beyond MAXPHYADDR */
    expect_fault(gva, GWALK_READ, PFERR_P | PFERR_RSVD);
    cpu.maxphyaddr = 40;
    expect_gpa(gva, GWALK_READ, UINT64_C(0x1940003123), SIZE_2M * 2);
    *entry_32(2, gva) |= BIT(21);
    expect_fault(gva, GWALK_READ, PFERR_P | PFERR_RSVD);

    setup_32(gva);
    cpu.cr4 = 0; /* without PSE, PS means nothing */
    *entry_32(2, gva) |= PS;
    expect_gpa(gva, GWALK_READ, 0x87654123, PAGE_SIZE);
}

TEST(paging_pae)
{
    const uint64_t gva = 0x80604567;
    setup_pae(gva);
    expect_gpa(gva, GWALK_READ, UINT64_C(0xab12345567), PAGE_SIZE);
    *entry_64(1, gva) |= BIT(52);
    expect_fault(gva, GWALK_READ, PFERR_P | PFERR_U | PFERR_RSVD);
    *entry_64(2, gva) = 0x40000000 | P | RW | US | PS;
    expect_gpa(gva, GWALK_READ, 0x40004567, SIZE_2M);
    cpu.pdpte[2] &= ~P;
    expect_fault(gva, GWALK_READ, PFERR_U);
}

TEST(paging_of_4_and_5_levels)
{
    const uint64_t gva = UINT64_C(0xffff8ab5c2345678), gva_5 = UINT64_C(0xff238ab5c2345678);
    setup_long_mode(4, gva);
    expect_gpa(gva, GWALK_READ, UINT64_C(0xab12345678), PAGE_SIZE);
    *entry_64(2, gva) = 0xc0000000 | BIT(12) | P | RW | US | PS; /* PAT is not address */
    expect_gpa(gva, GWALK_READ, 0xc0000000 + gva % SIZE_2M, SIZE_2M);
    *entry_64(3, gva) = 0x80000000 | P | RW | US | PS;
    expect_gpa(gva, GWALK_READ, 0x80000000 + gva % SIZE_1G, SIZE_1G);

    setup_long_mode(5, gva_5);
    expect_gpa(gva_5, GWALK_READ, UINT64_C(0xab12345678), PAGE_SIZE);
}

TEST(not_canonical)
{
    struct gwalk out;
    setup_long_mode(4, 0);
    assert_int_equal(gwalk(&cpu, UINT64_C(0x800000000000), GWALK_READ, &bus, &out), -EINVAL);
    assert_int_equal(gwalk(&cpu, UINT64_C(0xffff7fffffffffff), GWALK_READ, &bus, &out), -EINVAL);
    expect_fault(UINT64_C(0x7fffffffffff), GWALK_READ, PFERR_U);
    expect_fault(UINT64_C(0xffff800000000000), GWALK_READ, PFERR_U);
}

TEST(reserved_bits)
{
    const uint64_t gva = 0x345678, reserved = PFERR_P | PFERR_U | PFERR_RSVD;
    setup_long_mode(4, gva);
    *entry_64(1, gva) |= BIT(40); /* MAXPHYADDR is 40 */
    expect_fault(gva, GWALK_READ, reserved);
    *entry_64(1, gva) ^= BIT(40) | BIT(52) | BIT(62); /* ignored ones */
    expect_gpa(gva, GWALK_READ, UINT64_C(0xab12345678), PAGE_SIZE);
    *entry_64(4, gva) |= PS;
    expect_fault(gva, GWALK_READ, reserved);
    *entry_64(4, gva) ^= PS;
    *entry_64(2, gva) = P | US | PS | BIT(13);
    expect_fault(gva, GWALK_READ, reserved);
    *entry_64(3, gva) = P | US | PS | BIT(29);
    expect_fault(gva, GWALK_READ, reserved);
    *entry_64(4, gva) = P | US | PS; /* no such thing as a page of 512 GByte */
    expect_fault(gva, GWALK_READ, reserved);

    setup_long_mode(4, gva);
    *entry_64(4, gva) |= XD;
    expect_gpa(gva, GWALK_READ, UINT64_C(0xab12345678), PAGE_SIZE);
    cpu.efer &= ~EFER_NXE;
    expect_fault(gva, GWALK_READ, reserved);
    *entry_64(4, gva) &= ~P; /* an absent entry has no reserved bits */
    expect_fault(gva, GWALK_READ, PFERR_U);
}

/* Each right is lost when one level, whichever, withholds it. */
TEST(rights_of_users)
{
    const uint64_t gva = 0x345678;
    for (unsigned level = 1; level <= 4; level++) {
        setup_long_mode(4, gva);
        *entry_64(level, gva) &= ~RW;
        expect_fault(gva, GWALK_WRITE, PFERR_P | PFERR_U | PFERR_W);
        expect_gpa(gva, GWALK_READ, UINT64_C(0xab12345678), PAGE_SIZE);
        *entry_64(level, gva) |= XD;
        expect_fault(gva, GWALK_FETCH, PFERR_P | PFERR_U | PFERR_I);
        *entry_64(level, gva) &= ~US;
        expect_fault(gva, GWALK_READ, PFERR_P | PFERR_U);
    }
}

TEST(rights_of_the_supervisor)
{
    const uint64_t gva = 0x345678, gpa = UINT64_C(0xab12345678);
    setup_long_mode(4, gva);
    cpu.cpl = 0;
    expect_gpa(gva, GWALK_WRITE, gpa, PAGE_SIZE);
    expect_gpa(gva, GWALK_FETCH, gpa, PAGE_SIZE);
    cpu.cr4 |= CR4_SMEP | CR4_SMAP;
    expect_fault(gva, GWALK_FETCH, PFERR_P | PFERR_I);
    expect_fault(gva, GWALK_READ, PFERR_P);
    cpu.rflags = RFLAGS_AC;
    expect_gpa(gva, GWALK_READ, gpa, PAGE_SIZE);
    expect_fault(gva, GWALK_FETCH, PFERR_P | PFERR_I); /* AC opens no way to execute */
    cpu.efer &= ~EFER_NXE;
    expect_fault(gva, GWALK_FETCH, PFERR_P | PFERR_I); /* SMEP alone makes it worth telling */
    *entry_64(1, gva) &= ~(US | RW);
    cpu.rflags = 0;
    expect_gpa(gva, GWALK_FETCH, gpa, PAGE_SIZE);
    expect_fault(gva, GWALK_WRITE, PFERR_P | PFERR_W);
    cpu.cr0 &= ~CR0_WP;
    expect_gpa(gva, GWALK_WRITE, gpa, PAGE_SIZE);
}

TEST(accessed_and_dirty)
{
    const uint64_t gva = 0x345678;
    struct gwalk out;
    setup_long_mode(4, gva);
    *entry_64(1, gva) &= ~RW;
    expect_fault(gva, GWALK_WRITE, PFERR_P | PFERR_U | PFERR_W);
    assert_int_equal(*entry_64(1, gva) & (A | D), 0);
    expect_gpa(gva, GWALK_READ, UINT64_C(0xab12345678), PAGE_SIZE);
    for (unsigned level = 1; level <= 4; level++)
        assert_int_equal(*entry_64(level, gva) & (A | D), A);
    *entry_64(1, gva) |= RW;
    expect_gpa(gva, GWALK_WRITE, UINT64_C(0xab12345678), PAGE_SIZE);
    assert_int_equal(*entry_64(1, gva) & (A | D), A | D);
    assert_int_equal(*entry_64(2, gva) & (A | D), A);

    setup_long_mode(4, gva);
    struct gwalk_bus read_only = {.read = memory_read};
    assert_int_equal(gwalk(&cpu, gva, GWALK_WRITE, &read_only, &out), 0);
    assert_int_equal(*entry_64(1, gva) & (A | D), 0);
}

TEST(table_outside_of_memory)
{
    struct gwalk out;
    setup_long_mode(4, 0);
    *entry_64(3, 0) = UINT64_C(0x7000000000) | P | RW | US;
    assert_int_equal(gwalk(&cpu, 0, GWALK_READ, &bus, &out), -EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_paging),
        cmocka_unit_test(paging_of_32_bits),
        cmocka_unit_test(pages_of_4_mbytes),
        cmocka_unit_test(paging_pae),
        cmocka_unit_test(paging_of_4_and_5_levels),
        cmocka_unit_test(not_canonical),
        cmocka_unit_test(reserved_bits),
        cmocka_unit_test(rights_of_users),
        cmocka_unit_test(rights_of_the_supervisor),
        cmocka_unit_test(accessed_and_dirty),
        cmocka_unit_test(table_outside_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
