/* SPDX-License-Identifier: MIT */
/*
 * Registers against leaks: what exists, what is #GP, what stands in the trace.
 * From: -      To: lab/bochs/plugin/processor.cc
 */
#include "../processor.h"
#include "harness.h"

using namespace lab;

static bool good; /* of the last access */

static bool is_there(Processors &p, uint32_t index, bool is_write, uint64_t value = 0)
{
    return p.msr(0, index, is_write, value, good);
}

static uint64_t read(Processors &p, unsigned cpu, uint32_t index)
{
    uint64_t value = 0;
    CHECK(p.msr(cpu, index, false, value, good) && good);
    return value;
}

/* Intel "CPUID Enumeration and Architectural MSRs": a register exists if its bit is 1. */
TEST(processor_without_them_is_as_bochs_has_it)
{
    World world;
    Processors p(world, {});
    CHECK(p.cpuid_edx(7, 0, 0x12345) == 0x12345);
    for (uint32_t index : {0x48, 0x49, 0x10a, 0x10b})
        CHECK(!is_there(p, index, true) && !is_there(p, index, false));
    p.step(0, "entry", 1);
    CHECK(world.lines.empty());
}

TEST(processor_capabilities_alone)
{
    World world;
    Processors p(world, {0x21, false});
    CHECK(p.cpuid_edx(7, 0, 4) == (bit(29) | 4));
    CHECK(p.cpuid_edx(7, 1, 0) == 0 && p.cpuid_edx(1, 0, 0) == 0);
    CHECK(read(p, 0, 0x10a) == 0x21);
    CHECK(is_there(p, 0x10a, true) && !good);
    CHECK(!is_there(p, 0x49, true));
}

TEST(processor_commands)
{
    World world;
    Processors p(world, {0, true});
    CHECK(p.cpuid_edx(7, 0, 0) == (bits(29, 26) | bit(31) | bit(10)));
    uint64_t value = 5;
    CHECK(p.msr(1, 0x48, true, value, good) && good);
    CHECK(read(p, 1, 0x48) == 5 && read(p, 0, 0x48) == 0);
    CHECK(is_there(p, 0x48, true, 8) && !good);
    CHECK(is_there(p, 0x49, true, 1) && good);
    CHECK(is_there(p, 0x49, true, 2) && !good);
    CHECK(is_there(p, 0x49, false) && !good);
    CHECK(is_there(p, 0x10b, true, 1) && good);
    p.step(2, "entry", 0x1234);
    CHECK(world.traced("cpu1 spec_ctrl 0x5") == 1 && world.traced("spec_ctrl") == 1);
    CHECK(world.traced("cpu0 pred_cmd 0x1") == 1 && world.traced("cpu0 flush_cmd 0x1") == 1);
    CHECK(world.traced("cpu2 entry 0x1234") == 1);
    p.reset();
    CHECK(read(p, 1, 0x48) == 0);
}
