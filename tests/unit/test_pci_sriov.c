/* SPDX-License-Identifier: MIT */
// sources: tests/unit/pci_model.c pci/config.c pci/functions.c lib/text.c pci/scan.c pci/bar.c
// sources: pci/caps.c pci/msi.c pci/reset.c pci/requester.c pci/objection.c pci/sriov.c pci/room.c
// sources: pci/quirks.c
/*
 * Virtual functions: their ids, their BARs, and physical functions that promise nonsense.
 * Spec: PCI Express Base "Single Root I/O Virtualization".
 */
#include "tests/unit/pci_model.h"
#include "tests/unit/test.h"

#define SRIOV      0x160
#define VF_OFFSET  0x80
#define VF_STRIDE  2
#define WINDOW     0xfe800000
#define WINDOW_END 0xfea00000

static struct model_function *m, *port;
static bool vfs_come;

static void vf_appear(bdf_t bdf)
{
    struct model_function *vf = model_add(bdf, 0xffff, 0xffff, 0x010802);
    model_set(vf, PCI_COMMAND, 2, 0);
    model_writable(vf, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    model_pcie(vf, 0x40, PCIE_ENDPOINT);
    model_set(vf, 0x44, 4, PCIE_DEVICE_CAP_FLR);
    model_cap(vf, 0xb0, PCI_CAP_ID_MSIX);
    model_set(vf, 0xb2, 2, 1);
    model_set(vf, 0xb4, 4, 0x2000);
    model_set(vf, 0xb8, 4, 0x3000);
    vf->silent_us = 50000;
}

static void pf_on_write(struct model_function *f, uint16_t reg, uint32_t v)
{
    if (reg != SRIOV + PCI_SRIOV_CONTROL || !(v & PCI_SRIOV_VF_ENABLE))
        return;
    unsigned count = model_get(f, SRIOV + PCI_SRIOV_NUM_VFS, 2);
    for (unsigned n = 0; vfs_come && n < count; n++)
        vf_appear(f->bdf + model_get(f, SRIOV + PCI_SRIOV_FIRST_OFFSET, 2) +
                  n * model_get(f, SRIOV + PCI_SRIOV_STRIDE, 2));
}

/* 01:00.0 with 8 VFs behind a port with a window of 2 MiB, of which the PF's own BAR takes
 * 16 KiB. */
FIXTURE(start)
{
    model_start(true);
    port = model_add(BDF(0, 1, 0), 0x8086, 1, 0x060400);
    model_bridge(port, 1, 1);
    model_pcie(port, 0x40, PCIE_ROOT_PORT);
    model_set(port, 0x40 + PCIE_DEVICE_CAP2, 4, PCIE_CAP2_ARI_FORWARD);
    model_writable(port, 0x40 + PCIE_DEVICE_CONTROL2, 2, 0xffff);
    model_set(port, PCI_BRIDGE_MEM_BASE, 2, WINDOW >> 16);
    model_set(port, PCI_BRIDGE_MEM_LIMIT, 2, (WINDOW_END - 1) >> 16 & 0xfff0);
    model_set(port, PCI_BRIDGE_PREF_BASE, 2, 0xfff0);

    m = model_add(BDF(1, 0, 0), 0x1b36, 0x10, 0x010802);
    model_pcie(m, 0x40, PCIE_ENDPOINT);
    model_bar(m, PCI_BAR(0), 0xffffffffffffc000, 4, WINDOW);
    model_ext_cap(m, 0x100, PCI_EXT_ID_ARI, SRIOV);
    model_ext_cap(m, SRIOV, PCI_EXT_ID_SRIOV, 0);
    model_set(m, SRIOV + PCI_SRIOV_TOTAL_VFS, 2, 8);
    model_set(m, SRIOV + PCI_SRIOV_FIRST_OFFSET, 2, VF_OFFSET);
    model_set(m, SRIOV + PCI_SRIOV_STRIDE, 2, VF_STRIDE);
    model_set(m, SRIOV + PCI_SRIOV_DEVICE_ID, 2, 0x11);
    model_writable(m, SRIOV + PCI_SRIOV_CONTROL, 2, 0x1f);
    model_writable(m, SRIOV + PCI_SRIOV_NUM_VFS, 2, 0xffff);
    model_bar(m, SRIOV + PCI_SRIOV_BAR(0), 0xffffffffffffc000, 4, 0);
    model_bar(m, SRIOV + PCI_SRIOV_BAR(3), 0xffff0000, 0, 0);
    m->on_write = pf_on_write;
    vfs_come = true;
    return 0;
}

static struct pci_function *scanned(void)
{
    pci_scan();
    return pci_find(m->bdf);
}

TEST(enables_them)
{
    struct pci_function *pf = scanned();
    assert_null(pci_not_assignable(pf));
    assert_int_equal(pci_sriov_enable(pf, 3), 0);
    assert_int_equal(pci_count(), 2 + 3);
    for (unsigned n = 0; n < 3; n++) {
        struct pci_function *vf = pci_find(BDF(1, 0, 0) + VF_OFFSET + n * VF_STRIDE);
        assert_non_null(vf);
        assert_ptr_equal(vf->physical, pf);
        assert_ptr_equal(vf->parent, pf->parent);
        assert_int_equal(vf->vendor, 0x1b36);
        assert_int_equal(vf->device, 0x11);
        assert_int_equal(vf->class_code, 0x010802);
        assert_int_equal(vf->bars[0].size, 0x4000);
        assert_int_equal(vf->bars[0].base, WINDOW + 0x4000 + n * 0x4000);
        assert_int_equal(vf->bars[3].base, WINDOW + 0x10000 + n * 0x10000);
        assert_int_equal(vf->cap_msix, 0xb0);
        assert_int_equal(pci_reset_best(vf), PCI_RESET_FLR);
        assert_int_equal(pci_requester(vf), vf->bdf);
    }
    assert_int_equal(model_get(m, SRIOV + PCI_SRIOV_BAR(0), 4), (WINDOW + 0x4000) | 4);
    assert_int_equal(model_get(m, SRIOV + PCI_SRIOV_CONTROL, 2),
                     PCI_SRIOV_VF_ENABLE | PCI_SRIOV_VF_MEM | PCI_SRIOV_ARI);
    assert_int_equal(model_get(port, 0x40 + PCIE_DEVICE_CONTROL2, 2), PCIE_CONTROL2_ARI);
    assert_string_equal(pci_not_assignable(pf), "its virtual functions are in use");
    assert_int_equal(pci_sriov_enable(pf, 1), -EBUSY);
    assert_true(pci_get(0)->bdf < pci_get(1)->bdf && pci_get(3)->bdf < pci_get(4)->bdf);
}

TEST(a_vf_is_reset_without_touching_its_bars)
{
    enum pci_reset_kind used;
    assert_int_equal(pci_sriov_enable(scanned(), 1), 0);
    struct pci_function *vf = pci_find(BDF(1, 16, 0));
    struct model_function *vf_model = model_find(vf->bdf);
    model_writable(vf_model, PCI_BAR(0), 4, UINT32_MAX);
    assert_int_equal(pci_reset(vf, &used), 0);
    assert_int_equal(used, PCI_RESET_FLR);
    assert_int_equal(model_get(vf_model, PCI_BAR(0), 4), 0);
}

TEST(the_firmwares_places_are_kept)
{
    model_bar(m, SRIOV + PCI_SRIOV_BAR(0), 0xffffffffffffc000, 4, 0xfe880000);
    assert_int_equal(pci_sriov_enable(scanned(), 2), 0);
    assert_int_equal(pci_find(BDF(1, 16, 2))->bars[0].base, 0xfe884000);
}

/* Four times 16 KiB behind the PF's own end at 0x14000, so the next border of 64 KiB is 0x20000. */
TEST(bars_found_do_not_overlap)
{
    assert_int_equal(pci_sriov_enable(scanned(), 4), 0);
    assert_int_equal(pci_find(BDF(1, 16, 0))->bars[0].base, WINDOW + 0x4000);
    assert_int_equal(pci_find(BDF(1, 16, 0))->bars[3].base, WINDOW + 0x20000);
}

TEST(too_many_or_none)
{
    struct pci_function *pf = scanned();
    assert_int_equal(pci_sriov_enable(pf, 9), -ENODEV);
    assert_int_equal(pci_sriov_enable(pf, 0), -ENODEV);
    assert_int_equal(pci_sriov_enable(pf->parent, 1), -ENODEV);
    assert_int_equal(pci_count(), 2);
}

static int enable_with(uint16_t offset, uint16_t stride, unsigned count)
{
    start(NULL);
    model_set(m, SRIOV + PCI_SRIOV_FIRST_OFFSET, 2, offset);
    model_set(m, SRIOV + PCI_SRIOV_STRIDE, 2, stride);
    struct pci_function *pf = scanned();
    int err = pci_sriov_enable(pf, count);
    if (err) {
        assert_int_equal(pci_count(), 2);
        assert_false(model_get(m, SRIOV + PCI_SRIOV_CONTROL, 2) & PCI_SRIOV_VF_ENABLE);
    }
    return err;
}

TEST(hostile_ids)
{
    assert_int_equal(enable_with(1, 0, 1), 0);
    assert_int_equal(enable_with(0, 1, 1), -ENOSPC);      /* the PF itself */
    assert_int_equal(enable_with(1, 0, 2), -ENOSPC);      /* the same one twice */
    assert_int_equal(enable_with(0x100, 1, 1), -ENOSPC);  /* a bus that is not the port's */
    assert_int_equal(enable_with(0xff, 1, 2), -ENOSPC);   /* ... with the second one */
    assert_int_equal(enable_with(0xff08, 1, 1), -ENOSPC); /* once around: 00:01.0 */
    assert_int_equal(enable_with(1, 0xffff, 8), -ENOSPC);
}

TEST(no_room)
{
    model_bar(m, SRIOV + PCI_SRIOV_BAR(3), 0xfff00000, 0, 0); /* 1 MiB each, one is left */
    struct pci_function *pf = scanned();
    assert_int_equal(pci_sriov_enable(pf, 2), -ENOSPC);
    assert_true(model_logged("no room for 2 times bar3"));
    start(NULL);
    model_bar(m, SRIOV + PCI_SRIOV_BAR(3), 0xfff00000, 0, 0);
    assert_int_equal(pci_sriov_enable(scanned(), 1), 0);
    start(NULL);
    model_bar(m, SRIOV + PCI_SRIOV_BAR(0), BIT(63), 4, 0);
    assert_int_equal(pci_sriov_enable(scanned(), 8), -ENOSPC);
    start(NULL); /* 8 times 2^61 is 0 in 64 bits, and would fit anywhere */
    model_set(port, PCI_BRIDGE_PREF_BASE, 4, 0xfff10001);
    model_set(port, PCI_BRIDGE_PREF_LIMIT_HI, 4, INT32_MAX);
    model_bar(m, SRIOV + PCI_SRIOV_BAR(0), -BIT(61), 0xc, 0);
    assert_int_equal(pci_sriov_enable(scanned(), 8), -ENOSPC);
}

TEST(vfs_that_never_come)
{
    struct pci_function *pf = scanned();
    vfs_come = false;
    assert_int_equal(pci_sriov_enable(pf, 2), -ETIMEDOUT);
    assert_int_equal(pci_count(), 2);
    assert_false(model_get(m, SRIOV + PCI_SRIOV_CONTROL, 2) & PCI_SRIOV_VF_ENABLE);
    vfs_come = true;
    assert_int_equal(pci_sriov_enable(pf, 2), 0);
}

static unsigned bars_when_enabled[2], vfs_when_enabled, resets;

static void with_flr(void)
{
    model_set(m, 0x40 + PCIE_DEVICE_CAP, 4, PCIE_DEVICE_CAP_FLR);
    model_writable(m, 0x40 + PCIE_DEVICE_CONTROL, 2, 0xffff);
    model_writable(m, SRIOV + PCI_SRIOV_PAGE_SIZE, 4, UINT32_MAX);
}

/* A function level reset of the physical function takes its virtual ones away. */
static void pf_forgets(struct model_function *f, uint16_t reg, uint32_t v)
{
    uint16_t control = SRIOV + PCI_SRIOV_CONTROL;
    if (reg == 0x40 + PCIE_DEVICE_CONTROL && (v & PCIE_DEVICE_FLR)) {
        resets++;
        model_set(f, 0x40 + PCIE_DEVICE_CONTROL, 2, 0);
        model_set(f, PCI_BAR(0), 4, 4);
        model_set(f, control, 2, 0);
        model_set(f, SRIOV + PCI_SRIOV_NUM_VFS, 2, 0);
        model_set(f, SRIOV + PCI_SRIOV_PAGE_SIZE, 4, 0);
        for (unsigned i = 0; i < PCI_BAR_COUNT; i++)
            model_set(f, SRIOV + PCI_SRIOV_BAR(i), 4,
                      model_get(f, SRIOV + PCI_SRIOV_BAR(i), 4) & 0xf);
    }
    if (reg == control && (v & PCI_SRIOV_VF_ENABLE)) {
        vfs_when_enabled = model_get(f, SRIOV + PCI_SRIOV_NUM_VFS, 2);
        bars_when_enabled[0] = model_get(f, SRIOV + PCI_SRIOV_BAR(0), 4);
        bars_when_enabled[1] = model_get(f, SRIOV + PCI_SRIOV_BAR(3), 4);
    }
}

/* After a reset of their physical function the virtual functions are there again, with the number
 * and the addresses that they had, set before they are enabled; and software waits for them. */
TEST(virtual_functions_outlive_a_reset)
{
    enum pci_reset_kind used;
    with_flr();
    struct pci_function *pf = scanned();
    assert_int_equal(pci_sriov_enable(pf, 4), 0);
    struct model_function before = *m;
    m->on_write = pf_forgets;
    resets = vfs_when_enabled = 0;
    uint64_t waited = model_delay_us();
    assert_int_equal(pci_reset(pf, &used), 0);
    assert_int_equal(resets, 1);
    assert_int_equal(vfs_when_enabled, 4);
    assert_int_equal(bars_when_enabled[0], model_get(&before, SRIOV + PCI_SRIOV_BAR(0), 4));
    assert_int_equal(bars_when_enabled[1], model_get(&before, SRIOV + PCI_SRIOV_BAR(3), 4));
    assert_memory_equal(before.config + SRIOV, m->config + SRIOV, 0x40);
    assert_true(model_delay_us() - waited >= 200000); /* for the function, and for its VFs */
}

/* Without virtual functions nothing of SR-IOV is written, and nothing waited for. */
TEST(a_reset_enables_no_virtual_functions)
{
    enum pci_reset_kind used;
    with_flr();
    struct pci_function *pf = scanned();
    m->on_write = pf_forgets;
    resets = vfs_when_enabled = 0;
    assert_int_equal(pci_reset(pf, &used), 0);
    assert_int_equal(resets, 1);
    assert_int_equal(vfs_when_enabled, 0);
    assert_int_equal(model_get(m, SRIOV + PCI_SRIOV_CONTROL, 2), 0);
    assert_true(model_delay_us() < 200000);
}

#define CASE(name) cmocka_unit_test_setup(name, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(enables_them),
        CASE(a_vf_is_reset_without_touching_its_bars),
        CASE(the_firmwares_places_are_kept),
        CASE(bars_found_do_not_overlap),
        CASE(too_many_or_none),
        CASE(hostile_ids),
        CASE(no_room),
        CASE(vfs_that_never_come),
        CASE(virtual_functions_outlive_a_reset),
        CASE(a_reset_enables_no_virtual_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
