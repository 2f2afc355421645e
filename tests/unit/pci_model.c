/* SPDX-License-Identifier: MIT */
/*
 * The model of PCI behind arch/io.h's functions, and the small part of arch/ that pci/ uses.
 * From: tests/unit/pci_model.h.   To: pci/config.c (the only caller of arch/io.h in pci/).
 */
#include "tests/unit/pci_model.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arch/acpi.h"
#include "arch/io.h"
#include "arch/log.h"
#include "arch/page.h"
#include "arch/paging.h"
#include "arch/panic.h"
#include "arch/task.h"
#include "arch/terminal.h"

#define FUNCTION_MAX 1100

/* Those from function_count on are free: to allocate them each time would be slow. */
static struct model_function *functions[FUNCTION_MAX], *by_bdf[UINT16_MAX + 1];
static size_t function_count;
static bool has_ecam;
static uint32_t port_address;
static struct model_function far[8];
static unsigned far_count;
static char log_text[1 << 16];
static size_t log_at;
static uint64_t delay_us;
static unsigned decode_while_sizing;
static uint64_t ram_base, ram_size;
static uint16_t power_port;
static struct uart_place console;
static unsigned patience = 1000; /* looks in vain */
enum log_level log_threshold = LOG_TRACE;

void model_start(bool ecam)
{
    while (function_count)
        by_bdf[functions[--function_count]->bdf] = NULL;
    has_ecam = ecam;
    far_count = 0;
    log_at = 0;
    log_text[0] = 0;
    delay_us = 0;
    decode_while_sizing = 0;
    ram_base = ram_size = 0;
    power_port = 0;
    console.base = 0;
}

struct model_function *model_add(bdf_t bdf, uint16_t vendor, uint16_t device, uint32_t class_code)
{
    if (function_count == FUNCTION_MAX)
        abort();
    struct model_function *f = functions[function_count];
    if (!f && !(f = malloc(sizeof(*f))))
        abort();
    memset(f, 0, sizeof(*f));
    f->bdf = bdf;
    model_set(f, PCI_VENDOR_ID, 2, vendor);
    model_set(f, PCI_DEVICE_ID, 2, device);
    model_set(f, PCI_CLASS, 4, class_code << 8);
    model_set(f, PCI_COMMAND, 2, PCI_COMMAND_MEM | PCI_COMMAND_IO);
    model_writable(f, PCI_COMMAND, 2, 0x547);
    return functions[function_count++] = by_bdf[bdf] = f;
}

struct model_function *model_find(bdf_t bdf) { return by_bdf[bdf]; }

uint32_t model_get(const struct model_function *f, uint16_t reg, unsigned size)
{
    uint32_t v = 0;
    memcpy(&v, f->config + reg, size);
    return v;
}

void model_set(struct model_function *f, uint16_t reg, unsigned size, uint32_t v)
{
    memcpy(f->config + reg, &v, size);
}

void model_writable(struct model_function *f, uint16_t reg, unsigned size, uint32_t mask)
{
    memcpy(f->writable + reg, &mask, size);
}

void model_bar(struct model_function *f, uint16_t reg, uint64_t mask, uint32_t flags, uint64_t base)
{
    model_set(f, reg, 4, LO32(base) | flags);
    model_writable(f, reg, 4, LO32(mask));
    if (!(flags & PCI_BAR_IS_IO) && FIELD_GET(PCI_BAR_MEM_TYPE, flags) == PCI_BAR_MEM_64) {
        model_set(f, reg + 4, 4, HI32(base));
        model_writable(f, reg + 4, 4, HI32(mask));
    }
}

void model_cap(struct model_function *f, uint8_t at, uint8_t id)
{
    uint8_t next = f->config[PCI_CAP_POINTER];
    model_set(f, PCI_STATUS, 2, model_get(f, PCI_STATUS, 2) | PCI_STATUS_CAP_LIST);
    f->config[at] = id;
    f->config[at + 1] = next;
    f->config[PCI_CAP_POINTER] = at;
}

void model_ext_cap(struct model_function *f, uint16_t at, uint16_t id, uint16_t next)
{
    model_set(f, at, 4, FIELD_SET(PCI_EXT_ID, id) | FIELD_SET(PCI_EXT_NEXT, next) | 1 << 16);
}

void model_bridge(struct model_function *f, uint8_t secondary, uint8_t subordinate)
{
    f->config[PCI_HEADER_TYPE] |= PCI_HEADER_BRIDGE;
    f->config[PCI_BRIDGE_SECONDARY] = secondary;
    f->config[PCI_BRIDGE_SUBORDINATE] = subordinate;
    model_writable(f, PCI_BRIDGE_CONTROL, 2, 0xffff);
    model_set(f, PCI_BRIDGE_IO, 2, 0xf000); /* it passes down everything */
    model_set(f, PCI_BRIDGE_MEM_BASE, 4, 0xfff00000);
    model_set(f, PCI_BRIDGE_PREF_BASE, 4, 0xfff10001);
    model_set(f, PCI_BRIDGE_PREF_LIMIT_HI, 4, 0xffff);
}

