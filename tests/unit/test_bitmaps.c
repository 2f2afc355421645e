/* SPDX-License-Identifier: MIT */
/*
 * I/O and MSR bitmaps: a 1 exits, a 0 passes; the configuration ports never pass; x2APIC registers
 * pass in their own bitmap only.
 * Spec: SDM "I/O-Bitmap Addresses", "MSR-Bitmap Address", "Virtualizing MSR-Based APIC Accesses".
 */
// sources: vmx/bitmaps.c
#include "arch/msr.h"
#include "arch/page.h"
#include "tests/unit/test.h"
#include "vmx/vmcs.h"
#include <stdlib.h>
#include <string.h>
#include "vmx/bitmaps.h"

static struct bitmaps *b;

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

FIXTURE(create)
{
    b = bitmaps_create(false);
    return b == NULL;
}

FIXTURE(destroy)
{
    bitmaps_destroy(b);
    return 0;
}

/* As the CPU looks: port p is bit p % 0x8000 of bitmap A or B. */
static bool port_exits(uint16_t port)
{
    const uint8_t *map = hpa_ptr(port < 0x8000 ? bitmaps_io_a(b) : bitmaps_io_b(b));
    return map[port % 0x8000 / 8] >> port % 8 & 1;
}

static bool msr_exits(bool x2apic, uint32_t msr, bool write)
{
    const uint8_t *map = hpa_ptr(bitmaps_msrs(b, x2apic));
    map += (write ? 2048 : 0) + (msr >= 0xc0000000 ? 1024 : 0);
    return map[msr % 0x2000 / 8] >> msr % 8 & 1;
}

/* SDM "Virtualizing MSR-Based APIC Accesses": with that control the CPU has the right answer for
 * ICR, in x2APIC mode, and only then. */
TEST(icr_passes_if_the_cpu_virtualizes_ipis)
{
    uint32_t icr = MSR_X2APIC_FIRST + 0x30;
    for (unsigned write = 0; write < 2; write++)
        assert_true(msr_exits(true, icr, write) && msr_exits(false, icr, write));
    bitmaps_destroy(b);
    b = bitmaps_create(true);
    for (unsigned write = 0; write < 2; write++)
        assert_true(!msr_exits(true, icr, write) && msr_exits(false, icr, write));
}

/* SDM "IPI Virtualization": an entry is an address and bit 0, valid; and the table is aligned. */
TEST(an_ipi_passes_to_an_apic_with_a_descriptor)
{
    static struct pi_desc descriptors[2];
    const uint64_t *table = hpa_ptr(bitmaps_ipis(b));
    assert_int_equal((uintptr_t)table % 8, 0);
    for (unsigned id = 0; id < BITMAPS_IPI_TARGETS; id++)
        assert_int_equal(table[id], 0);
    bitmaps_ipi(b, BITMAPS_IPI_TARGETS - 1, &descriptors[1]);
    assert_int_equal(table[BITMAPS_IPI_TARGETS - 1], ptr_hpa(&descriptors[1]).v | 1);
    assert_int_equal(table[BITMAPS_IPI_TARGETS - 2], 0);
    bitmaps_ipi(b, BITMAPS_IPI_TARGETS - 1, NULL);
    assert_int_equal(table[BITMAPS_IPI_TARGETS - 1], 0);
}

TEST(everything_exits_at_first)
{
    for (unsigned port = 0; port < 0x10000; port++)
        assert_true(port_exits((uint16_t)port));
    for (uint32_t n = 0; n < 0x2000; n++)
        assert_true(msr_exits(false, n, false) && msr_exits(false, n, true) &&
                    msr_exits(false, 0xc0000000 + n, false) &&
                    msr_exits(false, 0xc0000000 + n, true));
}

