/* SPDX-License-Identifier: MIT */
/*
 * Which parts the terminal of a person has: console= decides, and what the machine has.
 * From: boot/main.c.   To: boot/console.c.
 */
#pragma once
#include "arch/boot_info.h"

/* What needs no table of the firmware: a port, and a screen that the page tables of the boot reach.
 */
void boot_console_first(const struct boot_info *info);
/* Behind paging_init() and acpi_init(): a screen anywhere, and the serial port that the firmware's
 * tables name. */
void boot_console_by_tables(const struct boot_info *info);
/* Behind pci_scan(): a serial port in a PCI function, if nothing else is there. */
void boot_console_by_pci(void);
