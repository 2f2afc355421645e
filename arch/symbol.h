/* SPDX-License-Identifier: MIT */
/*
 * Addresses to names, from the symbol table that GRUB loaded with the image.
 */
#pragma once
#include "arch/boot_info.h"

void symbol_init(const struct boot_info *info);
/* "name+0x12" into out, or "0x..." if the address is in no function. Returns out. */
const char *symbol_name(uint64_t address, char *out, size_t size);
