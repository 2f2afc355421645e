/* SPDX-License-Identifier: MIT */
/*
 * The memory of a VM, as its vCPUs and its devices see it.
 * From: guest/life/create.c (RAM is made), guest/assign/vbar.c (BARs), everything that reads guest memory.
 * To: guest/core/memory.c; guest/core/identity.c (dma=identity).
 */
#pragma once
#include "guest/core/vm.h"

/* The one place where a guest-physical range becomes visible: to the CPU by EPT, and, with `dma`, to
 * the VM's devices by the second-stage table, if there is one. Undone completely on failure. */
MUST_CHECK int vm_map(struct vm *vm, gpa_t at, hpa_t to, uint64_t size, unsigned ept_perm,
                      enum ept_type type, bool dma);
/* Devices first (`dma`, as it was mapped), then the CPU: afterwards no access reaches the range. */
void vm_unmap(struct vm *vm, gpa_t at, uint64_t size, bool dma);

/* The VM's RAM, in one piece of host memory, or, with dma=identity, at its own address; mapped. -ENOMEM. */
MUST_CHECK int memory_create(struct vm *vm);
void memory_destroy(struct vm *vm);
void memory_clear(struct vm *vm); /* all of RAM to zero, as at the start */
/* RAM in one piece for a loader: RAM itself, or a copy that memory_unstage() brings to its place. NULL: no
 * memory for the copy. */
void *memory_stage(struct vm *vm);
void memory_unstage(struct vm *vm, void *stage);

/* Guest RAM as Hamlet sees it: NULL unless [at, at + size) is RAM of this VM in one piece. */
void *vm_ram(const struct vm *vm, gpa_t at, uint64_t size);
/* Is host memory [to, to + size) RAM of this VM? */
bool memory_holds(const struct vm *vm, hpa_t to, uint64_t size);
