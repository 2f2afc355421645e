/* SPDX-License-Identifier: MIT */
// sources: guest/insn/insn.c guest/insn/opcodes.c
/*
 * The decoder, case by case: what 16- and 32-bit code does differently, and what must be refused.
 * The breadth is in diff_insn.c.
 * From: make unit.   To: guest/insn/insn.c.
 */
#include <stdint.h>
#include <string.h>

#include "guest/insn/insn.h"
#include "tests/unit/test.h"

#define DECODE(mode, out, ...)                                                                     \
    insn_decode((const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}), mode, out)

TEST(what_drivers_use)
{
    struct insn i;
    /* mov %eax, 0x10(%rbx) */
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0x89, 0x43, 0x10), 0);
    assert_int_equal(i.kind, INSN_MOV);
    assert_int_equal(i.len, 3);
    assert_int_equal(i.dst.kind, INSN_OPERAND_MEM);
    assert_int_equal(i.dst.width, 4);
    assert_int_equal(i.src.kind, INSN_OPERAND_REG);
    assert_int_equal(i.src.reg, INSN_RAX);
    assert_int_equal(i.mem.base, INSN_RBX);
    assert_int_equal(i.mem.index, INSN_NO_REG);
    assert_int_equal(i.mem.segment, INSN_DS);
    assert_int_equal(i.mem.addr_size, 8);
    assert_int_equal(i.mem.disp, 0x10);

    /* movl $-2, (%rsp,%r12,8): the stack segment, an index that is not RSP */
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0x42, 0xc7, 0x04, 0xe4, 0xfe, 0xff, 0xff, 0xff), 0);
    assert_int_equal(i.mem.segment, INSN_SS);
    assert_int_equal(i.mem.base, INSN_RSP);
    assert_int_equal(i.mem.index, 12);
    assert_int_equal(i.mem.scale, 8);
    assert_true(i.imm == UINT64_MAX - 1);

    /* movzbl 0x1000(%rip), %r9d */
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0x44, 0x0f, 0xb6, 0x0d, 0, 0x10, 0, 0), 0);
    assert_int_equal(i.kind, INSN_MOVZX);
    assert_int_equal(i.dst.reg, 9);
    assert_int_equal(i.dst.width, 4);
    assert_int_equal(i.src.width, 1);
    assert_true(i.mem.rip_relative);
    assert_int_equal(i.mem.base, INSN_NO_REG);
}

TEST(byte_registers)
{
    struct insn i;
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0x88, 0x23), 0); /* mov %ah, (%rbx) */
    assert_int_equal(i.src.reg, INSN_RAX);
    assert_true(i.src.high_byte);
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0x40, 0x88, 0x23), 0); /* mov %spl, (%rbx) */
    assert_int_equal(i.src.reg, INSN_RSP);
    assert_false(i.src.high_byte);
    /* A REX prefix that another prefix follows is void. */
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0x48, 0x66, 0x89, 0x23), 0);
    assert_int_equal(i.src.width, 2);
}

TEST(addresses_of_16_bits)
{
    struct insn i;
    assert_int_equal(DECODE(INSN_MODE_16, &i, 0x8b, 0x42, 0xfe), 0); /* mov -2(%bp,%si), %ax */
    assert_int_equal(i.dst.width, 2);
    assert_int_equal(i.mem.addr_size, 2);
    assert_int_equal(i.mem.base, INSN_RBP);
    assert_int_equal(i.mem.index, INSN_RSI);
    assert_int_equal(i.mem.segment, INSN_SS);
    assert_int_equal(i.mem.disp, -2);
    assert_int_equal(DECODE(INSN_MODE_16, &i, 0x67, 0x66, 0x8b, 0x40, 0x04), 0);
    assert_int_equal(i.dst.width, 4);
    assert_int_equal(i.mem.addr_size, 4);
    assert_int_equal(DECODE(INSN_MODE_32, &i, 0x67, 0x8b, 0x06, 0x34, 0x12), 0);
    assert_int_equal(i.mem.base, INSN_NO_REG);
    assert_int_equal(i.mem.disp, 0x1234);
}

TEST(segment_overrides)
{
    struct insn i;
    assert_int_equal(DECODE(INSN_MODE_32, &i, 0x26, 0x8b, 0x45, 0), 0);
    assert_int_equal(i.mem.segment, INSN_ES);
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0x26, 0x8b, 0x03), 0);
    assert_int_equal(i.mem.segment, INSN_DS);
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0x65, 0x2e, 0x8b, 0x03), 0);
    assert_int_equal(i.mem.segment, INSN_GS);
    assert_int_equal(DECODE(INSN_MODE_32, &i, 0x64, 0xaa), 0); /* STOS: ES and nothing else */
    assert_int_equal(i.mem.segment, INSN_ES);
}

