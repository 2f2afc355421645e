/* SPDX-License-Identifier: MIT */
/*
 * A MOV to a control register that exits: what is #GP, what else changes with the register, and
 * that a #GP changes nothing. The VMCS is an array here.
 * From: make unit.   To: vmx/exit/cr.c.
 * Spec: SDM "MOV-Move to/from Control Registers", "Initializing IA-32e Mode", "PDPTE Registers".
 */
// sources: vmx/vcpu/cr.c
#include "tests/unit/stubs.h"
#include "arch/x86.h"
#include "tests/unit/test.h"
#include <string.h>

static struct cpuid_regs model_cpuid(uint32_t leaf, uint32_t subleaf);
#define cpuid(leaf, subleaf) model_cpuid(leaf, subleaf)
#include "vmx/exit/cr.c"

#define WIDTH 40 /* of a physical address */

static uint64_t fields[0x7000], before[0x7000];
static uint64_t table[8]; /* two tables of four entries, at address 0x1000 */
static enum ept_type type;
static struct vcpu v;
static uint32_t apic_page[1024];
static unsigned flushes, faults, tpr_writes;
static struct cpu here;
struct vmx_caps vmx_caps = {.guest_cr4 = BITS(10, 0) | CR4_PCIDE | CR4_OSXSAVE};

static struct cpuid_regs model_cpuid(uint32_t leaf, uint32_t subleaf)
{
    assert_int_equal(leaf, 0x80000008);
    return (void)subleaf, (struct cpuid_regs){.eax = 48 << 8 | WIDTH};
}
struct cpu *this_cpu(void) { return &here; }
uint64_t vmread(enum vmcs_field field) { return fields[field]; }
void vmwrite(enum vmcs_field field, uint64_t value) { fields[field] = value; }
uint64_t vcpu_gpr(const struct vcpu *of, enum gpr r) { return of->regs.gpr[r]; }
void vcpu_set_gpr(struct vcpu *of, enum gpr r, uint64_t value) { of->regs.gpr[r] = value; }
bool ept_translate(const struct ept *ept, gpa_t at, hpa_t *to, unsigned *perm, enum ept_type *out)
{
    (void)ept;
    *to = ptr_hpa((uint8_t *)table + at.v - 0x1000);
    *perm = EPT_PERM_READ;
    *out = type;
    return at.v - 0x1000 <= sizeof(table) / 2;
}
void ept_flush_vpid(uint16_t vpid)
{
    assert_int_equal(vpid, 7);
    flushes++;
}
enum exit_action inject_gp(struct vcpu *of)
{
    assert_ptr_equal(of, &v);
    faults++;
    return RESUME_SAME;
}
void apic_on_write(struct vcpu *of, uint32_t offset)
{
    assert_ptr_equal(of, &v);
    assert_int_equal(offset, 0x80);
    tpr_writes++;
}

/* A guest of 32 bits without paging. */
FIXTURE(create)
{
    memset(fields, 0, sizeof(fields));
    memset(apic_page, 0, sizeof(apic_page));
    v = (struct vcpu){.vpid = 7, .vapic = apic_page};
    fields[GUEST_CR0] = CR0_PE | CR0_NE;
    fields[CR0_READ_SHADOW] = CR0_PE;
    fields[GUEST_CR4] = CR4_VMXE | CR4_MCE;
    fields[GUEST_CS_ACCESS_RIGHTS] = SEG_AR_DB;
    fields[GUEST_TR_ACCESS_RIGHTS] = SEG_TYPE_TSS_BUSY;
    fields[GUEST_CR3] = 0x1020; /* the second table */
    for (unsigned i = 0; i < 8; i++)
        table[i] = (0x10 + i) << 12 | PDPTE_P;
    type = EPT_WB;
    flushes = faults = tpr_writes = 0;
    return 0;
}

static void set_cr4(uint64_t cr4) { cr4_write(&v, cr4); }

static void long_mode(bool code64)
{
    cr0_write(CR0_PE | CR0_PG);
    set_cr4(CR4_PAE);
    fields[GUEST_IA32_EFER] = EFER_LME | EFER_LMA;
    fields[VM_ENTRY_CONTROLS] = ENTRY_GUEST_64BIT | BIT(2);
    fields[GUEST_CS_ACCESS_RIGHTS] = code64 ? SEG_AR_L : SEG_AR_DB;
}

