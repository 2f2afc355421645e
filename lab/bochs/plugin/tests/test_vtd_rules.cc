/* SPDX-License-Identifier: MIT */
/*
 * What software must not do, and what the firmware may leave: one test per rule, the rule above it
 * with the title of its section.
 * From: lab/bochs/plugin/tests/main.cc
 * To: lab/bochs/plugin/vtd_command.cc, vtd_left.cc
 */
#include "../machine.h"
#include "vtd_fixture.h"

using namespace lab;

/* "Global Command Register": "software must serialize the modifications"; reserved bits are 0; a
 * table is set before each enabling. */
TEST(rules_of_the_global_command)
{
    Fixture f;
    f.enable();
    CHECK(!f.traced("violation"));
    f.out(VTD_GCMD, G_TE | G_SRTP | G_SIRTP);
    CHECK(f.traced("violation several commands in one write") == 1);
    f.out(VTD_GCMD, G_TE | 1);
    f.out(VTD_GCMD, G_TE | 1);
    CHECK(f.traced("violation reserved bits in GCMD") == 1);
    f.command(G_TE, false);
    f.command(G_TE);
    CHECK(f.traced("violation TE without SRTP") == 1);
    Fixture g;
    g.command(G_IRE);
    CHECK(g.traced("violation IRE without SIRTP") == 1);
}

/* "Set Root Table Pointer Operation": without ESRTPS "software must not modify the Translation
 * Table Mode while remapping hardware is active" */
TEST(the_mode_changes_while_off)
{
    for (bool implicit : {false, true}) {
        VtdOptions o;
        o.implicit_flush = implicit;
        o.abort_mode = true;
        Fixture f(o);
        f.enable();
        f.out64(VTD_RTADDR, ROOT | 3 << 10);
        f.command(G_SRTP);
        CHECK(f.traced("violation TTM changed") == !implicit);
        f.flush_by_register();
        CHECK(f.fault_of(0, true) == FAULT_ABORT_MODE);
    }
}

/* ... and with ESRTPS, ESIRTPS nothing of the former tables is left in a cache */
TEST(implicit_flushes)
{
    for (bool implicit : {false, true}) {
        VtdOptions o;
        o.implicit_flush = implicit;
        Fixture f(o);
        f.enable();
        CHECK(f.write_to(0x1000));
        f.map(1, 0);
        f.command(G_SRTP);
        CHECK(f.write_to(0x1000) == !implicit);
        CHECK(f.traced("advice") == !implicit);
        CHECK((f.in64(VTD_CAP) >> 62) == (implicit ? 3 : 0));
        f.out64(VTD_IRTA, IRT | 7);
        f.command(G_SIRTP);
        f.command(G_IRE);
        f.set64(IRT, 0x330001);
        CHECK(f.unit.interrupt(SID, 0xfee00010, 0));
        f.set64(IRT, 0);
        f.command(G_SIRTP);
        CHECK(f.unit.interrupt(SID, 0xfee00010, 0) == !implicit);
    }
}

/* "Interrupt Remapping Table Address Register": "Software must not modify [EIME] while Interrupt
 * remapping is active" */
TEST(eime_changes_while_off)
{
    Fixture f;
    f.queue_enable();
    f.out64(VTD_IRTA, IRT | 7);
    f.command(G_SIRTP);
    f.out64(VTD_IRTA, IRT | 8 | IRTA_EIME); /* not yet on */
    f.command(G_SIRTP);
    f.command(G_IRE);
    f.out64(VTD_IRTA, IRT | 7 | IRTA_EIME);
    CHECK(!f.traced("violation"));
    f.out64(VTD_IRTA, IRT | 7);
    CHECK(f.traced("violation EIME changed while IRES=1") == 1);
    CHECK(f.in64(VTD_IRTA) == (IRT | 7 | IRTA_EIME));
    f.command(G_IRE, false);
    f.out64(VTD_IRTA, IRT | 7);
    CHECK(f.in64(VTD_IRTA) == (IRT | 7));
}

