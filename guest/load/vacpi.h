/* SPDX-License-Identifier: MIT */
/*
 * The ACPI tables of a VM, and the numbers in them that devices share. Pure: bytes out, so that a
 * host test can compare them with the output of an ACPI compiler.
 * From: guest/life/kernel.c (vacpi_build), guest/pc/vpower.c (ports), guest/pc/vuart.c and
 * guest/assign/intx.c (pins).   To: guest/load/vacpi.c (tables), dsdt.asl (the DSDT).
 * Spec: ACPI "ACPI Software Programming Model", "ACPI Machine Language (AML) Specification".
 */
#pragma once
#include "lib/bits.h"
#include "lib/types.h"

#define VACPI_BASE            UINT64_C(0xf0000) /* where old kernels search for the RSDP, too */
#define VACPI_SIZE            0x2000            /* more than all tables together take */

/* A "hardware-reduced" PC: it has only these ports, the I/O APIC and the local APICs. */
#define VACPI_SLEEP_PORT      0x600 /* sleep control, then sleep status */
#define VACPI_RESET_PORT      0xcf9
#define VACPI_RESET_VALUE     6
#define VACPI_S5              5 /* SLP_TYP that means "off" */
#define VACPI_UART_PIN        4
/* Pin of the I/O APIC for INTA of 00:device.0. Each device has its own, so no line is shared. */
#define VACPI_PCI_PIN(device) (15 + (device))

/* Write RSDP, XSDT, FADT, MADT, MCFG and DSDT for a VM of `vcpus` vCPUs, whose window for 64-bit
 * BARs is at `mmio64_base`. `to`: the VACPI_SIZE bytes of guest memory at VACPI_BASE. Returns the
 * number of bytes used. */
size_t vacpi_build(uint8_t *to, unsigned vcpus, uint64_t mmio64_base);
