/* SPDX-License-Identifier: MIT */
/*
 * The page of ones that a VM lends while events are delivered where it has no memory: one for all
 * its vCPUs, so often and no more, and given back.
 */
// sources: guest/pc/delivery.c
#include <stdlib.h>
#include <string.h>
#include "arch/page.h"
#include "guest/core/memory.h"
#include "guest/pc/pc.h"
#include "tests/unit/test.h"
#include "vmx/upcalls.h"
#include "vmx/vcpu/debug.h"

#define AT     UINT64_C(0x80000000)
#define DEVICE UINT64_C(0x90000ff8)
#define MOST   256

static struct vm vm;
static struct vcpu vcpus[2];
static unsigned pages, mapped, another;

/* While one vCPU takes the page, another one wants it, unless it has to wait for the lock. */
void *page_alloc(void)
{
    pages++;
    if (vm.lock.next == vm.lock.serving && another++ == 0)
        assert_true(delivery_lend(&vcpus[1], gpa(AT + PAGE_SIZE)));
    return aligned_alloc(PAGE_SIZE, PAGE_SIZE);
}
void page_free(void *p)
{
    pages--;
    free(p);
}
int vm_map(struct vm *of, gpa_t at, hpa_t to, uint64_t size, unsigned perm, enum ept_type type,
           bool dma)
{
    assert_true(of == &vm && at.v % PAGE_SIZE == 0 && to.v == ptr_hpa(vm.ones).v);
    assert_true(size == PAGE_SIZE && perm == (EPT_PERM_READ | EPT_PERM_WRITE) && !dma);
    assert_int_equal(type, EPT_WB);
    assert_int_equal(*(uint64_t *)vm.ones, UINT64_MAX);
    mapped++;
    return 0;
}
void vm_unmap(struct vm *of, gpa_t at, uint64_t size, bool dma)
{
    assert_true(of == &vm && at.v % PAGE_SIZE == 0 && size == PAGE_SIZE && !dma);
    mapped--;
}
const struct vm_range *vm_bus_find(const struct vm_bus *b, uint64_t at)
{
    static const struct vm_range device;
    assert_ptr_equal(b, &vm.mmio);
    return at == DEVICE ? &device : NULL;
}
bool vcpu_tell_delivery(struct vcpu *v) { return v->vm == &vm; }

FIXTURE(fresh)
{
    memset(&vm, 0, sizeof(vm));
    memset(vcpus, 0, sizeof(vcpus));
    vcpus[0].vm = vcpus[1].vm = &vm;
    pages = mapped = another = 0;
    return 0;
}

TEST(two_at_once_share_the_page)
{
    assert_true(delivery_lend(&vcpus[0], gpa(AT + 8)));
    assert_true(delivery_lend(&vcpus[1], gpa(AT + 2 * PAGE_SIZE)));
    assert_int_equal(pages, 1);
    vcpu_on_delivered(&vcpus[0]);
    vcpu_on_delivered(&vcpus[1]);
    assert_int_equal(mapped, 0);
    delivery_destroy(&vm);
    assert_int_equal(pages, 0);
}

TEST(not_where_a_device_is)
{
    assert_false(delivery_lend(&vcpus[0], gpa(DEVICE + 4)));
    assert_int_equal(vm.loans + mapped, 0);
    delivery_destroy(&vm);
}

TEST(so_many_and_no_more)
{
    unsigned n = 0;
    while (delivery_lend(&vcpus[0], gpa(AT + n * PAGE_SIZE)))
        n++;
    assert_int_equal(n, VCPU_LENT_MAX);
    vcpu_on_delivered(&vcpus[0]);
    assert_int_equal(mapped, 0);
    for (; delivery_lend(&vcpus[0], gpa(AT)); n++)
        vcpu_on_delivered(&vcpus[0]);
    assert_int_equal(n, MOST);
    assert_int_equal(mapped, 0);
    delivery_destroy(&vm);
    assert_int_equal(pages, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, fresh)
    const struct CMUnitTest tests[] = {
        T(two_at_once_share_the_page),
        T(not_where_a_device_is),
        T(so_many_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
