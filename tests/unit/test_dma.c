/* SPDX-License-Identifier: MIT */
// sources: guest/assign/dma.c guest/core/memory.c guest/core/identity.c
/*
 * RAM of a VM as its devices find it: the bounds of a range, the pages that devices may use by
 * host-physical address, and which ways exclude each other.
 */
#include <stdlib.h>
#include <string.h>
#include "arch/log.h"
#include "arch/options.h"
#include "arch/page.h"
#include "arch/task.h"
#include "guest/assign/dma.h"
#include "guest/core/identity.h"
#include "guest/core/memory.h"
#include "lib/hypercall.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"

#define RAM_PAGES 16
#define RAM_SIZE  (RAM_PAGES * PAGE_SIZE)
#define LIST      (3 * PAGE_SIZE)

static struct vm vm;
static uint8_t ram[RAM_SIZE] __attribute__((aligned(4096)));
static char untranslated;
static struct pci_function fn;
static struct assignment a = {.vm = &vm, .fn = &fn};
static int pages_left, domains;

static char asked[16]; /* for which alignments */
void *pages_alloc(size_t count, uint64_t align)
{
    if (align > PAGE_SIZE)
        strcat(asked, align == SIZE_1G ? "1g " : "2m ");
    if (pages_left-- <= 0)
        return NULL;
    return memset(aligned_alloc(MIN(align, PAGE_SIZE), count * PAGE_SIZE), 0, count * PAGE_SIZE);
}
void pages_free(void *p, size_t count)
{
    (void)count;
    free(p);
}
size_t page_free_count(void) { return 0; }
void page_keep(hpa_t base, uint64_t size) { (void)base, (void)size; }
int page_claim(hpa_t base, uint64_t size) { return (void)base, (void)size, -ENOMEM; }
void page_unclaim(void) {}
static size_t copied; /* by a function that pauses */
void task_copy(void *to, const void *from, size_t size)
{
    copied += size;
    if (from)
        memcpy(to, from, size);
    else
        memset(to, 0, size);
}
static int64_t marked; /* bytes that are marked as a guest's */
void page_mark_guest(hpa_t at, uint64_t size, bool on)
{
    assert_non_null(hpa_ptr(at));
    marked += on ? (int64_t)size : -(int64_t)size;
}

/* What was mapped last, and undone: CPU first, then devices; and back in the other order. */
static char order[64];
static int ept_error, vtd_error;
int ept_map(struct ept *ept, gpa_t at, hpa_t to, uint64_t size, unsigned perm, enum ept_type type)
{
    (void)ept, (void)at, (void)to, (void)size, (void)perm, (void)type;
    strcat(order, "+cpu ");
    return ept_error;
}
void ept_unmap(struct ept *ept, gpa_t at, uint64_t size)
{
    (void)ept, (void)at, (void)size;
    strcat(order, "-cpu ");
}
int vtd_map(struct vtd_domain *d, gpa_t at, hpa_t to, uint64_t size, unsigned perm)
{
    (void)d, (void)at, (void)to, (void)size;
    strcat(order, perm & VTD_WRITE ? "+dma(w) " : "+dma ");
    return vtd_error;
}
void vtd_unmap(struct vtd_domain *d, gpa_t at, uint64_t size)
{
    (void)d, (void)at, (void)size;
    strcat(order, "-dma ");
}
struct vtd_domain *vtd_domain_create_untranslated(void)
{
    domains++;
    return (struct vtd_domain *)&untranslated;
}
void vtd_domain_destroy(struct vtd_domain *d)
{
    assert_ptr_equal(d, &untranslated);
    domains--;
}

const char *const dma_mode_names[] = {"vtd", "pv", "identity"};

static struct hypercall_pages *list;

FIXTURE(fresh)
{
    memset(&vm, 0, sizeof(vm));
    memset(ram, 0, sizeof(ram));
    order[0] = asked[0] = '\0';
    ept_error = vtd_error = 0;
    pages_left = 100;
    vm.ram_size = RAM_SIZE;
    vm.ram[0] = (struct vm_ram){0, ptr_hpa(ram), RAM_SIZE};
    vm.domain = (struct vtd_domain *)&vm;
    list = (struct hypercall_pages *)(ram + LIST);
    a.config = (struct device_config){.dma = DMA_PV};
    return 0;
}

FIXTURE(done)
{
    dma_release(&vm);
    assert_int_equal(domains, 0);
    assert_null(vm.pins);
    assert_null(vm.untranslated);
    assert_int_equal(vm.pinned_count, 0);
    return 0;
}

