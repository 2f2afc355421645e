/* SPDX-License-Identifier: MIT */
// sources: tests/unit/pci_model.c pci/config.c pci/functions.c lib/text.c pci/scan.c pci/bar.c
// sources: pci/caps.c pci/msi.c pci/reset.c pci/requester.c pci/objection.c pci/sriov.c pci/room.c
// sources: pci/quirks.c
/*
 * Scan, configuration access and BAR sizing, against well-behaved and hostile functions.
 * Spec: PCI-to-PCI Bridge "Bus Number Registers"; PCI Local Bus "Base Addresses".
 */
#include "tests/unit/pci_model.h"
#include "tests/unit/test.h"

TEST(finds_functions_in_order_of_bdf)
{
    for (int ecam = 0; ecam < 2; ecam++) {
        model_start(ecam);
        model_add(BDF(0, 4, 1), 0x1234, 0x0002, 0x020000);
        model_add(BDF(0, 4, 0), 0x1234, 0x0001, 0x020000)->config[PCI_HEADER_TYPE] =
            PCI_HEADER_MULTI;
        model_add(BDF(0, 0, 0), 0x8086, 0x29c0, 0x060000);
        model_add(BDF(0, 5, 1), 0x1234, 0x0003, 0x020000); /* function 0 is not there */
        pci_scan();
        assert_int_equal(pci_count(), 3);
        assert_int_equal(pci_get(0)->bdf, BDF(0, 0, 0));
        assert_int_equal(pci_get(2)->bdf, BDF(0, 4, 1));
        assert_ptr_equal(pci_find_id(0x1234, 2, 0), pci_get(2));
        assert_null(pci_find_id(0x1234, 2, 1));
        assert_null(pci_find(BDF(0, 5, 1)));
        assert_null(pci_get(3));
        assert_int_equal(pci_has_ecam(BDF(3, 0, 0)), ecam);
    }
}

TEST(registers_above_255_need_ecam)
{
    for (int ecam = 0; ecam < 2; ecam++) {
        model_start(ecam);
        struct model_function *m = model_add(BDF(0, 4, 0), 0x1234, 1, 0xff0000);
        model_set(m, 0x100, 4, 0x11223344);
        model_writable(m, 0x104, 4, UINT32_MAX);
        pci_scan();
        assert_int_equal(pci_read32(m->bdf, 0x100), ecam ? 0x11223344 : UINT32_MAX);
        assert_int_equal(pci_read16(m->bdf, 0x102), ecam ? 0x1122 : UINT16_MAX);
        assert_int_equal(pci_read8(m->bdf, 0x103), ecam ? 0x11 : UINT8_MAX);
        assert_int_equal(pci_read32(m->bdf, 0x1000), UINT32_MAX);
        pci_write16(m->bdf, 0x106, 0xabcd);
        assert_int_equal(model_get(m, 0x104, 4), ecam ? 0xabcd0000 : 0);
    }
}

TEST(widths_reach_their_bytes_only)
{
    for (int ecam = 0; ecam < 2; ecam++) {
        model_start(ecam);
        struct model_function *m = model_add(BDF(0, 31, 7), 0x1234, 1, 0xff0000);
        model_writable(m, 0x40, 4, UINT32_MAX);
        pci_scan();
        pci_write8(m->bdf, 0x43, 0x5a);
        pci_write16(m->bdf, 0x40, 0x1234);
        assert_int_equal(model_get(m, 0x40, 4), 0x5a001234);
        assert_int_equal(pci_read8(m->bdf, 0x41), 0x12);
        assert_int_equal(pci_read16(m->bdf, 0x42), 0x5a00);
    }
}

TEST(a_senseless_window_is_refused)
{
    model_start(true);
    pci_scan();
    assert_true(model_logged("ecam window refused: segment=0 buses=07-03"));
    model_start(true);
    model_ram(MODEL_ECAM_BASE + BIT(20), PAGE_SIZE);
    pci_scan(); /* over RAM: back to the ports */
    assert_false(pci_has_ecam(0));
}

