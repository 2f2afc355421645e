/* SPDX-License-Identifier: MIT */
// sources: vtd/dmar.c vtd/unit.c vtd/scope.c vtd/init.c vtd/invalidate.c vtd/context.c vtd/sspt.c
// sources: arch/radix.c vtd/intremap.c vtd/fault.c tests/unit/vtd_model.c tests/unit/vtd_requests.c
// sources: tests/unit/vtd_world.c
/*
 * Interrupts, the real driver against the model of the unit: who may use which entry, what comes of
 * it, and that a changed entry is the one in force.
 */
#include "tests/unit/test.h"
#include "tests/unit/vtd_model.h"
#include "vtd/unit.h"
#include <signal.h>
#include <stdlib.h>

#define NIC  BDF(0, 4, 0)
#define DISK BDF(0, 5, 0)

static const struct {
    uint64_t cap_add, ecap_remove;
} kinds[] = {{0, 0}, {0, ECAP_C}, {CAP_RWBF, 0}, {CAP_CM, 0}, {CAP_CM, ECAP_C | ECAP_MHMV}};

static void start(size_t kind)
{
    model_start(MODEL_CAP | CAP_PI | kinds[kind].cap_add, MODEL_ECAP & ~kinds[kind].ecap_remove);
    assert_true(vtd_ir_active());
}

static struct model_message send(bdf_t device, unsigned index)
{
    return model_interrupt(0, device, vtd_msi_address(index, false), 0);
}

static void assert_blocked(bdf_t device, unsigned index, uint8_t reason)
{
    assert_int_equal(send(device, index).outcome, MODEL_BLOCKED);
    unsigned newest = (model[0].next_record + MODEL_RECORDS - 1) % MODEL_RECORDS;
    assert_int_equal(FIELD_GET(FRCD_FR, model[0].records[newest].hi), reason);
    vtd_fault_poll();
}

TEST(test_remap)
{
    for (size_t kind = 0; kind < ARRAY_COUNT(kinds); kind++) {
        start(kind);
        int index = vtd_irte_alloc(NIC, 1);
        assert_true(index >= 0);
        assert_blocked(NIC, (unsigned)index, 0x22); /* caching mode remembers this */
        vtd_irte_remap((unsigned)index, 2, 0x41, false);
        struct model_message m = send(NIC, (unsigned)index);
        assert_int_equal(m.outcome, MODEL_REMAPPED);
        assert_true(m.vector == 0x41 && m.destination == 2 && !m.level);
        assert_blocked(DISK, (unsigned)index, 0x26);
        vtd_irte_remap((unsigned)index, 1, 0x42, true);
        m = send(NIC, (unsigned)index);
        assert_true(m.vector == 0x42 && m.destination == 1 && m.level);
        vtd_irte_block((unsigned)index);
        assert_blocked(NIC, (unsigned)index, 0x22);
        vtd_irte_remap((unsigned)index, 1, 0x43, false);
        assert_int_equal(send(NIC, (unsigned)index).vector, 0x43);
        vtd_irte_free((unsigned)index, 1);
        assert_blocked(NIC, (unsigned)index, 0x22);
        assert_int_equal(vtd_irte_alloc(DISK, 1), index);
        assert_blocked(NIC, (unsigned)index, 0x22);
        assert_blocked(NIC, VTD_IRTE_MAX, 0x21);
    }
}

/* Blocked, and nothing is recorded: else a device that sends without end would fill the records. */
TEST(test_next)
{
    start(0);
    assert_int_equal(vtd_irte_next(0), VTD_IRTE_MAX);
    unsigned first = (unsigned)vtd_irte_alloc(NIC, 1), second = (unsigned)vtd_irte_alloc(NIC, 1);
    vtd_irte_remap(second, 2, 0x41, false);
    assert_int_equal(vtd_irte_next(0), second);
    vtd_irte_remap(first, 2, 0x41, false);
    assert_int_equal(vtd_irte_next(0), first);
    assert_int_equal(vtd_irte_next(first + 1), second);
    assert_int_equal(vtd_irte_next(second + 1), VTD_IRTE_MAX);
    assert_int_equal(vtd_irte_next(VTD_IRTE_MAX), VTD_IRTE_MAX);
}

TEST(test_hold)
{
    for (size_t kind = 0; kind < ARRAY_COUNT(kinds); kind++) {
        start(kind);
        unsigned index = (unsigned)vtd_irte_alloc(NIC, 1);
        vtd_irte_remap(index, 2, 0x41, false);
        assert_int_equal(send(NIC, index).outcome, MODEL_REMAPPED);
        vtd_irte_hold(index);
        unsigned records = model[0].next_record;
        assert_int_equal(send(NIC, index).outcome, MODEL_BLOCKED);
        assert_int_equal(model[0].next_record, records);
        assert_int_equal(vtd_fault_count(NIC), 0);
        vtd_irte_remap(index, 1, 0x42, false);
        assert_int_equal(send(NIC, index).vector, 0x42);
        vtd_irte_free(index, 1);
        assert_blocked(NIC, index, 0x22);
    }
}

