/* SPDX-License-Identifier: MIT */
/*
 * Recognise the format of a kernel. Each loader looks at the file, and the first that knows the
 * format loads the kernel.
 * From: guest/life/kernel.c (load_kernel).
 * To: guest/load/linux.c, multiboot.c, elf.c, flat.c (the loaders), info.c (boot information).
 */
#include "guest/load/load.h"

/* Linux first: a bzImage may contain anything. ELF after Multiboot: most Multiboot kernels are ELF
 * files, and their header says more. */
int load_kernel(struct load *l)
{
    int done = load_linux(l);
    if (done == 0)
        done = load_multiboot2(l);
    if (done == 0)
        done = load_multiboot1(l);
    if (done == 0)
        done = load_is_elf(l) ? load_elf(l) : load_flat(l);
    int err = done < 0 ? done : load_initrd(l);
    if (err)
        return err;
    /* the start state tells which information the kernel expects */
    if (l->start.rsi)
        load_linux_info(l);
    else if (l->start.rax == MULTIBOOT1_MAGIC)
        load_info1(l);
    else
        load_info2(l);
    return 0;
}
