/* SPDX-License-Identifier: MIT */
// sources: tests/unit/pci_model.c pci/config.c pci/functions.c lib/text.c pci/scan.c pci/bar.c
// sources: pci/caps.c pci/msi.c pci/reset.c pci/requester.c pci/objection.c pci/sriov.c pci/room.c
// sources: pci/quirks.c
/*
 * Capability lists, MSI and MSI-X, as good and as hostile devices show them.
 * Spec: PCI Local Bus "Capabilities List", "MSI and MSI-X Operation"; PCI Express Base "PCI Express
 * Extended Capabilities".
 */
#include "tests/unit/pci_model.h"
#include "tests/unit/test.h"

static struct model_function *m;

/* A machine with one function, 00:04.0, set up by the test. */
FIXTURE(one_function)
{
    model_start(true);
    m = model_add(BDF(0, 4, 0), 0x1234, 1, 0xff0000);
    return 0;
}

static struct pci_function *scanned(void)
{
    pci_scan();
    return pci_find(m->bdf);
}

TEST(finds_what_is_listed)
{
    model_cap(m, 0xf8, PCI_CAP_ID_PM);
    model_cap(m, 0x40, PCI_CAP_ID_MSI);
    model_cap(m, 0x60, 0x09); /* of the vendor */
    model_cap(m, 0x70, PCI_CAP_ID_MSIX);
    model_cap(m, 0x80, PCI_CAP_ID_MSI); /* a second one: nearer to the head, so it counts */
    m->config[PCI_CAP_POINTER] |= 3;    /* reserved bits */
    struct pci_function *f = scanned();
    assert_int_equal(f->cap_pm, 0xf8);
    assert_int_equal(f->cap_msi, 0x80);
    assert_int_equal(f->cap_msix, 0x70);
    assert_int_equal(f->cap_pcie, 0);
    assert_int_equal(pci_cap_find(m->bdf, 0x09), 0x60);
    assert_int_equal(pci_cap_find(m->bdf, 0x0a), 0);
}

TEST(without_the_status_bit_there_is_no_list)
{
    model_cap(m, 0x40, PCI_CAP_ID_MSI);
    model_set(m, PCI_STATUS, 2, 0);
    assert_int_equal(scanned()->cap_msi, 0);
}

TEST(a_circle_is_ignored_with_one_line)
{
    model_cap(m, 0x40, PCI_CAP_ID_MSI);
    model_cap(m, 0x60, PCI_CAP_ID_PM);
    m->config[0x41] = 0x60;
    struct pci_function *f = scanned();
    assert_int_equal(f->cap_msi | f->cap_pm, 0);
    assert_true(model_logged("00:04.0 capability list ignored"));
    assert_int_equal(pci_cap_find(m->bdf, PCI_CAP_ID_MSIX), 0);
}

TEST(a_pointer_into_the_header_is_ignored)
{
    model_cap(m, 0x40, PCI_CAP_ID_MSI);
    m->config[0x41] = 0x3c;
    assert_int_equal(scanned()->cap_msi, 0);
}

TEST(forty_eight_capabilities_are_a_list)
{
    for (unsigned at = 0x40; at < 0xfc; at += 4)
        model_cap(m, at, 0x09);
    model_cap(m, 0xfc, 0x0f);
    assert_int_equal(pci_cap_find(m->bdf, 0x0f), 0xfc);
    scanned();
    assert_false(model_logged("capability list ignored"));
}

TEST(a_capability_past_the_end_is_left_out)
{
    model_cap(m, 0xf4, PCI_CAP_ID_MSI);
    model_set(m, 0xf4 + PCI_MSI_CONTROL, 2, PCI_MSI_64); /* 14 bytes */
    model_cap(m, 0xe8, PCI_CAP_ID_MSIX);                 /* 12 bytes: fits */
    struct pci_function *f = scanned();
    assert_int_equal(f->cap_msi, 0);
    assert_int_equal(f->cap_msix, 0xe8);
    assert_true(model_logged("00:04.0 MSI capability at 0xf4 ignored"));
}

TEST(extended_list)
{
    model_pcie(m, 0x40, PCIE_ENDPOINT);
    model_ext_cap(m, 0x100, 0x0001, 0x200);
    model_ext_cap(m, 0x200, PCI_EXT_ID_ATS, 0x300);
    model_ext_cap(m, 0x300, PCI_EXT_ID_SRIOV, 0xfe0);
    model_ext_cap(m, 0xfe0, PCI_EXT_ID_ACS, 0x100); /* ... and round again */
    struct pci_function *f = scanned();
    assert_int_equal(f->ext_ats, 0x200);
    assert_int_equal(f->ext_sriov, 0x300);
    assert_int_equal(f->ext_acs, 0xfe0);
    assert_int_equal(f->ext_ari, 0);
    model_ext_cap(m, 0x300, PCI_EXT_ID_SRIOV, 0x0f0); /* back into the first 256 bytes */
    assert_int_equal(pci_ext_cap_find(m->bdf, PCI_EXT_ID_ACS), 0);
    model_ext_cap(m, 0x100, PCI_EXT_ID_SRIOV, 0);
    assert_int_equal(pci_ext_cap_find(m->bdf, PCI_EXT_ID_SRIOV), 0x100);
    model_ext_cap(m, 0x100, 0x0001, 0xfe0);
    model_ext_cap(m, 0xfe0, PCI_EXT_ID_SRIOV, 0); /* 64 bytes do not fit there */
    assert_int_equal(scanned()->ext_sriov, 0);
}

