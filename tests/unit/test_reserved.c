/* SPDX-License-Identifier: MIT */
// sources: guest/core/reserved.c guest/core/config.c
/*
 * rmrr=map: which regions a VM gets, and what is refused.
 * To: guest/core/reserved.c.
 */
#include "guest/core/reserved.h"
#include "arch/options.h"
#include "arch/page.h"
#include "guest/core/memory.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"
#include "vtd/vtd.h"
#include <string.h>

#define USB      BDF(0, 0x1d, 0)
#define DISPLAY  BDF(0, 2, 0)
#define REGION   UINT64_C(0x7b800000)
#define STOLEN   UINT64_C(0x7c000000)
#define USED_RAM UINT64_C(0x10000000)

struct options options;
static struct pci_function functions[] = {{.bdf = USB}, {.bdf = DISPLAY}};
static struct vm vm, other;
static hpa_t regions[12]; /* of USB; DISPLAY has the first and STOLEN */
static unsigned region_count, mapped;
static uint64_t region_size;
static int map_error;

bool vtd_rmrr(bdf_t bdf, unsigned n, hpa_t *base, uint64_t *size)
{
    *size = region_size;
    *base = bdf == DISPLAY && n == 1 ? hpa(STOLEN) : regions[n];
    return bdf == DISPLAY ? n < 2 : n < region_count;
}
struct pci_function *pci_find(bdf_t bdf)
{
    for (size_t i = 0; i < ARRAY_COUNT(functions); i++)
        if (functions[i].bdf == bdf)
            return &functions[i];
    return NULL;
}
struct pci_function *pci_find_id(uint16_t vendor, uint16_t device, unsigned nth)
{
    (void)vendor, (void)device;
    return nth < ARRAY_COUNT(functions) ? &functions[nth] : NULL;
}
bool page_is_ram(hpa_t base, uint64_t size)
{
    return ranges_overlap(base.v, size, USED_RAM, UINT64_C(0x10000000));
}
int vm_map(struct vm *of, gpa_t at, hpa_t to, uint64_t size, unsigned perm, enum ept_type type,
           bool dma)
{
    assert_ptr_equal(of, &vm);
    assert_true(at.v == to.v && size == 0x10000 && dma && type == EPT_UC);
    assert_int_equal(perm, EPT_PERM_READ | EPT_PERM_WRITE);
    mapped += map_error == 0;
    return map_error;
}
struct vm *vm_next(const struct vm *before) { return before ? NULL : &other; }

static int setup(void **state)
{
    (void)state;
    memset(&vm, 0, sizeof(vm));
    memset(&other, 0, sizeof(other));
    options.rmrr_map = true;
    vm.config.devices[0].bdf = USB;
    vm.config.device_count = 1;
    regions[0] = hpa(REGION);
    region_count = 1;
    region_size = 0x10000;
    map_error = 0;
    mapped = 0;
    return 0;
}

TEST(an_empty_region_is_refused)
{
    region_size = 0;
    assert_int_equal(reserved_map(&vm), -EPERM);
    assert_int_equal(mapped, 0);
}

TEST(a_region_is_mapped_at_its_own_address)
{
    assert_int_equal(reserved_map(&vm), 0);
    assert_int_equal(mapped, 1);
    assert_true(reserved_complete(&vm, &functions[0]));
    assert_false(reserved_complete(&vm, &functions[1])); /* a device that is given hot */
    assert_true(reserved_holds(&vm, hpa(REGION + 0xf000), 0x1000));
    assert_false(reserved_holds(&vm, hpa(REGION + 0xf000), 0x1001));
    assert_false(reserved_holds(&vm, hpa(0), 1));
    assert_true(reserved_overlaps(&vm, REGION - 1, 2));
    assert_false(reserved_overlaps(&vm, REGION - 1, 1));
    assert_false(reserved_overlaps(&vm, 0, 0x1000));
}

TEST(without_the_option_nothing_is)
{
    options.rmrr_map = false;
    assert_int_equal(reserved_map(&vm), 0);
    assert_int_equal(mapped, 0);
}

TEST(two_functions_share_a_region)
{
    vm.config.devices[1] = (struct device_config){.by_id = true, .nth = 1};
    vm.config.device_count = 2;
    assert_int_equal(reserved_map(&vm), 0);
    assert_int_equal(mapped, 2);
    assert_true(reserved_complete(&vm, &functions[1]));
}

TEST(what_is_refused)
{
    static const struct {
        uint64_t base;
        int map_error, err;
    } rows[] = {
        {USED_RAM + 0x1000, 0, -EPERM},
        {VM_ECAM_BASE, 0, -EPERM},
        {VM_MMIO_BASE - 0x1000, 0, -EPERM},
        {VM_APIC_BASE, 0, -EPERM},
        {VM_MMIO_BASE, 0, 0},
        {REGION, -EEXIST, -EEXIST}, /* RAM of the VM lies there */
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        setup(NULL);
        regions[0] = hpa(rows[i].base);
        map_error = rows[i].map_error;
        assert_int_equal(reserved_map(&vm), rows[i].err);
        assert_int_equal(reserved_complete(&vm, &functions[0]), rows[i].err == 0);
    }
    setup(NULL);
    other.reserved[0] = (struct vm_ram){REGION + 0x8000, hpa(REGION + 0x8000), 0x10000};
    assert_int_equal(reserved_map(&vm), -EPERM);
    other.state = VM_ENDED;
    assert_int_equal(reserved_map(&vm), 0);
    setup(NULL);
    region_count = VM_RESERVED_COUNT + 1;
    for (unsigned i = 0; i < region_count; i++)
        regions[i] = hpa(REGION + 0x10000 * i);
    assert_int_equal(reserved_map(&vm), -ENOSPC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_empty_region_is_refused, setup),
        cmocka_unit_test_setup(a_region_is_mapped_at_its_own_address, setup),
        cmocka_unit_test_setup(without_the_option_nothing_is, setup),
        cmocka_unit_test_setup(two_functions_share_a_region, setup),
        cmocka_unit_test_setup(what_is_refused, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