TEST(waits_for_a_device_that_is_starting)
{
    model_start(true);
    model_add(BDF(0, 4, 0), 0x1234, 1, 0xff0000)->retry_reads = 3;
    model_add(BDF(0, 5, 0), 0x1234, 1, 0xff0000)->retry_reads = UINT32_MAX;
    pci_scan();
    assert_non_null(pci_find(BDF(0, 4, 0)));
    assert_null(pci_find(BDF(0, 5, 0)));
}

TEST(follows_bridges)
{
    model_start(true);
    model_bridge(model_add(BDF(0, 1, 0), 0x8086, 1, 0x060400), 1, 3);
    model_bridge(model_add(BDF(1, 2, 0), 0x8086, 2, 0x060400), 3, 3);
    model_add(BDF(3, 0, 0), 0x1234, 1, 0xff0000);
    model_add(BDF(2, 0, 0), 0x1234, 2, 0xff0000); /* no bridge leads to bus 2 */
    model_add(BDF(0x40, 0, 0), 0x1234, 3, 0xff0000);
    model_add(BDF(0x40, 9, 0), 0x1234, 4, 0xff0000);
    pci_scan();
    assert_int_equal(pci_count(), 5);
    struct pci_function *f = pci_find(BDF(3, 0, 0));
    assert_ptr_equal(f->parent, pci_find(BDF(1, 2, 0)));
    assert_ptr_equal(f->parent->parent, pci_find(BDF(0, 1, 0)));
    assert_null(pci_find(BDF(2, 0, 0)));
    assert_null(pci_find(BDF(0x40, 9, 0))->parent); /* a second root bus */
}

TEST(a_port_has_one_device_behind_it)
{
    model_start(true);
    struct model_function *port = model_add(BDF(0, 1, 0), 0x8086, 1, 0x060400);
    model_bridge(port, 1, 1);
    model_pcie(port, 0x40, PCIE_ROOT_PORT);
    model_add(BDF(1, 0, 0), 0x1234, 1, 0xff0000);
    model_add(BDF(1, 1, 0), 0x1234, 1, 0xff0000); /* the same device, answering once more */
    pci_scan();
    assert_int_equal(pci_count(), 2);
}

TEST(bridges_in_a_circle_end)
{
    static const struct {
        bdf_t bdf;
        uint8_t secondary, subordinate;
        bool followed;
    } bridges[] = {
        {BDF(0, 1, 0), 0, 0, false},    /* never set up */
        {BDF(0, 2, 0), 1, 4, true},     /* fine */
        {BDF(0, 3, 0), 4, 6, false},    /* overlaps the one before */
        {BDF(0, 4, 0), 9, 8, false},    /* backwards */
        {BDF(1, 1, 0), 1, 4, false},    /* itself */
        {BDF(1, 2, 0), 0, 255, false},  /* the root */
        {BDF(1, 3, 0), 2, 200, false},  /* more than its parent has */
        {BDF(1, 4, 0), 2, 3, true},     /* fine */
        {BDF(2, 1, 0), 4, 4, false},    /* its parent's sibling's */
        {BDF(2, 2, 0), 1, 1, false},    /* back up */
        {BDF(0, 5, 0), 255, 255, true}, /* the last bus */
        {BDF(255, 1, 0), 255, 255, false},
    };
    model_start(true);
    for (size_t i = 0; i < ARRAY_COUNT(bridges); i++)
        model_bridge(model_add(bridges[i].bdf, 0x8086, i, 0x060400), bridges[i].secondary,
                     bridges[i].subordinate);
    pci_scan();
    assert_int_equal(pci_count(), ARRAY_COUNT(bridges));
    for (size_t i = 0; i < ARRAY_COUNT(bridges); i++)
        assert_int_equal(pci_find(bridges[i].bdf)->secondary_bus,
                         bridges[i].followed ? bridges[i].secondary : 0);
}

