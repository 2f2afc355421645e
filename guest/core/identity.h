/* SPDX-License-Identifier: MIT */
/*
 * RAM at its own address, for dma=identity.
 * From: boot/main.c (identity_keep), guest/core/memory.c, guest/assign/dma.c.   To: guest/core/identity.c.
 */
#pragma once
#include "guest/core/vm.h"

void identity_keep(
    void); /* at boot, before memory is given out: keep what identity=SIZE asks for */
bool identity_wanted(const struct vm *vm); /* by one of its devices */
bool identity_has(const struct vm *vm);    /* its RAM lies where it sees it */
/* Take vm->ram for it. -ENOMEM (logged). */
MUST_CHECK int identity_take(struct vm *vm, uint64_t size);
void identity_give_back(struct vm *vm);
