/* SPDX-License-Identifier: MIT */
/*
 * The local APIC by software: what each register takes, priorities, destinations, IPIs.
 * The timer: tests/unit/test_vlapic_timer.c.
 */
// sources: guest/pc/vlapic.c guest/pc/vlapic_irq.c guest/pc/vlapic_timer.c guest/core/bus.c
// sources: guest/pc/vlapic_dest.c
#include "tests/unit/vlapic_fixture.h"

/* SDM "Local APIC State After Power-Up or Reset" */
TEST(after_reset)
{
    struct vcpu *v = &vcpus[2];
    apic_on_init(v);
    assert_int_equal(vlapic_get(v, APIC_ID), 2 << 24);
    assert_int_equal(vlapic_get(v, APIC_DFR), UINT32_MAX);
    assert_int_equal(vlapic_get(v, APIC_SVR), 0xff);
    assert_int_equal(vlapic_get(v, APIC_LVT_LINT0), 0x10000);
    assert_int_equal(vlapic_get(v, APIC_LVT_TIMER), 0x10000);
    assert_int_equal(v->apic_base, VM_APIC_BASE | APIC_BASE_EN);
    assert_int_equal(vcpus[0].apic_base, VM_APIC_BASE | APIC_BASE_EN | APIC_BASE_BSP);
}

TEST(writable_bits)
{
    static const struct {
        unsigned offset;
        uint32_t after_ones;
    } rows[] = {
        {APIC_ID, 0},
        {APIC_VERSION, 0x50014},
        {APIC_TPR, 0xff},
        {APIC_LDR, 0xff000000},
        {APIC_DFR, UINT32_MAX},
        {APIC_SVR, 0x1ff},
        {APIC_ESR, 0},
        {APIC_ICR_HIGH, 0xff000000},
        {APIC_LVT_TIMER, 0x700ff},
        {APIC_LVT_THERMAL, 0x107ff},
        {APIC_LVT_LINT1, 0x1a7ff},
        {APIC_LVT_ERROR, 0x100ff},
        {APIC_TIMER_DIVIDE, 0xb},
        {APIC_ISR, 0},
        {APIC_IRR, 0},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        store(rows[i].offset, 4, UINT32_MAX);
        assert_int_equal(load(rows[i].offset, 4), rows[i].after_ones);
    }
}

TEST(odd_accesses)
{
    store(APIC_LDR, 4, 0x12000000);
    assert_int_equal(load(APIC_LDR + 3, 1), 0x12);
    assert_int_equal(load(APIC_LDR + 2, 2), 0x1200);
    assert_int_equal(load(APIC_LDR + 2, 4), 0); /* across the register's end */
    assert_int_equal(load(APIC_LDR + 4, 4), 0);
    assert_int_equal(load(0x40, 4), 0);
    store(APIC_LDR, 1, 0xff);
    store(APIC_LDR, 8, UINT64_MAX);
    store(APIC_LDR + 4, 4, UINT32_MAX);
    assert_int_equal(load(APIC_LDR, 4), 0x12000000);
    store(APIC_SELF_IPI, 4, 0x40); /* not in this mode */
    assert_int_equal(seen.posted[0], 0);
}

/* While disabled by SVR, LVT entries are masked and stay so, and nothing is accepted. */
TEST(software_disable)
{
    store(APIC_LVT_ERROR, 4, 0x55);
    store(APIC_SVR, 4, 0xff);
    assert_int_equal(load(APIC_LVT_ERROR, 4), 0x10055);
    store(APIC_LVT_ERROR, 4, 0x56);
    assert_int_equal(load(APIC_LVT_ERROR, 4), 0x10056);
    vlapic_deliver(&vcpus[0], 0x40);
    assert_int_equal(seen.posted[0], 0);
}

