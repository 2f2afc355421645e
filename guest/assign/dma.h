/* SPDX-License-Identifier: MIT */
/*
 * Which addresses the devices of a VM use (dma=): guest-physical ones that VT-d translates, or, to
 * compare, host-physical ones in two ways that protect nothing.
 * From: guest/assign/assign.c, guest/life/hypercall.c, guest/life/create.c.
 * To: guest/assign/dma.c.
 */
#pragma once
#include "guest/assign/assign.h"

/* Make what the assignment's dma= needs, for the first such device of the VM. -ENODEV: no VT-d,
 * -EPERM: the RAM or another device of the VM forbids it, -ENOMEM. */
MUST_CHECK int dma_enable(struct assignment *a);
/* The VM has no device any more: free what dma_enable() made, and every pin. */
void dma_release(struct vm *vm);
void dma_reset(struct vm *vm); /* its devices are reset: no page is pinned any more */

/* HC_DMA_MAP and HC_DMA_UNMAP of a VM with dma=pv. `list`: guest-physical address of a struct
 * hypercall_pages, page aligned. Return how many pages of the list were done; HC_UNKNOWN: no
 * such list. */
uint64_t dma_pin(struct vm *vm, uint64_t list);
uint64_t dma_unpin(struct vm *vm, uint64_t list);
