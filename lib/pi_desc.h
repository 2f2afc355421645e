/* SPDX-License-Identifier: MIT */
/*
 * The posted-interrupt descriptor: the one structure that the CPU (vmx/) and the remapping unit
 * (vtd/) share. Each vCPU has one. Every interrupt for a vCPU is posted there, by a device through
 * VT-d, by another CPU, or by Hamlet: an interrupt has one way into a vCPU.
 *
 *   running  SN=0 NV=ANV NDST=its CPU   a notification makes the CPU fold PIR, without an exit
 *   ready    SN=1                       no notification is sent and ON stays 0; the CPU that
 *                                       clears SN looks at PIR
 *   halted   SN=0 NV=WNV NDST=the CPU   a notification wakes the vCPU up
 *            whose wake list holds it
 *
 * From: vmx/vcpu/posted.c (the states), vtd/vtd.h (a posted IRTE points here).   To: nothing below.
 * Spec: SDM "Posted-Interrupt Processing"; VT-d "Posted Interrupt Descriptor".
 */
#pragma once
#include "lib/bits.h"
#include "lib/types.h"

struct pi_desc {
    uint64_t pir[4]; /* bit v: vector v is posted */
    uint64_t control;
    uint64_t reserved[3];
} __attribute__((aligned(64)));
LAYOUT(struct pi_desc, control, 32);
/* The first state of a new vCPU: ready. */
#define PI_DESC_READY ((struct pi_desc){.control = PI_SN})
static_assert(sizeof(struct pi_desc) == 64, "SDM: the descriptor is 64 bytes");

/* Bits 319:256 of the descriptor, here counted from 256. */
// clang-format off
#define PI_ON   BIT(0, "ON", "a notification is outstanding: no second one is sent")
#define PI_SN   BIT(1, "SN", "suppress: post, but neither set ON nor notify (URG overrides)")
#define PI_NV   BITS(23, 16, "NV", "notification vector", "0xf0:ANV|0xf1:WNV")
#define PI_NDST BITS(63, 32, "NDST", "its destination (xAPIC: the APIC id in its bits 15:8)")
// clang-format on
