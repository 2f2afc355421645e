/* SPDX-License-Identifier: MIT */
// sources: tests/unit/pci_model.c pci/config.c pci/functions.c lib/text.c pci/scan.c pci/bar.c
// sources: pci/caps.c pci/msi.c pci/reset.c pci/requester.c pci/objection.c pci/sriov.c pci/room.c
// sources: pci/quirks.c
/*
 * Resets: the right kind, what is kept, and that every wait ends.
 * Spec: PCI Express Base "Function Level Reset (FLR)"; PCI-to-PCI Bridge "Bridge Control Register".
 */
#include "arch/task.h"
#include "tests/unit/pci_model.h"
#include "tests/unit/test.h"
#include <string.h>

static struct model_function *m, *bridge, *neighbour;
static enum pci_reset_kind used;
static unsigned resets, silence_us;
static bool d3hot_does_nothing;

enum { AT_LTR = 0x200, AT_VC = 0x240, AT_REBAR = 0x210, REBAR = 1 << 5 | 2 }; /* one, BAR 2 */

/* Everything that a reset takes away. */
static void lose_state(struct model_function *f)
{
    resets++;
    model_set(f, PCI_COMMAND, 2, 0);
    for (unsigned i = 0; i < PCI_BAR_COUNT; i++)
        model_set(f, PCI_BAR(i), 4, model_get(f, PCI_BAR(i), 4) & 0xf);
    model_set(f, PCI_ROM, 4, 0);
    f->config[PCI_CACHE_LINE_SIZE] = f->config[PCI_LATENCY_TIMER] = 0;
    f->config[PCI_INTERRUPT_LINE] = 0;
    model_set(f, 0x100 + PCI_ACS_CONTROL, 2, 0);
    model_set(f, 0x40 + PCIE_LINK_CONTROL, 2, 0);
    model_set(f, AT_LTR + PCI_LTR_MAX, 4, 0);
    model_set(f, AT_VC + PCI_VC_PORT_CONTROL, 2, 0);
    for (unsigned i = 0; i < PCI_VC_MAX; i++)
        model_set(f, AT_VC + PCI_VC_CONTROL(i), 4, i ? 0 : 0x800000ff);
    model_set(f, AT_REBAR + PCI_REBAR_CONTROL(0), 2, REBAR | 8 << 8); /* 256 MiB */
    f->silent_us = silence_us;
}

static void on_write(struct model_function *f, uint16_t reg, uint32_t v)
{
    if (reg == 0x40 + PCIE_DEVICE_CONTROL && (v & PCIE_DEVICE_FLR)) {
        /* "software must ensure that the function has no outstanding requests" */
        assert_false(model_get(f, PCI_COMMAND, 2) & PCI_COMMAND_MASTER);
        model_set(f, reg, 2, 0);
        lose_state(f);
    }
    if (reg == 0x60 + PCI_AF_CONTROL && (v & PCI_AF_FLR))
        lose_state(f);
    if (reg == 0x70 + PCI_PM_CONTROL && (v & PCI_PM_STATE) == PCI_PM_D3HOT && !d3hot_does_nothing)
        lose_state(f);
}

static void bridge_on_write(struct model_function *f, uint16_t reg, uint32_t v)
{
    (void)f;
    if (reg == PCI_BRIDGE_CONTROL && (v & PCI_BRIDGE_BUS_RESET)) {
        lose_state(m);
        if (neighbour)
            lose_state(neighbour);
    }
}

