/* SPDX-License-Identifier: MIT */
/*
 * A port access that exits: who owns the port?
 * From: vmx/exit/io.c (vm_pio).   To: the ranges on vm->pio: vuart.c, vpci.c, vbar.c; guest/core/bus.c.
 * Here too: the port with which a guest ends its VM, as QEMU's isa-debug-exit has it.
 */
#include "guest/core/vm.h"
#include "vmx/upcalls.h"
#define LOG "vm"
#include "arch/log.h"

#define PORT_EXIT      0xf4
#define PORT_EXIT_SIZE 4

/* A range that holds the access whole, or NULL. */
static const struct vm_range *owner_of(struct vm_bus *bus, uint64_t at, unsigned width)
{
    const struct vm_range *r = vm_bus_find(bus, at);
    return r && width <= r->size - (at - r->base) ? r : NULL;
}

/* Across the end of a range every byte finds its own owner, as on the bus of a PC. */
static bool read_bytes(struct vcpu *v, struct vm_bus *bus, uint64_t at, unsigned width,
                       uint64_t *value)
{
    bool answered = false;
    for (unsigned i = 0; i < width; i++) {
        const struct vm_range *r = vm_bus_find(bus, at + i);
        uint64_t byte = 0xff;
        if (r)
            r->read(v, r->owner, at + i - r->base, 1, &byte);
        *value &= ~(UINT64_C(0xff) << (8 * i));
        *value |= (byte & 0xff) << (8 * i);
        answered = answered || r;
    }
    return answered;
}

static bool write_bytes(struct vcpu *v, struct vm_bus *bus, uint64_t at, unsigned width,
                        uint64_t value)
{
    bool answered = false;
    for (unsigned i = 0; i < width; i++) {
        const struct vm_range *r = vm_bus_find(bus, at + i);
        if (r)
            r->write(v, r->owner, at + i - r->base, 1, value >> (8 * i) & 0xff);
        answered = answered || r;
    }
    return answered;
}

bool vm_bus_read(struct vcpu *v, struct vm_bus *bus, uint64_t at, unsigned width, uint64_t *value)
{
    bool answered = true;
    *value = BITS(width * 8 - 1, 0);
    spin_lock(&v->vm->lock);
    const struct vm_range *r = owner_of(bus, at, width);
    if (r)
        r->read(v, r->owner, at - r->base, width, value);
    else
        answered = width > 1 && read_bytes(v, bus, at, width, value);
    if (bus == &v->vm->mmio && (!r || r->base != VM_ECAM_BASE))
        vm_note_mmio(v, false, width, at, *value);
    spin_unlock(&v->vm->lock);
    return answered;
}

bool vm_bus_write(struct vcpu *v, struct vm_bus *bus, uint64_t at, unsigned width, uint64_t value)
{
    bool answered = true;
    spin_lock(&v->vm->lock);
    const struct vm_range *r = owner_of(bus, at, width);
    if (r)
        r->write(v, r->owner, at - r->base, width, value);
    else
        answered = width > 1 && write_bytes(v, bus, at, width, value);
    if (bus == &v->vm->mmio && (!r || r->base != VM_ECAM_BASE))
        vm_note_mmio(v, true, width, at, value);
    spin_unlock(&v->vm->lock);
    return answered;
}

enum exit_action vm_pio(struct vcpu *v, struct pio *pio)
{
    uint64_t value;
    if (pio->in) {
        if (!vm_bus_read(v, &v->vm->pio, pio->port, pio->width, &value))
            log_trace("vm=%s in port=0x%x: nobody", v->vm->name, pio->port);
        pio->value = (uint32_t)value;
    } else if (!vm_bus_write(v, &v->vm->pio, pio->port, pio->width, pio->value)) {
        log_trace("vm=%s out port=0x%x: nobody", v->vm->name, pio->port);
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
    vm_end(v->vm, (unsigned)(value << 1 | 1) & 0xff);
}

int pio_create(struct vm *vm)
{
    return vm_bus_add(&vm->pio, &(struct vm_range){PORT_EXIT, PORT_EXIT_SIZE, "exit", exit_read,
                                                   exit_write, NULL});
}
