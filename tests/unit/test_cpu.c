/* SPDX-License-Identifier: MIT */
/*
 * The start of the other CPUs, of which some do not answer, and some do not join.
 */
#include "arch/cpu.h"
#include "arch/acpi.h"
#include "arch/apic.h"
#include "arch/gdt.h"
#include "arch/page.h"
#include "arch/paging.h"
#include "arch/panic.h"
#include "arch/skew.h"
#include "arch/time.h"
#include "arch/trap.h"
#include "arch/upcalls.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"
#include <stdlib.h>
#include <string.h>

static uint64_t model_tsc(void);
static struct cpuid_regs model_cpuid(uint32_t leaf, uint32_t subleaf);
#define rdtsc()              model_tsc()
#define cpuid(leaf, subleaf) model_cpuid(leaf, subleaf)
#include "arch/cpu.c"

/* The machine: what happens to a CPU that is started. */
enum fate { SILENT, REFUSES, JOINS };

static struct {
    uint64_t tsc;
    const uint32_t *ids;
    size_t id_count;
    enum fate (*fate)(uint32_t id);
    uint32_t running[CPU_MAX + 8]; /* in cpu_ap_main(), and not parked */
    size_t running_count;
    size_t stacks;
    bool xapic;
    int skew; /* what the comparison of the TSCs returns */
} m;

uint8_t boot_stack_top[1];
asm(".globl ap_start16, ap_start16_end; ap_start16: .fill 30; ap_start16_end:");
struct cpu *ap_cpu;

uint32_t leaks_guards;
static bool is_hybrid;
static unsigned thread_bits; /* of an APIC id */
static struct cpuid_regs model_cpuid(uint32_t leaf, uint32_t subleaf)
{
    assert_int_equal(subleaf, 0);
    if (leaf == 0)
        return (struct cpuid_regs){.eax = is_hybrid ? 0x1a : 0xb};
    if (leaf == 7)
        return (struct cpuid_regs){.edx = (uint32_t)BIT(15)};
    assert_int_equal(leaf, 0x1a);
    return (struct cpuid_regs){.eax = 0x20000001};
}
uint32_t topology_core(uint32_t id) { return id >> thread_bits; }
uint32_t topology_socket(uint32_t id) { return id >> (thread_bits + 2); }
static uint64_t model_tsc(void) { return m.tsc += 1000; }
uint64_t time_deadline_us(uint64_t us) { return m.tsc + us * 1000; }
struct cpu *this_cpu(void) { return &cpus[0]; }
void skew_answer(struct cpu *cpu) { (void)cpu; }
int skew_check(struct cpu *cpu, uint64_t us)
{
    (void)us;
    if (!cpu->online && !cpu->refused)
        return -ETIMEDOUT;
    if (m.skew)
        cpu->online = cpu->refused = false; /* it asks for no more */
    return m.skew;
}
void gdt_load(struct cpu *cpu, uint8_t *stacks) { (void)cpu, (void)stacks; }
void idt_load(void) {}
void apic_init(void) {}
void paging_load(void) {}
bool apic_is_x2apic(void) { return !m.xapic; }
uint32_t apic_id(void) { return 0; }
void apic_ipi(uint32_t id, uint8_t vector) { (void)id, (void)vector; }
void apic_nmi(uint32_t id) { (void)id; }
void panic_know_others(unsigned (*count)(void), void (*send)(unsigned)) { (void)count, (void)send; }

hpa_t page_for_startup(void)
{
    static uint8_t page[PAGE_SIZE];
    return ptr_hpa(page);
}

const struct acpi_header *acpi_find(const char signature[4])
{
    static const struct acpi_header madt;
    return memcmp(signature, "APIC", 4) == 0 ? &madt : NULL;
}

size_t acpi_madt_cpus(const struct acpi_header *madt, uint32_t *apic_ids, size_t max)
{
    (void)madt;
    memcpy(apic_ids, m.ids, MIN(m.id_count, max) * sizeof(*apic_ids));
    return m.id_count;
}

void *pages_alloc(size_t count, uint64_t align)
{
    m.stacks++;
    return aligned_alloc(align, count * PAGE_SIZE);
}

void pages_free(void *first, size_t count)
{
    (void)count;
    m.stacks--;
    free(first);
}

void apic_start_cpu(uint32_t id, hpa_t start)
{
    assert_int_not_equal(start.v, 0);
    enum fate fate = m.fate(id);
    if (fate == SILENT)
        return;
    m.running[m.running_count++] = id;
    if (fate == JOINS)
        ap_cpu->online = true;
    else
        ap_cpu->refused = true;
}

void apic_park_cpu(uint32_t id)
{
    if (m.running_count > 0 && m.running[m.running_count - 1] == id)
        m.running_count--;
}

static bool join(void) { return true; }
static void entry(void) {}

static unsigned start_all(const uint32_t *ids, size_t count, unsigned limit,
                          enum fate (*fate)(uint32_t))
{
    bool xapic = m.xapic;
    int skew = m.skew;
    m = (typeof(m)){.ids = ids, .id_count = count, .fate = fate, .xapic = xapic, .skew = skew};
    memset(cpus, 0, sizeof(cpus));
    cpus_count = 1;
    cpus_left_out = 0;
    stub_log_clear();
    unsigned online = cpu_start_all(limit, join, entry);
    assert_int_equal(online, cpu_count());
    assert_int_equal(m.running_count, online - 1); /* no other CPU executes anything */
    assert_int_equal(m.stacks, online - 1);
    for (unsigned i = 1; i < online; i++) {
        assert_int_equal(cpu_get(i)->apic_id, m.running[i - 1]);
        assert_int_equal(cpu_get(i)->index, i);
        free(cpu_get(i)->stack_top - CPU_STACK_SIZE - IST_COUNT * PAGE_SIZE);
    }
    return online;
}

