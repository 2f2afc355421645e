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
    l->inform = load_info2;
    int done = load_linux(l);
    if (done == 0)
        done = load_multiboot2(l);
    if (done == 0)
        done = load_multiboot1(l);
    if (done == 0)
        done = load_is_elf(l) ? load_elf(l) : load_flat(l);
    int err = done < 0 ? done : load_modules(l);
    return err ? err : l->inform(l);
}