static struct model_function *endpoint(bdf_t bdf)
{
    struct model_function *f = model_add(bdf, 0x1234, 1, 0xff0000);
    model_bar(f, PCI_BAR(0), 0xfff00000, 0, 0xfea00000 + (BDF_FN(bdf) << 20));
    model_bar(f, PCI_BAR(2), 0xfffffffffff00000, 0xc, UINT64_C(0x1800000000) + (bdf << 20));
    model_bar(f, PCI_ROM, 0xffff0001, 0, 0xfe000000 + (BDF_FN(bdf) << 16));
    model_set(f, PCI_COMMAND, 2, PCI_COMMAND_MEM | PCI_COMMAND_MASTER);
    model_writable(f, PCI_CACHE_LINE_SIZE, 2, 0xffff);
    model_writable(f, PCI_INTERRUPT_LINE, 1, 0xff);
    f->config[PCI_CACHE_LINE_SIZE] = 16;
    f->config[PCI_LATENCY_TIMER] = 32;
    f->config[PCI_INTERRUPT_LINE] = 11;
    f->on_write = on_write;
    return f;
}

/* 01:00.0 behind the root port 00:01.0. */
FIXTURE(behind_a_port)
{
    model_start(true);
    bridge = model_add(BDF(0, 1, 0), 0x8086, 1, 0x060400);
    model_bridge(bridge, 1, 1);
    model_pcie(bridge, 0x40, PCIE_ROOT_PORT);
    bridge->on_write = bridge_on_write;
    m = endpoint(BDF(1, 0, 0));
    neighbour = NULL;
    resets = 0;
    silence_us = 20000;
    d3hot_does_nothing = false;
    return 0;
}

static void with_flr(struct model_function *f)
{
    model_pcie(f, 0x40, PCIE_ENDPOINT);
    model_set(f, 0x44, 4, PCIE_DEVICE_CAP_FLR);
    model_set(f, 0x48, 2, 0x2810);
    model_writable(f, 0x48, 2, 0xffff);
}

static struct pci_function *scanned(void)
{
    pci_scan();
    return pci_find(m->bdf);
}

static void reset_works(enum pci_reset_kind kind)
{
    struct pci_function *f = scanned();
    struct model_function before = *m;
    assert_int_equal(pci_reset_best(f), kind);
    assert_int_equal(pci_reset(f, &used), 0);
    assert_int_equal(used, kind);
    assert_int_equal(resets, 1);
    assert_memory_equal(before.config + 0x08, m->config + 0x08, 0x40 - 0x08); /* BARs and all */
    /* Memory decode as before, bus mastering and INTx off. */
    assert_int_equal(model_get(m, PCI_COMMAND, 2), PCI_COMMAND_MEM | PCI_COMMAND_INTX_OFF);
    assert_true(model_delay_us() < 500000);
}

TEST(flr)
{
    with_flr(m);
    reset_works(PCI_RESET_FLR);
    assert_int_equal(model_get(m, 0x48, 2), 0x2010); /* as before, without Enable No Snoop */
    assert_true(model_delay_us() >= 100000);
    assert_true(model_logged("01:00.0 1234:0001") && model_logged("flr=yes"));
}

/* The caller waits, and no other wait of that length follows. */
TEST(flr_in_two_parts)
{
    with_flr(m);
    struct pci_function *f = scanned();
    struct model_function before = *m;
    assert_int_equal(pci_reset_begin(f), 100000);
    assert_int_equal(resets, 1);
    assert_int_equal(model_delay_us(), 0);
    task_delay_us(100000);
    assert_int_equal(pci_reset(f, &used), 0);
    assert_int_equal(used, PCI_RESET_FLR);
    assert_int_equal(resets, 1);
    assert_memory_equal(before.config + 0x08, m->config + 0x08, 0x40 - 0x08);
    assert_int_equal(model_get(m, 0x48, 2), 0x2010);
    uint64_t waited = model_delay_us();
    assert_true(waited < 200000);
    assert_int_equal(pci_reset(f, &used), 0);
    assert_int_equal(resets, 2);
    assert_true(model_delay_us() >= waited + 100000);
}

TEST(no_other_reset_has_two_parts)
{
    model_cap(m, 0x70, PCI_CAP_ID_PM);
    assert_int_equal(pci_reset_begin(scanned()), 0);
    model_set(m, PCI_COMMAND, 4, UINT32_MAX); /* it is gone */
    assert_int_equal(pci_reset_begin(pci_find(m->bdf)), 0);
    assert_int_equal(resets, 0);
}