/* A range is RAM from its first byte to its last, or it is not. */
TEST(a_range_lies_in_ram_as_a_whole)
{
    assert_ptr_equal(vm_ram(&vm, gpa(0), RAM_SIZE), ram);
    assert_null(vm_ram(&vm, gpa(0), RAM_SIZE + 1));
    assert_null(vm_ram(&vm, gpa(1), RAM_SIZE));
    assert_ptr_equal(vm_ram(&vm, gpa(RAM_SIZE - 8), 8), ram + RAM_SIZE - 8);
    assert_null(vm_ram(&vm, gpa(RAM_SIZE - 8), 9));
    assert_null(vm_ram(&vm, gpa(RAM_SIZE - 8), UINT64_MAX));
    assert_null(vm_ram(&vm, gpa(RAM_SIZE), 0));
    assert_null(vm_ram(&vm, gpa(UINT64_MAX), 2));
    vm.ram[0].size = RAM_SIZE / 2; /* a hole between two blocks */
    vm.ram[1] = (struct vm_ram){UINT64_C(1) << 32, ptr_hpa(ram + RAM_SIZE / 2), RAM_SIZE / 2};
    assert_null(vm_ram(&vm, gpa(RAM_SIZE / 2 - 1), 2));
    assert_null(vm_ram(&vm, gpa(RAM_SIZE / 2), 1));
    assert_ptr_equal(vm_ram(&vm, gpa((UINT64_C(1) << 32) + 1), 7), ram + RAM_SIZE / 2 + 1);
    assert_null(vm_ram(&vm, gpa((UINT64_C(1) << 32) - 1), 2));
}

TEST(memory_of_this_vm)
{
    assert_true(memory_holds(&vm, ptr_hpa(ram), RAM_SIZE));
    assert_true(memory_holds(&vm, ptr_hpa(ram + RAM_SIZE - 1), 1));
    assert_false(memory_holds(&vm, ptr_hpa(ram + RAM_SIZE - 1), 2));
    assert_false(memory_holds(&vm, hpa(ptr_hpa(ram).v - 1), 2));
    assert_false(memory_holds(&vm, hpa(ptr_hpa(ram).v + RAM_SIZE), 0));
}

/* Devices never reach what the CPU does not. */
TEST(the_cpu_first_and_last)
{
    assert_int_equal(vm_map(&vm, gpa(0), hpa(0), PAGE_SIZE, EPT_PERM_ALL, EPT_WB, true), 0);
    vm_unmap(&vm, gpa(0), PAGE_SIZE, true);
    assert_string_equal(order, "+cpu +dma(w) -dma -cpu ");
    order[0] = '\0';
    assert_int_equal(vm_map(&vm, gpa(0), hpa(0), PAGE_SIZE, EPT_PERM_READ, EPT_UC, true), 0);
    assert_string_equal(order, "+cpu +dma ");
    order[0] = '\0';
    assert_int_equal(vm_map(&vm, gpa(0), hpa(0), PAGE_SIZE, EPT_PERM_ALL, EPT_UC, false), 0);
    vm_unmap(&vm, gpa(0), PAGE_SIZE, false);
    assert_string_equal(order, "+cpu -cpu ");
    order[0] = '\0';
    vtd_error = -ENOMEM;
    assert_int_equal(vm_map(&vm, gpa(0), hpa(0), PAGE_SIZE, EPT_PERM_ALL, EPT_WB, true), -ENOMEM);
    assert_string_equal(order, "+cpu +dma(w) -cpu ");
    order[0] = '\0';
    ept_error = -ENOMEM;
    assert_int_equal(vm_map(&vm, gpa(0), hpa(0), PAGE_SIZE, EPT_PERM_ALL, EPT_WB, true), -ENOMEM);
    assert_string_equal(order, "+cpu ");
}

/* Each way in which there is no RAM has a reason for the line that the VM is refused. */
TEST(no_ram_has_a_reason)
{
    memset(vm.ram, 0, sizeof(vm.ram));
    memcpy(vm.name, "alpha", 6);
    vm.ram_size = 0;
    vm.config.mem = SIZE_2M;
    pages_left = 0;
    log_reason[0] = '\0';
    assert_int_equal(memory_create(&vm), -ENOMEM);
    assert_string_equal(log_reason,
                        "vm=alpha mem=2M: not that much memory in one piece; 0M are free");
    for (unsigned dma = 0; dma < 2; dma++) {
        pages_left = 1;
        ept_error = dma ? 0 : -ENOMEM;
        vtd_error = dma ? -ENOMEM : 0;
        log_reason[0] = '\0';
        assert_int_equal(memory_create(&vm), -ENOMEM);
        assert_string_equal(log_reason, "vm=alpha mem=2M: no memory for the tables that map it");
        memory_destroy(&vm);
    }
    assert_int_equal(marked, 0);
}