TEST(test_compatibility_is_blocked)
{
    start(0);
    assert_int_equal(model_interrupt(0, NIC, 0xfee00000, 0x30).outcome, MODEL_BLOCKED);
    vtd_fault_poll();
    model_reset(1);
    options.ir = false;
    assert_int_equal(vtd_init(), 0);
    assert_false(vtd_ir_active());
    assert_int_equal(model_interrupt(0, NIC, 0xfee00000, 0x30).outcome, MODEL_COMPATIBILITY);
}

TEST(test_post)
{
    for (size_t kind = 0; kind < ARRAY_COUNT(kinds); kind++) {
        start(kind);
        assert_null(vtd_no_posting());
        unsigned index = (unsigned)vtd_irte_alloc(NIC, 1);
        const struct pi_desc *one = hpa_ptr(hpa(0x123456789c0)), *other = hpa_ptr(hpa(0xffffffc0));
        vtd_irte_post(index, one, 0x50, true);
        struct model_message m = send(NIC, index);
        assert_int_equal(m.outcome, MODEL_POSTED);
        assert_true(m.urgent && m.vector == 0x50 && m.descriptor == 0x123456789c0);
        vtd_irte_post(index, other, 0x51, false);
        m = send(NIC, index);
        assert_true(!m.urgent && m.vector == 0x51 && m.descriptor == 0xffffffc0);
        vtd_irte_remap(index, 0, 0x52, false);
        assert_int_equal(send(NIC, index).outcome, MODEL_REMAPPED);
        assert_blocked(DISK, index, 0x26);
    }
}

/* Two units that post, before vtd_init(). */
static void two_that_post(void)
{
    model_reset(2);
    model[0].cap |= CAP_PI;
    model[1].cap |= CAP_PI;
    options.post = POST_HW;
}

static void assert_no_posting(const char *why, bool remapping)
{
    assert_int_equal(vtd_init(), 0);
    assert_string_equal(vtd_no_posting(), why);
    assert_int_equal(vtd_ir_active(), remapping);
    options.ir = true;
    options.inv = INV_QI;
    options.post = POST_HW;
}

/* Each reason alone; the unit that lacks something may be any of them. */
TEST(test_why_nothing_is_posted)
{
    two_that_post();
    assert_string_equal(vtd_no_posting(), "no VT-d unit is in use");
    assert_int_equal(vtd_init(), 0);
    assert_null(vtd_no_posting());
    two_that_post();
    options.ir = false;
    assert_no_posting("ir=off", false);
    two_that_post();
    world.table[37] = 0;
    assert_no_posting("the DMAR table has no flag INTR_REMAP", false);
    two_that_post();
    model[1].ecap &= ~ECAP_IR;
    assert_no_posting("a VT-d unit without ECAP.IR", false);
    two_that_post();
    options.inv = INV_REG;
    assert_no_posting("a VT-d unit is invalidated by registers", false);
    two_that_post();
    model[1].ecap &= ~ECAP_QI;
    assert_no_posting("a VT-d unit is invalidated by registers", false);
    two_that_post();
    model[1].cap &= ~CAP_PI;
    assert_no_posting("a VT-d unit without CAP.PI", true);
    two_that_post();
    model[1].ecap &= ~ECAP_EIM;
    world.x2apic = true; /* NDST would be read as an xAPIC id */
    assert_no_posting("VT-d units and CPUs differ in x2APIC mode", true);
    two_that_post();
    options.post = POST_SW;
    assert_no_posting("post=sw", true);
    two_that_post();
    model[1].version = 0; /* it does not answer, and its devices are in no VM */
    model[1].cap = 0;
    assert_int_equal(vtd_init(), 0);
    assert_null(vtd_no_posting());
}

TEST(test_multiple_messages)
{
    for (size_t kind = 0; kind < ARRAY_COUNT(kinds); kind++) {
        start(kind);
        unsigned odd = (unsigned)vtd_irte_alloc(DISK, 1);
        unsigned first = (unsigned)vtd_irte_alloc(NIC, 8);
        assert_true(first % 8 == 0 && first != odd);
        for (unsigned i = 0; i < 8; i++)
            vtd_irte_remap(first + i, 0, (uint8_t)(0x60 + i), false);
        for (uint16_t i = 0; i < 8; i++)
            assert_int_equal(model_interrupt(0, NIC, vtd_msi_address(first, true), i).vector,
                             0x60 + i);
        vtd_irte_free(first, 8);
        for (unsigned i = 0; i < 8; i++)
            assert_blocked(NIC, first + i, 0x22);
    }
    start(0);
    (void)!vtd_irte_alloc(DISK, 1);
    for (unsigned i = 0; i < VTD_IRTE_MAX / 8 - 1; i++)
        assert_true(vtd_irte_alloc(NIC, 8) >= 0);
    assert_int_equal(vtd_irte_alloc(NIC, 8), -ENOSPC);
    assert_true(vtd_irte_alloc(NIC, 1) >= 0);
}

