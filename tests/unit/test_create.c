/* SPDX-License-Identifier: MIT */
/*
 * A VM whose parts find no memory: its row names the reason, and what was made is given back. The
 * parts are stubs here; those that log their own failure have it in their own tests.
 */
// sources: guest/life/create.c
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arch/cpu.h"
#include "arch/page.h"
#include "guest/assign/assign.h"
#include "guest/assign/audit.h"
#include "guest/assign/dma.h"
#include "guest/core/memory.h"
#include "guest/core/reserved.h"
#include "guest/life/check.h"
#include "guest/life/config.h"
#include "guest/life/life.h"
#include "guest/pc/fetch.h"
#include "guest/pc/legacy/legacy.h"
#include "guest/pc/pc.h"
#include "guest/pc/vioapic.h"
#include "tests/unit/test.h"
#include "vmx/caps.h"
#include "vmx/exit/msr.h"
#include "vmx/run/place.h"
#include "vtd/vtd.h"

struct vmx_caps vmx_caps;
static int parts;        /* that exist */
static int parts_left;   /* that can be made */
static size_t vms;       /* that run */
static char row[256];    /* of the VM that was refused last */
static char some_object; /* what a pointer to an opaque part names */

/* --- Parts ------------------------------------------------------------------------------------ */

static bool make(void)
{
    if (parts_left == 0)
        return false;
    parts_left--;
    parts++;
    return true;
}

void *pages_alloc(size_t count, uint64_t align)
{
    return make() ? memset(aligned_alloc(align, count * PAGE_SIZE), 0, count * PAGE_SIZE) : NULL;
}
void pages_free(void *first, size_t count)
{
    (void)count;
    parts--;
    free(first);
}
#define PART(type, name, ...)                                                                      \
    struct type *name##_create(__VA_ARGS__) { return make() ? (void *)&some_object : NULL; }       \
    void name##_destroy(struct type *part)                                                         \
    {                                                                                              \
        assert_ptr_equal(part, &some_object);                                                      \
        parts--;                                                                                   \
    }
PART(ept, ept, void)
PART(bitmaps, bitmaps, bool ipiv __attribute__((unused)))
PART(vioapic, vioapic, struct vm *vm __attribute__((unused)))
PART(vpci, vpci, struct vm *vm __attribute__((unused)))
PART(vcpu, vcpu, const struct vcpu_place *place __attribute__((unused)))
PART(vtd_domain, vtd_domain, void)

#define STEP(name)                                                                                 \
    int name(struct vm *vm) { return (void)vm, 0; }
STEP(memory_create)
STEP(reserved_map)
STEP(vm_load)
STEP(fetch_create)
STEP(pio_create)
STEP(vbios_create)
STEP(vuart_create)
STEP(vrtc_create)
STEP(vpower_create)
STEP(vlapic_create)
STEP(legacy_create)
STEP(assign_all)
STEP(step_prepare)
#define NOTHING(name)                                                                              \
    void name(struct vm *vm) { (void)vm; }
NOTHING(assign_release_all)
NOTHING(legacy_destroy)
NOTHING(vlapic_destroy)
NOTHING(delivery_destroy)
NOTHING(vuart_destroy)
NOTHING(fetch_destroy)
NOTHING(dma_release)
NOTHING(memory_destroy)
NOTHING(vm_power_on)
void vm_start_state(struct vm *vm, struct vcpu *v) { (void)vm, (void)v; }
void msr_open_bitmap(struct bitmaps *b) { (void)b; }
void assign_init(void) {}
void audit_print(void) {}
bool vtd_active(void) { return true; }
bool place_knows(const struct vcpu *v) { return (void)v, false; }
unsigned cpu_count(void) { return 1; }
size_t page_free_count(void) { return 0; }
int config_pin(const struct vm_config *c, unsigned vcpu) { return (void)c, (void)vcpu, -1; }

/* --- The list of VMs -------------------------------------------------------------------------- */

static struct vm *last;
size_t vm_count(void) { return vms; }
void vm_list_add(struct vm *vm)
{
    last = vm;
    vms++;
}
void check_or_panic(const struct vm *vm, const char *when) { (void)vm, (void)when; }
size_t config_read(const struct boot_info *info, struct vm_config *configs, size_t max, size_t *bad)
{
    (void)info;
    assert_int_equal(max, VM_MAX);
    *bad = 0;
    strcpy(configs[0].name, "alpha");
    configs[0].vcpus = 1;
    return 1;
}
void console_line(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(row, sizeof(row), fmt, args);
    va_end(args);
}

/* In the order in which they are made. Without a domain a VM runs, but with no device. */
TEST(a_refused_vm_has_a_reason)
{
    static const char *const reasons[] = {
        "vm=alpha: no memory for what is kept of it",
        "vm=alpha: no memory for its tables", /* EPT */
        "vm=alpha: no memory for its tables", /* bitmaps */
        "vm=alpha vcpus=1: no memory for vCPU 0",
        "vm=alpha vcpus=1: no memory for vCPU 0",
        "vm=alpha: no memory for its I/O APIC and PCI bus",
        "vm=alpha: no memory for its I/O APIC and PCI bus",
    };
    for (int i = 0; i < (int)ARRAY_COUNT(reasons); i++) {
        char want[256];
        snprintf(want, sizeof(want), "hamlet: vm=alpha exit=refused why=\"%s\"", reasons[i]);
        parts_left = 1 + i; /* the list of configurations is the first */
        assert_int_equal(vm_create_all(NULL), 0);
        assert_string_equal(row, want);
        assert_int_equal(vm_refused_count(), 1);
        assert_int_equal(parts, 0);
    }
    parts_left = 1 + (int)ARRAY_COUNT(reasons);
    row[0] = '\0';
    assert_int_equal(vm_create_all(NULL), 1);
    assert_string_equal(row, "");
    assert_int_equal(parts, ARRAY_COUNT(reasons));
    vm_give_back(last);
    assert_int_equal(parts, 1); /* the VM itself */
    free(last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_vm_has_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
