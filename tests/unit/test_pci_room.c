/* SPDX-License-Identifier: MIT */
// sources: tests/unit/pci_model.c pci/config.c pci/functions.c lib/text.c pci/scan.c pci/bar.c
// sources: pci/caps.c pci/msi.c pci/reset.c pci/requester.c pci/objection.c pci/sriov.c pci/room.c
// sources: pci/quirks.c
/*
 * What a bridge passes down, to the byte, and where there is room among what has an address.
 * Spec: PCI-to-PCI Bridge "Configuration Space".
 */
#include "tests/unit/pci_model.h"
#include "tests/unit/test.h"

#define SIZE_4G UINT64_C(0x100000000)
#define WINDOW  0xfe800000 /* of 2 MiB */
#define SIZE_1M UINT64_C(0x100000)

static struct model_function *port;
static struct pci_function *pf, *beside;
static struct vf_plan plan;

static void window(struct model_function *f, bool prefetchable, uint64_t first, uint64_t end)
{
    uint16_t base_at = prefetchable ? PCI_BRIDGE_PREF_BASE : PCI_BRIDGE_MEM_BASE;
    uint16_t flag = prefetchable ? PCI_BRIDGE_PREF_64 : 0;
    uint64_t last = end - SIZE_1M;
    model_set(f, base_at, 2, (LO32(first) >> 16 & 0xfff0) | flag);
    model_set(f, base_at + 2, 2, (LO32(last) >> 16 & 0xfff0) | flag);
    if (prefetchable) {
        model_set(f, PCI_BRIDGE_PREF_BASE_HI, 4, HI32(first));
        model_set(f, PCI_BRIDGE_PREF_LIMIT_HI, 4, HI32(last));
    }
}

static void no_window(struct model_function *f, bool prefetchable)
{
    window(f, prefetchable, SIZE_1M, SIZE_1M);
}

/* 01:00.0 and 01:02.0, a bridge, behind 00:01.0. No BAR is placed yet. */
FIXTURE(start)
{
    model_start(true);
    port = model_add(BDF(0, 1, 0), 0x8086, 1, 0x060400);
    model_bridge(port, 1, 2);
    window(port, false, WINDOW, WINDOW + 2 * SIZE_1M);
    no_window(port, true);
    model_set(port, PCI_BRIDGE_IO, 2, 0xd0d0);
    model_add(BDF(1, 0, 0), 0x1b36, 0x10, 0x010802);
    struct model_function *bridge = model_add(BDF(1, 2, 0), 0x8086, 2, 0x060400);
    model_bridge(bridge, 2, 2);
    no_window(bridge, false);
    no_window(bridge, true);
    pci_scan();
    pf = pci_find(BDF(1, 0, 0));
    beside = pci_find(BDF(1, 2, 0));
    plan = (struct vf_plan){.pf = pf, .count = 1};
    return 0;
}

static struct pci_bar memory(uint64_t base, uint64_t size)
{
    return (struct pci_bar){.kind = PCI_BAR_MEM, .base = base, .size = size};
}

static bool passes(uint64_t base, uint64_t size)
{
    struct pci_bar bar = memory(base, size);
    return pci_room_behind(pci_get(0), &bar);
}

static bool passes_ports(uint64_t base, uint64_t size)
{
    struct pci_bar bar = {.kind = PCI_BAR_IO, .base = base, .size = size};
    return pci_room_behind(pci_get(0), &bar);
}

static uint64_t room(uint64_t size)
{
    struct pci_bar bar = memory(0, size);
    return pci_room_find(&plan, &bar);
}

static uint64_t room_prefetchable(uint64_t size, bool is_64bit)
{
    struct pci_bar bar = memory(0, size);
    bar.prefetchable = true;
    bar.is_64bit = is_64bit;
    return pci_room_find(&plan, &bar);
}

TEST(a_window_passes_what_is_whole_in_it)
{
    assert_true(passes(WINDOW, 2 * SIZE_1M));
    assert_true(passes(WINDOW + 2 * SIZE_1M - 0x10, 0x10));
    assert_false(passes(WINDOW - 0x1000, 0x1000));
    assert_false(passes(WINDOW - 0x1000, 0x2000));
    assert_false(passes(WINDOW + SIZE_1M, 2 * SIZE_1M));
    assert_false(passes(WINDOW + 2 * SIZE_1M, 0x1000));
    assert_false(passes(WINDOW, UINT64_MAX));
    no_window(port, false);
    assert_false(passes(WINDOW, 0x1000));
    assert_false(passes(SIZE_1M, 0x1000));
}