/* RAM from its making to its end: mapped for CPU and devices, marked, cleared, given back. */
TEST(ram_comes_and_goes)
{
    memset(vm.ram, 0, sizeof(vm.ram));
    vm.ram_size = 0;
    vm.config.mem = RAM_SIZE;
    pages_left = 0;
    assert_int_equal(memory_create(&vm), -ENOMEM);
    memory_destroy(&vm); /* there is none */
    pages_left = 1;
    assert_int_equal(memory_create(&vm), 0);
    assert_string_equal(order, "+cpu +dma(w) ");
    assert_int_equal(marked, RAM_SIZE);
    assert_int_equal(vm.ram_size, RAM_SIZE);
    uint8_t *first = vm_ram(&vm, gpa(0), RAM_SIZE);
    assert_non_null(first);
    assert_int_equal(vm.ram[1].size, 0);
    assert_ptr_equal(memory_stage(&vm), first); /* one piece: the loader writes into it */
    memset(first, 0xee, RAM_SIZE);
    memory_unstage(&vm, first);
    copied = 0;
    memory_clear(&vm);
    assert_int_equal(copied, RAM_SIZE);
    for (unsigned i = 0; i < RAM_SIZE; i++)
        assert_int_equal(first[i], 0);
    memory_destroy(&vm);
    assert_int_equal(marked, 0);
    assert_int_equal(vm.ram_size, 0);
    assert_null(vm_ram(&vm, gpa(0), 1));
    pages_left = 1;
    vtd_error = -ENOMEM;
    assert_int_equal(memory_create(&vm), -ENOMEM);
    vtd_error = 0;
    memory_destroy(&vm);
    assert_int_equal(marked, 0);
}

/* RAM in two pieces is loaded by way of a copy in one. */
/* From 1 GiB on, the largest pages fit, if such memory is free. */
TEST(ram_begins_at_a_border)
{
    pages_left = 0;
    vm.config.mem = SIZE_1G - SIZE_2M;
    assert_int_equal(memory_create(&vm), -ENOMEM);
    assert_string_equal(asked, "2m ");
    vm.config.mem = SIZE_1G;
    asked[0] = '\0';
    assert_int_equal(memory_create(&vm), -ENOMEM);
    assert_string_equal(asked, "1g 2m ");
}

TEST(two_pieces_are_staged)
{
    vm.ram[0].size = RAM_SIZE / 4;
    vm.ram[1] = (struct vm_ram){UINT64_C(1) << 32, ptr_hpa(ram + RAM_SIZE / 2), RAM_SIZE / 2};
    vm.ram_size = RAM_SIZE / 4 * 3;
    pages_left = 1;
    uint8_t *stage = memory_stage(&vm);
    assert_non_null(stage);
    assert_true(stage < ram || stage >= ram + RAM_SIZE);
    for (unsigned i = 0; i < vm.ram_size; i++)
        stage[i] = (uint8_t)(i / PAGE_SIZE + 1);
    memory_unstage(&vm, stage);
    for (unsigned i = 0; i < RAM_SIZE; i++) {
        unsigned page = i / PAGE_SIZE;
        unsigned want = page < RAM_PAGES / 4    ? page + 1
                        : page >= RAM_PAGES / 2 ? page + 1 - RAM_PAGES / 4
                                                : 0;
        assert_int_equal(ram[i], want);
    }
    vm.ram[1].to = ptr_hpa(ram + RAM_SIZE / 4); /* behind each other: no copy */
    assert_ptr_equal(memory_stage(&vm), ram);
}

static void list_of(uint64_t count, uint64_t first)
{
    list->count = count;
    for (uint64_t i = 0; i < count && i < HC_PAGES_MAX; i++)
        list->address[i] = first + i * PAGE_SIZE;
}

