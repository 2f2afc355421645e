/* SPDX-License-Identifier: MIT */
/*
 * Which way a vCPU takes into the guest and back, and when predictions are thrown away.
 * Spec: Intel "Indirect Branch Predictor Barrier", "CPUID Enumeration and Architectural MSRs".
 */
#include "arch/x86.h"
#include "tests/unit/test.h"
#include <string.h>

static void model_wrmsr(uint32_t msr, uint64_t value);
#define wrmsr(msr, value) model_wrmsr(msr, value)
#include "vmx/vcpu/guards.c"

static struct cpu cpus[2], *here = cpus;
static struct vcpu v;
static uint64_t exit_point;
static unsigned barriers;
static uint32_t stays; /* bits of IA32_SPEC_CTRL that are set while a guest runs */

struct cpu *this_cpu(void) { return here; }
uint32_t leaks_guards, leaks_spec_ctrl;
uint32_t leaks_guest_bits(void) { return 7; }
uint32_t leaks_guest_value(uint32_t value) { return value | stays; }
void vmx_exit_point(void) {}
void vmx_exit_point_guarded(void) {}

static void model_wrmsr(uint32_t msr, uint64_t value)
{
    assert_int_equal(msr, 0x49);
    assert_int_equal(value, 1);
    barriers++;
}

void vmwrite(enum vmcs_field field, uint64_t value)
{
    assert_int_equal(field, HOST_RIP);
    exit_point = value;
}

static void machine(uint32_t guards, uint32_t spec_ctrl, uint32_t stays_set)
{
    memset(cpus, 0, sizeof(cpus));
    memset(&v, 0, sizeof(v));
    here = cpus;
    barriers = 0;
    leaks_guards = guards;
    leaks_spec_ctrl = spec_ctrl;
    stays = stays_set;
    guards_reset(&v);
    exit_point = guards_exit_point(&v);
}

static bool exits_guarded(void)
{
    assert_true(exit_point == (uintptr_t)vmx_exit_point ||
                exit_point == (uintptr_t)vmx_exit_point_guarded);
    return exit_point == (uintptr_t)vmx_exit_point_guarded;
}

/* Nothing, but for what the guest wants itself. */
TEST(a_cpu_without_leaks)
{
    machine(0, 0, 0);
    assert_int_equal(v.guards, 0);
    assert_false(exits_guarded());
    assert_int_equal(guards_set_spec_ctrl(&v, 5), 0);
    assert_int_equal(v.guards, LEAKS_SPEC_CTRL);
    assert_int_equal(v.spec_ctrl, 5);
    assert_int_equal(v.spec_ctrl_loaded, 5);
    assert_true(exits_guarded());
    assert_int_equal(guards_set_spec_ctrl(&v, 8), -EINVAL);
    assert_int_equal(v.spec_ctrl, 5);
    assert_int_equal(guards_set_spec_ctrl(&v, 0), 0);
    assert_int_equal(v.guards, 0);
    assert_false(exits_guarded());
    assert_int_equal(guards_set_spec_ctrl(&v, 1), 0);
    guards_reset(&v);
    assert_int_equal(v.spec_ctrl + v.guards, 0);
}

/* What Hamlet has set stays set in the guest, so its own IBRS costs nothing. */
TEST(enhanced_ibrs)
{
    machine(LEAKS_IBPB, 1, 1);
    assert_int_equal(v.guards, 0);
    assert_int_equal(guards_set_spec_ctrl(&v, 1), 0);
    assert_int_equal(v.guards, 0);
    assert_int_equal(guards_set_spec_ctrl(&v, 4), 0);
    assert_int_equal(v.guards, LEAKS_SPEC_CTRL);
    assert_int_equal(v.spec_ctrl_loaded, 5);
    assert_int_equal(v.spec_ctrl, 4);
}

TEST(a_cpu_with_all_leaks)
{
    machine(LEAKS_EACH_ENTRY | LEAKS_IBPB | LEAKS_SMALL, 1, 0);
    assert_int_equal(v.guards, LEAKS_EACH_ENTRY);
    assert_int_equal(v.spec_ctrl_loaded, 0);
    assert_true(exits_guarded());
    assert_int_equal(guards_set_spec_ctrl(&v, 1), 0); /* no value of the guest's ends it */
    assert_int_equal(v.guards, LEAKS_EACH_ENTRY);
}

/* VERW alone needs the long way in, and not the long way out. */
TEST(buffers_only)
{
    machine(LEAKS_VERW | LEAKS_FLUSH, 0, 0);
    assert_int_equal(v.guards, LEAKS_VERW | LEAKS_FLUSH);
    assert_false(exits_guarded());
}

static void comes(const void *vm, unsigned expected)
{
    v.vm = (struct vm *)vm;
    guards_vm_comes(&v);
    assert_int_equal(barriers, expected);
}

TEST(a_barrier_between_two_vms)
{
    machine(LEAKS_IBPB, 0, 0);
    comes("a", 1);
    const void *a = v.vm;
    comes(a, 1);
    comes("b", 2);
    comes(a, 3);
    here = &cpus[1];
    comes(a, 4);
    here = &cpus[0];
    comes(a, 4); /* it was the last one here */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cpu_without_leaks),       cmocka_unit_test(enhanced_ibrs),
        cmocka_unit_test(a_cpu_with_all_leaks),      cmocka_unit_test(buffers_only),
        cmocka_unit_test(a_barrier_between_two_vms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