TEST(a_prefetchable_window_may_lie_high)
{
    window(port, true, 6 * SIZE_4G + SIZE_1M, 7 * SIZE_4G + 3 * SIZE_1M);
    assert_true(passes(6 * SIZE_4G + SIZE_1M, SIZE_4G + 2 * SIZE_1M));
    assert_false(passes(6 * SIZE_4G, SIZE_1M));
    assert_false(passes(7 * SIZE_4G + 2 * SIZE_1M, 2 * SIZE_1M));
    assert_false(passes(SIZE_1M, SIZE_1M));
    assert_true(passes(WINDOW, 0x1000));
    /* 32 bits wide: what stands in the upper registers is no address. */
    model_set(port, PCI_BRIDGE_PREF_BASE, 2, 0x10);
    assert_true(passes(SIZE_1M, 2 * SIZE_1M));
    assert_false(passes(6 * SIZE_4G + SIZE_1M, SIZE_1M));
}

/* Base and limit name 4 KiB of ports, the limit included. */
TEST(ports_that_a_bridge_passes)
{
    assert_true(passes_ports(0xd000, 0x1000));
    assert_true(passes_ports(0xdfe0, 0x20));
    assert_false(passes_ports(0xcfe0, 0x20));
    assert_false(passes_ports(0xdff0, 0x20));
    assert_false(passes_ports(0xe000, 0x20));
    assert_false(passes_ports(WINDOW, 0x20));
    model_set(port, PCI_BRIDGE_IO, 2, 0xf0c0);
    assert_true(passes_ports(0xc000, 0x4000));
    model_set(port, PCI_BRIDGE_IO, 2, 0xc0d0); /* base above limit: none */
    assert_false(passes_ports(0xd000, 0x20));
    assert_false(passes_ports(0xc000, 0x20));
}

TEST(subtractive_decode_passes_everything)
{
    pci_get(0)->class_code = 0x060401;
    assert_true(passes(0x1000, 0x1000));
    assert_true(passes_ports(0x1000, 0x20));
}

/* Aligned to its size, for all virtual functions in one piece, and with the end of the window. */
TEST(first_fit)
{
    assert_int_equal(room(0x4000), WINDOW);
    assert_int_equal(room(2 * SIZE_1M), WINDOW);
    assert_int_equal(room(4 * SIZE_1M), 0);
    pf->bars[0] = memory(WINDOW, 0x1000);
    assert_int_equal(room(0x4000), WINDOW + 0x4000);
    assert_int_equal(room(SIZE_1M), WINDOW + SIZE_1M);
    plan.count = 2;
    assert_int_equal(room(SIZE_1M), 0);
    assert_int_equal(room(SIZE_1M / 2), WINDOW + SIZE_1M / 2);
    plan.count = 3;
    assert_int_equal(room(SIZE_1M / 2), WINDOW + SIZE_1M / 2);
    plan.count = 4;
    assert_int_equal(room(SIZE_1M / 2), 0);
}

/* Address 0 says "not placed", so no BAR gets the first page. */
TEST(the_first_page_is_no_room)
{
    window(port, false, 0, SIZE_1M);
    assert_int_equal(room(0x1000), 0x1000);
    assert_int_equal(room(0x4000), 0x4000);
}

/* The BARs of all virtual functions that the plan has so far; the BARs and the ROM of any function;
 * what a bridge on the same bus passes down. Ports and what is not placed take nothing. */
TEST(what_is_taken)
{
    plan.count = 3;
    plan.bars[5] = memory(WINDOW, 0x2000);
    plan.bars[0] = memory(WINDOW + 0x6000, 0x2000);
    assert_int_equal(room(0x1000), WINDOW + 0xc000);
    pf->bars[5] = memory(WINDOW + 0xc000, 0x1000);
    assert_int_equal(room(0x1000), WINDOW + 0xd000);
    pci_get(0)->rom = memory(WINDOW + 0xd000, 0x1000);
    assert_int_equal(room(0x1000), WINDOW + 0xe000);
    pf->bars[1] = (struct pci_bar){.kind = PCI_BAR_IO, .base = WINDOW + 0xe000, .size = 0x20};
    pf->bars[2] = memory(0, UINT64_C(1) << 40);
    pf->bars[3] = memory(WINDOW + 0x11000, 0x1000); /* right behind what is found */
    assert_int_equal(room(0x1000), WINDOW + 0xe000);
    pf->bars[3] = memory(WINDOW + 0x10000, 0x1000);
    assert_int_equal(room(0x1000), WINDOW + 0x11000);
}