/* "Interrupt-Remapping Hardware Operation": EIMER, IRREQ */
TEST(remapping_may_be_required)
{
    VtdOptions o;
    o.x2apic_required = o.remap_required = true;
    Fixture f(o);
    CHECK((f.in64(VTD_ECAP) >> 61 & 3) == 3);
    CHECK(!f.unit.interrupt(SID, 0xfee00000, 0x33) && f.messages.empty());
    CHECK(f.reason() == FAULT_IR_DISABLED);
    f.clear_log();
    f.queue_enable();
    f.out64(VTD_IRTA, IRT | 7);
    f.command(G_SIRTP);
    f.command(G_IRE);
    CHECK(!f.unit.interrupt(SID, 0xfee00010, 0));
    CHECK(f.reason(f.in(VTD_FSTS) >> 8 & 0xff) == FAULT_IR_EIME);
}

/* "Context-Entry Programming Considerations": no domain-id 0 "on implementations reporting CM=1" */
TEST(domain_0_is_reserved_in_caching_mode)
{
    for (bool cm : {false, true}) {
        VtdOptions o;
        o.caching_mode = cm;
        Fixture f(o);
        f.enable();
        f.context(L4 | 1, 2);
        f.write_to(0);
        CHECK(f.traced("violation domain-id 0 with CM=1") == cm);
    }
}

/* "Queued Invalidation Interface": how the queue is enabled, disabled, and the only way while on */
TEST(rules_of_the_queue)
{
    Fixture f;
    f.enable();
    f.out64(VTD_IQT, 0x20);
    f.out64(VTD_IQA, QUEUE);
    f.command(G_QIE);
    CHECK(f.traced("violation QIE while the tail is not 0") == 1);
    Fixture g;
    g.enable();
    g.queue_enable();
    g.submit(0, 0); /* refused: the head stays */
    g.out64(VTD_IQA, QUEUE);
    CHECK(g.traced("violation IQA changed while the queue is not empty") == 1);
    g.flush_by_register();
    CHECK(g.traced("violation invalidation by register while QIES=1") == 1);
    g.command(G_QIE, false);
    CHECK(g.traced("violation queue disabled while not empty") == 1);
}

/* "Hardware Register Programming Considerations": a command register is the unit's until done */
TEST(a_pending_command_is_left_alone)
{
    VtdOptions o;
    o.slow = 100;
    Fixture f(o);
    f.out64(VTD_CCMD, bit(63) | bit(61));
    f.out64(VTD_CCMD, bit(63) | bit(61));
    CHECK(f.traced("violation CCMD written while ICC=1") == 1);
    f.out64(VTD_IOTLB, bit(63) | bit(60));
    f.out64(VTD_IOTLB, bit(63) | bit(60));
    CHECK(f.traced("violation IOTLB written while IVT=1") == 1);
    f.clock += 100;
    CHECK(!(f.in64(VTD_CCMD) >> 63) && !(f.in64(VTD_IOTLB) >> 63));
}

/* "Version Register": from 6 on there is no register-based invalidation */
TEST(new_units_have_the_queue_only)
{
    VtdOptions o;
    o.version = 6;
    Fixture f(o);
    f.out64(VTD_CCMD, bit(63) | bit(61));
    CHECK(f.traced("flush context refused") && field(f.in64(VTD_CCMD), 60, 59) == 0);
    CHECK(f.in(VTD_VER) == 0x60);
}

namespace
{
struct Protected : Fixture {
    static VtdOptions with()
    {
        VtdOptions o;
        o.protected_memory = true;
        return o;
    }
    explicit Protected(const VtdOptions &o = with()) : Fixture(o)
    {
        out(VTD_PLMBASE, ~0u);
        out(VTD_PLMLIMIT, ~0u);
        CHECK(in(VTD_PLMBASE) == 0xffe00000 && in(VTD_PLMLIMIT) == 0xffe00000);
        out(VTD_PLMBASE, 0x200000);
        out(VTD_PLMLIMIT, 0x200000); /* the same: one grain */
        out64(VTD_PHMBASE, 0x600000);
        out64(VTD_PHMLIMIT, 0x400000); /* below the base: none */
    }
    void protect() { out(VTD_PMEN, PMEN_EPM); }
};
} /* namespace */

