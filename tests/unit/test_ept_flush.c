/* SPDX-License-Identifier: MIT */
/*
 * The shoot-down of an EPT: whom it kicks, and for whom it waits. The other CPU is a thread that
 * takes its time, which no emulator gives it: there a kicked CPU is out of its guest at once. And
 * which invalidations are executed: this program traps them, as INVEPT and INVVPID are #UD outside
 * VMX operation.
 * Spec: SDM "Guidelines for Use of the INVEPT Instruction".
 */
// sources: vmx/ept_flush.c
#define _GNU_SOURCE /* REG_RIP */
#include "tests/unit/stubs.h"
#include "arch/cpu.h"
#include "lib/atomic.h"
#include "tests/unit/test.h"
#include "vmx/caps.h"
#include "vmx/cpu.h"
#include "vmx/ept_flush.h"
#include "vmx/vmcs.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#define CPUS 4
struct vmx_caps vmx_caps;
static struct cpu cpus[CPUS];
static struct ept ept, other;
static unsigned kicked, left_by;
static pthread_t thread;
static unsigned invepts, invvpids; /* executed since the test began */

struct cpu *this_cpu(void) { return &cpus[0]; }
unsigned cpu_count(void) { return CPUS; }
struct cpu *cpu_get(unsigned index) { return &cpus[index]; }
void vmcs_failed(const char *what, uint64_t operand)
{
    (void)operand;
    fail_msg("%s", what);
    __builtin_unreachable();
}

enum { OUT_OF_GUEST, INVALIDATED };
static int way;

/* What the kicked CPU does in the end. */
static void *answer(void *cpu)
{
    usleep(20000);
    atomic_fetch_add(&left_by, 1);
    if (way == INVALIDATED)
        atomic_store(&vmx_cpu(cpu)->guest_generation, ept.generation);
    else
        atomic_store(&vmx_cpu(cpu)->guest_ept, NULL);
    return NULL;
}

void cpu_kick(struct cpu *cpu)
{
    kicked |= 1u << cpu->index;
    assert_int_equal(pthread_create(&thread, NULL, answer, cpu), 0);
}

/* CPU 1 is in a guest with that EPT and has invalidated before; 2 is in another guest, 3
 * in none. */
FIXTURE(create)
{
    memset(cpus, 0, sizeof(cpus));
    for (unsigned i = 0; i < CPUS; i++)
        cpus[i].index = i;
    ept.generation = 7;
    kicked = left_by = invepts = invvpids = 0;
    vmx_cpu(&cpus[1])->guest_ept = &ept;
    vmx_cpu(&cpus[1])->guest_generation = 6;
    vmx_cpu(&cpus[2])->guest_ept = &other;
    return 0;
}

TEST(waits_for_the_one_that_has_the_entry)
{
    for (way = OUT_OF_GUEST; way <= INVALIDATED; way++) {
        create(state);
        ept_flush(&ept);
        assert_int_equal(atomic_load(&left_by), 1);
        assert_int_equal(kicked, 1u << 1);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
}

TEST(leaves_alone_a_cpu_that_has_invalidated)
{
    vmx_cpu(&cpus[1])->guest_generation = 7;
    ept_flush(&ept);
    assert_int_equal(kicked, 0);
}

/* Count the instruction and step over it: 66 [REX] 0f 38 80 (INVEPT) or 81 (INVVPID), ModRM, and
 * what the ModRM byte asks for. CF and ZF become 0: no failure. */
static void on_invalid_opcode(int signal, siginfo_t *info, void *context)
{
    (void)info;
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *at = (const uint8_t *)regs[REG_RIP] + 1;
    at += (*at & 0xf0) == 0x40;
    if (signal != SIGILL || at[0] != 0x0f || at[1] != 0x38 || (at[2] & 0xfe) != 0x80)
        abort();
    *(at[2] == 0x80 ? &invepts : &invvpids) += 1;
    unsigned mod = at[3] >> 6, rm = at[3] & 7;
    at += rm == 4 ? 5 : 4;
    at += mod == 1 ? 1 : mod == 2 || rm == 5 ? 4 : 0;
    regs[REG_RIP] = (greg_t)at;
    regs[REG_EFL] &= ~(greg_t)(BIT(0) | BIT(6));
}

/* In the test itself: cmocka sets handlers of its own before each. */
static void trap_invalidations(void)
{
    struct sigaction trap = {.sa_sigaction = on_invalid_opcode, .sa_flags = SA_SIGINFO};
    assert_int_equal(sigaction(SIGILL, &trap, NULL), 0);
}

/* A boot has both left over from what ran before Hamlet. */
TEST(all_is_both_kinds)
{
    trap_invalidations();
    ept_flush_all();
    assert_int_equal(invepts, 1);
    assert_int_equal(invvpids, 1);
}

TEST(a_vpid_is_one_invvpid)
{
    trap_invalidations();
    ept_flush_vpid(3);
    assert_int_equal(invepts, 0);
    assert_int_equal(invvpids, 1);
}

/* Else the CPU would invalidate at each entry, and who waits for it would wait for its exit. */
TEST(an_entry_invalidates_once_and_says_so)
{
    uint64_t seen = 6;
    trap_invalidations();
    ept_flush_before_entry(&ept, &seen);
    assert_int_equal(invepts, 1);
    assert_int_equal(seen, 7);
    assert_ptr_equal(this_vmx_cpu()->guest_ept, &ept);
    assert_int_equal(this_vmx_cpu()->guest_generation, 7);
    ept_flush_before_entry(&ept, &seen);
    assert_int_equal(invepts, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, create)
    const struct CMUnitTest tests[] = {
        T(waits_for_the_one_that_has_the_entry),
        T(leaves_alone_a_cpu_that_has_invalidated),
        T(all_is_both_kinds),
        T(a_vpid_is_one_invvpid),
        T(an_entry_invalidates_once_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
