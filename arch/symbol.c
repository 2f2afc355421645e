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

static const struct boot_info *boot; /* NULL: a panic comes before symbol_init() */

void symbol_init(const struct boot_info *info) { boot = info; }

const char *symbol_name(uint64_t address, char *out, size_t size)
{
    const struct elf64_symbol *best = NULL, *symbols = boot ? boot->symtab : NULL;
    bool in_text = address >= (uintptr_t)image_start && address < (uintptr_t)text_end;
    size_t count = boot && in_text ? boot->symtab_size / sizeof(*symbols) : 0;
    for (size_t i = 0; i < count; i++) {
        const struct elf64_symbol *s = &symbols[i];
        unsigned type = (unsigned)FIELD_GET(ELF_SYMBOL_TYPE, s->info);
        /* Functions of C have a type. Labels of assembly and borders of sections have none. */
        bool is_code = (type == ELF_SYMBOL_FUNC || type == ELF_SYMBOL_NOTYPE) && s->section != 0 &&
                       s->name < boot->strtab_size;
        if (is_code && s->value <= address && (!best || s->value > best->value))
            best = s;
    }
    if (best)
        snprintf(out, size, "%s+0x%lx", boot->strtab + best->name, address - best->value);
    else
        snprintf(out, size, "0x%lx", address);
    return out;
}
