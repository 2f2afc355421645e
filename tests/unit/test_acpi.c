/* SPDX-License-Identifier: MIT */
/*
 * ACPI tables as firmware writes them, and as it should not.
 * Spec: ACPI "Multiple APIC Description Table (MADT)", "DefPackage Encoding".
 */
// sources: arch/acpi_parse.c arch/acpi_serial.c
#include "arch/acpi.h"
#include "arch/acpi_serial.h"
#include "tests/unit/test.h"
#include <stdlib.h>
#include <string.h>

/* A table with this body, in a block of exactly its size, so that one byte too far is noticed. */
static struct acpi_header *make(const char *signature, const void *body, size_t size)
{
    struct acpi_header *h = calloc(1, sizeof(*h) + size);
    memcpy(h->signature, signature, 4);
    h->length = (uint32_t)(sizeof(*h) + size);
    memcpy(h + 1, body, size);
    uint8_t sum = 0;
    for (size_t i = 0; i < h->length; i++)
        sum = (uint8_t)(sum + ((uint8_t *)h)[i]);
    h->checksum = (uint8_t)-sum;
    return h;
}

TEST(good_and_bad_tables)
{
    struct acpi_header *h = make("TEST", "abcd", 4);
    assert_true(acpi_table_ok(h, 40, 0));
    assert_true(acpi_table_ok(h, 4096, 40));
    assert_false(acpi_table_ok(h, 39, 0));  /* truncated */
    assert_false(acpi_table_ok(h, 40, 41)); /* shorter than its kind needs */
    assert_false(acpi_table_ok(h, 10, 0));  /* not even a header */
    h->checksum++;
    assert_false(acpi_table_ok(h, 40, 0));
    h->checksum--;
    h->length = 20;
    assert_false(acpi_table_ok(h, 40, 0));
    free(h);
}

static const uint8_t madt_body[] = {
    0, 0,  0xe0, 0xfe, 1, 0,    0,    0,                             /* local APIC address, flags */
    0, 8,  0,    0,    1, 0,    0,    0,                             /* CPU, id 0 */
    0, 8,  1,    9,    0, 0,    0,    0,                             /* CPU, disabled */
    1, 12, 2,    0,    0, 0,    0xc0, 0xfe, 0,  0, 0, 0,             /* I/O APIC 2 */
    2, 10, 0,    0,    2, 0,    0,    0,    0,  0,                   /* an override: not ours */
    9, 16, 0,    0,    0, 1,    0,    0,    1,  0, 0, 0, 7, 0, 0, 0, /* x2APIC id 256 */
    1, 12, 3,    0,    0, 0x10, 0xc0, 0xfe, 24, 0, 0, 0,             /* I/O APIC 3 */
    0, 8,  2,    4,    1, 0,    0,    0,                             /* CPU, id 4 */
};

TEST(madt)
{
    struct acpi_header *h = make("APIC", madt_body, sizeof(madt_body));
    uint32_t ids[4] = {0};
    struct madt_ioapic io[2];
    assert_int_equal(acpi_madt_cpus(h, ids, 4), 3);
    assert_int_equal(ids[0], 0);
    assert_int_equal(ids[1], 4);
    assert_int_equal(ids[2], 256);
    ids[1] = 77;
    assert_int_equal(acpi_madt_cpus(h, ids, 1), 3); /* all are counted, one is written */
    assert_int_equal(ids[1], 77);
    assert_int_equal(acpi_madt_ioapics(h, io, 2), 2);
    assert_int_equal(io[0].id, 2);
    assert_int_equal(io[1].base.v, 0xfec01000);
    assert_int_equal(io[1].gsi_base, 24);
    free(h);
}

/* Both forms for one CPU, the id of all CPUs in both forms, and a large machine. */
TEST(madt_ids_that_are_no_cpu)
{
    static const uint8_t body[] = {
        0, 0,  0xe0, 0xfe, 1,    0,   0,   0,                           /* the head */
        0, 8,  0,    0,    1,    0,   0,   0,                           /* id 0 */
        0, 8,  1,    0xff, 1,    0,   0,   0,                           /* id 0xff */
        0, 8,  2,    4,    1,    0,   0,   0,                           /* id 4 */
        0, 8,  2,    4,    1,    0,   0,   0,                           /* again */
        9, 16, 0,    0,    4,    0,   0,   0,   1, 0, 0, 0, 2, 0, 0, 0, /* and again */
        9, 16, 0,    0,    255,  255, 255, 255, 1, 0, 0, 0, 3, 0, 0, 0, /* all */
        9, 16, 0,    0,    0xff, 0,   0,   0,   1, 0, 0, 0, 3, 0, 0, 0, /* id 255: a CPU */
    };
    struct acpi_header *h = make("APIC", body, sizeof(body));
    uint32_t ids[4] = {0};
    assert_int_equal(acpi_madt_cpus(h, ids, 4), 3);
    assert_int_equal(ids[1], 4);
    assert_int_equal(ids[2], 255);
    free(h);
}

