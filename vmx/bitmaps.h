/* SPDX-License-Identifier: MIT */
/*
 * What a guest may do without an exit: the I/O bitmaps, the MSR bitmap and the PID-pointer table of
 * a VM.
 * From: guest/assign/vbar.c (ports of a device), vmx/exit/msr.c (MSRs), vmx/run/post.c (IPIs),
 * vmx/vcpu/setup.c (their addresses).
 * To: vmx/bitmaps.c.
 * Spec: SDM "I/O-Bitmap Addresses", "MSR-Bitmap Address", "IPI Virtualization".
 */
#pragma once
#include "lib/errno.h"
#include "lib/pi_desc.h"
#include "lib/types.h"

struct bitmaps; /* I/O bitmaps A and B, MSR bitmap, PID pointers; shared by the vCPUs of a VM */
/* Everything exits, but for registers of x2APIC mode; icr_passes, on a CPU that virtualizes IPIs:
 * ICR is one of them. */
MUST_CHECK struct bitmaps *bitmaps_create(bool icr_passes);
void bitmaps_destroy(struct bitmaps *b);
/* Let [first, first + count) pass, or exit again. -EINVAL: not all of it are ports; -EPERM: one of
 * 0xCF8-0xCFF would pass. Then nothing is changed. SDM "I/O-Bitmap Addresses". */
MUST_CHECK int bitmaps_ports(struct bitmaps *b, uint16_t first, unsigned count, bool pass);
bool bitmaps_port_passes(const struct bitmaps *b, uint16_t port);
/* Only MSRs 0-0x1FFF and 0xC0000000-0xC0001FFF have bits; others always exit: -EINVAL. */
MUST_CHECK int bitmaps_msr(struct bitmaps *b, uint32_t msr, bool read_passes, bool write_passes);

/* An IPI to the APIC with this id, below BITMAPS_IPI_TARGETS, is posted into the descriptor, by the
 * CPU; NULL: it exits. Of use with "IPI virtualization" only. */
#define BITMAPS_IPI_TARGETS 64
void bitmaps_ipi(struct bitmaps *b, unsigned apic_id, const struct pi_desc *descriptor);

hpa_t bitmaps_io_a(const struct bitmaps *b);
hpa_t bitmaps_io_b(const struct bitmaps *b);
/* x2apic_virtual: the bitmap in which the registers pass that the virtual-APIC page serves. */
hpa_t bitmaps_msrs(const struct bitmaps *b, bool x2apic_virtual);
hpa_t bitmaps_ipis(const struct bitmaps *b); /* the PID-pointer table */