TEST(only_the_named_ports_pass)
{
    assert_int_equal(bitmaps_ports(b, 0x7ffe, 4, true), 0); /* across the two pages */
    for (unsigned port = 0; port < 0x10000; port++)
        assert_int_equal(port_exits((uint16_t)port), port < 0x7ffe || port > 0x8001);
    assert_true(bitmaps_port_passes(b, 0x8000));
    assert_int_equal(bitmaps_ports(b, 0x8000, 1, false), 0);
    assert_true(port_exits(0x8000) && !port_exits(0x8001));
    assert_int_equal(bitmaps_ports(b, 0xffff, 1, true), 0);
    assert_int_equal(bitmaps_ports(b, 0xffff, 2, true), -EINVAL);
}

TEST(configuration_ports_never_pass)
{
    for (unsigned first = 0xce0; first < 0xd10; first++)
        for (unsigned count = 1; count < 0x30; count++) {
            bool touches = first <= 0xcff && first + count > 0xcf8;
            assert_int_equal(bitmaps_ports(b, (uint16_t)first, count, true), touches ? -EPERM : 0);
        }
    for (uint16_t port = 0xcf8; port <= 0xcff; port++)
        assert_true(port_exits(port));
    assert_int_equal(bitmaps_ports(b, 0xcf0, 0x20, false), 0);
}

TEST(msrs_of_both_ranges)
{
    assert_int_equal(bitmaps_msr(b, MSR_IA32_EFER, true, false), 0);
    assert_int_equal(bitmaps_msr(b, MSR_IA32_TSC, false, true), 0);
    for (int x2apic = 0; x2apic < 2; x2apic++) {
        assert_false(msr_exits(x2apic, MSR_IA32_EFER, false));
        assert_true(msr_exits(x2apic, MSR_IA32_EFER, true));
        assert_true(msr_exits(x2apic, MSR_IA32_TSC, false));
        assert_false(msr_exits(x2apic, MSR_IA32_TSC, true));
        assert_true(msr_exits(x2apic, MSR_IA32_EFER & 0x1fff, false));
    }
    assert_int_equal(bitmaps_msr(b, 0x2000, true, true), -EINVAL);
    assert_int_equal(bitmaps_msr(b, 0xbfffffff, true, true), -EINVAL);
    assert_int_equal(bitmaps_msr(b, 0xc0002000, true, true), -EINVAL);
    assert_int_equal(bitmaps_msr(b, 0x80b, true, true), -EINVAL);
}

TEST(x2apic_registers)
{
    for (uint32_t msr = MSR_X2APIC_FIRST; msr <= MSR_X2APIC_LAST; msr++)
        assert_true(msr_exits(false, msr, false) && msr_exits(false, msr, true));
    const uint32_t written[] = {0x808, 0x80b, 0x83f}, /* TPR, EOI, SELF IPI */
        read[] = {0x802, 0x803, 0x808, 0x80a, 0x80f, 0x810, 0x827, 0x828, 0x832, 0x837, 0x838},
                   exits[] = {0x80b, 0x80e, 0x82f, 0x830,
                              0x839, 0x83f, 0x831, 0x840}; /* write-only, absent, computed */
    for (size_t i = 0; i < ARRAY_COUNT(read); i++)
        assert_false(msr_exits(true, read[i], false));
    for (size_t i = 0; i < ARRAY_COUNT(exits); i++)
        assert_true(msr_exits(true, exits[i], false));
    unsigned open = 0;
    for (uint32_t msr = MSR_X2APIC_FIRST; msr <= MSR_X2APIC_LAST; msr++)
        open += !msr_exits(true, msr, true);
    assert_int_equal(open, ARRAY_COUNT(written));
    for (size_t i = 0; i < ARRAY_COUNT(written); i++)
        assert_false(msr_exits(true, written[i], true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_exits_at_first, create, destroy),
        cmocka_unit_test_setup_teardown(only_the_named_ports_pass, create, destroy),
        cmocka_unit_test_setup_teardown(configuration_ports_never_pass, create, destroy),
        cmocka_unit_test_setup_teardown(msrs_of_both_ranges, create, destroy),
        cmocka_unit_test_setup_teardown(x2apic_registers, create, destroy),
        cmocka_unit_test_setup_teardown(icr_passes_if_the_cpu_virtualizes_ipis, create, destroy),
        cmocka_unit_test_setup_teardown(an_ipi_passes_to_an_apic_with_a_descriptor, create,
                                        destroy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
