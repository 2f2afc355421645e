/* SPDX-License-Identifier: MIT */
// sources: tests/unit/pci_model.c pci/config.c pci/functions.c lib/text.c pci/scan.c pci/bar.c
// sources: pci/caps.c pci/msi.c pci/reset.c pci/requester.c pci/objection.c pci/sriov.c pci/room.c
// sources: pci/quirks.c
/*
 * Requester ids, groups and the audit.
 * Spec: PCI Express to PCI/PCI-X Bridge "Transaction Ownership"; PCI Express Base "Access Control
 * Services (ACS)".
 */
#include "tests/unit/pci_model.h"
#include "tests/unit/test.h"

#define ACS_ALL 0x1d

static struct model_function *bridge(bdf_t bdf, int type, uint8_t secondary, uint8_t subordinate)
{
    struct model_function *f = model_add(bdf, 0x8086, 1, 0x060400);
    model_bridge(f, secondary, subordinate);
    if (type >= 0)
        model_pcie(f, 0x40, type);
    return f;
}

static void acs(struct model_function *f, uint16_t can)
{
    model_ext_cap(f, 0x100, PCI_EXT_ID_ACS, 0);
    model_set(f, 0x104, 2, can);
    model_writable(f, 0x106, 2, can);
}

/* An endpoint that can be reset. */
static struct model_function *endpoint(bdf_t bdf)
{
    struct model_function *f = model_add(bdf, 0x1234, 1, 0xff0000);
    model_pcie(f, 0x40, PCIE_ENDPOINT);
    model_set(f, 0x44, 4, PCIE_DEVICE_CAP_FLR);
    return f;
}

static bdf_t group_of(bdf_t bdf) { return pci_group(pci_find(bdf)); }
static bdf_t requester_of(bdf_t bdf) { return pci_requester(pci_find(bdf)); }

FIXTURE(start)
{
    model_start(true);
    return 0;
}

TEST(alone_on_the_root_bus)
{
    endpoint(BDF(0, 4, 0));
    endpoint(BDF(0, 5, 0));
    pci_scan();
    assert_int_equal(group_of(BDF(0, 4, 0)), BDF(0, 4, 0));
    assert_int_equal(group_of(BDF(0, 5, 0)), BDF(0, 5, 0));
    assert_int_equal(requester_of(BDF(0, 4, 0)), BDF(0, 4, 0));
    assert_null(pci_not_assignable(pci_find(BDF(0, 4, 0))));
}

TEST(siblings_belong_together_without_acs)
{
    endpoint(BDF(0, 4, 0))->config[PCI_HEADER_TYPE] = PCI_HEADER_MULTI;
    endpoint(BDF(0, 4, 3));
    acs(endpoint(BDF(0, 4, 5)), ACS_ALL);
    acs(endpoint(BDF(0, 4, 6)), 0); /* listed, but there is nothing it could do wrong */
    pci_scan();
    assert_int_equal(group_of(BDF(0, 4, 0)), BDF(0, 4, 0));
    assert_int_equal(group_of(BDF(0, 4, 3)), BDF(0, 4, 0));
    assert_int_equal(group_of(BDF(0, 4, 5)), BDF(0, 4, 5));
    assert_int_equal(group_of(BDF(0, 4, 6)), BDF(0, 4, 6));
}

TEST(an_acs_port_isolates_what_is_below)
{
    struct model_function *port = bridge(BDF(0, 1, 0), PCIE_ROOT_PORT, 1, 1);
    acs(port, ACS_ALL);
    bridge(BDF(0, 2, 0), PCIE_ROOT_PORT, 2, 2); /* without ACS */
    endpoint(BDF(1, 0, 0));
    endpoint(BDF(2, 0, 0));
    pci_scan();
    assert_int_equal(model_get(port, 0x106, 2), ACS_ALL); /* Hamlet turns it on */
    assert_int_equal(group_of(BDF(1, 0, 0)), BDF(1, 0, 0));
    assert_int_equal(group_of(BDF(2, 0, 0)), BDF(0, 2, 0));
    assert_int_equal(requester_of(BDF(1, 0, 0)), BDF(1, 0, 0));
    assert_int_equal(requester_of(BDF(2, 0, 0)), BDF(2, 0, 0));
    assert_null(pci_not_assignable(pci_find(BDF(2, 0, 0)))); /* only the port shares its group */

    model_set(port, 0x106, 2, ACS_ALL & ~PCI_ACS_REDIRECT_REQ);
    assert_int_equal(group_of(BDF(1, 0, 0)), BDF(0, 1, 0));
}

