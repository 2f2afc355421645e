/* SPDX-License-Identifier: MIT */
/*
 * Guest and host memory by address. A read where no memory is fails and never faults; only a
 * debugger writes.
 * From: monitor/cmd/memory.c, walk.c; monitor/gdb/target.c.   To: monitor/memory.c.
 */
#pragma once
#include "guest/insn/gwalk.h"
#include "vmx/vcpu/vcpu.h"

#define WALK_STEP_MAX 5

/* The guest's own tables, as its CPU walks them. */
struct memory_walk {
    unsigned count, levels; /* levels: of the first step; PAE's four registers are no step */
    struct {
        gpa_t at;
        uint64_t entry;
    } steps[WALK_STEP_MAX];
    bool paging;
    struct gwalk end;
};
/* Returns 0, or the code of gwalk(); -ENOENT: a table lies outside of the guest's memory. */
MUST_CHECK int memory_walk(struct vcpu *v, uint64_t gva, struct memory_walk *out);

enum memory_space { MEMORY_GVA, MEMORY_GPA, MEMORY_HPA };
/* One byte; -EFAULT: there is no memory at that address. */
MUST_CHECK int memory_read8(struct vcpu *v, enum memory_space space, uint64_t at, uint8_t *out);
/* The CPU's state for walks; from anywhere. */
void memory_paging(struct vcpu *v, struct vcpu_paging *out);
/* memory_copy() reads BARs, too: a register of a device may do something when it is read. */
extern bool memory_bars;
/* Copy from guest memory, or to it, for a debugger: the rights of a mapped page do not count.
 * Returns the number of bytes up to the first that is not mapped. */
size_t memory_copy(struct vcpu *v, uint64_t gva, uint8_t *bytes, size_t size, bool to_guest);