TEST(a_full_table_is_said_and_survived)
{
    model_start(true);
    for (unsigned i = 0; i < PCI_FUNCTION_MAX + 24; i++)
        model_add(BDF(0, i / 8 % 32, i % 8) + (i / 256 << 8), 0x1234, i, 0xff0000)
            ->config[PCI_HEADER_TYPE] = PCI_HEADER_MULTI;
    pci_scan();
    assert_int_equal(pci_count(), PCI_FUNCTION_MAX);
    assert_true(model_logged("left out"));
}

TEST(sizes_bars_with_decode_off)
{
    model_start(true);
    struct model_function *m = model_add(BDF(0, 4, 0), 0x1234, 1, 0xff0000);
    model_bar(m, PCI_BAR(0), 0xfff00000, 0, 0xfea00000);
    model_bar(m, PCI_BAR(1), 0xffffffe0, 1, 0xc040);
    model_bar(m, PCI_BAR(2), 0xffffffff00000000, 0xc, 0x1800000000); /* 4 GiB, prefetchable */
    model_bar(m, PCI_BAR(4), 0x0000ff00, 1, 0xd000);                 /* 16 bits of I/O address */
    model_writable(m, PCI_ROM, 4, 0xffff0001);
    model_set(m, PCI_ROM, 4, 0xfeb00000);
    uint8_t before[64];
    __builtin_memcpy(before, m->config, sizeof(before));
    pci_scan();

    const struct pci_bar *b = pci_find(m->bdf)->bars;
    assert_int_equal(b[0].kind, PCI_BAR_MEM);
    assert_int_equal(b[0].base, 0xfea00000);
    assert_int_equal(b[0].size, 0x100000);
    assert_false(b[0].is_64bit || b[0].prefetchable);
    assert_int_equal(b[1].kind, PCI_BAR_IO);
    assert_int_equal(b[1].base, 0xc040);
    assert_int_equal(b[1].size, 32);
    assert_true(b[2].is_64bit && b[2].prefetchable);
    assert_int_equal(b[2].base, 0x1800000000);
    assert_int_equal(b[2].size, UINT64_C(4) << 30);
    assert_int_equal(b[3].kind, PCI_BAR_NONE);
    assert_int_equal(b[4].size, 256);
    assert_int_equal(b[5].kind, PCI_BAR_NONE);
    assert_int_equal(pci_find(m->bdf)->rom.size, 0x10000);
    assert_int_equal(pci_find(m->bdf)->rom.base, 0xfeb00000);
    assert_memory_equal(before, m->config, sizeof(before));
    assert_int_equal(model_decode_while_sizing(), 0);
    assert_true(model_logged("00:04.0 1234:0001 class=ff0000 bar0=mem,0xfea00000,1M "
                             "bar1=io,0xc040,32 bar2=mem64p,0x1800000000,4G bar4=io,0xd000,256 "
                             "rom=mem,0xfeb00000,64K flr=no"));
}

/* pvpanic-pci: bits 3:1 are part of the address; as flags they would be "64 bits, prefetchable". */
TEST(a_bar_of_two_bytes)
{
    for (uint32_t base = 0xfea00000; base < 0xfea00010; base += 2) {
        model_start(true);
        struct model_function *m = model_add(BDF(0, 4, 0), 0x1b36, 0x11, 0x088000);
        model_bar(m, PCI_BAR(0), 0xfffffffe, 0, base);
        pci_scan();
        const struct pci_bar *b = pci_find(m->bdf)->bars;
        assert_int_equal(b[0].base, base);
        assert_int_equal(b[0].size, 2);
        assert_false(b[0].is_64bit || b[0].prefetchable);
        assert_int_equal(model_get(m, PCI_BAR(0), 4), base);
    }
}

