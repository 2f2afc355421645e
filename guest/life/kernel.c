/* SPDX-License-Identifier: MIT */
/*
 * What firmware and boot loader would leave: tables, the kernel in memory, and the state in which
 * the first vCPU starts it.
 * From: guest/life/create.c (the VM is made), guest/life/control.c (it is reset),
 * guest/life/step.c (each run of run=N).
 * To: guest/load/load.c (load_kernel), guest/load/vacpi.c and firmware.c (tables),
 * guest/core/memory.c (memory_stage).
 */
#include "guest/core/memory.h"
#include "guest/life/life.h"
#include "guest/load/load.h"
#include "guest/load/vacpi.h"
#include "guest/pc/legacy/legacy.h"
#define LOG "vm"
#include "arch/log.h"

static_assert(CONFIG_FILE_MAX == LOAD_MODULE_MAX, "each file of a VM is a module");

int vm_load(struct vm *vm)
{
    const struct vm_config *c = &vm->config;
    struct load l = {
        .vm = vm->name,
        .file = c->kernel->data,
        .size = c->kernel->size,
        .cmdline = c->cmdline,
        .ram = memory_stage(vm),
        .low = MIN(vm->ram_size, VM_LOW_RAM_MAX),
        .high = vm->ram_size - MIN(vm->ram_size, VM_LOW_RAM_MAX),
        .rsdp = VACPI_BASE,
        .reserved = vm->reserved,
    };
    if (!l.ram)
        return FAIL(ENOMEM, "vm=%s: no memory to load its kernel", vm->name);
    for (; l.module_count < c->file_count; l.module_count++) {
        const struct file_config *file = &c->files[l.module_count];
        l.modules[l.module_count] =
            (struct load_module){file->module->data, file->module->size, file->string, 0};
    }
    load_firmware(l.ram);
    vacpi_build(l.ram + VACPI_BASE, vm->config.vcpus, vm_mmio64_base(vm));
    int err = load_kernel(&l);
    vm->start = l.start;
    if (!err && legacy_wanted(vm))
        legacy_tables(vm, l.ram);
    memory_unstage(vm, l.ram);
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
