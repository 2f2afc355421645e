/* SPDX-License-Identifier: MIT */
// sources: arch/acpi_parse.c
/*
 * Firmware tables of any content: no byte outside the table is read, and no count is beyond what
 * could stand in it.
 * Input: a table; its length and checksum are made right, or it would be refused before.
 * From: make fuzz.   To: arch/acpi_parse.c.
 */
#include "tests/fuzz/fuzz.h"
#include "arch/acpi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t ids[4];
    struct madt_ioapic ioapics[4];
    struct mcfg_window windows[4];
    struct acpi_fixed fixed;
    uint8_t a, b;
    if (size < sizeof(struct acpi_header))
        return 0;
    struct acpi_header *h = malloc(size); /* a block of its own: the sanitizer sees its end */
    memcpy(h, data, size);
    (void)acpi_table_ok(h, size, 0);
    h->length = (uint32_t)size;
    must(acpi_madt_cpus(h, ids, 4) <= size);
    must(acpi_madt_ioapics(h, ioapics, 4) <= size);
    must(acpi_mcfg_windows(h, windows, 4) <= size);
    (void)acpi_s5_types(h, &a, &b);
    (void)acpi_hpet_base(h);
    (void)acpi_fixed_parse(h, &fixed);
    free(h);
    return 0;
}
