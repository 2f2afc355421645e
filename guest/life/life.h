/* SPDX-License-Identifier: MIT */
/*
 * The life of a VM: it is made, runs, is resumed, reset, looked at, ends and is reported.
 * From: boot/main.c (vm_create_all, vm_refuse_all, vm_run_all), monitor/ (commands on a VM).
 * To: guest/life/create.c, run.c, dead.c, control.c, kernel.c, step.c, kills.c, report.c.
 *
 * The bootstrap processor calls all of it, at boot or between two turns of its scheduler. Only
 * vm_start_state() is also called on the CPU of a vCPU (guest/life/step.c).
 */
#pragma once
#include "arch/boot_info.h"
#include "guest/core/vm.h"

/* create.c: make every VM that the modules describe. One that cannot be made is logged and left
 * out. Returns how many were made. */
unsigned vm_create_all(const struct boot_info *info);
/* Instead, where guests cannot run: a row for each VM that was asked for. Returns how many. */
unsigned vm_refuse_all(const struct boot_info *info);
/* run.c: run them until the last has ended. Returns how many were not made, or ended with a status
 * other than success (0 or 1). */
unsigned vm_run_all(void);

/* --- control.c: for the monitor, which runs from vm_hooks.poll -------------------------------- */

/* Let a paused VM go on. Returns at once; its vCPUs follow within a time slice. -EBUSY: it is not
 * paused, or not all its vCPUs have stopped yet. */
MUST_CHECK int vm_resume(struct vm *vm);
/* The same for the vCPUs whose bit, by index, is set; the others stay stopped. */
MUST_CHECK int vm_resume_some(struct vm *vm, uint32_t vcpus);
/* Call look(v, ctx) while the state of v is loaded here or on no CPU. Another CPU that has it
 * unloads it first. */
void vm_visit(struct vcpu *v, void (*look)(struct vcpu *v, void *ctx), void *ctx);

/* --- report.c --------------------------------------------------------------------------------- */

uint64_t vm_exit_count(const struct vm *vm, unsigned reason); /* of all its vCPUs */
uint64_t vm_exits(const struct vm *vm);                       /* for all reasons */

/* --- Between the files of this room ----------------------------------------------------------- */

/* create.c: all parts of a VM, by its configuration. After an error the caller gives back the parts
 * that exist. */
MUST_CHECK int vm_make(struct vm *vm);
/* create.c: undo vm_make() in reverse; parts may be missing. */
void vm_give_back(struct vm *vm);
/* create.c: a struct vm without parts. */
void vm_init_fields(struct vm *vm, const struct vm_config *config, unsigned index);
/* create.c: VMs that a module describes, but that were not made. */
size_t vm_refused_count(void);
/* kernel.c: tables and kernel into the VM's memory. -ENOMEM, or the error of load_kernel(). */
MUST_CHECK int vm_load(struct vm *vm);
/* kernel.c: set the vCPU as the loader starts the kernel. */
void vm_start_state(struct vm *vm, struct vcpu *v);
/* clock.c: the VM's time is as at the start, and stands; it stands; it goes on where it stands. Its
 * vCPUs are still. */
void vm_clock_reset(struct vm *vm);
void vm_clock_stop(struct vm *vm);
void vm_clock_go(struct vm *vm);
/* reset.c: all virtual parts as at power-on. The VM is still; its RAM stays as it is. */
void vm_power_on(struct vm *vm);
/* control.c: each tick, finish what vm_pause() and vm_reset() have begun. */
void vm_follow_up(struct vm *vm);
/* kills.c: plan the end of this life; is it time to kill; count what VMs hold while this one
 * is gone. */
void kills_plan(struct vm *vm);
bool kills_due(const struct vm *vm);
void kills_count(struct vm *vm);
/* dead.c: every vCPU sleeps, and none is left that could wake one up. */
bool vm_is_dead(const struct vm *vm);
/* step.c: arm the first vCPU for run=N. */
MUST_CHECK int step_prepare(struct vm *vm);
/* report.c: print all lines of the report. */
void report_vm(const struct vm *vm);
