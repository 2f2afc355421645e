/* SPDX-License-Identifier: MIT */
// sources: guest/pc/vioapic.c guest/core/bus.c
/*
 * The VM's I/O APIC: what its registers take, edges and levels, masks, remote IRR and EOI.
 * Spec: Intel 82093AA "IOREDTBL[23:0] - I/O Redirection Table Registers".
 */
#include <stdlib.h>
#include <string.h>
#include "arch/apic.h"
#include "arch/ioapic.h"
#include "arch/page.h"
#include "guest/core/vm.h"
#include "guest/pc/vioapic.h"
#include "guest/pc/vlapic.h"
#include "tests/unit/test.h"
#include "vmx/run/post.h"

#define LAST       (VIOAPIC_PINS - 1)
#define RTE_LOW(n) (0x10 + 2 * (n))

static struct vm vm;
static struct vcpu vcpus[3];
static unsigned posted[3], level_posted[3], ended;
static uint8_t last_vector;

static bool no_page;
void *page_alloc(void) { return no_page ? NULL : calloc(1, PAGE_SIZE); }
void page_free(void *page) { free(page); }

/* Physical: the vCPU of that number. Logical: a bit each. */
uint64_t vlapic_match(struct vm *of, uint32_t dest, bool logical)
{
    assert_ptr_equal(of, &vm);
    return logical ? dest & 7 : dest < 3 ? BIT(dest) : 0;
}
static uint64_t off; /* the vCPUs whose local APIC is off, a bit each */
uint64_t vlapic_takers(const struct vm *of, uint64_t set) { return of == &vm ? set & ~off : 0; }
void vcpu_post(struct vcpu *v, uint8_t vector)
{
    posted[v - vcpus]++;
    last_vector = vector;
}
void vcpu_eoi_exit(struct vcpu *v, uint8_t vector, bool on)
{
    (void)vector;
    level_posted[v - vcpus] += on;
}

static void count_end(void *ctx)
{
    assert_ptr_equal(ctx, &ended);
    ended++;
}

/* As a driver would lower its line in answer to the EOI. */
static void lower_pin(void *ctx)
{
    (void)ctx;
    vioapic_line(vm.ioapic, 20, false);
}

FIXTURE(fresh)
{
    memset(&vm, 0, sizeof(vm));
    memset(posted, 0, sizeof(posted));
    memset(level_posted, 0, sizeof(level_posted));
    ended = 0;
    off = 0;
    for (unsigned i = 0; i < 3; i++)
        vm.vcpus[i] = &vcpus[i];
    vm.ioapic = vioapic_create(&vm);
    assert_non_null(vm.ioapic);
    vioapic_reset(&vm);
    return 0;
}

FIXTURE(done)
{
    vioapic_destroy(vm.ioapic);
    assert_int_equal(vm.mmio.count, 0);
    return 0;
}

static void store(unsigned offset, uint32_t value)
{
    const struct vm_range *r = vm_bus_find(&vm.mmio, VM_IOAPIC_BASE);
    r->write(&vcpus[0], r->owner, offset, 4, value);
}

static uint32_t load(unsigned offset)
{
    const struct vm_range *r = vm_bus_find(&vm.mmio, VM_IOAPIC_BASE);
    return (uint32_t)r->read(&vcpus[0], r->owner, offset, 4);
}

static void reg_write(uint32_t index, uint32_t value)
{
    store(0, index);
    store(0x10, value);
}

static uint32_t reg_read(uint32_t index)
{
    store(0, index);
    return load(0x10);
}

static void rte_write(unsigned pin, uint64_t rte)
{
    reg_write(RTE_LOW(pin) + 1, HI32(rte));
    reg_write(RTE_LOW(pin), LO32(rte));
}

static uint64_t rte_read(unsigned pin)
{
    return reg_read(RTE_LOW(pin)) | (uint64_t)reg_read(RTE_LOW(pin) + 1) << 32;
}

static unsigned posted_in_all(void) { return posted[0] + posted[1] + posted[2]; }

TEST(registers)
{
    assert_int_equal(reg_read(1), 0x20 | LAST << 16);
    reg_write(1, 0); /* read-only */
    assert_int_equal(reg_read(1), 0x20 | LAST << 16);
    assert_int_equal(reg_read(0), 0);
    reg_write(0, UINT32_MAX);
    assert_int_equal(reg_read(0), 0x0f000000);
    store(0, 0x123);
    assert_int_equal(load(0), 0x23);
    assert_int_equal(reg_read(2), 0x0f000000); /* the arbitration register has the id, too */
    reg_write(2, 0);
    assert_int_equal(reg_read(2), 0x0f000000);
    assert_int_equal(load(0x20), 0);
    for (unsigned pin = 0; pin <= LAST; pin++)
        assert_int_equal(rte_read(pin), RTE_MASKED);
    for (unsigned index = RTE_LOW(LAST) + 2; index < 0x100; index++) { /* no pins there */
        reg_write(index, UINT32_MAX);
        assert_int_equal(reg_read(index), 0);
    }
    assert_int_equal(rte_read(LAST), RTE_MASKED);
    assert_int_equal(reg_read(0), 0x0f000000);
}

