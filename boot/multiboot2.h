/* SPDX-License-Identifier: MIT */
/*
 * The multiboot2 information, turned into struct boot_info.
 * From: boot/main.c.   To: boot/multiboot2.c, lib/multiboot.h (the format).
 * Spec: Multiboot2 "Boot information format".
 */
#pragma once
#include "arch/boot_info.h"
#include "lib/errno.h"
#include "lib/multiboot.h"

/* Read all tags of `info` into *out. -EINVAL (logged): not started by multiboot2, or a tag that runs
 * over its end. What does not fit into *out is logged and left out. Pure. */
MUST_CHECK int multiboot2_parse(uint32_t magic, const struct mb2_info *info, struct boot_info *out);
