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
    if (list->last)
        list->last->next = v;
    else
        list->first = v;
    list->last = v;
}

static inline void list_remove(struct vcpu_list *list, struct vcpu *v)
{
    struct vcpu *before = NULL;
    for (struct vcpu *at = list->first; at != v; at = at->next) {
        invariant(at != NULL);
        before = at;
    }
    if (before)
        before->next = v->next;
    else
        list->first = v->next;
    if (list->last == v)
        list->last = before;
    v->next = NULL;
}

/* There is one. */
static inline void list_remove_first(struct vcpu_list *list)
{
    struct vcpu *v = list->first;
    list->first = v->next;
    if (!list->first)
        list->last = NULL;
    v->next = NULL;
}

static inline bool list_holds(const struct vcpu_list *list, const struct vcpu *v)
{
    const struct vcpu *at = list->first;
    while (at && at != v)
        at = at->next;
    return at;
}