/* SDM "x2APIC State Transitions" */
TEST(modes)
{
    struct vcpu *v = &vcpus[1];
    uint64_t off = VM_APIC_BASE, on = off | APIC_BASE_EN, x2 = on | APIC_BASE_EXTD, value;
    assert_int_equal(vcpu_on_wrmsr(v, MSR_IA32_APIC_BASE, off | APIC_BASE_EXTD), -ENOENT);
    assert_int_equal(vcpu_on_wrmsr(v, MSR_IA32_APIC_BASE, on + PAGE_SIZE), -ENOENT);
    assert_int_equal(vcpu_on_wrmsr(v, MSR_IA32_APIC_BASE, on | BIT(9)), -ENOENT);
    assert_int_equal(vcpu_on_wrmsr(v, MSR_IA32_APIC_BASE, on | BIT(60)), -ENOENT);
    assert_int_equal(seen.mode_changes, 0);
    assert_int_equal(vcpu_on_wrmsr(v, MSR_IA32_APIC_BASE, x2), 0);
    assert_int_equal(vcpu_on_wrmsr(v, MSR_IA32_APIC_BASE, on), -ENOENT);
    assert_int_equal(vcpu_on_rdmsr(v, msr_of(APIC_ID), &value), 0);
    assert_int_equal(value, 1);
    assert_int_equal(vcpu_on_rdmsr(v, msr_of(APIC_LDR), &value), 0);
    assert_int_equal(value, 2);
    assert_int_equal(vcpu_on_wrmsr(v, MSR_IA32_APIC_BASE, off), 0);
    assert_int_equal(vcpu_on_rdmsr(v, msr_of(APIC_ID), &value), -ENOENT);
    assert_int_equal(vcpu_on_wrmsr(v, MSR_IA32_APIC_BASE, x2), -ENOENT);
    assert_int_equal(vcpu_on_wrmsr(v, MSR_IA32_APIC_BASE, on), 0);
    assert_int_equal(vlapic_get(v, APIC_ID), 1 << 24);
    assert_int_equal(seen.mode_changes, 3);
    assert_int_equal(vcpu_on_rdmsr(v, MSR_IA32_APIC_BASE, &value), 0);
    assert_int_equal(value, on);
}

/* SDM "x2APIC Register Address Space": what is #GP. */
TEST(x2apic_faults)
{
    struct vcpu *v = &vcpus[0];
    uint64_t value;
    assert_int_equal(vcpu_on_rdmsr(v, msr_of(APIC_TPR), &value), -ENOENT); /* in xAPIC mode */
    to_x2apic(v);
    static const unsigned no_read[] = {APIC_EOI,      APIC_SELF_IPI, APIC_DFR,
                                       APIC_ICR_HIGH, 0x40,          0x3d0};
    static const unsigned no_write[] = {APIC_ID,  APIC_VERSION, APIC_PPR, APIC_LDR,
                                        APIC_DFR, APIC_ISR,     APIC_IRR, APIC_TIMER_CURRENT,
                                        0x40,     APIC_ICR_HIGH};
    for (size_t i = 0; i < ARRAY_COUNT(no_read); i++)
        assert_int_equal(vcpu_on_rdmsr(v, msr_of(no_read[i]), &value), -ENOENT);
    for (size_t i = 0; i < ARRAY_COUNT(no_write); i++)
        assert_int_equal(vcpu_on_wrmsr(v, msr_of(no_write[i]), 0), -ENOENT);
    assert_int_equal(vcpu_on_wrmsr(v, msr_of(APIC_EOI), 1), -ENOENT);
    assert_int_equal(vcpu_on_wrmsr(v, msr_of(APIC_EOI), 0), 0);
    assert_int_equal(vcpu_on_wrmsr(v, msr_of(APIC_ESR), 1), -ENOENT);
    assert_int_equal(vcpu_on_wrmsr(v, msr_of(APIC_TPR), 0x100), -ENOENT);
    assert_int_equal(vcpu_on_wrmsr(v, msr_of(APIC_TPR), BIT(32)), -ENOENT);
    assert_int_equal(vcpu_on_wrmsr(v, msr_of(APIC_SVR), BIT(12)), -ENOENT);
    assert_int_equal(vcpu_on_wrmsr(v, 0x8ff, 0), -ENOENT);
    assert_int_equal(vcpu_on_rdmsr(v, 0x12345, &value), -ENOENT);
}

static void take(unsigned vector) { vcpu_post(&vcpus[0], (uint8_t)vector); }

