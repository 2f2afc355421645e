/* SPDX-License-Identifier: MIT */
/*
 * Power off and reset by the registers that a FADT names: ports, memory, configuration space, and
 * the sleep control of a hardware-reduced machine.
 * Spec: ACPI "Sleeping/Wake Control", "Sleep Control and Status Registers", "Reset Register".
 */
// sources: arch/acpi_parse.c
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arch/acpi.h"
#include "arch/io.h"
#include "arch/paging.h"
#include "arch/time.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"

#include "arch/acpi.c"

static struct {
    uint64_t tsc;
    char trace[512]; /* each write */
    uint16_t pm1a;
} m;

uint64_t time_deadline_us(uint64_t us) { return us; }
void time_delay_us(uint64_t us) { (void)us; }
void *mmio_map(hpa_t base, uint64_t size) { return (void)size, hpa_ptr(base); }
const void *firmware_map(hpa_t base, uint64_t size) { return (void)size, hpa_ptr(base); }

static void wrote(const char *what, uint64_t at, unsigned width, uint64_t v)
{
    char line[64];
    snprintf(line, sizeof(line), "%s%lx/%u=%lx ", what, (unsigned long)at, width, (unsigned long)v);
    strcat(m.trace, line);
}

/* The firmware switches ACPI mode on. */
void out8(uint16_t port, uint8_t v)
{
    wrote("", port, 1, v);
    if (port == 0xb2 && v == 7)
        m.pm1a |= (uint16_t)PM1_CNT_SCI_EN;
}
void out16(uint16_t port, uint16_t v) { wrote("", port, 2, v); }
void out32(uint16_t port, uint32_t v) { wrote("", port, 4, v); }
uint8_t in8(uint16_t port) { return (void)port, 0; }
uint16_t in16(uint16_t port) { return port == 0x404 ? m.pm1a : 0x300; }
uint32_t in32(uint16_t port) { return (void)port, 0; }
void mmio_write8(void *p, uint8_t v) { wrote("m", (uintptr_t)p, 1, v); }
void mmio_write16(void *p, uint16_t v) { wrote("m", (uintptr_t)p, 2, v); }
void mmio_write32(void *p, uint32_t v) { wrote("m", (uintptr_t)p, 4, v); }
void mmio_write64(void *p, uint64_t v) { wrote("m", (uintptr_t)p, 8, v); }
uint8_t mmio_read8(const void *p) { return (void)p, 0; }
uint16_t mmio_read16(const void *p) { return (void)p, PM1_CNT_SCI_EN; }
uint32_t mmio_read32(const void *p) { return (void)p, 0; }
uint64_t mmio_read64(const void *p) { return (void)p, 0; }

static struct acpi_fadt6 fadt;
static struct {
    struct acpi_header header;
    uint8_t aml[13];
} dsdt;

static void sum_up(struct acpi_header *h, const char *signature, size_t size)
{
    memcpy(h->signature, signature, 4);
    h->length = (uint32_t)size;
    h->checksum = 0;
    h->checksum = (uint8_t)-acpi_sum(h, size);
}

FIXTURE(start)
{
    memset(&m, 0, sizeof(m));
    memset(&fadt, 0, sizeof(fadt));
    memcpy(dsdt.aml, "\x08_S5_\x12\x08\x04\x0a\x05\x0a\x06\x00", sizeof(dsdt.aml));
    sum_up(&dsdt.header, "DSDT", sizeof(dsdt));
    fadt.x_dsdt = (uintptr_t)&dsdt;
    fadt.first.pm1a_cnt = 0x404;
    m.pm1a = PM1_CNT_SCI_EN;
    return 0;
}

static const char *did(void (*what)(void))
{
    m.trace[0] = '\0';
    sum_up(&fadt.first.header, "FACP", sizeof(fadt));
    table_count = 0;
    table_add(&fadt.first.header, true, false);
    what();
    return m.trace;
}

static struct acpi_gas gas(uint8_t space, uint64_t address)
{
    return (struct acpi_gas){.space = space, .address = address};
}

