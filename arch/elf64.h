/* SPDX-License-Identifier: MIT */
/*
 * The few records of a 64-bit ELF file that boot/ (symbols of our own image) and arch/symbol.c read.
 * Spec: ELF-64 Object File Format "Sections", "Symbol table".
 */
#pragma once
#include "lib/bits.h"

struct elf64_section {
    uint32_t name, type;
    uint64_t flags, address, offset, size;
    uint32_t link, info;
    uint64_t alignment, entry_size;
};
static_assert(sizeof(struct elf64_section) == 64, "ELF-64: section header");
#define ELF_SECTION_SYMTAB 2

struct elf64_symbol {
    uint32_t name;
    uint8_t info, other; /* info 3:0: type */
    uint16_t section;
    uint64_t value, size;
};
static_assert(sizeof(struct elf64_symbol) == 24, "ELF-64: symbol");
#define ELF_SYMBOL_TYPE   BITS(3, 0)
#define ELF_SYMBOL_NOTYPE 0
#define ELF_SYMBOL_FUNC   2
