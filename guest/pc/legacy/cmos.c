/* SPDX-License-Identifier: MIT */
/*
 * The memory behind the clock: how much RAM there is, as a BIOS notes it, and bytes that a guest
 * may change. The clock itself stays as it is in every VM.
 * From: guest/pc/legacy/legacy.c (ports, cmos_reset).
 * To: nothing; what is for the clock goes through the range that its device had.
 * Spec: ICH "RTC Registers"; the rest is custom since the PC/AT.
 */
#include "guest/pc/legacy/chips.h"
#include "guest/load/load.h"

#define PORT_INDEX  0x70
#define CLOCK_BYTES 0x0e
#define EQUIPMENT   0x14
#define BASE_KIB    0x15
#define ABOVE_1M    0x17 /* KiB, and once more at ABOVE_1M_TOO */
#define ABOVE_1M_2  0x30
#define CENTURY     0x32
#define ABOVE_16M   0x34 /* units of 64 KiB */
#define ABOVE_4G    0x5b
#define HAS_FPU     BIT(1)
#define SIXTEEN_M   (UINT64_C(16) << 20)

static void put16(struct legacy *l, unsigned at, uint64_t value)
{
    uint64_t most = MIN(value, (uint64_t)UINT16_MAX);
    l->cmos[at] = (uint8_t)most;
    l->cmos[at + 1] = (uint8_t)(most >> 8);
}

void cmos_reset(struct legacy *l)
{
    uint64_t low = MIN(l->vm->ram_size, VM_LOW_RAM_MAX), kib = low / 1024 - 1024;
    l->cmos[EQUIPMENT] = HAS_FPU;
    l->cmos[CENTURY] = 0x20;
    put16(l, BASE_KIB, LOAD_AREA / 1024);
    put16(l, ABOVE_1M, kib);
    put16(l, ABOVE_1M_2, kib);
    put16(l, ABOVE_16M, low > SIXTEEN_M ? (low - SIXTEEN_M) / (64 * 1024) : 0);
    put16(l, ABOVE_4G, (l->vm->ram_size - low) / (64 * 1024));
}

static bool is_memory(const struct legacy *l, uint16_t port)
{
    return port != PORT_INDEX && l->vm->rtc_index >= CLOCK_BYTES;
}

uint8_t cmos_in(struct legacy *l, uint16_t port)
{
    if (is_memory(l, port))
        return l->cmos[l->vm->rtc_index % sizeof(l->cmos)];
    return (uint8_t)l->clock.read(l->vm->vcpus[0], l->clock.owner, port - PORT_INDEX, 1);
}

void cmos_out(struct legacy *l, uint16_t port, uint8_t value)
{
    if (is_memory(l, port))
        l->cmos[l->vm->rtc_index % sizeof(l->cmos)] = value;
    else
        l->clock.write(l->vm->vcpus[0], l->clock.owner, port - PORT_INDEX, 1, value);
}
