/* SPDX-License-Identifier: MIT */
/*
 * A vCPU around vmx/vcpu/inject.c: its VMCS is an array, its local APIC one vector that waits.
 * From: tests/unit/test_inject*.c.
 * Spec: SDM "Event Injection".
 */
#pragma once
#include "arch/apic.h"
#include "arch/cpu.h"
#include "lib/atomic.h"
#include "tests/unit/stubs.h"
#include "vmx/vmcs.h"
#include <string.h>
#include "arch/x86.h"
#include "tests/unit/test.h"
#include "vmx/vcpu/vcpu.h"
#include "vmx/vcpu/inject.h"
#include "vmx/vcpu/registers.h"
#include "vmx/run/post.h"
#include "vmx/caps.h"

struct vmx_caps vmx_caps;
static uint64_t fields[0x7000];
static struct vcpu v;
static uint32_t apic_page[1024];
static const char *crashed;
static int irq_next, irq_accepted;
static int ext_vector, ext_taken;
static uint64_t cr2;

static struct cpu cpu;
struct cpu *this_cpu(void) { return &cpu; }
uint64_t vmread(enum vmcs_field field) { return fields[field]; }
void vmwrite(enum vmcs_field field, uint64_t value)
{
    assert_true(FIELD_GET(VMCS_FIELD_TYPE, field) != VMCS_TYPE_EXIT_INFO);
    fields[field] = value;
}
void registers_set_cr2(uint64_t linear) { cr2 = linear; }
void vcpu_set_proc(struct vcpu *vcpu, uint32_t proc) { vcpu->proc = proc; }
void vcpu_on_crash(struct vcpu *vcpu, const char *why)
{
    assert_ptr_equal(vcpu, &v);
    crashed = why;
}
/* As vmx/run/post.c does it. */
static inline void request_nmi(struct vcpu *vcpu)
{
    atomic_fetch_or(&vcpu->requests, VCPU_REQUEST_NMI);
}
int apic_next_irq(struct vcpu *vcpu)
{
    (void)vcpu;
    return irq_next;
}
void apic_on_irq_taken(struct vcpu *vcpu, uint8_t vector)
{
    irq_accepted = vector;
    irq_next = -1;
    vcpu->irr[vector / 64] = 0;
    vcpu->irq_waits = 0;
}
int apic_extint(struct vcpu *vcpu, bool take)
{
    (void)vcpu;
    ext_taken += take && ext_vector >= 0;
    return ext_vector;
}

/* A guest in protected mode, with interrupts on. */
FIXTURE(create)
{
    memset(fields, 0, sizeof(fields));
    memset(apic_page, 0, sizeof(apic_page));
    v = (struct vcpu){.vapic = apic_page};
    vmx_caps.apicv = false;
    crashed = NULL;
    irq_next = irq_accepted = ext_vector = -1;
    ext_taken = 0;
    fields[GUEST_CR0] = CR0_PE | CR0_NE | CR0_PG;
    fields[GUEST_RFLAGS] = RFLAGS_1 | RFLAGS_IF;
    return 0;
}

static inline void offer(uint8_t vector)
{
    irq_next = vector;
    v.irr[vector / 64] |= BIT(vector % 64);
    v.irq_waits = (uint8_t)BIT(vector / 64);
}
