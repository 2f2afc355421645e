/* SPDX-License-Identifier: MIT */
/*
 * Puts a guest program (ELF64, the first Multiboot module) where it belongs, and gives it what
 * Hamlet's loader would: page tables of the low 4 GiB, and its words as a Multiboot2 command line.
 * The PIC is masked and the PIT stopped, as a VM of Hamlet's has neither. So the same program runs
 * under QEMU. Compiled for 32 bits.
 * From: tests/guests/stub.asm (load)        To: nothing.
 * Spec: Multiboot "Boot information format"; Multiboot2 "Boot information format"
 */
#include "lib/elf.h"
#include "lib/multiboot.h"

#define TABLES      0x90000 /* PML4, PDPT, four directories: guest/load/load.h, LOAD_TABLES */
#define TABLES_SIZE 0x6000
#define PRESENT     BIT(0)
#define WRITABLE    BIT(1)
#define LARGE       BIT(7)

#define PORT_EXIT   0xf4 /* QEMU's isa-debug-exit */
#define NO_PROGRAM  9

void load(const struct mb1_info *given);

uint64_t entry;

struct {
    struct mb2_info head;
    struct mb2_tag words;
    char text[256];
    struct mb2_tag end;
} info __attribute__((aligned(8)));

static void out8(uint16_t port, uint8_t value)
{
    asm volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static void silence_the_pc(void)
{
    out8(0x21, 0xff);
    out8(0xa1, 0xff);
    out8(0x43, 0x30); /* mode 0, count 1: the PIT fires once, and then no more */
    out8(0x40, 1);
    out8(0x40, 0);
}

static void place(const uint8_t *image)
{
    const struct elf64_header *elf = (const void *)image;
    const struct elf64_segment *segments = (const void *)(image + (uint32_t)elf->phoff);
    for (unsigned i = 0; i < elf->phnum; i++) {
        const struct elf64_segment *s = &segments[i];
        uint8_t *to = (uint8_t *)(uint32_t)s->vaddr;
        if (s->type != ELF_SEGMENT_LOAD)
            continue;
        for (uint32_t n = 0; n < s->memsz; n++)
            to[n] = n < s->filesz ? image[(uint32_t)s->offset + n] : 0;
    }
    entry = elf->entry;
}

/* QEMU gives "/path words"; the tag is always as long as its room, which is full of zeros. */
static void hand_over(const char *said)
{
    while (*said && *said != ' ')
        said++;
    for (unsigned n = 0; *said && n < sizeof(info.text) - 1; n++)
        info.text[n] = *said++;
    info.head.total_size = sizeof(info);
    info.words = (struct mb2_tag){MB2_TAG_CMDLINE, sizeof(info.words) + sizeof(info.text)};
    info.end = (struct mb2_tag){MB2_TAG_END, sizeof(info.end)};
}

static void map_low_4g(void)
{
    uint64_t *pml4 = (uint64_t *)TABLES;
    for (unsigned i = 0; i < TABLES_SIZE / 8; i++)
        pml4[i] = 0;
    pml4[0] = (TABLES + 0x1000) | PRESENT | WRITABLE;
    for (unsigned i = 0; i < 4; i++)
        pml4[512 + i] = (TABLES + 0x2000 + i * 0x1000) | PRESENT | WRITABLE;
    for (unsigned i = 0; i < 4 * 512; i++)
        pml4[1024 + i] = (uint64_t)i << 21 | PRESENT | WRITABLE | LARGE;
}

void load(const struct mb1_info *given)
{
    const struct mb1_module *module = (const struct mb1_module *)given->mods_addr;
    if (!(given->flags & MB1_INFO_MODS) || !given->mods_count)
        out8(PORT_EXIT, NO_PROGRAM);
    silence_the_pc();
    place((const uint8_t *)module->start);
    hand_over((const char *)module->string);
    map_low_4g();
}
