/* SPDX-License-Identifier: MIT */
/*
 * Rules of the local APIC that a kernel sees only when something is wrong, or when it changes its
 * mind: errors and their interrupt, a vector that was a level, a divider under a running timer.
 * Spec: SDM "Error Handling", "Interrupt Acceptance for Fixed Interrupts", "APIC Timer".
 */
// sources: guest/pc/vlapic.c guest/pc/vlapic_irq.c guest/pc/vlapic_dest.c guest/core/bus.c
#include <stdlib.h>
#include <string.h>
#include "arch/x86.h"
static uint64_t tsc;
#include "guest/pc/vlapic_timer.c"
#include "arch/page.h"
#include "guest/pc/pc.h"
#include "guest/pc/vioapic.h"
#include "tests/unit/test.h"
#include "vmx/run/post.h"

#define COUNT  1000000
#define BY_1   0xb
#define BY_16  0x3
#define BY_128 0xa

struct vmx_caps vmx_caps;
static struct vm vm;
static struct vcpu vcpu;
static unsigned posted[256];

uint64_t vm_now(const struct vm *m) { return tsc + m->clock; }
void vcpu_post(struct vcpu *v, uint8_t vector) { posted[vector] += v == &vcpu; }
void vcpu_address_changed(struct vcpu *v) { (void)v; }
void vcpu_set_deadline(struct vcpu *v, uint64_t tsc) { v->timer_deadline = tsc; }
void vcpu_takes_ipis(struct vcpu *v, bool on) { (void)v, (void)on; }
void vcpu_eoi_exit(struct vcpu *v, uint8_t vector, bool on)
{
    assert_false(on);
    v->eoi_exit[vector / 64] &= ~BIT(vector % 64);
}
void sched_wake(struct vcpu *v) { (void)v; }
void vcpu_nmi(struct vcpu *v) { (void)v; }
void vcpu_init_signal(struct vcpu *v) { (void)v; }
void vcpu_sipi(struct vcpu *v, uint8_t vector) { (void)v, (void)vector; }
int vm_reset(struct vm *m) { return (void)m, 0; }
void vcpu_apic_mode_changed(struct vcpu *v) { (void)v; }
void vioapic_eoi(struct vioapic *io, uint8_t vector) { (void)io, (void)vector; }
void *page_alloc(void) { return calloc(1, PAGE_SIZE); }
void page_free(void *page) { free(page); }

FIXTURE(fresh)
{
    memset(&vm, 0, sizeof(vm));
    memset(posted, 0, sizeof(posted));
    vcpu = (struct vcpu){.vm = &vm, .vapic = page_alloc()};
    vm.vcpus[0] = &vcpu;
    vm.vcpu_count = 1;
    tsc = 1000;
    assert_int_equal(vlapic_create(&vm), 0);
    vlapic_set(&vcpu, APIC_SVR, 0x1ff);
    return 0;
}

FIXTURE(done)
{
    vlapic_destroy(&vm);
    page_free(vcpu.vapic);
    return 0;
}

static void write(unsigned offset, uint32_t value)
{
    const struct vm_range *r = vm_bus_find(&vm.mmio, VM_APIC_BASE);
    r->write(&vcpu, r->owner, offset, 4, value);
}

static uint32_t read(unsigned offset)
{
    const struct vm_range *r = vm_bus_find(&vm.mmio, VM_APIC_BASE);
    return (uint32_t)r->read(&vcpu, r->owner, offset, 4);
}

static void send_illegal(void) { write(APIC_ICR, 0x40000 | 0xf); } /* to itself */

TEST(errors_show_after_a_write)
{
    send_illegal();
    assert_int_equal(read(APIC_ESR), 0);
    write(APIC_ESR, 0);
    assert_int_equal(read(APIC_ESR), 0x20);
    assert_int_equal(read(APIC_ESR), 0x20);
    write(APIC_ESR, UINT32_MAX); /* of any value */
    assert_int_equal(read(APIC_ESR), 0);
    send_illegal();
    apic_on_init(&vcpu);
    write(APIC_ESR, 0);
    assert_int_equal(read(APIC_ESR), 0);
}

TEST(an_error_interrupts_once)
{
    send_illegal(); /* while the entry is masked */
    write(APIC_LVT_ERROR, 0x61);
    send_illegal();
    assert_int_equal(posted[0x61], 0);
    write(APIC_ESR, 0);
    send_illegal();
    send_illegal();
    assert_int_equal(posted[0x61], 1);
    write(APIC_ESR, 0);
    send_illegal();
    assert_int_equal(posted[0x61], 2);
}