/* An entry of length 0 must not loop, one that runs over the end must not be read. */
TEST(broken_madt)
{
    uint8_t body[sizeof(madt_body)];
    uint32_t ids[4];
    for (size_t at = 8; at < sizeof(body); at++)
        for (int length = 0; length < 256; length += 5) {
            memcpy(body, madt_body, sizeof(body));
            body[at] = (uint8_t)length;
            struct acpi_header *h = make("APIC", body, sizeof(body));
            assert_true(acpi_madt_cpus(h, ids, 4) <= 8);
            struct madt_ioapic io[2];
            assert_true(acpi_madt_ioapics(h, io, 2) <= 6);
            free(h);
        }
    /* the head of an entry in the last two bytes, the rest behind the table's end */
    static const uint8_t cut[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 8};
    struct acpi_header *half = make("APIC", cut, sizeof(cut));
    assert_int_equal(acpi_madt_cpus(half, ids, 4), 0);
    free(half);
    struct acpi_header *empty = make("APIC", "", 0);
    assert_int_equal(acpi_madt_cpus(empty, ids, 4), 0);
    free(empty);
}

TEST(mcfg)
{
    static const uint8_t body[] = {
        0, 0, 0, 0,    0, 0, 0, 0,                               /* reserved */
        0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 0, 0,    0xff, 0, 0, 0, 0, /* segment 0, all buses */
        0, 0, 0, 0xc0, 0, 0, 0, 0, 1, 0, 9,    3,    0, 0, 0, 0, /* first bus > last bus */
        0, 0, 0, 0,    4, 0, 0, 0, 1, 0, 0x10, 0x1f, 0, 0, 0, 0, /* above 4 GiB */
        1, 2, 3,                                                 /* half an entry */
    };
    struct acpi_header *h = make("MCFG", body, sizeof(body));
    struct mcfg_window w[4];
    assert_int_equal(acpi_mcfg_windows(h, w, 4), 2);
    assert_int_equal(w[0].base.v, 0xb0000000);
    assert_int_equal(w[0].last_bus, 0xff);
    assert_true(w[1].base.v == UINT64_C(0x400000000));
    assert_int_equal(w[1].segment, 1);
    assert_int_equal(w[1].first_bus, 0x10);
    free(h);
}

TEST(hpet)
{
    uint8_t body[20] = {1, 0xa2, 0x86, 0x80, 0, 64, 0, 0, 0, 0, 0xd0, 0xfe};
    struct acpi_header *h = make("HPET", body, sizeof(body));
    assert_int_equal(acpi_hpet_base(h).v, 0xfed00000);
    free(h);
    h = make("HPET", body, sizeof(body) - 1);
    assert_int_equal(acpi_hpet_base(h).v, 0);
    free(h);
    body[8] = 4; /* not aligned */
    h = make("HPET", body, sizeof(body));
    assert_int_equal(acpi_hpet_base(h).v, 0);
    free(h);
    body[8] = 0;
    body[4] = 1; /* ports */
    h = make("HPET", body, sizeof(body));
    assert_int_equal(acpi_hpet_base(h).v, 0);
    free(h);
}

static struct acpi_gas gas(uint8_t space, uint64_t address)
{
    return (struct acpi_gas){.space = space, .width = 16, .address = address};
}