TEST(test_behind_a_bridge)
{
    start(0);
    unsigned index = (unsigned)vtd_irte_alloc(BDF(2, 0, 0), 1);
    vtd_irte_remap(index, 0, 0x70, false);
    assert_int_equal(send(BDF(2, 0, 0), index).outcome, MODEL_REMAPPED);
    assert_int_equal(send(BDF(2, 1, 0), index).outcome, MODEL_REMAPPED);
    assert_blocked(NIC, index, 0x26);
    assert_blocked(BDF(3, 0, 0), index, 0x26);
}

TEST(test_apic_ids)
{
    model_reset(1);
    world.x2apic = true;
    assert_int_equal(vtd_init(), 0);
    unsigned index = (unsigned)vtd_irte_alloc(NIC, 1);
    vtd_irte_remap(index, 0x12345, 0x71, false);
    assert_int_equal(send(NIC, index).destination, 0x12345);
    model_start(MODEL_CAP, MODEL_ECAP);
    index = (unsigned)vtd_irte_alloc(NIC, 1);
    vtd_irte_remap(index, 0xff, 0x71, false);
    assert_int_equal(send(NIC, index).destination, 0xff);
    vtd_irte_remap(index, 0x100, 0x71, false); /* does not fit: no CPU gets it */
    assert_blocked(NIC, index, 0x22);
}

/* --- Seen from a unit, which may look at any time --------------------------------------------- */

static const struct u128 *watched;
static struct u128 old_entry, new_entry;
static unsigned long looks, torn;

static bool same(struct u128 a, struct u128 b) { return a.lo == b.lo && a.hi == b.hi; }

static void look(int signal)
{
    struct u128 now = *watched;
    (void)signal;
    looks++;
    torn += !same(now, old_entry) && !same(now, new_entry);
}

/* RFLAGS.TF: a trap, and so a look, after each instruction of this program. Our stack below RSP
 * is in use. */
static void single_step(bool on)
{
    if (on)
        asm volatile("lea -128(%%rsp), %%rsp; pushfq; orq $0x100, (%%rsp); popfq; lea 128(%%rsp), "
                     "%%rsp" ::
                         : "memory", "cc");
    else
        asm volatile(
            "lea -128(%%rsp), %%rsp; pushfq; andq $~0x100, (%%rsp); popfq; lea 128(%%rsp), "
            "%%rsp" ::
                : "memory", "cc");
}

static void set_entry(unsigned index, unsigned how)
{
    const struct pi_desc *one = hpa_ptr(hpa(0x123456789c0)), *other = hpa_ptr(hpa(0xffffffc0));
    if (how < 2)
        vtd_irte_post(index, how ? other : one, (uint8_t)(0x50 + how), false);
    else if (how == 2)
        vtd_irte_remap(index, 3, 0x60, false);
    else
        vtd_irte_block(index);
}

/* Between any two kinds of entry: the whole old one, or the whole new one, after
 * each instruction. */
TEST(test_never_half_an_entry)
{
    start(0);
    unsigned index = (unsigned)vtd_irte_alloc(NIC, 1);
    watched = &vtd.irt[index];
    signal(SIGTRAP, look);
    for (unsigned from = 0; from < 4; from++)
        for (unsigned to = 0; to < 4; to++) {
            set_entry(index, to);
            new_entry = *watched;
            set_entry(index, from);
            old_entry = *watched;
            looks = torn = 0;
            single_step(true);
            set_entry(index, to);
            single_step(false);
            assert_true(same(*watched, new_entry) && looks > 20);
            assert_int_equal(torn, 0);
        }
    signal(SIGTRAP, SIG_DFL);
}

TEST(test_formats)
{
    assert_int_equal(vtd_msi_address(0, false), 0xfee00010);
    assert_int_equal(vtd_msi_address(0x7fff, true), 0xfeeffff8);
    assert_int_equal(vtd_msi_address(0x8001, false), 0xfee00034);
    assert_int_equal(vtd_ioapic_rte(0x8003, 0x31, true, true),
                     UINT64_C(3) << 49 | BIT(48) | BIT(15) | BIT(13) | BIT(11) | 0x31);
    assert_int_equal(vtd_ioapic_rte(1, 0x31, false, false), UINT64_C(1) << 49 | BIT(48) | 0x31);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_remap),
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_compatibility_is_blocked),
        cmocka_unit_test(test_post),
        cmocka_unit_test(test_why_nothing_is_posted),
        cmocka_unit_test(test_multiple_messages),
        cmocka_unit_test(test_behind_a_bridge),
        cmocka_unit_test(test_apic_ids),
        cmocka_unit_test(test_never_half_an_entry),
        cmocka_unit_test(test_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
