/* SPDX-License-Identifier: MIT */
// sources: guest/pc/fetch.c guest/pc/linear.c guest/insn/gwalk.c guest/insn/insn.c
// sources: guest/insn/opcodes.c
/*
 * The instruction at RIP, and what is kept of it: a second fetch walks no table, and each thing on
 * which the first one depended, changed alone, is noticed.
 * From: make unit.   To: guest/pc/fetch.c.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/page.h"
#include "arch/paging.h"
#include "arch/x86.h"
#include "guest/core/memory.h"
#include "guest/pc/fetch.h"
#include "tests/unit/test.h"
#include "vmx/vcpu/inject.h"
#include "arch/log.h"

/* Pages 0 to 3: the tables of levels 1 to 4; 4 and 5: code; 6: a second table of level 1. */
#define PAGES 8
static uint64_t memory[PAGES * 512] __attribute__((aligned(4096)));
static struct vm vm;
static struct vcpu vcpu;
static struct vcpu_paging now; /* state of the vCPU */
static struct linear a;
static unsigned looks; /* at guest memory */
static bool asked_for_bases, asked_for_rsp;

#define CODE   UINT64_C(0x4000)
#define ACCESS (PTE_P | PTE_RW | PTE_US)

static bool no_page;
void *page_alloc(void) { return no_page ? NULL : calloc(1, PAGE_SIZE); }
void page_free(void *page) { free(page); }

void *vm_ram(const struct vm *of, gpa_t at, uint64_t size)
{
    (void)of;
    looks++;
    return at.v + size <= sizeof(memory) ? (uint8_t *)memory + at.v : NULL;
}

/* Only a copy asks for a device. */
bool vm_bus_read(struct vcpu *v, struct vm_bus *b, uint64_t at, unsigned n, uint64_t *value)
{
    return (void)v, (void)b, (void)at, (void)n, (void)value, false;
}
bool vm_bus_write(struct vcpu *v, struct vm_bus *b, uint64_t at, unsigned n, uint64_t value)
{
    return (void)v, (void)b, (void)at, (void)n, (void)value, false;
}
void vcpu_paging(const struct vcpu *v, struct vcpu_paging *out) { (void)v, *out = now; }
bool vcpu_paging_again(struct vcpu_paging *s, bool bases, bool rsp)
{
    asked_for_bases = bases;
    asked_for_rsp = rsp;
    return memcmp(s, &now, sizeof(now)) == 0;
}
static uint32_t fault_code;
void vcpu_inject_error(struct vcpu *v, uint8_t n, uint32_t e) { (void)v, (void)n, (void)e; }
void vcpu_inject_page_fault(struct vcpu *v, uint64_t at, uint32_t e)
{
    (void)v, (void)at, fault_code = e;
}

static const uint8_t load[] = {0x8b, 0x07};        /* MOV EAX, [RDI] */
static const uint8_t store[] = {0x89, 0x47, 0x04}; /* MOV [RDI+4], EAX */

static void code(uint64_t at, const uint8_t *bytes, size_t size)
{
    memcpy((uint8_t *)memory + at, bytes, size);
}

static int setup(void **state)
{
    (void)state;
    fetch_destroy(&vm);
    memset(memory, 0, sizeof(memory));
    for (unsigned level = 4; level > 1; level--)
        memory[(level - 1) * 512] = (level - 2) * PAGE_SIZE | ACCESS;
    for (unsigned page = 0; page < PAGES; page++)
        memory[page] = page * PAGE_SIZE | ACCESS;
    code(CODE, load, sizeof(load));
    vcpu.vm = &vm;
    a = (struct linear){.v = &vcpu};
    now = (struct vcpu_paging){.cr0 = CR0_PE | CR0_PG,
                               .cr3 = 3 * PAGE_SIZE,
                               .cr4 = CR4_PAE,
                               .efer = EFER_LME | EFER_LMA,
                               .rip = CODE,
                               .code64 = true};
    return fetch_create(&vm);
}

