/* SPDX-License-Identifier: MIT */
/*
 * Around each test of the local APIC by software: a VM of three vCPUs, and what their APICs asked
 * of vmx/ and of the I/O APIC.
 * From: tests/unit/test_vlapic.c, tests/unit/test_vlapic_timer.c.   To: guest/pc/vlapic.h.
 */
#pragma once
#include <stdlib.h>
#include <string.h>
#include "arch/apic.h"
#include "arch/msr.h"
#include "arch/page.h"
#include "guest/pc/vioapic.h"
#include "guest/pc/vlapic.h"
#include "guest/core/vm.h"
#include "tests/unit/stubs.h"
#include "vmx/upcalls.h"
#include "guest/pc/pc.h"
#include "tests/unit/test.h"
#include "vmx/caps.h"

#define VCPUS 3

struct vmx_caps vmx_caps;
static struct vm vm;
static struct vcpu vcpus[VCPUS];

/* What the APIC asked of vmx/ and of the I/O APIC. */
static struct {
    int posted[VCPUS], nmis[VCPUS], inits[VCPUS], sipi[VCPUS], mode_changes, eoi, resets;
    uint64_t addresses; /* of which vCPUs it has changed */
    uint64_t takers;    /* which vCPUs take IPIs from the CPU */
} seen;

void vcpu_post(struct vcpu *v, uint8_t vector)
{
    seen.posted[v->index] = vector;
    v->irr[vector / 64] |= BIT(vector % 64);
    v->irq_waits |= (uint8_t)BIT(vector / 64);
}
static unsigned wakes;
void sched_wake(struct vcpu *v)
{
    (void)v;
    wakes++;
}
uint64_t vm_now(const struct vm *m) { return rdtsc() + m->clock; }
int vm_reset(struct vm *m)
{
    assert_ptr_equal(m, &vm);
    return seen.resets++, 0;
}
void vcpu_eoi_exit(struct vcpu *v, uint8_t vector, bool on)
{
    assert_false(on);
    v->eoi_exit[vector / 64] &= ~BIT(vector % 64);
}
void vcpu_nmi(struct vcpu *v) { seen.nmis[v->index]++; }
void vcpu_init_signal(struct vcpu *v) { seen.inits[v->index]++; }
void vcpu_sipi(struct vcpu *v, uint8_t vector) { seen.sipi[v->index] = vector; }
void vcpu_set_deadline(struct vcpu *v, uint64_t tsc) { v->timer_deadline = tsc; }
void vcpu_apic_mode_changed(struct vcpu *v)
{
    (void)v;
    seen.mode_changes++;
}
void vcpu_address_changed(struct vcpu *v) { seen.addresses |= BIT(v->index); }
void vcpu_takes_ipis(struct vcpu *v, bool on)
{
    seen.takers = on ? seen.takers | BIT(v->index) : seen.takers & ~BIT(v->index);
}
void vioapic_eoi(struct vioapic *io, uint8_t vector)
{
    (void)io;
    seen.eoi = vector;
}
void *page_alloc(void) { return calloc(1, PAGE_SIZE); }
void page_free(void *page) { free(page); }

FIXTURE(fresh)
{
    memset(&vm, 0, sizeof(vm));
    memset(vcpus, 0, sizeof(vcpus));
    vm.vcpu_count = VCPUS;
    for (unsigned i = 0; i < VCPUS; i++) {
        vcpus[i].vm = &vm;
        vcpus[i].index = i;
        vcpus[i].vapic = page_alloc();
        vm.vcpus[i] = &vcpus[i];
    }
    assert_int_equal(vlapic_create(&vm), 0);
    for (unsigned i = 0; i < VCPUS; i++)
        vlapic_set(&vcpus[i], APIC_SVR, 0x1ff);
    memset(&seen, 0, sizeof(seen));
    return 0;
}

FIXTURE(done)
{
    vlapic_destroy(&vm);
    assert_int_equal(vm.mmio.count, 0);
    for (unsigned i = 0; i < VCPUS; i++)
        page_free(vcpus[i].vapic);
    return 0;
}

static inline uint64_t load(unsigned offset, unsigned width)
{
    const struct vm_range *r = vm_bus_find(&vm.mmio, VM_APIC_BASE);
    return r->read(&vcpus[0], r->owner, offset, width) & WIDTH_MASK(width);
}

static inline void store(unsigned offset, unsigned width, uint64_t value)
{
    const struct vm_range *r = vm_bus_find(&vm.mmio, VM_APIC_BASE);
    r->write(&vcpus[0], r->owner, offset, width, value);
}

static inline uint32_t msr_of(unsigned offset) { return MSR_X2APIC_FIRST + offset / 16; }
static inline void to_x2apic(struct vcpu *v)
{
    assert_int_equal(
        vcpu_on_wrmsr(v, MSR_IA32_APIC_BASE, VM_APIC_BASE | APIC_BASE_EN | APIC_BASE_EXTD), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fresh, done)
