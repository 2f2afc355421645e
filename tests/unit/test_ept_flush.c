/* SPDX-License-Identifier: MIT */
/*
 * The shoot-down of an EPT: whom it kicks, and for whom it waits. The other CPU is a thread that
 * takes its time, which no emulator gives it: there a kicked CPU is out of its guest at once.
 * Spec: SDM "Guidelines for Use of the INVEPT Instruction".
 */
// sources: vmx/ept_flush.c
#include "tests/unit/stubs.h"
#include "arch/cpu.h"
#include "lib/atomic.h"
#include "tests/unit/test.h"
#include "vmx/caps.h"
#include "vmx/cpu.h"
#include "vmx/ept_flush.h"
#include "vmx/vmcs.h"
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define CPUS 4
struct vmx_caps vmx_caps;
static struct cpu cpus[CPUS];
static struct ept ept, other;
static unsigned kicked, left_by;
static pthread_t thread;

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
        ept_out_of_guest(vmx_cpu(cpu));
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
    kicked = left_by = 0;
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

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, create)
    const struct CMUnitTest tests[] = {
        T(waits_for_the_one_that_has_the_entry),
        T(leaves_alone_a_cpu_that_has_invalidated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
