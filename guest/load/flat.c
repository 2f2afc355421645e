/* SPDX-License-Identifier: MIT */
/*
 * A flat binary: the bytes of the file are the bytes in memory, and the first one is the first
 * instruction. A file with the mark of a boot sector starts in real mode, where a BIOS puts boot
 * sectors. Any other flat binary has no mark. So a file counts as one, and starts at 1 MiB in
 * 64-bit mode, unless it is plainly something else: another format, packed, or text.
 * From: guest/load/load.c (load_flat).   To: guest/load/image.c (load_put).
 */
#include "guest/load/load.h"
#include "lib/string.h"
#define LOG "load"
#include "arch/log.h"

#define SECTOR         512
#define SECTOR_MARK    0xaa55 /* its last two bytes */
#define SECTOR_ADDRESS UINT64_C(0x7c00)

static const struct {
    const char *bytes;
    size_t size;
    const char *what;
} known[] = {
    {"\x1f\x8b", 2, "a gzip file: GRUB unpacks it after 'insmod gzio'"},
    {"\xfd\x37zXZ", 5, "an xz file: unpack it first"},
    {"\x28\xb5\x2f\xfd", 4, "a zstd file: unpack it first"},
    {"BZh", 3, "a bzip2 file: unpack it first"},
    {"MZ", 2, "an EFI, DOS or Windows program"},
    {"\x89PNG", 4, "a picture"},
    {"PK\x03\x04", 4, "a zip file"},
};

/* Below a blank, text has only tabs, line ends and form feeds; code nearly always has more. */
static bool is_text(const struct load *l)
{
    for (uint64_t i = 0; i < l->size; i++) {
        uint8_t c = l->file[i];
        bool blank = c == '\t' || c == '\n' || c == '\r' || c == '\f';
        if ((c < ' ' && !blank) || c >= 0x7f)
            return false;
    }
    return true;
}

int load_flat(struct load *l)
{
    if (l->size == 0)
        return LOAD_FAIL(l, "is no kernel: an empty file");
    for (size_t i = 0; i < ARRAY_COUNT(known); i++)
        if (l->size >= known[i].size && !memcmp(l->file, known[i].bytes, known[i].size))
            return LOAD_FAIL(l, "is no kernel: %s", known[i].what);
    if (is_text(l))
        return LOAD_FAIL(l, "is no kernel: a text file");
    bool boot_sector = l->size >= SECTOR && l->size % SECTOR == 0 &&
                       (l->file[SECTOR - 2] | l->file[SECTOR - 1] << 8) == SECTOR_MARK;
    uint64_t at = boot_sector ? SECTOR_ADDRESS : LOAD_KERNEL;
    int err = load_put(l, at, l->file, l->size, l->size);
    if (err)
        return err;
    if (boot_sector)
        l->start =
            (struct vm_start){.format = "boot-sector", .mode = VCPU_REAL, .rip = at, .rsp = at};
    else
        load_start_long(l, "flat", at);
    return 0;
}
