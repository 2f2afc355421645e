/* SPDX-License-Identifier: MIT */
/*
 * A VM of 64 GiB: what it takes to prove its tables, and to take them down, counted in entries that
 * are read. The tables are real, and the memory is not there. With `scale` as its argument it
 * prints these counts for sizes from 64 MiB to 64 GiB.
 * From: make scale (tests/bench/scale.py), which draws what is printed.
 */
// sources: vmx/ept.c vtd/sspt.c guest/life/check.c
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include "lib/atomic.h"
#include "tests/unit/test.h"
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static uint64_t reads; /* of entries, by a walk or a run */
#undef atomic_load
#define atomic_load(p) (reads++, __atomic_load_n(p, __ATOMIC_SEQ_CST))
#include "arch/radix.c"

#include "arch/leaks.h"
#include "guest/assign/assign.h"
#include "guest/assign/vmsix.h"
#include "guest/core/memory.h"
#include "guest/core/reserved.h"
#include "guest/life/check.h"
#include "vmx/caps.h"
#include "vmx/ept.h"
#include "vmx/ept_flush.h"
#include "vmx/run/post.h"
#include "vtd/unit.h"

#define GIB       (UINT64_C(1) << 30)
#define HPA       (128 * GIB)
#define HIGH_RAM  (4 * GIB)
#define PAGES_MAX 40000 /* of tables, at once */

/* --- What the checked sources stand on -------------------------------------------------------- */

struct vmx_caps vmx_caps;
struct vtd_state vtd;
uint32_t leaks_guards;
static uint8_t *pool;
static size_t pool_used;
static int pages_out;
static uint64_t guest_asked; /* bytes, of which was asked whether they are a guest's */

void *page_alloc(void)
{
    assert_true(pool_used < PAGES_MAX);
    pages_out++;
    return memset(pool + pool_used++ * PAGE_SIZE, 0, PAGE_SIZE);
}
void page_free(void *page)
{
    assert_true((uint8_t *)page >= pool && (uint8_t *)page < pool + pool_used * PAGE_SIZE);
    pages_out--;
}
bool page_is_guest(hpa_t base, uint64_t size)
{
    (void)base;
    guest_asked += size;
    return true;
}
bool page_is_ram(hpa_t base, uint64_t size) { return base.v < 64 * GIB && size; }
bool memory_holds(const struct vm *vm, hpa_t to, uint64_t size)
{
    for (const struct vm_ram *r = vm->ram; r < vm->ram + VM_RAM_COUNT; r++)
        if (to.v - r->to.v < r->size && size <= r->size - (to.v - r->to.v))
            return true;
    return false;
}

void ept_flush(struct ept *ept) { (void)ept; }
void unit_publish(const void *p, size_t size) { (void)p, (void)size; }
void invalidate_iotlb_range(struct vtd_unit *u, unsigned did, uint64_t iova, uint64_t size)
{
    (void)u, (void)did, (void)iova, (void)size;
}
void invalidate_write_buffer(struct vtd_unit *u) { (void)u; }
bool bitmaps_port_passes(const struct bitmaps *b, uint16_t port)
{
    (void)b;
    return port < PCI_PORT_ADDRESS;
}
bool reserved_holds(const struct vm *vm, hpa_t to, uint64_t size)
{
    (void)vm, (void)to, (void)size;
    return false;
}
static struct vbar bars[2];
const struct vbar *vbar_holding(const struct vm *vm, uint64_t to, uint64_t size)
{
    (void)vm;
    for (unsigned i = 0; i < ARRAY_COUNT(bars); i++)
        if (to - bars[i].host.base < bars[i].host.size &&
            size <= bars[i].host.size - (to - bars[i].host.base))
            return &bars[i];
    return NULL;
}
unsigned vtd_irte_next(unsigned index) { return index + VTD_IRTE_MAX; }
bool vtd_irte_unverified(unsigned index) { return index > VTD_IRTE_MAX; }
bool vtd_irte_posts(unsigned index, const struct pi_desc **pid)
{
    (void)index, (void)pid;
    return false;
}
uint32_t vtd_compatibility_units(void) { return 0; }
const struct pi_desc *vcpu_descriptor(const struct vcpu *v) { return v ? NULL : NULL; }
bool irq_route_is_foreign(const struct irq_route *r) { return !r; }
const struct irq_route *vmsix_route(const struct vmsix *m, unsigned n, bool *masked)
{
    (void)m, (void)n, (void)masked;
    return NULL;
}
void terminal_poll(void) {}
size_t vm_count(void) { return 0; }
struct vm *vm_get(size_t n) { return n ? NULL : NULL; }