static enum fate all_join(uint32_t id) { return (void)id, JOINS; }
static enum fate some_join(uint32_t id) { return id % 3; }

static const uint32_t ids[] = {0, 3, 1, 2, 4, 5, 6, 300, 301, 302, 0xff};

TEST(each_joins)
{
    m.xapic = false;
    assert_int_equal(start_all(ids, ARRAY_COUNT(ids), 0, all_join), ARRAY_COUNT(ids));
    assert_int_equal(start_all(ids, ARRAY_COUNT(ids), 4, all_join), 4);
    assert_int_equal(start_all(ids, ARRAY_COUNT(ids), 1, all_join), 1);
    assert_int_equal(start_all(ids, 1, 0, all_join), 1);
}

TEST(one_that_does_not_join_costs_itself_only)
{
    m.xapic = false;
    assert_int_equal(start_all(ids, ARRAY_COUNT(ids), 0, some_join), 4); /* the first, 2, 5, 302 */
    assert_non_null(strstr(stub_log, "apic_id=3 does not start"));
    assert_non_null(strstr(stub_log, "apic_id=1 is left out"));
    assert_int_equal(cpu_get(3)->apic_id, 302);
}

TEST(one_whose_tsc_is_not_that_of_the_first_is_left_out)
{
    m.skew = -ENODEV; /* skew_check() has logged it */
    assert_int_equal(start_all(ids, 3, 0, all_join), 1);
    assert_non_null(strstr(stub_log, "apic_id=3 is left out"));
    assert_non_null(strstr(stub_log, "apic_id=1 is left out"));
    assert_int_equal(cpu_left_out(), 2);
    m.skew = 0;
}

/* In xAPIC mode 0xff is all CPUs, and 300 would be taken for 44. */
TEST(xapic_mode_reaches_255_ids)
{
    m.xapic = true;
    assert_int_equal(start_all(ids, ARRAY_COUNT(ids), 0, all_join), 7);
    assert_non_null(strstr(stub_log, "apic_id=255 cannot be reached"));
}

TEST(more_than_there_is_room_for)
{
    static uint32_t many[CPU_MAX + 5];
    m.xapic = false;
    for (unsigned i = 0; i < ARRAY_COUNT(many); i++)
        many[i] = 2 * i;
    assert_int_equal(start_all(many, ARRAY_COUNT(many), 0, all_join), CPU_MAX);
    assert_int_equal(cpu_get(CPU_MAX - 1)->apic_id, 2 * (CPU_MAX - 1));
    assert_non_null(strstr(stub_log, "only 256 of 261 CPUs are used"));
    /* the first CPU is not among those that fit */
    for (unsigned i = 0; i < ARRAY_COUNT(many); i++)
        many[i] = i + 1;
    assert_int_equal(start_all(many, ARRAY_COUNT(many), 0, all_join), CPU_MAX);
}

/* SDM "CPUID-CPU Identification", leaf 1AH */
TEST(kinds_of_a_hybrid)
{
    assert_int_equal(kind_of_this_cpu(), CPU_OF_ONE_KIND);
    is_hybrid = true;
    assert_int_equal(kind_of_this_cpu(), CPU_ATOM);
    is_hybrid = false;
}

TEST(one_thread_of_each_core)
{
    static const uint32_t threads[] = {0, 2, 4, 6, 1, 3, 5, 7, 9};
    m.xapic = false;
    thread_bits = 1;
    assert_int_equal(start_all(threads, ARRAY_COUNT(threads), 0, all_join), 9);
    assert_non_null(strstr(stub_log, "threads=all"));
    for (unsigned i = 0; i < 9; i++) { /* the threads of a core are a ring */
        const struct cpu *cpu = cpu_get(i), *other = cpu->next_thread;
        assert_int_equal(cpu->core, cpu->apic_id / 2);
        assert_int_equal(cpu->socket, cpu->apic_id / 8);
        assert_int_equal(other->apic_id, cpu->apic_id == 9 ? 9 : cpu->apic_id ^ 1);
    }
    leaks_guards = LEAKS_ONE_THREAD;
    assert_int_equal(start_all(threads, ARRAY_COUNT(threads), 0, all_join), 5);
    assert_int_equal(cpu_get(1)->apic_id, 2); /* 1 is the sibling of the first CPU */
    assert_int_equal(cpu_get(4)->apic_id, 9); /* 8 is not there */
    assert_non_null(strstr(stub_log, "threads=one of each core"));
    thread_bits = 0;
    assert_int_equal(start_all(threads, ARRAY_COUNT(threads), 0, all_join), 9);
    leaks_guards = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_joins),
        cmocka_unit_test(one_that_does_not_join_costs_itself_only),
        cmocka_unit_test(one_whose_tsc_is_not_that_of_the_first_is_left_out),
        cmocka_unit_test(xapic_mode_reaches_255_ids),
        cmocka_unit_test(more_than_there_is_room_for),
        cmocka_unit_test(kinds_of_a_hybrid),
        cmocka_unit_test(one_thread_of_each_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
