/* SPDX-License-Identifier: MIT */
// sources: guest/pc/linear.c guest/insn/gwalk.c
/*
 * Operands of instructions that Hamlet carries out: copies by linear address, over the end of a
 * page, from and to a device, with a fault in the middle; and whose right of access counts.
 * From: make unit.   To: guest/pc/linear.c.
 */
#include <string.h>

#include "arch/page.h"
#include "arch/paging.h"
#include "arch/x86.h"
#include "guest/core/bus.h"
#include "guest/core/memory.h"
#include "guest/core/vm.h"
#include "guest/insn/gwalk.h"
#include "tests/unit/test.h"
#include "vmx/upcalls.h"
#include "vmx/vcpu/inject.h"

/* Pages 0 to 3: the tables of levels 1 to 4; 5 and 7: data. */
#define PAGES 8
static uint64_t memory[PAGES * 512] __attribute__((aligned(4096)));
static struct vm vm;
static struct vcpu vcpu;
static struct vcpu_paging now; /* state of the vCPU */

void *vm_ram(const struct vm *of, gpa_t at, uint64_t size)
{
    assert_ptr_equal(of, &vm);
    return at.v + size <= sizeof(memory) ? (uint8_t *)memory + at.v : NULL;
}
void vcpu_paging(const struct vcpu *v, struct vcpu_paging *out)
{
    assert_ptr_equal(v, &vcpu);
    *out = now;
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

FIXTURE(setup)
{
    memset(memory, 0, sizeof(memory));
    for (unsigned level = 4; level > 1; level--)
        memory[(level - 1) * 512] = (level - 2) * PAGE_SIZE | PTE_P | PTE_RW | PTE_US;
    vcpu.vm = &vm;
    page_faults = general_faults = device_accesses = 0;
    now = (struct vcpu_paging){.cr0 = CR0_PE | CR0_PG,
                               .cr3 = 3 * PAGE_SIZE,
                               .cr4 = CR4_PAE,
                               .efer = EFER_LME | EFER_LMA,
                               .code64 = true};
    return 0;
}

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

/* Compatibility mode: addresses have 32 bits, although the tables translate 48. */
TEST(addresses_wrap_at_4_gib_outside_of_64_bit_mode)
{
    uint64_t over = UINT64_C(1) << 32, word = 0;
    memory[0x20] = 7 * PAGE_SIZE | KERNEL;
    memory[7 * 512] = 12345;
    for (unsigned code64 = 0; code64 < 2; code64++) {
        now.code64 = code64;
        int err = guest_copy_linear(&vcpu, over + 0x20000, &word, sizeof(word), false);
        assert_int_equal(err, code64 ? -EFAULT : 0);
        assert_int_equal(word, 12345);
        assert_int_equal(guest_check_write(&vcpu, over + 0x21000, 1), -EFAULT);
        assert_int_equal(fault_at, 0x21000 + (code64 ? over : 0));
    }
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
#define T(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {
        T(a_copy_over_the_end_of_a_page),
        T(a_copy_with_a_fault_in_the_middle),
        T(addresses_wrap_at_4_gib_outside_of_64_bit_mode),
        T(a_copy_to_and_from_a_device),
        T(both_pages_of_a_write_are_checked),
        T(system_structures_at_each_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
