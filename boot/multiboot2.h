/* SPDX-License-Identifier: MIT */
/*
 * The Multiboot2 information, turned into struct boot_info.
 * From: boot/main.c.   To: boot/multiboot2.c, lib/multiboot.h (the format).
 * Spec: Multiboot2 "Boot information format".
 */
#pragma once
#include "arch/boot_info.h"
#include "lib/errno.h"
#include "lib/multiboot.h"

/* Read all tags of `info` into *out. -EINVAL (logged): `magic` is not that of a Multiboot2 loader,
 * or a tag runs over the end of `info`. What does not fit is logged and left out. Pure. */
MUST_CHECK int multiboot2_parse(uint32_t magic, const struct mb2_info *info, struct boot_info *out);