TEST(conventional_functions_have_no_extended_list)
{
    model_ext_cap(m, 0x100, PCI_EXT_ID_ACS, 0);
    assert_int_equal(scanned()->ext_acs, 0);
    assert_int_equal(pci_ext_cap_find(m->bdf, PCI_EXT_ID_ACS), 0);
}

/* Where the MSI registers lie, for the four layouts. */
TEST(msi_layouts)
{
    for (unsigned layout = 0; layout < 4; layout++) {
        bool is_64 = layout & 1, maskable = layout & 2;
        unsigned data = is_64 ? 0x4c : 0x48, mask = is_64 ? 0x50 : 0x4c;
        one_function(NULL);
        model_cap(m, 0x40, PCI_CAP_ID_MSI);
        model_set(m, 0x42, 2,
                  (is_64 ? PCI_MSI_64 : 0) | (maskable ? PCI_MSI_MASKABLE : 0) |
                      FIELD_SET(PCI_MSI_CAPABLE, 3) | PCI_MSI_ENABLE);
        model_writable(m, 0x42, 2, PCI_MSI_ENABLE | PCI_MSI_COUNT);
        for (unsigned at = 0x44; at < 0x58; at += 4)
            model_writable(m, at, 4, UINT32_MAX);
        model_set(m, 0x54, 4, 0x5a5a5a5a);
        struct pci_function *f = scanned();
        struct pci_msi_info info = pci_msi_info(f);
        assert_int_equal(info.is_64bit, is_64);
        assert_int_equal(info.maskable, maskable);
        assert_int_equal(info.message_count_log2, 3);

        if (maskable)
            model_set(m, mask, 4, 0x12);
        pci_msi_set(f, 0xfee01000 | (is_64 ? UINT64_C(7) << 32 : 0), 0x4321, 5);
        assert_int_equal(model_get(m, 0x44, 4), 0xfee01000);
        assert_int_equal(model_get(m, data, 2), 0x4321);
        if (is_64)
            assert_int_equal(model_get(m, 0x48, 4), 7);
        if (maskable)
            assert_int_equal(model_get(m, mask, 4), 0x12);
        assert_int_equal(model_get(m, 0x54, 4), 0x5a5a5a5a);
        /* No more messages than the device has, and the enable bit as it was. */
        assert_int_equal(FIELD_GET(PCI_MSI_COUNT, model_get(m, 0x42, 2)), 3);
        assert_true(model_get(m, 0x42, 2) & PCI_MSI_ENABLE);
        pci_msi_enable(f, false);
        assert_false(model_get(m, 0x42, 2) & PCI_MSI_ENABLE);
    }
}

static bool seen_disabled, seen_unmasked;

static void watch_msi(struct model_function *f, uint16_t reg, uint32_t v)
{
    (void)v;
    if (!(model_get(f, 0x42, 2) & PCI_MSI_ENABLE))
        seen_disabled = true;
    if (reg >= 0x44 && reg < 0x50 && model_get(f, 0x50, 4) != UINT32_MAX)
        seen_unmasked = true;
}

TEST(msi_stays_enabled_and_masked_while_it_changes)
{
    model_cap(m, 0x40, PCI_CAP_ID_MSI);
    model_set(m, 0x42, 2, PCI_MSI_64 | PCI_MSI_MASKABLE | PCI_MSI_ENABLE);
    model_writable(m, 0x42, 2, PCI_MSI_ENABLE | PCI_MSI_COUNT);
    model_writable(m, 0x50, 4, UINT32_MAX);
    struct pci_function *f = scanned();
    seen_disabled = seen_unmasked = false;
    m->on_write = watch_msi;
    pci_msi_set(f, 0xfee00000, 0, 0);
    assert_false(seen_disabled || seen_unmasked);
    assert_int_equal(model_get(m, 0x50, 4), 0);
}

/* What the device says later does not move the registers that Hamlet writes. */
TEST(msi_layout_is_that_of_boot)
{
    model_cap(m, 0x40, PCI_CAP_ID_MSI);
    model_set(m, 0x42, 2, FIELD_SET(PCI_MSI_CAPABLE, 7));
    model_writable(m, 0x48, 4, UINT32_MAX);
    struct pci_function *f = scanned();
    model_set(m, 0x42, 2, PCI_MSI_64 | PCI_MSI_MASKABLE);
    assert_int_equal(pci_msi_info(f).message_count_log2, 5);
    pci_msi_set(f, 0xfee00000, 0x99, 0);
    assert_int_equal(model_get(m, 0x48, 2), 0x99);
}