static void pae_paging(void)
{
    cr0_write(CR0_PE | CR0_PG);
    set_cr4(CR4_PAE);
}

/* MOV to a control register from RBX. True: done, and the TLB of the guest is empty. False: #GP,
 * and nothing has happened. */
static bool moved(unsigned number, uint64_t value)
{
    memcpy(before, fields, sizeof(fields));
    v.regs.gpr[RBX] = value;
    flushes = faults = 0;
    uint64_t how = FIELD_SET(QUAL_CR_NUMBER, number) | FIELD_SET(QUAL_CR_GPR, RBX);
    fields[EXIT_QUALIFICATION] = before[EXIT_QUALIFICATION] = how;
    enum exit_action action = exit_cr_access(&v);
    assert_int_equal(action, faults ? RESUME_SAME : RESUME_NEXT);
    assert_int_equal(v.exit.qualification, how);
    if (faults)
        assert_memory_equal(fields, before, sizeof(fields));
    assert_int_equal(flushes, !faults && number != 8);
    return !faults;
}

/* --- CR0 -------------------------------------------------------------------------------------- */

TEST(cr0_rules)
{
    static const struct {
        uint64_t value, cr4;
        bool good;
    } rows[] = {
        {CR0_PE | CR0_NE, 0, true},
        {CR0_NE, 0, true},
        {CR0_PG | CR0_NE, 0, false},
        {CR0_PE | CR0_PG | CR0_NE, 0, true},
        {CR0_PE | CR0_CD, 0, true},
        {CR0_PE | CR0_CD | CR0_NW, 0, true},
        {CR0_PE | CR0_NW, 0, false},
        {CR0_PE, CR4_PCIDE | CR4_PAE, false},
        {CR0_PE | CR0_PG | CR0_NE, CR4_PCIDE, true},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        create(state);
        set_cr4(rows[i].cr4);
        if (moved(0, rows[i].value) != rows[i].good)
            fail_msg("row %u", i);
        if (rows[i].good)
            assert_int_equal(cr0_guest_view(), rows[i].value | CR0_ET);
    }
    create(state);
    long_mode(true);
    assert_false(moved(0, BIT(32) | CR0_PE | CR0_PG | CR0_NE));
    assert_true(moved(0, CR0_PE | CR0_PG | CR0_NE));
}

TEST(paging_switches_ia_32e_mode)
{
    set_cr4(CR4_PAE);
    fields[GUEST_IA32_EFER] = EFER_LME | EFER_NXE;
    fields[VM_ENTRY_CONTROLS] = BIT(2);
    assert_true(moved(0, CR0_PE | CR0_CD)); /* no change of PG */
    assert_int_equal(fields[GUEST_IA32_EFER], EFER_LME | EFER_NXE);
    assert_true(moved(0, CR0_PE | CR0_PG));
    assert_int_equal(fields[GUEST_IA32_EFER], EFER_LME | EFER_LMA | EFER_NXE);
    assert_int_equal(fields[VM_ENTRY_CONTROLS], ENTRY_GUEST_64BIT | BIT(2));
    assert_int_equal(fields[VMCS_PDPTE(0)], 0);
    assert_true(moved(0, CR0_PE | CR0_PG | CR0_CD)); /* 4-level paging has no PDPTE registers */
    assert_int_equal(fields[VMCS_PDPTE(0)], 0);
    assert_true(moved(0, CR0_PE)); /* CR3 names four entries then, but there is no paging */
    assert_int_equal(fields[GUEST_IA32_EFER], EFER_LME | EFER_NXE);
    assert_int_equal(fields[VM_ENTRY_CONTROLS], BIT(2));
    fields[GUEST_IA32_EFER] = 0;
    assert_true(moved(0, CR0_PE | CR0_PG));
    assert_int_equal(fields[GUEST_IA32_EFER], 0);
    assert_int_equal(fields[VM_ENTRY_CONTROLS], BIT(2));
}

