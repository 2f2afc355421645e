/* SPDX-License-Identifier: MIT */
// sources: tests/unit/pci_model.c pci/config.c pci/functions.c lib/text.c pci/scan.c pci/bar.c
// sources: pci/caps.c pci/msi.c pci/reset.c pci/requester.c pci/objection.c pci/sriov.c pci/room.c
// sources: pci/quirks.c
/*
 * Devices that do otherwise than they say: what the group, the requester id and the reset of each
 * kind are, and what they would be without its row.
 * Spec: VT-d "Root-Complex Peer to Peer Considerations"; PCI Express Base "Access Control Services
 * (ACS)".
 */
#include "tests/unit/pci_model.h"
#include "tests/unit/test.h"

#define OFF_BY_CHIPSET 0x300

static struct model_function *device(bdf_t bdf, uint32_t id, unsigned type)
{
    struct model_function *f = model_add(bdf, id >> 16, id & 0xffff, 0x010601);
    if (type != UINT32_MAX)
        model_pcie(f, 0x40, type);
    model_set(f, 0x44, 4, PCIE_DEVICE_CAP_FLR);
    model_writable(f, 0x48, 2, 0x7fff);
    return f;
}

static struct model_function *port(bdf_t bdf, uint32_t id, uint8_t bus)
{
    struct model_function *f = model_add(bdf, id >> 16, id & 0xffff, 0x060400);
    f->config[PCI_HEADER_TYPE] = PCI_HEADER_MULTI;
    model_bridge(f, bus, bus);
    model_pcie(f, 0x40, PCIE_ROOT_PORT);
    model_writable(f, 0xd8, 4, UINT32_MAX);
    return f;
}

static bdf_t group_of(bdf_t bdf) { return pci_group(pci_find(bdf)); }
static bdf_t requester_of(bdf_t bdf) { return pci_requester(pci_find(bdf)); }
static struct pci_function *first(void) { return pci_find(BDF(1, 0, 0)); }

FIXTURE(start)
{
    model_start(true);
    model_chipset = (struct model_chipset){.peers = 0xff};
    return 0;
}

/* Two ports of one device, of this id, each with an endpoint behind it. */
static bool ports_isolate(uint32_t id)
{
    port(BDF(0, 28, 0), id, 1);
    port(BDF(0, 28, 4), id, 2);
    device(BDF(1, 0, 0), 0x12340001, PCIE_ENDPOINT);
    device(BDF(2, 0, 0), 0x12340001, PCIE_ENDPOINT);
    pci_scan();
    bool apart = group_of(BDF(1, 0, 0)) != group_of(BDF(2, 0, 0));
    assert_true(apart || group_of(BDF(2, 0, 0)) == BDF(0, 28, 0));
    return apart;
}

static void lpc(uint32_t rcba)
{
    model_set(model_add(BDF(0, 31, 0), 0x8086, 0x1c44, 0x060100), 0xf0, 4, rcba);
}

/* The chipset decodes no peers any more, and each port checks the bus numbers of requests. */
TEST(ports_that_the_chipset_isolates)
{
    static const uint32_t ids[] = {0x80861c10, 0x80861e1f, 0x80868c94, 0x80869c1b, 0x80868d1e};
    for (size_t i = 0; i < ARRAY_COUNT(ids); i++) {
        start(NULL);
        lpc(MODEL_CHIPSET | 1);
        assert_true(ports_isolate(ids[i]));
        assert_int_equal(model_chipset.peers, 0xc0);
        assert_int_equal(model_get(model_find(BDF(0, 28, 4)), 0xd8, 4), BIT(26));
    }
    assert_true(model_logged("00:1c.4 a port without ACS, which registers of the chipset isolate"));
}

/* The firmware has switched requests between ports off, and locked that. */
TEST(ports_that_the_firmware_has_isolated)
{
    lpc(MODEL_CHIPSET | 1);
    model_chipset = (struct model_chipset){.peers = 0xff, OFF_BY_CHIPSET, true};
    assert_true(ports_isolate(0x80861c10));
}

/* Another id, no way to the registers, or one that cannot be changed: all is one group. */
TEST(ports_that_nothing_isolates)
{
    for (unsigned why = 0; why < 5; why++) {
        start(NULL);
        if (why != 1)
            lpc(why == 2 ? MODEL_CHIPSET : MODEL_CHIPSET | 1);
        model_chipset.locked = why == 3;
        model_chipset.backbone = why == 3 ? 0x100 : 0; /* one of the two is not enough */
        if (why == 4)
            device(BDF(0, 29, 0), 0x80861c10, PCIE_ENDPOINT); /* no port */
        assert_false(ports_isolate(why == 0 || why == 4 ? 0x8086a340 : 0x80861c10));
    }
}

TEST(ports_with_wide_registers)
{
    for (unsigned wide = 0; wide < 2; wide++) {
        start(NULL);
        for (unsigned n = 0; n < 2; n++) {
            struct model_function *f =
                port(BDF(0, 28, 4 * n), wide ? 0x8086a110 : 0x8086a340, (uint8_t)(1 + n));
            device(BDF(1 + n, 0, 0), 0x12340001, PCIE_ENDPOINT);
            model_ext_cap(f, 0x100, PCI_EXT_ID_ACS, 0);
            model_set(f, 0x104, 4, 0x1d);
            model_writable(f, 0x108, 4, 0x1d); /* and nothing at 0x106 */
        }
        pci_scan();
        assert_int_equal(group_of(BDF(1, 0, 0)) != group_of(BDF(2, 0, 0)), wide);
        assert_int_equal(model_get(model_find(BDF(0, 28, 4)), 0x108, 4), wide ? 0x1d : 0);
    }
}

