/* SPDX-License-Identifier: MIT */
/*
 * Without the legacy PC: a guest that waits for one of its chips waits in vain, and one line names
 * the chip. Its ports read as ones, as ports without a device do.
 * From: guest/pc/legacy/legacy.c (ports), draw.c (absent_poll).   To: arch/log.c.
 */
#include "guest/pc/legacy/chips.h"
#define LOG "vm"
#include "arch/log.h"

#define WAITS        20000 /* reads in a row: more than any driver needs to find a chip */
#define HALTED_TICKS 1000
#define PORT_PIC     0x20
#define PORT_PIT     0x40
#define ICW1         BIT(4)

uint8_t absent_in(struct legacy *l, uint16_t port)
{
    struct absent *a = &l->absent;
    const char *name = vm_bus_find(&l->vm->pio, port)->name;
    a->reads = a->name == name ? a->reads + 1 : 0;
    a->name = name;
    if (a->reads == WAITS)
        log_guest(&l->vm->log_budget, "vm=%s waits at port 0x%x: there is no %s; legacy=on",
                  l->vm->name, port, name);
    return 0xff;
}

void absent_out(struct legacy *l, uint16_t port, uint8_t value)
{
    l->absent.pic = l->absent.pic || (port == PORT_PIC && (value & ICW1));
    l->absent.pit = l->absent.pit || port == PORT_PIT;
}

void absent_poll(struct legacy *l)
{
    struct absent *a = &l->absent;
    const struct vcpu *v = l->vm->vcpus[0];
    bool halts = v->state == VCPU_HALTED && !v->timer_deadline && a->pic && a->pit;
    a->halted = halts ? a->halted + 1 : 0;
    if (a->halted == HALTED_TICKS)
        log_guest(&l->vm->log_budget,
                  "vm=%s halts, and has programmed a PIC and a PIT: there is none; legacy=on",
                  l->vm->name);
}