TEST(off_by_ports)
{
    assert_string_equal(did(acpi_power_off), "404/2=3401 ");
    fadt.first.pm1b_cnt = 0x504;
    assert_string_equal(did(acpi_power_off), "404/2=3401 504/2=3b00 ");
    m.pm1a = 0; /* not in ACPI mode yet */
    fadt.first.smi_cmd = 0xb2;
    fadt.first.acpi_enable = 7;
    assert_string_equal(did(acpi_power_off), "b2/1=7 404/2=3401 504/2=3b00 ");
}

TEST(off_by_memory)
{
    fadt.x_pm1a_cnt = gas(GAS_SPACE_MEMORY, 0xfe000004);
    assert_string_equal(did(acpi_power_off), "mfe000004/2=3401 ");
}

TEST(off_by_sleep_control)
{
    fadt.first.flags = FADT_HARDWARE_REDUCED;
    fadt.first.pm1a_cnt = 0;
    fadt.sleep_control = gas(GAS_SPACE_IO, 0x600);
    assert_string_equal(did(acpi_power_off), "600/1=34 ");
    fadt.sleep_control = gas(GAS_SPACE_MEMORY, 0xfe000600);
    assert_string_equal(did(acpi_power_off), "mfe000600/1=34 ");
}

TEST(off_by_nothing)
{
    fadt.first.pm1a_cnt = 0;
    stub_log_clear();
    assert_string_equal(did(acpi_power_off), "");
    assert_non_null(strstr(stub_log, "do not say how to power off"));
    fadt.first.pm1a_cnt = 0x404;
    dsdt.header.checksum++;
    assert_string_equal(did(acpi_power_off), "");
}

/* Behind the register of the table come those that most machines have. */
TEST(reset)
{
    assert_string_equal(did(acpi_reset), "cf9/1=6 64/1=fe ");
    fadt.first.reset = gas(GAS_SPACE_IO, 0x64);
    fadt.first.reset_value = 0xfe;
    assert_string_equal(did(acpi_reset), "cf9/1=6 64/1=fe "); /* not said to be there */
    fadt.first.flags = FADT_RESET_REG;
    assert_string_equal(did(acpi_reset), "64/1=fe cf9/1=6 64/1=fe ");
    fadt.first.reset = gas(GAS_SPACE_MEMORY, 0xfe000700);
    assert_string_equal(did(acpi_reset), "mfe000700/1=fe cf9/1=6 64/1=fe ");
    fadt.first.reset = gas(GAS_SPACE_PCI, UINT64_C(0x1f00030049)); /* 00:1f.3, register 0x49 */
    assert_string_equal(did(acpi_reset), "cf8/4=8000fb48 cfd/1=fe cf9/1=6 64/1=fe ");
}

TEST(timer_is_a_port)
{
    assert_int_equal(acpi_pm_timer(), 0);
    fadt.first.pm_timer = 0x408;
    did(acpi_reset);
    assert_int_equal(acpi_pm_timer(), 0x408);
    fadt.x_pm_timer = gas(GAS_SPACE_MEMORY, 0xfe000008);
    did(acpi_reset);
    assert_int_equal(acpi_pm_timer(), 0);
}

/* Around each register lies a block of others. */
TEST(ports_of_power_management)
{
    fadt.first.pm1a_cnt = 0x1804;
    fadt.x_pm1b_cnt = gas(GAS_SPACE_MEMORY, 0x2804);
    fadt.first.pm_timer = 0x3008;
    did(acpi_reset);
    assert_true(acpi_has_port(0x1804, 1));
    assert_true(acpi_has_port(0x1860, 0x20));
    assert_true(acpi_has_port(0x1000, 0x1000));
    assert_true(acpi_has_port(0x3000, 4));
    assert_false(acpi_has_port(0x1880, 0x80));
    assert_false(acpi_has_port(0x1000, 0x800));
    assert_false(acpi_has_port(0x2800, 0x80));
    table_count = 0;
    assert_false(acpi_has_port(0x1804, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(off_by_ports, start),
        cmocka_unit_test_setup(off_by_memory, start),
        cmocka_unit_test_setup(off_by_nothing, start),
        cmocka_unit_test_setup(reset, start),
        cmocka_unit_test_setup(timer_is_a_port, start),
        cmocka_unit_test_setup(ports_of_power_management, start),
        cmocka_unit_test_setup(off_by_sleep_control, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
