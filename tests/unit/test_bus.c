/* SPDX-License-Identifier: MIT */
// sources: guest/core/bus.c
/*
 * Ranges of a bus, and accesses inside of one, over its end, over the border of two, and where
 * nothing is.
 * From: make unit.   To: guest/core/bus.c.
 */
#include <stdlib.h>
#include "guest/core/bus.h"
#include "guest/core/vm.h"
#include "tests/unit/test.h"

static struct vm vm;
static struct vcpu vcpu;

/* What the devices saw. */
static struct {
    const void *owner;
    uint64_t offset, value;
    unsigned width;
} seen[16];
static unsigned seen_count;

/* The access that was noted last. */
static const struct vm_access *note(void)
{
    return &vm.accesses[(vm.access_count - 1) % VM_ACCESS_MAX];
}

static uint64_t device_read(struct vcpu *v, void *owner, uint64_t offset, unsigned width)
{
    assert_ptr_equal(v, &vcpu);
    seen[seen_count].owner = owner;
    seen[seen_count].offset = offset;
    seen[seen_count++].width = width;
    return UINT64_C(0x1122334455667700) + (width == 1 ? *(const uint8_t *)owner + offset : 0x88);
}

static void device_write(struct vcpu *v, void *owner, uint64_t offset, unsigned width, uint64_t x)
{
    assert_ptr_equal(v, &vcpu);
    seen[seen_count].owner = owner;
    seen[seen_count].offset = offset;
    seen[seen_count].value = x;
    seen[seen_count++].width = width;
}

static bool may_map;
static const void *mapped;
static bool device_map(void *owner)
{
    mapped = owner;
    return may_map;
}

static uint8_t a = 0x10, b = 0x20, lazy;
static struct vm_bus *const bus = &vm.mmio;

static int add(uint64_t base, uint64_t size, void *owner)
{
    return vm_bus_add(bus, VM_TRAPPED(base, size, "x", device_read, device_write, owner));
}

static void forget(void) { seen_count = vm.access_count = 0; }

FIXTURE(fresh)
{
    vm = (struct vm){0};
    vcpu = (struct vcpu){.vm = &vm};
    forget();
    assert_int_equal(add(0x1000, 0x10, &a), 0);
    assert_int_equal(add(0x1010, 0x10, &b), 0);
    return 0;
}

TEST(ranges_are_sorted_and_do_not_overlap)
{
    assert_int_equal(add(0x1000, 1, &a), -EEXIST);
    assert_int_equal(add(0x101f, 1, &a), -EEXIST);
    assert_int_equal(add(0xff0, 0x11, &a), -EEXIST);
    assert_int_equal(add(0, 0x10000, &a), -EEXIST);
    assert_int_equal(add(0xff0, 0x10, &b), 0);
    assert_int_equal(add(0x1020, 1, &b), 0);
    assert_int_equal(bus->count, 4);
    for (size_t i = 1; i < bus->count; i++)
        assert_true(bus->ranges[i - 1].base < bus->ranges[i].base);
    assert_int_equal(add(0x1018, 1, &a), -EEXIST);
}

TEST(no_empty_range_and_none_that_wraps)
{
    assert_int_equal(add(0x2000, 0, &a), -EINVAL);
    assert_int_equal(add(UINT64_MAX, 2, &a), -EINVAL);
    assert_int_equal(add(UINT64_MAX - 1, 2, &a), 0);
    assert_ptr_equal(vm_bus_find(bus, UINT64_MAX)->owner, &a);
    assert_ptr_equal(vm_bus_find(bus, UINT64_MAX - 1)->owner, &a);
    assert_null(vm_bus_find(bus, UINT64_MAX - 2));
    assert_int_equal(add(0x3000, 1, &a), 0); /* one byte is enough */
}

TEST(the_table_is_full)
{
    for (uint64_t n = bus->count; n < VM_RANGE_MAX; n++)
        assert_int_equal(add(0x2000 + n, 1, &a), 0);
    assert_int_equal(add(0x4000, 1, &a), -ENOSPC);
    assert_int_equal(add(0x2000 + 5, 1, &a), -EEXIST);
    assert_int_equal(bus->count, VM_RANGE_MAX);
    vm_bus_remove(bus, 0x1000);
    assert_int_equal(add(0x4000, 1, &a), 0);
}

