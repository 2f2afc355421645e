/* SPDX-License-Identifier: MIT */
/*
 * The 8254. Its clock is the VM's time: a counter's value is calculated when it is read, and the
 * interrupts of channel 0 are an alarm of the first vCPU. Port 0x61 has gate and output of
 * channel 2.
 * From: guest/pc/legacy/legacy.c (ports), pic.c (pit_restart).
 * To: guest/pc/vlapic_timer.c (vlapic_alarm), guest/pc/vioapic.c (vioapic_line).
 * Spec: Intel 8254 data sheet.   Not handled: BCD.
 */
#include "arch/ioapic.h"
#include "arch/time.h"
#include "guest/pc/legacy/chips.h"
#include "guest/pc/vioapic.h"
#include "guest/pc/vlapic.h"
#include "vmx/run/sched.h"

#define PIT_HZ        1193182
#define PORT_CONTROL  0x43
#define CONTROL_SEL   BITS(7, 6)
#define CONTROL_BACK  3 /* in CONTROL_SEL: read-back command */
#define CONTROL_WHAT  BITS(5, 4)
#define CONTROL_MODE  BITS(3, 1)
#define BACK_NO_COUNT BIT(5)
#define BACK_NO_STATE BIT(4)
#define STATUS_OUT    BIT(7)
#define STATUS_NULL   BIT(6)
#define ACCESS_LATCH  0 /* in CONTROL_WHAT */
#define ACCESS_LOW    1
#define ACCESS_HIGH   2
#define ACCESS_BOTH   3
#define PORT_B_GATE   BIT(0)
#define PORT_B_KEPT   BITS(3, 0)
#define PORT_B_TOGGLE BIT(4)
#define PORT_B_OUT    BIT(5)
#define TOGGLE_TICKS  18 /* of the refresh of memory, 15 us */

/* Pin of the I/O APIC, as the MP table has it; input 0 of the 8259s is the same line. The ACPI
 * tables leave IRQ 0 at pin 0, so the line goes there, too. */
#define PIT_PIN_ACPI  0
#define PIT_PIN       2
/* TSC ticks: between two interrupts at least. */
#define PERIOD_MIN    UINT64_C(25000)
/* Interrupts that the guest could not take in time are made up for, up to so many microseconds. */
#define CATCH_UP_US   20000
#define MASKED_US     50000 /* while no controller passes them on: a look rather */

static uint64_t tsc_hz(void) { return time_tsc_khz() * 1000; }
static uint64_t to_ticks(uint64_t tsc) { return muldiv(tsc, PIT_HZ, tsc_hz()); }
static uint64_t to_tsc(uint64_t ticks) { return muldiv(ticks, tsc_hz(), PIT_HZ); }

/* --- A counter -------------------------------------------------------------------------------- */

static bool is_periodic(const struct pit_channel *c) { return c->mode == 2 || c->mode == 3; }
static bool is_triggered(const struct pit_channel *c) { return c->mode == 1 || c->mode == 5; }

/* Ticks since the count began. A closed gate stops the counter in all modes that it does not
 * trigger. */
static uint64_t passed(const struct pit_channel *c, uint64_t now)
{
    bool runs = c->loaded && (c->gate || is_triggered(c)) && c->start;
    return runs ? to_ticks(now - c->start) : c->passed;
}

static uint16_t counter(const struct pit_channel *c, uint64_t now)
{
    uint64_t ticks = passed(c, now);
    if (c->mode == 3)
        return (uint16_t)(c->count - (2 * ticks % c->count & ~UINT64_C(1)));
    return (uint16_t)(c->count - (is_periodic(c) ? ticks % c->count : ticks));
}

static bool output(const struct pit_channel *c, uint64_t now)
{
    uint64_t ticks = passed(c, now);
    if (!c->loaded || (is_triggered(c) && !c->start))
        return c->mode != 0;
    switch (c->mode) {
    case 2:
        return !c->gate || ticks % c->count != c->count - 1;
    case 3:
        return !c->gate || ticks % c->count < (c->count + 1) / 2;
    case 4:
    case 5:
        return ticks != c->count;
    default:
        return ticks >= c->count;
    }
}

static void load(struct pit_channel *c, uint16_t value, uint64_t now)
{
    c->count = value ? value : 0x10000;
    c->loaded = true;
    c->passed = 0;
    c->start = c->gate && !is_triggered(c) ? now : 0;
}

