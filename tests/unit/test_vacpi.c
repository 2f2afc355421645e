/* SPDX-License-Identifier: MIT */
/*
 * The ACPI tables of a VM: checksums and pointers by hand, everything else by Debian's iasl, which
 * reads the tables back as source and compiles that without a complaint.
 */
// sources: guest/load/vacpi.c arch/acpi_parse.c
#define _GNU_SOURCE /* memmem */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "guest/load/vacpi.h"
#include "guest/core/vm.h"
#include "tests/unit/test.h"

static uint8_t tables[VACPI_SIZE];

static uint64_t get(size_t at, unsigned width)
{
    uint64_t v = 0;
    memcpy(&v, tables + at, width);
    return v;
}

static uint8_t sum(size_t at, size_t size)
{
    uint8_t s = 0;
    for (size_t i = 0; i < size; i++)
        s = (uint8_t)(s + tables[at + i]);
    return s;
}

static size_t find(const char *signature)
{
    size_t xsdt = get(24, 8) - VACPI_BASE;
    for (size_t i = 36; i < get(xsdt + 4, 4); i += 8) {
        size_t at = get(xsdt + i, 8) - VACPI_BASE;
        if (!memcmp(tables + at, signature, 4))
            return at;
    }
    fail_msg("no %s", signature);
    return 0;
}

TEST(checksums_and_pointers)
{
    for (unsigned vcpus = 1; vcpus <= VM_VCPU_MAX; vcpus++) {
        memset(tables, 0x5a, sizeof(tables));
        size_t used = vacpi_build(tables, vcpus, VM_MMIO64_BASE);
        assert_true(used <= VACPI_SIZE);
        assert_int_equal(tables[VACPI_SIZE - 1], 0x5a);
        assert_memory_equal(tables, "RSD PTR ", 8);
        assert_int_equal(sum(0, 20), 0);
        assert_int_equal(sum(0, 36), 0);
        const char *names[] = {"FACP", "APIC", "MCFG"};
        for (unsigned i = 0; i < 3; i++) {
            size_t at = find(names[i]);
            assert_int_equal(sum(at, get(at + 4, 4)), 0);
        }
        size_t dsdt = get(find("FACP") + 140, 8) - VACPI_BASE;
        assert_memory_equal(tables + dsdt, "DSDT", 4);
        assert_int_equal(sum(dsdt, get(dsdt + 4, 4)), 0);
        assert_int_equal(get(find("APIC") + 4, 4), 44 + 12 + 8 * vcpus);
        assert_int_equal(get(find("MCFG") + 44, 8), VM_ECAM_BASE);
        assert_int_equal(get(find("MCFG") + 54, 2), 0); /* first and last bus */
    }
}

/* _PRT of the DSDT: Package () { device << 16 | 0xffff, INTA, no link device, pin }, in order. */
TEST(each_device_has_an_input)
{
    vacpi_build(tables, 1, VM_MMIO64_BASE);
    size_t dsdt = get(find("FACP") + 140, 8) - VACPI_BASE;
    const uint8_t *at = memmem(tables + dsdt, get(dsdt + 4, 4), "_PRT", 4);
    assert_non_null(at);
    at += 4 + 4; /* PackageOp, its length of two bytes, the number of elements */
    assert_int_equal(at[-1], 31);
    for (unsigned device = 1; device < 32; device++) {
        const uint8_t route[] = {0x12,   11, 4, 0x0c, 0xff, 0xff,
                                 device, 0,  0, 0,    0x0a, VACPI_PCI_PIN(device)};
        assert_memory_equal(at, route, sizeof(route));
        at += sizeof(route);
    }
}

/* A VM of 400 GiB: BARs come from 512 GiB on, and nothing else differs. */
TEST(bar_window_above_ram)
{
    static uint8_t first[VACPI_SIZE];
    struct vm vm = {.ram_size = UINT64_C(400) << 30};
    const uint64_t window[] = {UINT64_C(512) << 30, (UINT64_C(768) << 30) - 1};
    size_t used = vacpi_build(tables, 1, VM_MMIO64_BASE), differ = 0;
    memcpy(first, tables, used);
    assert_int_equal(vm_mmio64_base(&vm), window[0]);
    assert_int_equal(vacpi_build(tables, 1, vm_mmio64_base(&vm)), used);
    for (size_t i = 0; i < used; i++)
        differ += tables[i] != first[i];
    assert_int_equal(differ, 3); /* a byte of each address, and the sum */
    size_t dsdt = get(find("FACP") + 140, 8) - VACPI_BASE;
    assert_int_equal(sum(dsdt, get(dsdt + 4, 4)), 0);
    assert_non_null(memmem(tables + dsdt, get(dsdt + 4, 4), window, sizeof(window)));
    static const struct {
        uint64_t megs, base;
    } sizes[] = {{64, 262144},     {3072, 262144},   {261120 - 1024, 262144},
                 {261120, 262144}, {261122, 524288}, {1048576, 1310720}};
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        vm.ram_size = sizes[i].megs << 20;
        assert_int_equal(vm_mmio64_base(&vm) >> 20, sizes[i].base);
    }
}

