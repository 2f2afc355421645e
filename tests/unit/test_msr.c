/* SPDX-License-Identifier: MIT */
// sources: vmx/exit/msr.c vmx/bitmaps.c vmx/vcpu/hottest.c
/*
 * Which MSRs a guest reaches without an exit: those that the CPU keeps for each guest in the VMCS,
 * or that Hamlet switches. Everything else is answered here, and reaches no register of the host.
 */
#include <stdlib.h>
#include <string.h>
#include "arch/leaks.h"
#include "arch/msr.h"
#include "arch/page.h"
#include "arch/x86.h"
#include "tests/unit/test.h"
#include "vmx/caps.h"
#include "vmx/exit/exit.h"
#include "vmx/exit/msr.h"
#include "vmx/vcpu/guards.h"
#include "vmx/vcpu/inject.h"
#include "vmx/vmcs.h"

struct vmx_caps vmx_caps;
static struct bitmaps *b;
static struct vcpu v;
static bool faulted;
static uint64_t deadline, armed_at; /* armed_at: the offset of the TSC at that moment */

void *pages_alloc(size_t count, uint64_t align)
{
    return memset(aligned_alloc(align, count * PAGE_SIZE), 0, count * PAGE_SIZE);
}
void *page_alloc(void) { return pages_alloc(1, PAGE_SIZE); }
void page_free(void *page) { free(page); }
void pages_free(void *first, size_t count)
{
    (void)count;
    free(first);
}
enum exit_action inject_gp(struct vcpu *of)
{
    (void)of;
    faulted = true;
    return RESUME_SAME;
}
int vcpu_on_rdmsr(struct vcpu *of, uint32_t msr, uint64_t *value)
{
    *value = deadline;
    return of == &v && msr == MSR_IA32_TSC_DEADLINE ? 0 : -ENOENT;
}
int vcpu_on_wrmsr(struct vcpu *of, uint32_t msr, uint64_t value)
{
    return (void)of, (void)msr, (void)value, -ENOENT;
}
void apic_on_deadline(struct vcpu *of, uint64_t tsc)
{
    assert_ptr_equal(of, &v);
    armed_at = v.tsc_offset;
    deadline = tsc;
}
static uint32_t written_msr;
static uint64_t written_value;
int registers_set_msr(struct vcpu *of, uint32_t msr, uint64_t value)
{
    assert_ptr_equal(of, &v);
    written_msr = msr;
    written_value = value;
    return value == UINT64_MAX ? -EIO : 0;
}
static uint64_t spec_ctrl_set;
int guards_set_spec_ctrl(struct vcpu *of, uint64_t value)
{
    spec_ctrl_set = value;
    return of == &v && value < 8 ? 0 : -EINVAL;
}
uint64_t leaks_guest_capabilities(void) { return 0x123; }
void vcpu_move_tsc(struct vcpu *of, uint64_t by) { of->tsc_offset += by; }

static bool exits(uint32_t msr, bool write)
{
    const uint8_t *map = hpa_ptr(bitmaps_msrs(b, false));
    map += (write ? 2048 : 0) + (msr >= 0xc0000000 ? 1024 : 0);
    return map[msr % 0x2000 / 8] >> msr % 8 & 1;
}

/* Of all MSRs that have a bit, how many pass? */
static unsigned passing(bool write)
{
    unsigned n = 0;
    for (uint32_t msr = 0; msr < 0x2000; msr++)
        n += !exits(msr, write) + !exits(0xc0000000 + msr, write);
    return n;
}

static const uint32_t own[] = {
    MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP, MSR_IA32_PAT,
    MSR_IA32_EFER,        MSR_IA32_FS_BASE,      MSR_IA32_GS_BASE,      MSR_IA32_KERNEL_GS_BASE,
};
/* Kept by vmx/vcpu/registers.c: a write exits. */
static const uint32_t kept[] = {
    MSR_IA32_STAR, MSR_IA32_LSTAR, MSR_IA32_CSTAR, MSR_IA32_FMASK, MSR_IA32_TSC_AUX,
};

