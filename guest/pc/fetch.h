/* SPDX-License-Identifier: MIT */
/*
 * The instruction at a vCPU's RIP, found through the guest's page tables and decoded.
 * From: guest/pc/mmio.c, guest/life/create.c.   To: guest/pc/fetch.c.
 */
#pragma once
#include "guest/insn/insn.h"
#include "guest/pc/linear.h"

struct vm;

/* What the last fetch of each vCPU has found. -ENOMEM. */
MUST_CHECK int fetch_create(struct vm *vm);
void fetch_destroy(struct vm *vm);

struct fetched {
    const uint8_t *bytes;
    size_t size;
    const char *name; /* of what insn_decode() does not know */
};

/* The instruction that the last fetch of this vCPU has found, if another fetch would find it again;
 * NULL: perhaps not. a->state is then that of the vCPU, until its next fetch. */
const struct insn *fetch_again(struct linear *a);
/* The instruction at CS:RIP, and a->state, both until the next fetch of this vCPU. NULL: the bytes
 * are none that insn_decode() knows; *f has them, fewer than INSN_LEN_MAX if a page is missing. */
const struct insn *fetch_insn(struct linear *a, struct fetched *f);

/* Linear address of the n-th byte of the instruction. */
uint64_t fetch_at(const struct linear *a, size_t n);