TEST(hostile_bars_are_ignored)
{
    model_start(true);
    struct model_function *m = model_add(BDF(0, 4, 0), 0x1234, 1, 0xff0000);
    model_bar(m, PCI_BAR(0), 0xff0f0000, 0, 0);         /* a hole in the mask */
    model_bar(m, PCI_BAR(1), 0x000ff000, 0, 0);         /* stops short of bit 31 */
    model_bar(m, PCI_BAR(2), 0xffffffff00000000, 4, 0); /* fine */
    model_bar(m, PCI_BAR(4), 0x00ff0000, 1, 0);         /* more ports than there are */
    model_set(m, PCI_BAR(5), 4, 4);                     /* 64 bits, but nothing follows */
    model_writable(m, PCI_BAR(5), 4, 0xfffff000);
    pci_scan();
    const struct pci_bar *b = pci_find(m->bdf)->bars;
    assert_int_equal(b[0].kind, PCI_BAR_NONE);
    assert_int_equal(b[1].kind, PCI_BAR_NONE);
    assert_int_equal(b[2].size, UINT64_C(4) << 30);
    assert_int_equal(b[4].kind, PCI_BAR_NONE);
    assert_int_equal(b[5].kind, PCI_BAR_NONE);
    assert_true(model_logged("00:04.0 bar0 ignored"));
    assert_int_equal(model_decode_while_sizing(), 0);
}

TEST(a_hole_in_the_upper_half)
{
    model_start(true);
    struct model_function *m = model_add(BDF(0, 4, 0), 0x1234, 1, 0xff0000);
    model_bar(m, PCI_BAR(0), 0xfffffff0fffff000, 4, 0);
    pci_scan();
    assert_int_equal(pci_find(m->bdf)->bars[0].kind, PCI_BAR_NONE);
    assert_true(model_logged("00:04.0 bar0 ignored: writable bits 0xfffffff0fffff000"));
}

TEST(host_bridge_and_console_are_left_alone)
{
    model_start(true);
    struct model_function *host = model_add(BDF(0, 0, 0), 0x8086, 0x29c0, 0x060000);
    struct model_function *uart = model_add(BDF(0, 3, 0), 0x1b36, 2, 0x070002);
    model_bar(host, PCI_BAR(0), 0xfff00000, 0, 0xfea00000);
    model_bar(uart, PCI_BAR(0), 0xfffffff8, 1, 0xc000);
    model_console(0xc000, 0);
    pci_scan();
    assert_int_equal(pci_get(0)->bars[0].kind, PCI_BAR_NONE);
    assert_int_equal(pci_get(1)->bars[0].kind, PCI_BAR_NONE);
    assert_string_equal(pci_not_assignable(pci_get(0)), "it is the host bridge");
    assert_string_equal(pci_not_assignable(pci_get(1)), "the console is in it");
}

/* Its UART in memory, by a BAR of 64 bits. A port of the same number is another thing. */
TEST(a_console_in_memory_is_left_alone)
{
    model_start(true);
    struct model_function *uart = model_add(BDF(0, 3, 0), 0x1b36, 2, 0x070002);
    model_bar(uart, PCI_BAR(0), 0xfffff000, 4, 0x40000000);
    model_bar(uart, PCI_BAR(1), 0xffffffff, 0, 0x12);
    model_console(0x1240000008, 4);
    pci_scan();
    assert_string_equal(pci_not_assignable(pci_get(0)), "the console is in it");
    model_console(0x40000008, 4);
    assert_string_not_equal(pci_not_assignable(pci_get(0)), "the console is in it");
    model_console(0x1240000008, 0);
    assert_string_not_equal(pci_not_assignable(pci_get(0)), "the console is in it");
}

TEST(a_device_that_vanishes_while_scanned)
{
    model_start(true);
    struct model_function *m = model_add(BDF(0, 4, 0), 0x1234, 1, 0xff0000);
    for (unsigned i = 1; i < PCIE_CONFIG_SIZE; i++)
        m->config[i] = 0xff; /* there, but all-ones from the second byte on */
    m->config[0] = 0;
    pci_scan();
    struct pci_function *f = pci_find(m->bdf);
    assert_non_null(f);
    for (unsigned i = 0; i < PCI_BAR_COUNT; i++)
        assert_int_equal(f->bars[i].kind, PCI_BAR_NONE);
    assert_int_equal(f->cap_msi | f->cap_msix | f->cap_pcie | f->ext_sriov, 0);
    assert_non_null(pci_not_assignable(f));
}

