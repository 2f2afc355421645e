/* SPDX-License-Identifier: MIT */
/*
 * The ACPI tables of a VM: checksums and pointers by hand, everything else by Debian's iasl, which reads
 * the tables back as source and compiles that without a complaint.
 */
// sources: guest/vacpi.c guest/vacpi_aml.c
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "guest/vacpi.h"
#include "guest/vm.h"

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

static void checksums_and_pointers(void **state)
{
    (void)state;
    for (unsigned vcpus = 1; vcpus <= VM_VCPU_MAX; vcpus++) {
        memset(tables, 0x5a, sizeof(tables));
        size_t used = vacpi_build(tables, vcpus);
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

static void write_table(const char *folder, const char *name, size_t at)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s.aml", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fwrite(tables + at, 1, get(at + 4, 4), f);
    fclose(f);
}

/* iasl prints its complaints with " - " behind the word. */
static void iasl_agrees(void **state)
{
    char folder[] = "/tmp/vacpi-XXXXXX";
    (void)state;
    if (system("command -v iasl >/dev/null"))
        skip();
    assert_non_null(mkdtemp(folder));
    vacpi_build(tables, 2);
    write_table(folder, "dsdt", get(find("FACP") + 140, 8) - VACPI_BASE);
    write_table(folder, "facp", find("FACP"));
    write_table(folder, "apic", find("APIC"));
    write_table(folder, "mcfg", find("MCFG"));
    shell("cd %s && iasl -d dsdt.aml facp.aml apic.aml mcfg.aml >log 2>&1", folder);
    shell("cd %s && ! grep -iE 'invalid|incorrect|error' log *.dsl", folder);
    shell("cd %s && iasl -we dsdt.dsl >log2 2>&1 || { cat log2; false; }", folder);

    shell("cd %s && grep -q PNP0A08 dsdt.dsl && grep -q PNP0501 dsdt.dsl", folder);
    shell("rm -r %s", folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums_and_pointers),
        cmocka_unit_test(iasl_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