/* The window has one width. The index and the EOI register are bytes. */
TEST(a_narrow_write_changes_no_entry)
{
    const struct vm_range *r = vm_bus_find(&vm.mmio, VM_IOAPIC_BASE);
    store(0, RTE_LOW(3));
    for (unsigned width = 1; width <= 8; width *= 2)
        r->write(&vcpus[0], r->owner, 0x10, width, width == 4 ? 0x41 : 0x42);
    assert_int_equal(rte_read(3), 0x41);
    r->write(&vcpus[0], r->owner, 0, 1, 1);
    assert_int_equal(load(0), 1);
}

/* Delivery status and remote IRR are the chip's; the rest of the low half and the destination are
 * the guest's. */
TEST(what_an_entry_takes)
{
    rte_write(LAST, UINT64_MAX);
    assert_int_equal(rte_read(LAST), UINT64_C(0xff0000000001afff));
    assert_int_equal(rte_read(LAST - 1), RTE_MASKED);
    rte_write(LAST, 0);
    assert_int_equal(rte_read(LAST), 0);
    rte_write(3, RTE_REMOTE_IRR | RTE_LEVEL | 0x41); /* not in service for all that */
    vioapic_line(vm.ioapic, 3, true);
    assert_int_equal(posted_in_all(), 1);
    reg_write(RTE_LOW(3), RTE_LEVEL | 0x41); /* nor is the service ended by a zero */
    assert_int_equal(posted_in_all(), 1);
    assert_true(rte_read(3) & RTE_REMOTE_IRR);
}

TEST(an_edge_interrupts_once)
{
    rte_write(4, 0x35);
    vioapic_line(vm.ioapic, 4, false);
    assert_int_equal(posted[0], 0);
    vioapic_line(vm.ioapic, 4, true);
    vioapic_line(vm.ioapic, 4, true);
    assert_int_equal(posted[0], 1);
    assert_int_equal(last_vector, 0x35);
    assert_int_equal(level_posted[0], 0);
    assert_false(rte_read(4) & RTE_REMOTE_IRR);
    vioapic_line(vm.ioapic, 4, false);
    vioapic_line(vm.ioapic, 4, true);
    assert_int_equal(posted[0], 2);
    reg_write(RTE_LOW(4), RTE_MASKED | 0x35); /* an edge that comes while it is masked is lost */
    vioapic_line(vm.ioapic, 4, false);
    vioapic_line(vm.ioapic, 4, true);
    reg_write(RTE_LOW(4), 0x35);
    assert_int_equal(posted[0], 2);
}

TEST(a_masked_level_waits)
{
    rte_write(20, RTE_MASKED | RTE_LEVEL | 0x51);
    vioapic_line(vm.ioapic, 20, true);
    assert_int_equal(posted_in_all(), 0);
    assert_false(rte_read(20) & RTE_REMOTE_IRR);
    reg_write(RTE_LOW(20), RTE_LEVEL | 0x51);
    assert_int_equal(posted_in_all(), 1);
    assert_int_equal(level_posted[0], 1);
    reg_write(RTE_LOW(20), RTE_MASKED | RTE_LEVEL | 0x51);
    vioapic_eoi(vm.ioapic, 0x51); /* still asserted, and masked: no more */
    assert_int_equal(posted_in_all(), 1);
    vioapic_line(vm.ioapic, 20, false);
    reg_write(RTE_LOW(20), RTE_LEVEL | 0x51);
    assert_int_equal(posted_in_all(), 1);
}

