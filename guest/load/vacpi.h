/* SPDX-License-Identifier: MIT */
/*
 * What a VM's ACPI tables say, and how they are made. Pure: bytes out, so that a host test can
 * compare them with those of a compiler of ACPI.
 * From: guest/life/create.c (vm_load), vpower.c (ports).   To: vacpi.c (tables), dsdt.asl (the DSDT).
 * Spec: ACPI "ACPI Software Programming Model", "ACPI Machine Language (AML) Specification".
 */
#pragma once
#include "lib/bits.h"
#include "lib/types.h"

#define VACPI_BASE            UINT64_C(0xe0000) /* where old kernels search for the RSDP, too */
#define VACPI_SIZE            0x2000            /* more than all tables together take */

/* The VM is of the "hardware-reduced" kind: these ports, the I/O APIC and the local APICs are all. */
#define VACPI_SLEEP_PORT      0x600 /* sleep control, then sleep status */
#define VACPI_RESET_PORT      0xcf9
#define VACPI_RESET_VALUE     6
#define VACPI_S5              5 /* SLP_TYP that means "off" */
#define VACPI_UART_PIN        4
/* Of the I/O APIC, for INTA of 00:device.0: a pin for each, so that no line of a VM is shared. */
#define VACPI_PCI_PIN(device) (15 + (device))

/* Write RSDP, XSDT, FADT, MADT, MCFG and DSDT for a VM of that many vCPUs into `to`, VACPI_SIZE bytes
 * that the guest has at VACPI_BASE. Returns how many bytes were used. */
size_t vacpi_build(uint8_t *to, unsigned vcpus);