TEST(refused)
{
    struct insn i;
    assert_int_equal(insn_decode(NULL, 0, INSN_MODE_64, &i), -EINVAL);
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0x89), -EINVAL);             /* cut off */
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0x89, 0x43), -EINVAL);       /* cut off in disp8 */
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0x89, 0xc3), -EINVAL);       /* no memory operand */
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0xf0, 0x89, 0x03), -EINVAL); /* LOCK MOV */
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0xf0, 0x39, 0x03), -EINVAL); /* LOCK CMP */
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0xf0, 0x03, 0x03), -EINVAL); /* LOCK ADD r, m */
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0xf0, 0x01, 0x03), 0);
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0x82, 0x03, 0x01), -EINVAL);
    assert_int_equal(DECODE(INSN_MODE_32, &i, 0x82, 0x03, 0x01), 0);
    assert_int_equal(DECODE(INSN_MODE_32, &i, 0x63, 0x03), -EINVAL);             /* ARPL */
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0x66, 0x0f, 0xc3, 0x03), -EINVAL); /* no MOVNTI */
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0xf3, 0x0f, 0xbc, 0x03), -EINVAL); /* TZCNT */
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0xc7, 0x0b, 0, 0, 0, 0), -EINVAL); /* C7 /1 */
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0xf2, 0x0f, 0x38, 0xf1, 0x03), -EINVAL); /* CRC32 */
}

TEST(refused_by_name)
{
    struct insn i;
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0xff, 0x13), -EINVAL);
    assert_string_equal(i.name, "CALL");
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0xf0, 0x48, 0x0f, 0xc7, 0x0b), -EINVAL);
    assert_string_equal(i.name, "CMPXCHG8B or CMPXCHG16B");
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0xd9, 0x1b), -EINVAL);
    assert_string_equal(i.name, "x87");
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0x0f, 0x58, 0x03), -EINVAL); /* ADDPS */
    assert_string_equal(i.name, "computation in vector registers");
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0x0f, 0x0b), -EINVAL); /* UD2: not one of them */
    assert_string_equal(i.name, "not known");
}

TEST(vector_moves)
{
    struct insn i;
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0xc5, 0xfe, 0x6f, 0x03), 0); /* vmovdqu, ymm0 */
    assert_int_equal(i.kind, INSN_VMOV);
    assert_int_equal(i.src.width, 32);
    assert_true(i.vex);
    assert_int_equal(DECODE(INSN_MODE_32, &i, 0xc5, 0x03), -EINVAL);             /* LDS */
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0xc5, 0xee, 0x6f, 0x03), -EINVAL); /* a third one */
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0x66, 0xc5, 0xfe, 0x6f, 0x03), -EINVAL);
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0xc5, 0xfe, 0x89, 0x03), -EINVAL); /* no such MOV */
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0xc5, 0xfd, 0x7e, 0x03), -EINVAL); /* VMOVD, VEX.L */
    assert_int_equal(DECODE(INSN_MODE_64, &i, 0xf3, 0x44, 0x0f, 0x10, 0x03), 0); /* movss, xmm8 */
    assert_int_equal(i.dst.reg, 8);
    assert_int_equal(i.dst.width, 4);
}

TEST(length_limit)
{
    uint8_t bytes[17];
    struct insn i;
    memset(bytes, 0x3e, sizeof(bytes));
    memcpy(bytes + 13, "\x8b\x03", 2);
    assert_int_equal(insn_decode(bytes, sizeof(bytes), INSN_MODE_64, &i), 0);
    assert_int_equal(i.len, 15);
    memset(bytes, 0x3e, sizeof(bytes));
    memcpy(bytes + 14, "\x8b\x03", 2);
    assert_int_equal(insn_decode(bytes, sizeof(bytes), INSN_MODE_64, &i), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_drivers_use),
        cmocka_unit_test(byte_registers),
        cmocka_unit_test(addresses_of_16_bits),
        cmocka_unit_test(segment_overrides),
        cmocka_unit_test(refused),
        cmocka_unit_test(refused_by_name),
        cmocka_unit_test(vector_moves),
        cmocka_unit_test(length_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
