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
 * Errors that functions record (AER): what is logged of them, and what a guest sees.
 * Spec: PCI Express Base "Advanced Error Reporting Extended Capability".
 */
#include <stdio.h>
#include <string.h>
#include "arch/log.h"
#include "pci/pci_private.h"
#include "tests/unit/stubs.h"
#include "tests/unit/vpci_fixture.h"

#define AT 0x140 /* of the capability */

static const int *budget;
static unsigned lines;
static char last[256];

void log_guest_write(int *given, const char *subsystem, const char *fmt, ...)
{
    va_list args;
    budget = given;
    lines++;
    assert_string_equal(subsystem, "aer");
    va_start(args, fmt);
    vsnprintf(last, sizeof(last), fmt, args);
    va_end(args);
}

static void set32(uint8_t *config, uint16_t at, uint32_t value) { memcpy(config + at, &value, 4); }

static uint32_t hardware(uint16_t reg) { return pci_read32(m.fn.bdf, AT + reg); }
static uint32_t seen(uint16_t reg) { return vpci_read(f, AT + reg, 4); }

static void capability(uint8_t *config)
{
    set32(config, 0x100, AT << 20 | 1 << 16 | PCI_EXT_ID_SERIAL);
    set32(config, AT, 2 << 16 | PCI_EXT_ID_AER);
    memset(config + AT + 4, 0, PCI_AER_SIZE - 4);
    set32(config, AT + 0x08, 0xffffffff);
    set32(config, AT + 0x0c, 0x00462030);
    set32(config, AT + 0x14, 0x00002000);
}

/* As the function finds an error: its TLP, if it is the first. */
static void record(uint32_t uncorrected, uint32_t corrected, unsigned first, uint32_t tlp)
{
    set32(m.config, AT + 0x04, hardware(0x04) | uncorrected);
    set32(m.config, AT + 0x10, hardware(0x10) | corrected);
    set32(m.config, AT + 0x18, 0xfe0 | first); /* ECRC and others: not the guest's affair */
    for (uint16_t i = 0; i < 4; i++)
        set32(m.config, AT + 0x1c + 4 * i, tlp + i);
}

static void give(void)
{
    lines = 0;
    strcpy(m.vm.name, "a");
    assert_int_equal(model_assign(PLAN_POST_HW, BAR_EAGER), 0);
    f = m.vm.pci->functions[1];
}

static void with_aer(void)
{
    again();
    capability(m.config);
    give();
}

/* What an earlier VM left, its packet above all, is not shown. */
TEST(at_first_there_are_no_errors)
{
    again();
    capability(m.config);
    record(BIT(14), BIT(6), 14, 0x11110000);
    give();
    assert_int_equal(lines, 1);
    assert_string_equal(last, "00:04.0 error: completion timeout; corrected error: bad TLP "
                              "tlp=11110000,11110001,11110002,11110003");
    assert_int_equal(hardware(0x04) | hardware(0x10), 0);
    assert_int_equal(seen(0), 0x00020001);
    static const uint32_t is[] = {0, 0x07fff030, 0x00462030, 0, 0x00002000, 0, 0, 0, 0, 0};
    for (uint16_t i = 0; i < ARRAY_COUNT(is); i++)
        assert_int_equal(seen(4 + 4 * i), is[i]);
    aer_tick();
    assert_int_equal(lines, 1);
}

/* Logged for its VM, cleared, and in the guest's view until the guest clears it. */
TEST(an_error_is_told)
{
    with_aer();
    record(BIT(18) | BIT(20), BIT(0) | BIT(8), 18, 0x40000000);
    aer_tick();
    assert_string_equal(last, "vm=a 00:04.0 fatal error: malformed TLP; error: unsupported "
                              "request; corrected error: receiver error, replay number "
                              "rollover tlp=40000000,40000001,40000002,40000003");
    assert_ptr_equal(budget, &f->of->error_budget);
    assert_int_equal(*budget, LOG_GUEST_BUDGET);
    assert_int_equal(hardware(0x04) | hardware(0x10), 0);
    assert_int_equal(seen(0x04), BIT(18) | BIT(20));
    assert_int_equal(seen(0x10), BIT(0) | BIT(8));
    assert_int_equal(seen(0x18), 18);
    for (uint16_t i = 0; i < 4; i++)
        assert_int_equal(seen(0x1c + 4 * i), 0x40000000u + i);
    aer_tick();
    assert_int_equal(lines, 1);

    unsigned writes = m.config_writes;
    vpci_write(f, AT + 0x04, 4, BIT(20));
    vpci_write(f, AT + 0x11, 1, 0xff);
    assert_int_equal(seen(0x04), BIT(18));
    assert_int_equal(seen(0x10), BIT(0));
    vpci_write(f, AT + 0x06, 2, 0);
    vpci_write(f, AT + 0x18, 4, UINT32_MAX);
    vpci_write(f, AT + 0x1c, 4, UINT32_MAX);
    assert_int_equal(seen(0x04), BIT(18));
    assert_int_equal(seen(0x18), 18);
    assert_int_equal(seen(0x1c), 0x40000000);
    assert_int_equal(m.config_writes, writes);
}

