/* SPDX-License-Identifier: MIT */
/*
 * The rules that name what is wrong with a guest state that VM entry refuses. The VMCS is an array
 * here.
 * From: make unit.   To: vmx/show/entry_check.c.
 * Spec: SDM "Checks on the Guest State Area".
 */
// sources: vmx/show/entry_check.c
#include "vmx/vmcs.h"
#include <string.h>
#include "arch/x86.h"
#include "tests/unit/test.h"
#include "vmx/caps.h"
#include "vmx/show/show.h"

static uint64_t fields[0x7000];

uint64_t vmread(enum vmcs_field field) { return fields[field]; }
uint64_t caps_cr0_fixed(uint64_t cr0) { return (cr0 | CR0_PE | CR0_NE | CR0_PG) & UINT32_MAX; }
uint64_t caps_cr4_fixed(uint64_t cr4) { return (cr4 | CR4_VMXE) & BITS(22, 0); }

#define FLAT_DATA (SEG_TYPE_DATA | SEG_AR_S | SEG_AR_P | SEG_AR_G | SEG_AR_DB)
#define FLAT_CODE (SEG_TYPE_CODE | SEG_AR_S | SEG_AR_P | SEG_AR_G | SEG_AR_L)

/* A 64-bit guest that may be entered. */
FIXTURE(create)
{
    memset(fields, 0, sizeof(fields));
    fields[GUEST_CR0] = CR0_PE | CR0_NE | CR0_PG;
    fields[GUEST_CR4] = CR4_PAE | CR4_VMXE;
    fields[GUEST_IA32_EFER] = EFER_LME | EFER_LMA;
    fields[VM_ENTRY_CONTROLS] = ENTRY_GUEST_64BIT;
    fields[GUEST_RFLAGS] = RFLAGS_1 | RFLAGS_IF;
    fields[VMCS_LINK_POINTER] = UINT64_MAX;
    for (enum segment s = SEG_ES; s <= SEG_GS; s++) {
        fields[VMCS_ACCESS_RIGHTS(s)] = FLAT_DATA;
        fields[VMCS_LIMIT(s)] = UINT32_MAX;
    }
    fields[GUEST_CS_ACCESS_RIGHTS] = FLAT_CODE;
    fields[GUEST_TR_ACCESS_RIGHTS] = SEG_TYPE_TSS_BUSY | SEG_AR_P;
    fields[GUEST_LDTR_ACCESS_RIGHTS] = SEG_AR_UNUSABLE;
    return 0;
}

TEST(a_good_state_has_no_complaint)
{
    assert_string_equal(entry_check_guest(), "");
    fields[GUEST_CR0] = CR0_NE; /* real mode */
    fields[GUEST_CR4] = CR4_VMXE;
    fields[GUEST_IA32_EFER] = 0;
    fields[VM_ENTRY_CONTROLS] = 0;
    fields[GUEST_CS_ACCESS_RIGHTS] = SEG_TYPE_CODE | SEG_AR_S | SEG_AR_P;
    fields[GUEST_CS_LIMIT] = 0xffff;
    assert_string_equal(entry_check_guest(), "");
}

TEST(each_broken_rule_is_named)
{
    static const struct {
        enum vmcs_field field;
        uint64_t value;
        const char *word; /* in the complaint */
    } rows[] = {
        {GUEST_CR0, CR0_PG | CR0_NE, "CR0.PG without CR0.PE"},
        {GUEST_CR0, CR0_PE | CR0_PG, "CR0 has a bit"},
        {GUEST_CR4, CR4_PAE, "CR4 has a bit"},
        {GUEST_CR4, CR4_VMXE, "IA-32e mode without"},
        {GUEST_IA32_EFER, EFER_LME, "EFER.LMA differs from \"IA-32e"},
        {GUEST_IA32_EFER, EFER_LMA, "EFER.LMA differs from EFER.LME"},
        {GUEST_IA32_SYSENTER_EIP, UINT64_C(1) << 47, "not canonical"},
        {GUEST_RFLAGS, 0, "RFLAGS has a reserved bit"},
        {GUEST_RFLAGS, RFLAGS_1 | BIT(15), "RFLAGS has a reserved bit"},
        {GUEST_RIP, UINT64_C(1) << 48, "RIP has more"},
        {GUEST_CS_ACCESS_RIGHTS, FLAT_CODE | SEG_AR_DB, "CS.L and CS.D"},
        {GUEST_CS_ACCESS_RIGHTS, FLAT_CODE & ~BIT(0), "not accessed code"},
        {GUEST_SS_ACCESS_RIGHTS, FLAT_DATA & ~BIT(1), "SS is not"},
        {GUEST_DS_ACCESS_RIGHTS, FLAT_DATA & ~SEG_AR_P, "not present"},
        {GUEST_FS_LIMIT, 0x12345678, "granularity"},
        {GUEST_TR_ACCESS_RIGHTS, SEG_AR_UNUSABLE, "TR is not a busy TSS"},
        {GUEST_TR_ACCESS_RIGHTS, 9 | SEG_AR_P, "TR is not a busy TSS"},
        {GUEST_LDTR_ACCESS_RIGHTS, 3 | SEG_AR_P, "LDTR"},
        {GUEST_GDTR_LIMIT, 0x10000, "GDTR or IDTR"},
        {GUEST_ACTIVITY_STATE, 4, "activity"},
        {GUEST_INTERRUPTIBILITY, BLOCKED_BY_STI | BLOCKED_BY_MOV_SS, "at once"},
        {VMCS_LINK_POINTER, 0, "link pointer"},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        create(state);
        fields[rows[i].field] = rows[i].value;
        if (!strstr(entry_check_guest(), rows[i].word))
            fail_msg("row %u: \"%s\" instead of \"%s\"", i, entry_check_guest(), rows[i].word);
    }
}

