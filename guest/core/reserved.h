/* SPDX-License-Identifier: MIT */
/*
 * Memory that the firmware reserves for devices of a VM (RMRR), for rmrr=map.
 * From: guest/life/create.c (reserved_map), guest/assign/assign.c, guest/assign/vbar.c,
 * guest/life/check.c.
 * To: guest/core/reserved.c.
 * Spec: VT-d "Reserved Memory Region Reporting Structure".
 */
#pragma once
#include "guest/core/vm.h"
#include "pci/pci.h"

/* Map each region of the devices that the configuration names, at its own address, for the VM's
 * CPUs and devices, and list it in vm->reserved. Without rmrr=map there is none. -EPERM: it lies in
 * RAM that the firmware did not reserve, or another VM has it; -ENOSPC: over VM_RESERVED_COUNT;
 * -EEXIST: RAM of the VM lies there; -ENOMEM. Each is logged. */
MUST_CHECK int reserved_map(struct vm *vm);
/* Are all regions of the function in vm->reserved? */
bool reserved_complete(const struct vm *vm, const struct pci_function *fn);
/* Is host memory [to, to + size) within one region of this VM? */
bool reserved_holds(const struct vm *vm, hpa_t to, uint64_t size);
/* Does a region of this VM meet [at, at + size)? */
bool reserved_overlaps(const struct vm *vm, uint64_t at, uint64_t size);
