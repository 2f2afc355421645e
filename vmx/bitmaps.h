/* SPDX-License-Identifier: MIT */
/*
 * What a guest may do without an exit: the I/O bitmaps and the MSR bitmap of a VM.
 * From: guest/assign/vbar.c (ports of a device), vmx/exit/msr.c (MSRs),
 * vmx/vcpu/setup.c (their addresses).
 * To: vmx/bitmaps.c.   Spec: SDM "I/O-Bitmap Addresses", "MSR-Bitmap Address".
 */
#pragma once
#include "lib/errno.h"
#include "lib/types.h"

struct bitmaps; /* I/O bitmaps A and B, MSR bitmap; shared by the vCPUs of a VM */
MUST_CHECK struct bitmaps *bitmaps_create(void); /* all ones: everything exits */
void bitmaps_destroy(struct bitmaps *b);
/* Let [first, first + count) pass, or exit again. -EINVAL: not all of it are ports; -EPERM: one of
 * 0xCF8-0xCFF would pass. Then nothing is changed. SDM "I/O-Bitmap Addresses". */
MUST_CHECK int bitmaps_ports(struct bitmaps *b, uint16_t first, unsigned count, bool pass);
bool bitmaps_port_passes(const struct bitmaps *b, uint16_t port);
/* Only MSRs 0-0x1FFF and 0xC0000000-0xC0001FFF have bits; others always exit: -EINVAL. */
MUST_CHECK int bitmaps_msr(struct bitmaps *b, uint32_t msr, bool read_passes, bool write_passes);

hpa_t bitmaps_io_a(const struct bitmaps *b);
hpa_t bitmaps_io_b(const struct bitmaps *b);
/* x2apic_virtual: the bitmap in which the registers pass that the virtual-APIC page serves. */
hpa_t bitmaps_msrs(const struct bitmaps *b, bool x2apic_virtual);
