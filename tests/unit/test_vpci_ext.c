/* SPDX-License-Identifier: MIT */
// sources: tests/unit/assign_model.c guest/assign/vpci.c guest/assign/vpci_header.c
// sources: guest/assign/vpci_caps.c guest/assign/vpci_ext.c guest/assign/aer.c guest/assign/vbar.c
// sources: pci/errors.c lib/text.c
// sources: guest/assign/vmsi.c guest/assign/vmsix.c
// sources: guest/assign/irq.c guest/assign/assign.c guest/assign/faults.c guest/assign/dma.c
// sources: guest/assign/audit.c guest/life/config.c guest/core/config.c lib/option.c lib/parse.c
// sources: guest/core/bus.c guest/assign/intx.c guest/pc/vioapic.c pci/caps.c pci/msi.c
// sources: guest/assign/reset.c pci/objection.c pci/requester.c pci/bar.c
// sources: tests/unit/assign_machine.c
/*
 * What a guest sees beyond register 256 of its device: which capabilities, and with what in them.
 * Spec: PCI Express Base "PCI Express Extended Capabilities".
 */
#include <string.h>
#include "tests/unit/vpci_fixture.h"

static void set32(uint16_t at, uint32_t value) { memcpy(m.config + at, &value, sizeof(value)); }

static void capability(uint16_t at, uint16_t id, uint16_t next)
{
    set32(at, (uint32_t)next << 20 | 1 << 16 | id);
}

static uint32_t seen(uint16_t at) { return vpci_read(f, at, 4); }

/* Give the device that again() has made, and that was changed then. */
static void give(void)
{
    assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), 0);
    f = m.vm.pci->functions[1];
}

static uint32_t hardware(uint16_t at) { return pci_read32(m.fn.bdf, at); }

/* Those of the table, at their places; the links lead past the others. */
TEST(the_list_is_relinked)
{
    again();
    capability(0x100, PCI_EXT_ID_SERIAL, 0x200);
    capability(0x200, PCI_EXT_ID_ACS, 0x150);
    capability(0x150, PCI_EXT_ID_ARI, 0x300);
    capability(0x300, PCI_EXT_ID_LTR, 0x180);
    capability(0x180, PCI_EXT_ID_REBAR, 0);
    give();
    assert_int_equal(seen(0x100), 0x30010003);
    assert_int_equal(seen(0x104), hardware(0x104));
    assert_int_equal(seen(0x108), hardware(0x108));
    assert_int_equal(vpci_read(f, 0x10a, 2), hardware(0x108) >> 16);
    assert_int_equal(vpci_read(f, 0x10b, 1), hardware(0x108) >> 24);
    assert_int_equal(seen(0x300), 0x00010018);
    assert_int_equal(seen(0x304), hardware(0x304));
    for (uint16_t at = 0x10c; at < 0x1000; at += 4)
        if (at != 0x300 && at != 0x304)
            assert_int_equal(seen(at), 0);
}

/* "PCI Express Extended Capabilities": the list begins at register 256, whatever is there. */
TEST(the_first_is_hidden)
{
    again();
    capability(0x100, PCI_EXT_ID_ATS, 0x110);
    capability(0x110, PCI_EXT_ID_VC, 0x140);
    capability(0x140, PCI_EXT_ID_SERIAL, 0x160);
    capability(0x160, PCI_EXT_ID_LTR, 0);
    give();
    assert_int_equal(seen(0x100), 0x14000000);
    assert_int_equal(seen(0x140), 0x16010003);
    assert_int_equal(seen(0x160), 0x00010018);
    again();
    capability(0x100, PCI_EXT_ID_ATS, 0);
    give();
    assert_int_equal(seen(0x100), 0);
}

/* Registers of a vendor are read whenever the guest reads them; those of the others are as they
 * were when the device was given. */
TEST(what_changes_and_what_does_not)
{
    again();
    capability(0x100, PCI_EXT_ID_VENDOR, 0x200);
    set32(0x104, 0x01001234); /* 16 bytes */
    capability(0x200, PCI_EXT_ID_DESIGNATED, 0x300);
    set32(0x204, 0x00c08086); /* 12 bytes */
    capability(0x300, PCI_EXT_ID_SERIAL, 0);
    give();
    uint32_t serial = hardware(0x304);
    set32(0x108, 0x11111111);
    set32(0x208, 0x22222222);
    set32(0x304, 0x33333333);
    assert_int_equal(seen(0x100), 0x2001000b);
    assert_int_equal(seen(0x104), 0x01001234);
    assert_int_equal(seen(0x108), 0x11111111);
    assert_int_equal(seen(0x10c), hardware(0x10c));
    assert_int_equal(seen(0x110), 0);
    assert_int_equal(seen(0x200), 0x30010023);
    assert_int_equal(seen(0x208), 0x22222222);
    assert_int_equal(seen(0x20c), 0);
    assert_int_equal(seen(0x304), serial);
}

/* No write reaches the device, and none changes what is shown. */
TEST(nothing_is_writable)
{
    static uint32_t before[0x1000 / 4];
    again();
    capability(0x100, PCI_EXT_ID_VENDOR, 0x200);
    set32(0x104, 0x01001234);
    capability(0x200, PCI_EXT_ID_LTR, 0x300);
    capability(0x300, PCI_EXT_ID_ACS, 0);
    give();
    unsigned writes = m.config_writes;
    for (uint16_t at = 0x100; at < 0x1000; at += 4)
        before[at / 4] = seen(at);
    for (uint16_t at = 0x100; at < 0x1000; at += 4)
        vpci_write(f, at, 4, ~before[at / 4]);
    for (uint16_t at = 0x100; at < 0x1000; at += 4)
        assert_int_equal(seen(at), before[at / 4]);
    assert_int_equal(m.config_writes, writes);
}

