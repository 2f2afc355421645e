/* SPDX-License-Identifier: MIT */
/*
 * What the CPU's virtual APIC knows of the guest's, and what is invalidated when the guest changes
 * its mode. In a boot each of INVVPID and INVEPT hides that the other is missing, as both drop
 * translations of linear addresses.
 * Spec: SDM "APIC Virtualization and Virtual Interrupts", "Guidelines for Use of the INVVPID
 * Instruction", "Guidelines for Use of the INVEPT Instruction".
 */
// sources: vmx/vcpu/apicv.c vmx/vcpu/posted.c
#include "tests/unit/stubs.h"
#include <string.h>
#include "arch/apic.h"
#include "arch/msr.h"
#include "tests/unit/test.h"
#include "vmx/caps.h"
#include "vmx/cpu.h"
#include "vmx/ept.h"
#include "vmx/ept_flush.h"
#include "vmx/vcpu/apicv.h"
#include "vmx/vcpu/posted.h"
#include "vmx/vmcs.h"

struct vmx_caps vmx_caps;
static uint64_t fields[0x7000];
static struct cpu cpu;
static struct vcpu v;
static struct pi_desc pid;
static uint32_t page[1024];
static unsigned flushed;

uint64_t vmread(enum vmcs_field field) { return fields[field]; }
void vmwrite(enum vmcs_field field, uint64_t value) { fields[field] = value; }
struct cpu *this_cpu(void) { return &cpu; }
void ept_flush_vpid(uint16_t vpid) { flushed += vpid == 3; }
hpa_t bitmaps_msrs(const struct bitmaps *b, bool x2) { return (void)b, hpa(x2 ? 0x2000 : 0x1000); }
int ept_apic_page(struct ept *e, hpa_t *at) { return (void)e, *at = hpa(0x5000), 0; }
int ept_map(struct ept *e, gpa_t at, hpa_t to, uint64_t size, unsigned perm, enum ept_type type)
{
    return (void)e, (void)at, (void)to, (void)size, (void)perm, (void)type, 0;
}

FIXTURE(create)
{
    memset(fields, 0, sizeof(fields));
    memset(page, 0, sizeof(page));
    memset(&cpu, 0, sizeof(cpu));
    pid = PI_DESC_READY;
    v = (struct vcpu){.pi_desc = &pid, .vapic = page, .vpid = 3, .ept_generation = 5};
    vmx_caps = (struct vmx_caps){.apicv = true};
    assert_int_equal(apicv_create(&v), 0);
    apicv_reload(&v);
    vmx_cpu(&cpu)->vcpu = &v;
    v.ept_generation = 5;
    flushed = 0;
    return 0;
}

TEST(a_new_mode_invalidates_both)
{
    assert_int_equal(fields[PROC_BASED_CONTROLS_2], PROC2_APIC_ACCESSES);
    v.apic_base &= ~(uint64_t)APIC_BASE_EN;
    apicv_reload(&v);
    assert_int_equal(fields[PROC_BASED_CONTROLS_2], 0);
    assert_int_equal(flushed, 1);
    assert_int_equal(v.ept_generation, UINT64_MAX); /* INVEPT before the entry */
    v.apic_base |= APIC_BASE_EN | APIC_BASE_EXTD;
    v.ept_generation = 5;
    apicv_reload(&v);
    assert_int_equal(fields[PROC_BASED_CONTROLS_2], PROC2_X2APIC_MODE);
    assert_int_equal(fields[MSR_BITMAP], 0x2000);
    assert_int_equal(flushed, 2);
    assert_int_equal(v.ept_generation, UINT64_MAX);
}

/* SDM "x2APIC State Transitions": off is a reset, which empties PIR, RVI and SVI, too. */
TEST(an_apic_that_is_off_has_no_interrupts)
{
    for (unsigned apicv = 0; apicv < 2; apicv++) {
        vmx_caps.apicv = apicv;
        for (unsigned on = 2; on-- > 0;) {
            v.apic_base = on ? v.apic_base | APIC_BASE_EN : v.apic_base & ~(uint64_t)APIC_BASE_EN;
            pid.pir[2] = BIT(7);
            pid.control |= PI_ON;
            v.eoi_exit[1] = BIT(0);
            fields[GUEST_INTERRUPT_STATUS] = 0x5161;
            apicv_reload(&v);
            assert_int_equal(page[(APIC_TMR + 0x20) / 4], on);
            assert_int_equal(pid.control & PI_ON, on ? PI_ON : 0);
            assert_int_equal(posted_pending(&pid), on);
            assert_int_equal(fields[GUEST_INTERRUPT_STATUS], on || !apicv ? 0x5161 : 0);
        }
    }
}

TEST(the_same_mode_invalidates_nothing)
{
    v.eoi_exit[1] = BIT(7);
    v.tsc_offset = 12345;
    apicv_reload(&v);
    assert_int_equal(fields[TSC_OFFSET], 12345);
    assert_int_equal(fields[VMCS_EOI_EXIT_BITMAP(1)], BIT(7));
    assert_int_equal(flushed, 0);
    assert_int_equal(v.ept_generation, 5);
}

/* SDM "Interrupt Acceptance for Fixed Interrupts": TMR has a bit for each level. */
TEST(tmr_is_the_eoi_exit_bitmap)
{
    for (unsigned apicv = 0; apicv < 2; apicv++) {
        vmx_caps.apicv = apicv;
        v.eoi_exit[1] = BIT(0) | BIT(40);
        apicv_reload(&v);
        assert_int_equal(page[(APIC_TMR + 0x20) / 4], BIT(0));
        assert_int_equal(page[(APIC_TMR + 0x30) / 4], BIT(8));
        v.eoi_exit[1] = 0;
        apicv_reload(&v);
        assert_int_equal(page[(APIC_TMR + 0x20) / 4] | page[(APIC_TMR + 0x30) / 4], 0);
    }
}

static unsigned recorded; /* vectors */
void trace_write(uint64_t head, uint64_t b, uint64_t c)
{
    (void)b, (void)c;
    recorded += FIELD_GET(TRACE_HEAD_INFO, head) == TRACE_PID_TAKEN;
}

TEST(a_fold_takes_everything)
{
    recorded = 0;
    trace_on = true;
    for (unsigned apicv = 0; apicv < 2; apicv++) {
        vmx_caps.apicv = apicv;
        pid.pir[0] = BIT(40);
        pid.pir[3] = BIT(5);
        pid.control |= PI_ON;
        v.alarm = 1000;
        apicv_fold(&v);
        assert_int_equal(v.alarm, apicv ? 1000 : 0); /* without APICv attend() looks at IRR */
        assert_false(posted_pending(&pid));
        assert_false(pid.control & PI_ON);
    }
    trace_on = false;
    assert_int_equal(recorded, 4);
    assert_int_equal(v.irr[0], BIT(40));
    assert_int_equal(v.irr[3], BIT(5));
    assert_int_equal(v.irq_waits, BIT(0) | BIT(3)); /* of the one without APICv */
    assert_int_equal(page[(APIC_IRR + 0x10) / 4], BIT(8));
    assert_int_equal(page[(APIC_IRR + 0x60) / 4], BIT(5));
    assert_int_equal(fields[GUEST_INTERRUPT_STATUS], 3 * 64 + 5);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, create)
    const struct CMUnitTest tests[] = {
        T(a_new_mode_invalidates_both),       T(an_apic_that_is_off_has_no_interrupts),
        T(the_same_mode_invalidates_nothing), T(tmr_is_the_eoi_exit_bitmap),
        T(a_fold_takes_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