/* SDM "Interrupt, Task, and Processor Priority" */
TEST(priorities)
{
    struct vcpu *v = &vcpus[0];
    assert_int_equal(apic_next_irq(v), -1);
    take(0x41);
    take(0x83);
    assert_int_equal(load(APIC_IRR + 0x20, 4), 2); /* seen before it is folded */
    assert_int_equal(apic_next_irq(v), 0x83);
    apic_on_irq_taken(v, 0x83);
    assert_int_equal(load(APIC_ISR + 0x40, 4), 8);
    assert_int_equal(load(APIC_PPR, 4), 0x80);
    assert_int_equal(apic_next_irq(v), -1);
    take(0x8f); /* the same class waits */
    assert_int_equal(apic_next_irq(v), -1);
    take(0x90);
    assert_int_equal(apic_next_irq(v), 0x90);
    apic_on_irq_taken(v, 0x90);
    store(APIC_EOI, 4, 0); /* ends the highest */
    assert_int_equal(load(APIC_ISR + 0x40, 4), 8);
    assert_int_equal(apic_next_irq(v), -1);
    store(APIC_EOI, 4, 0);
    assert_int_equal(load(APIC_PPR, 4), 0);
    assert_int_equal(apic_next_irq(v), 0x8f);
    store(APIC_TPR, 4, 0x8a);
    assert_int_equal(load(APIC_PPR, 4), 0x8a);
    assert_int_equal(apic_next_irq(v), -1);
    store(APIC_TPR, 4, 0x3f);
    assert_int_equal(apic_next_irq(v), 0x8f);
    store(APIC_EOI, 4, 0); /* nothing in service: nothing happens */
    assert_int_equal(seen.eoi, 0);
}

TEST(level_eoi)
{
    vcpus[0].eoi_exit[1] = BIT(2); /* vector 0x42 */
    for (unsigned vector = 0x41; vector <= 0x42; vector++) {
        take(vector);
        assert_int_equal(apic_next_irq(&vcpus[0]), vector);
        apic_on_irq_taken(&vcpus[0], (uint8_t)vector);
        store(APIC_EOI, 4, 0);
        assert_int_equal(seen.eoi, vector == 0x42 ? 0x42 : 0);
    }
}

/* SDM "Determining IPI Destination" */
TEST(destinations)
{
    assert_int_equal(vlapic_match(&vm, 1, false), 2);
    assert_int_equal(vlapic_match(&vm, 7, false), 0);
    assert_int_equal(vlapic_match(&vm, 0xff, false), 7);
    assert_int_equal(vlapic_match(&vm, 0xff, true), 7);
    vlapic_set(&vcpus[0], APIC_LDR, 0x01000000);
    vlapic_set(&vcpus[1], APIC_LDR, 0x12000000);
    vlapic_set(&vcpus[2], APIC_LDR, 0x84000000);
    assert_int_equal(vlapic_match(&vm, 0x85, true), 5); /* flat */
    for (unsigned i = 0; i < VCPUS; i++)
        vlapic_set(&vcpus[i], APIC_DFR, 0x0fffffff); /* clusters */
    assert_int_equal(vlapic_match(&vm, 0x12, true), 2);
    assert_int_equal(vlapic_match(&vm, 0x8f, true), 4);
    assert_int_equal(vlapic_match(&vm, 0x11, true), 0);
    to_x2apic(&vcpus[1]);
    assert_int_equal(vlapic_match(&vm, 0x2, true), 2);
    assert_int_equal(vlapic_match(&vm, 0x10002, true), 0);
    assert_int_equal(vlapic_match(&vm, UINT32_MAX, true), 7);
    vcpus[2].apic_base = 0;
    assert_int_equal(vlapic_match(&vm, 0xff, false), 3);
}

/* SDM "Local APIC State After It Has Been Software Disabled" */
TEST(takers)
{
    vlapic_set(&vcpus[0], APIC_SVR, 0xff);
    vcpus[1].apic_base = 0;
    assert_int_equal(vlapic_takers(&vm, 7), 4);
    assert_int_equal(vlapic_takers(&vm, 3), 0);
}

static void icr(uint32_t high, uint32_t low)
{
    memset(&seen, 0, sizeof(seen));
    store(APIC_ICR_HIGH, 4, high << 24);
    store(APIC_ICR, 4, low);
}

