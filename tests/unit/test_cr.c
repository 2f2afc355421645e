/* SPDX-License-Identifier: MIT */
// sources: vmx/vcpu/state.c vmx/vcpu/cr.c
/*
 * The registers of a vCPU as others ask for them: CR0 and CR4 in force and as the guest reads them,
 * the state of its paging, its general registers. The VMCS is an array here.
 * From: make unit.   To: vmx/vcpu/cr.c, vmx/vcpu/state.c.
 */
#include "vmx/vcpu/cr.h"
#include <string.h>
#include "arch/x86.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"
#include "vmx/caps.h"
#include "vmx/cpu.h"
#include "vmx/vcpu/advance.h"
#include "vmx/vcpu/setup.h"
#include "vmx/vcpu/vcpu.h"
#include "vmx/vmcs.h"

static uint64_t fields[0x7000];
static unsigned reads;
static struct vcpu v, other;
struct vmx_caps vmx_caps;
static struct cpu here;
static const void *current; /* VMCS */
static struct vmcs *const vmcs = (struct vmcs *)&v, *const others = (struct vmcs *)&other;

uint64_t vmread(enum vmcs_field field)
{
    assert_ptr_equal(current, vmcs);
    reads++;
    return fields[field];
}
void vmwrite(enum vmcs_field field, uint64_t value)
{
    assert_ptr_equal(current, vmcs);
    fields[field] = value;
}
struct cpu *this_cpu(void) { return &here; }
void vmcs_make_current(struct vmcs *const *to) { current = *to; }
void vmcs_clear(struct vmcs *of)
{
    assert_ptr_equal(of, vmcs);
    current = NULL;
}

FIXTURE(loaded)
{
    memset(fields, 0, sizeof(fields));
    v = (struct vcpu){.vmcs = vmcs};
    other = (struct vcpu){.vmcs = others};
    vmx_cpu(&here)->vcpu = &v;
    current = vmcs;
    reads = 0;
    return 0;
}

TEST(cr0_keeps_the_caches_on)
{
    cr0_write(CR0_PE | CR0_CD | CR0_NW);
    assert_int_equal(fields[GUEST_CR0], CR0_PE | CR0_NE);
    assert_int_equal(fields[CR0_READ_SHADOW], CR0_PE | CR0_CD | CR0_NW);
}

TEST(cr4_keeps_vmxe_and_mce)
{
    cr4_write(&v, CR4_PAE);
    assert_int_equal(fields[GUEST_CR4], CR4_PAE | CR4_VMXE | CR4_MCE);
    assert_int_equal(fields[CR4_READ_SHADOW], CR4_PAE);
}

/* What CPUID answers follows OSXSAVE, which is the host's for that reason. */
TEST(cpuid_follows_osxsave)
{
    vmx_caps.guest_cr4 = CR4_OSXSAVE | CR4_PAE;
    assert_int_equal(cr4_hosts() & (CR4_OSXSAVE | CR4_PAE), CR4_OSXSAVE);
    fields[GUEST_CR4] = 0;
    v.requests = 0;
    cr4_write(&v, CR4_PAE);
    assert_int_equal(v.requests, 0);
    cr4_write(&v, CR4_PAE | CR4_OSXSAVE);
    assert_int_equal(v.requests, VCPU_REQUEST_RELOAD);
    v.requests = 0;
    cr4_write(&v, CR4_OSXSAVE);
    assert_int_equal(v.requests, 0);
    cr4_write(&v, 0);
    assert_int_equal(v.requests, VCPU_REQUEST_RELOAD);
    v.requests = 0;
}

/* A bit of the mask is the host's, and the guest reads the shadow; of another bit, the register. */
TEST(what_the_guest_reads)
{
    fields[GUEST_CR0] = CR0_PE | CR0_NE | CR0_TS;
    fields[CR0_READ_SHADOW] = CR0_PE | CR0_CD | CR0_MP;
    assert_int_equal(cr0_guest_view(), CR0_PE | CR0_CD | CR0_TS);
    vmx_caps.guest_cr4 = CR4_PAE | CR4_PGE | CR4_MCE;
    fields[GUEST_CR4] = CR4_PAE | CR4_VMXE | CR4_MCE;
    fields[CR4_READ_SHADOW] = CR4_PGE | CR4_OSFXSR;
    assert_int_equal(cr4_guest_view(), CR4_PAE | CR4_OSFXSR);
}