/* The error interrupt has an illegal vector itself; so have the timer's and the self IPI. */
TEST(illegal_vectors_received)
{
    write(APIC_LVT_ERROR, 3);
    send_illegal();
    write(APIC_ESR, 0);
    assert_int_equal(read(APIC_ESR), 0x60);
    write(APIC_LVT_ERROR, 0x61);
    write(APIC_LVT_TIMER, 4);
    write(APIC_TIMER_INITIAL, 1);
    tsc += 1000;
    apic_on_timer(&vcpu);
    assert_int_equal(posted[0x61], 1);
    write(APIC_ESR, 0);
    assert_int_equal(read(APIC_ESR), 0x40);
}

/* The EOI-exit bitmap is TMR, too (vmx/vcpu/apicv.c). */
TEST(an_edge_clears_the_bit_of_a_level)
{
    vcpu.eoi_exit[1] = BIT(0x51 - 64) | BIT(0x52 - 64);
    write(APIC_ICR, 0x40000 | 0x51);
    assert_int_equal(vcpu.eoi_exit[1], BIT(0x52 - 64));
    assert_int_equal(posted[0x51], 1);
}

TEST(a_new_divider_keeps_the_count)
{
    write(APIC_TIMER_DIVIDE, BY_1);
    write(APIC_LVT_TIMER, 0x45);
    write(APIC_TIMER_INITIAL, COUNT);
    tsc += 400000 * VCPU_TSC_RATIO;
    assert_int_equal(read(APIC_TIMER_CURRENT), 600000);
    write(APIC_TIMER_DIVIDE, BY_16);
    assert_int_equal(read(APIC_TIMER_CURRENT), 600000);
    tsc += 160000 * VCPU_TSC_RATIO;
    assert_int_equal(read(APIC_TIMER_CURRENT), 590000);
    write(APIC_TIMER_DIVIDE, BY_1);
    assert_int_equal(read(APIC_TIMER_CURRENT), 590000);
    assert_int_equal(vcpu.timer_deadline, tsc + 590000 * VCPU_TSC_RATIO);
}

TEST(a_new_divider_of_a_period)
{
    write(APIC_TIMER_DIVIDE, BY_1);
    write(APIC_LVT_TIMER, 0x20045);
    write(APIC_TIMER_INITIAL, COUNT);
    write(APIC_TIMER_DIVIDE, BY_128);
    tsc = vcpu.timer_deadline;
    apic_on_timer(&vcpu);
    assert_int_equal(vcpu.timer_deadline, tsc + UINT64_C(128) * COUNT * VCPU_TSC_RATIO);
}

/* The deadline is a TSC, not a count; and what is over does not come again. */
TEST(a_new_divider_elsewhere)
{
    write(APIC_LVT_TIMER, 0x40045);
    apic_on_deadline(&vcpu, 5000);
    write(APIC_TIMER_DIVIDE, BY_128);
    assert_int_equal(vcpu.timer_deadline, 5000);
    tsc = 5000;
    apic_on_timer(&vcpu);
    write(APIC_TIMER_DIVIDE, BY_1);
    assert_int_equal(vcpu.timer_deadline, 0);
    assert_int_equal(posted[0x45], 1);
}

/* v->timer_deadline is a TSC of the host, all others are times of the VM. The guest's TSC may be
 * another one still. */
TEST(three_clocks)
{
    vm.clock = (uint64_t)-900; /* the VM's time is 100 */
    vcpu.tsc_offset = vm.clock + 50000;
    write(APIC_TIMER_DIVIDE, BY_1);
    write(APIC_LVT_TIMER, 0x45);
    write(APIC_TIMER_INITIAL, 10);
    assert_int_equal(vcpu.timer_deadline, 1000 + 10 * VCPU_TSC_RATIO);
    vm.clock -= 600; /* the VM stood for a while */
    tsc += 600;
    vlapic_timer_arm(&vcpu);
    assert_int_equal(vcpu.timer_deadline, 1600 + 10 * VCPU_TSC_RATIO);
    write(APIC_LVT_TIMER, 0x40045);
    vcpu.tsc_offset = vm.clock + 50000;
    apic_on_deadline(&vcpu, 50100 + 70);
    assert_int_equal(vcpu.timer_deadline, 1670);
    uint64_t value = 0;
    assert_int_equal(vcpu_on_rdmsr(&vcpu, MSR_IA32_TSC_DEADLINE, &value), 0);
    assert_int_equal(value, 50100 + 70);
    /* the past is now, and the end of time does not wrap */
    apic_on_deadline(&vcpu, 5);
    assert_int_equal(vcpu.timer_deadline, 1600);
    vcpu.tsc_offset = vm.clock - 50;
    apic_on_deadline(&vcpu, UINT64_MAX);
    assert_true(vcpu.timer_deadline > BIT(61));
    apic_on_deadline(&vcpu, 0);
    assert_int_equal(vcpu.timer_deadline, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, fresh, done)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(errors_show_after_a_write),     T(an_error_interrupts_once),
        T(illegal_vectors_received),      T(an_edge_clears_the_bit_of_a_level),
        T(a_new_divider_keeps_the_count), T(a_new_divider_of_a_period),
        T(a_new_divider_elsewhere),       T(three_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