/* SDM "Interrupt Command Register (ICR)" */
TEST(ipis)
{
    icr(2, 0x4055);
    assert_int_equal(seen.posted[2], 0x55);
    assert_int_equal(seen.posted[0] | seen.posted[1], 0);
    icr(0, 0x44056); /* self */
    assert_int_equal(seen.posted[0], 0x56);
    assert_int_equal(seen.posted[1], 0);
    icr(0, 0xc4057); /* all others */
    assert_int_equal(seen.posted[0], 0);
    assert_int_equal(seen.posted[1], 0x57);
    assert_int_equal(seen.posted[2], 0x57);
    icr(0, 0x84058); /* all */
    assert_int_equal(seen.posted[0], 0x58);
    assert_int_equal(seen.posted[2], 0x58);
    icr(0xff, 0x4159); /* lowest priority: one of them */
    assert_int_equal((seen.posted[0] == 0x59) + (seen.posted[1] == 0x59) + (seen.posted[2] == 0x59),
                     1);
    icr(1, 0x4400);
    assert_int_equal(seen.nmis[1], 1);
    icr(1, 0x4500);
    assert_int_equal(seen.inits[1], 1);
    icr(1, 0x8500); /* level de-assert */
    assert_int_equal(seen.inits[1], 0);
    icr(1, 0x4608);
    assert_int_equal(seen.sipi[1], 8);
    icr(1, 0x400f); /* no vector for an interrupt */
    assert_int_equal(seen.posted[1], 0);
    assert_int_equal(vm.apics[0]->errors, BIT(5)); /* the sender's error */
    assert_int_equal(vm.apics[1]->errors, 0);
    icr(0, 0x4500); /* INIT to the first: what a PC's firmware makes of it */
    assert_int_equal(seen.inits[0], 0);
    assert_int_equal(seen.resets, 1);
}

TEST(x2apic_ipis)
{
    uint64_t value;
    to_x2apic(&vcpus[0]);
    assert_int_equal(vcpu_on_wrmsr(&vcpus[0], msr_of(APIC_ICR), UINT64_C(2) << 32 | 0x61), 0);
    assert_int_equal(seen.posted[2], 0x61);
    assert_int_equal(vcpu_on_rdmsr(&vcpus[0], msr_of(APIC_ICR), &value), 0);
    assert_int_equal(value, UINT64_C(2) << 32 | 0x61);
    assert_int_equal(vcpu_on_wrmsr(&vcpus[0], msr_of(APIC_SELF_IPI), 0x62), 0);
    assert_int_equal(seen.posted[0], 0x62);
    assert_int_equal(vcpu_on_wrmsr(&vcpus[0], msr_of(APIC_ICR), BIT(20)), -ENOENT);
}

/* With APIC virtualization the value is in the page before Hamlet is asked. */
TEST(trap_like_writes)
{
    struct vcpu *v = &vcpus[1];
    vmx_caps.apicv = true;
    vlapic_set(v, APIC_ID, 0x77000000);
    apic_on_write(v, APIC_ID);
    assert_int_equal(vlapic_get(v, APIC_ID), 1 << 24);
    vlapic_set(v, APIC_DFR, 0);
    apic_on_write(v, APIC_DFR);
    assert_int_equal(vlapic_get(v, APIC_DFR), 0x0fffffff);
    vlapic_set(v, APIC_LVT_LINT0, UINT32_MAX);
    apic_on_write(v, APIC_LVT_LINT0);
    assert_int_equal(vlapic_get(v, APIC_LVT_LINT0), 0x1a7ff);
    vlapic_set(v, APIC_ICR_HIGH, 2 << 24);
    vlapic_set(v, APIC_ICR, 0x4066);
    apic_on_write(v, APIC_ICR);
    assert_int_equal(seen.posted[2], 0x66);
    vmx_caps.apicv = false;
}

/* In x2APIC mode ICR is one register, of 64 bits; and an illegal vector to oneself comes here. */
TEST(trap_like_writes_in_x2apic_mode)
{
    struct vcpu *v = &vcpus[1];
    vmx_caps.apicv = true;
    to_x2apic(v);
    vlapic_set(v, APIC_ICR_HIGH, 0);
    vlapic_set(v, APIC_ICR, 0x1066); /* bit 12 is no part of the register */
    vlapic_set(v, APIC_ICR + 4, 2);
    apic_on_write(v, APIC_ICR);
    assert_int_equal(seen.posted[2], 0x66);
    assert_int_equal(vlapic_get(v, APIC_ICR), 0x66);
    vlapic_set(v, APIC_SELF_IPI, 15);
    apic_on_write(v, APIC_SELF_IPI);
    assert_int_equal(vcpu_on_wrmsr(v, msr_of(APIC_ESR), 0), 0);
    assert_int_equal(vlapic_get(v, APIC_ESR), BIT(6));
    vlapic_set(v, APIC_DFR, 0x1234);
    apic_on_write(v, APIC_DFR); /* is not there in this mode */
    assert_int_equal(vlapic_get(v, APIC_DFR), 0x1234);
    vmx_caps.apicv = false;
}

