/* SPDX-License-Identifier: MIT */
/*
 * The virtual devices that every VM has; each puts itself on the buses.
 * From: guest/life/create.c (made and destroyed), guest/life/control.c (reset), monitor/ (what is typed).
 * To: guest/pc/pio.c, vuart.c, vrtc.c, vpower.c, vlapic.c.
 */
#pragma once
#include "guest/core/vm.h"

/* Each: -ENOMEM, -ENOSPC. */
MUST_CHECK int pio_create(struct vm *vm);              /* the port that ends the VM */
MUST_CHECK int vuart_create(struct vm *vm);            /* a serial port */
MUST_CHECK int vrtc_create(struct vm *vm);             /* the time of day */
MUST_CHECK int vpower_create(struct vm *vm);           /* power-off and reset */
MUST_CHECK int vlapic_create(struct vm *vm);           /* a local APIC per vCPU */
void vpower_reset_write(struct vm *vm, uint8_t value); /* port 0xCF9 */
void vuart_reset(struct vm *vm); /* as after power-on; what was typed and not taken is gone */
void vuart_destroy(struct vm *vm);
void vlapic_destroy(struct vm *vm);

/* What is typed for a guest. vuart_type() only while there is room. */
bool vuart_has_room(const struct vm *vm);
void vuart_type(struct vm *vm, uint8_t byte);
