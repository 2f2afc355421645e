/* SPDX-License-Identifier: MIT */
/*
 * GRUB's module lines become struct vm_config. Pure: text in, struct out, so host tests and the fuzzer run it.
 * From: guest/life/create.c.   To: guest/life/config.c.
 */
#pragma once
#include "arch/boot_info.h"
#include "guest/core/config.h"

/* Read all modules' lines. A VM whose description is wrong is left out after one line that names module,
 * key and value; the others are kept. Returns the number of VMs written to out; *refused: of those left
 * out. */
size_t config_read(const struct boot_info *info, struct vm_config *out, size_t max,
                   size_t *refused);