/* PCI Express "Access Control Services (ACS)": off after a reset, and then functions of one device
 * would reach each other without VT-d. */
TEST(what_keeps_functions_apart_is_on_again)
{
    with_flr(m);
    model_ext_cap(m, 0x100, PCI_EXT_ID_ACS, 0);
    model_set(m, 0x100 + PCI_ACS_CAPABILITY, 2, PCI_ACS_REDIRECT_REQ | PCI_ACS_REDIRECT_CPL);
    model_writable(m, 0x100 + PCI_ACS_CONTROL, 2, 0xff);
    reset_works(PCI_RESET_FLR);
    assert_int_equal(model_get(m, 0x100 + PCI_ACS_CONTROL, 2),
                     PCI_ACS_REDIRECT_REQ | PCI_ACS_REDIRECT_CPL);
}

TEST(af_flr)
{
    model_cap(m, 0x60, PCI_CAP_ID_AF);
    m->config[0x60 + PCI_AF_CAPABILITIES] = PCI_AF_CAP_TP | PCI_AF_CAP_FLR;
    reset_works(PCI_RESET_AF_FLR);
    assert_true(model_delay_us() >= 100000);
}

TEST(d3hot)
{
    model_cap(m, 0x70, PCI_CAP_ID_PM);
    silence_us = 5000;
    reset_works(PCI_RESET_D3HOT);
    assert_true(model_delay_us() >= 20000);
}

TEST(d3hot_that_keeps_the_state_is_no_reset)
{
    model_cap(m, 0x70, PCI_CAP_ID_PM);
    model_set(m, 0x70 + PCI_PM_CONTROL, 2, PCI_PM_NO_SOFT_RESET);
    reset_works(PCI_RESET_BUS);
}

/* QEMU's e1000e: No_Soft_Reset says that D3hot resets, and it does not. */
TEST(d3hot_that_lies_is_followed_by_the_next_kind)
{
    struct pci_function *f;
    model_cap(m, 0x70, PCI_CAP_ID_PM);
    d3hot_does_nothing = true;
    f = scanned();
    assert_int_equal(pci_reset(f, &used), 0);
    assert_int_equal(used, PCI_RESET_BUS);
    assert_int_equal(resets, 1);
    assert_int_equal(model_get(m, PCI_COMMAND, 2), PCI_COMMAND_MEM | PCI_COMMAND_INTX_OFF);
    assert_true(model_logged("01:00.0 kept its state over reset=d3hot"));

    model_bar(m, PCI_BAR(0), 0xfff00000, 0, 0); /* its one BAR, at a multiple of 4 GiB */
    model_bar(m, PCI_BAR(2), 0xfffffffffff00000, 0xc, UINT64_C(0x1800000000));
    f = scanned();
    assert_int_equal(pci_reset(f, &used), 0);
    assert_int_equal(used, PCI_RESET_BUS);

    model_start(true);
    m = endpoint(BDF(0, 4, 0)); /* and there is no next one */
    model_cap(m, 0x70, PCI_CAP_ID_PM);
    assert_int_equal(pci_reset(scanned(), &used), -ENODEV);
    assert_int_equal(used, PCI_RESET_NONE);
}

/* PCI Bus Power Management "Power Management State Transition Requirements": nothing is written to
 * it within 10 ms after it was woken. */
static uint64_t woken_at, restored_at;
static void sleeper_on_write(struct model_function *f, uint16_t reg, uint32_t v)
{
    if (reg == 0x70 + PCI_PM_CONTROL && (v & PCI_PM_STATE) == PCI_PM_D0)
        woken_at = model_delay_us();
    if (reg == PCI_BAR(0) && v != UINT32_MAX && v != 0)
        restored_at = model_delay_us();
    on_write(f, reg, v);
}

