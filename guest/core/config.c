/* SPDX-License-Identifier: MIT */
/*
 * The words of two options; messages name their values by the same words. And where a vCPU is
 * pinned.
 * From: guest/life/config.c (the options), guest/assign/audit.c, guest/assign/dma.c (messages),
 * guest/life/create.c (config_pin).
 * To: guest/core/config.h (the values).
 */
#include "guest/core/config.h"
#include <stddef.h>

const char *const unsafe_names[UNSAFE_COUNT + 1] = {
    [UNSAFE_NO_RESET] = "no-reset", [UNSAFE_GROUP] = "group", [UNSAFE_RMRR] = "rmrr",
    [UNSAFE_CONSOLE] = "console",   [UNSAFE_VFS] = "vfs",     [UNSAFE_HIDDEN] = "hidden",
    [UNSAFE_RESERVED] = "reserved",
};
const char *const dma_mode_names[] = {
    [DMA_VTD] = "vtd", [DMA_PV] = "pv", [DMA_IDENTITY] = "identity", NULL};

int config_pin(const struct vm_config *vm, unsigned n)
{
    return vm->pin_count == 0 ? -1 : vm->pins[vm->pin_count == 1 ? 0 : n];
}