static void segment(enum segment s, uint64_t base) { fields[VMCS_BASE(s)] = base; }

static struct vcpu_paging paging(void)
{
    struct vcpu_paging p;
    memset(&p, 0xa5, sizeof(p));
    for (enum segment s = SEG_ES; s <= SEG_GS; s++)
        segment(s, 0x100 + (uint64_t)s);
    for (unsigned i = 0; i < 4; i++)
        fields[VMCS_PDPTE(i)] = 0x200 + i;
    fields[GUEST_CR3] = 0x3000;
    fields[GUEST_RIP] = 0x1234;
    fields[GUEST_RFLAGS] = RFLAGS_AC;
    fields[GUEST_SS_ACCESS_RIGHTS] = FIELD_SET(SEG_AR_DPL, 3);
    vcpu_paging(&v, &p);
    assert_int_equal(p.cr3, 0x3000);
    assert_int_equal(p.rip, 0x1234);
    assert_int_equal(p.rflags, RFLAGS_AC);
    assert_int_equal(p.cpl, 3);
    return p;
}

TEST(paging_of_64_bit_code)
{
    fields[GUEST_CR0] = CR0_PE | CR0_PG;
    fields[GUEST_CR4] = CR4_PAE;
    fields[GUEST_IA32_EFER] = EFER_LMA;
    fields[GUEST_CS_ACCESS_RIGHTS] = SEG_AR_L;
    struct vcpu_paging p = paging();
    assert_true(p.code64 && !p.code32);
    assert_int_equal(p.cr0, CR0_PE | CR0_PG);
    assert_int_equal(p.cr4, CR4_PAE);
    assert_int_equal(p.efer, EFER_LMA);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(p.segment_base[i], 0);
        assert_int_equal(p.pdpte[i], 0);
    }
    assert_int_equal(p.segment_base[SEG_FS], 0x100 + SEG_FS);
    assert_int_equal(p.segment_base[SEG_GS], 0x100 + SEG_GS);
}

TEST(paging_of_compatibility_mode)
{
    fields[GUEST_CR4] = CR4_PAE;
    fields[GUEST_IA32_EFER] = EFER_LMA;
    fields[GUEST_CS_ACCESS_RIGHTS] = SEG_AR_DB;
    struct vcpu_paging p = paging();
    assert_true(p.code32 && !p.code64);
    assert_int_equal(p.segment_base[SEG_CS], 0x100 + SEG_CS);
    assert_int_equal(p.pdpte[3], 0);
}

/* CS.L counts in IA-32e mode only. */
TEST(paging_pae)
{
    fields[GUEST_CR4] = CR4_PAE;
    fields[GUEST_CS_ACCESS_RIGHTS] = SEG_AR_L;
    struct vcpu_paging p = paging();
    assert_false(p.code64 || p.code32);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(p.pdpte[i], 0x200 + i);
    for (enum segment s = SEG_ES; s <= SEG_GS; s++)
        assert_int_equal(p.segment_base[s], 0x100 + s);
}

TEST(paging_of_32_bits)
{
    fields[GUEST_CS_ACCESS_RIGHTS] = SEG_AR_DB;
    struct vcpu_paging p = paging();
    assert_true(p.code32 && !p.code64);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(p.pdpte[i], 0);
}

/* Each register on which the bytes at CS:RIP depend, changed alone, is noticed. The others are
 * up to date. */
TEST(paging_again)
{
    static const enum vmcs_field compared[] = {GUEST_RIP, GUEST_CR0,       GUEST_CR3,
                                               GUEST_CR4, GUEST_IA32_EFER, GUEST_CS_ACCESS_RIGHTS};
    fields[GUEST_IA32_EFER] = EFER_LMA;
    fields[GUEST_CS_ACCESS_RIGHTS] = SEG_AR_L | SEG_TYPE_CODE;
    struct vcpu_paging p = paging();
    assert_true(vcpu_paging_again(&p, false, false));
    for (unsigned i = 0; i < ARRAY_COUNT(compared); i++) {
        fields[compared[i]] ^= BIT(7);
        assert_false(vcpu_paging_again(&p, false, false));
        fields[compared[i]] ^= BIT(7);
    }
    segment(SEG_CS, 0x5000); /* which 64-bit code has not */
    segment(SEG_GS, 0x6000);
    fields[GUEST_RFLAGS] = RFLAGS_CF;
    fields[GUEST_RSP] = 0x7000;
    uint64_t rsp = p.rsp;
    assert_true(vcpu_paging_again(&p, false, false));
    assert_int_equal(p.rflags, RFLAGS_CF);
    assert_int_equal(p.rsp, rsp);
    assert_true(vcpu_paging_again(&p, false, true));
    assert_int_equal(p.rsp, 0x7000);
    assert_int_equal(p.segment_base[SEG_GS], 0x100 + SEG_GS);
    assert_true(vcpu_paging_again(&p, true, false));
    assert_int_equal(p.segment_base[SEG_GS], 0x6000);
    assert_int_equal(p.segment_base[SEG_CS], 0);
}

