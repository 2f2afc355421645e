/* SPDX-License-Identifier: MIT */
/*
 * String port I/O, element by element: where each element lies, and in which order memory and port
 * are touched. Memory is 128 KiB here, and one page of it can be missing.
 * Spec: SDM INS/INSB/INSW/INSD, OUTS/OUTSB/OUTSW/OUTSD, "REP".
 */
// sources: vmx/exit/io.c vmx/vcpu/hottest.c
#include "tests/unit/test.h"
#include "arch/x86.h"
#include "vmx/exit/exit.h"
#include "vmx/vmcs.h"
#include <string.h>

enum { REP = BIT(5), STRING = BIT(4), IN = BIT(3) };

static struct vcpu v;
static uint64_t info, qualification, linear, rflags, missing;
static uint8_t memory[0x20000];
static unsigned port_accesses;
static uint32_t last_out;

uint64_t vmread(enum vmcs_field field)
{
    switch ((unsigned)field) {
    case EXIT_QUALIFICATION:
        return qualification;
    case VM_EXIT_INSTRUCTION_INFO:
        return info;
    case GUEST_LINEAR_ADDRESS:
        return linear;
    default:
        assert_int_equal(field, GUEST_RFLAGS);
        return rflags;
    }
}
void vmwrite(enum vmcs_field field, uint64_t value)
{
    assert_int_equal(field, GUEST_RFLAGS);
    rflags = value;
}
uint64_t vcpu_on_in(struct vcpu *of, unsigned port, unsigned width)
{
    assert_ptr_equal(of, &v);
    assert_int_equal(port, 0x100);
    port_accesses++;
    return (UINT64_MAX << 8 * width) | (0x10 + port_accesses); /* the rest does not count */
}
enum exit_action vcpu_on_out(struct vcpu *of, unsigned port, unsigned width, uint64_t value)
{
    assert_ptr_equal(of, &v);
    assert_int_equal(port, 0x100);
    assert_int_equal(value & ~WIDTH_MASK(width), 0);
    port_accesses++;
    last_out = (uint32_t)value;
    return RESUME_NEXT;
}
int guest_check_write(struct vcpu *of, uint64_t at, size_t size)
{
    (void)of;
    return at + size > missing && at < missing + PAGE_SIZE ? -EFAULT : 0;
}
int guest_copy_linear(struct vcpu *of, uint64_t at, void *buffer, size_t size, bool to_guest)
{
    int err = guest_check_write(of, at, size);
    assert_true(at + size <= sizeof(memory));
    if (!err)
        memcpy(to_guest ? memory + at : buffer, to_guest ? buffer : memory + at, size);
    return err;
}
void vcpu_on_crash(struct vcpu *of, const char *why)
{
    (void)of;
    fail_msg("%s", why);
}

/* A string instruction of `width` bytes with addresses of `address` bytes, its segment at 0. */
static enum exit_action run(unsigned what, unsigned width, unsigned address)
{
    qualification = (width - 1) | what | STRING | FIELD_SET(QUAL_IO_PORT, 0x100);
    info = FIELD_SET(INFO_IO_ADDRESS_SIZE, address == 2 ? 0 : address == 4 ? 1 : 2);
    linear = v.regs.gpr[what & IN ? RDI : RSI] & WIDTH_MASK(address);
    return exit_io_instruction(&v);
}

FIXTURE(setup)
{
    v = (struct vcpu){0};
    memset(memory, 0, sizeof(memory));
    missing = UINT32_MAX;
    rflags = RFLAGS_1;
    port_accesses = 0;
    return 0;
}

/* IN AL leaves bits 63:8, IN EAX clears bits 63:32; of an OUT the port gets its width. */
TEST(one_access)
{
    v.regs.gpr[RAX] = UINT64_MAX;
    qualification = 0 | IN | FIELD_SET(QUAL_IO_PORT, 0x100);
    assert_int_equal(exit_io_instruction(&v), RESUME_NEXT);
    assert_int_equal(v.regs.gpr[RAX], UINT64_MAX << 8 | 0x11);
    qualification |= 3;
    assert_int_equal(exit_io_instruction(&v), RESUME_NEXT);
    assert_int_equal(v.regs.gpr[RAX], 0x12);
    v.regs.gpr[RAX] = UINT64_C(0x1122334455667788);
    qualification = 1 | FIELD_SET(QUAL_IO_PORT, 0x100);
    assert_int_equal(exit_io_instruction(&v), RESUME_NEXT);
    assert_int_equal(last_out, 0x7788);
}

TEST(addresses_wrap_at_their_size)
{
    v.regs.gpr[RDI] = 0x1fffe; /* DI = FFFEh */
    v.regs.gpr[RCX] = 0x10004;
    assert_int_equal(run(REP | IN, 1, 2), RESUME_NEXT);
    assert_int_equal(memory[0xfffe], 0x11);
    assert_int_equal(memory[0xffff], 0x12);
    assert_int_equal(memory[0], 0x13);
    assert_int_equal(memory[1], 0x14);
    assert_int_equal(memory[0x10000], 0);
    assert_int_equal(v.regs.gpr[RDI], 0x10002);
    assert_int_equal(v.regs.gpr[RCX], 0x10000);

    memory[0] = 0x5a; /* down, from 0 to FFFFh */
    memory[0xffff] = 0xa5;
    rflags |= RFLAGS_DF;
    v.regs.gpr[RSI] = 0;
    v.regs.gpr[RCX] = 2;
    assert_int_equal(run(REP, 1, 2), RESUME_NEXT);
    assert_int_equal(last_out, 0xa5);
    assert_int_equal(v.regs.gpr[RSI], 0xfffe);
}

/* A device forgets what it has handed over, and what it was told it has done. */
TEST(a_fault_comes_before_the_port)
{
    missing = 0x3000;
    v.regs.gpr[RCX] = 2;
    v.regs.gpr[RDI] = v.regs.gpr[RSI] = 0x2ffe; /* the second element is in the missing page */
    assert_int_equal(run(REP | IN, 2, 8), RESUME_SAME);
    assert_int_equal(port_accesses, 1);
    assert_int_equal(v.regs.gpr[RDI], 0x3000);
    assert_int_equal(v.regs.gpr[RCX], 1);
    v.regs.gpr[RSI] = 0x2ffd; /* the first lies across its border */
    assert_int_equal(run(REP, 4, 8), RESUME_SAME);
    assert_int_equal(run(IN, 4, 4), RESUME_SAME);
    assert_int_equal(port_accesses, 1);
    assert_int_equal(v.regs.gpr[RSI], 0x2ffd);
    assert_int_equal(v.regs.gpr[RCX], 1);
}

/* SDM "Instruction-Breakpoint Exception Condition": a breakpoint at a REP fires once. */
TEST(a_part_of_a_rep_resumes)
{
    v.regs.gpr[RCX] = 257;
    assert_int_equal(run(REP, 1, 8), RESUME_SAME);
    assert_int_equal(v.regs.gpr[RCX], 1);
    assert_true(rflags == (RFLAGS_1 | RFLAGS_RF));
    assert_int_equal(run(REP, 1, 8), RESUME_NEXT);
    assert_int_equal(port_accesses, 257);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {
        T(one_access),
        T(addresses_wrap_at_their_size),
        T(a_fault_comes_before_the_port),
        T(a_part_of_a_rep_resumes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
