/* SPDX-License-Identifier: MIT */
/*
 * SPCR and DBG2: where the firmware has its serial console, or expects a debugger.
 * From: boot/console.c.   To: lib/acpi_tables.h (layouts).
 * Spec: Microsoft "Serial Port Console Redirection Table", "Debug Port Table 2"; ACPI "Generic
 * Address Structure".   Not handled: UARTs that are no 16550.
 */
#include "arch/acpi_serial.h"
#include "lib/bits.h"
#include "lib/string.h"

/* Subtypes of serial ports, the same in both tables. */
static bool is_16550(unsigned type)
{
    return type == SERIAL_16550 || type == SERIAL_16450 || type == SERIAL_16550_GAS;
}

/* The distance of registers in memory is the width of one. */
static bool place_of(const struct acpi_gas *gas, struct uart_place *at)
{
    bool ports = gas->space == GAS_SPACE_IO;
    *at = (struct uart_place){gas->address, ports ? 0 : MAX(gas->width / 8, 1)};
    if (gas->address == 0 || at->spacing == 3 || at->spacing > 4)
        return false;
    return ports ? gas->address <= UINT16_MAX - UART_REGISTERS + 1 : gas->space == GAS_SPACE_MEMORY;
}

bool acpi_spcr_uart(const struct acpi_header *table, struct uart_place *at, uint32_t *baud)
{
    static const uint32_t speeds[] = {[3] = 9600, [4] = 19200, [6] = 57600, [7] = 115200};
    const struct acpi_spcr *s = (const void *)table;
    if (!s || s->header.length < sizeof(*s) || !is_16550(s->type))
        return false;
    *baud = s->baud < ARRAY_COUNT(speeds) ? speeds[s->baud] : 0;
    return place_of(&s->base, at);
}

bool acpi_dbg2_uart(const struct acpi_header *table, struct uart_place *at)
{
    const struct acpi_dbg2 *d = (const void *)table;
    if (!d || d->header.length < sizeof(*d))
        return false;
    size_t offset = d->offset;
    for (uint32_t i = 0; i < d->count; i++) {
        if (offset > table->length || table->length - offset < sizeof(struct dbg2_device))
            return false;
        const struct dbg2_device *v = (const void *)((const char *)table + offset);
        if (v->length < sizeof(*v) || v->length > table->length - offset)
            return false;
        if (v->port == DBG2_SERIAL && is_16550(v->type) && v->address_count &&
            v->address_offset <= v->length - sizeof(struct acpi_gas) &&
            place_of((const void *)((const char *)v + v->address_offset), at))
            return true;
        offset += v->length;
    }
    return false;
}
