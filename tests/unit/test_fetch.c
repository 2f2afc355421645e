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

void *page_alloc(void) { return calloc(1, PAGE_SIZE); }
void page_free(void *page) { free(page); }

void *vm_ram(const struct vm *of, gpa_t at, uint64_t size)
{
    (void)of;
    looks++;
    return at.v + size <= sizeof(memory) ? (uint8_t *)memory + at.v : NULL;
}

/* A device of 16 bytes. */
#define DEVICE UINT64_C(0xfe000000)
static uint8_t device[16];
static unsigned device_accesses;
bool vm_bus_read(struct vcpu *v, struct vm_bus *b, uint64_t at, unsigned n, uint64_t *value)
{
    assert_ptr_equal(v, &vcpu);
    assert_ptr_equal(b, &vm.mmio);
    assert_int_equal(n, 1);
    assert_in_range(at - DEVICE, 0, sizeof(device) - 1);
    device_accesses++;
    *value = device[at - DEVICE];
    return true;
}
bool vm_bus_write(struct vcpu *v, struct vm_bus *b, uint64_t at, unsigned n, uint64_t value)
{
    uint64_t old;
    assert_int_equal(value & ~UINT64_C(0xff), 0);
    vm_bus_read(v, b, at, n, &old);
    device[at - DEVICE] = (uint8_t)value;
    return true;
}
void vcpu_paging(const struct vcpu *v, struct vcpu_paging *out) { (void)v, *out = now; }
bool vcpu_paging_again(struct vcpu_paging *s, bool bases, bool rsp)
{
    asked_for_bases = bases;
    asked_for_rsp = rsp;
    return memcmp(s, &now, sizeof(now)) == 0;
}
static unsigned general_faults, page_faults;
static uint64_t fault_at;
static uint32_t fault_code;
void vcpu_inject_error(struct vcpu *v, uint8_t n, uint32_t e)
{
    assert_ptr_equal(v, &vcpu);
    assert_int_equal(n, VECTOR_GP);
    assert_int_equal(e, 0);
    general_faults++;
}
void vcpu_inject_page_fault(struct vcpu *v, uint64_t at, uint32_t e)
{
    assert_ptr_equal(v, &vcpu);
    page_faults++;
    fault_at = at;
    fault_code = e;
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
    page_faults = general_faults = device_accesses = 0;
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

/* --- Operands of instructions that Hamlet carries out ----------------------------------------- */

#define USER_PAGE (PTE_P | PTE_RW | PTE_US)
#define KERNEL    (PTE_P | PTE_RW)

/* Linear pages 0x20 and 0x21 are two physical pages that do not lie side by side. */
TEST(a_copy_over_the_end_of_a_page)
{
    static const char text[] = "0123456789abcdef";
    char back[sizeof(text)] = "";
    uint8_t *ram = (uint8_t *)memory;
    memory[0x20] = 7 * PAGE_SIZE | KERNEL;
    memory[0x21] = 5 * PAGE_SIZE | KERNEL;
    assert_int_equal(guest_copy_linear(&vcpu, 0x20ff8, (void *)text, sizeof(text), true), 0);
    assert_memory_equal(ram + 7 * PAGE_SIZE + 0xff8, text, 8);
    assert_memory_equal(ram + 5 * PAGE_SIZE, text + 8, sizeof(text) - 8);
    assert_int_equal(ram[5 * PAGE_SIZE + sizeof(text) - 8], 0);
    assert_true((memory[0x20] & PTE_D) && (memory[0x21] & PTE_D));
    memory[0x20] &= ~PTE_D;
    assert_int_equal(guest_copy_linear(&vcpu, 0x20ff8, back, sizeof(back), false), 0);
    assert_string_equal(back, text);
    assert_false(memory[0x20] & PTE_D);
    assert_int_equal(device_accesses + page_faults, 0);
}

/* The first page is there, the second is not: the fault is at its first byte. */
TEST(a_copy_with_a_fault_in_the_middle)
{
    uint8_t bytes[16];
    memory[0x20] = 7 * PAGE_SIZE | KERNEL;
    for (unsigned write = 0; write < 2; write++) {
        assert_int_equal(guest_copy_linear(&vcpu, 0x20ff8, bytes, sizeof(bytes), write), -EFAULT);
        assert_int_equal(page_faults, write + 1);
        assert_int_equal(fault_at, 0x21000);
        assert_int_equal(fault_code, write ? PFERR_W : 0);
    }
    uint64_t hole = UINT64_C(1) << 60;
    assert_int_equal(guest_copy_linear(&vcpu, hole, bytes, 1, false), -EFAULT);
    assert_int_equal(general_faults, 1);
    assert_int_equal(page_faults, 2);
}

TEST(a_copy_to_and_from_a_device)
{
    uint8_t bytes[4] = {1, 2, 3, 4};
    memory[0x20] = DEVICE | KERNEL;
    memset(device, 0, sizeof(device));
    assert_int_equal(guest_copy_linear(&vcpu, 0x20008, bytes, 4, true), 0);
    assert_memory_equal(device + 8, bytes, 4);
    assert_int_equal(device[7] + device[12], 0);
    device[9] = 9;
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(guest_copy_linear(&vcpu, 0x20008, bytes, 4, false), 0);
    assert_memory_equal(device + 8, bytes, 4);
    assert_int_equal(device_accesses, 8);
}

TEST(both_pages_of_a_write_are_checked)
{
    static const struct {
        uint64_t first, second, at;
        int err;
    } rows[] = {{KERNEL, KERNEL, 0x20ffe, 0},
                {KERNEL, PTE_P, 0x20ffe, -EFAULT},
                {KERNEL, PTE_P, 0x20ffc, 0},
                {PTE_P, KERNEL, 0x20ffe, -EFAULT}};
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        setup(state);
        now.cr0 |= CR0_WP;
        memory[0x20] = 7 * PAGE_SIZE | rows[i].first;
        memory[0x21] = 5 * PAGE_SIZE | rows[i].second;
        if (guest_check_write(&vcpu, rows[i].at, 4) != rows[i].err)
            fail_msg("row %u", i);
        assert_int_equal(page_faults, rows[i].err != 0);
        assert_int_equal(memory[5 * 512], 0); /* it only looks */
    }
}

