/* SPDX-License-Identifier: MIT */
/*
 * The last symbol at or before an address. Only a panic needs it, so a linear search through a
 * thousand symbols is fast enough.
 * From: boot/main.c (symbol_init), arch/panic.c (symbol_name).   To: lib/printf.c.
 * Spec: ELF-64 "Symbol table".
 */
#include "arch/symbol.h"
#include "arch/layout.h"
#include "lib/elf.h"
#include "lib/printf.h"

static const struct elf64_symbol *symbols;
static size_t symbol_count;
static const char *names;
static size_t names_size;

void symbol_init(const struct boot_info *info)
{
    symbols = info->symtab;
    symbol_count = info->symtab ? info->symtab_size / sizeof(*symbols) : 0;
    names = info->strtab;
    names_size = info->strtab_size;
}

/* Functions of C have a type. Labels of assembly have none, like the borders of sections. */
static bool is_code(const struct elf64_symbol *s)
{
    unsigned type = (unsigned)FIELD_GET(ELF_SYMBOL_TYPE, s->info);
    return (type == ELF_SYMBOL_FUNC || type == ELF_SYMBOL_NOTYPE) && s->section != 0 &&
           s->name < names_size;
}

const char *symbol_name(uint64_t address, char *out, size_t size)
{
    const struct elf64_symbol *best = NULL;
    bool in_text = address >= (uintptr_t)image_start && address < (uintptr_t)text_end;
    for (size_t i = 0; in_text && i < symbol_count; i++) {
        const struct elf64_symbol *s = &symbols[i];
        if (is_code(s) && s->value <= address && (!best || s->value > best->value))
            best = s;
    }
    if (best)
        snprintf(out, size, "%s+0x%lx", names + best->name, address - best->value);
    else
        snprintf(out, size, "0x%lx", address);
    return out;
}
