/* SPDX-License-Identifier: MIT */
/*
 * The DSDT: which devices the VM has that cannot be asked who they are, and where interrupts of PCI go.
 * From: guest/load/vacpi.c.   Contract: guest/load/vacpi.h.
 * Spec: ACPI "AML Byte Stream Byte Values", "Package Length Encoding", "Resource Data Types for ACPI",
 * "_PRT (PCI Routing Table)".
 *
 * In ASL:
 *   Name (_S5, Package () { 5, 0, 0, 0 })
 *   Scope (\_SB) {
 *     Device (PCI0) { _HID PNP0A08, _CID PNP0A03, _SEG, _BBN, _CRS: bus numbers, windows; _PRT }
 *     Device (COM1) { _HID PNP0501, _UID, _CRS: ports, interrupt }
 *     Device (RTC)  { _HID PNP0B00, _CRS: ports; it has no interrupt }
 *     Device (MBRD) { _HID PNP0C02, _CRS: what is not to be given away }
 *   }
 */
#include "guest/load/vacpi.h"
#include "arch/panic.h"
#include "lib/string.h"
#include "guest/core/vm.h"

enum aml_op {
    AML_ZERO = 0x00,
    AML_NAME = 0x08,
    AML_BYTE = 0x0a,
    AML_WORD = 0x0b,
    AML_DWORD = 0x0c,
    AML_SCOPE = 0x10,
    AML_BUFFER = 0x11,
    AML_PACKAGE = 0x12,
    AML_EXT = 0x5b,
    AML_EXT_DEVICE = 0x82,
};

struct aml {
    uint8_t *to;
    size_t used, size;
};

/* --- Bytes, numbers, names ----------------------------------------------------------------------- */

static void put(struct aml *a, uint64_t value, unsigned width)
{
    invariant(a->used + width <= a->size);
    memcpy(a->to + a->used, &value, width);
    a->used += width;
}

static void number(struct aml *a, uint32_t value)
{
    unsigned width = value > UINT16_MAX ? 4 : value > UINT8_MAX ? 2 : 1;
    if (value == 0) {
        put(a, AML_ZERO, 1);
        return;
    }
    put(a, width == 4 ? AML_DWORD : width == 2 ? AML_WORD : AML_BYTE, 1);
    put(a, value, width);
}

static void name_string(struct aml *a, const char *name)
{
    for (; *name; name++)
        put(a, (uint8_t)*name, 1);
}

/* --- What has a length in front: three bytes are left for it and filled in at the end ------------ */

#define LENGTH_BYTES  3
#define LENGTH_FOLLOW BITS(7, 6) /* of the first byte: how many more there are */
#define LENGTH_NIBBLE BITS(3, 0)

static size_t begin(struct aml *a)
{
    put(a, 0, LENGTH_BYTES);
    return a->used - LENGTH_BYTES;
}

static void end(struct aml *a, size_t at)
{
    size_t length = a->used - at;
    a->to[at] = (uint8_t)(FIELD_SET(LENGTH_FOLLOW, LENGTH_BYTES - 1) | (length & LENGTH_NIBBLE));
    a->to[at + 1] = (uint8_t)(length >> 4);
    a->to[at + 2] = (uint8_t)(length >> 12);
}

static size_t device_begin(struct aml *a, const char *name)
{
    put(a, AML_EXT, 1);
    put(a, AML_EXT_DEVICE, 1);
    size_t at = begin(a);
    name_string(a, name);
    return at;
}

static void name(struct aml *a, const char *text)
{
    put(a, AML_NAME, 1);
    name_string(a, text);
}

static void name_number(struct aml *a, const char *text, uint32_t value)
{
    name(a, text);
    number(a, value);
}

/* An identifier of plug and play: three letters of five bits, four digits, the bytes in the other order. */
static void name_eisa(struct aml *a, const char *text, unsigned digits)
{
    uint32_t id = (uint32_t)('P' - '@') << 26 | (uint32_t)('N' - '@') << 21 |
                  (uint32_t)('P' - '@') << 16 | digits;
    name_number(a, text, __builtin_bswap32(id));
}

/* --- Resources: Name (_CRS, ResourceTemplate () { ... }) ----------------------------------------- */

#define RES_IO         0x47 /* small: seven bytes follow */
#define RES_END        0x79
#define RES_MEMORY32   0x86
#define RES_SPACE32    0x87
#define RES_SPACE16    0x88
#define RES_INTERRUPT  0x89
#define RES_SPACE64    0x8a
#define SPACE_MEMORY   0
#define SPACE_IO       1
#define SPACE_BUS      2
#define SPACE_FIXED    0x0c /* neither end can move; the device produces it for those below it */
#define SPACE_IO_ALL   3
#define SPACE_WRITABLE 1
#define IRQ_EDGE_HIGH  3 /* consumed here, edge, active high, not shared */

struct crs {
    size_t length_at, start;
};

/* The size of a buffer stands in it as a number: a word, filled in at the end. */
static struct crs crs_begin(struct aml *a)
{
    struct crs c;
    name(a, "_CRS");
    put(a, AML_BUFFER, 1);
    c.length_at = begin(a);
    put(a, AML_WORD, 1);
    put(a, 0, 2);
    c.start = a->used;
    return c;
}

