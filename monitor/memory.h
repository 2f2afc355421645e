/* SPDX-License-Identifier: MIT */
/*
 * Guest and host memory by address. A read of what is not there fails and never faults; only a
 * debugger writes.
 * From: monitor/cmd/memory.c, walk.c; monitor/gdb/target.c.   To: monitor/memory.c.
 */
#pragma once
#include "guest/insn/gwalk.h"
#include "guest/core/vm.h"

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
/* 0, or the code of gwalk(); -ENOENT: a table lies outside of memory. */
MUST_CHECK int memory_walk(struct vcpu *v, uint64_t gva, struct memory_walk *out);

enum memory_space { MEMORY_GVA, MEMORY_GPA, MEMORY_HPA };
/* One byte; -EFAULT: there is no memory at that address. */
MUST_CHECK int memory_read8(struct vcpu *v, enum memory_space space, uint64_t at, uint8_t *out);
/* Out of guest memory or into it, for a debugger: a page that is mapped is read and written
 * whatever its rights. Returns how many bytes, up to the first that is not there. */
size_t memory_copy(struct vcpu *v, uint64_t gva, uint8_t *bytes, size_t size, bool to_guest);