/* The TSC is read without an exit. */
TEST(only_a_guests_own_pass)
{
    vmx_caps.rdtscp = true;
    b = bitmaps_create(false);
    msr_open_bitmap(b);
    for (size_t i = 0; i < ARRAY_COUNT(own); i++)
        assert_false(exits(own[i], false) || exits(own[i], true));
    for (size_t i = 0; i < ARRAY_COUNT(kept); i++)
        assert_true(!exits(kept[i], false) && exits(kept[i], true));
    assert_false(exits(MSR_IA32_TSC, false));
    assert_true(exits(MSR_IA32_TSC, true));
    assert_int_equal(passing(true), ARRAY_COUNT(own));
    assert_int_equal(passing(false), ARRAY_COUNT(own) + ARRAY_COUNT(kept) + 1);
    bitmaps_destroy(b);
    vmx_caps.rdtscp = false;
    b = bitmaps_create(false);
    msr_open_bitmap(b);
    assert_true(exits(MSR_IA32_TSC_AUX, false) && exits(MSR_IA32_TSC_AUX, true));
    assert_int_equal(passing(false), ARRAY_COUNT(own) + ARRAY_COUNT(kept));
    bitmaps_destroy(b);
}

/* A barrier costs only the guest, so a write of one passes; the rest is answered. */
TEST(commands_against_leaks_pass)
{
    for (unsigned i = 0; i < 2; i++) {
        const uint32_t all = (uint32_t)(CPUID_7_IBRS | CPUID_7_L1D_FLUSH | CPUID_7_ARCH);
        vmx_caps.guest_commands = i ? all : 0;
        b = bitmaps_create(false);
        msr_open_bitmap(b);
        assert_int_equal(exits(MSR_IA32_PRED_CMD, true), !i);
        assert_int_equal(exits(MSR_IA32_FLUSH_CMD, true), !i);
        assert_true(exits(MSR_IA32_SPEC_CTRL, true) && exits(MSR_IA32_SPEC_CTRL, false));
        assert_true(exits(MSR_IA32_ARCH_CAPABILITIES, false));
        bitmaps_destroy(b);
    }
    vmx_caps.guest_commands = 0;
}

/* RDMSR or WRMSR that exits. True: no #GP. */
static bool read(uint32_t msr, uint64_t *value)
{
    v.regs.gpr[RCX] = msr;
    v.regs.gpr[RAX] = v.regs.gpr[RDX] = UINT64_MAX;
    faulted = false;
    enum exit_action action = exit_rdmsr(&v);
    assert_int_equal(action, faulted ? RESUME_SAME : RESUME_NEXT);
    *value = (v.regs.gpr[RAX] & UINT32_MAX) | v.regs.gpr[RDX] << 32;
    return !faulted;
}

static bool write(uint32_t msr, uint64_t value)
{
    v.regs.gpr[RCX] = msr;
    v.regs.gpr[RAX] = value & UINT32_MAX;
    v.regs.gpr[RDX] = value >> 32;
    faulted = false;
    enum exit_action action = exit_wrmsr(&v);
    assert_int_equal(action, faulted ? RESUME_SAME : RESUME_NEXT);
    return !faulted;
}

/* A write has no effect, or is #GP. It reaches no register: this program would die of it. */
TEST(what_exits_is_answered_here)
{
    uint64_t value;
    assert_true(write(MSR_IA32_MISC_ENABLE, 0));
    assert_true(read(MSR_IA32_MISC_ENABLE, &value));
    assert_int_equal(value, 0x1801);
    assert_true(write(MSR_IA32_DEBUGCTL, 1));
    assert_true(read(MSR_IA32_DEBUGCTL, &value));
    assert_int_equal(value, 0);
    assert_true(read(MSR_IA32_MTRRCAP, &value));
    assert_int_equal(value, 0);
    assert_false(write(MSR_IA32_MTRRCAP, 0));
    assert_false(read(MSR_IA32_FEATURE_CONTROL, &value));
    assert_false(write(MSR_IA32_FEATURE_CONTROL, 0));
    assert_false(read(0x12345, &value)); /* in no list, and the virtual PC has none either */
    assert_false(write(0x12345, 0));
}

/* What a switch finds in memory: each write of the guest gets there, and the CPU judges it. */
TEST(what_is_kept_is_written_by_an_exit)
{
    uint64_t value;
    vmx_caps.rdtscp = true;
    for (size_t i = 0; i < ARRAY_COUNT(kept); i++) {
        assert_true(write(kept[i], 0x1234567800000000 + i));
        assert_int_equal(written_msr, kept[i]);
        assert_int_equal(written_value, 0x1234567800000000 + i);
        assert_false(write(kept[i], UINT64_MAX));
    }
    vmx_caps.rdtscp = false;
    written_msr = 0;
    assert_false(write(MSR_IA32_TSC_AUX, 1) || read(MSR_IA32_TSC_AUX, &value));
    assert_int_equal(written_msr, 0);
}

