/* SPDX-License-Identifier: MIT */
/*
 * The serial port that the firmware names for a console. Pure: the bytes of a table are hostile.
 * From: boot/console.c.   To: arch/acpi_serial.c.
 * Spec: Microsoft "Serial Port Console Redirection Table", "Debug Port Table 2".
 */
#pragma once
#include "arch/acpi.h"
#include "arch/uart.h"

/* False: there is no table (NULL), or its port is none that arch/uart.c can drive. baud 0: as the
 * firmware left it. */
bool acpi_spcr_uart(const struct acpi_header *spcr, struct uart_place *at, uint32_t *baud);
/* The first such port of DBG2; it says nothing of speeds. */
bool acpi_dbg2_uart(const struct acpi_header *dbg2, struct uart_place *at);