/* Length of the instruction that is found; 0: none. */
static unsigned fetch(void)
{
    struct fetched f;
    const struct insn *found = fetch_again(&a);
    if (!found)
        found = fetch_insn(&a, &f);
    assert_memory_equal(a.state, &now, sizeof(now));
    return found ? found->len : 0;
}

/* Fetch once more: is memory asked again? */
static bool asks(void)
{
    looks = 0;
    assert_int_not_equal(fetch(), 0);
    return looks > 0;
}

TEST(the_same_again_walks_no_table)
{
    assert_int_equal(fetch(), sizeof(load));
    assert_false(asks());
    assert_true(memory[4] & PTE_A);
}

TEST(bytes_that_changed)
{
    assert_int_equal(fetch(), sizeof(load));
    code(CODE, store, sizeof(store));
    assert_int_equal(fetch(), sizeof(store));
}

TEST(an_entry_of_each_level_that_changed)
{
    memcpy(memory + 6 * 512, memory, PAGE_SIZE);
    code(5 * PAGE_SIZE, store, sizeof(store));
    memory[6 * 512 + 4] = 5 * PAGE_SIZE | ACCESS;
    assert_int_equal(fetch(), sizeof(load));
    memory[512] = 6 * PAGE_SIZE | ACCESS; /* another table of level 1 */
    assert_int_equal(fetch(), sizeof(store));
    memory[512] = ACCESS;
    assert_int_equal(fetch(), sizeof(load));
    memory[4] = 5 * PAGE_SIZE | ACCESS; /* another page */
    assert_int_equal(fetch(), sizeof(store));
    for (unsigned level = 1; level <= 4; level++) {
        uint64_t *entry = &memory[(level - 1) * 512 + (level == 1 ? 4 : 0)];
        assert_false(asks());
        *entry &= ~PTE_P;
        assert_int_equal(fetch(), 0);
        *entry |= PTE_P;
        assert_int_equal(fetch(), sizeof(store));
    }
}

TEST(accessed_bits_are_set_again)
{
    assert_int_equal(fetch(), sizeof(load));
    memory[4] &= ~PTE_A;
    assert_true(asks());
    assert_true(memory[4] & PTE_A);
    assert_false(asks());
}

/* vmx/vcpu/state.c compares them: test_cr.c. */
TEST(registers_that_changed)
{
    struct vcpu_paging before = now;
    fetch();
    now.cr3 |= 8; /* PWT */
    assert_true(asks());
    assert_false(asks());
    assert_false(asked_for_bases);
    now.code64 = false;
    now.code32 = true;
    assert_true(asks());
    assert_false(asks());
    assert_true(asked_for_bases);
    now = before;
    code(CODE + 2, store, sizeof(store));
    now.rip += 2;
    assert_int_equal(fetch(), sizeof(store));
}

/* MOV EAX, GS:[RDI] */
TEST(the_base_of_a_segment)
{
    static const uint8_t by_gs[] = {0x65, 0x8b, 0x07};
    code(CODE, by_gs, sizeof(by_gs));
    fetch();
    assert_false(asks());
    assert_true(asked_for_bases);
}

TEST(the_stack_pointer)
{
    static const struct {
        bool uses;
        uint8_t bytes[4];
    } cases[] = {{true, {0x8b, 0x04, 0x24}},  /* MOV EAX, [RSP] */
                 {true, {0x48, 0x8b, 0x27}},  /* MOV RSP, [RDI] */
                 {true, {0x48, 0x89, 0x27}},  /* MOV [RDI], RSP */
                 {true, {0xff, 0x37}},        /* PUSH [RDI] */
                 {false, {0x8a, 0x27}},       /* MOV AH, [RDI] */
                 {false, {0x8b, 0x04, 0x27}}, /* MOV EAX, [RDI], encoded with an index: none */
                 {false, {0xc6, 0x07, 0x04}}, /* MOV byte [RDI], 4 */
                 {false, {0xa5}}};            /* MOVSD */
    for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
        code(CODE, cases[i].bytes, sizeof(cases[i].bytes));
        assert_true(asks());
        assert_false(asks());
        assert_int_equal(asked_for_rsp, cases[i].uses);
    }
}

