/* SPDX-License-Identifier: MIT */
/*
 * Without the legacy PC: a guest that waits for one of its chips waits in vain, and one line names
 * the chip. Its ports read as ones, as ports without a device do.
 * From: guest/pc/legacy/legacy.c (absent_create), screen.c (absent_poll).
 * To: guest/core/bus.c (vm_bus_add), arch/log.c.
 */
#include "guest/pc/legacy/chips.h"
#define LOG "vm"
#include "arch/log.h"

#define WAITS        20000 /* reads: more than any driver needs to find a chip */
#define HALTED_TICKS 1000
#define ICW1         BIT(4)

static const struct row {
    uint16_t base, size;
    const char *name;
} rows[] = {
    {0x20, 2, "PIC"},
    {0xa0, 2, "PIC"},
    {0x40, 4, "PIT"},
    {0x61, 1, "PIT"},
    {0x60, 1, "keyboard controller"},
    {0x64, 1, "keyboard controller"},
    {0x3c0, 0x20, "VGA"},
};
static_assert(ARRAY_COUNT(rows) <= ARRAY_COUNT(((struct absent *)NULL)->reads), "a counter each");

static void absent_read(struct vcpu *v, void *owner, uint64_t offset, unsigned width,
                        uint64_t *value)
{
    const struct row *row = owner;
    struct vm *vm = v->vm;
    (void)width, (void)value; /* ones */
    if (++vm->legacy->absent.reads[row - rows] == WAITS)
        log_guest(&vm->log_budget, "vm=%s waits at port 0x%lx: there is no %s; legacy=on", vm->name,
                  row->base + offset, row->name);
}

static void absent_write(struct vcpu *v, void *owner, uint64_t offset, unsigned width,
                         uint64_t value)
{
    struct absent *a = &v->vm->legacy->absent;
    (void)width;
    a->pic = a->pic || (owner == &rows[0] && offset == 0 && (value & ICW1));
    a->pit = a->pit || (owner == &rows[2] && offset == 0);
}

void absent_poll(struct legacy *l)
{
    struct absent *a = &l->absent;
    const struct vcpu *v = l->vm->vcpus[0];
    bool halts = v->state == VCPU_HALTED && !v->timer_deadline;
    a->halted = halts && a->pic && a->pit ? a->halted + 1 : 0;
    if (a->told || a->halted < HALTED_TICKS)
        return;
    a->told = true;
    log_info("vm=%s halts, and has programmed a PIC and a PIT: there is none; legacy=on",
             l->vm->name);
}

int absent_create(struct legacy *l)
{
    int err = 0;
    for (const struct row *r = rows; r < rows + ARRAY_COUNT(rows) && !err; r++)
        err = vm_bus_add(&l->vm->pio, VM_TRAPPED(r->base, r->size, "absent", absent_read,
                                                 absent_write, (void *)r));
    return err;
}
