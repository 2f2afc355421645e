/* SPDX-License-Identifier: MIT */
/*
 * What a guest may ask of Hamlet, by VMCALL in ring 0: number in RAX, argument in RBX, answer in
 * RAX. All other registers keep their values. Shared with guest programs.
 * From: guest/programs/.   To: guest/life/hypercall.c.
 */
#pragma once
#include <stdint.h>

enum hypercall {
    HC_NOTHING = 0,    /* answers 0: to measure what a VMCALL costs */
    HC_EXIT_COUNT = 1, /* RBX: basic exit reason. This vCPU's exits so far, without this one */
    HC_EXIT_TOTAL = 2, /* of all reasons */
    HC_IRQ_COUNT = 3,  /* interrupts of assigned devices that came through Hamlet for this VM */
    HC_VERSION = 4,    /* HC_VERSION_1 */
    /* The next two answer HC_UNKNOWN unless the VM has reveal=on, or a device whose DMA is not
     * translated. */
    HC_HOST_ADDRESS = 5, /* RBX: guest-physical address of RAM. Its host-physical address */
    HC_HAMLET = 6, /* where Hamlet's image lies: no guest and no device may reach that memory */
    HC_FAULTS = 7, /* DMA and interrupt faults of this VM's devices so far */
    HC_PARKED = 8, /* devices of this VM that may not master the bus until a reset */
    /* For dma=pv, where devices take host-physical addresses. RBX: a struct hypercall_pages, in one
     * page of RAM. Answers the number of pages done: less than asked if the next one is no RAM, or
     * was not pinned. HC_UNKNOWN: there is no such list. */
    HC_DMA_MAP = 9,     /* pin: each address in the list becomes the host-physical one */
    HC_DMA_UNMAP = 10,  /* unpin: the list has guest-physical addresses again */
    HC_DMA_PINNED = 11, /* pages that are pinned now */
};
#define HC_PAGES_MAX 511
struct hypercall_pages {
    uint64_t count;
    uint64_t address[HC_PAGES_MAX]; /* any byte of a page; the low 12 bits stay */
};
#define HC_VERSION_1 UINT64_C(0x484d4c5400000001) /* "HMLT", number of this interface */
#define HC_UNKNOWN   UINT64_MAX                   /* the answer to any other number */