/* SDM "Checks on Guest Segment Registers": the DPL of CS and of SS. */
TEST(the_privilege_level_is_one)
{
    const unsigned accessed = 9, conforming = 13, data = 3;
    const struct {
        unsigned type, cs, ss;
        bool real, good;
    } rows[] = {
        {accessed, 0, 0, false, true},    {accessed, 3, 3, false, true},
        {accessed, 3, 0, false, false},   {accessed, 0, 3, false, false},
        {conforming, 0, 3, false, true},  {conforming, 3, 3, false, true},
        {conforming, 3, 1, false, false}, {data, 0, 0, true, true},
        {data, 3, 3, true, false},        {data, 0, 3, false, false},
        {data, 3, 0, false, false},       {accessed, 3, 3, true, false},
        {data, 3, 3, false, false},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        create(state);
        uint64_t cs = (FLAT_CODE & ~SEG_AR_TYPE) | FIELD_SET(SEG_AR_TYPE, rows[i].type);
        fields[GUEST_CS_ACCESS_RIGHTS] = cs | FIELD_SET(SEG_AR_DPL, rows[i].cs);
        fields[GUEST_SS_ACCESS_RIGHTS] = FLAT_DATA | FIELD_SET(SEG_AR_DPL, rows[i].ss);
        if (rows[i].real) {
            fields[GUEST_CR0] &= ~(CR0_PE | CR0_PG);
            fields[GUEST_IA32_EFER] = fields[VM_ENTRY_CONTROLS] = 0;
        }
        const char *broken = entry_check_guest();
        if (!*broken != rows[i].good || (*broken && !strstr(broken, "SS.DPL")))
            fail_msg("row %u: \"%s\"", i, broken);
    }
}

/* SDM "Checks on Guest Non-Register State" */
TEST(rules_of_two_fields)
{
    static const struct {
        uint64_t rflags, blocked, pending;
        bool good;
    } rows[] = {
        {RFLAGS_TF, BLOCKED_BY_STI, 0, false},
        {RFLAGS_TF, BLOCKED_BY_MOV_SS, 0, false},
        {RFLAGS_TF, BLOCKED_BY_MOV_SS, PENDING_DEBUG_BS, true},
        {0, BLOCKED_BY_STI, PENDING_DEBUG_BS, false},
        {RFLAGS_TF, 0, 0, true},
        {0, 0, PENDING_DEBUG_BS, true},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        fields[GUEST_RFLAGS] = RFLAGS_1 | RFLAGS_IF | rows[i].rflags;
        fields[GUEST_INTERRUPTIBILITY] = rows[i].blocked;
        fields[GUEST_PENDING_DEBUG] = rows[i].pending;
        const char *broken = entry_check_guest();
        assert_true(rows[i].good ? !*broken : strstr(broken, "pending debug") != NULL);
    }
    create(state);
    fields[GUEST_INTERRUPTIBILITY] = BLOCKED_BY_NMI;
    fields[VM_ENTRY_INTERRUPTION_INFO] = EVENT_VALID | FIELD_SET(EVENT_TYPE, EVENT_NMI) | 2;
    assert_non_null(strstr(entry_check_guest(), "an NMI"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, create)
    const struct CMUnitTest tests[] = {
        T(a_good_state_has_no_complaint),
        T(each_broken_rule_is_named),
        T(the_privilege_level_is_one),
        T(rules_of_two_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