/* SDM "Time-Stamp Counter Adjustment": each register moves both. The deadline is armed again, for
 * the same value of another TSC. */
TEST(a_guest_moves_its_tsc)
{
    uint64_t value, before, after;
    v.tsc_offset = 1000;
    deadline = 77;
    assert_true(read(MSR_IA32_TSC_ADJUST, &value));
    assert_int_equal(value, 0);
    assert_true(write(MSR_IA32_TSC_ADJUST, 500));
    assert_int_equal(v.tsc_offset, 1500);
    assert_int_equal(armed_at, 1500);
    assert_int_equal(deadline, 77);
    assert_true(write(MSR_IA32_TSC_ADJUST, 200));
    assert_int_equal(v.tsc_offset, 1200);
    before = rdtsc();
    assert_true(write(MSR_IA32_TSC, 123456));
    after = rdtsc();
    assert_true(123456 - v.tsc_offset >= before && 123456 - v.tsc_offset <= after);
    assert_int_equal(armed_at, v.tsc_offset);
    assert_true(read(MSR_IA32_TSC_ADJUST, &value));
    assert_int_equal(value, v.tsc_offset - 1000);
}

/* Each tick of a kernel. What a guest exits for most is counted by its number. */
TEST(the_deadline_is_armed_and_counted)
{
    uint64_t value;
    v.hottest[HOTTEST_MSR] = (struct hottest){0};
    assert_true(write(MSR_IA32_TSC_DEADLINE, 0x1234567890));
    assert_int_equal(deadline, 0x1234567890);
    assert_int_equal(v.hottest[HOTTEST_MSR].rows[0].at, MSR_IA32_TSC_DEADLINE);
    assert_int_equal(v.hottest[HOTTEST_MSR].rows[0].count, 1);
    assert_true(read(MSR_IA32_TSC_DEADLINE, &value));
    assert_int_equal(value, 0x1234567890);
    assert_int_equal(v.hottest[HOTTEST_MSR].rows[0].count, 2);
}

TEST(the_default_type_is_remembered)
{
    uint64_t value;
    static const uint64_t good[] = {0, 1, 4, 5, 6, 0x800, 0xc06}, bad[] = {2, 3, 7, 0x106, 0x1000};
    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        assert_true(write(MSR_IA32_MTRR_DEF_TYPE, good[i]));
        assert_true(read(MSR_IA32_MTRR_DEF_TYPE, &value));
        assert_int_equal(value, good[i]);
    }
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        assert_false(write(MSR_IA32_MTRR_DEF_TYPE, bad[i]));
    assert_true(read(MSR_IA32_MTRR_DEF_TYPE, &value));
    assert_int_equal(value, 0xc06);
}

TEST(spec_ctrl_and_capabilities)
{
    uint64_t value;
    v.spec_ctrl = 5;
    assert_false(read(MSR_IA32_SPEC_CTRL, &value));
    assert_false(write(MSR_IA32_SPEC_CTRL, 0));
    assert_false(read(MSR_IA32_ARCH_CAPABILITIES, &value));
    vmx_caps.guest_commands = (uint32_t)(CPUID_7_IBRS | CPUID_7_ARCH);
    assert_true(read(MSR_IA32_SPEC_CTRL, &value));
    assert_int_equal(value, 5);
    assert_true(write(MSR_IA32_SPEC_CTRL, 7));
    assert_int_equal(spec_ctrl_set, 7);
    assert_false(write(MSR_IA32_SPEC_CTRL, 8));
    assert_true(read(MSR_IA32_ARCH_CAPABILITIES, &value));
    assert_int_equal(value, 0x123);
    assert_false(write(MSR_IA32_ARCH_CAPABILITIES, 0));
    vmx_caps.guest_commands = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_guests_own_pass),
        cmocka_unit_test(what_exits_is_answered_here),
        cmocka_unit_test(what_is_kept_is_written_by_an_exit),
        cmocka_unit_test(a_guest_moves_its_tsc),
        cmocka_unit_test(the_deadline_is_armed_and_counted),
        cmocka_unit_test(the_default_type_is_remembered),
        cmocka_unit_test(commands_against_leaks_pass),
        cmocka_unit_test(spec_ctrl_and_capabilities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
