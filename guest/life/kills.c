/* SPDX-License-Identifier: MIT */
/*
 * kills=N: a VM is killed N times, each time at a random moment, and made again. After the last
 * kill it runs to its own end. Between its lives all resources that VMs take are counted: a count
 * that differs from the first one is a leak.
 * From: guest/life/run.c (kills_plan, kills_due, kills_count).
 * To: arch/page.c, arch/irq.c, vtd/context.c, vmx/run/place.c (each counts its own resource).
 */
#include "arch/page.h"
#include "arch/time.h"
#include "arch/trap.h"
#include "guest/life/life.h"
#include "vmx/run/place.h"
#include "vtd/vtd.h"
#define LOG "vm"
#include "arch/log.h"

#define MOMENT_US 50000 /* a life that ends by a kill lasts at most that long */

/* xorshift, stirred by the TSC: the moments need to differ, no more. */
static uint64_t random_moment(void)
{
    static uint64_t x = 1;
    x ^= rdtsc() << 7;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x;
}

void kills_plan(struct vm *vm)
{
    if (vm->kills.left)
        vm->kills.at = time_deadline_us(random_moment() % MOMENT_US + 1);
}

bool kills_due(const struct vm *vm) { return vm->kills.left && rdtsc() >= vm->kills.at; }

static struct vm_census take_census(void)
{
    struct vm_census c = {page_free_count(), vtd_irte_count(),  vtd_domains_used(),
                          irq_count(),       vcpu_vpid_count(), place_load(),
                          .vms = 0};
    for (struct vm *vm = vm_next(NULL); vm; vm = vm_next(vm))
        c.vms += vm->state != VM_ENDED;
    return c;
}

static void print_census(const struct vm *vm, const char *when, const struct vm_census *c)
{
    console_line("hamlet: vm=%s %s free-pages=%zu irtes=%u domains=%u vectors=%u vpids=%u vcpus=%u",
                 vm->name, when, c->pages, c->irtes, c->domains, c->vectors, c->vpids, c->vcpus);
}

void kills_count(struct vm *vm)
{
    if (!vm->config.kills)
        return;
    struct vm_census now = take_census(), *first = &vm->kills.first;
    if (!vm->kills.done || first->vms != now.vms)
        *first = now; /* another VM has ended, and given back its own */
    if (first->pages != now.pages || first->irtes != now.irtes || first->domains != now.domains ||
        first->vectors != now.vectors || first->vpids != now.vpids || first->vcpus != now.vcpus) {
        vm->kills.lost++;
        print_census(vm, "lost", &now);
    }
    if (!vm->kills.left) {
        print_census(vm, "first", first);
        print_census(vm, "last", &now);
        console_line("hamlet: vm=%s kills=%u lost=%u", vm->name, vm->kills.done, vm->kills.lost);
        return;
    }
    vm->kills.done++;
    vm->kills.left--;
}