static void shell(const char *fmt, ...)
{
    char command[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(command, sizeof(command), fmt, args);
    va_end(args);
    if (system(command))
        fail_msg("failed: %s", command);
}

static void write_table(const char *folder, const char *name, size_t at, size_t size)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s.aml", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fwrite(tables + at, 1, size, f);
    fclose(f);
}

/* Source, as iasl reads it, makes the same bytes again; but who made them, and so the sum, differ:
 * nine of them. */
static void comes_back(const char *folder, const char *name, size_t at)
{
    write_table(folder, name, at, get(at + 4, 4));
    shell("cd %s && iasl -d %s.aml >%s.log 2>&1", folder, name, name);
    shell("cd %s && ! grep -iE 'invalid|incorrect|error|warning|unknown' %s.log %s.dsl", folder,
          name, name);
    shell("cd %s && iasl -we -p again %s.dsl >log 2>&1 || { cat log; false; }", folder, name);
    shell("cd %s && test $(cmp -l %s.aml again.aml | wc -l) -le 9", folder, name);
}

/* iasl compiles it, sums and all, but reads none. */
static void rsdp_is_as_compiled(const char *folder, uint64_t xsdt)
{
    write_table(folder, "rsdp", 0, 36);
    shell(
        "cd %s && printf '%%s\\n' 'Signature : \"RSD PTR \"' 'Checksum : 0' 'Oem ID : \"HAMLET\"' "
        "'Revision : 02' 'RSDT Address : 00000000' 'Length : 00000024' 'XSDT Address : %016lX' "
        "'Extended Checksum : 0' 'Reserved : 000000' >rsdp.dsl",
        folder, xsdt);
    shell("cd %s && iasl -we -p again rsdp.dsl >log 2>&1 || { cat log; false; }", folder);
    shell("cd %s && cmp rsdp.aml again.aml", folder);
}

/* Of the DSDT the source is compared: its header is not that of iasl. */
static void dsdt_comes_back(const char *folder)
{
    size_t at = get(find("FACP") + 140, 8) - VACPI_BASE;
    write_table(folder, "dsdt", at, get(at + 4, 4));
    shell(
        "cd %s && iasl -d dsdt.aml >log 2>&1 && iasl -oa -we -p again dsdt.dsl >log 2>&1 || { cat "
        "log; false; }",
        folder);
    shell("cd %s && cp dsdt.dsl first.dsl && mv again.aml dsdt.aml && iasl -d dsdt.aml >log 2>&1",
          folder);
    shell("cd %s && grep -v '^ \\*' first.dsl >1 && grep -v '^ \\*' dsdt.dsl >2 && diff 1 2",
          folder);
    shell("cd %s && grep -q PNP0A08 2 && grep -q PNP0501 2 && grep -q PNP0B00 2", folder);
    shell("cd %s && test $(grep -c 'Package (0x04)' 2) -eq 32",
          folder); /* _S5, and an input for each device */
}

TEST(iasl_agrees)
{
    if (system("command -v iasl >/dev/null"))
        skip();
    for (unsigned vcpus = 1; vcpus <= VM_VCPU_MAX; vcpus += VM_VCPU_MAX - 1) {
        char folder[] = "/tmp/vacpi-XXXXXX";
        assert_non_null(mkdtemp(folder));
        vacpi_build(tables, vcpus, VM_MMIO64_BASE);
        const char *names[] = {"FACP", "APIC", "MCFG"};
        for (unsigned i = 0; i < 3; i++)
            comes_back(folder, names[i], find(names[i]));
        comes_back(folder, "XSDT", get(24, 8) - VACPI_BASE);
        rsdp_is_as_compiled(folder, get(24, 8));
        dsdt_comes_back(folder);
        shell("rm -r %s", folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums_and_pointers),
        cmocka_unit_test(each_device_has_an_input),
        cmocka_unit_test(bar_window_above_ram),
        cmocka_unit_test(iasl_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
