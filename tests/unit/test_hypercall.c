/* SPDX-License-Identifier: MIT */
// sources: guest/life/hypercall.c
/*
 * Hypercalls: what is answered.
 * Contract: lib/hypercall.h.
 */
#include <string.h>
#include "arch/layout.h"
#include "guest/assign/assign.h"
#include "guest/assign/dma.h"
#include "guest/core/memory.h"
#include "lib/hypercall.h"
#include "tests/unit/test.h"
#include "vmx/upcalls.h"

static struct vm vm;
static struct vcpu v;
static unsigned polls;
static uint8_t ram[4096];
static uint64_t *const gpr = v.regs.gpr;
char image_start[1];

void *vm_ram(const struct vm *of, gpa_t at, uint64_t size)
{
    (void)of;
    return at.v < sizeof(ram) && size <= sizeof(ram) - at.v ? ram + at.v : NULL;
}
void vtd_fault_poll(void) { polls++; }
uint64_t dma_pin(struct vm *of, uint64_t list) { return (void)of, list + 1; }
uint64_t dma_unpin(struct vm *of, uint64_t list) { return (void)of, list + 2; }

FIXTURE(fresh)
{
    memset(&vm, 0, sizeof(vm));
    memset(&v, 0, sizeof(v));
    v.vm = &vm;
    polls = 0;
    return 0;
}

static uint64_t call(uint64_t number, uint64_t argument)
{
    assert_int_equal(vcpu_on_vmcall(&v, number, argument), RESUME_NEXT);
    return gpr[RAX];
}

TEST(who_may_know_addresses)
{
    assert_int_equal(call(HC_HAMLET, 0), HC_UNKNOWN);
    vm.config.reveal = true;
    assert_int_equal(call(HC_HAMLET, 0), (uintptr_t)image_start);
}

TEST(exits_without_this_one)
{
    v.exit_count[EXIT_VMCALL] = 3;
    v.exit_count[EXIT_REASON_COUNT - 1] = 40;
    assert_int_equal(call(HC_EXIT_COUNT, EXIT_VMCALL), 2);
    assert_int_equal(call(HC_EXIT_COUNT, EXIT_REASON_COUNT - 1), 40);
    assert_int_equal(call(HC_EXIT_COUNT, EXIT_REASON_COUNT), HC_UNKNOWN);
    assert_int_equal(call(HC_EXIT_COUNT, UINT64_MAX), HC_UNKNOWN);
    assert_int_equal(call(HC_EXIT_TOTAL, 0), 42);
}

TEST(what_is_the_vms_own)
{
    struct assignment a[3] = {{.next = &a[1], .parked = true}, {.next = &a[2]}, {.parked = true}};
    vm.irq_count = 7;
    vm.fault_count = 8;
    vm.pinned_count = 9;
    assert_int_equal(call(HC_VERSION, 0), HC_VERSION_1);
    assert_int_equal(call(HC_IRQ_COUNT, 0), 7);
    assert_int_equal(call(HC_DMA_PINNED, 0), 9);
    assert_int_equal(call(HC_DMA_MAP, 100), 101);
    assert_int_equal(call(HC_DMA_UNMAP, 100), 102);
    assert_int_equal(call(HC_FAULTS, 0), 8);
    assert_int_equal(polls, 0); /* no device, so no fault waits */
    assert_int_equal(call(HC_PARKED, 0), 0);
    vm.assignments = a;
    assert_int_equal(call(HC_FAULTS, 0), 8);
    assert_int_equal(polls, 1);
    assert_int_equal(call(HC_PARKED, 0), 2);
    assert_int_equal(vm.lock.next, vm.lock.serving);
    assert_int_equal(call(12, 0), HC_UNKNOWN);
    assert_int_equal(call(UINT64_C(1) << 32, 0), HC_UNKNOWN);
}

/* No guest finds out where it lies in the host, unless the user gave it the right. */
TEST(addresses_of_the_host)
{
    for (unsigned right = 0; right < 3; right++) {
        vm.config.reveal = right == 1;
        vm.untranslated = right == 2 ? (struct vtd_domain *)&vm : NULL;
        assert_int_equal(call(HC_HOST_ADDRESS, 5), right ? (uintptr_t)ram + 5 : HC_UNKNOWN);
        assert_int_equal(call(HC_HOST_ADDRESS, sizeof(ram)), HC_UNKNOWN);
        assert_int_equal(call(HC_HAMLET, 0), right ? (uintptr_t)image_start : HC_UNKNOWN);
    }
}

#define CASE(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(who_may_know_addresses),
        CASE(exits_without_this_one),
        CASE(what_is_the_vms_own),
        CASE(addresses_of_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
