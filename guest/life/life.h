/* SPDX-License-Identifier: MIT */
/*
 * The life of a VM: it is made, runs, is paused, reset, looked at, ends and is reported.
 * From: boot/main.c (vm_create_all, vm_run_all), monitor/ (what a person does to it).
 * To: guest/life/create.c, run.c, control.c, step.c, kills.c, report.c.
 */
#pragma once
#include "arch/boot_info.h"
#include "guest/core/vm.h"

/* create.c: make every VM that the modules describe. One that cannot be made is logged and left out. Returns
 * how many were made; *refused: how many were not. */
unsigned vm_create_all(const struct boot_info *info);
/* run.c: run them until the last has ended. Returns how many were not made, or did not end with a status of
 * success (1, or 0). */
unsigned vm_run_all(void);

/* --- control.c: from between two turns of the scheduler on the bootstrap processor (vm_hooks.poll) ------ */

/* Each returns at once; the vCPUs follow within a time slice. -EBUSY: not in a state for that. */
MUST_CHECK int vm_resume(struct vm *vm);
/* The same for those of its vCPUs whose bit, by index, is set: the others stay where they are. */
MUST_CHECK int vm_resume_some(struct vm *vm, uint32_t vcpus);
void vm_follow_up(struct vm *vm); /* what vm_pause() and vm_reset() have left to do */
/* Look at a vCPU whose state may be in another CPU: that CPU unloads it first. */
void vm_visit(struct vcpu *v, void (*look)(struct vcpu *v, void *ctx), void *ctx);

/* --- Between the files of this room --------------------------------------------------------------- */

MUST_CHECK int
vm_make(struct vm *vm); /* create.c: all of it, by its configuration; fails: vm_give_back() */
void vm_give_back(struct vm *vm); /* create.c: vm_make() in reverse; parts may be missing */
void vm_init_fields(struct vm *vm, const struct vm_config *config, unsigned index);
size_t vm_refused_count(void);         /* create.c: described by a module, but not made */
MUST_CHECK int vm_load(struct vm *vm); /* create.c: its kernel into its memory */
void vm_start_state(struct vm *vm, struct vcpu *v); /* create.c: as the loader starts the kernel */

/* kills.c: decide when this life ends; is it time; the VM is gone: count. */
void kills_plan(struct vm *vm);
bool kills_due(const struct vm *vm);
void kills_count(struct vm *vm);
MUST_CHECK int step_prepare(struct vm *vm); /* step.c: run=N */
/* report.c */
uint64_t vm_exit_count(const struct vm *vm, unsigned reason); /* of all its vCPUs */
uint64_t vm_exits(const struct vm *vm);                       /* for all reasons */
void report_vm(const struct vm *vm);