TEST(a_bridge_on_the_same_bus)
{
    struct model_function *m = model_find(beside->bdf);
    window(m, false, WINDOW, WINDOW + SIZE_1M);
    assert_int_equal(room(0x1000), WINDOW + SIZE_1M);
    window(m, false, WINDOW + SIZE_1M, WINDOW + SIZE_1M); /* an empty one, though in the midst */
    assert_int_equal(room(2 * SIZE_1M), WINDOW);
    window(m, true, WINDOW, WINDOW + SIZE_1M);
    assert_int_equal(room(0x1000), WINDOW + SIZE_1M);
    beside->secondary_bus = 0; /* nothing is behind it */
    assert_int_equal(room(0x1000), WINDOW);
    beside->secondary_bus = 2;
    beside->parent = NULL; /* on another bus */
    assert_int_equal(room(0x1000), WINDOW);
}

TEST(configuration_space_is_taken)
{
    window(port, false, MODEL_ECAM_BASE - SIZE_1M, MODEL_ECAM_BASE + BIT(28) + SIZE_1M);
    assert_int_equal(room(SIZE_1M), MODEL_ECAM_BASE - SIZE_1M);
    pf->bars[0] = memory(MODEL_ECAM_BASE - SIZE_1M, SIZE_1M);
    assert_int_equal(room(SIZE_1M), MODEL_ECAM_BASE + BIT(28));
}

/* Only what may be prefetched goes into that window, and above 4 GiB only what has 64 bits. */
TEST(the_prefetchable_window)
{
    window(port, true, SIZE_4G - SIZE_1M, SIZE_4G + 4 * SIZE_1M);
    assert_int_equal(room(0x1000), WINDOW);
    assert_int_equal(room_prefetchable(SIZE_1M, false), SIZE_4G - SIZE_1M);
    assert_int_equal(room_prefetchable(2 * SIZE_1M, false), WINDOW);
    assert_int_equal(room_prefetchable(SIZE_1M, true), SIZE_4G - SIZE_1M);
    assert_int_equal(room_prefetchable(2 * SIZE_1M, true), SIZE_4G);
    pf->bars[0] = memory(SIZE_4G - SIZE_1M, SIZE_1M);
    assert_int_equal(room_prefetchable(SIZE_1M, false), WINDOW);
    assert_int_equal(room_prefetchable(SIZE_1M, true), SIZE_4G);
}

/* A device that claims the last addresses: the search does not begin again at address 0. */
TEST(nothing_is_behind_the_last_address)
{
    uint64_t first = -4 * SIZE_1M;
    no_window(port, false);
    window(port, true, first, first + 2 * SIZE_1M);
    pf->bars[0] = memory(first, 4 * SIZE_1M - 0x1000);
    pf->bars[1] = memory(0x1000, 0x1000);
    assert_int_equal(room_prefetchable(2 * SIZE_1M, true), 0);
    pf->bars[0] = memory(first, 0x1000);
    assert_int_equal(room_prefetchable(SIZE_1M, true), first + SIZE_1M);
}

/* On a root bus: between the addresses that the firmware gave on that bus, below the APICs. */
TEST(room_on_a_root_bus)
{
    struct pci_function *low = pci_get(0);
    pf->parent = NULL;
    assert_int_equal(room(0x1000), 0); /* nothing there has an address */
    pf->bars[0] = memory(0xc0000000, 0x1000);
    assert_int_equal(room(0x1000), 0);
    pf->bars[4] = memory(0xfebff000, 0x1000);
    assert_int_equal(room(0x1000), 0xc0001000);
    assert_int_equal(room(SIZE_1G), 0);
    assert_int_equal(room(SIZE_1G / 4), 0xd0000000);
    pf->bars[4] = memory(0xfebff000, 0x2000); /* over the APICs, as it seems */
    assert_int_equal(room(0x1000), 0);
    pf->bars[4] = memory(0xc0002000, 0x1000);
    assert_int_equal(room(0x1000), 0xc0001000);
    assert_int_equal(room(0x2000), 0);
    low->bars[1] = memory(0xd0000000, 0x1000); /* on another bus */
    assert_int_equal(room(0x2000), 0);
    pf->bars[0] = memory(0xc0008000, 0x1000);
    assert_int_equal(room(0x2000), 0xc0004000);
    plan.pf = low;
    low->bars[0] = memory(0xd0004000, 0x1000);
    assert_int_equal(room(0x1000), 0xd0001000);
    assert_int_equal(room(0x4000), 0);
}

#define CASE(name) cmocka_unit_test_setup(name, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_window_passes_what_is_whole_in_it),
        CASE(a_prefetchable_window_may_lie_high),
        CASE(ports_that_a_bridge_passes),
        CASE(subtractive_decode_passes_everything),
        CASE(first_fit),
        CASE(the_first_page_is_no_room),
        CASE(what_is_taken),
        CASE(a_bridge_on_the_same_bus),
        CASE(configuration_space_is_taken),
        CASE(the_prefetchable_window),
        CASE(nothing_is_behind_the_last_address),
        CASE(room_on_a_root_bus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