TEST(ia_32e_mode_has_conditions)
{
    static const struct {
        uint64_t cr4, cs, tr;
        bool good;
    } rows[] = {
        {CR4_PAE, SEG_AR_DB, SEG_TYPE_TSS_BUSY, true},
        {0, SEG_AR_DB, SEG_TYPE_TSS_BUSY, false},
        {CR4_PAE, SEG_AR_L, SEG_TYPE_TSS_BUSY, false},
        {CR4_PAE, SEG_AR_DB, SEG_TYPE_TSS16_BUSY, false},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        create(state);
        set_cr4(rows[i].cr4);
        fields[GUEST_IA32_EFER] = EFER_LME;
        fields[GUEST_CS_ACCESS_RIGHTS] = rows[i].cs;
        fields[GUEST_TR_ACCESS_RIGHTS] = rows[i].tr;
        if (moved(0, CR0_PE | CR0_PG) != rows[i].good)
            fail_msg("row %u", i);
    }
    create(state);
    long_mode(true);
    assert_false(moved(0, CR0_PE)); /* only from compatibility mode */
    long_mode(false);
    fields[GUEST_TR_ACCESS_RIGHTS] = SEG_TYPE_TSS16_BUSY; /* does not matter on the way out */
    assert_true(moved(0, CR0_PE));
}

/* --- PAE paging ------------------------------------------------------------------------------- */

TEST(pae_paging_loads_four_entries)
{
    set_cr4(CR4_PAE);
    assert_true(moved(0, CR0_PE | CR0_CD)); /* no paging */
    assert_int_equal(fields[VMCS_PDPTE(0)], 0);
    assert_true(moved(0, CR0_PE | CR0_CD | CR0_PG));
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(fields[VMCS_PDPTE(i)], (0x14 + i) << 12 | PDPTE_P);
    table[5] = 0; /* of an absent entry no bit is reserved */
    table[6] = UINT64_MAX - PDPTE_P;
    assert_true(moved(0, CR0_PE | CR0_PG));
    assert_int_equal(fields[VMCS_PDPTE(1)], 0);
    table[4] = 0x99001;
    assert_true(moved(0, CR0_PE | CR0_PG | CR0_NE)); /* neither PG, CD nor NW has changed */
    assert_int_equal(fields[VMCS_PDPTE(0)], 0x14001);
    assert_true(moved(0, CR0_PE | CR0_PG | CR0_CD));
    assert_int_equal(fields[VMCS_PDPTE(0)], 0x99001);
    table[4] = 0x98001;
    assert_true(moved(0, CR0_PE | CR0_PG | CR0_CD | CR0_NW));
    assert_int_equal(fields[VMCS_PDPTE(0)], 0x98001);
}

TEST(reserved_bits_of_the_four_entries)
{
    static const struct {
        unsigned bit;
        bool reserved;
    } rows[] = {{1, true},     {2, true},  {3, false},  {4, false},  {5, true},
                {8, true},     {9, false}, {11, false}, {12, false}, {WIDTH - 1, false},
                {WIDTH, true}, {51, true}, {63, true}};
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++)
        for (unsigned entry = 0; entry < 4; entry++) {
            create(state);
            set_cr4(CR4_PAE);
            table[4 + entry] ^= BIT(rows[i].bit);
            if (moved(0, CR0_PE | CR0_PG) == rows[i].reserved)
                fail_msg("bit %u of entry %u", rows[i].bit, entry);
        }
}

/* Bits 4:0 of CR3 do not count, nor do the upper ones. No RAM there: #GP. */
TEST(where_the_four_entries_lie)
{
    pae_paging();
    fields[GUEST_CR3] = BIT(32) | 0x101f;
    assert_int_equal(cr_load_pdptes(&v), 0);
    assert_int_equal(fields[VMCS_PDPTE(3)], 0x13001);
    fields[GUEST_CR3] = 0x2000;
    assert_int_equal(cr_load_pdptes(&v), -EINVAL);
    fields[GUEST_CR3] = 0x1000;
    type = EPT_UC; /* a device */
    assert_int_equal(cr_load_pdptes(&v), -EINVAL);
}

/* --- CR4 -------------------------------------------------------------------------------------- */