static void msix_of(unsigned entries, uint32_t table, uint32_t pba)
{
    one_function(NULL);
    model_cap(m, 0x40, PCI_CAP_ID_MSIX);
    model_set(m, 0x42, 2, entries - 1);
    model_writable(m, 0x42, 2, PCI_MSIX_ENABLE | PCI_MSIX_MASK_ALL);
    model_set(m, 0x44, 4, table);
    model_set(m, 0x48, 4, pba);
    model_bar(m, PCI_BAR(0), 0xffffc000, 0, 0xfea00000); /* 16 KiB */
    model_bar(m, PCI_BAR(1), 0xffffff00, 1, 0xc000);
    model_bar(m, PCI_BAR(2), UINT64_MAX << 32, 4, UINT64_C(1) << 40); /* 4 GiB, and 3 is its half */
}

TEST(msix_inside_its_bar)
{
    struct pci_msix_info info;
    msix_of(65, 0x2000, 0x3000);
    assert_int_equal(pci_msix_info(scanned(), &info), 0);
    assert_int_equal(info.count, 65);
    assert_int_equal(info.table_offset, 0x2000);
    assert_int_equal(info.pba_offset, 0x3000);
    msix_of(2, 0x3fe0, 0x3fd8 | 0); /* to the last byte of the BAR */
    assert_int_equal(pci_msix_info(scanned(), &info), 0);
    msix_of(2048, 0xfffffff8 | 2, 0); /* crosses 4 GiB: no 32-bit sum */
    assert_int_equal(pci_msix_info(scanned(), &info), -EINVAL);
    msix_of(128, 0xfffff000 | 2, 0x3ff0);
    assert_int_equal(pci_msix_info(scanned(), &info), 0);
    assert_int_equal(info.table_bar, 2);
}

/* Nor does the device make its table larger, or put it elsewhere, after the scan. */
TEST(msix_layout_is_that_of_boot)
{
    struct pci_msix_info info;
    msix_of(2, 0x2000, 0x3000);
    struct pci_function *f = scanned();
    model_set(m, 0x42, 2, 127);
    model_set(m, 0x44, 4, 0x1000);
    model_set(m, 0x48, 4, 0x1800);
    assert_int_equal(pci_msix_info(f, &info), 0);
    assert_int_equal(info.count, 2);
    assert_int_equal(info.table_offset, 0x2000);
    assert_int_equal(info.pba_offset, 0x3000);
}

TEST(msix_that_does_not_fit_is_refused)
{
    static const struct {
        unsigned entries;
        uint32_t table, pba;
    } bad[] = {
        {2, 0x3fe8, 0},     /* 8 bytes beyond the end */
        {2048, 0, 0x3f08},  /* the table takes 32 KiB */
        {65, 0, 0x3ff8},    /* the PBA of 65 is 16 bytes */
        {2, 0xfffffff8, 0}, /* far beyond */
        {2, 0x1, 0x100},    /* an I/O BAR */
        {2, 0x3, 0x100},    /* the upper half of a pair */
        {2, 0x5, 0x100},    /* no such BAR */
        {2, 0x6, 0x100},    /* reserved */
        {2, 0x7, 0x100},    /* reserved */
        {2, 0x100, 0x118},  /* the PBA in the second entry */
        {65, 0x100, 0xf8},  /* the PBA reaches into the table */
    };
    struct pci_msix_info info;
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        msix_of(bad[i].entries, bad[i].table, bad[i].pba);
        assert_int_equal(pci_msix_info(scanned(), &info), -EINVAL);
        assert_true(model_logged("00:04.0 msix refused"));
    }
}

TEST(msix_enable_and_mask)
{
    msix_of(2, 0x2000, 0x3000);
    struct pci_function *f = scanned();
    pci_msix_enable(f, true, true);
    assert_int_equal(model_get(m, 0x42, 2), 1 | PCI_MSIX_ENABLE | PCI_MSIX_MASK_ALL);
    pci_msix_enable(f, true, false);
    assert_int_equal(model_get(m, 0x42, 2), 1 | PCI_MSIX_ENABLE);
    pci_msix_enable(f, false, false);
    assert_int_equal(model_get(m, 0x42, 2), 1);
}

#define CASE(name) cmocka_unit_test_setup(name, one_function)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(finds_what_is_listed),
        CASE(without_the_status_bit_there_is_no_list),
        CASE(a_circle_is_ignored_with_one_line),
        CASE(a_pointer_into_the_header_is_ignored),
        CASE(forty_eight_capabilities_are_a_list),
        CASE(a_capability_past_the_end_is_left_out),
        CASE(extended_list),
        CASE(conventional_functions_have_no_extended_list),
        CASE(msi_layouts),
        CASE(msi_stays_enabled_and_masked_while_it_changes),
        CASE(msi_layout_is_that_of_boot),
        CASE(msix_inside_its_bar),
        CASE(msix_layout_is_that_of_boot),
        CASE(msix_that_does_not_fit_is_refused),
        CASE(msix_enable_and_mask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