TEST(fadt)
{
    struct acpi_fixed out;
    struct acpi_fadt6 f = {
        .first = {.dsdt = 0x1000,
                  .smi_cmd = 0xb2,
                  .acpi_enable = 7,
                  .pm1a_cnt = 0x404,
                  .pm_timer = 0x408,
                  .flags = FADT_RESET_REG,
                  .reset = gas(GAS_SPACE_IO, 0xcf9),
                  .reset_value = 6},
        .sleep_control = gas(GAS_SPACE_MEMORY, 0xfed00000), /* not valid: not hardware-reduced */
    };
    const size_t header = sizeof(struct acpi_header);
    struct acpi_header *h = make("FACP", &f.first.facs, sizeof(f) - header);
    assert_true(acpi_fixed_parse(h, &out));
    assert_int_equal(out.dsdt, 0x1000);
    assert_int_equal(out.pm1a_cnt.address, 0x404);
    assert_int_equal(out.pm1a_cnt.space, GAS_SPACE_IO);
    assert_int_equal(out.pm1b_cnt.address, 0);
    assert_int_equal(out.pm_timer.address, 0x408);
    assert_int_equal(out.sleep_control.address, 0);
    assert_int_equal(out.reset.address, 0xcf9);
    assert_int_equal(out.reset_value, 6);
    assert_int_equal(out.smi_cmd, 0xb2);
    free(h);

    /* only the wide forms, and one that makes no sense */
    f.x_dsdt = UINT64_C(0x100001000);
    f.first.dsdt = f.first.pm1a_cnt = f.first.pm_timer = 0;
    f.x_pm1a_cnt = gas(GAS_SPACE_IO, 0x1804);
    f.x_pm_timer = gas(GAS_SPACE_MEMORY, 0xfe000008);
    f.first.pm1b_cnt = 0x504;
    f.x_pm1b_cnt = gas(0x7f, 0x99);
    f.first.flags = FADT_HARDWARE_REDUCED;
    h = make("FACP", &f.first.facs, sizeof(f) - header);
    assert_true(acpi_fixed_parse(h, &out));
    assert_true(out.dsdt == UINT64_C(0x100001000));
    assert_int_equal(out.pm1a_cnt.address, 0x1804);
    assert_int_equal(out.pm1b_cnt.address, 0x504);
    assert_int_equal(out.pm_timer.space, GAS_SPACE_MEMORY);
    assert_int_equal(out.sleep_control.address, 0xfed00000);
    assert_int_equal(out.reset.address, 0);
    free(h);

    /* that of ACPI 1.0, and every other end: what is cut off is not there */
    f.first.dsdt = 0x2000;
    for (size_t size = 0; size < sizeof(f) - header; size++) {
        h = make("FACP", &f.first.facs, size);
        assert_int_equal(acpi_fixed_parse(h, &out), header + size >= FADT_MINIMUM);
        if (header + size == FADT_MINIMUM)
            assert_int_equal(out.dsdt | out.pm1a_cnt.address, 0x2000);
        free(h);
    }
}

static bool s5_of(const void *body, size_t size, uint8_t *a, uint8_t *b)
{
    struct acpi_header *h = make("DSDT", body, size);
    bool found = acpi_s5_types(h, a, b);
    free(h);
    return found;
}

TEST(soft_off)
{
    uint8_t a = 9, b = 9;
    /* as SeaBIOS writes it: Name (\_S5, Package () { 0, 0, 0, 0 }) and a mention before */
    static const uint8_t zeros[] = "_S5_\x08_S5_\x12\x06\x04\x00\x00\x00\x00";
    assert_true(s5_of(zeros, sizeof(zeros) - 1, &a, &b));
    assert_int_equal(a | b, 0);
    static const uint8_t bytes[] = "\x08\\_S5_\x12\x08\x04\x0a\x05\x0a\x07\x00\x00";
    assert_true(s5_of(bytes, sizeof(bytes) - 1, &a, &b));
    assert_int_equal(a, 5);
    assert_int_equal(b, 7);
    static const uint8_t long_length[] = "\x08_S5_\x12\x4a\x00\x04\x01\x0a\x02\x00\x00";
    assert_true(s5_of(long_length, sizeof(long_length) - 1, &a, &b));
    assert_int_equal(a, 1);
    assert_int_equal(b, 2);
    for (size_t cut = 0; cut < 12; cut++) /* cut off before the second number */
        assert_false(s5_of(bytes, cut, &a, &b));
    assert_false(s5_of("\x08_S5_\x0d\x06\x04\x00\x00", 10, &a, &b)); /* not a package */
}