/* One interrupt, and no other until the EOI; then one more while the line is asserted. */
TEST(a_level_interrupts_once_per_service)
{
    vioapic_on_eoi(vm.ioapic, 20, count_end, &ended);
    rte_write(20, RTE_LEVEL | 0x51);
    vioapic_line(vm.ioapic, 20, true);
    vioapic_line(vm.ioapic, 20, true);
    assert_int_equal(posted_in_all(), 1);
    assert_true(rte_read(20) & RTE_REMOTE_IRR);
    vioapic_line(vm.ioapic, 20, false);
    vioapic_line(vm.ioapic, 20, true);
    assert_int_equal(posted_in_all(), 1);
    store(0x40, 0x51); /* the EOI register */
    assert_int_equal(posted_in_all(), 2);
    assert_int_equal(ended, 1);
    vioapic_line(vm.ioapic, 20, false);
    vioapic_eoi(vm.ioapic, 0x51);
    assert_int_equal(posted_in_all(), 2);
    assert_int_equal(ended, 2);
    assert_false(rte_read(20) & RTE_REMOTE_IRR);
    vioapic_eoi(vm.ioapic, 0x51); /* of nothing in service */
    assert_int_equal(ended, 2);
    vioapic_on_eoi(vm.ioapic, 20, NULL, NULL);
    vioapic_line(vm.ioapic, 20, true);
    vioapic_eoi(vm.ioapic, 0x51);
    assert_int_equal(ended, 2);
}

/* An EOI ends the pins of its own vector, all of them, and no other. */
TEST(an_eoi_is_of_one_vector)
{
    vioapic_on_eoi(vm.ioapic, 21, count_end, &ended);
    rte_write(0, RTE_LEVEL | 0x51);
    rte_write(LAST, RTE_LEVEL | 0x51);
    rte_write(21, RTE_LEVEL | 0x52);
    vioapic_line(vm.ioapic, 0, true);
    vioapic_line(vm.ioapic, LAST, true);
    vioapic_line(vm.ioapic, 21, true);
    vioapic_line(vm.ioapic, 0, false);
    vioapic_line(vm.ioapic, LAST, false);
    vioapic_line(vm.ioapic, 21, false);
    assert_int_equal(posted_in_all(), 3);
    vioapic_eoi(vm.ioapic, 0x51);
    assert_int_equal(ended, 0);
    assert_true(rte_read(21) & RTE_REMOTE_IRR);
    assert_false((rte_read(0) | rte_read(LAST)) & RTE_REMOTE_IRR);
    vioapic_eoi(vm.ioapic, 0x52);
    assert_int_equal(ended, 1);
}

/* The owner of the line lowers it first: then the EOI starts nothing. */
TEST(the_owner_hears_before_the_line_is_looked_at)
{
    vioapic_on_eoi(vm.ioapic, 20, lower_pin, NULL);
    rte_write(20, RTE_LEVEL | 0x51);
    vioapic_line(vm.ioapic, 20, true);
    vioapic_eoi(vm.ioapic, 0x51);
    assert_int_equal(posted_in_all(), 1);
}

TEST(an_edge_entry_has_no_remote_irr)
{
    rte_write(20, RTE_LEVEL | 0x51);
    vioapic_line(vm.ioapic, 20, true);
    reg_write(RTE_LOW(20), 0x51);
    assert_false(rte_read(20) & RTE_REMOTE_IRR);
    reg_write(RTE_LOW(20), RTE_LEVEL | 0x51); /* and so it is sent again */
    assert_int_equal(posted_in_all(), 2);
}

TEST(destinations)
{
    rte_write(5, UINT64_C(2) << 56 | 0x61);
    vioapic_line(vm.ioapic, 5, true);
    assert_int_equal(posted[2], 1);
    assert_int_equal(posted_in_all(), 1);
    rte_write(6, UINT64_C(6) << 56 | RTE_LOGICAL | 0x61);
    vioapic_line(vm.ioapic, 6, true);
    assert_int_equal(posted[1], 1);
    assert_int_equal(posted[2], 2);
    rte_write(7, UINT64_C(6) << 56 | RTE_LOGICAL | FIELD_SET(RTE_DELIVERY, APIC_DELIVERY_LOWEST) |
                     0x61);
    vioapic_line(vm.ioapic, 7, true);
    assert_int_equal(posted_in_all(), 4);               /* one of the two */
    rte_write(8, UINT64_C(5) << 56 | RTE_LEVEL | 0x61); /* to no vCPU: so there is no EOI */
    vioapic_line(vm.ioapic, 8, true);
    assert_int_equal(posted_in_all(), 4);
    assert_false(rte_read(8) & RTE_REMOTE_IRR);
}

/* No vector below 16, and only the two modes that a device may use: an NMI or an INIT from a pin
 * is not for a guest to make. */
TEST(what_is_not_delivered)
{
    rte_write(9, RTE_LEVEL | 0x0f);
    vioapic_line(vm.ioapic, 9, true);
    for (unsigned mode = 2; mode < 8; mode++) {
        rte_write(10, FIELD_SET(RTE_DELIVERY, mode) | 0x61);
        vioapic_line(vm.ioapic, 10, false);
        vioapic_line(vm.ioapic, 10, true);
    }
    assert_int_equal(posted_in_all(), 0);
    assert_false(rte_read(9) & RTE_REMOTE_IRR);
    reg_write(RTE_LOW(9), RTE_LEVEL | 0x10);
    assert_int_equal(posted_in_all(), 1);
}

