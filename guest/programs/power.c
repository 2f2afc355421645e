/* SPDX-License-Identifier: MIT */
/*
 * What a PC can do with its power, and its clock, as a kernel finds them: by ACPI's tables. It does
 * what is typed: `c` the clock, `s` what must do nothing, `r` a reset, `o` off.
 * From: tests/cases/test_guests.py.   To: guest/load/vacpi.c (tables), guest/pc/vpower.c,
 * guest/pc/vrtc.c.
 * Spec: ACPI "Root System Description Pointer (RSDP)", "Fixed ACPI Description Table (FADT)",
 * "Sleep Control and Status Registers"; MC146818A data sheet.
 */
#include "guest/programs/lib/guest.h"
#include "lib/acpi_tables.h"

#define CMOS      0x70
#define SECONDS   0
#define STATUS_A  0x0a /* bit 7: an update is due */
#define STATUS_C  0x0c
#define STATUS_D  0x0d
#define SLP_EN    BIT(5)
#define SLEEP(t)  ((uint8_t)(FIELD_SET(BITS(4, 2), t) | SLP_EN))
#define AREA      0x20000 /* where the RSDP may be: 0xe0000 to 0xfffff */
#define FADT_SIZE 276

static const char *area = (const char *)0xe0000;

static uint64_t get(const char *at, unsigned width)
{
    uint64_t v = 0;
    memcpy(&v, at, width);
    return v;
}

static const char *fadt(void)
{
    uint32_t at = 0;
    while (at < AREA && memcmp(area + at, "RSD PTR ", 8) != 0)
        at += 16;
    check(at < AREA);
    const char *xsdt = (const char *)get(area + at + 24, 8);
    for (uint64_t i = 36; i < get(xsdt + 4, 4); i += 8) {
        const char *table = (const char *)get(xsdt + i, 8);
        if (!memcmp(table, "FACP", 4) && get(table + 4, 4) == FADT_SIZE)
            return table;
    }
    print("no FADT");
    quit(1);
}

/* In the DSDT: Name (_S5, Package () { type, ... }). Behind the name stand PackageOp, the
 * length (bits 7:6 of its first byte count its other bytes), the number of elements,
 * BytePrefix, the type. */
static uint8_t off_type(const char *dsdt)
{
    for (uint64_t i = 36; i < get(dsdt + 4, 4); i++)
        if (!memcmp(dsdt + i, "_S5_\x12", 5))
            return (uint8_t)dsdt[i + 8 + FIELD_GET(AML_PKG_LENGTH_COUNT, dsdt[i + 5])];
    print("no _S5");
    quit(1);
}

static uint8_t clock_read(uint8_t index)
{
    out8(CMOS, index);
    return in8(CMOS + 1);
}

static uint8_t seconds(void)
{
    while (clock_read(STATUS_A) & 0x80)
        cpu_relax();
    return clock_read(SECONDS);
}

/* The clock goes, and a guest cannot set it; of the machine's CMOS memory it sees nothing. The
 * first bytes behind the clock tell a kernel of the classic kind how much memory there is. */
static void look_at_clock(void)
{
    uint8_t year = clock_read(9), month = clock_read(8), before = seconds();
    check(clock_read(STATUS_D) == 0x80 && clock_read(STATUS_C) == 0);
    check(month >= 1 && month <= 0x12 && (month & 0xf) <= 9);
    out8(CMOS + 1, 0x55);
    out8(CMOS, 9);
    out8(CMOS + 1, (uint8_t)(year + 1));
    check(clock_read(9) == year && in8(CMOS) == 0xff);
    for (uint8_t index = 0x60; index < 128; index++)
        check(clock_read(index) == 0);
    check(spin_until(seconds() != before, 10000000));
    print("the clock goes");
}

static char typed(void)
{
    print("What?");
    return key();
}

int main(void)
{
    const char *f = fadt();
    uint16_t reset = (uint16_t)get(f + 120, 8), sleep = (uint16_t)get(f + 248, 8);
    uint8_t value = (uint8_t)f[128], off = off_type((const char *)get(f + 140, 8));
    for (;;)
        switch (typed()) {
        case 'c':
            look_at_clock();
            break;
        case 's':
            out8(reset, 2);                   /* a hard one, but not now */
            out8(sleep, SLEEP(off - 1));      /* another state */
            out8(sleep, (uint8_t)(off << 2)); /* not now */
            out8((uint16_t)(sleep + 1), SLEEP(off));
            check(in8(sleep) == 0 && in8((uint16_t)(sleep + 1)) == 0);
            print("still here");
            break;
        case 'r':
            out8(COM1 + 3, 0x80); /* who resets does not tidy up: data go to the divisor now */
            out8(reset, value);
            print("not reset");
            return 1;
        case 'o':
            out8(sleep, SLEEP(off));
            print("not off");
            return 1;
        }
}