/* --- A VM of any size ------------------------------------------------------------------------- */

static struct vm vm;
static struct vm *const vms[] = {&vm};
static struct vtd_domain domain;

static void map_block(const struct vm_ram *r)
{
    if (!r->size)
        return;
    assert_int_equal(ept_map(vm.ept, gpa(r->at), r->to, r->size, EPT_PERM_ALL, EPT_WB), 0);
    assert_int_equal(vtd_map(&domain, gpa(r->at), r->to, r->size, VTD_READ | VTD_WRITE), 0);
}

/* `off`: of the memory's address from a border of 1 GiB. */
static void make(uint64_t size, uint64_t off)
{
    uint64_t low = MIN(size, VM_LOW_RAM_MAX);
    pool_used = 0;
    memset(&vm, 0, sizeof(vm));
    vm.ram_size = size;
    vm.ram[0] = (struct vm_ram){0, hpa(HPA + off), low};
    vm.ram[1] = (struct vm_ram){HIGH_RAM, hpa(HPA + off + low), size - low};
    vm.ept = ept_create();
    domain = (struct vtd_domain){.used = true, .id = 1};
    assert_int_equal(sspt_init(&domain.tree), 0);
    vm.domain = &domain;
    reads = 0;
    map_block(&vm.ram[0]);
    map_block(&vm.ram[1]);
}

static void unmake(void)
{
    radix_free(&domain.tree);
    ept_destroy(vm.ept);
}

static uint64_t checked(unsigned breaches)
{
    reads = guest_asked = 0;
    assert_int_equal(check_vms(vms, 1), breaches);
    return reads;
}