/* "Protected Memory Enable Register": translated or not, blocked and not reported */
TEST(protected_memory)
{
    Protected f;
    CHECK(f.write_to(0x200000));
    f.protect();
    CHECK(f.in(VTD_PMEN) == (PMEN_EPM | PMEN_PRS));
    CHECK(!f.write_to(0x200000) && !f.read_from(0x3ffffc));
    CHECK(f.write_to(0x1ffffc) && f.write_to(0x400000) && f.write_to(0x600000));
    f.enable();
    f.map(1, 0x300000 | 3);
    CHECK(!f.write_to(0x1000) && f.in(VTD_FSTS) == 0);
    f.out(VTD_PMEN, 0);
    CHECK(f.in(VTD_PMEN) == 0 && f.write_to(0x1000));
    CHECK(!f.traced("violation"));
    Fixture none;
    none.out(VTD_PMEN, PMEN_EPM);
    CHECK(none.in(VTD_PMEN) == 0 && !(none.in64(VTD_CAP) & bits(6, 5)));
}

/* "Software must not modify this register when protected memory regions are enabled" */
TEST(protected_regions_stay_while_on)
{
    Protected f;
    f.protect();
    f.out(VTD_PLMLIMIT, 0);
    f.out64(VTD_PHMBASE, 0);
    CHECK(f.traced("violation a protected region changed while PRS=1") == 1);
    CHECK(f.in(VTD_PLMLIMIT) == 0x200000 && f.in64(VTD_PHMBASE) == 0x600000);
    CHECK(!f.write_to(0x200000));
}

/* "Software must not program protected memory regions to overlap with a region designated as
 * MMIO" */
TEST(protected_regions_are_memory)
{
    Protected f;
    f.out(VTD_PLMLIMIT, ~0u);
    f.protect();
    CHECK(f.traced("violation a protected region overlaps MMIO") == 1);
}

/* "software must wait for the operation to be completed and reflected in the PRS status field" */
TEST(protection_takes_time)
{
    VtdOptions o = Protected::with();
    o.slow = 100;
    o.hold = 1000;
    Protected f(o);
    CHECK(f.write_to(0x200000, 7));
    f.protect();
    CHECK(f.in(VTD_PMEN) == PMEN_EPM && f.get64(0x200000) == 0);
    f.out(VTD_PMEN, PMEN_EPM);
    CHECK(f.traced("violation PMEN written before PRS has followed") == 1);
    f.clock += 100;
    CHECK(f.in(VTD_PMEN) == (PMEN_EPM | PMEN_PRS));
    CHECK(f.get64(0x200000) == 7); /* what was on its way has arrived */
    CHECK(!f.write_to(0x200000));
}

/* A firmware that used the unit: all is open, and in the caches, until they are flushed. */
TEST(left_on_by_firmware)
{
    Fixture f;
    f.unit.left_on(LEFT_TE | LEFT_IR | LEFT_QI, 0x700000);
    CHECK((f.in(VTD_GSTS) & (G_TE | G_IRE | G_QIE)) == (G_TE | G_IRE | G_QIE));
    CHECK(f.in64(VTD_IQH) == f.in64(VTD_IQT) && f.in64(VTD_IQH));
    CHECK(f.write_to(0x345000, 5) && f.get64(0x345000) == 5 && f.write_to(0x400000));
    CHECK(f.unit.interrupt(SID, 0xfee00010, 0) && f.messages.back().vector == 0x7f);
    CHECK(!f.traced("stale") && !f.traced("violation"));
    f.out64(VTD_RTADDR, ROOT); /* an empty one, and no flush */
    f.command(G_SRTP);
    CHECK(f.write_to(0x345000, 6) && f.traced("iotlb stale"));
    Fixture g;
    LabOptions o;
    std::string error;
    CHECK(options_parse("left=te+pmr", o, error) && o.left == (LEFT_TE | LEFT_PMR));
    CHECK(o.unit.protected_memory);
    CHECK(!options_parse("left=te+what", o, error));
}