void model_pcie(struct model_function *f, uint8_t at, unsigned port_type)
{
    model_cap(f, at, PCI_CAP_ID_PCIE);
    model_set(f, at + PCIE_CAPABILITIES, 2, FIELD_SET(PCIE_PORT_TYPE, port_type) | 2);
}

bool model_logged(const char *part) { return strstr(log_text, part) != NULL; }
uint64_t model_delay_us(void) { return delay_us; }
unsigned model_decode_while_sizing(void) { return decode_while_sizing; }
void model_console(uint64_t base, uint8_t spacing) { console = (struct uart_place){base, spacing}; }

void model_impatient(void) { patience = 0; }

void model_ram(uint64_t base, uint64_t size)
{
    ram_base = base;
    ram_size = size;
}

/* One access of 1, 2 or 4 bytes; misaligned or crossing ones are the caller's bug. */
static uint32_t access(bdf_t bdf, uint32_t reg, unsigned size, bool write, uint32_t v)
{
    struct model_function *f = model_find(bdf);
    if (reg % size || reg + size > PCIE_CONFIG_SIZE)
        abort();
    if (!f || f->gone || f->silent_us)
        return UINT32_MAX;
    if (!write) {
        if (reg == PCI_VENDOR_ID && f->retry_reads && f->retry_reads--)
            return PCI_VENDOR_RETRY;
        return model_get(f, reg, size);
    }
    bool is_bar = reg >= PCI_BAR(0) && reg < PCI_BAR(6);
    if (is_bar && v == UINT32_MAX && (f->config[PCI_COMMAND] & 3))
        decode_while_sizing++;
    for (unsigned i = 0; i < size; i++) {
        uint8_t mask = f->writable[reg + i], byte = v >> (8 * i);
        f->config[reg + i] = (f->config[reg + i] & ~mask) | (byte & mask);
    }
    if (f->on_write)
        f->on_write(f, reg, v);
    return 0;
}

static uint32_t port_access(uint16_t port, unsigned size, bool write, uint32_t v)
{
    if (port < PCI_PORT_DATA || port + size > PCI_PORT_DATA + 4 ||
        !(port_address & PCI_ADDRESS_ENABLE))
        abort();
    uint32_t reg = (port_address & PCI_ADDRESS_REG) + (port - PCI_PORT_DATA);
    return access(FIELD_GET(PCI_ADDRESS_BDF, port_address), reg, size, write, v);
}

struct model_function *model_far(bdf_t bdf, uint8_t header_type)
{
    struct model_function *f = &far[far_count++];
    memset(f, 0, sizeof(*f));
    f->bdf = bdf;
    f->config[PCI_HEADER_TYPE] = header_type;
    model_set(f, PCI_COMMAND, 2, PCI_COMMAND_MEM | PCI_COMMAND_MASTER);
    return f;
}

static uint32_t far_access(uint64_t offset, unsigned size, bool write, uint32_t v)
{
    for (unsigned i = 0; i < far_count; i++) {
        uint16_t reg = offset % PCIE_CONFIG_SIZE;
        if (far[i].bdf != offset / PCIE_CONFIG_SIZE)
            continue;
        if (write)
            model_set(&far[i], reg, size, v);
        return model_get(&far[i], reg, size);
    }
    return UINT32_MAX;
}

struct model_chipset model_chipset;
static uint32_t chipset_access(uint64_t offset, bool write, uint32_t v)
{
    if (offset != 0x1014 && (write || offset != 0x1104))
        abort();
    if (write && !model_chipset.locked)
        model_chipset.peers = v;
    return offset == 0x1014 ? model_chipset.peers : model_chipset.backbone;
}

static uint32_t ecam_access(const void *p, unsigned size, bool write, uint32_t v)
{
    if ((uintptr_t)p >= MODEL_CHIPSET)
        return chipset_access((uintptr_t)p - MODEL_CHIPSET, write, v);
    if ((uintptr_t)p < MODEL_ECAM_BASE)
        return far_access((uintptr_t)p - MODEL_FAR_BASE, size, write, v);
    uint64_t offset = (uintptr_t)p - MODEL_ECAM_BASE;
    if (!has_ecam || offset >= BIT(28))
        abort();
    return access(FIELD_GET(BITS(27, 12), offset), offset & BITS(11, 0), size, write, v);
}

