/* SPDX-License-Identifier: MIT */
/*
 * A port access that exits: the port bus finds the range that owns the port.
 * From: vmx/exit/io.c (vcpu_on_in, vcpu_on_out).   To: guest/core/bus.h (the range).
 * Here too: the port by which a guest ends its VM, as QEMU's isa-debug-exit does it.
 * Hot: every trapped port access.
 */
#include "guest/pc/pc.h"
#include "guest/core/bus.h"
#include "vmx/upcalls.h"
#define LOG "vm"
#include "arch/log.h"

#define PORT_EXIT      0xf4
#define PORT_EXIT_SIZE 4

/* With vm->lock held: not one of the last two ranges, or none, or several. */
static COLD __attribute__((noinline)) uint64_t in_elsewhere(struct vcpu *v, unsigned port,
                                                            unsigned width)
{
    struct bus_answer a = bus_access(v, &v->vm->pio, port, width, ~UINT64_C(0), false);
    if (!a.answered)
        log_trace("vm=%s in port=0x%x: no device", v->vm->name, port);
    return a.value;
}

static COLD __attribute__((noinline)) void out_elsewhere(struct vcpu *v, unsigned port,
                                                         unsigned width, uint64_t value)
{
    struct vm *vm = v->vm;
    if (bus_access(v, &vm->pio, port, width, value, true).answered)
        return;
    log_trace("vm=%s out port=0x%x: no device", vm->name, port);
    if (vm->wires.unclaimed)
        vm->wires.unclaimed(vm, (uint16_t)port, LO32(value));
}

uint64_t vcpu_on_in(struct vcpu *v, unsigned port, unsigned width)
{
    struct vm *vm = v->vm;
    uint64_t value = UINT64_MAX;
    spin_lock(&vm->lock);
    const struct vm_range *r = bus_recent(&vm->pio, port, width);
    if (r)
        value = r->read(v, r->owner, port - r->base, width);
    else if (!bus_is_hole(&vm->pio, port, width) || log_threshold >= LOG_TRACE)
        value = in_elsewhere(v, port, width);
    spin_unlock(&vm->lock);
    return value;
}

enum exit_action vcpu_on_out(struct vcpu *v, unsigned port, unsigned width, uint64_t value)
{
    struct vm *vm = v->vm;
    spin_lock(&vm->lock);
    const struct vm_range *r = bus_recent(&vm->pio, port, width);
    if (r)
        r->write(v, r->owner, port - r->base, width, value);
    else
        out_elsewhere(v, port, width, value);
    spin_unlock(&vm->lock);
    return __builtin_expect(vm_is_ending(vm), 0) ? STOP_VM : RESUME_NEXT;
}

static uint64_t exit_read(struct vcpu *v, void *owner, uint64_t offset, unsigned width)
{
    (void)v, (void)owner, (void)offset, (void)width;
    return UINT64_MAX; /* write-only */
}

static void exit_write(struct vcpu *v, void *owner, uint64_t offset, unsigned width, uint64_t value)
{
    (void)owner, (void)offset, (void)width;
    vm_end(v->vm, (unsigned)MIN(value << 1 | 1, UINT64_C(0xffffffff))); /* never a smaller one */
}

int pio_create(struct vm *vm)
{
    return vm_bus_add(&vm->pio,
                      VM_TRAPPED(PORT_EXIT, PORT_EXIT_SIZE, "exit", exit_read, exit_write, NULL));
}