/* SDM "Determination of Access Rights": what the CPU reads by itself is a supervisor's access, and
 * under SMAP no AC of the guest opens the pages of the user to it. */
TEST(system_structures_at_each_level)
{
    static const struct {
        uint64_t page, cr4, rflags;
        uint8_t cpl;
        int by_instruction, by_cpu;
    } rows[] = {
        {KERNEL, 0, 0, 0, 0, 0},
        {KERNEL, 0, 0, 3, -EFAULT, 0},
        {USER_PAGE, 0, 0, 3, 0, 0},
        {USER_PAGE, CR4_SMAP, 0, 3, 0, -EFAULT},
        {USER_PAGE, CR4_SMAP, RFLAGS_AC, 3, 0, -EFAULT},
        {USER_PAGE, CR4_SMAP, 0, 0, -EFAULT, -EFAULT},
        {USER_PAGE, CR4_SMAP, RFLAGS_AC, 0, 0, -EFAULT},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        uint64_t word;
        setup(state);
        memory[0x20] = 7 * PAGE_SIZE | rows[i].page;
        now.cr4 |= rows[i].cr4;
        now.rflags = rows[i].rflags;
        now.cpl = rows[i].cpl;
        int err = guest_copy_linear(&vcpu, 0x20000, &word, sizeof(word), false);
        if (err != rows[i].by_instruction)
            fail_msg("row %u: by an instruction %d", i, err);
        err = guest_copy_system(&vcpu, 0x20000, &word, sizeof(word), false);
        if (err != rows[i].by_cpu)
            fail_msg("row %u: by the CPU %d", i, err);
    }
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
        cmocka_unit_test_setup(a_copy_over_the_end_of_a_page, setup),
        cmocka_unit_test_setup(a_copy_with_a_fault_in_the_middle, setup),
        cmocka_unit_test_setup(a_copy_to_and_from_a_device, setup),
        cmocka_unit_test_setup(both_pages_of_a_write_are_checked, setup),
        cmocka_unit_test_setup(system_structures_at_each_level, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