TEST(each_vcpu_has_its_own)
{
    fetch();
    vcpu.index = VM_VCPU_MAX - 1;
    assert_true(asks());
    assert_false(asks());
    vcpu.index = 0;
    assert_false(asks());
}

/* The PDPTEs are registers, which may change while CR3 stays. */
TEST(pae_paging_is_not_kept)
{
    now.efer = 0;
    now.code64 = false;
    now.code32 = true;
    now.pdpte[0] = PAGE_SIZE | PTE_P;
    assert_int_equal(fetch(), sizeof(load));
    assert_true(asks());
}

TEST(no_paging)
{
    now.cr0 = CR0_PE;
    now.efer = 0;
    now.code64 = false;
    now.code32 = true;
    assert_int_equal(fetch(), sizeof(load));
    assert_false(asks());
}

TEST(over_the_end_of_a_page)
{
    now.rip = 5 * PAGE_SIZE - 1;
    code(now.rip, load, sizeof(load));
    assert_int_equal(fetch(), sizeof(load));
    assert_true(asks());
    memory[5] = 0;
    struct fetched f;
    assert_null(fetch_insn(&a, &f));
    assert_int_equal(f.size, 1);
    assert_int_equal(f.bytes[0], load[0]);
}

/* The next page does not belong to an instruction that ends before it. */
TEST(the_next_page_is_left_alone)
{
    now.rip = 5 * PAGE_SIZE - sizeof(load);
    code(now.rip, load, sizeof(load));
    assert_int_equal(fetch(), sizeof(load));
    assert_false(memory[5] & PTE_A);
}

TEST(bytes_that_are_no_instruction)
{
    memset(memory + 4 * 512, 0xff, 16);
    struct fetched f;
    assert_null(fetch_insn(&a, &f));
    assert_int_equal(f.size, INSN_LEN_MAX);
    code(CODE, load, sizeof(load));
    assert_int_equal(fetch(), sizeof(load));
}

/* What the CPU has translated for the exit is not walked for again; another access is. */
TEST(the_address_of_the_exit)
{
    uint64_t told = 0x7123, left;
    gpa_t at;
    a.state = &now;
    a.told = &told;
    a.at = gpa(0xfebf0123);
    assert_int_equal(linear_translate(&a, told, GWALK_READ, &at, &left), 0);
    assert_int_equal(at.v, a.at.v);
    assert_int_equal(left, PAGE_SIZE - 0x123);
    assert_int_equal(linear_translate(&a, told + 4, GWALK_READ, &at, &left), 0);
    assert_int_equal(at.v, told + 4);
    assert_int_equal(linear_translate(&a, told, GWALK_WRITE, &at, &left), 0);
    assert_int_equal(at.v, told);
    assert_true(memory[7] & PTE_D);
    a.write = true;
    assert_int_equal(linear_translate(&a, told, GWALK_WRITE, &at, &left), 0);
    assert_int_equal(at.v, a.at.v);
    assert_int_equal(linear_translate(&a, told, GWALK_FETCH, &at, &left), 0);
    assert_int_equal(at.v, told);
}

/* Of what lies behind the instruction nothing is kept, of its first byte all. */
TEST(which_bytes_count)
{
    struct linear other = {.v = &vcpu};
    const uint8_t more[] = {0x90}, changed[] = {0x89}; /* MOV [RDI], EAX */
    fetch();
    code(CODE + sizeof(load), more, sizeof(more));
    assert_false(asks());
    assert_non_null(fetch_again(&other));
    assert_memory_equal(other.state, &now, sizeof(now));
    code(CODE, changed, sizeof(changed));
    assert_true(asks());
}

