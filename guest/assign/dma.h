/* SPDX-License-Identifier: MIT */
/*
 * Which addresses the devices of a VM use: guest-physical ones, translated by VT-d, or, to compare, the
 * two ways that need no translation and protect nobody.
 * From: guest/assign/assign.c, guest/life/hypercall.c, guest/life/create.c.   To: guest/assign/dma.c.
 */
#pragma once
#include "guest/assign/assign.h"

/* Make what the assignment's dma= needs, for the first device of its kind in the VM. -ENODEV, -ENOMEM. */
MUST_CHECK int dma_enable(struct assignment *a);
/* Devices are gone: give back what dma_enable() made of this, and every pin. */
void dma_release(struct vm *vm);

/* HC_DMA_MAP and HC_DMA_UNMAP; `list`: guest-physical address of a struct hypercall_pages. */
uint64_t dma_pin(struct vm *vm, uint64_t list);
uint64_t dma_unpin(struct vm *vm, uint64_t list);
