/* SPDX-License-Identifier: MIT */
/*
 * Where Hamlet lies. Virtual = physical everywhere: an address in a dump is an address in a table.
 *
 *   0x0000_0000  never mapped: a NULL pointer faults
 *   below 1 MiB  never given out: what GRUB and the firmware left, and one page with the 16-bit
 *                start of the other CPUs (page_for_startup())
 *   0x0010_0000  image: .text (RX)  .rodata (R)  .data .bss (RW, NX)       linker.ld
 *   .........    RAM: RW, NX; page_alloc() gives it out
 *   .........    device memory: RW, NX, uncached; only the ranges of mmio_map()
 */
#pragma once

/* Section borders, from linker.ld; each on a page border. */
extern char image_start[], text_end[], rodata_end[], image_end[];