/* A reset masks every pin and forgets its service; the lines are the devices'. */
TEST(after_a_reset)
{
    bool asserted;
    reg_write(0, UINT32_MAX);
    rte_write(LAST, RTE_LEVEL | 0x51);
    vioapic_line(vm.ioapic, LAST, true);
    vioapic_reset(&vm);
    assert_int_equal(load(0), 0);
    assert_int_equal(reg_read(0), 0);
    assert_int_equal(vioapic_rte(vm.ioapic, LAST, &asserted), RTE_MASKED);
    assert_true(asserted);
    assert_int_equal(vioapic_rte(vm.ioapic, 0, &asserted), RTE_MASKED);
    assert_false(asserted);
    rte_write(LAST, RTE_LEVEL | 0x51);
    assert_int_equal(posted_in_all(), 2);
}

/* The page holds the pins, and more behind them: neither a reset nor an EOI looks there. */
TEST(no_pin_behind_the_last)
{
    uint64_t *words = (uint64_t *)vm.ioapic;
    size_t found = 0, last = 0, stride = 0;
    for (size_t i = 0; i < PAGE_SIZE / sizeof(*words); i++)
        if (words[i] == RTE_MASKED) { /* as the reset has left each pin */
            stride = i - last;
            last = i;
            found++;
        }
    assert_int_equal(found, VIOAPIC_PINS);
    words[last + stride] = RTE_REMOTE_IRR | RTE_LEVEL | 0x51;
    vioapic_eoi(vm.ioapic, 0x51);
    assert_int_equal(words[last + stride], RTE_REMOTE_IRR | RTE_LEVEL | 0x51);
}

TEST(no_page_for_it)
{
    struct vm other = {0};
    no_page = true;
    assert_null(vioapic_create(&other));
    assert_int_equal(other.mmio.count, 0);
    no_page = false;
}

/* Another range lies there already. */
TEST(no_place_for_it)
{
    struct vm other = {0};
    assert_int_equal(vm_bus_add(&other.mmio, VM_TRAPPED(VM_IOAPIC_BASE, 8, "", NULL, NULL, NULL)),
                     0);
    assert_null(vioapic_create(&other));
}

/* SDM "Local APIC State After It Has Been Software Disabled" */
TEST(a_local_apic_that_is_off)
{
    off = BIT(1);
    rte_write(3, FIELD_SET(RTE_DEST, 1) | 0x40);
    vioapic_line(vm.ioapic, 3, true);
    rte_write(20, FIELD_SET(RTE_DEST, 1) | RTE_LEVEL | 0x41);
    vioapic_line(vm.ioapic, 20, true);
    assert_int_equal(posted_in_all(), 0);
    assert_false(rte_read(20) & RTE_REMOTE_IRR); /* so that a later one is delivered */
    off = 0;
    rte_write(20, FIELD_SET(RTE_DEST, 1) | RTE_LEVEL | 0x41);
    assert_int_equal(posted[1], 1);
}

/* What else is wired to the lines of ISA: the PICs of a VM that has them. */
static unsigned isa_lines;
static void count_line(struct vm *of, unsigned pin, bool asserted)
{
    assert_ptr_equal(of, &vm);
    assert_true(pin < 16 && asserted);
    isa_lines |= 1u << pin;
}

TEST(lines_of_isa_go_to_the_pics_too)
{
    vm.wires.line = count_line;
    isa_lines = 0;
    for (unsigned pin = 0; pin < VIOAPIC_PINS; pin++)
        vioapic_line(vm.ioapic, pin, true);
    assert_int_equal(isa_lines, 0xffff);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fresh, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(registers),
        CASE(a_narrow_write_changes_no_entry),
        CASE(what_an_entry_takes),
        CASE(an_edge_interrupts_once),
        CASE(a_masked_level_waits),
        CASE(a_level_interrupts_once_per_service),
        CASE(an_eoi_is_of_one_vector),
        CASE(the_owner_hears_before_the_line_is_looked_at),
        CASE(an_edge_entry_has_no_remote_irr),
        CASE(destinations),
        CASE(what_is_not_delivered),
        CASE(a_local_apic_that_is_off),
        CASE(after_a_reset),
        CASE(lines_of_isa_go_to_the_pics_too),
        CASE(no_pin_behind_the_last),
        CASE(no_page_for_it),
        CASE(no_place_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