/* Two functions without ACS: of a network controller whose functions do not reach each other, of
 * the root complex, and of any other device. */
TEST(functions_without_acs)
{
    static const struct {
        uint32_t id;
        unsigned type;
        bool apart;
    } rows[] = {{0x80861521, PCIE_ENDPOINT, true},
                {0x80861525, PCIE_ENDPOINT, false},
                {0x12340001, PCIE_ROOT_COMPLEX_ENDPOINT, true},
                {0x12341521, PCIE_ENDPOINT, false}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        start(NULL);
        device(BDF(0, 4, 0), rows[i].id, rows[i].type)->config[PCI_HEADER_TYPE] = PCI_HEADER_MULTI;
        device(BDF(0, 4, 1), rows[i].id, rows[i].type);
        pci_scan();
        assert_int_equal(group_of(BDF(0, 4, 1)) == BDF(0, 4, 1), rows[i].apart);
    }
}

/* Requests under the id of another function, which need not be there. If it is, the two are of one
 * group, whatever ACS says. */
TEST(the_id_of_another_function)
{
    static const struct {
        uint32_t id;
        unsigned function, as;
    } rows[] = {{0x1b4b9172, 0, 1}, {0x1b4b9230, 1, 1}, {0x197b2392, 2, 1},
                {0x1180e832, 3, 0}, {0x1180e476, 0, 0}, {0x12349172, 2, 2}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        start(NULL);
        port(BDF(0, 28, 0), 0x8086a340, 1);
        bdf_t bdf = BDF(1, 0, rows[i].function);
        device(BDF(1, 0, 0), rows[i].function ? 0x12340001 : rows[i].id, PCIE_ENDPOINT)
            ->config[PCI_HEADER_TYPE] = PCI_HEADER_MULTI;
        if (rows[i].function)
            device(bdf, rows[i].id, PCIE_ENDPOINT);
        pci_scan();
        assert_int_equal(requester_of(bdf), BDF(1, 0, rows[i].as));
    }
    start(NULL);
    for (unsigned n = 0; n < 2; n++) {
        struct model_function *f = device(BDF(0, 4, n), n ? 0x12340001 : 0x1b4b9172, PCIE_ENDPOINT);
        f->config[PCI_HEADER_TYPE] = n ? 0 : PCI_HEADER_MULTI;
        model_ext_cap(f, 0x100, PCI_EXT_ID_ACS, 0);
    }
    pci_scan();
    assert_int_equal(group_of(BDF(0, 4, 1)), BDF(0, 4, 0)); /* without the row: a group each */
    assert_int_equal(group_of(BDF(0, 4, 0)), BDF(0, 4, 0));
}

/* Requests from behind it arrive as from behind a PCI Express bridge, but not on a root bus. */
TEST(a_bridge_without_the_capability)
{
    for (unsigned below = 0; below < 2; below++) {
        start(NULL);
        if (below)
            model_bridge(port(BDF(0, 28, 0), 0x8086a340, 1), 1, 2);
        struct model_function *f = model_add(BDF(below, 0, 0), 0x1b21, 0x1080, 0x060401);
        model_bridge(f, 2, 2);
        device(BDF(2, 3, 0), 0x12340001, UINT32_MAX);
        pci_scan();
        assert_int_equal(requester_of(BDF(2, 3, 0)), below ? BDF(2, 0, 0) : BDF(0, 0, 0));
    }
}

static enum pci_reset_kind best(uint32_t id, bool flr)
{
    start(NULL);
    port(BDF(0, 28, 0), 0x8086a340, 1);
    struct model_function *f = device(BDF(1, 0, 0), id, PCIE_ENDPOINT);
    if (!flr)
        model_set(f, 0x44, 4, 0);
    pci_scan();
    return pci_reset_best(first());
}

TEST(resets_that_do_harm)
{
    assert_int_equal(best(0x80861501, true), PCI_RESET_FLR);
    assert_int_equal(best(0x80861502, true), PCI_RESET_BUS);
    assert_int_equal(best(0x168c0031, false), PCI_RESET_BUS);
    assert_int_equal(best(0x168c0030, false), PCI_RESET_NONE);
    assert_int_equal(best(0x168c0030, true), PCI_RESET_FLR);
}

TEST(a_reset_that_is_slow)
{
    enum pci_reset_kind used;
    for (unsigned slow = 0; slow < 2; slow++) {
        assert_int_equal(best(slow ? 0x80860a54 : 0x80860a55, true), PCI_RESET_FLR);
        uint64_t before = model_delay_us();
        assert_int_equal(pci_reset(first(), &used), 0);
        assert_true((model_delay_us() - before >= 350000) == slow);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, start)
    const struct CMUnitTest tests[] = {
        T(ports_that_the_chipset_isolates),
        T(ports_that_the_firmware_has_isolated),
        T(ports_that_nothing_isolates),
        T(ports_with_wide_registers),
        T(functions_without_acs),
        T(the_id_of_another_function),
        T(a_bridge_without_the_capability),
        T(resets_that_do_harm),
        T(a_reset_that_is_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
