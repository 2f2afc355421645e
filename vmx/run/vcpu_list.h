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
    struct vcpu *first, *last;
};

static inline void list_append(struct vcpu_list *list, struct vcpu *v)
{
    v->next = NULL;
    v->prev = list->last;
    if (v->prev)
        v->prev->next = v;
    else
        list->first = v;
    list->last = v;
}

/* v is on this list. */
static inline void list_remove(struct vcpu_list *list, struct vcpu *v)
{
    struct vcpu **at = v->prev ? &v->prev->next : &list->first;
    invariant(*at == v);
    *at = v->next;
    if (v->next)
        v->next->prev = v->prev;
    else
        list->last = v->prev;
}

static inline bool list_holds(const struct vcpu_list *list, const struct vcpu *v)
{
    const struct vcpu *at = list->first;
    while (at && at != v)
        at = at->next;
    return at;
}