TEST(cr4_rules)
{
    static const struct {
        uint64_t cr3, value;
        bool in_long_mode, good;
    } rows[] = {
        {0, CR4_PAE | CR4_OSXSAVE, true, true},
        {0, CR4_OSXSAVE, true, false}, /* PAE stays */
        {0, CR4_OSXSAVE, false, true},
        {0, CR4_PAE | CR4_VMXE, true, false},
        {0, CR4_PAE | BIT(11), true, false}, /* not offered */
        {0, CR4_PAE | BIT(32), true, false},
        {0, CR4_PAE | CR4_PCIDE, true, true},
        {0x1000, CR4_PAE | CR4_PCIDE, true, true},
        {0x1001, CR4_PAE | CR4_PCIDE, true, false},
        {0x1800, CR4_PAE | CR4_PCIDE, true, false},
        {0, CR4_PAE | CR4_PCIDE, false, false},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        create(state);
        if (rows[i].in_long_mode)
            long_mode(true);
        fields[GUEST_CR3] = rows[i].cr3;
        if (moved(4, rows[i].value) != rows[i].good)
            fail_msg("row %u", i);
        if (rows[i].good)
            assert_int_equal(cr4_guest_view(), rows[i].value);
    }
    create(state);
    long_mode(true);
    set_cr4(CR4_PAE | CR4_PCIDE);
    fields[GUEST_CR3] = 0x1005; /* it is set already */
    assert_true(moved(4, CR4_PAE | CR4_PCIDE | CR4_OSXSAVE));
}

TEST(cr4_loads_the_four_entries)
{
    assert_true(moved(4, CR4_PAE)); /* no paging yet */
    assert_int_equal(fields[VMCS_PDPTE(0)], 0);
    fields[GUEST_CR0] |= CR0_PG;
    assert_true(moved(4, CR4_PAE | CR4_OSXSAVE));
    assert_int_equal(fields[VMCS_PDPTE(0)], 0x14001);
    table[4] |= BIT(1);
    assert_false(moved(4, CR4_PAE));
    assert_true(moved(4, 0)); /* paging of 32 bits */
}

/* --- The operand ------------------------------------------------------------------------------ */

/* 64-bit code may have left something above the 32 bits that compatibility mode moves. */
TEST(only_64_bit_code_moves_64_bits)
{
    static const struct {
        bool ia32e, code64, whole;
    } rows[] = {{false, false, false}, {true, false, false}, {true, true, true}};
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        create(state);
        if (rows[i].ia32e)
            long_mode(rows[i].code64);
        uint64_t above = UINT64_C(0xbad) << 32;
        uint64_t cr0 = rows[i].ia32e ? CR0_PE | CR0_PG : CR0_PE;
        assert_int_equal(moved(0, above | cr0 | CR0_CD), !rows[i].whole);
        assert_int_equal(moved(4, above | CR4_PAE), !rows[i].whole);
    }
    create(state);
    fields[GUEST_CS_ACCESS_RIGHTS] = SEG_AR_L; /* which counts in IA-32e mode only */
    assert_true(moved(0, BIT(32) | CR0_PE | CR0_CD));
}

TEST(the_task_priority)
{
    long_mode(true);
    assert_true(moved(8, 0x9));
    assert_int_equal(apic_page[0x80 / 4], 0x90);
    assert_int_equal(tpr_writes, 1);
    assert_false(moved(8, 0x10));
    assert_false(moved(8, BIT(63)));
    assert_int_equal(apic_page[0x80 / 4], 0x90);
    assert_int_equal(tpr_writes, 1);
    apic_page[0x80 / 4] = 0xa7;
    fields[EXIT_QUALIFICATION] = FIELD_SET(QUAL_CR_NUMBER, 8) | FIELD_SET(QUAL_CR_GPR, R9) |
                                 FIELD_SET(QUAL_CR_ACCESS, CR_ACCESS_FROM);
    assert_int_equal(exit_cr_access(&v), RESUME_NEXT);
    assert_int_equal(v.regs.gpr[R9], 0xa);
    assert_int_equal(tpr_writes, 1);
    assert_int_equal(flushes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(cr0_rules, create),
        cmocka_unit_test_setup(paging_switches_ia_32e_mode, create),
        cmocka_unit_test_setup(ia_32e_mode_has_conditions, create),
        cmocka_unit_test_setup(pae_paging_loads_four_entries, create),
        cmocka_unit_test_setup(reserved_bits_of_the_four_entries, create),
        cmocka_unit_test_setup(where_the_four_entries_lie, create),
        cmocka_unit_test_setup(cr4_rules, create),
        cmocka_unit_test_setup(cr4_loads_the_four_entries, create),
        cmocka_unit_test_setup(only_64_bit_code_moves_64_bits, create),
        cmocka_unit_test_setup(the_task_priority, create),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
