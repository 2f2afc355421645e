/* SPDX-License-Identifier: MIT */
/*
 * On which CPU a vCPU runs that is not pinned; which CPU has one.
 * From: vmx/run/sched.c; guest/life/create.c and kills.c (leak checks).   To: vmx/run/place.c.
 */
#pragma once
#include "arch/cpu.h"
#include "vmx/vcpu/vcpu.h"

/* For a vCPU that starts. */
struct cpu *place_first(const struct vcpu *v);
/* For one that waits on this CPU: one with fewer vCPUs awake; NULL: there is none. One less is
 * enough: then vCPUs move in turns, and three vCPUs on two CPUs get equal shares. */
struct cpu *place_lighter(const struct vcpu *v);

/* Leak checks: the number of vCPUs that have a home; whether v is on any queue or wake list. */
unsigned place_load(void);
bool place_knows(const struct vcpu *v);
