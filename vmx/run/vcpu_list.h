/* SPDX-License-Identifier: MIT */
/*
 * A list of vCPUs, first come, first served; a vCPU is on one list at most. The owner
 * locks its list.
 * From: vmx/run/sched.c.
 */
#pragma once
#include "arch/panic.h"
#include "vmx/vcpu/vcpu.h"

struct vcpu_list {
    struct vcpu *first;
    struct vcpu **end; /* the pointer that is NULL: `first`, or `next` of the last one */
};

static inline void list_init(struct vcpu_list *list)
{
    list->first = NULL;
    list->end = &list->first;
}

static inline void list_append(struct vcpu_list *list, struct vcpu *v)
{
    v->next = NULL;
    v->pointer = list->end;
    *list->end = v;
    list->end = &v->next;
}

/* v is on this list. */
static inline void list_remove(struct vcpu_list *list, struct vcpu *v)
{
    struct vcpu *next = v->next;
    invariant(*v->pointer == v);
    *v->pointer = next;
    if (next)
        next->pointer = v->pointer;
    else
        list->end = v->pointer;
}

static inline bool list_holds(const struct vcpu_list *list, const struct vcpu *v)
{
    const struct vcpu *at = list->first;
    while (at && at != v)
        at = at->next;
    return at;
}
