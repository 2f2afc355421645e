/* SPDX-License-Identifier: MIT */
/*
 * Which kind of kernel is it? Each loader looks at the file; the first that knows it takes it.
 * From: guest/life/create.c.
 * To: guest/load/linux.c, multiboot.c, elf.c, flat.c (the loaders), info.c (boot information).
 */
#include "guest/load/load.h"

static int load_file(struct load *l)
{
    int done = load_linux(l);
    if (done == 0)
        done = load_multiboot2(l);
    if (done == 0)
        done = load_multiboot1(l);
    if (done == 0)
        done = load_is_elf(l) ? load_elf(l) : load_flat(l);
    return MIN(done, 0);
}

int load_kernel(struct load *l)
{
    int err = load_file(l);
    if (!err)
        err = load_initrd(l);
    if (err)
        return err;
    if (l->rsi)
        load_linux_info(l);
    else if (l->rax == MULTIBOOT1_MAGIC)
        load_info1(l);
    else
        load_info2(l);
    return 0;
}