/* The list as a driver walks it: how many it finds; more than there can be: it never ends. */
static unsigned walk(void)
{
    unsigned count = 0;
    for (uint16_t at = 0x100; at && count < 1024; at = (uint16_t)(seen(at) >> 20))
        count += seen(at) != 0;
    return count;
}

/* The list is the device's: it runs in a circle, into itself, out of the space, or has no end. */
TEST(a_hostile_list)
{
    static const uint16_t circles[][2] = {{0x100, 0x100}, {0x100, 0x140}, {0x140, 0x140}};
    for (unsigned i = 0; i < ARRAY_COUNT(circles); i++)
        for (unsigned hidden = 0; hidden < 4; hidden++) {
            again();
            capability(0x100, hidden & 1 ? PCI_EXT_ID_ATS : PCI_EXT_ID_SERIAL, 0x140);
            capability(0x140, hidden & 2 ? PCI_EXT_ID_ATS : PCI_EXT_ID_LTR, 0);
            capability(circles[i][0], (uint16_t)(hardware(circles[i][0]) & 0xffff), circles[i][1]);
            give();
            assert_in_range(walk(), 0, 2);
        }
    static const struct {
        uint16_t at, id;
        uint32_t next_dword;
        bool shown;
    } ends[] = {
        {0xffc, PCI_EXT_ID_SERIAL, 0, false},
        {0xff8, PCI_EXT_ID_SERIAL, 0, false},
        {0xff4, PCI_EXT_ID_SERIAL, 0, true},
        {0xffc, PCI_EXT_ID_LTR, 0, false},
        {0xff8, PCI_EXT_ID_LTR, 0, true},
        {0xffc, PCI_EXT_ID_VENDOR, 0, false},
        {0xff0, PCI_EXT_ID_VENDOR, 0x01100001, false},
        {0xff0, PCI_EXT_ID_VENDOR, 0x01000001, true},
        {0x200, PCI_EXT_ID_VENDOR, 0x00400001, false},
        {0x200, PCI_EXT_ID_VENDOR, 0x00000001, false},
        {0x200, PCI_EXT_ID_VENDOR, 0xfff00001, false},
        {0x200, 0xffff, 0xffffffff, false},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(ends); i++) {
        again();
        capability(0x100, PCI_EXT_ID_SERIAL, ends[i].at);
        capability(ends[i].at, ends[i].id, 0);
        if (ends[i].next_dword)
            set32((uint16_t)(ends[i].at + 4), ends[i].next_dword);
        give();
        assert_int_equal(walk(), 1 + ends[i].shown);
    }
    again();
    for (uint16_t at = 0x100; at < 0xff0; at += 8)
        capability(at, PCI_EXT_ID_LTR, at + 8);
    give();
    assert_int_equal(walk(), 48);
    again();
    set32(0x100, 0x0e410003); /* a link into the header */
    capability(0x0e4, PCI_EXT_ID_LTR, 0);
    give();
    assert_int_equal(walk(), 1);
    again();
    set32(0x100, 0x14310003); /* the low bits are reserved */
    capability(0x140, PCI_EXT_ID_LTR, 0);
    give();
    assert_int_equal(seen(0x100), 0x14010003);
}

/* One inside of another: what is shown first stays, its link above all. */
TEST(capabilities_that_overlap)
{
    again();
    capability(0x100, PCI_EXT_ID_ATS, 0x204);
    capability(0x204, PCI_EXT_ID_LTR, 0x300);
    capability(0x300, PCI_EXT_ID_ATS, 0x1fc);
    capability(0x1fc, PCI_EXT_ID_SERIAL, 0x304);
    capability(0x304, PCI_EXT_ID_ATS, 0x1f0);
    capability(0x1f0, PCI_EXT_ID_VENDOR, 0x180);
    set32(0x1f4, 0x10001234); /* 256 bytes, with both before in them */
    capability(0x180, PCI_EXT_ID_LTR, 0);
    give();
    assert_int_equal(seen(0x204), 0x1fc10018);
    assert_int_equal(seen(0x1fc), 0x1f010003);
    assert_int_equal(seen(0x1f0), 0x1801000b);
    assert_int_equal(seen(0x180), 0x00010018);
    assert_int_equal(walk(), 5);
}

/* Without ECAM, or without the PCI Express capability, there is nothing there. */
TEST(conventional_functions)
{
    again();
    capability(0x100, PCI_EXT_ID_SERIAL, 0);
    m.no_ecam = true;
    give();
    assert_int_equal(seen(0x100), 0);
    again();
    capability(0x100, PCI_EXT_ID_SERIAL, 0);
    m.config[AT_PCIE] = PCI_CAP_ID_VENDOR;
    give();
    assert_int_equal(seen(0x100), 0);
    assert_int_equal(vpci_read(m.vm.pci->functions[0], 0x100, 4), 0); /* the bridge */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_list_is_relinked),
        CASE(the_first_is_hidden),
        CASE(what_changes_and_what_does_not),
        CASE(nothing_is_writable),
        CASE(a_hostile_list),
        CASE(capabilities_that_overlap),
        CASE(conventional_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