/* Ports that are functions of one device, and nothing keeps them apart. */
TEST(sibling_ports_share_what_is_below)
{
    bridge(BDF(0, 1, 0), PCIE_ROOT_PORT, 1, 1)->config[PCI_HEADER_TYPE] |= PCI_HEADER_MULTI;
    bridge(BDF(0, 1, 1), PCIE_ROOT_PORT, 2, 2);
    endpoint(BDF(1, 0, 0));
    endpoint(BDF(2, 0, 0));
    pci_scan();
    assert_int_equal(group_of(BDF(1, 0, 0)), BDF(0, 1, 0));
    assert_int_equal(group_of(BDF(2, 0, 0)), BDF(0, 1, 0));
}

/* Root port - switch - two endpoints; each of the three kinds of port has its part in it. */
TEST(switches)
{
    for (unsigned with = 0; with < 4; with++) {
        model_start(true);
        struct model_function *root = bridge(BDF(0, 1, 0), PCIE_ROOT_PORT, 1, 4);
        bridge(BDF(1, 0, 0), PCIE_UPSTREAM, 2, 4);
        struct model_function *a = bridge(BDF(2, 0, 0), PCIE_DOWNSTREAM, 3, 3);
        struct model_function *b = bridge(BDF(2, 1, 0), PCIE_DOWNSTREAM, 4, 4);
        endpoint(BDF(3, 0, 0));
        endpoint(BDF(4, 0, 0));
        if (with & 1)
            acs(root, ACS_ALL);
        if (with & 2) {
            acs(a, ACS_ALL);
            acs(b, ACS_ALL);
        }
        pci_scan();
        bdf_t first = group_of(BDF(3, 0, 0)), second = group_of(BDF(4, 0, 0));
        if (with & 1)
            assert_int_not_equal(first, second);
        else
            assert_true(first == BDF(0, 1, 0) && second == first);
        if (with == 3)
            assert_int_equal(first, BDF(3, 0, 0));
    }
}

TEST(a_pcie_to_pci_bridge_signs_as_its_secondary_bus)
{
    int me, you;
    acs(bridge(BDF(0, 1, 0), PCIE_ROOT_PORT, 1, 3), ACS_ALL);
    bridge(BDF(1, 0, 0), PCIE_TO_PCI_BRIDGE, 2, 3);
    bridge(BDF(2, 5, 0), -1, 3, 3); /* a conventional one below it changes nothing */
    endpoint(BDF(2, 1, 0));
    endpoint(BDF(3, 1, 0));
    pci_scan();
    assert_int_equal(requester_of(BDF(2, 1, 0)), BDF(2, 0, 0));
    assert_int_equal(requester_of(BDF(3, 1, 0)), BDF(2, 0, 0));
    assert_int_equal(group_of(BDF(2, 1, 0)), BDF(1, 0, 0));
    assert_int_equal(group_of(BDF(3, 1, 0)), BDF(1, 0, 0));
    pci_find(BDF(2, 1, 0))->owner = &me;
    assert_string_equal(pci_not_assignable(pci_find(BDF(3, 1, 0))), "its group has another owner");
    pci_find(BDF(3, 1, 0))->owner = &you;
    assert_non_null(pci_not_assignable(pci_find(BDF(2, 1, 0))));
    pci_find(BDF(3, 1, 0))->owner = &me;
    assert_null(pci_not_assignable(pci_find(BDF(2, 1, 0))));
}

TEST(a_conventional_bridge_signs_with_its_own_id)
{
    bridge(BDF(0, 30, 0), -1, 1, 2);
    bridge(BDF(1, 0, 0), -1, 2, 2);
    endpoint(BDF(2, 3, 0));
    pci_scan();
    assert_int_equal(requester_of(BDF(2, 3, 0)), BDF(0, 30, 0));
    assert_int_equal(group_of(BDF(2, 3, 0)), BDF(0, 30, 0));
}