TEST(each_byte_finds_its_range)
{
    for (unsigned round = 0; round < 2; round++) {
        assert_null(vm_bus_find(bus, 0xfff));
        assert_ptr_equal(vm_bus_find(bus, 0x1000)->owner, &a);
        assert_ptr_equal(vm_bus_find(bus, 0x100f)->owner, &a);
        assert_ptr_equal(vm_bus_find(bus, 0x1010)->owner, &b);
        assert_ptr_equal(vm_bus_find(bus, 0x101f)->owner, &b);
        assert_null(vm_bus_find(bus, 0x1020));
    }
}

static const struct vm_range *by_search(uint64_t at)
{
    for (size_t i = 0; i < bus->count; i++)
        if (at - bus->ranges[i].base < bus->ranges[i].size)
            return &bus->ranges[i];
    return NULL;
}

/* Ranges and a hole are remembered; a range may come into the hole, and one may go. */
TEST(what_was_found_last_changes_no_answer)
{
    srand(1);
    for (unsigned step = 0; step < 20000; step++) {
        uint64_t at = 0xff0 + (unsigned)rand() % 0x60, value;
        unsigned width = 1u << rand() % 4;
        if (step % 7 == 0 && add(ALIGN_DOWN(at, 8), 1 + (unsigned)rand() % 8, at & 1 ? &a : &b) < 0)
            vm_bus_remove(bus, ALIGN_DOWN(at, 8));
        const struct vm_range *r = by_search(at);
        assert_ptr_equal(vm_bus_find(bus, at), r);
        bool answers = false;
        for (unsigned i = 0; i < width; i++)
            answers |= by_search(at + i) != NULL;
        forget();
        assert_int_equal(vm_bus_read(&vcpu, bus, at, width, &value), answers);
        if (!r || at - r->base + width > r->size)
            continue;
        assert_int_equal(seen_count, 1); /* by the one that has it whole, and by no other */
        assert_ptr_equal(seen[0].owner, r->owner);
        assert_int_equal(seen[0].offset, at - r->base);
        forget();
        assert_true(vm_bus_write(&vcpu, bus, at, width, 0x5a & WIDTH_MASK(width)));
        assert_int_equal(seen_count, 1);
        assert_ptr_equal(seen[0].owner, r->owner);
        assert_int_equal(seen[0].offset, at - r->base);
    }
}

TEST(a_range_that_is_removed)
{
    assert_int_equal(add(0x1020, 0x10, &lazy), 0);
    assert_non_null(vm_bus_find(bus, 0x1025)); /* found last */
    vm_bus_remove(bus, 0x1018);                /* no range begins there */
    vm_bus_remove(bus, 0x5000);
    assert_int_equal(bus->count, 3);
    vm_bus_remove(bus, 0x1010);
    assert_int_equal(bus->count, 2);
    assert_null(vm_bus_find(bus, 0x1015));
    assert_ptr_equal(vm_bus_find(bus, 0x1005)->owner, &a);
    assert_ptr_equal(vm_bus_find(bus, 0x1025)->owner, &lazy);
    vm_bus_remove(bus, 0x1020);
    assert_null(vm_bus_find(bus, 0x1025));
}

TEST(an_access_inside_of_a_range)
{
    uint64_t value = 0;
    for (unsigned width = 2; width <= 8; width *= 2) {
        forget();
        assert_true(vm_bus_read(&vcpu, bus, 0x1018, width, &value));
        assert_int_equal(value, UINT64_C(0x1122334455667788) & WIDTH_MASK(width));
        assert_true(vm_bus_write(&vcpu, bus, 0x1018, width, 0x1234));
        assert_int_equal(seen_count, 2);
        assert_ptr_equal(seen[1].owner, &b);
        assert_int_equal(seen[0].offset, 8);
        assert_int_equal(seen[0].width, width);
        assert_int_equal(seen[1].offset, 8);
        assert_int_equal(seen[1].width, width);
        assert_int_equal(seen[1].value, 0x1234);
        assert_int_equal(vm.access_count, 2);
        assert_true(note()->write && note()->at == 0x1018 && note()->value == 0x1234 &&
                    note()->width == width);
    }
}

TEST(an_access_over_a_border_goes_in_aligned_parts)
{
    uint64_t value = 0;
    assert_true(vm_bus_read(&vcpu, bus, 0x100e, 4, &value));
    assert_int_equal(value, 0x77887788);
    assert_int_equal(seen_count, 2);
    assert_true(!note()->write && note()->at == 0x100e && note()->value == value &&
                note()->width == 4);
    static const struct {
        const void *owner;
        unsigned offset, width;
        uint64_t value;
    } parts[] = {{&a, 0xd, 1, 0xd4}, {&a, 0xe, 2, 0xb2c3}, {&b, 0, 1, 0xa1}};
    forget();
    assert_true(vm_bus_write(&vcpu, bus, 0x100d, 4, 0xa1b2c3d4));
    assert_int_equal(seen_count, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_ptr_equal(seen[i].owner, parts[i].owner);
        assert_int_equal(seen[i].offset, parts[i].offset);
        assert_int_equal(seen[i].width, parts[i].width);
        assert_int_equal(seen[i].value, parts[i].value);
    }
}

