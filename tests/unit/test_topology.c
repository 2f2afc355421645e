/* SPDX-License-Identifier: MIT */
/*
 * Cores and sockets by the leaves of machines as there are: two sockets, hybrids, gaps in the APIC
 * ids, dies, a first level that is none of threads, no leaf at all, and one without end.
 * Spec: SDM "CPUID-CPU Identification", leaves 0BH and 1FH.
 */
#include "arch/x86.h"
#include "tests/unit/test.h"

static struct cpuid_regs model_cpuid(uint32_t leaf, uint32_t subleaf);
#define cpuid(leaf, subleaf) model_cpuid(leaf, subleaf)
#include "arch/topology.c"

struct level {
    unsigned type, shift;
};
#define THREAD 1
#define CORE   2
#define MODULE 3
#define TILE   4
#define DIE    5

static struct {
    uint32_t highest;
    struct level b[8], f[8]; /* leaves 0BH and 1FH; behind the last: type 0 */
} cpu;

static struct cpuid_regs model_cpuid(uint32_t leaf, uint32_t subleaf)
{
    if (leaf == 0)
        return (struct cpuid_regs){.eax = cpu.highest};
    assert_true(leaf <= cpu.highest && (leaf == 0xb || leaf == 0x1f) && subleaf < 8);
    struct level l = leaf == 0xb ? cpu.b[subleaf] : cpu.f[subleaf];
    /* bits 31:5 of EAX are reserved */
    return (struct cpuid_regs){.eax = 0xffffffe0 | l.shift, .ecx = l.type << 8 | subleaf};
}

static void assert_place(uint32_t id, uint32_t core, uint32_t socket)
{
    assert_int_equal(topology_core(id), core);
    assert_int_equal(topology_socket(id), socket);
}

/* Two Xeons of 2012, eight cores each with two threads: the ids of a socket begin at 32. */
TEST(two_sockets)
{
    cpu = (typeof(cpu)){.highest = 0xd, .b = {{THREAD, 1}, {CORE, 5}}};
    assert_place(0, 0, 0);
    assert_place(1, 0, 0);
    assert_place(15, 7, 0);
    assert_place(32, 16, 1);
    assert_place(47, 23, 1);
}

/* A desktop of 2021: cores with two threads each, then atoms with one each, whose ids leave out
 * every second one. Both kinds have the same shifts. */
TEST(a_hybrid)
{
    cpu = (typeof(cpu)){
        .highest = 0x20, .b = {{THREAD, 1}, {CORE, 7}}, .f = {{THREAD, 1}, {CORE, 7}}};
    assert_place(8, 4, 0);
    assert_place(9, 4, 0);
    assert_place(72, 36, 0);
    assert_place(74, 37, 0);
}

/* A server whose cores were switched off in part: the ids have gaps; and dies in a socket, of which
 * leaf 0BH knows nothing. */
TEST(gaps_and_dies)
{
    cpu = (typeof(cpu)){.highest = 0x1f,
                        .b = {{THREAD, 1}, {CORE, 7}},
                        .f = {{THREAD, 1}, {CORE, 6}, {MODULE, 6}, {TILE, 6}, {DIE, 7}}};
    assert_place(3, 1, 0);
    assert_place(66, 33, 0); /* the other die */
    assert_place(126, 63, 0);
    assert_place(130, 65, 1);
    assert_place(0x1040, 0x820, 0x20);
}

/* Leaf 1FH is there and empty, as some hypervisors have it: 0BH counts. */
TEST(an_empty_leaf)
{
    cpu = (typeof(cpu)){.highest = 0x1f, .b = {{THREAD, 1}, {CORE, 4}}};
    assert_place(17, 8, 1);
}

TEST(no_threads)
{
    cpu = (typeof(cpu)){.highest = 0xb, .b = {{CORE, 3}}};
    assert_place(5, 5, 0);
    assert_place(9, 9, 1);
    cpu = (typeof(cpu)){.highest = 0xb, .b = {{THREAD, 0}, {CORE, 3}}};
    assert_place(5, 5, 0);
}

TEST(nothing_is_told)
{
    cpu = (typeof(cpu)){.highest = 0xa};
    assert_place(5, 5, 0);
    assert_place(300, 300, 0);
    cpu.highest = 0xb;
    assert_place(5, 5, 0);
}

TEST(levels_without_end)
{
    cpu = (typeof(cpu)){.highest = 0xb};
    for (unsigned n = 0; n < 8; n++)
        cpu.b[n] = (struct level){n + 1, 4 * n + 1};
    assert_place(UINT32_MAX, UINT32_MAX >> 1, UINT32_MAX >> 29);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_sockets),        cmocka_unit_test(a_hybrid),
        cmocka_unit_test(gaps_and_dies),      cmocka_unit_test(an_empty_leaf),
        cmocka_unit_test(no_threads),         cmocka_unit_test(nothing_is_told),
        cmocka_unit_test(levels_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
