/* SPDX-License-Identifier: MIT */
/*
 * A port access that exits: the port bus finds the range that owns the port.
 * From: vmx/exit/io.c (vcpu_on_port).   To: guest/core/bus.c (vm_bus_read, vm_bus_write).
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

enum exit_action vcpu_on_port(struct vcpu *v, struct pio *pio)
{
    uint64_t value;
    if (pio->in) {
        if (!vm_bus_read(v, &v->vm->pio, pio->port, pio->width, &value))
            log_trace("vm=%s in port=0x%x: no device", v->vm->name, pio->port);
        pio->value = (uint32_t)value;
    } else if (!vm_bus_write(v, &v->vm->pio, pio->port, pio->width, pio->value)) {
        log_trace("vm=%s out port=0x%x: no device", v->vm->name, pio->port);
        if (v->vm->wires.unclaimed)
            v->vm->wires.unclaimed(v->vm, pio->port, pio->value);
    }
    TRACE(TRACE_PIO, v->trace_id, pio->width | (pio->in ? 0 : TRACE_WRITE), pio->port, pio->value,
          0);
    return vm_is_ending(v->vm) ? STOP_VM : RESUME_NEXT;
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
