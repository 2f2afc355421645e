/* SPDX-License-Identifier: MIT */
/*
 * GRUB's module lines become struct vm_config. Pure: text in, struct out, so that host tests and
 * the fuzzer can run it.
 * From: guest/life/create.c.   To: guest/life/config.c.
 */
#pragma once
#include "arch/boot_info.h"
#include "guest/core/config.h"

/* Read the lines of all modules. A VM whose line has an error is refused, after one logged line
 * that names module, key and value. Returns how many VMs were written to `out`, which has room for
 * `max`; behind them, as far as there is room, those that are refused, each with its reason, and
 * "?" as its name if it has none. *refused: how many. */
size_t config_read(const struct boot_info *info, struct vm_config *out, size_t max,
                   size_t *refused);
