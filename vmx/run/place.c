/* SPDX-License-Identifier: MIT */
/*
 * On which CPU a vCPU runs: where the fewest are. Of those in the socket of its VM, where memory
 * and interrupts are near, and of those on a core whose other threads have nothing to do.
 * From: vmx/run/sched.c; guest/life/create.c and kills.c (leak checks).   To: vmx/run/queue.h.
 * Contract: vmx/run/place.h.
 */
#include "vmx/run/place.h"
#include "lib/atomic.h"
#include "vmx/cpu.h"
#include "vmx/run/queue.h"

enum { THREAD_IS_USED = 1, OTHER_SOCKET = 2, ONE_MORE = 4 };

/* How many vCPUs are there: at home, or only those awake. */
static unsigned count(struct cpu *cpu, bool awake)
{
    const struct run_queue *q = vmx_cpu(cpu)->queue;
    return atomic_load(awake ? &q->busy : &q->load);
}

/* What is wrong with this CPU. The VM is where its first vCPU is. */
static unsigned flaws(struct cpu *cpu, const struct vcpu *v, bool awake)
{
    const struct cpu *home = atomic_load(&v->first->cpu);
    unsigned n = ONE_MORE * count(cpu, awake);
    if (home && home->socket != cpu->socket)
        n += OTHER_SOCKET;
    for (struct cpu *t = cpu->next_thread; t != cpu; t = t->next_thread)
        if (vmx_cpu(t)->queue && count(t, awake)) {
            n += THREAD_IS_USED;
            break;
        }
    return n;
}

/* Among the CPUs that have fewer vCPUs than `limit`. */
static struct cpu *best_cpu(const struct vcpu *v, bool awake, unsigned limit)
{
    struct cpu *best = NULL;
    unsigned least = UINT32_MAX;
    for (unsigned i = 0; i < cpu_count(); i++) {
        struct cpu *cpu = cpu_get(i);
        if (!vmx_cpu(cpu)->queue || count(cpu, awake) >= limit)
            continue;
        unsigned n = flaws(cpu, v, awake);
        if (n < least) {
            least = n;
            best = cpu;
        }
    }
    return best;
}

struct cpu *place_first(const struct vcpu *v) { return best_cpu(v, false, UINT32_MAX); }

struct cpu *place_lighter(const struct vcpu *v)
{
    return best_cpu(v, true, count(this_cpu(), true));
}

COLD unsigned place_load(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < cpu_count(); i++)
        if (vmx_cpu(cpu_get(i))->queue)
            n += count(cpu_get(i), false);
    return n;
}

COLD bool place_knows(const struct vcpu *v)
{
    bool found = false;
    for (unsigned i = 0; i < cpu_count() && !found; i++) {
        struct run_queue *q = vmx_cpu(cpu_get(i))->queue;
        if (!q)
            continue;
        spin_lock(&q->lock);
        found = list_holds(&q->ready, v) || list_holds(&q->halted, v);
        spin_unlock(&q->lock);
    }
    return found;
}