/* Code with a base, and an instruction of one byte at the end of the last page that is there. */
TEST(a_code_segment_with_a_base)
{
    struct fetched f;
    const uint8_t movsb = 0xa4;
    now.code64 = false;
    now.code32 = true;
    now.segment_base[INSN_CS] = CODE - 0x10;
    now.rip = 0x10;
    assert_int_equal(fetch(), sizeof(load));
    assert_int_equal(fetch_at(&a, 3), CODE + 3);
    now.rip = 0x100f;
    memory[5] = 0;
    code(CODE + 0xfff, &movsb, 1);
    assert_non_null(fetch_insn(&a, &f));
    assert_int_equal(f.size, 1);
    now.rip = 0x1010; /* and now none is there */
    assert_null(fetch_insn(&a, &f));
    assert_int_equal(f.size, 0);
    assert_null(fetch_again(&a));
}

/* Entries of four bytes: bits are set in the half that belongs to the entry. */
TEST(paging_of_32_bits)
{
    uint32_t *entry = (uint32_t *)memory;
    memset(memory, 0, 4 * PAGE_SIZE);
    entry[3 * 1024 + 1] = (uint32_t)ACCESS;        /* the directory's second entry */
    entry[5] = (uint32_t)(4 * PAGE_SIZE | ACCESS); /* page 5 of its 4 MiB is CODE */
    entry[4] = entry[6] = 0;
    now.cr4 = 0;
    now.efer = 0;
    now.code64 = false;
    now.code32 = true;
    now.rip = 0x405000;
    assert_int_equal(fetch(), sizeof(load));
    assert_false(asks());
    assert_int_equal(entry[3 * 1024 + 1], ACCESS | PTE_A);
    assert_int_equal(entry[5], 4 * PAGE_SIZE | ACCESS | PTE_A);
    assert_int_equal(entry[3 * 1024] | entry[4] | entry[6], 0);
    entry[5] &= ~(uint32_t)PTE_A;
    assert_true(asks());
    assert_int_equal(entry[5], 4 * PAGE_SIZE | ACCESS | PTE_A);
    entry[5] &= ~(uint32_t)PTE_P;
    assert_int_equal(fetch(), 0);
}

/* A table where there is no memory reads as ones, which no entry of a table may be. */
TEST(a_table_in_no_memory)
{
    uint8_t byte;
    memory[2 * 512] = sizeof(memory) | ACCESS;
    assert_int_equal(fetch(), 0);
    assert_int_equal(guest_copy_linear(&vcpu, CODE, &byte, 1, false), -EFAULT);
    assert_int_equal(fault_code, PFERR_P | PFERR_RSVD);
}

/* The line that the VM is refused quotes it. */
TEST(no_memory_has_a_reason)
{
    struct vm other = {.name = "alpha"};
    no_page = true;
    log_reason[0] = '\0';
    assert_int_equal(fetch_create(&other), -ENOMEM);
    assert_string_equal(log_reason, "vm=alpha: no memory for its latest instructions");
    fetch_destroy(&other);
    no_page = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_base_of_a_segment, setup),
        cmocka_unit_test_setup(the_stack_pointer, setup),
        cmocka_unit_test_setup(the_same_again_walks_no_table, setup),
        cmocka_unit_test_setup(bytes_that_changed, setup),
        cmocka_unit_test_setup(an_entry_of_each_level_that_changed, setup),
        cmocka_unit_test_setup(accessed_bits_are_set_again, setup),
        cmocka_unit_test_setup(registers_that_changed, setup),
        cmocka_unit_test_setup(each_vcpu_has_its_own, setup),
        cmocka_unit_test_setup(pae_paging_is_not_kept, setup),
        cmocka_unit_test_setup(no_paging, setup),
        cmocka_unit_test_setup(over_the_end_of_a_page, setup),
        cmocka_unit_test_setup(the_next_page_is_left_alone, setup),
        cmocka_unit_test_setup(bytes_that_are_no_instruction, setup),
        cmocka_unit_test_setup(the_address_of_the_exit, setup),
        cmocka_unit_test_setup(which_bytes_count, setup),
        cmocka_unit_test_setup(a_code_segment_with_a_base, setup),
        cmocka_unit_test_setup(paging_of_32_bits, setup),
        cmocka_unit_test_setup(a_table_in_no_memory, setup),
        cmocka_unit_test(no_memory_has_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