/* Type, 3 bytes, the port's address, 6 bytes of interrupts, baud. */
TEST(spcr)
{
    static const struct {
        uint8_t body[52 - 12], length;
        bool good;
        struct uart_place at;
        uint32_t baud;
    } rows[] = {
        {{0, 0, 0, 0, 1, 8, 0, 1, 0xf8, 2, 0, 0, 0, 0, 0, 0, [22] = 7},
         23,
         true,
         {0x2f8, 0},
         115200},
        {{1, 0, 0, 0, 1, 8, 0, 1, 0xf8, 2, 0, 0, 0, 0, 0, 0, [22] = 0}, 23, true, {0x2f8, 0}, 0},
        {{0, 0, 0, 0, 1, 8, 0, 1, 0xf8, 2, 0, 0, 0, 0, 0, 0, [22] = 9}, 23, true, {0x2f8, 0}, 0},
        {{0x12, 0, 0, 0, 0, 32, 0, 3, 0, 0x90, 0, 0xfe, 1, 0, 0, 0, [22] = 3},
         40,
         true,
         {0x1fe009000, 4},
         9600},
        {{0, 0, 0, 0, 0, 8, 0, 1, 0, 0x90, 0, 0xfe}, 23, true, {0xfe009000, 1}, 0},
        {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0x90, 0, 0xfe}, 23, true, {0xfe009000, 1}, 0},
        {{0, 0, 0, 0, 0, 24, 0, 1, 0, 0x90, 0, 0xfe}, 23, false, {0}, 0},
        {{0, 0, 0, 0, 0, 64, 0, 1, 0, 0x90, 0, 0xfe}, 23, false, {0}, 0},
        {{3, 0, 0, 0, 1, 8, 0, 1, 0xf8, 2}, 23, false, {0}, 0},    /* a PL011 */
        {{0, 0, 0, 0, 1, 8, 0, 1, 0, 0}, 23, false, {0}, 0},       /* switched off */
        {{0, 0, 0, 0, 1, 8, 0, 1, 0xf9, 0xff}, 23, false, {0}, 0}, /* over the last port */
        {{0, 0, 0, 0, 1, 8, 0, 1, 0, 0, 1}, 23, false, {0}, 0},    /* no such port */
        {{0, 0, 0, 0, 2, 8, 0, 1, 0xf8, 2}, 23, false, {0}, 0},    /* in configuration space */
        {{0, 0, 0, 0, 1, 8, 0, 1, 0xf8, 2}, 22, false, {0}, 0},    /* cut off */
    };
    struct uart_place at;
    uint32_t baud;
    assert_false(acpi_spcr_uart(NULL, &at, &baud));
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct acpi_header *h = make("SPCR", rows[i].body, rows[i].length);
        assert_int_equal(acpi_spcr_uart(h, &at, &baud), rows[i].good);
        if (rows[i].good) {
            assert_int_equal(at.base, rows[i].at.base);
            assert_int_equal(at.spacing, rows[i].at.spacing);
            assert_int_equal(baud, rows[i].baud);
        }
        free(h);
    }
}

/* A port of USB, and behind it a UART. */
TEST(dbg2)
{
    uint8_t body[8 + 34 + 38] = {
        [0] = 44,       [4] = 2, [8] = 0,       34, 0, 1, [8 + 12] = 2,  0x80, 0, 0,
        [8 + 18] = 22,  0,       [42] = 0,      38, 0, 1, [42 + 12] = 0, 0x80, 1, 0,
        [42 + 18] = 26, 0,       [42 + 26] = 1, 8,  0, 1, 0xe8,          3,    0, 0,
    };
    struct uart_place at;
    assert_false(acpi_dbg2_uart(NULL, &at));
    struct acpi_header *h = make("DBG2", body, sizeof(body));
    assert_true(acpi_dbg2_uart(h, &at));
    assert_int_equal(at.base, 0x3e8);
    free(h);
    for (size_t cut = 0; cut < sizeof(body); cut++) {
        h = make("DBG2", body, cut);
        assert_false(acpi_dbg2_uart(h, &at));
        free(h);
    }
    static const struct {
        uint8_t offset, value;
    } lies[] = {{4, 1},      {0, 200},     {9, 0},       {9, 21},       {9, 73},     {42 + 1, 39},
                {42 + 3, 0}, {42 + 13, 0}, {42 + 14, 3}, {42 + 18, 27}, {42 + 19, 1}};
    for (size_t i = 0; i < ARRAY_COUNT(lies); i++) {
        uint8_t kept = body[lies[i].offset];
        body[lies[i].offset] = lies[i].value;
        h = make("DBG2", body, sizeof(body));
        assert_false(acpi_dbg2_uart(h, &at));
        free(h);
        body[lies[i].offset] = kept;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_and_bad_tables),
        cmocka_unit_test(madt),
        cmocka_unit_test(madt_ids_that_are_no_cpu),
        cmocka_unit_test(broken_madt),
        cmocka_unit_test(mcfg),
        cmocka_unit_test(hpet),
        cmocka_unit_test(fadt),
        cmocka_unit_test(soft_off),
        cmocka_unit_test(spcr),
        cmocka_unit_test(dbg2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