/* Modes 0 and 4 go on where they were; the others begin again. */
static void set_gate(struct pit_channel *c, bool open, uint64_t now)
{
    bool goes_on = c->mode == 0 || c->mode == 4;
    if (open == c->gate)
        return;
    if (!open && !is_triggered(c))
        c->passed = passed(c, now);
    c->gate = open;
    if (open)
        c->start = goes_on ? now - to_tsc(c->passed) : now;
}

/* --- Interrupts of channel 0 ------------------------------------------------------------------ */

/* When the output rises next; 0: never. */
static uint64_t next_rise(const struct pit_channel *c, uint64_t now)
{
    uint64_t ticks = passed(c, now);
    if (!c->loaded || !c->start)
        return 0;
    if (is_periodic(c))
        return c->start + to_tsc((ticks / c->count + 1) * c->count);
    uint64_t end = c->count + (c->mode == 4);
    return ticks < end ? c->start + to_tsc(end) : 0;
}

static uint64_t period(const struct pit_channel *c)
{
    return MAX(to_tsc(c->count), sched_scaled(PERIOD_MIN));
}

static uint64_t us_to_tsc(uint64_t us) { return time_tsc_khz() * us / 1000; }

static bool is_pending(const struct legacy *l) { return l->pic[0].irr & ~l->pic[0].imr & BIT(0); }

/* Neither controller passes the line on. */
static bool is_masked(const struct legacy *l)
{
    bool asserted;
    return (l->pic[0].imr & BIT(0)) &&
           (vioapic_rte(l->vm->ioapic, PIT_PIN, &asserted) & RTE_MASKED) &&
           (vioapic_rte(l->vm->ioapic, PIT_PIN_ACPI, &asserted) & RTE_MASKED);
}

static void set_line(struct legacy *l, bool high)
{
    vioapic_line(l->vm->ioapic, PIT_PIN, high);
    vioapic_line(l->vm->ioapic, PIT_PIN_ACPI, high);
}

/* The output rises: raise the line and choose the time of the next one. */
static void raise(struct legacy *l, uint64_t now, bool too_late)
{
    const struct pit_channel *c = &l->pit[0];
    set_line(l, false);
    set_line(l, true);
    if (!is_periodic(c))
        l->tick = 0;
    else if (too_late)
        l->tick = now + period(c);
    else
        l->tick += period(c);
    if (l->tick && is_masked(l))
        l->tick = MAX(l->tick, now + us_to_tsc(MASKED_US));
}

/* The guest gets time to take an interrupt that still waits. The interrupts behind it follow a
 * little closer, and none is lost. */
static void on_alarm(struct vm *vm)
{
    spin_lock(&vm->lock);
    struct legacy *l = vm->legacy;
    uint64_t now = vm_now(vm), soon = now + period(&l->pit[0]) / 4;
    if (l->tick && now >= l->tick) {
        bool too_late = now - l->tick > us_to_tsc(CATCH_UP_US);
        if (!is_pending(l) || too_late)
            raise(l, now, too_late);
    }
    vlapic_alarm(vm->vcpus[0], l->tick ? MAX(l->tick, soon) : 0, on_alarm);
    spin_unlock(&vm->lock);
}

/* Channel 0 runs from power-on, but it interrupts only a guest that has programmed it, or that has
 * made the first 8259 listen to it. */
void pit_restart(struct legacy *l)
{
    bool wanted = l->ticks || (l->pic[0].used && !(l->pic[0].imr & BIT(0)));
    if (wanted == (l->tick != 0))
        return;
    l->tick = wanted ? next_rise(&l->pit[0], vm_now(l->vm)) : 0;
    vlapic_alarm(l->vm->vcpus[0], l->tick, on_alarm);
}

/* --- Ports ------------------------------------------------------------------------------------ */

static uint8_t status(const struct pit_channel *c, uint64_t now)
{
    return (uint8_t)((output(c, now) ? STATUS_OUT : 0) | (c->loaded ? 0 : STATUS_NULL) |
                     FIELD_SET(CONTROL_WHAT, c->access) | FIELD_SET(CONTROL_MODE, c->mode));
}

static void latch(struct pit_channel *c, uint64_t now)
{
    if (!c->has_latch)
        c->latch = counter(c, now);
    c->has_latch = true;
}