/* "Header Log Register": the packet of the first error, until its bit is clear. */
TEST(the_first_packet_stays)
{
    with_aer();
    record(BIT(12), BIT(6), 12, 0x1000);
    aer_tick();
    record(BIT(16), BIT(7), 16, 0x2000);
    aer_tick();
    assert_int_equal(lines, 2);
    assert_int_equal(seen(0x04), BIT(12) | BIT(16));
    assert_int_equal(seen(0x10), BIT(6) | BIT(7));
    assert_int_equal(seen(0x18), 12);
    assert_int_equal(seen(0x1c), 0x1000);
    vpci_write(f, AT + 0x04, 4, UINT32_MAX);
    assert_int_equal(seen(0x04), 0);
    record(BIT(16), 0, 12, 0x3000); /* masked: it has no packet */
    aer_tick();
    assert_string_equal(last, "vm=a 00:04.0 error: unexpected completion");
    assert_int_equal(seen(0x18), 12);
    assert_int_equal(seen(0x1c), 0x1000);
    vpci_write(f, AT + 0x04, 4, UINT32_MAX);
    record(BIT(17), 0, 17, 0x4000);
    aer_tick();
    assert_int_equal(seen(0x18), 17);
    assert_int_equal(seen(0x1c), 0x4000);
}

/* Masks and severities are a guest's own. What it has not is zero. */
TEST(masks_are_in_the_view_only)
{
    with_aer();
    unsigned writes = m.config_writes;
    for (uint16_t reg = 0x08; reg <= 0x14; reg += 4)
        vpci_write(f, AT + reg, 4, UINT32_MAX);
    assert_int_equal(seen(0x08), 0x07fff030);
    assert_int_equal(seen(0x0c), 0x07fff030);
    assert_int_equal(seen(0x10), 0);
    assert_int_equal(seen(0x14), 0x0000f1c1);
    vpci_write(f, AT + 0x08, 4, 0);
    assert_int_equal(seen(0x08), 0);
    assert_int_equal(m.config_writes, writes);
    record(BIT(4), 0, 4, 0); /* by its severity in the hardware */
    aer_tick();
    assert_string_equal(last, "vm=a 00:04.0 fatal error: data link protocol "
                              "tlp=00000000,00000001,00000002,00000003");
}

/* One round: a tick looks at one of them. */
static void each_once(void)
{
    for (size_t n = 0; n < pci_count(); n++) {
        unsigned before = lines;
        aer_tick();
        assert_true(lines - before <= 1);
    }
}

/* What no VM has is logged without one, and so is what was not shown.
 */
TEST(functions_in_turn)
{
    with_aer();
    struct pci_function *without = model_more(BDF(0, 5, 0)), *free = model_more(BDF(0, 6, 0));
    capability(m.more[1].config);
    pci_caps_read(free);
    assert_int_equal(without->ext_aer, 0);
    assert_int_equal(free->ext_aer, AT);
    for (unsigned round = 0; round < 3; round++) {
        lines = 0;
        record(0, BIT(14), 0, 0);
        set32(m.more[1].config, AT + 0x10, BIT(15));
        each_once();
        assert_int_equal(lines, 2);
        assert_int_equal(hardware(0x10) | pci_read32(free->bdf, AT + 0x10), 0);
    }
    set32(m.more[1].config, AT + 0x04, BIT(22));
    each_once();
    assert_string_equal(last, "00:06.0 fatal error: internal error");
    assert_ptr_not_equal(budget, &f->of->error_budget);
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    record(0, BIT(13), 0, 0);
    each_once();
    assert_string_equal(last, "00:04.0 corrected error: advisory non-fatal");
    struct device_config c = m.vm.config.devices[0];
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    f = m.vm.pci->functions[1];
}

