/* SPDX-License-Identifier: MIT */
/*
 * The memory of a VM, as its vCPUs and its devices see it.
 * From: guest/life/create.c (RAM is made), guest/assign/vbar.c (BARs), all readers of guest memory.
 * To: guest/core/memory.c; guest/core/identity.c (dma=identity).
 */
#pragma once
#include "guest/core/vm.h"

/* The one place where a guest-physical range becomes visible: to the CPU by the EPT, and, with
 * `dma`, to the VM's devices by the second-stage table, if there is one. On failure no part of the
 * range stays mapped. */
MUST_CHECK int vm_map(struct vm *vm, gpa_t at, hpa_t to, uint64_t size, unsigned ept_perm,
                      enum ept_type type, bool dma);
/* Devices first (`dma`, as it was mapped), then the CPU. Afterwards no access reaches the range. */
void vm_unmap(struct vm *vm, gpa_t at, uint64_t size, bool dma);

/* Allocate and map the VM's RAM: one block of host memory, or, with dma=identity, memory at the
 * guest's own addresses. -ENOMEM. */
MUST_CHECK int memory_create(struct vm *vm);
void memory_destroy(struct vm *vm);
void memory_clear(struct vm *vm); /* all of RAM to zero, as at the start */
/* RAM in one block for a loader: RAM itself, or a copy that memory_unstage() moves to its place.
 * NULL: no memory for the copy. */
void *memory_stage(struct vm *vm);
void memory_unstage(struct vm *vm, void *stage);

/* Pointer to [at, at + size) of guest RAM. NULL: no block of RAM holds the whole range. */
void *vm_ram(const struct vm *vm, gpa_t at, uint64_t size);
/* Is host memory [to, to + size) RAM of this VM? */
bool memory_holds(const struct vm *vm, hpa_t to, uint64_t size);
