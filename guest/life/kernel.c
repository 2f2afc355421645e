/* SPDX-License-Identifier: MIT */
/*
 * What firmware and boot loader would leave: ACPI tables, code at the reset vector, the kernel in
 * memory, and the state in which the first vCPU starts it.
 * From: guest/life/create.c (the VM is made), guest/life/control.c (it is reset),
 * guest/life/step.c (each run of run=N).
 * To: guest/load/load.c (load_kernel), guest/load/vacpi.c (tables),
 * guest/core/memory.c (memory_stage).
 */
#include "guest/core/memory.h"
#include "guest/life/life.h"
#include "guest/load/load.h"
#include "guest/load/vacpi.h"
#include "lib/string.h"
#define LOG "vm"
#include "arch/log.h"

/* A PC starts here, in real mode. A system that jumps there later wants a reset. */
#define RESET_VECTOR 0xffff0
static const uint8_t reset_code[] = {
    0xba, 0xf9, 0x0c, /* mov dx, VACPI_RESET_PORT */
    0xb0, 0x06,       /* mov al, VACPI_RESET_VALUE */
    0xee,             /* out dx, al */
    0xeb, 0xfe,       /* jmp $ */
};
static_assert(VACPI_RESET_PORT == 0xcf9 && VACPI_RESET_VALUE == 6, "as in reset_code");

int vm_load(struct vm *vm)
{
    const struct vm_config *c = &vm->config;
    struct load l = {
        .vm = vm->name,
        .file = c->kernel->data,
        .size = c->kernel->size,
        .initrd = c->initrd ? c->initrd->data : NULL,
        .initrd_size = c->initrd ? c->initrd->size : 0,
        .cmdline = c->cmdline,
        .ram = memory_stage(vm),
        .low = MIN(vm->ram_size, VM_LOW_RAM_MAX),
        .high = vm->ram_size - MIN(vm->ram_size, VM_LOW_RAM_MAX),
        .rsdp = VACPI_BASE,
        .reserved = vm->reserved,
    };
    if (!l.ram)
        return FAIL(ENOMEM, "vm=%s: no memory to load its kernel", vm->name);
    vacpi_build(l.ram + VACPI_BASE, vm->config.vcpus, vm_mmio64_base(vm));
    memcpy(l.ram + RESET_VECTOR, reset_code, sizeof(reset_code));
    int err = load_kernel(&l);
    memory_unstage(vm, l.ram);
    vm->start = l.start;
    return err;
}

void vm_start_state(struct vm *vm, struct vcpu *v)
{
    const struct vm_start *s = &vm->start;
    vcpu_set_entry(v, s->mode, s->rip, s->rsp, s->cr3);
    vcpu_set_gpr(v, RAX, s->rax);
    vcpu_set_gpr(v, RBX, s->rbx);
    vcpu_set_gpr(v, RSI, s->rsi);
    vcpu_set_gpr(v, RDI, s->rdi);
}
