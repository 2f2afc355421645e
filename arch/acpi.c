/* SPDX-License-Identifier: MIT */
/*
 * From the RSDP to the tables, and the two requests to ACPI at the end of a run: power off, reset.
 * From: boot/main.c; arch/cpu.c, arch/ioapic.c, pci/config.c, vtd/ (acpi_find).
 * To: arch/acpi_parse.c (checks, contents), arch/paging.c (firmware_map).
 * INVARIANT: a table that acpi_find() returns is complete, mapped, and its bytes sum to 0.
 * Spec: ACPI "ACPI System Description Tables", "Sleeping/Wake Control", "Sleep Control and Status
 * Registers", "Reset Register".
 */
#include "arch/acpi.h"
#include "arch/io.h"
#include "arch/paging.h"
#include "arch/time.h"
#include "lib/string.h"
#define LOG "acpi"
#include "arch/log.h"

#define TABLE_MAX            64
#define TABLE_SIZE_MAX       (UINT32_C(16) << 20) /* a larger one is broken, and is not mapped */
#define ENABLE_WAIT_US       1000000

#define RESET_CONTROL        0xcf9 /* ICH "Reset Control Register" */
#define RESET_SYSTEM         0x06
#define KEYBOARD_COMMAND     0x64
#define KEYBOARD_RESET       0xfe

/* PCI Local Bus "Configuration Mechanism #1": pci/ stands above this room. */
#define PCI_ADDRESS          0xcf8
#define PCI_DATA             0xcfc
#define PCI_ADDRESS_ON       BIT(31)
#define PCI_ADDRESS_DEVICE   BITS(15, 11)
#define PCI_ADDRESS_FUNCTION BITS(10, 8)
#define PCI_ADDRESS_REGISTER BITS(7, 2)

static struct {
    char signature[4];
    const struct acpi_header *table; /* NULL: refused */
    bool from_module;
} tables[TABLE_MAX];
static size_t table_count;

static int slot_of(const char signature[4])
{
    for (size_t i = 0; i < table_count; i++)
        if (memcmp(tables[i].signature, signature, 4) == 0)
            return (int)i;
    return -ENOENT;
}

const struct acpi_header *acpi_find(const char signature[4])
{
    int n = slot_of(signature);
    return n < 0 ? NULL : tables[n].table;
}

bool acpi_was_refused(const char signature[4])
{
    int n = slot_of(signature);
    return n >= 0 && tables[n].table == NULL;
}

/* The first table of a signature counts. Only SSDTs come several times, and Hamlet needs none. */
static void table_add(const struct acpi_header *h, bool good, bool from_module)
{
    if (slot_of(h->signature) >= 0 || table_count == TABLE_MAX)
        return;
    memcpy(tables[table_count].signature, h->signature, 4);
    tables[table_count].table = good ? h : NULL;
    tables[table_count].from_module = from_module;
    table_count++;
    if (good)
        log_trace("table=%.4s length=%u revision=%u", h->signature, h->length, h->revision);
    else
        log_error("table %.4s refused: %s", h->signature, "truncated, or its checksum is wrong");
}

/* Map a table of the firmware: its header, then all of it. NULL: no memory, or a broken length. */
static const struct acpi_header *table_map(uint64_t address)
{
    const struct acpi_header *h = firmware_map(hpa(address), sizeof(*h));
    if (!h || h->length > TABLE_SIZE_MAX)
        return NULL;
    return firmware_map(hpa(address), MAX(h->length, sizeof(*h)));
}

static void take_modules(const struct boot_info *info)
{
    for (size_t i = 0; i < info->module_count; i++) {
        const struct boot_module *m = &info->modules[i];
        if (strcmp(m->cmdline, "acpi") != 0)
            continue;
        if (m->size < sizeof(struct acpi_header))
            log_error("module %lu is no ACPI table: size=%lu", i, m->size);
        else
            table_add((const void *)m->data, acpi_table_ok(m->data, m->size, 0), true);
    }
}

static int take_firmware(const struct boot_info *info)
{
    const struct acpi_rsdp *rsdp = info->rsdp;
    if (!rsdp || info->rsdp_size < ACPI_RSDP_OLD_SIZE || acpi_sum(rsdp, ACPI_RSDP_OLD_SIZE) != 0)
        return FAIL(ENOENT, "no RSDP, or its checksum is wrong");
    bool has_xsdt = rsdp->revision >= 2 && info->rsdp_size >= sizeof(*rsdp) && rsdp->xsdt != 0;
    const struct acpi_header *root = table_map(has_xsdt ? rsdp->xsdt : rsdp->rsdt);
    if (!root || !acpi_table_ok(root, root->length, 0))
        return FAIL(ENOENT, "%s refused: truncated, or its checksum is wrong",
                    has_xsdt ? "XSDT" : "RSDT");
    size_t entry_size = has_xsdt ? 8 : 4;
    size_t count = (root->length - sizeof(*root)) / entry_size;
    for (size_t i = 0; i < count; i++) {
        uint64_t address = 0;
        memcpy(&address, (const char *)(root + 1) + i * entry_size, entry_size); /* not aligned */
        const struct acpi_header *h = address ? table_map(address) : NULL;
        if (h)
            table_add(h, acpi_table_ok(h, h->length, 0), false);
    }
    return 0;
}

static void log_tables(void)
{
    char names[TABLE_MAX * 6] = "";
    size_t length = 0;
    for (size_t i = 0; i < table_count; i++) {
        if (!tables[i].table)
            continue;
        names[length++] = ' ';
        memcpy(names + length, tables[i].signature, 4);
        length += 4;
        names[length] = '\0';
        if (tables[i].from_module)
            log_info("table=%.4s is taken from a module", tables[i].signature);
    }
    log_info("tables:%s", names);
}

