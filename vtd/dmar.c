/* SPDX-License-Identifier: MIT */
/*
 * Parse the DMAR table. The table is input like any other: every length is checked against what
 * encloses it before a field is read, and every structure moves the walk forward, so the walk ends.
 * What makes no sense costs the devices that it names. It costs all devices only where it could
 * hide a unit: a device behind a unit that Hamlet does not know would reach all memory.
 * From: vtd/init.c, scope.c.   To: vtd/dmar.h.
 * Spec: VT-d "BIOS Considerations".
 */
#include "vtd/dmar.h"
#include "lib/bits.h"
#include "lib/string.h"
#define LOG "vtd"
#include "arch/log.h"

/* VT-d "DMA Remapping Reporting Structure", "Remapping Structure Types". */
struct dmar_table {
    struct acpi_header header;
    uint8_t address_width; /* 36: minus 1 */
    uint8_t flags;         /* 37 */
    uint8_t reserved[10];
} __attribute__((packed));
LAYOUT(struct dmar_table, address_width, 36);
static_assert(sizeof(struct dmar_table) == 48, "VT-d: remapping structures start at 48");
#define ADDRESS_WIDTH_MIN        32 /* of any processor with VT-d */
#define ADDRESS_WIDTH_MAX        52
#define DMAR_FLAG_INTR_REMAP     BIT(0)
#define DMAR_FLAG_X2APIC_OPT_OUT BIT(1)

struct remapping_structure {
    uint16_t type, length;
} __attribute__((packed));
enum { TYPE_DRHD = 0, TYPE_RMRR = 1 };

struct drhd {
    struct remapping_structure head;
    uint8_t flags;    /* 4 */
    uint8_t size;     /* 5: 2^size pages, in bits 3:0 */
    uint16_t segment; /* 6 */
    uint64_t base;    /* 8 */
} __attribute__((packed));
LAYOUT(struct drhd, base, 8);
static_assert(sizeof(struct drhd) == 16, "VT-d: DRHD scopes start at 16");
#define DRHD_INCLUDE_PCI_ALL BIT(0)
#define DRHD_SIZE            BITS(3, 0)

struct rmrr {
    struct remapping_structure head;
    uint16_t reserved, segment; /* 6 */
    uint64_t base, limit;       /* 8, 16 */
} __attribute__((packed));
LAYOUT(struct rmrr, limit, 16);
static_assert(sizeof(struct rmrr) == 24, "VT-d: RMRR scopes start at 24");

struct scope {
    uint8_t type, length, flags, reserved, enumeration_id, start_bus;
    uint8_t path[]; /* pairs: device, function */
} __attribute__((packed));
static_assert(sizeof(struct scope) == 6, "VT-d: the path starts at 6");

/* False (logged): it names no function that there could be. */
static bool parse_scope(const struct scope *in, struct dmar_scope *out)
{
    unsigned steps = (in->length - sizeof(*in)) / 2;
    if (in->length % 2 != 0 || steps == 0 || steps > DMAR_PATH_MAX) {
        log_error("DMAR: device scope with %u path bytes", in->length - (unsigned)sizeof(*in));
        return false;
    }
    *out = (struct dmar_scope){.type = in->type,
                               .enumeration_id = in->enumeration_id,
                               .start_bus = in->start_bus,
                               .path_length = (uint8_t)steps};
    for (unsigned i = 0; i < steps; i++) {
        uint8_t device = in->path[2 * i], function = in->path[2 * i + 1];
        if (device > 31 || function > 7) {
            log_error("DMAR: device scope names device %u function %u", device, function);
            return false;
        }
        out->path[i] = (uint8_t)BDF(0, device, function);
    }
    return true;
}

static int parse_scopes(const uint8_t *at, size_t left, struct dmar *out, struct dmar_scopes *run)
{
    *run = (struct dmar_scopes){.first = (uint16_t)out->scope_count, .whole = true};
    while (left > 0 && run->whole) {
        const struct scope *s = (const struct scope *)at;
        if (left < sizeof(*s) || s->length < sizeof(*s) || s->length > left) {
            log_error("DMAR: device scope of %zu bytes is cut off", left);
            run->whole = false;
            break;
        }
        if (out->scope_count == DMAR_SCOPE_MAX)
            return FAIL(ENOSPC, "DMAR: more than %u device scopes", DMAR_SCOPE_MAX);
        if (parse_scope(s, &out->scopes[out->scope_count]))
            out->scope_count++;
        else
            run->whole = false;
        at += s->length;
        left -= s->length;
    }
    run->count = (uint16_t)(out->scope_count - run->first);
    return 0;
}