static void read_back(struct legacy *l, uint8_t value, uint64_t now)
{
    for (unsigned n = 0; n < ARRAY_COUNT(l->pit); n++) {
        struct pit_channel *c = &l->pit[n];
        if (!(value & BIT(n + 1)))
            continue;
        if (!(value & BACK_NO_COUNT))
            latch(c, now);
        if (!(value & BACK_NO_STATE) && !c->has_status)
            c->status = status(c, now);
        c->has_status = c->has_status || !(value & BACK_NO_STATE);
    }
}

static void control(struct legacy *l, uint8_t value, uint64_t now)
{
    unsigned n = (unsigned)FIELD_GET(CONTROL_SEL, value);
    uint8_t what = (uint8_t)FIELD_GET(CONTROL_WHAT, value);
    uint8_t mode = (uint8_t)FIELD_GET(CONTROL_MODE, value);
    if (n == CONTROL_BACK) {
        read_back(l, value, now);
    } else if (what == ACCESS_LATCH) {
        latch(&l->pit[n], now);
    } else {
        l->pit[n] = (struct pit_channel){.mode = mode > 5 ? mode - 4 : mode,
                                         .access = what,
                                         .write_high = what == ACCESS_HIGH,
                                         .read_high = what == ACCESS_HIGH,
                                         .count = 0x10000,
                                         .gate = l->pit[n].gate};
    }
}

static void write_count(struct pit_channel *c, uint8_t value, uint64_t now)
{
    bool both = c->access == ACCESS_BOTH;
    if (both && !c->write_high)
        c->low = value;
    else
        load(c, (uint16_t)(c->write_high ? value << 8 | (both ? c->low : 0) : value), now);
    c->write_high ^= both;
}

static uint8_t read_count(struct pit_channel *c, uint64_t now)
{
    if (c->has_status) {
        c->has_status = false;
        return c->status;
    }
    uint16_t value = c->has_latch ? c->latch : counter(c, now);
    bool high = c->read_high, both = c->access == ACCESS_BOTH;
    c->read_high ^= both;
    c->has_latch = c->has_latch && both && !high;
    return (uint8_t)(high ? value >> 8 : value);
}

uint8_t pit_in(struct legacy *l, uint16_t port)
{
    return port == PORT_CONTROL ? 0xff : read_count(&l->pit[port & 3], vm_now(l->vm));
}

void pit_out(struct legacy *l, uint16_t port, uint8_t value)
{
    uint64_t now = vm_now(l->vm);
    bool zero = port == PORT_CONTROL ? FIELD_GET(CONTROL_SEL, value) == 0 : (port & 3) == 0;
    if (port == PORT_CONTROL)
        control(l, value, now);
    else
        write_count(&l->pit[port & 3], value, now);
    if (!zero)
        return;
    l->ticks = true;
    l->tick = 0; /* begins again */
    vlapic_alarm(l->vm->vcpus[0], 0, on_alarm);
    pit_restart(l);
}

uint8_t pit_port_b_in(struct legacy *l, uint16_t port)
{
    uint64_t now = vm_now(l->vm);
    (void)port;
    return (uint8_t)(l->port_b | (to_ticks(now) / TOGGLE_TICKS % 2 ? PORT_B_TOGGLE : 0) |
                     (output(&l->pit[2], now) ? PORT_B_OUT : 0));
}

void pit_port_b_out(struct legacy *l, uint16_t port, uint8_t value)
{
    (void)port;
    l->port_b = value & (uint8_t)PORT_B_KEPT;
    set_gate(&l->pit[2], value & PORT_B_GATE, vm_now(l->vm));
}

/* A BIOS leaves channel 0 at its slowest: 18.2 interrupts a second. */
void pit_reset(struct legacy *l)
{
    for (unsigned n = 0; n < ARRAY_COUNT(l->pit); n++) {
        l->pit[n] = (struct pit_channel){
            .mode = n == 2 ? 3 : 2, .access = ACCESS_BOTH, .count = 0x10000, .gate = n != 2};
        load(&l->pit[n], 0, vm_now(l->vm));
    }
    set_line(l, false);
    l->port_b = 0;
    l->ticks = false;
    l->tick = 0;
    vlapic_alarm(l->vm->vcpus[0], 0, on_alarm);
}