TEST(a_function_that_slept_is_awake_before_it_is_restored)
{
    with_flr(m);
    model_cap(m, 0x70, PCI_CAP_ID_PM);
    model_writable(m, 0x70 + PCI_PM_CONTROL, 2, PCI_PM_STATE);
    struct pci_function *f = scanned();
    m->on_write = sleeper_on_write;
    model_set(m, 0x70 + PCI_PM_CONTROL, 2, PCI_PM_D3HOT);
    assert_int_equal(pci_reset(f, &used), 0);
    assert_int_equal(model_get(m, 0x70 + PCI_PM_CONTROL, 2) & PCI_PM_STATE, PCI_PM_D0);
    assert_true(restored_at >= woken_at + 10000);
}

/* PCI Express Base "Resizable BAR Extended Capability", "Latency Tolerance Reporting (LTR) Extended
 * Capability": what firmware has tuned, and the reset forgets. */
TEST(sizes_latencies_and_the_link_are_restored)
{
    model_ext_cap(m, 0x100, PCI_EXT_ID_ACS, AT_LTR);
    model_ext_cap(m, AT_LTR, PCI_EXT_ID_LTR, AT_REBAR);
    model_ext_cap(m, AT_REBAR, PCI_EXT_ID_REBAR, 0);
    model_bar(m, PCI_BAR(2), -(UINT64_C(1) << 30), 0xc, UINT64_C(0x1800000000)); /* 1 GiB */
    model_writable(m, AT_LTR + PCI_LTR_MAX, 4, 0xffffffff);
    model_writable(m, AT_REBAR + PCI_REBAR_CONTROL(0), 2, 0x3f00);
    model_writable(m, 0x40 + PCIE_LINK_CONTROL, 2, 0x43);
    model_set(m, AT_LTR + PCI_LTR_MAX, 4, 0x10031003);
    model_set(m, AT_REBAR + PCI_REBAR_CONTROL(0), 2, REBAR | 10 << 8);
    model_set(m, 0x40 + PCIE_LINK_CONTROL, 2, 0x42);
    with_flr(m);
    struct pci_function *f = scanned();
    assert_true(f->ext_ltr == AT_LTR && f->ext_rebar == AT_REBAR);
    assert_int_equal(pci_reset(f, &used), 0);
    assert_int_equal(resets, 1);
    assert_int_equal(model_get(m, AT_LTR + PCI_LTR_MAX, 4), 0x10031003);
    assert_int_equal(model_get(m, AT_REBAR + PCI_REBAR_CONTROL(0), 2), REBAR | 10 << 8);
    assert_int_equal(model_get(m, 0x40 + PCIE_LINK_CONTROL, 2), 0x42);
}

static uint32_t vc_written; /* to channel 1 before */
static void vc_on_write(struct model_function *f, uint16_t reg, uint32_t v)
{
    on_write(f, reg, v);
    if (reg != AT_VC + PCI_VC_CONTROL(1))
        return;
    if (v & PCI_VC_ENABLE)
        assert_int_equal(v & 0xff, vc_written & 0xff);
    vc_written = v;
}

/* Of each channel that there is, by either id of the capability, and not of what lies behind. */
TEST(virtual_channels_are_kept)
{
    for (unsigned channels = 1; channels <= PCI_VC_MAX; channels += 7) {
        behind_a_port(NULL);
        with_flr(m);
        m->on_write = vc_on_write;
        model_ext_cap(m, 0x100, 0xb, AT_VC);
        model_ext_cap(m, AT_VC, channels == 1 ? PCI_EXT_ID_VC : PCI_EXT_ID_VC_BESIDE_MFVC, 0);
        model_set(m, AT_VC + PCI_VC_PORT, 4, channels - 1);
        model_set(m, AT_VC + PCI_VC_PORT_CONTROL, 2, 4);
        model_writable(m, AT_VC + PCI_VC_PORT_CONTROL, 2, 0xe);
        for (unsigned i = 0; i < PCI_VC_MAX; i++) {
            model_set(m, AT_VC + PCI_VC_CONTROL(i), 4, 0x80000000 | i << 24 | 1u << i);
            model_writable(m, AT_VC + PCI_VC_CONTROL(i), 4, UINT32_MAX);
        }
        vc_written = 0;
        reset_works(PCI_RESET_FLR);
        assert_int_equal(model_get(m, AT_VC + PCI_VC_PORT_CONTROL, 2), 4);
        for (unsigned i = 0; i < PCI_VC_MAX; i++)
            assert_int_equal(model_get(m, AT_VC + PCI_VC_CONTROL(i), 4),
                             i < channels ? 0x80000000 | i << 24 | 1u << i : 0);
    }
}