/* A panic within an access, or on another CPU during one: the devices are silenced all the same. */
static void panics(struct model_function *f, uint16_t reg, uint32_t v)
{
    (void)reg, (void)v;
    f->on_write = NULL;
    pci_break_locks();
    pci_command(f->bdf, PCI_COMMAND_INTX_OFF, PCI_COMMAND_MASTER);
}

TEST(a_panic_waits_for_no_lock)
{
    for (unsigned ecam = 0; ecam < 2; ecam++) {
        model_start(ecam);
        struct model_function *f = model_add(BDF(0, 3, 0), 0x1234, 0x11e8, 0);
        model_writable(f, PCI_COMMAND, 2, 0x0407);
        pci_config_init();
        pci_command(f->bdf, PCI_COMMAND_MASTER, 0);
        f->on_write = panics;
        pci_command(f->bdf, 0, PCI_COMMAND_IO);
        pci_break_locks(); /* a machine goes no further */
        assert_int_equal(model_get(f, PCI_COMMAND, 2), PCI_COMMAND_INTX_OFF | PCI_COMMAND_MEM);
    }
}

/* No VM gets a function of another segment, and none of them masters the bus. No BAR may lie over
 * their configuration space. */
TEST(another_segment)
{
    model_start(true);
    struct model_function *first = model_far(BDF(2, 0, 0), 0), *hidden = model_far(BDF(2, 0, 1), 0),
                          *multi = model_far(BDF(2, 31, 0), PCI_HEADER_MULTI),
                          *second = model_far(BDF(2, 31, 7), 0),
                          *bridge = model_far(BDF(3, 0, 0), PCI_HEADER_BRIDGE),
                          *below = model_far(BDF(4, 0, 0), 0); /* behind the window */
    pci_scan();
    assert_true(model_logged("segment=1 buses=02-03 functions=4: not for VMs, bus master off"));
    assert_int_equal(pci_count(), 0);
    struct model_function *silent[] = {first, multi, second}, *others[] = {hidden, bridge, below};
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(model_get(silent[i], PCI_COMMAND, 2), PCI_COMMAND_MEM);
        assert_true(model_get(others[i], PCI_COMMAND, 2) & PCI_COMMAND_MASTER);
    }
    assert_true(pci_config_overlaps(MODEL_FAR_BASE + BIT(21), PAGE_SIZE));
    assert_true(pci_config_overlaps(MODEL_FAR_BASE + BIT(22) - 1, 1));
    assert_false(pci_config_overlaps(MODEL_FAR_BASE, BIT(21)));
    assert_false(pci_config_overlaps(MODEL_FAR_BASE + BIT(22), PAGE_SIZE));
    assert_true(pci_config_overlaps(MODEL_ECAM_BASE, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_functions_in_order_of_bdf),
        cmocka_unit_test(registers_above_255_need_ecam),
        cmocka_unit_test(another_segment),
        cmocka_unit_test(widths_reach_their_bytes_only),
        cmocka_unit_test(a_senseless_window_is_refused),
        cmocka_unit_test(waits_for_a_device_that_is_starting),
        cmocka_unit_test(follows_bridges),
        cmocka_unit_test(a_port_has_one_device_behind_it),
        cmocka_unit_test(bridges_in_a_circle_end),
        cmocka_unit_test(a_full_table_is_said_and_survived),
        cmocka_unit_test(sizes_bars_with_decode_off),
        cmocka_unit_test(a_bar_of_two_bytes),
        cmocka_unit_test(hostile_bars_are_ignored),
        cmocka_unit_test(a_hole_in_the_upper_half),
        cmocka_unit_test(host_bridge_and_console_are_left_alone),
        cmocka_unit_test(a_console_in_memory_is_left_alone),
        cmocka_unit_test(a_device_that_vanishes_while_scanned),
        cmocka_unit_test(a_panic_waits_for_no_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