/* A machine without AER, and one whose function is gone, or says what cannot be. */
TEST(nothing_to_tell)
{
    aer_tick();
    with_aer();
    uint32_t is = hardware(0x0c);
    memset(m.config + AT + 4, 0xff, PCI_AER_SIZE - 4);
    aer_tick();
    assert_int_equal(lines, 0);
    assert_int_equal(seen(0x04) | seen(0x10) | seen(0x1c), 0);
    assert_int_equal(seen(0x0c), is);
    set32(m.config, AT + 0x04, 0xf8000fcf);
    set32(m.config, AT + 0x10, 0xffff0e3e);
    aer_tick();
    assert_int_equal(lines, 0);
}

/* Every bit has a name. */
TEST(names)
{
    struct pci_errors all = {.uncorrected = LO32(PCI_AER_UNCORRECTED_BITS),
                             .corrected = LO32(PCI_AER_CORRECTED_BITS),
                             .control = 31};
    struct text t = pci_errors_words(&all);
    assert_null(strstr(t.at, "(null)"));
    unsigned commas = 0;
    for (const char *c = t.at; *c; c++)
        commas += *c == ',';
    assert_int_equal(commas, 17 - 1 + 8 - 1);
    assert_null(strstr(t.at, "tlp="));
}

/* Its registers are sticky: the guest's reset of the function leaves them, that of the VM does
 * not. */
TEST(over_resets)
{
    with_aer();
    record(BIT(14), 0, 14, 0x5000);
    aer_tick();
    function_reset();
    assert_int_equal(seen(0x04), BIT(14));
    assert_int_equal(seen(0x1c), 0x5000);
    record(BIT(15), 0, 15, 0x6000);
    assert_int_equal(assign_restart_all(&m.vm), 0);
    f = m.vm.pci->functions[1];
    assert_int_equal(seen(0x04) | seen(0x18) | seen(0x1c), 0);
    assert_int_equal(hardware(0x04), 0);
}

/* The device has moved its capability since the scan, or has two. */
TEST(only_where_the_scan_found_it)
{
    again();
    capability(m.config);
    set32(m.config, AT, 0x20020001);
    set32(m.config, 0x200, 0x00020001);
    give();
    assert_int_equal(seen(0), 0x00020001);
    assert_int_equal(vpci_read(f, 0x200, 4), 0);
    struct device_config c = m.vm.config.devices[0];
    assert_int_equal(assign_take_back(&m.vm, m.fn.bdf), 0);
    set32(m.config, 0x100, 0x20010003);
    assert_int_equal(assign_hot(&m.vm, &c), 0);
    f = m.vm.pci->functions[1];
    assert_int_equal(vpci_read(f, 0x100, 4), 0x00010003);
    assert_int_equal(seen(0), 0);
}

/* Registers of a vendor that claim to lie over it show nothing of the hardware's. */
TEST(registers_that_overlap)
{
    for (unsigned after = 0; after < 2; after++) {
        again();
        capability(m.config);
        if (after)
            set32(m.config, AT, 0x12020001);
        else
            set32(m.config, 0x100, 0x12010003);
        set32(m.config, 0x120, (after ? 0 : AT << 20) | 1 << 16 | PCI_EXT_ID_VENDOR);
        set32(m.config, 0x124, 0x10000000);
        give();
        record(BIT(14), 0, 14, 0x7000);
        assert_int_equal(vpci_read(f, 0x128, 4), pci_read32(m.fn.bdf, 0x128));
        assert_int_equal(seen(0x04) | seen(0x18) | seen(0x1c), 0);
        aer_tick();
        assert_int_equal(seen(0x04), BIT(14));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(at_first_there_are_no_errors),
        CASE(an_error_is_told),
        CASE(the_first_packet_stays),
        CASE(masks_are_in_the_view_only),
        CASE(functions_in_turn),
        CASE(nothing_to_tell),
        CASE(names),
        CASE(over_resets),
        CASE(only_where_the_scan_found_it),
        CASE(registers_that_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