int acpi_init(const struct boot_info *info)
{
    take_modules(info); /* first, so that they replace the firmware's tables: see table_add() */
    int err = take_firmware(info);
    log_tables();
    return err;
}

static bool find_fixed(struct acpi_fixed *out)
{
    const struct acpi_header *h = acpi_find("FACP");
    return h && acpi_fixed_parse(h, out);
}

hpa_t acpi_hpet(void)
{
    const struct acpi_header *h = acpi_find("HPET");
    return h ? acpi_hpet_base(h) : hpa(0);
}

uint16_t acpi_pm_timer(void)
{
    struct acpi_fixed f;
    bool is_port = find_fixed(&f) && f.pm_timer.space == GAS_SPACE_IO;
    return is_port ? (uint16_t)f.pm_timer.address : 0;
}

/* The registers of one block lie side by side, more of them than Hamlet knows. */
#define PORT_BLOCK UINT64_C(128)

bool acpi_has_port(uint64_t first, uint64_t count)
{
    struct acpi_fixed f = {.reset_value = 0};
    bool known = find_fixed(&f);
    const struct acpi_gas *const all[] = {&f.pm1a_cnt, &f.pm1b_cnt, &f.pm_timer, &f.sleep_control,
                                          &f.reset};
    for (size_t i = 0; known && i < ARRAY_COUNT(all); i++) {
        uint64_t block = ALIGN_DOWN(all[i]->address, PORT_BLOCK);
        if (all[i]->space == GAS_SPACE_IO && ranges_overlap(first, count, block, PORT_BLOCK))
            return true;
    }
    return false;
}

/* A register in ports or in memory, of 1 or 2 bytes. Without one it reads as all-ones, and writes
 * go nowhere. */
static uint32_t reg_read(const struct acpi_gas *r, unsigned width)
{
    if (r->space == GAS_SPACE_IO)
        return port_in((uint16_t)r->address, width);
    const void *p = mmio_map(hpa(r->address), width);
    return p ? (uint32_t)mmio_read(p, width) : UINT32_MAX;
}

static void reg_write(const struct acpi_gas *r, unsigned width, uint32_t v)
{
    if (r->space == GAS_SPACE_IO) {
        port_out((uint16_t)r->address, width, v);
    } else if (r->space == GAS_SPACE_PCI) {
        uint32_t where = (uint32_t)(FIELD_SET(PCI_ADDRESS_DEVICE, r->address >> 32) |
                                    FIELD_SET(PCI_ADDRESS_FUNCTION, r->address >> 16) |
                                    (r->address & PCI_ADDRESS_REGISTER));
        out32(PCI_ADDRESS, (uint32_t)PCI_ADDRESS_ON | where);
        port_out(PCI_DATA + (r->address & 3), width, v);
    } else if (r->space == GAS_SPACE_MEMORY) {
        void *p = mmio_map(hpa(r->address), width);
        if (p)
            mmio_write(p, width, v);
    }
}

/* Until ACPI mode is on, PM1 control belongs to the firmware. */
static void enable_acpi_mode(const struct acpi_fixed *f)
{
    if ((reg_read(&f->pm1a_cnt, 2) & PM1_CNT_SCI_EN) || f->smi_cmd == 0 || f->acpi_enable == 0)
        return;
    out8(f->smi_cmd, f->acpi_enable);
    if (!wait_until(reg_read(&f->pm1a_cnt, 2) & PM1_CNT_SCI_EN, ENABLE_WAIT_US))
        log_error("the firmware does not hand over power management");
}

/* Keep the register's other bits: SCI_EN is one of them. */
static void sleep_by(const struct acpi_gas *r, uint8_t type)
{
    if (r->address == 0)
        return;
    uint32_t rest = reg_read(r, 2) & ~(uint32_t)(PM1_CNT_SLP_TYP | PM1_CNT_SLP_EN);
    reg_write(r, 2, rest | (uint32_t)(FIELD_SET(PM1_CNT_SLP_TYP, type) | PM1_CNT_SLP_EN));
}

void acpi_power_off(void)
{
    struct acpi_fixed f;
    const struct acpi_header *dsdt = find_fixed(&f) && f.dsdt ? table_map(f.dsdt) : NULL;
    uint8_t typ_a, typ_b;
    if (!dsdt || (f.pm1a_cnt.address == 0 && f.sleep_control.address == 0) ||
        !acpi_table_ok(dsdt, dsdt->length, 0) || !acpi_s5_types(dsdt, &typ_a, &typ_b)) {
        log_error("the firmware's tables do not say how to power off");
        return;
    }
    if (f.sleep_control.address != 0) {
        reg_write(&f.sleep_control, 1,
                  (uint32_t)(FIELD_SET(SLEEP_CONTROL_TYP, typ_a) | SLEEP_CONTROL_EN));
    } else {
        enable_acpi_mode(&f);
        sleep_by(&f.pm1a_cnt, typ_a);
        sleep_by(&f.pm1b_cnt, typ_b);
    }
    time_delay_us(ENABLE_WAIT_US);
}

void acpi_reset(void)
{
    struct acpi_fixed f;
    if (find_fixed(&f) && f.reset.address != 0) {
        reg_write(&f.reset, 1, f.reset_value);
        time_delay_us(ENABLE_WAIT_US);
    }
    out8(RESET_CONTROL, RESET_SYSTEM);
    time_delay_us(ENABLE_WAIT_US);
    out8(KEYBOARD_COMMAND, KEYBOARD_RESET);
    time_delay_us(ENABLE_WAIT_US);
}