static uint64_t takers_after_base(uint64_t mode)
{
    assert_int_equal(vcpu_on_wrmsr(&vcpus[1], MSR_IA32_APIC_BASE, VM_APIC_BASE | mode), 0);
    return seen.takers;
}

/* The CPU posts IPIs to an APIC that is on, by both of its switches, and to no other. */
TEST(takers_of_ipis)
{
    vlapic_reset(&vm);
    assert_int_equal(seen.takers, 0);
    vlapic_virtual_wire(&vcpus[0]);
    assert_int_equal(seen.takers, 1);
    vlapic_set(&vcpus[1], APIC_SVR, 0x1ff);
    apic_on_write(&vcpus[1], APIC_SVR);
    assert_int_equal(seen.takers, 3);
    store(APIC_SVR, 4, 0xff);
    assert_int_equal(seen.takers, 2);
    assert_int_equal(takers_after_base(APIC_BASE_EN | APIC_BASE_EXTD), 2);
    assert_int_equal(vcpu_on_wrmsr(&vcpus[1], msr_of(APIC_SVR), 0xff), 0);
    assert_int_equal(seen.takers, 0);
    assert_int_equal(vcpu_on_wrmsr(&vcpus[1], msr_of(APIC_SVR), 0x1ff), 0);
    assert_int_equal(seen.takers, 2);
    apic_on_init(&vcpus[1]);
    assert_int_equal(seen.takers, 0);
    assert_int_equal(vcpu_on_wrmsr(&vcpus[1], msr_of(APIC_SVR), 0x1ff), 0);
    assert_int_equal(takers_after_base(0), 0);
    assert_int_equal(takers_after_base(APIC_BASE_EN), 0);
}

static uint8_t on_acknowledge(struct vm *m)
{
    (void)m;
    return 0x20;
}

/* What comes from an 8259 passes LINT0 in one mode only; an APIC that is off is no obstacle. */
TEST(virtual_wire)
{
    struct vcpu *v = &vcpus[0];
    assert_int_equal(apic_extint(v, false), -1); /* nothing is wired to it */
    vm.wires.acknowledge = on_acknowledge;
    assert_int_equal(apic_extint(v, false), -1); /* masked */
    vlapic_virtual_wire(v);
    assert_int_equal(load(APIC_SVR, 4), 0x1ff);
    assert_int_equal(load(APIC_LVT_LINT0, 4), 0x700);
    assert_true(apic_extint(v, false) >= 0);
    assert_int_equal(apic_extint(v, true), 0x20);
    store(APIC_LVT_LINT0, 4, 0x10700);
    assert_int_equal(apic_extint(v, true), -1);
    store(APIC_LVT_LINT0, 4, 0x40); /* fixed: this APIC has no such line */
    assert_int_equal(apic_extint(v, true), -1);
    v->apic_base &= ~APIC_BASE_EN;
    assert_int_equal(apic_extint(v, true), 0x20);
    v->apic_base |= APIC_BASE_EN;
}

/* Devices' messages are led by these registers: each change of one is reported, and no other. */
TEST(a_change_of_address_is_told)
{
    static const struct {
        unsigned offset;
        uint64_t told;
    } rows[] = {{APIC_LDR, 1}, {APIC_DFR, 1}, {APIC_TPR, 0}, {APIC_SVR, 0}, {APIC_LVT_ERROR, 0}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        seen.addresses = 0;
        store(rows[i].offset, 4, 0x1ff);
        assert_int_equal(seen.addresses, rows[i].told);
        seen.addresses = 0;
        apic_on_write(&vcpus[2], rows[i].offset);
        assert_int_equal(seen.addresses, rows[i].told << 2);
    }
    seen.addresses = 0;
    to_x2apic(&vcpus[1]);
    assert_int_equal(seen.addresses, 2);
    apic_on_init(&vcpus[2]);
    assert_int_equal(seen.addresses, 6);
    assert_int_equal(vcpu_on_wrmsr(&vcpus[0], MSR_IA32_APIC_BASE, VM_APIC_BASE), 0);
    assert_int_equal(seen.addresses, 7);
}

