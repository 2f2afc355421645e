/* SPDX-License-Identifier: MIT */
// sources: boot/multiboot2.c arch/options.c lib/option.c lib/parse.c
/*
 * Whatever the tags say, only the bytes of the multiboot2 information are read, and the command
 * line that is found ends inside of it. Input: the information, header included.
 * From: make fuzz.   To: boot/multiboot2.c, arch/options.c.
 */
#include "tests/fuzz/fuzz.h"
#include "boot/multiboot2.h"
#include "arch/options.h"
#include "tests/unit/stubs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct boot_info info;
    if (size < sizeof(struct mb2_info))
        return 0;
    struct mb2_info *copy = malloc(size); /* a block of its own: the sanitizer sees its end */
    memcpy(copy, data, size);
    copy->total_size = (uint32_t)size;
    stub_log_clear();
    if (multiboot2_parse(MULTIBOOT2_MAGIC, copy, &info) == 0)
        (void)options_parse(info.cmdline);
    must(info.range_count <= BOOT_RANGE_MAX && info.module_count <= BOOT_MODULE_MAX);
    for (size_t i = 0; i < info.module_count; i++)
        must(strlen(info.modules[i].cmdline) <= size);
    free(copy);
    return 0;
}
