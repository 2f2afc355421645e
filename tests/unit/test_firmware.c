/* SPDX-License-Identifier: MIT */
/*
 * The firmware tables of real machines: each is understood, and what is refused is printed. They
 * are not part of Hamlet: where ../shared/firmware/tables.tar.xz is not there, this is skipped. The
 * archive has a folder per machine: NAME, and the tables as they are in memory, SIGNATURE.bin.
 * build/unit/test_firmware.log has a line per machine.
 */
// sources: arch/acpi_parse.c arch/acpi_serial.c vtd/dmar.c
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "arch/acpi.h"
#include "arch/acpi_serial.h"
#include "arch/cpu.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"
#include "vtd/dmar.h"

#define ARCHIVE "../shared/firmware/tables.tar.xz"

static char folder[] = "/tmp/firmware-XXXXXX";
static unsigned machines, tables, odd;

/* What a machine has, for its line. */
static struct {
    size_t cpus, ioapics, windows;
    bool pm_timer, pm1, hpet, xapic;
    struct dmar dmar;
} m;

static void complain(const char *machine, const char *signature, const char *why)
{
    print_message("%s: %s: %s\n", machine, signature, why);
    odd++;
}

static void take_madt(const char *machine, const struct acpi_header *h)
{
    static uint32_t ids[CPU_MAX];
    struct madt_ioapic ioapics[8];
    m.cpus = acpi_madt_cpus(h, ids, CPU_MAX);
    m.ioapics = acpi_madt_ioapics(h, ioapics, ARRAY_COUNT(ioapics));
    if (m.cpus == 0 || m.cpus > CPU_MAX)
        complain(machine, "APIC", "no CPU, or too many");
    if (m.ioapics == 0 || m.ioapics > ARRAY_COUNT(ioapics))
        complain(machine, "APIC", "no I/O APIC, or too many");
}

static void take_fadt(const char *machine, const struct acpi_header *h)
{
    struct acpi_fixed f;
    if (!acpi_fixed_parse(h, &f) || f.dsdt == 0)
        complain(machine, "FACP", "no DSDT");
    m.pm_timer = f.pm_timer.address != 0;
    m.pm1 = f.pm1a_cnt.address != 0 || f.sleep_control.address != 0;
    if (!m.pm1)
        complain(machine, "FACP", "no way to power off");
}

static void take_mcfg(const char *machine, const struct acpi_header *h)
{
    struct mcfg_window windows[8];
    m.windows = acpi_mcfg_windows(h, windows, ARRAY_COUNT(windows));
    if (m.windows == 0 || m.windows > ARRAY_COUNT(windows))
        complain(machine, "MCFG", "no window, or too many");
}

static void take_hpet(const char *machine, const struct acpi_header *h)
{
    m.hpet = acpi_hpet_base(h).v != 0;
    if (!m.hpet)
        complain(machine, "HPET", "no registers");
}

static void take_dmar(const char *machine, const struct acpi_header *h)
{
    stub_log_clear();
    m.xapic = dmar_asks_for_xapic(h);
    if (dmar_parse(h, &m.dmar) != 0)
        complain(machine, "DMAR", "refused");
    if (*stub_log)
        print_message("%s: %s", machine, stub_log);
}

static void take_spcr(const char *machine, const struct acpi_header *h)
{
    struct uart_place at;
    uint32_t baud;
    if (acpi_spcr_uart(h, &at, &baud))
        print_message("%s: SPCR at=0x%lx spacing=%u baud=%u\n", machine, at.base, at.spacing, baud);
}

static void take_dbg2(const char *machine, const struct acpi_header *h)
{
    struct uart_place at;
    if (acpi_dbg2_uart(h, &at))
        print_message("%s: DBG2 at=0x%lx spacing=%u\n", machine, at.base, at.spacing);
}

static const struct {
    const char *signature;
    void (*take)(const char *machine, const struct acpi_header *h);
} kinds[] = {{"APIC", take_madt}, {"FACP", take_fadt}, {"MCFG", take_mcfg}, {"HPET", take_hpet},
             {"DMAR", take_dmar}, {"SPCR", take_spcr}, {"DBG2", take_dbg2}};

/* A block of exactly the table's size, so that one byte too far is noticed. */
static void take_table(const char *machine, unsigned kind)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/%s/%s.bin", folder, machine, kinds[kind].signature);
    FILE *file = fopen(path, "rb");
    if (!file)
        return;
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    struct acpi_header *h = malloc(size);
    assert_int_equal(fread(h, 1, size, file), size);
    fclose(file);
    tables++;
    if (!acpi_table_ok(h, size, 0) || memcmp(h->signature, kinds[kind].signature, 4) != 0)
        complain(machine, kinds[kind].signature, "truncated, or its checksum is wrong");
    else if (kinds[kind].take)
        kinds[kind].take(machine, h);
    free(h);
}

static void take_machine(const char *machine)
{
    memset(&m, 0, sizeof(m));
    for (unsigned i = 0; i < ARRAY_COUNT(kinds); i++)
        take_table(machine, i);
    unsigned unused = 0;
    for (unsigned i = 0; i < m.dmar.unit_count; i++)
        unused += m.dmar.units[i].base.v == 0 || !m.dmar.units[i].scopes.whole;
    print_message("%s cpus=%zu ioapics=%zu ecam=%zu pm-timer=%u hpet=%u units=%u unused=%u "
                  "rmrrs=%u scopes=%u width=%u ir=%u xapic=%u skipped=%u\n",
                  machine, m.cpus, m.ioapics, m.windows, m.pm_timer, m.hpet, m.dmar.unit_count,
                  unused, m.dmar.rmrr_count, m.dmar.scope_count, m.dmar.address_width,
                  m.dmar.interrupt_remapping, m.xapic, m.dmar.skipped_count);
    machines++;
}

static int by_name(const struct dirent *e) { return e->d_name[0] != '.'; }

TEST(every_table_is_understood)
{
    char command[200];
    struct dirent **entries;
    if (access(ARCHIVE, R_OK) != 0)
        skip();
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof(command), "tar -xf " ARCHIVE " -C %s", folder);
    assert_int_equal(system(command), 0);
    int count = scandir(folder, &entries, by_name, alphasort);
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        take_machine(entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    print_message("%u machines, %u tables, %u refused\n", machines, tables, odd);
    assert_int_equal(odd, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_table_is_understood)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