TEST(the_chipset_is_not_for_guests)
{
    model_add(BDF(0, 0, 0), 0x8086, 0x29c0, 0x060000);
    model_add(BDF(0, 31, 0), 0x8086, 0x2918, 0x060100)->config[PCI_HEADER_TYPE] = PCI_HEADER_MULTI;
    endpoint(BDF(0, 31, 2)); /* SATA, say: it shares the group of the ISA bridge */
    bridge(BDF(0, 1, 0), PCIE_ROOT_PORT, 1, 1);
    endpoint(BDF(0, 3, 0))->config[PCI_HEADER_TYPE] = 0x55;
    pci_scan();
    assert_string_equal(pci_not_assignable(pci_find(BDF(0, 0, 0))), "it is the host bridge");
    assert_string_equal(pci_not_assignable(pci_find(BDF(0, 31, 0))), "it is a bridge");
    assert_string_equal(pci_not_assignable(pci_find(BDF(0, 1, 0))), "it is a bridge");
    assert_string_equal(pci_not_assignable(pci_find(BDF(0, 31, 2))),
                        "its group holds a part of the chipset");
    assert_string_equal(pci_not_assignable(pci_find(BDF(0, 3, 0))),
                        "its header is of an unknown type");
}

static const char *verdict_for_bar(uint64_t mask, uint32_t flags, uint64_t base)
{
    model_start(true);
    struct model_function *other = endpoint(BDF(0, 5, 0));
    model_bar(other, PCI_BAR(1), 0xffff0000, 0, 0xfeb00000);
    model_bar(other, PCI_BAR(2), 0xffffff00, 1, 0xc000);
    struct model_function *f = endpoint(BDF(0, 4, 0));
    model_bar(f, PCI_BAR(0), mask, flags, base);
    model_bar(f, PCI_BAR(4), 0xfffff000, 0, 0xfe000000);
    model_ram(0x100000, 0x7ff00000);
    pci_scan();
    return pci_not_assignable(pci_find(f->bdf));
}

TEST(bars_that_would_give_too_much)
{
    assert_null(verdict_for_bar(0xfff00000, 0, 0xfea00000));
    assert_null(verdict_for_bar(0xfff00000, 0, 0)); /* not placed: nothing is given */
    assert_null(verdict_for_bar(0xffffff00, 1, 0xc100));
    assert_string_equal(verdict_for_bar(0xfff00000, 0, 0x7ff00000), "a BAR lies over RAM");
    assert_string_equal(verdict_for_bar(0xfffff000, 0, 0xfee00000),
                        "a BAR lies over the APICs or configuration space");
    assert_string_equal(verdict_for_bar(0xffc00000, 0, 0xb0000000),
                        "a BAR lies over the APICs or configuration space");
    assert_string_equal(verdict_for_bar(0xfff00000, 0, 0xfeb00000),
                        "a BAR lies over another function's");
    assert_string_equal(verdict_for_bar(0xffffff80, 1, 0xc080),
                        "a BAR lies over another function's");
    assert_string_equal(verdict_for_bar(0xfff00000, 0, 0xfe000000), "two of its BARs overlap");
    assert_string_equal(verdict_for_bar(UINT64_MAX << 32, 4, UINT64_C(0xffffffff) << 32),
                        "a BAR ends beyond physical memory");
    assert_string_equal(verdict_for_bar(BIT(63), 4, BIT(63)), "a BAR ends beyond physical memory");
}

/* Ports of the chipset: those that every PC has, and those of power management. */
TEST(ports_that_would_give_too_much)
{
    assert_string_equal(verdict_for_bar(0xfffffffc, 1, 0xcf8),
                        "a BAR lies over ports of the chipset");
    assert_string_equal(verdict_for_bar(0xffffffe0, 1, 0x60),
                        "a BAR lies over ports of the chipset");
    assert_null(verdict_for_bar(0xfffff000, 1, 0x1000));
    model_power(0x1804);
    assert_string_equal(pci_not_assignable(pci_find(BDF(0, 4, 0))),
                        "a BAR lies over ports of the chipset");
    model_power(0x2004);
    assert_null(pci_not_assignable(pci_find(BDF(0, 4, 0))));
}