/* What a function called from here finds in its uninitialized variables. */
static __attribute__((noinline)) void fill_stack(void)
{
    volatile uint8_t below[16384];
    for (size_t i = 0; i < sizeof(below); i++)
        below[i] = 0xa5;
}

static void grow_on_write(struct model_function *f, uint16_t reg, uint32_t v)
{
    on_write(f, reg, v);
    if (resets) {
        model_set(f, AT_VC + PCI_VC_PORT, 4, PCI_VC_MAX - 1);
        model_set(f, 0x40 + PCIE_CAPABILITIES, 2, 2);
    }
}

/* After its reset the device claims registers that it had not before: it does not get memory of
 * Hamlet in them. */
TEST(a_device_that_grows_is_told_nothing)
{
    with_flr(m);
    m->on_write = grow_on_write;
    model_set(m, 0x40 + PCIE_CAPABILITIES, 2, 1);
    model_writable(m, 0x40 + PCIE_DEVICE_CONTROL2, 2, 0xffff);
    model_ext_cap(m, 0x100, 0xb, AT_VC);
    model_ext_cap(m, AT_VC, PCI_EXT_ID_VC, 0);
    for (unsigned i = 0; i < PCI_VC_MAX; i++)
        model_writable(m, AT_VC + PCI_VC_CONTROL(i), 4, UINT32_MAX);
    struct pci_function *f = scanned();
    fill_stack();
    assert_int_equal(pci_reset(f, &used), 0);
    assert_int_equal(model_get(m, 0x40 + PCIE_DEVICE_CONTROL2, 2), 0);
    for (unsigned i = 1; i < PCI_VC_MAX; i++)
        assert_int_equal(model_get(m, AT_VC + PCI_VC_CONTROL(i), 4), 0);
}

TEST(bus_reset)
{
    reset_works(PCI_RESET_BUS);
    assert_int_equal(model_get(bridge, PCI_BRIDGE_CONTROL, 2), 0);
}

TEST(a_bus_reset_spares_others)
{
    int me, you;
    m->config[PCI_HEADER_TYPE] = PCI_HEADER_MULTI;
    neighbour = endpoint(BDF(1, 0, 1));
    struct pci_function *f = scanned(), *g = pci_find(neighbour->bdf);
    assert_int_equal(pci_reset_best(f), PCI_RESET_NONE);
    f->owner = &me;
    g->owner = &you;
    assert_int_equal(pci_reset(f, &used), -ENODEV);
    assert_int_equal(used, PCI_RESET_NONE);
    assert_int_equal(resets, 0);
    assert_string_equal(pci_not_assignable(f), "its group has another owner");

    g->owner = &me; /* both of one owner: reset and restored together */
    struct model_function before = *neighbour;
    assert_int_equal(pci_reset(f, &used), 0);
    assert_int_equal(resets, 2);
    assert_memory_equal(before.config + 0x08, neighbour->config + 0x08, 0x40 - 0x08);
    assert_null(pci_not_assignable(f));

    g->spared = true; /* he is using it: its state is not ours to take */
    assert_int_equal(pci_reset(f, &used), -ENODEV);
    assert_int_equal(resets, 2);
}