/* Of the short way of an IPI: the first id that no vCPU has, the first vector that is one. */
TEST(ipis_at_the_edge)
{
    icr(VCPUS, 0x4055);
    assert_int_equal(seen.posted[0] | seen.posted[1] | seen.posted[2], 0);
    icr(VCPUS - 1, 0x4010);
    assert_int_equal(seen.posted[2], 0x10);
    icr(1, 0x11); /* neither level nor assert: an edge all the same */
    assert_int_equal(seen.posted[1], 0x11);
    icr(1, 0x8055); /* level, de-assert: only an INIT of that kind is none */
    assert_int_equal(seen.posted[1], 0x55);
    icr(1, 0x500); /* an edge */
    assert_int_equal(seen.inits[1], 1);
    icr(1, 0xc500);
    assert_int_equal(seen.inits[1], 1);
    vlapic_set(&vcpus[2], APIC_LDR, 0x01000000);
    icr(1, 0x4856); /* logical: not the one with id 1 */
    assert_int_equal(seen.posted[1], 0);
    assert_int_equal(seen.posted[2], 0x56);
    icr(0, 0x84110); /* lowest priority, to all: vector 10H is one */
    assert_int_equal(seen.posted[0] + seen.posted[1] + seen.posted[2], 0x10);
    vlapic_set(&vcpus[0], APIC_SVR, 0xff);
    vlapic_set(&vcpus[1], APIC_SVR, 0xff);
    icr(0, 0x84159); /* the only one whose APIC is on */
    assert_int_equal(seen.posted[2], 0x59);
    assert_int_equal(seen.posted[0] | seen.posted[1], 0);
}

/* SDM "Logical Destination Mode": the cluster has to be the same, and one of its bits. */
TEST(clusters)
{
    static const struct {
        uint32_t ldr, dest;
        bool match;
    } rows[2][8] = {{{0x12, 0x12, true},
                     {0x12, 0x16, true},
                     {0x12, 0x22, false},
                     {0x12, 0x14, false},
                     {0x91, 0x11, false},
                     {0x18, 0x18, true},
                     {0x10, 0x10, false},
                     {0x11, 0x11, true}},
                    {{0x30002, 0x30002, true},
                     {0x30002, 0x3ffff, true},
                     {0x30002, 0x20002, false},
                     {0x30002, 0x30004, false},
                     {0x38000, 0x38000, true},
                     {0x30000, 0x30000, false},
                     {0x30001, 0x30001, true},
                     {0x10001, 0x30002, false}}};
    vcpus[0].apic_base = vcpus[2].apic_base = 0;
    for (unsigned x2apic = 0; x2apic < 2; x2apic++) {
        vlapic_set(&vcpus[1], APIC_DFR, 0x0fffffff);
        if (x2apic)
            to_x2apic(&vcpus[1]);
        for (unsigned i = 0; i < ARRAY_COUNT(rows[0]); i++) {
            uint32_t ldr = rows[x2apic][i].ldr;
            vlapic_set(&vcpus[1], APIC_LDR, x2apic ? ldr : ldr << 24);
            if (vlapic_match(&vm, rows[x2apic][i].dest, true) != (rows[x2apic][i].match ? 2 : 0))
                fail_msg("x2apic=%u row %u", x2apic, i);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_change_of_address_is_told),
        CASE(after_reset),
        CASE(writable_bits),
        CASE(odd_accesses),
        CASE(software_disable),
        CASE(modes),
        CASE(x2apic_faults),
        CASE(priorities),
        CASE(level_eoi),
        CASE(destinations),
        CASE(takers),
        CASE(ipis),
        CASE(x2apic_ipis),
        CASE(trap_like_writes),
        CASE(trap_like_writes_in_x2apic_mode),
        CASE(takers_of_ipis),
        CASE(virtual_wire),
        CASE(ipis_at_the_edge),
        CASE(clusters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
