/* SPDX-License-Identifier: MIT */
/*
 * Where vCPUs go on two sockets of two cores of two threads: CPUs 0 to 3 in the first socket, 0 and
 * 1 on its first core. And on four CPUs that are all alike.
 */
#include "vmx/run/place.c"
#include "tests/unit/test.h"
#include <string.h>

#define CPUS 8

static struct cpu cpus[CPUS];
static struct run_queue queues[CPUS];
static struct vcpu vcpus[CPUS];
static unsigned cpus_here, here;

unsigned cpu_count(void) { return cpus_here; }
struct cpu *cpu_get(unsigned index) { return &cpus[index]; }
struct cpu *this_cpu(void) { return &cpus[here]; }

static void machine(unsigned count, unsigned threads, unsigned in_socket)
{
    memset(cpus, 0, sizeof(cpus));
    memset(queues, 0, sizeof(queues));
    memset(vcpus, 0, sizeof(vcpus));
    cpus_here = count;
    here = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned core = i / threads;
        cpus[i].index = i;
        cpus[i].core = core;
        cpus[i].socket = i / in_socket;
        cpus[i].next_thread = &cpus[core * threads + (i + 1) % threads];
        vmx_cpu(&cpus[i])->queue = &queues[i];
    }
}

static struct vcpu *vcpu(unsigned n, unsigned first)
{
    vcpus[n].first = &vcpus[first];
    return &vcpus[n];
}

/* Starts where place_first() says; returns the CPU's index. */
static unsigned start(unsigned n, unsigned first)
{
    struct vcpu *v = vcpu(n, first);
    v->cpu = place_first(v);
    struct run_queue *q = vmx_cpu(v->cpu)->queue;
    q->load++;
    q->busy++;
    return v->cpu->index;
}

/* One thread of each core of the socket, then the other threads, then the other socket. */
TEST(a_vm_stays_in_its_socket)
{
    static const unsigned order[] = {0, 2, 1, 3, 4, 6, 5, 7};
    machine(8, 2, 4);
    for (unsigned n = 0; n < 8; n++)
        assert_int_equal(start(n, 0), order[n]);
}

TEST(another_vm_begins_on_a_core_of_its_own)
{
    machine(8, 2, 4);
    assert_int_equal(start(0, 0), 0);
    assert_int_equal(start(1, 1), 2);
    assert_int_equal(start(2, 2), 4); /* no home yet: no socket is the wrong one */
    assert_int_equal(start(3, 2), 6);
    assert_int_equal(start(4, 2), 5);
    assert_int_equal(start(5, 0), 1);
}

/* Fewer vCPUs count more than socket and thread. */
TEST(the_least_loaded)
{
    machine(8, 2, 4);
    for (unsigned i = 0; i < 4; i++)
        queues[i].load = queues[i].busy = 1;
    vcpu(0, 0)->cpu = &cpus[0];
    assert_int_equal(start(1, 0), 4);
    machine(4, 1, 4);
    queues[0].load = queues[2].load = 1; /* they sleep, and count all the same */
    assert_int_equal(start(0, 0), 1);
    assert_int_equal(start(1, 1), 3);
    assert_int_equal(start(2, 2), 0);
}

TEST(one_moves_to_where_fewer_are_awake)
{
    machine(8, 2, 4);
    struct vcpu *v = vcpu(0, 0);
    v->cpu = &cpus[0];
    queues[0].load = queues[0].busy = 2;
    for (unsigned i = 1; i < 8; i++)
        queues[i].load = queues[i].busy = 2;
    assert_null(place_lighter(v));
    queues[5].busy = 1; /* in the other socket */
    assert_int_equal(place_lighter(v)->index, 5);
    queues[1].busy = 1; /* the other thread of its own core */
    assert_int_equal(place_lighter(v)->index, 1);
    queues[2].busy = queues[3].busy = 0;
    assert_int_equal(place_lighter(v)->index, 2);
    queues[2].busy = 1;
    queues[3].busy = 0;
    assert_int_equal(place_lighter(v)->index, 3);
}

/* A CPU without VMX has no queue. */
TEST(cpus_that_run_no_guests)
{
    machine(4, 2, 4);
    vmx_cpu(&cpus[1])->queue = vmx_cpu(&cpus[2])->queue = NULL;
    assert_int_equal(start(0, 0), 0);
    assert_int_equal(start(1, 0), 3);
    assert_int_equal(start(2, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vm_stays_in_its_socket),
        cmocka_unit_test(another_vm_begins_on_a_core_of_its_own),
        cmocka_unit_test(the_least_loaded),
        cmocka_unit_test(one_moves_to_where_fewer_are_awake),
        cmocka_unit_test(cpus_that_run_no_guests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