/* What its bridge does not pass down is something else's, whatever the device says of it. */
TEST(bars_that_no_bridge_passes_down)
{
    static const struct {
        uint64_t mask;
        uint32_t flags;
        uint64_t base;
        bool passed;
    } bars[] = {
        {0xfff00000, 0, 0xfea00000, true},
        {0xfff00000, 0, 0xfeb00000, false},
        {0xffe00000, 0, 0xfea00000, false}, /* its second half */
        {0xfff00000, 0, 0xfe800000, false},
        {0xffffff00, 1, 0x3f00, true},
        {0xffffff00, 1, 0x4000, false},
        {0xffffff00, 1, 0x2f00, false},
        {UINT64_MAX << 30, 12, UINT64_C(0x1800000000), true},
        {UINT64_MAX << 30, 12, UINT64_C(0x1840000000), false},
    };
    for (size_t i = 0; i < ARRAY_COUNT(bars); i++)
        for (unsigned upper = 0; upper < 3; upper++) {
            model_start(true);
            struct model_function *port = bridge(BDF(0, 1, 0), PCIE_ROOT_PORT, 1, 2),
                                  *below = bridge(BDF(1, 0, 0), PCIE_ROOT_PORT, 2, 2),
                                  *narrow = upper ? port : below, *f = endpoint(BDF(2, 0, 0));
            if (upper == 2) /* subtractive decode */
                model_set(narrow, PCI_CLASS, 4, 0x06040100);
            model_set(narrow, PCI_BRIDGE_IO, 2, 0x3030);
            model_set(narrow, PCI_BRIDGE_MEM_BASE, 4, 0xfea0fea0);
            model_set(narrow, PCI_BRIDGE_PREF_BASE, 4, 0x3ff10001);
            model_set(narrow, PCI_BRIDGE_PREF_BASE_HI, 4, 0x18);
            model_set(narrow, PCI_BRIDGE_PREF_LIMIT_HI, 4, 0x18);
            model_bar(f, PCI_BAR(0), bars[i].mask, bars[i].flags, bars[i].base);
            pci_scan();
            const char *why = pci_not_assignable(pci_find(f->bdf));
            if (bars[i].passed || upper == 2)
                assert_null(why);
            else
                assert_string_equal(why, "a BAR lies outside of what its bridge passes down");
        }
}

static const char *verdict_for_rom(uint64_t base, uint64_t others)
{
    model_start(true);
    struct model_function *f = endpoint(BDF(0, 4, 0)), *other = endpoint(BDF(0, 5, 0));
    model_bar(f, PCI_ROM, 0xffff0001, 0, base);
    model_bar(f, PCI_BAR(0), 0xfff00000, 0, 0xfea00000);
    model_bar(other, PCI_ROM, 0xffff0001, 0, others);
    model_bar(other, PCI_BAR(1), 0xfff00000, 0, 0xfeb00000);
    model_ram(0x100000, 0x7ff00000);
    pci_scan();
    assert_null(pci_not_assignable(pci_find(f->bdf))); /* the BARs are as they should be */
    return pci_rom_objection(pci_find(f->bdf));
}

/* PCI "Expansion ROM Base Address Register": enabled where it is, it must not claim what is not
 * its own. */
TEST(roms_that_would_give_too_much)
{
    assert_null(verdict_for_rom(0xfe000000, 0xfe010000));
    assert_string_equal(verdict_for_rom(0, 0xfe010000), "the firmware left it without an address");
    assert_string_equal(verdict_for_rom(0xfe000000, 0xfe000000),
                        "a ROM lies over another function's");
    assert_string_equal(verdict_for_rom(0x100000, 0), "a BAR lies over RAM");
    assert_string_equal(verdict_for_rom(0xfeb00000, 0), "a BAR lies over another function's");
    assert_string_equal(verdict_for_rom(0xfea00000, 0), "two of its BARs overlap");
    assert_string_equal(verdict_for_rom(0xfee00000, 0),
                        "a BAR lies over the APICs or configuration space");
}

/* A function whose last reset failed holds what its owner left in it, whatever reset it has. */
TEST(what_is_parked_has_no_reset)
{
    endpoint(BDF(0, 4, 0));
    pci_scan();
    struct pci_function *f = pci_find(BDF(0, 4, 0));
    assert_null(pci_not_assignable(f));
    f->parked = true;
    struct pci_objection all[PCI_OBJECTION_MAX];
    assert_int_equal(pci_objections(f, all), 1);
    assert_string_equal(all[0].name, "no-reset");
    assert_string_equal(all[0].why, "its last owner's reset failed: it is parked");
    assert_false(all[0].final);
}

#define CASE(name) cmocka_unit_test_setup(name, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(alone_on_the_root_bus),
        CASE(siblings_belong_together_without_acs),
        CASE(an_acs_port_isolates_what_is_below),
        CASE(sibling_ports_share_what_is_below),
        CASE(switches),
        CASE(a_pcie_to_pci_bridge_signs_as_its_secondary_bus),
        CASE(a_conventional_bridge_signs_with_its_own_id),
        CASE(the_chipset_is_not_for_guests),
        CASE(bars_that_would_give_too_much),
        CASE(ports_that_would_give_too_much),
        CASE(bars_that_no_bridge_passes_down),
        CASE(roms_that_would_give_too_much),
        CASE(what_is_parked_has_no_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
