/* SPDX-License-Identifier: MIT */
/*
 * From addresses to names, by the symbol table that GRUB loaded with the image.
 * To: arch/symbol.c.
 */
#pragma once
#include "arch/boot_info.h"

void symbol_init(const struct boot_info *info);
/* Write "name+0x12" into out, or "0x..." if no symbol of the code fits. Returns out. */
const char *symbol_name(uint64_t address, char *out, size_t size);
