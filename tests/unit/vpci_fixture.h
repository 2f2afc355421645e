/* SPDX-License-Identifier: MIT */
/*
 * Around each test of an assigned function: the model of a device, given to a VM before and
 * taken back after.
 * From: tests/unit/test_vpci.c, test_vpci_msi.c, test_assign.c.   To: tests/unit/assign_model.h.
 */
#pragma once
#include <string.h>
#include "tests/unit/assign_model.h"
#include "tests/unit/test.h"

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static struct vpci_function *f;
static struct vcpu asking = {.vm = &m.vm}; /* who accesses */

FIXTURE(setup)
{
    model_init(PLAN_POST_HW, BAR_EAGER);
    f = m.vm.pci->functions[1];
    return 0;
}

FIXTURE(teardown)
{
    model_end();
    assert_int_equal(m.map_count, 0);
    for (unsigned p = 0; p < 65536; p++)
        assert_false(m.port_passes[p]);
    assert_int_equal(m.vm.pio.count, 0);
    assert_int_equal(m.vm.mmio.count, 0);
    assert_int_equal(m.irte_free, m.irte_next); /* every entry came back, and every vector */
    assert_int_equal(m.vectors_left, MODEL_VECTORS);
    return 0;
}

static inline void again(void)
{
    model_end();
    assert_int_equal(m.irte_free, m.irte_next);
    model_device();
}

/* The guest resets the function, and a tick of the bootstrap processor does it. */
static inline void function_reset(void)
{
    vpci_write(f, AT_PCIE_CONTROL, 2, PCIE_DEVICE_FLR);
    assign_tick(&m.vm);
}

static inline void table(unsigned offset, unsigned width, uint64_t value)
{
    const struct vm_range *r = vm_bus_find(&m.vm.mmio, vpci_read(f, PCI_BAR(1), 4) + 0x1000);
    r->write(&asking, r->owner, offset, width, value);
}

static inline uint64_t table_in(unsigned offset, unsigned width)
{
    const struct vm_range *r = vm_bus_find(&m.vm.mmio, vpci_read(f, PCI_BAR(1), 4) + 0x1000);
    return r->read(&asking, r->owner, offset, width) & WIDTH_MASK(width);
}
