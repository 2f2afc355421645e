/* SPDX-License-Identifier: MIT */
/*
 * RAM at its own address, for dma=identity.
 * From: boot/main.c (identity_keep), guest/core/memory.c, guest/assign/dma.c.
 * To: guest/core/identity.c.
 */
#pragma once
#include "guest/core/vm.h"

/* At boot, before any page is allocated: keep the memory that the option identity=SIZE asks for. */
void identity_keep(void);
bool identity_wanted(const struct vm *vm); /* one of its devices has dma=identity */
bool identity_has(const struct vm *vm);    /* the RAM of the VM is at its own address */
/* Fill vm->ram for `size` bytes of RAM. -ENOMEM (logged): at most 16 MiB, more than
 * identity=SIZE, or in use. */
MUST_CHECK int identity_take(struct vm *vm, uint64_t size);
void identity_give_back(struct vm *vm);