/* SDM "Checks on Guest Segment Registers": CS.DPL = SS.DPL, unless the code is conforming. SS.B
 * counts outside of 64-bit mode. */
TEST(paging_again_by_the_stack)
{
    static const struct {
        uint64_t efer, cs;
        bool looks;
    } cases[] = {{EFER_LMA, SEG_AR_L | SEG_TYPE_CODE, false},
                 {EFER_LMA, SEG_AR_L | SEG_TYPE_CODE | SEG_TYPE_CONFORMING, true},
                 {EFER_LMA, SEG_AR_DB | SEG_TYPE_CODE, true},
                 {0, SEG_AR_DB | SEG_TYPE_CODE, true},
                 {0, SEG_AR_L | SEG_TYPE_CODE, true}};
    for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
        fields[GUEST_IA32_EFER] = cases[i].efer;
        fields[GUEST_CS_ACCESS_RIGHTS] = cases[i].cs;
        struct vcpu_paging p = paging();
        assert_true(vcpu_paging_again(&p, false, false));
        fields[GUEST_SS_ACCESS_RIGHTS] ^= SEG_AR_DPL;
        assert_int_equal(vcpu_paging_again(&p, false, false), !cases[i].looks);
    }
}

TEST(paging_again_by_segments)
{
    struct vcpu_paging p = paging();
    segment(SEG_ES, 0x5000);
    assert_true(vcpu_paging_again(&p, true, false));
    assert_int_equal(p.segment_base[SEG_ES], 0x5000);
    segment(SEG_CS, 0x5000);
    assert_false(vcpu_paging_again(&p, true, false));
}

TEST(over_an_instruction_whose_length_is_not_reported)
{
    fields[GUEST_RFLAGS] = RFLAGS_1 | RFLAGS_RF;
    struct vcpu_paging s = {.rip = 0xffffffff, .rflags = RFLAGS_1 | RFLAGS_RF | RFLAGS_ZF};
    vcpu_step_over(&s, 3);
    assert_int_equal(fields[GUEST_RIP], 2);
    assert_int_equal(fields[GUEST_RFLAGS], RFLAGS_1 | RFLAGS_ZF);
}

/* Nothing but RIP changes where nothing was pending. */
TEST(the_next_instruction)
{
    static uint64_t before[ARRAY_COUNT(fields)];
    fields[GUEST_RFLAGS] = RFLAGS_1;
    fields[GUEST_RIP] = 0xfffffffe;
    fields[VM_EXIT_INSTRUCTION_LENGTH] = 2;
    fields[GUEST_CS_ACCESS_RIGHTS] = SEG_AR_L; /* but not in IA-32e mode */
    fields[GUEST_INTERRUPTIBILITY] = BLOCKED_BY_NMI;
    memcpy(before, fields, sizeof(fields));
    vcpu_advance_rip();
    assert_int_equal(fields[GUEST_RIP], 0);
    before[GUEST_RIP] = 0;
    assert_memory_equal(fields, before, sizeof(fields));
}

TEST(rsp_is_in_the_vmcs)
{
    v.regs.gpr[RBX] = 7;
    fields[GUEST_RSP] = 0x8000;
    assert_int_equal(vcpu_gpr(&v, RBX), 7);
    assert_int_equal(reads, 0);
    assert_int_equal(vcpu_gpr(&v, RSP), 0x8000);
    vcpu_set_gpr(&v, RSP, 0x9000);
    vcpu_set_gpr(&v, RDI, 5);
    assert_int_equal(fields[GUEST_RSP], 0x9000);
    assert_int_equal(v.regs.gpr[RDI], 5);
    assert_int_equal(v.regs.gpr[RSP], 0);
}

