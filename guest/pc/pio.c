/* SPDX-License-Identifier: MIT */
/*
 * A port access that exits: the port bus finds the range that owns the port.
 * From: vmx/exit/io.c (vcpu_on_in, vcpu_on_out).   To: guest/core/bus.c (bus_find_another).
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

enum exit_action vcpu_on_in(struct vcpu *v, unsigned port, unsigned width, uint64_t *reg)
{
    struct vm *vm = v->vm;
    uint64_t value;
    spin_lock(&vm->lock);
    if (!bus_read(v, &vm->pio, port, width, &value))
        log_trace("vm=%s in port=0x%x: no device", vm->name, port);
    spin_unlock(&vm->lock);
    *reg = gpr_merge(*reg, width, value);
    TRACE(TRACE_PIO, v->trace_id, width, port, value, 0);
    return vm_is_ending(vm) ? STOP_VM : RESUME_NEXT;
}

enum exit_action vcpu_on_out(struct vcpu *v, unsigned port, unsigned width, uint64_t value)
{
    struct vm *vm = v->vm;
    spin_lock(&vm->lock);
    bool answered = bus_write(v, &vm->pio, port, width, value);
    spin_unlock(&vm->lock);
    if (!answered) {
        log_trace("vm=%s out port=0x%x: no device", vm->name, port);
        if (vm->wires.unclaimed)
            vm->wires.unclaimed(vm, (uint16_t)port, LO32(value));
    }
    TRACE(TRACE_PIO, v->trace_id, width | TRACE_WRITE, port, value, 0);
    return vm_is_ending(vm) ? STOP_VM : RESUME_NEXT;
}

static void exit_read(struct vcpu *v, void *owner, uint64_t offset, unsigned width, uint64_t *value)
{
    (void)v, (void)owner, (void)offset, (void)width, (void)value; /* write-only: ones */
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