TEST(pins_are_counted)
{
    assert_int_equal(dma_pin(&vm, LIST), HC_UNKNOWN); /* no device of the VM has dma=pv */
    assert_int_equal(dma_enable(&a), 0);
    list_of(2, 0x1004);
    assert_int_equal(dma_pin(&vm, LIST), 2);
    assert_int_equal(list->address[0], ptr_hpa(ram).v + 0x1004);
    assert_int_equal(vm.pinned_count, 2);
    list_of(1, 0x1000);
    assert_int_equal(dma_pin(&vm, LIST), 1);
    assert_int_equal(vm.pinned_count, 2);
    list_of(1, 0x1000);
    assert_int_equal(dma_unpin(&vm, LIST), 1);
    assert_int_equal(vm.pinned_count, 2);
    list_of(3, 0x1000);
    assert_int_equal(dma_unpin(&vm, LIST), 2); /* the third was never pinned */
    assert_int_equal(vm.pinned_count, 0);
    list_of(2, (RAM_PAGES - 1) * PAGE_SIZE);
    assert_int_equal(dma_pin(&vm, LIST), 1);   /* the second is no RAM */
    assert_int_equal(dma_unpin(&vm, LIST), 0); /* it holds a host-physical address now */
}

TEST(a_list_is_one_page_of_ram)
{
    assert_int_equal(dma_enable(&a), 0);
    list_of(1, 0x1000);
    assert_int_equal(dma_pin(&vm, LIST + 8), HC_UNKNOWN);
    assert_int_equal(dma_pin(&vm, RAM_SIZE), HC_UNKNOWN);
    list->count = HC_PAGES_MAX + 1;
    assert_int_equal(dma_pin(&vm, LIST), HC_UNKNOWN);
    list_of(HC_PAGES_MAX, UINT64_MAX); /* the first is no RAM */
    assert_int_equal(dma_pin(&vm, LIST), 0);
    assert_int_equal(vm.pinned_count, 0);
}

/* A count that began again at zero would let the guest unpin what a device still uses. */
TEST(a_page_is_not_pinned_more_often_than_can_be_counted)
{
    assert_int_equal(dma_enable(&a), 0);
    for (unsigned n = 0; n < UINT16_MAX; n++) {
        list_of(1, 0x1000);
        assert_int_equal(dma_pin(&vm, LIST), 1);
    }
    list_of(1, 0x1000);
    assert_int_equal(dma_pin(&vm, LIST), 0);
    assert_int_equal(list->address[0], 0x1000);
    assert_int_equal(vm.pinned_count, 1);
    list_of(1, 0x1000);
    assert_int_equal(dma_unpin(&vm, LIST), 1);
    assert_int_equal(vm.pinned_count, 1);
}

TEST(what_each_way_needs)
{
    a.config.dma = DMA_VTD;
    assert_int_equal(dma_enable(&a), 0);
    assert_ptr_equal(dma_domain(&a), vm.domain);
    assert_null(vm.untranslated);
    vm.domain = NULL;
    assert_int_equal(dma_enable(&a), -ENODEV);
    a.config.dma = DMA_IDENTITY;
    assert_int_equal(dma_enable(&a), -EPERM); /* its RAM lies elsewhere */
    assert_null(vm.untranslated);
    vm.ram[1] = (struct vm_ram){UINT64_C(0x1000000), hpa(0x1000000), PAGE_SIZE};
    assert_true(identity_has(&vm));
    assert_int_equal(dma_enable(&a), 0);
    assert_ptr_equal(dma_domain(&a), &untranslated);
    assert_null(vm.pins);
    a.config.dma = DMA_PV; /* the pin counts are of RAM in one piece */
    assert_int_equal(dma_enable(&a), -EPERM);
    assert_null(vm.pins);
    vm.ram[1].size = vm.ram[1].at = 0;
    pages_left = 0;
    assert_int_equal(dma_enable(&a), -ENOMEM);
    pages_left = 1;
    assert_int_equal(dma_enable(&a), 0);
    assert_int_equal(dma_enable(&a), 0); /* the second device of the kind */
    assert_int_equal(domains, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fresh, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_range_lies_in_ram_as_a_whole),
        CASE(memory_of_this_vm),
        CASE(the_cpu_first_and_last),
        CASE(no_ram_has_a_reason),
        CASE(ram_comes_and_goes),
        CASE(ram_begins_at_a_border),
        CASE(two_pieces_are_staged),
        CASE(pins_are_counted),
        CASE(a_list_is_one_page_of_ram),
        CASE(a_page_is_not_pinned_more_often_than_can_be_counted),
        CASE(what_each_way_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
