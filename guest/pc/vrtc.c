/* SPDX-License-Identifier: MIT */
/*
 * The time of day: a guest reads the clock of the machine through the ports of a PC. The guest can
 * neither set the clock nor see another byte of the CMOS memory. There are no alarms and no
 * interrupts of the clock.
 * From: guest/life/create.c (vrtc_create), guest/core/bus.c (through read and write).
 * To: guest/core/bus.c (vm_bus_add).
 * Spec: MC146818A data sheet; ICH "RTC Registers".
 */
#include "guest/pc/pc.h"
#include "arch/io.h"
#include "guest/core/bus.h"

#define RTC_PORT      0x70 /* index, then data */
#define RTC_REGISTERS 0x0e /* time, date and the four status registers */
#define RTC_INDEX     BITS(6, 0)
#define RTC_NMI_OFF   BIT(7)
#define RTC_STATUS_C  0x0c /* a read acknowledges the machine's interrupts, so no guest gets here */
#define RTC_STATUS_D  0x0d
#define RTC_VALID     BIT(7)

/* One clock for all VMs: index and data belong together. */
static struct spinlock lock = {.name = "clock"};

static uint64_t vrtc_read(struct vcpu *v, void *owner, uint64_t offset, unsigned width)
{
    uint8_t index = v->vm->rtc_index;
    (void)owner, (void)width;
    if (offset == 0)
        return UINT64_MAX; /* write-only */
    if (index == RTC_STATUS_D)
        return RTC_VALID;
    if (index >= RTC_REGISTERS || index == RTC_STATUS_C)
        return 0;
    spin_lock(&lock);
    out8(RTC_PORT, (uint8_t)(RTC_NMI_OFF | index));
    uint8_t value = in8(RTC_PORT + 1);
    spin_unlock(&lock);
    return value;
}

static void vrtc_write(struct vcpu *v, void *owner, uint64_t offset, unsigned width, uint64_t value)
{
    (void)owner, (void)width;
    if (offset == 0)
        v->vm->rtc_index = (uint8_t)(value & RTC_INDEX);
}

void vrtc_reset(struct vm *vm) { vm->rtc_index = 0; }

int vrtc_create(struct vm *vm)
{
    return vm_bus_add(&vm->pio, VM_TRAPPED(RTC_PORT, 2, "rtc", vrtc_read, vrtc_write, NULL));
}