TEST(an_access_half_in_a_hole)
{
    uint64_t value = 0;
    assert_true(vm_bus_read(&vcpu, bus, 0xffe, 4, &value)); /* the last bytes answer */
    assert_int_equal(value, 0x7788ffff);
    assert_true(vm_bus_read(&vcpu, bus, 0x101e, 4, &value)); /* the first ones */
    assert_int_equal(value, 0xffff7788);
    forget();
    assert_true(vm_bus_write(&vcpu, bus, 0xffe, 4, 0));
    assert_true(vm_bus_write(&vcpu, bus, 0x101e, 4, 0));
    assert_int_equal(seen_count, 2);
}

TEST(an_access_to_nothing)
{
    uint64_t value = 0;
    for (unsigned width = 1; width <= 8; width *= 2) {
        assert_false(vm_bus_read(&vcpu, bus, 0x5000, width, &value));
        assert_int_equal(value, WIDTH_MASK(width));
        assert_false(vm_bus_write(&vcpu, bus, 0x5000, width, 0));
    }
    assert_int_equal(seen_count, 0);
    assert_int_equal(vm.access_count, 8);
}

/* Accesses to ports and to configuration space are noted elsewhere. */
TEST(what_is_noted)
{
    uint64_t value;
    assert_int_equal(add(VM_ECAM_BASE, 0x1000, &a), 0);
    assert_true(vm_bus_read(&vcpu, bus, VM_ECAM_BASE + 4, 4, &value));
    assert_true(vm_bus_write(&vcpu, bus, VM_ECAM_BASE + 4, 4, 0));
    assert_int_equal(vm.access_count, 0);
    assert_int_equal(vm_bus_add(&vm.pio, VM_TRAPPED(0x60, 1, "p", device_read, device_write, &a)),
                     0);
    assert_true(vm_bus_read(&vcpu, &vm.pio, 0x60, 1, &value));
    assert_true(vm_bus_write(&vcpu, &vm.pio, 0x60, 1, 0));
    assert_int_equal(vm.access_count, 0);
}

/* A range that its first access maps answers none. */
TEST(mapped_at_the_first_access)
{
    uint64_t value = 0;
    struct vm_range r = {.base = 0x1020, .size = 0x10, .map = device_map, .owner = &lazy};
    assert_int_equal(vm_bus_add(bus, &r), 0);
    assert_false(vm_bus_read(&vcpu, bus, 0x1024, 4, &value));
    assert_int_equal(value, WIDTH_MASK(4));
    assert_false(vm_bus_write(&vcpu, bus, 0x1024, 4, 0));
    assert_true(vm_bus_read(&vcpu, bus, 0x101e, 4, &value));
    assert_int_equal(value, 0xffff7788);
    mapped = NULL;
    assert_false(vm_bus_map(&vm, 0x1005));
    assert_int_equal(vm_bus_map(&vm, 0x5000), -ENOENT);
    assert_null(mapped);
    may_map = false;
    assert_false(vm_bus_map(&vm, 0x102f));
    assert_ptr_equal(mapped, &lazy);
    may_map = true;
    assert_true(vm_bus_map(&vm, 0x1020));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ranges_are_sorted_and_do_not_overlap, fresh),
        cmocka_unit_test_setup(no_empty_range_and_none_that_wraps, fresh),
        cmocka_unit_test_setup(the_table_is_full, fresh),
        cmocka_unit_test_setup(each_byte_finds_its_range, fresh),
        cmocka_unit_test_setup(a_range_that_is_removed, fresh),
        cmocka_unit_test_setup(an_access_inside_of_a_range, fresh),
        cmocka_unit_test_setup(an_access_over_a_border_goes_in_aligned_parts, fresh),
        cmocka_unit_test_setup(an_access_half_in_a_hole, fresh),
        cmocka_unit_test_setup(what_was_found_last_changes_no_answer, fresh),
        cmocka_unit_test_setup(an_access_to_nothing, fresh),
        cmocka_unit_test_setup(what_is_noted, fresh),
        cmocka_unit_test_setup(mapped_at_the_first_access, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
