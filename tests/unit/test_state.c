/* SPDX-License-Identifier: MIT */
/*
 * Stepping over an instruction that Hamlet executed in the guest's place. The VMCS is an array
 * here.
 * Spec: SDM "Information for VM Exits Due to Instruction Execution", "Guest Register State".
 */
// sources: vmx/vcpu/state.c vmx/vcpu/cr.c
#include "tests/unit/stubs.h"
#include "vmx/vmcs.h"
#include <string.h>
#include "arch/x86.h"
#include "tests/unit/test.h"
#include "vmx/caps.h"
#include "vmx/vcpu/advance.h"
#include "vmx/vcpu/vcpu.h"

static uint64_t fields[0x7000];
struct vmx_caps vmx_caps;
static struct vcpu v;

uint64_t vmread(enum vmcs_field field) { return fields[field]; }
void vmwrite(enum vmcs_field field, uint64_t value) { fields[field] = value; }
struct cpu *this_cpu(void) { return NULL; }
void vmcs_make_current(struct vmcs *const *vmcs) { (void)vmcs; }
void vmcs_clear(struct vmcs *vmcs) { (void)vmcs; }

FIXTURE(create)
{
    memset(fields, 0, sizeof(fields));
    v = (struct vcpu){0};
    fields[GUEST_RFLAGS] = RFLAGS_1;
    fields[VM_EXIT_INSTRUCTION_LENGTH] = 3;
    return 0;
}

/* SDM "Information for VM Exits Due to Instruction Execution": an EPT violation reports no length,
 * so that of the emulated instruction counts. */
TEST(length_of_the_emulator_counts)
{
    fields[GUEST_RIP] = 0x1000;
    vcpu_advance_rip();
    assert_int_equal(fields[GUEST_RIP], 0x1003);
    fields[VM_EXIT_INSTRUCTION_LENGTH] = 0xbad0bad;
    vcpu_step_over(&(struct vcpu_paging){.rip = 0x1003, .rflags = RFLAGS_1}, 7);
    assert_int_equal(fields[GUEST_RIP], 0x100a);
}

/* SDM "Checks on Guest RIP, RFLAGS, and SSP": outside of 64-bit mode bits 63:32 of RIP are 0. */
TEST(rip_wraps_at_4_gib_outside_of_64_bit_mode)
{
    fields[GUEST_RIP] = 0xfffffffe;
    vcpu_advance_rip();
    assert_int_equal(fields[GUEST_RIP], 1);
    fields[VM_ENTRY_CONTROLS] = ENTRY_GUEST_64BIT; /* compatibility mode */
    fields[GUEST_RIP] = 0xffffffff;
    vcpu_advance_rip();
    assert_int_equal(fields[GUEST_RIP], 2);
    fields[GUEST_CS_ACCESS_RIGHTS] = SEG_AR_L;
    fields[GUEST_RIP] = 0xfffffffe;
    vcpu_advance_rip();
    assert_int_equal(fields[GUEST_RIP], UINT64_C(0x100000001));
}

TEST(end_of_an_instruction)
{
    fields[GUEST_INTERRUPTIBILITY] = BLOCKED_BY_MOV_SS | BLOCKED_BY_NMI;
    fields[GUEST_RFLAGS] = RFLAGS_1 | RFLAGS_TF | RFLAGS_RF;
    vcpu_advance_rip();
    assert_int_equal(fields[GUEST_RFLAGS], RFLAGS_1 | RFLAGS_TF);
    assert_int_equal(fields[GUEST_INTERRUPTIBILITY], BLOCKED_BY_NMI);
    assert_int_equal(fields[GUEST_PENDING_DEBUG], PENDING_DEBUG_BS);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, create)
    const struct CMUnitTest tests[] = {
        T(length_of_the_emulator_counts),
        T(rip_wraps_at_4_gib_outside_of_64_bit_mode),
        T(end_of_an_instruction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