/* A look from outside makes the VMCS current, and gives the CPU back what it had. */
TEST(a_vcpu_that_is_not_loaded)
{
    vmx_cpu(&here)->vcpu = &other;
    current = others;
    fields[GUEST_RSP] = 0x8000;
    assert_int_equal(vcpu_gpr(&v, RSP), 0x8000);
    assert_ptr_equal(current, others);
    vcpu_set_gpr(&v, RSP, 1);
    assert_ptr_equal(current, others);
    v.halted = v.halted_masked = true;
    vcpu_set_rip(&v, 0x1000);
    assert_int_equal(fields[GUEST_RIP], 0x1000);
    assert_false(v.halted || v.halted_masked);
    assert_ptr_equal(current, others);
    vcpu_set_rflags(&v, RFLAGS_IF);
    assert_int_equal(fields[GUEST_RFLAGS], RFLAGS_IF | RFLAGS_1);
    assert_ptr_equal(current, others);
    vmx_cpu(&here)->vcpu = NULL;
    current = NULL;
    paging();
    assert_null(current);
}

TEST(controls_are_written_when_they_change)
{
    fields[PROC_BASED_CONTROLS] = 0x77; /* not looked at */
    v.proc = 5;
    vcpu_set_proc(&v, 5);
    assert_int_equal(fields[PROC_BASED_CONTROLS], 0x77);
    vcpu_set_proc(&v, 6);
    assert_int_equal(fields[PROC_BASED_CONTROLS], 6);
    assert_int_equal(v.proc, 6);
}

/* 64-bit code has one size, else SS.B decides. */
TEST(size_of_the_stack)
{
    static const struct {
        uint64_t efer, cs, ss;
        unsigned size;
    } rows[] = {
        {EFER_LMA, SEG_AR_L, SEG_AR_DB, 8},  {EFER_LMA, SEG_AR_L, 0, 8},
        {EFER_LMA, SEG_AR_DB, SEG_AR_DB, 4}, {EFER_LMA, SEG_AR_DB, 0, 2},
        {0, SEG_AR_DB, SEG_AR_DB, 4},        {0, SEG_AR_DB, SEG_AR_P, 2},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct vcpu_paging p;
        fields[GUEST_IA32_EFER] = rows[i].efer;
        fields[GUEST_CS_ACCESS_RIGHTS] = rows[i].cs;
        fields[GUEST_SS_ACCESS_RIGHTS] = rows[i].ss | FIELD_SET(SEG_AR_DPL, 3);
        fields[GUEST_RSP] = 0x5678;
        vcpu_paging(&v, &p);
        assert_int_equal(p.stack_size, rows[i].size);
        assert_int_equal(p.rsp, 0x5678);
        assert_int_equal(vcpu_cpl(), 3);
    }
}

/* Its VMCS is in use on another CPU, where VMREAD of this one would not find it. */
TEST(a_vcpu_that_another_cpu_holds)
{
    vmx_cpu(&here)->vcpu = NULL;
    current = NULL;
    v.launched = LAUNCHED_ONCE;
    assert_panics(vcpu_borrow(&v));
    assert_null(current);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(cr0_keeps_the_caches_on, loaded),
        cmocka_unit_test_setup(cr4_keeps_vmxe_and_mce, loaded),
        cmocka_unit_test_setup(cpuid_follows_osxsave, loaded),
        cmocka_unit_test_setup(what_the_guest_reads, loaded),
        cmocka_unit_test_setup(paging_of_64_bit_code, loaded),
        cmocka_unit_test_setup(paging_of_compatibility_mode, loaded),
        cmocka_unit_test_setup(paging_pae, loaded),
        cmocka_unit_test_setup(paging_of_32_bits, loaded),
        cmocka_unit_test_setup(paging_again, loaded),
        cmocka_unit_test_setup(paging_again_by_the_stack, loaded),
        cmocka_unit_test_setup(paging_again_by_segments, loaded),
        cmocka_unit_test_setup(over_an_instruction_whose_length_is_not_reported, loaded),
        cmocka_unit_test_setup(the_next_instruction, loaded),
        cmocka_unit_test_setup(rsp_is_in_the_vmcs, loaded),
        cmocka_unit_test_setup(a_vcpu_that_is_not_loaded, loaded),
        cmocka_unit_test_setup(controls_are_written_when_they_change, loaded),
        cmocka_unit_test_setup(size_of_the_stack, loaded),
        cmocka_unit_test_setup(a_vcpu_that_another_cpu_holds, loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