FIXTURE(start)
{
    vmx_caps.ept_2m = vmx_caps.ept_1g = true;
    vtd = (struct vtd_state){.levels = 4, .address_bits = 48, .pages_2m = true, .pages_1g = true};
    vtd.dmar.address_width = 46;
    leaks_guards = 0;
    pages_out = 0;
    pool = mmap(NULL, PAGES_MAX * PAGE_SIZE, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return pool == MAP_FAILED;
}

FIXTURE(end)
{
    munmap(pool, PAGES_MAX * PAGE_SIZE);
    return pages_out;
}

/* --- Proofs ----------------------------------------------------------------------------------- */

/* An empty tree costs a look at two tables, of 512 entries each. Three runs over the memory: the
 * EPT, the second stage, and the EPT again for what the second stage has. */
#define EMPTY   (3 * 2 * 512 + 100)
#define RUNS(n) (3 * (n) + (n) / 50 + EMPTY) /* one in fifty is read by a walk from the root */

TEST(pages_of_1_gib_are_read_one_by_one)
{
    make(64 * GIB, 0);
    assert_in_range(checked(0), 3 * 64, RUNS(64));
    assert_int_equal(guest_asked, 64 * GIB);
    assert_in_range(pages_out, 1, 10);
    unmake();
}

TEST(pages_of_2_mib_too)
{
    make(64 * GIB, SIZE_2M); /* the addresses do not fit for more */
    assert_in_range(checked(0), 3 * 64 * 512, RUNS(64 * 512));
    assert_int_equal(guest_asked, 64 * GIB);
    unmake();
}

/* Where the CPU has a leak by large pages, its own tables have no others: each entry is read, but
 * without a walk for each. */
TEST(pages_of_4_kib_without_a_walk_for_each)
{
    leaks_guards = LEAKS_SMALL;
    make(4 * GIB, 0);
    uint64_t entries = 4 * 512 * 512;
    assert_in_range(checked(0), 2 * entries, 2 * entries + entries / 50 + EMPTY);
    unmake();
}

/* One entry in the middle leads to other memory, or the CPU may not write there. */
TEST(one_wrong_page_is_found)
{
    static const struct {
        uint64_t leaf;
        unsigned breaches;
    } wrong[] = {{5 * GIB | FIELD_SET(EPT_MEMTYPE, EPT_WB) | EPT_PERM_ALL, 2},
                 {FIELD_SET(EPT_MEMTYPE, EPT_WB) | EPT_PERM_READ, 1}};
    for (unsigned i = 0; i < ARRAY_COUNT(wrong); i++)
        for (uint64_t off = 0; off <= SIZE_2M; off += SIZE_2M) {
            make(64 * GIB, off);
            uint64_t at = 33 * GIB + 77 * PAGE_SIZE;
            uint64_t right = vm.ram[1].to.v + at - HIGH_RAM;
            uint64_t leaf = wrong[i].leaf | (wrong[i].breaches == 1 ? right : 0);
            assert_int_equal(radix_set(&vm.ept->tree, at, PAGE_SIZE, leaf), PAGE_SIZE);
            assert_in_range(checked(wrong[i].breaches), 1, RUNS(64 * 512 + 1024));
            unmake();
        }
}

/* Two BARs, and RAM of the VM, touch: one run, and three things. What comes behind is another's. */
TEST(a_run_over_several_things)
{
    uint64_t at = 16 * GIB, to = HPA - SIZE_2M;
    make(GIB, 0);
    bars[0].host.base = to;
    bars[0].host.size = SIZE_2M - 2 * PAGE_SIZE;
    bars[1].host.base = HPA - 2 * PAGE_SIZE;
    bars[1].host.size = 2 * PAGE_SIZE;
    uint64_t size = SIZE_2M + GIB;
    assert_int_equal(ept_map(vm.ept, gpa(at), hpa(to), size, EPT_PERM_ALL, EPT_WB), 0);
    assert_int_equal(vtd_map(&domain, gpa(at), hpa(to), size, VTD_READ), 0);
    checked(0);
    assert_int_equal(guest_asked, 2 * GIB);
    assert_int_equal(ept_map(vm.ept, gpa(at + size), hpa(to + size), PAGE_SIZE, 7, EPT_WB), 0);
    checked(1);
    assert_int_equal(vtd_map(&domain, gpa(at + size), hpa(to + size), PAGE_SIZE, VTD_READ), 0);
    checked(2);
    memset(bars, 0, sizeof(bars));
    checked(2); /* the first bytes are not its own: no more is said of a run */
    unmake();
}

/* The tables of level 1 cannot be read here, and are freed all the same. */
TEST(the_end_reads_no_table_of_level_1)
{
    leaks_guards = LEAKS_SMALL;
    make(4 * GIB, 0);
    for (const struct vm_ram *r = vm.ram; r < vm.ram + VM_RAM_COUNT; r++)
        for (uint64_t at = r->at; at < r->at + r->size; at += SIZE_2M) {
            uint64_t entries[4];
            assert_int_equal(ept_walk(vm.ept, gpa(at), entries), 4);
            assert_int_equal(mprotect(table_of(entries[2]), PAGE_SIZE, PROT_NONE), 0);
        }
    unmake();
}

/* --- For the pictures ------------------------------------------------------------------------- */

static void print_counts(const char *kind, uint64_t off, uint32_t guards)
{
    for (uint64_t size = GIB / 16; size <= 64 * GIB; size *= 2) {
        start(NULL);
        leaks_guards = guards;
        make(size, off);
        uint64_t tables = (uint64_t)pages_out, check = checked(0);
        unmake();
        end(NULL);
        printf("scale %s mib=%lu tables=%lu check=%lu\n", kind, size >> 20, tables, check);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "scale")) {
        print_counts("1g", 0, 0);
        print_counts("2m", SIZE_2M, 0);
        print_counts("4k", 0, LEAKS_SMALL);
        return 0;
    }
#define T(f) cmocka_unit_test_setup_teardown(f, start, end)
    const struct CMUnitTest tests[] = {
        T(pages_of_1_gib_are_read_one_by_one),
        T(pages_of_2_mib_too),
        T(pages_of_4_kib_without_a_walk_for_each),
        T(one_wrong_page_is_found),
        T(a_run_over_several_things),
        T(the_end_reads_no_table_of_level_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
