/* SPDX-License-Identifier: MIT */
/*
 * Ports with a device and without one, in turn: which of them answers, and what is said of a port
 * that has none.
 */
// sources: guest/pc/pio.c guest/core/bus.c
#include <string.h>
#include "arch/log.h"
#include "guest/pc/pc.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"

static struct vm vm = {.name = "a"};
static struct vcpu vcpu = {.vm = &vm};
static uint64_t last_out;
static unsigned unclaimed, ends;

void vm_end(struct vm *of, unsigned status)
{
    of->exit_status = status;
    of->state = VM_ENDING;
    ends++;
}

static uint64_t device_read(struct vcpu *v, void *owner, uint64_t offset, unsigned width)
{
    return (void)v, (void)owner, (void)width, 0xa0 + offset;
}
static void device_write(struct vcpu *v, void *owner, uint64_t offset, unsigned width, uint64_t x)
{
    (void)v, (void)owner, (void)offset, (void)width, last_out = x;
}
static void count_unclaimed(struct vm *of, uint16_t port, uint32_t value)
{
    assert_true(of == &vm && port == 0x80 && value == 7);
    unclaimed++;
}

FIXTURE(fresh)
{
    memset(&vm.pio, 0, sizeof(vm.pio));
    vm.state = VM_RUNNING;
    vm.wires = (struct vm_wires){.unclaimed = count_unclaimed};
    unclaimed = ends = 0;
    log_threshold = LOG_INFO;
    stub_log_clear();
    assert_int_equal(vm_bus_add(&vm.pio, VM_TRAPPED(0x60, 4, "d", device_read, device_write, NULL)),
                     0);
    return pio_create(&vm);
}

static uint64_t in(unsigned port, unsigned width)
{
    uint64_t value = vcpu_on_in(&vcpu, port, width) & WIDTH_MASK(width);
    assert_int_equal(vm.lock.next, vm.lock.serving); /* it is free again */
    return value;
}

TEST(devices_and_gaps_in_turn)
{
    for (unsigned round = 0; round < 3; round++) {
        assert_int_equal(in(0x61, 1), 0xa1);
        assert_int_equal(in(0x80, 1), 0xff);
        assert_int_equal(in(0x81, 4), 0xffffffff);
        assert_int_equal(in(0xf4, 1), 0xff);
        assert_int_equal(in(0x63, 2), 0xffa3); /* half in the gap */
        assert_int_equal(in(0x5f, 2), 0xa0ff);
    }
    assert_int_equal(in(0x80, 1), 0xff);
    assert_int_equal(vm_bus_add(&vm.pio, VM_TRAPPED(0x80, 1, "e", device_read, device_write, NULL)),
                     0);
    assert_int_equal(in(0x80, 1), 0xa0); /* a gap has got a device */
    vm_bus_remove(&vm.pio, 0x60);
    assert_int_equal(in(0x61, 1), 0xff); /* and a device has gone */
}

/* At the level `trace` each access is named, the second one to the same gap, too. */
TEST(a_port_without_a_device_is_named)
{
    for (unsigned round = 0; round < 2; round++) {
        in(0x80, 1);
        assert_string_equal(stub_log, "");
    }
    log_threshold = LOG_TRACE;
    for (unsigned round = 0; round < 2; round++) {
        stub_log_clear();
        in(0x80, 1);
        assert_string_equal(stub_log, "vm: vm=a in port=0x80: no device\n");
        stub_log_clear();
        assert_int_equal(vcpu_on_out(&vcpu, 0x80, 1, 7), RESUME_NEXT);
        assert_string_equal(stub_log, "vm: vm=a out port=0x80: no device\n");
    }
    assert_int_equal(unclaimed, 2);
}

TEST(writes)
{
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(vcpu_on_out(&vcpu, 0x62, 2, 0x1234), RESUME_NEXT);
        assert_int_equal(last_out, 0x1234);
    }
    assert_int_equal(unclaimed, 0);
    assert_int_equal(vcpu_on_out(&vcpu, 0xf4, 1, 3), STOP_VM);
    assert_int_equal(vm.exit_status, 7);
    assert_int_equal(ends, 1);
    assert_int_equal(vm.lock.next, vm.lock.serving);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(devices_and_gaps_in_turn, fresh),
        cmocka_unit_test_setup(a_port_without_a_device_is_named, fresh),
        cmocka_unit_test_setup(writes, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
