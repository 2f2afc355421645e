/* SPDX-License-Identifier: MIT */
/*
 * Memory as somebody sees it, for looking only: what cannot be read is told, nothing faults, nothing changes.
 * From: monitor/cmd_memory.c, cmd_walk.c.   To: monitor/memory.c.
 */
#pragma once
#include "guest/gwalk.h"
#include "guest/vm.h"

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
/* Into guest memory, for a debugger. */
MUST_CHECK int memory_write8(struct vcpu *v, uint64_t gva, uint8_t byte);
