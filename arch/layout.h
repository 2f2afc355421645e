/* SPDX-License-Identifier: MIT */
/*
 * Where Hamlet lies. Virtual = physical everywhere, so an address in a dump is an address in a table.
 *
 *   0x0000_0000  never mapped: a NULL pointer faults
 *   0x0000_1000  the 16-bit start of the other CPUs, one page (cpu_start_all), not free for others
 *   0x0010_0000  image: .text (RX)  .rodata (R)  .data .bss (RW, NX)       linker.ld
 *   .........    RAM: RW, NX; page.c hands it out
 *   .........    device memory: RW, NX, uncached, only what mmio_map() was asked for
 */
#pragma once
#include "lib/types.h"

#define AP_START_PAGE 0x1000

#ifndef __ASSEMBLER__
/* Section borders, from linker.ld; each on a page border. */
extern char image_start[], text_end[], rodata_end[], image_end[];
#endif