TEST(nothing_to_reset_with)
{
    model_start(true);
    m = endpoint(BDF(0, 4, 0));
    struct pci_function *f = scanned();
    assert_int_equal(pci_reset(f, &used), -ENODEV);
    assert_string_equal(pci_not_assignable(f), "there is no way to reset it");
    assert_string_equal(pci_reset_name(PCI_RESET_NONE), "none");
}

TEST(a_device_that_stays_silent)
{
    with_flr(m);
    silence_us = UINT32_MAX;
    struct pci_function *f = scanned();
    unsigned pauses = model_pauses();
    assert_int_equal(pci_reset(f, &used), -ETIMEDOUT);
    assert_true(model_pauses() > pauses); /* others run meanwhile */
    assert_true(model_logged("01:00.0 did not come back from reset=flr"));
    assert_true(model_delay_us() < 1000000);
}

TEST(a_device_that_is_gone)
{
    with_flr(m);
    struct pci_function *f = scanned();
    m->gone = true;
    assert_int_equal(pci_reset(f, &used), -ENODEV);
    assert_int_equal(resets, 0);
    assert_int_equal(pci_drain(f), -ETIMEDOUT);
}

TEST(pending_transactions)
{
    with_flr(m);
    struct pci_function *f = scanned();
    assert_int_equal(pci_drain(f), 0);
    model_set(m, 0x4a, 2, PCIE_DEVICE_PENDING);
    unsigned pauses = model_pauses();
    assert_int_equal(pci_drain(f), -ETIMEDOUT);
    assert_true(model_pauses() > pauses);
    assert_int_equal(pci_reset(f, &used), 0); /* what else could be done */
    assert_true(model_logged("transactions pending"));
}

TEST(a_guest_cannot_move_the_bars_kept)
{
    with_flr(m);
    struct pci_function *f = scanned();
    model_set(m, PCI_BAR(0), 4, 0x00100000); /* over RAM */
    assert_int_equal(pci_reset(f, &used), 0);
    assert_int_equal(model_get(m, PCI_BAR(0), 4), 0xfea00000);
}

/* A function that does not answer yet reads as all-ones: written back, that would be the bus
 * mastering of a device that was reset a moment before. */
TEST(all_ones_are_not_written_back)
{
    struct pci_function *f = scanned();
    model_writable(m, PCI_COMMAND, 2, 0xffff);
    model_set(m, PCI_COMMAND, 2, 0xffff);
    assert_int_equal(pci_command(f->bdf, 0, PCI_COMMAND_INTX_OFF), 0xffff);
    assert_int_equal(model_get(m, PCI_COMMAND, 2), 0xffff);
    model_set(m, PCI_COMMAND, 2, 7);
    assert_int_equal(pci_command(f->bdf, PCI_COMMAND_INTX_OFF, PCI_COMMAND_MASTER), 7);
    assert_int_equal(model_get(m, PCI_COMMAND, 2), PCI_COMMAND_INTX_OFF | 3);
}

#define CASE(name) cmocka_unit_test_setup(name, behind_a_port)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(flr),
        CASE(flr_in_two_parts),
        CASE(no_other_reset_has_two_parts),
        CASE(what_keeps_functions_apart_is_on_again),
        CASE(af_flr),
        CASE(d3hot),
        CASE(d3hot_that_keeps_the_state_is_no_reset),
        CASE(d3hot_that_lies_is_followed_by_the_next_kind),
        CASE(sizes_latencies_and_the_link_are_restored),
        CASE(a_function_that_slept_is_awake_before_it_is_restored),
        CASE(virtual_channels_are_kept),
        CASE(a_device_that_grows_is_told_nothing),
        CASE(bus_reset),
        CASE(a_bus_reset_spares_others),
        CASE(nothing_to_reset_with),
        CASE(a_device_that_stays_silent),
        CASE(a_device_that_is_gone),
        CASE(pending_transactions),
        CASE(a_guest_cannot_move_the_bars_kept),
        CASE(all_ones_are_not_written_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
