/* SPDX-License-Identifier: MIT */
/*
 * The virtual devices that every VM has. Each adds its own ranges to the buses.
 * From: guest/life/create.c (made and destroyed), guest/life/reset.c (reset), monitor/ (input).
 * To: guest/pc/pio.c, vuart.c, vrtc.c, vpower.c, vlapic.c, delivery.c.
 */
#pragma once
#include "guest/core/vm.h"

/* Each: -ENOMEM, -ENOSPC. */
MUST_CHECK int pio_create(struct vm *vm);    /* the port that ends the VM */
MUST_CHECK int vbios_create(struct vm *vm);  /* calls of a BIOS */
MUST_CHECK int vuart_create(struct vm *vm);  /* a serial port */
MUST_CHECK int vrtc_create(struct vm *vm);   /* the time of day */
MUST_CHECK int vpower_create(struct vm *vm); /* power-off */
MUST_CHECK int vlapic_create(struct vm *vm); /* a local APIC per vCPU */
/* Where v's CPU was delivering an event, there is no memory: for this delivery there is some, and
 * v->event is to be injected again. False: a device is there, or it was lent too often. */
bool delivery_lend(struct vcpu *v, gpa_t at);
void delivery_destroy(struct vm *vm);
void vuart_destroy(struct vm *vm);
void vlapic_destroy(struct vm *vm);
/* As after power-on, while the VM is still. Input that the guest has not read is lost. */
void vlapic_reset(struct vm *vm);
void vuart_reset(struct vm *vm);
void vrtc_reset(struct vm *vm);

void vpower_reset_write(struct vm *vm, uint8_t value); /* port 0xCF9 was written */

/* Input for a guest, byte by byte. vuart_type() requires vuart_has_room(). */
bool vuart_has_room(struct vm *vm);
void vuart_type(struct vm *vm, uint8_t byte);
/* Once a tick: a line without an end that is at rest is shown, if the guest waits for input. */
void vuart_poll(struct vm *vm);