uint8_t in8(uint16_t port) { return port_access(port, 1, false, 0); }
uint16_t in16(uint16_t port) { return port_access(port, 2, false, 0); }
uint32_t in32(uint16_t port) { return port_access(port, 4, false, 0); }
void out8(uint16_t port, uint8_t v) { port_access(port, 1, true, v); }
void out16(uint16_t port, uint16_t v) { port_access(port, 2, true, v); }

void out32(uint16_t port, uint32_t v)
{
    if (port == PCI_PORT_ADDRESS)
        port_address = v;
    else
        port_access(port, 4, true, v);
}

uint8_t mmio_read8(const void *p) { return ecam_access(p, 1, false, 0); }
uint16_t mmio_read16(const void *p) { return ecam_access(p, 2, false, 0); }
uint32_t mmio_read32(const void *p) { return ecam_access(p, 4, false, 0); }
void mmio_write8(void *p, uint8_t v) { ecam_access(p, 1, true, v); }
void mmio_write16(void *p, uint16_t v) { ecam_access(p, 2, true, v); }
void mmio_write32(void *p, uint32_t v) { ecam_access(p, 4, true, v); }
uint64_t mmio_read64(const void *p) { return (void)p, abort(), 0; } /* no register is so wide */
void mmio_write64(void *p, uint64_t v) { (void)p, (void)v, abort(); }

const struct acpi_header *acpi_find(const char signature[4])
{
    static const struct acpi_header mcfg;
    return has_ecam && memcmp(signature, "MCFG", 4) == 0 ? &mcfg : NULL;
}

/* The first window covers all; the second is nonsense, as firmware sometimes has it. */
size_t acpi_mcfg_windows(const struct acpi_header *mcfg, struct mcfg_window *out, size_t max)
{
    (void)mcfg;
    if (max < 3)
        abort();
    out[2] = (struct mcfg_window){
        .base = hpa(MODEL_FAR_BASE), .segment = 1, .first_bus = 2, .last_bus = 3};
    out[0] = (struct mcfg_window){.base = hpa(MODEL_ECAM_BASE), .last_bus = 255};
    out[1] = (struct mcfg_window){.base = hpa(0x1234), .first_bus = 7, .last_bus = 3};
    return far_count ? 3 : 2;
}

void *mmio_map(hpa_t base, uint64_t size)
{
    (void)size;
    return hpa_ptr(base);
}

bool page_is_ram(hpa_t base, uint64_t size)
{
    return base.v < ram_base + ram_size && ram_base < base.v + size;
}

void model_power(uint16_t port) { power_port = port; }
bool acpi_has_port(uint64_t first, uint64_t count)
{
    return power_port && ranges_overlap(first, count, power_port, 1);
}

struct uart_place terminal_serial(void) { return console; }

/* Time that the code asks for is counted. A wait for a condition ends after so many looks: this
 * host may stop the test for any time between two of them. */
uint64_t time_deadline_us(uint64_t us)
{
    (void)us;
    return patience + 1;
}

bool time_is_left(struct time_wait *w, void (*relax)(void))
{
    if (!w->end)
        return false;
    if (--w->end)
        relax();
    return true;
}

static unsigned pauses;
unsigned model_pauses(void) { return pauses; }
void task_pause(void) { pauses++; }

void task_delay_us(uint64_t us)
{
    delay_us += us;
    for (size_t i = 0; i < function_count; i++)
        functions[i]->silent_us -= MIN(us, (uint64_t)functions[i]->silent_us);
}

static void keep_line(const char *fmt, va_list args)
{
    size_t room = sizeof(log_text) - log_at;
    int n = vsnprintf(log_text + log_at, room, fmt, args);
    if (n > 0 && (size_t)n + 1 < room) {
        log_at += n;
        log_text[log_at++] = '\n';
        log_text[log_at] = 0;
    }
}

#define KEEP_LINE(fmt)                                                                             \
    do {                                                                                           \
        va_list args;                                                                              \
        va_start(args, fmt);                                                                       \
        keep_line(fmt, args);                                                                      \
        va_end(args);                                                                              \
    } while (0)
void log_write(enum log_level level, const char *subsystem, const char *fmt, ...)
{
    (void)level, (void)subsystem;
    KEEP_LINE(fmt);
}

void log_guest_write(int *budget, const char *subsystem, const char *fmt, ...)
{
    (void)budget, (void)subsystem;
    KEEP_LINE(fmt);
}

void log_often_write(int *budget, const char *subsystem, const char *fmt, ...)
{
    (void)budget, (void)subsystem;
    KEEP_LINE(fmt);
}

void panic_at(const char *file, int line, const char *fmt, ...)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, fmt);
    abort();
}
