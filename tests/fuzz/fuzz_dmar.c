/* SPDX-License-Identifier: MIT */
// sources: vtd/dmar.c
/*
 * The DMAR table is whatever the firmware, or a module "acpi", says: parsing it ends, reads no byte
 * beyond it, and what comes out stays within its own bounds.
 * Input: the table, header and all; its length field is made to fit.
 * From: make fuzz.   To: vtd/dmar.c.
 */
#include "tests/fuzz/fuzz.h"
#include "vtd/dmar.h"

static uint8_t bus_behind(bdf_t bridge) { return (uint8_t)(bridge * 7); }

static void check(struct dmar_scopes run, unsigned count)
{
    must(run.first <= count && run.count <= count - run.first);
}

static void check_all(const struct dmar *d)
{
    must(d->unit_count <= DMAR_UNIT_MAX && d->rmrr_count <= DMAR_RMRR_MAX &&
         d->scope_count <= DMAR_SCOPE_MAX);
    for (unsigned i = 0; i < d->unit_count; i++)
        check(d->units[i].scopes, d->scope_count);
    for (unsigned i = 0; i < d->rmrr_count; i++)
        check(d->rmrrs[i].scopes, d->scope_count);
    for (unsigned i = 0; i < d->scope_count; i++) {
        bdf_t at;
        must(d->scopes[i].path_length > 0 && d->scopes[i].path_length <= DMAR_PATH_MAX);
        (void)dmar_scope_resolve(&d->scopes[i], bus_behind, &at);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dmar out;
    if (size < sizeof(struct acpi_header))
        return 0;
    struct acpi_header *table = malloc(size); /* its end is the allocation's: no byte beyond */
    memcpy(table, data, size);
    table->length = (uint32_t)size;
    if (dmar_parse(table, &out) == 0)
        check_all(&out);
    free(table);
    return 0;
}