/* Units have a page of their own each. */
static bool base_is_good(const struct dmar *d, uint64_t base)
{
    bool good = base != 0 && IS_ALIGNED(base, PAGE_SIZE);
    for (unsigned i = 0; i < d->unit_count; i++)
        good &= d->units[i].base.v != base;
    return good;
}

static int parse_drhd(const struct drhd *in, struct dmar *out)
{
    if (in->head.length < sizeof(*in))
        return FAIL(EINVAL, "DMAR: unit definition of %u bytes", in->head.length);
    if (out->unit_count == DMAR_UNIT_MAX)
        return FAIL(ENOSPC, "DMAR: more than %u units", DMAR_UNIT_MAX);
    bool good = base_is_good(out, in->base);
    if (!good)
        log_error("DMAR: unit registers at 0x%lx: that unit is not used", in->base);
    struct dmar_unit *u = &out->units[out->unit_count++];
    *u = (struct dmar_unit){.base = hpa(good ? in->base : 0),
                            .size = PAGE_SIZE << FIELD_GET(DRHD_SIZE, in->size),
                            .segment = in->segment,
                            .include_all = in->flags & DRHD_INCLUDE_PCI_ALL};
    return parse_scopes((const uint8_t *)(in + 1), in->head.length - sizeof(*in), out, &u->scopes);
}

/* The region has whole pages. An end below its start makes it empty. */
static int parse_rmrr(const struct rmrr *in, struct dmar *out)
{
    if (in->head.length < sizeof(*in))
        return FAIL(EINVAL, "DMAR: reserved region of %u bytes", in->head.length);
    if (out->rmrr_count == DMAR_RMRR_MAX)
        return FAIL(ENOSPC, "DMAR: more than %u reserved regions", DMAR_RMRR_MAX);
    uint64_t base = ALIGN_DOWN(in->base, PAGE_SIZE), limit = in->limit;
    if (limit < in->base) {
        log_error("DMAR: reserved region from 0x%lx to 0x%lx", in->base, limit);
        limit = base - 1;
    }
    struct dmar_rmrr *r = &out->rmrrs[out->rmrr_count++];
    *r = (struct dmar_rmrr){.base = hpa(base), .limit = hpa(limit), .segment = in->segment};
    return parse_scopes((const uint8_t *)(in + 1), in->head.length - sizeof(*in), out, &r->scopes);
}

static int parse_structure(const struct remapping_structure *in, struct dmar *out)
{
    switch (in->type) {
    case TYPE_DRHD:
        return parse_drhd((const struct drhd *)in, out);
    case TYPE_RMRR:
        return parse_rmrr((const struct rmrr *)in, out);
    default:
        out->skipped_count++;
        return 0;
    }
}

bool dmar_asks_for_xapic(const struct acpi_header *table)
{
    const uint8_t both = DMAR_FLAG_INTR_REMAP | DMAR_FLAG_X2APIC_OPT_OUT;
    return table->length >= sizeof(struct dmar_table) &&
           (((const struct dmar_table *)table)->flags & both) == both;
}

int dmar_parse(const struct acpi_header *table, struct dmar *out)
{
    const struct dmar_table *t = (const struct dmar_table *)table;
    memset(out, 0, sizeof(*out));
    if (table->length < sizeof(*t))
        return FAIL(EINVAL, "DMAR: table of %u bytes", table->length);
    unsigned width = t->address_width + 1u;
    if (width < ADDRESS_WIDTH_MIN || width > ADDRESS_WIDTH_MAX) {
        log_error("DMAR: host address width %u", width);
        width = ADDRESS_WIDTH_MAX;
    }
    out->address_width = (uint8_t)width;
    out->interrupt_remapping = t->flags & DMAR_FLAG_INTR_REMAP;

    const uint8_t *at = (const uint8_t *)(t + 1);
    for (size_t left = table->length - sizeof(*t); left > 0;) {
        const struct remapping_structure *s = (const struct remapping_structure *)at;
        if (left < sizeof(*s) || s->length < sizeof(*s) || s->length > left)
            return FAIL(EINVAL, "DMAR: structure at offset %zu is cut off", table->length - left);
        int err = parse_structure(s, out);
        if (err)
            return err;
        at += s->length;
        left -= s->length;
    }
    return 0;
}

bool dmar_scope_resolve(const struct dmar_scope *scope, uint8_t (*secondary_bus)(bdf_t bridge),
                        bdf_t *out)
{
    uint8_t bus = scope->start_bus;
    for (unsigned i = 0; i + 1 < scope->path_length; i++) {
        bus = secondary_bus((bdf_t)(bus << 8 | scope->path[i]));
        if (bus == 0)
            return false;
    }
    *out = (bdf_t)(bus << 8 | scope->path[scope->path_length - 1]);
    return true;
}
