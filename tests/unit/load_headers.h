/* SPDX-License-Identifier: MIT */
/*
 * Headers of kernel files, written into the file of the fixture.
 * From: tests/unit/test_load.c, tests/unit/test_load_info.c.
 */
#pragma once
#include "tests/unit/load_fixture.h"

/* An ELF file with one segment: 0x20 bytes from 0x100, 0x40 in memory, at `paddr`,
 * called `vaddr`. */
static inline void elf64(uint64_t vaddr, uint64_t paddr, uint64_t entry)
{
    memcpy(file, "\177ELF\2\1\1", 7);
    put16(16, 2);
    put16(18, 62);
    put64(24, entry);
    put64(32, 64);
    put16(54, 56);
    put16(56, 1);
    put32(64, 1);
    put64(64 + 8, 0x100);
    put64(64 + 16, vaddr);
    put64(64 + 24, paddr);
    put64(64 + 32, 0x20);
    put64(64 + 40, 0x40);
    memset(file + 0x100, 0xab, 0x20);
    l.size = 0x120;
}

static inline void elf32(uint32_t paddr, uint32_t entry)
{
    memcpy(file, "\177ELF\1\1\1", 7);
    put16(16, 2);
    put16(18, 3);
    put32(24, entry);
    put32(28, 52);
    put16(42, 32);
    put16(44, 1);
    put32(52, 1);
    put32(52 + 4, 0x100);
    put32(52 + 8, paddr);
    put32(52 + 12, paddr);
    put32(52 + 16, 0x20);
    put32(52 + 20, 0x40);
    memset(file + 0x100, 0xab, 0x20);
    l.size = 0x120;
}

static inline void multiboot1_header(size_t at, uint32_t flags)
{
    put32(at, 0x1badb002);
    put32(at + 4, flags);
    put32(at + 8, -(0x1badb002 + flags));
}

/* Tags are written from at + 16 on by the caller, `size` bytes of them. */
static inline void multiboot2_header(size_t at, uint32_t size)
{
    put32(at, 0xe85250d6);
    put32(at + 4, 0);
    put32(at + 8, 16 + size);
    put32(at + 12, -(0xe85250d6 + 16 + size));
}

static inline void tag(size_t at, uint16_t type, uint16_t flags, uint32_t size)
{
    put16(at, type);
    put16(at + 2, flags);
    put32(at + 4, size);
}