static void crs_end(struct aml *a, struct crs c)
{
    put(a, RES_END, 1);
    put(a, 0, 1); /* checksum: 0 is "not checked" */
    uint16_t size = (uint16_t)(a->used - c.start);
    memcpy(a->to + c.start - 2, &size, 2);
    end(a, c.length_at);
}

static void res_ports(struct aml *a, uint16_t first, uint8_t count)
{
    put(a, RES_IO, 1);
    put(a, 1, 1); /* decodes 16 bits */
    put(a, first, 2);
    put(a, first, 2);
    put(a, 1, 1); /* alignment */
    put(a, count, 1);
}

static void res_interrupt(struct aml *a, uint32_t gsi)
{
    put(a, RES_INTERRUPT, 1);
    put(a, 6, 2);
    put(a, IRQ_EDGE_HIGH, 1);
    put(a, 1, 1);
    put(a, gsi, 4);
}

static void res_memory(struct aml *a, uint64_t base, uint64_t size)
{
    put(a, RES_MEMORY32, 1);
    put(a, 9, 2);
    put(a, SPACE_WRITABLE, 1);
    put(a, base, 4);
    put(a, size, 4);
}

/* A range of a kind of addresses; `end` is the first that is not in it. */
static void res_space(struct aml *a, unsigned width, uint8_t kind, uint64_t base, uint64_t end)
{
    put(a, width == 2 ? RES_SPACE16 : width == 4 ? RES_SPACE32 : RES_SPACE64, 1);
    put(a, 3 + 5 * width, 2);
    put(a, kind, 1);
    put(a, SPACE_FIXED, 1);
    put(a, kind == SPACE_IO ? SPACE_IO_ALL : kind == SPACE_MEMORY ? SPACE_WRITABLE : 0, 1);
    put(a, 0, width); /* granularity */
    put(a, base, width);
    put(a, end - 1, width);
    put(a, 0, width); /* translation */
    put(a, end - base, width);
}

/* --- The devices --------------------------------------------------------------------------------- */

#define PCI_DEVICES  32
#define ANY_FUNCTION 0xffff

/* Package () { address, pin, 0 (a number, not a link device), input of the I/O APIC } */
static void interrupt_routes(struct aml *a)
{
    name(a, "_PRT");
    put(a, AML_PACKAGE, 1);
    size_t all = begin(a);
    put(a, PCI_DEVICES - 1, 1);
    for (uint32_t device = 1; device < PCI_DEVICES; device++) {
        put(a, AML_PACKAGE, 1);
        size_t one = begin(a);
        put(a, 4, 1);
        number(a, device << 16 | ANY_FUNCTION);
        number(a, 0);
        number(a, 0);
        number(a, VACPI_PCI_PIN(device));
        end(a, one);
    }
    end(a, all);
}

static void pci_root(struct aml *a)
{
    size_t device = device_begin(a, "PCI0");
    name_eisa(a, "_HID", 0x0a08);
    name_eisa(a, "_CID", 0x0a03);
    name_number(a, "_SEG", 0);
    name_number(a, "_BBN", 0);
    struct crs c = crs_begin(a);
    res_space(a, 2, SPACE_BUS, 0, 1);
    res_ports(a, 0xcf8, 8);
    res_space(a, 2, SPACE_IO, 0x1000, 0x10000);
    res_space(a, 4, SPACE_MEMORY, VM_MMIO_BASE, VM_MMIO_END);
    res_space(a, 8, SPACE_MEMORY, VM_MMIO64_BASE, VM_MMIO64_END);
    crs_end(a, c);
    interrupt_routes(a);
    end(a, device);
}

static void serial_port(struct aml *a)
{
    size_t device = device_begin(a, "COM1");
    name_eisa(a, "_HID", 0x0501);
    name_number(a, "_UID", 0);
    struct crs c = crs_begin(a);
    res_ports(a, 0x3f8, 8);
    res_interrupt(a, VACPI_UART_PIN);
    crs_end(a, c);
    end(a, device);
}

static void clock(struct aml *a)
{
    size_t device = device_begin(a, "RTC_");
    name_eisa(a, "_HID", 0x0b00);
    struct crs c = crs_begin(a);
    res_ports(a, 0x70, 2);
    crs_end(a, c);
    end(a, device);
}

static void motherboard(struct aml *a)
{
    size_t device = device_begin(a, "MBRD");
    name_eisa(a, "_HID", 0x0c02);
    struct crs c = crs_begin(a);
    res_memory(a, VM_ECAM_BASE, VM_MMIO_BASE - VM_ECAM_BASE);
    res_ports(a, VACPI_SLEEP_PORT, 2);
    crs_end(a, c);
    end(a, device);
}

static void power_off(struct aml *a)
{
    name(a, "_S5_");
    put(a, AML_PACKAGE, 1);
    size_t at = begin(a);
    put(a, 4, 1);
    number(a, VACPI_S5);
    put(a, 0, 3);
    end(a, at);
}

size_t vacpi_aml(uint8_t *to, size_t size)
{
    struct aml a = {.to = to, .size = size};
    power_off(&a);
    put(&a, AML_SCOPE, 1);
    size_t scope = begin(&a);
    name_string(&a, "\\_SB_");
    pci_root(&a);
    serial_port(&a);
    clock(&a);
    motherboard(&a);
    end(&a, scope);
    return a.used;
}
