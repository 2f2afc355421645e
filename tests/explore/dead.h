/* SPDX-License-Identifier: MIT */
/*
 * A guest whose vCPUs halt with interrupts off, and send NMIs to each other. Its end is seen by the
 * last one that halts, or by the tick of another CPU; never while an NMI is on its way.
 * From: tests/explore/posting.c.   To: guest/life/dead.c.
 */
#pragma once
static struct vm vm; /* nothing of it is read */

struct vcpu *vm_next_vcpu(const struct vm *of, const struct vcpu *before)
{
    unsigned next = before ? before->index + 1 : 0;
    return (void)of, next < shape.vcpus ? &w.vcpus[next] : NULL;
}

/* Others may go first between two vCPUs. */
uint64_t vm_exits(const struct vm *of)
{
    uint64_t n = 0;
    for (struct vcpu *v = vm_next_vcpu(of, NULL); v; v = vm_next_vcpu(of, v)) {
        n += atomic_load(&v->exit_count[EXIT_HLT]);
        for (unsigned reason = 0; reason < EXIT_REASON_COUNT; reason++)
            n += reason == EXIT_HLT ? 0 : v->exit_count[reason];
    }
    return n;
}

void vm_end(struct vm *of, unsigned exit_status)
{
    (void)of, (void)exit_status;
    for (unsigned c = 0; c < shape.cpus; c++)
        if (explore_waits_for(c) == in_guest)
            explore_failed("the VM is ended while CPU %u is in the guest", c);
    if (w.nmis != w.nmis_taken)
        explore_failed("the VM is ended while an NMI is on its way");
    w.ended = true;
}

/* The tick of a CPU that runs no vCPU of the VM. */
static void dead_tick(void)
{
    if (vm_is_dead(&vm))
        vm_end(&vm, VM_EXIT_HALTED);
}

/* One at a time: a CPU has room for two only. */
static void dead_sends_nmi(struct vcpu *to)
{
    if (w.nmis != w.nmis_taken)
        return;
    w.nmis++;
    vcpu_nmi(to);
}

static bool dead_wakes(const struct vcpu *v)
{
    return shape.dead && (atomic_load(&v->requests) & VCPU_REQUEST_NMIS);
}

static void dead_takes_nmi(struct vcpu *v)
{
    if (!dead_wakes(v))
        return;
    uint32_t last =
        v->requests & VCPU_REQUEST_NMI_2 ? VCPU_REQUEST_NMI_2 : (uint32_t)VCPU_REQUEST_NMI;
    atomic_fetch_and(&v->requests, ~last);
    w.nmis_taken++;
}

static void dead_watch(struct vcpu *v)
{
    v->vm = &vm;
    explore_watch(&v->state, sizeof(v->state));
    explore_watch(&v->halted_masked, sizeof(v->halted_masked));
    explore_watch(&v->exit_count[EXIT_HLT], sizeof(v->exit_count[EXIT_HLT]));
}

/* Nothing happens any more: the next tick sees it. */
static void dead_at_end(void)
{
    bool asleep = true;
    for (unsigned i = 0; i < shape.vcpus; i++)
        asleep = asleep && w.vcpus[i].state == VCPU_HALTED;
    if (w.nmis != w.nmis_taken)
        explore_failed("an NMI is lost");
    if (asleep != vm_is_dead(&vm))
        explore_failed("all sleep, and no tick ends the VM");
}
