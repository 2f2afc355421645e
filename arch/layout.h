/* SPDX-License-Identifier: MIT */
/*
 * Where Hamlet lies. Virtual = physical everywhere: an address in a dump is an address in a table.
 *
 *   0x0000_0000  never mapped: a NULL pointer faults
 *   0x0000_1000  the 16-bit start of the other CPUs, one page; page_init() gives it to no other
 *   0x0010_0000  image: .text (RX)  .rodata (R)  .data .bss (RW, NX)       linker.ld
 *   .........    RAM: RW, NX; page_alloc() gives it out
 *   .........    device memory: RW, NX, uncached; only the ranges of mmio_map()
 */
#pragma once
#include "lib/types.h"

#define AP_START_PAGE 0x1000

#ifndef __ASSEMBLER__
/* Section borders, from linker.ld; each on a page border. */
extern char image_start[], text_end[], rodata_end[], image_end[];
#endif
