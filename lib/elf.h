/* SPDX-License-Identifier: MIT */
/*
 * Records of an ELF file: those of a VM's kernel, and the symbols of Hamlet's own image.
 * From: guest/load/elf.c, boot/multiboot2.c, arch/symbol.c.
 * Spec: ELF "ELF Header", "Program Header"; ELF-64 Object File Format "Sections", "Symbol table".
 */
#pragma once
#include "lib/bits.h"

#define ELF_MAGIC "\177ELF"

struct elf_ident {
    uint8_t magic[4], class, data, rest[10];
    uint16_t type, machine;
    uint32_t version;
};
static_assert(sizeof(struct elf_ident) == 24, "ELF: e_ident to e_version");
#define ELF_CLASS32 1
#define ELF_CLASS64 2
#define ELF_LITTLE  1 /* data */
#define ELF_EXEC    2 /* type: an executable for fixed addresses */
#define ELF_DYN     3 /* one that can be loaded anywhere */
#define ELF_386     3 /* machine */
#define ELF_X86_64  62

struct elf32_header {
    struct elf_ident ident;
    uint32_t entry, phoff, shoff, flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
static_assert(sizeof(struct elf32_header) == 52, "ELF: header, 32 bits");

struct elf64_header {
    struct elf_ident ident;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
static_assert(sizeof(struct elf64_header) == 64, "ELF: header, 64 bits");

struct elf32_segment {
    uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
};
static_assert(sizeof(struct elf32_segment) == 32, "ELF: program header, 32 bits");

struct elf64_segment {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
static_assert(sizeof(struct elf64_segment) == 56, "ELF: program header, 64 bits");
#define ELF_SEGMENT_LOAD    1
#define ELF_SEGMENT_DYNAMIC 2
#define ELF_SEGMENT_NOTE    4

struct elf_note { /* behind it name and contents, each on a 4-byte border */
    uint32_t name_size, size, type;
};
#define ELF_NOTE_PVH 18 /* of the name "Xen": physical address of the 32-bit entry */

struct elf64_dynamic {
    uint64_t tag, value;
};
#define ELF_DYNAMIC_RELA      7 /* table of relocations: address */
#define ELF_DYNAMIC_RELA_SIZE 8

struct elf64_rela {
    uint64_t offset, info, addend; /* info 31:0: type */
};
#define ELF_RELATIVE 8 /* R_X86_64_RELATIVE */

struct elf64_section {
    uint32_t name, type;
    uint64_t flags, address, offset, size;
    uint32_t link, info;
    uint64_t alignment, entry_size;
};
static_assert(sizeof(struct elf64_section) == 64, "ELF-64: section header");
struct elf32_section {
    uint32_t name, type, flags, address, offset, size, link, info, alignment, entry_size;
};
static_assert(sizeof(struct elf32_section) == 40, "ELF: section header, 32 bits");
#define ELF_SECTION_SYMTAB 2
#define ELF_SECTION_NOBITS 8

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
