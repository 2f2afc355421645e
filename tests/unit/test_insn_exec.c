/* SPDX-License-Identifier: MIT */
// sources: guest/insn/insn.c guest/insn/opcodes.c guest/insn/exec.c
/*
 * The executor, case by case: parts of registers, faults in the middle, REP. The breadth is in
 * diff_insn_exec.c.
 * From: make unit.   To: guest/insn/exec.c.
 */
#include <stdint.h>
#include <string.h>

#include "lib/bits.h"
#include "arch/x86.h"
#include "guest/insn/insn.h"
#include "tests/unit/test.h"

#define RAM       UINT64_C(0x1000) /* where the memory below begins */
#define RAM_SIZE  0x1000
#define NO_ACCESS (-EPERM)

static uint8_t ram[RAM_SIZE];
static bool read_only;
static unsigned reads, writes;
static bool last_modify;
static uint64_t gpr[16], rflags;
static uint8_t vectors[3][512];
static struct insn_cpu cpu;
static uint64_t segment_base[INSN_SEGMENT_COUNT];

static int ram_read(void *ctx, uint64_t linear, unsigned width, bool modify, void *to)
{
    (void)ctx;
    reads++;
    last_modify = modify;
    if (linear < RAM || linear + width > RAM + RAM_SIZE)
        return NO_ACCESS;
    memcpy(to, ram + (linear - RAM), width);
    return 0;
}

static int ram_write(void *ctx, uint64_t linear, unsigned width, const void *from)
{
    (void)ctx;
    writes++;
    if (read_only || linear < RAM || linear + width > RAM + RAM_SIZE)
        return NO_ACCESS;
    memcpy(ram + (linear - RAM), from, width);
    return 0;
}

static const struct insn_bus bus = {.read = ram_read, .write = ram_write};

FIXTURE(setup)
{
    memset(ram, 0, sizeof(ram));
    memset(gpr, 0, sizeof(gpr));
    rflags = RFLAGS_1;
    reads = writes = 0;
    read_only = false;
    memset(segment_base, 0, sizeof(segment_base));
    cpu = (struct insn_cpu){.gpr = gpr,
                            .rflags = &rflags,
                            .rip = 0x5000,
                            .segment_base = segment_base,
                            .stack_size = 8};
    memset(vectors, 0x5a, sizeof(vectors));
    cpu.vector[0] = vectors[0];
    cpu.vector[1] = vectors[1];
    cpu.vector[2] = vectors[2];
    return 0;
}

static uint64_t ram_at(uint64_t linear, unsigned width)
{
    uint64_t value = 0;
    memcpy(&value, ram + (linear - RAM), width);
    return value;
}

static int run(enum insn_mode mode, const uint8_t *bytes, size_t size)
{
    struct insn i;
    assert_int_equal(insn_decode(bytes, size, mode, &i), 0);
    assert_int_equal(i.len, size);
    return insn_exec(&i, &cpu, &bus);
}
#define RUN(mode, ...) run(mode, (const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}))

TEST(parts_of_registers)
{
    memset(ram, 0xee, 8);
    gpr[INSN_RBX] = RAM;
    gpr[INSN_RAX] = UINT64_C(0x1122334455667788);
    assert_int_equal(RUN(INSN_MODE_64, 0x8a, 0x23), 0); /* mov (%rbx), %ah */
    assert_true(gpr[INSN_RAX] == UINT64_C(0x112233445566ee88));
    assert_int_equal(RUN(INSN_MODE_64, 0x66, 0x8b, 0x03), 0);
    assert_true(gpr[INSN_RAX] == UINT64_C(0x112233445566eeee));
    assert_int_equal(RUN(INSN_MODE_64, 0x8b, 0x03), 0);
    assert_true(gpr[INSN_RAX] == UINT64_C(0xeeeeeeee));
    assert_int_equal(RUN(INSN_MODE_64, 0x48, 0x0f, 0xbe, 0x03), 0); /* movsbq (%rbx), %rax */
    assert_true(gpr[INSN_RAX] == UINT64_C(0xffffffffffffffee));
}

TEST(rip_relative)
{
    ram[8] = 0x5a;
    cpu.rip = RAM + 0x100;
    /* movzbl disp(%rip), %eax: from the end of the instruction back to ram[8] */
    assert_int_equal(RUN(INSN_MODE_64, 0x0f, 0xb6, 0x05, 0x01, 0xff, 0xff, 0xff), 0);
    assert_true(gpr[INSN_RAX] == 0x5a);
}

TEST(segment_bases)
{
    for (int s = INSN_ES; s < INSN_SEGMENT_COUNT; s++)
        segment_base[s] = RAM + 0x10 * s;
    gpr[INSN_RAX] = 0x77;
    assert_int_equal(RUN(INSN_MODE_16, 0xa2, 0x02, 0x00), 0); /* mov %al, 2 */
    assert_int_equal(ram[0x32], 0x77);
    assert_int_equal(RUN(INSN_MODE_16, 0x88, 0x46, 0x03), 0); /* mov %al, 3(%bp) */
    assert_int_equal(ram[0x23], 0x77);
    gpr[INSN_RBX] = UINT64_C(0xffffffff);
    assert_int_equal(RUN(INSN_MODE_32, 0x88, 0x43, 0x05), 0); /* offsets wrap at 4 GiB */
    assert_int_equal(ram[0x34], 0x77);
    segment_base[INSN_ES] = 0xfffff000;
    gpr[INSN_RBX] = 0x2008;
    assert_int_equal(RUN(INSN_MODE_32, 0x26, 0x88, 0x03), 0); /* so do linear addresses */
    assert_int_equal(ram[8], 0x77);
    gpr[INSN_RBX] = 6;
    assert_int_equal(RUN(INSN_MODE_64, 0x65, 0x88, 0x03), 0); /* mov %al, %gs:(%rbx) */
    assert_int_equal(ram[0x56], 0x77);
    gpr[INSN_RBX] = RAM + 7;
    assert_int_equal(RUN(INSN_MODE_64, 0x88, 0x03), 0); /* DS has no base in 64-bit mode */
    assert_int_equal(ram[7], 0x77);
}

TEST(read_modify_write)
{
    gpr[INSN_RBX] = RAM;
    ram[0] = 0xf0;
    assert_int_equal(RUN(INSN_MODE_64, 0x80, 0x0b, 0x0f), 0); /* orb $0xf, (%rbx) */
    assert_int_equal(ram[0], 0xff);
    assert_true(last_modify);
    assert_true(rflags == (RFLAGS_1 | RFLAGS_SF | RFLAGS_PF));
    assert_int_equal(RUN(INSN_MODE_64, 0xf0, 0x80, 0x03, 0x01), 0); /* lock addb $1, (%rbx) */
    assert_int_equal(ram[0], 0);
    assert_true(rflags == (RFLAGS_1 | RFLAGS_ZF | RFLAGS_PF | RFLAGS_CF | RFLAGS_AF));
    assert_int_equal(writes, 2);
    assert_int_equal(RUN(INSN_MODE_64, 0xf6, 0x03, 0x80), 0); /* testb: a device sees no write */
    assert_false(last_modify);
    assert_int_equal(writes, 2);
    gpr[INSN_RAX] = 0x42;
    assert_int_equal(RUN(INSN_MODE_64, 0x86, 0x03), 0); /* xchg %al, (%rbx) */
    assert_int_equal(ram[0], 0x42);
    assert_true(gpr[INSN_RAX] == 0);
    assert_int_equal(reads, 4);
}

TEST(plain_stores_do_not_read)
{
    gpr[INSN_RBX] = RAM;
    gpr[INSN_RAX] = 0x11223344;
    assert_int_equal(RUN(INSN_MODE_64, 0x89, 0x03), 0);
    assert_int_equal(RUN(INSN_MODE_64, 0xc6, 0x03, 0x01), 0);
    assert_int_equal(RUN(INSN_MODE_64, 0x0f, 0x38, 0xf1, 0x03), 0); /* movbe %eax, (%rbx) */
    assert_int_equal(reads, 0);
    assert_true(ram_at(RAM, 4) == 0x44332211);
}

TEST(bit_strings)
{
    gpr[INSN_RBX] = RAM + 0x100;
    gpr[INSN_RAX] = (uint32_t)-1;                             /* the bit below */
    assert_int_equal(RUN(INSN_MODE_64, 0x0f, 0xab, 0x03), 0); /* bts %eax, (%rbx) */
    assert_int_equal(ram[0xff], 0x80);
    assert_int_equal(RUN(INSN_MODE_64, 0x0f, 0xa3, 0x03), 0); /* bt */
    assert_true(rflags & RFLAGS_CF);
    gpr[INSN_RAX] = 65;
    assert_int_equal(RUN(INSN_MODE_64, 0x0f, 0xbb, 0x03), 0); /* btc */
    assert_int_equal(ram[0x108], 2);
    assert_false(rflags & RFLAGS_CF);
    assert_int_equal(RUN(INSN_MODE_64, 0x0f, 0xba, 0x2b, 0x21), 0); /* btsl $33: 33 modulo 32 */
    assert_int_equal(ram[0x100], 2);
}

TEST(faults_leave_no_trace)
{
    gpr[INSN_RAX] = 1;
    gpr[INSN_RBX] = RAM;
    read_only = true;
    assert_int_equal(RUN(INSN_MODE_64, 0x01, 0x03), NO_ACCESS); /* add %eax, (%rbx) */
    assert_int_equal(RUN(INSN_MODE_64, 0x87, 0x03), NO_ACCESS); /* xchg */
    assert_true(rflags == RFLAGS_1);
    assert_true(gpr[INSN_RAX] == 1);
    gpr[INSN_RBX] = 0;
    assert_int_equal(RUN(INSN_MODE_64, 0x03, 0x03), NO_ACCESS);
    assert_true(rflags == RFLAGS_1);
    assert_true(gpr[INSN_RAX] == 1);
}

TEST(rep_stops_at_a_fault)
{
    gpr[INSN_RAX] = 0xabcd;
    gpr[INSN_RCX] = 10;
    gpr[INSN_RDI] = RAM + RAM_SIZE - 6;
    assert_int_equal(RUN(INSN_MODE_64, 0xf3, 0x66, 0xab), NO_ACCESS); /* rep stosw */
    assert_true(gpr[INSN_RCX] == 7);
    assert_true(gpr[INSN_RDI] == RAM + RAM_SIZE);
    assert_true(ram_at(RAM + RAM_SIZE - 8, 8) == UINT64_C(0xabcdabcdabcd0000));

    /* A load that faults moves no pointer, and a store that faults none either. */
    gpr[INSN_RSI] = RAM;
    assert_int_equal(RUN(INSN_MODE_64, 0xf3, 0xa4), NO_ACCESS);
    assert_true(gpr[INSN_RSI] == RAM);
    assert_true(gpr[INSN_RCX] == 7);
}

TEST(rep_moves_down)
{
    memcpy(ram, "abcdef", 6);
    rflags |= RFLAGS_DF;
    gpr[INSN_RSI] = RAM + 5;
    gpr[INSN_RDI] = RAM + 0x15;
    gpr[INSN_RCX] = 6;
    assert_int_equal(RUN(INSN_MODE_64, 0xf3, 0xa4), 0);
    assert_memory_equal(ram + 0x10, "abcdef", 6);
    assert_true(gpr[INSN_RSI] == RAM - 1);
    assert_true(gpr[INSN_RCX] == 0);
}

TEST(rep_counts_by_address_size)
{
    gpr[INSN_RCX] = 0x10002;
    gpr[INSN_RDI] = 0xf0000 + RAM;
    assert_int_equal(RUN(INSN_MODE_16, 0xf3, 0xaa), 0); /* CX and DI: 2 bytes */
    assert_int_equal(writes, 2);
    assert_true(gpr[INSN_RCX] == 0x10000);
    assert_true(gpr[INSN_RDI] == 0xf0002 + RAM);
    assert_int_equal(RUN(INSN_MODE_16, 0xf3, 0xaa), 0); /* CX = 0: nothing */
    assert_int_equal(writes, 2);
}

TEST(rep_pauses)
{
    gpr[INSN_RCX] = INSN_REP_BATCH + 1;
    gpr[INSN_RSI] = RAM;
    assert_int_equal(RUN(INSN_MODE_64, 0xf3, 0xac), INSN_AGAIN); /* rep lodsb */
    assert_true(gpr[INSN_RCX] == 1);
    assert_int_equal(RUN(INSN_MODE_64, 0xf3, 0xac), 0);
    assert_true(gpr[INSN_RSI] == RAM + INSN_REP_BATCH + 1);
}

/* The old value is written where they differ: the access is one of a write either way. */
TEST(compare_and_exchange)
{
    gpr[INSN_RBX] = RAM;
    gpr[INSN_RAX] = UINT64_C(0xffffffff00000000);
    gpr[INSN_RCX] = 0x1111;
    assert_int_equal(RUN(INSN_MODE_64, 0xf0, 0x0f, 0xb1, 0x0b), 0); /* lock cmpxchg %ecx, (%rbx) */
    assert_true(ram_at(RAM, 4) == 0x1111);
    assert_true(rflags & RFLAGS_ZF);
    assert_true(gpr[INSN_RAX] == UINT64_C(0xffffffff00000000));
    assert_int_equal(RUN(INSN_MODE_64, 0x0f, 0xb1, 0x0b), 0);
    assert_true(gpr[INSN_RAX] == 0x1111 && !(rflags & RFLAGS_ZF));
    assert_int_equal(writes, 2);
    read_only = true;
    gpr[INSN_RAX] = 7;
    assert_int_equal(RUN(INSN_MODE_64, 0x0f, 0xb1, 0x0b), NO_ACCESS);
    assert_true(gpr[INSN_RAX] == 7);
}

TEST(a_push_by_every_stack)
{
    memcpy(ram, "\x78\x56\x34\x12", 4);
    gpr[INSN_RBX] = RAM;
    gpr[INSN_RSP] = RAM + 0x100;
    assert_int_equal(RUN(INSN_MODE_64, 0xff, 0x33), 0);
    assert_true(gpr[INSN_RSP] == RAM + 0xf8 && ram_at(RAM + 0xf8, 8) == 0x12345678);
    cpu.stack_size = 2; /* a 16-bit stack under 32-bit code: SP wraps */
    segment_base[INSN_SS] = RAM - 0xff00;
    gpr[INSN_RSP] = 0xabcd0002;
    assert_int_equal(RUN(INSN_MODE_32, 0xff, 0x33), 0);
    assert_true(gpr[INSN_RSP] == 0xabcdfffe && ram_at(RAM + 0xfe, 4) == 0x12345678);
    gpr[INSN_RSP] = 0xabcdff24;
    assert_int_equal(RUN(INSN_MODE_32, 0x66, 0xff, 0x33), 0);
    assert_true(gpr[INSN_RSP] == 0xabcdff22 && ram_at(RAM + 0x22, 4) == 0x5678);
}

TEST(vectors_and_what_is_above)
{
    for (unsigned n = 0; n < 32; n++)
        ram[n] = (uint8_t)n;
    gpr[INSN_RBX] = RAM;
    assert_int_equal(RUN(INSN_MODE_64, 0xf3, 0x0f, 0x6f, 0x0b), 0); /* movdqu (%rbx), %xmm1 */
    assert_memory_equal(vectors[0] + 16, ram, 16);
    assert_int_equal(vectors[1][16], 0x5a);
    assert_int_equal(RUN(INSN_MODE_64, 0x66, 0x0f, 0x6e, 0x0b), 0); /* movd: the rest is 0 */
    assert_int_equal(vectors[0][19], 3);
    assert_int_equal(vectors[0][20], 0);
    assert_int_equal(RUN(INSN_MODE_64, 0xc5, 0xfa, 0x6f, 0x0b), 0); /* vmovdqu, xmm1 */
    assert_int_equal(vectors[1][16], 0);
    assert_int_equal(vectors[2][32], 0);
    assert_int_equal(vectors[2][31], 0x5a);
    gpr[INSN_RBX] = RAM + 0x40;
    assert_int_equal(RUN(INSN_MODE_64, 0xc5, 0xfe, 0x7f, 0x0b), 0); /* vmovdqu, ymm1 -> memory */
    assert_memory_equal(ram + 0x40, ram, 16);
    assert_true(ram_at(RAM + 0x50, 8) == 0);
    assert_int_equal(writes, 1); /* one access: the bus sees whether all of it can be written */
    gpr[INSN_RBX] = RAM + RAM_SIZE - 8;
    assert_int_equal(RUN(INSN_MODE_64, 0xf3, 0x0f, 0x6f, 0x0b), NO_ACCESS);
    assert_int_equal(vectors[0][16], 0);
}

TEST(comparisons_of_strings)
{
    memcpy(ram, "abcdeX", 6);
    memcpy(ram + 0x10, "abcdeY", 6);
    gpr[INSN_RSI] = RAM;
    gpr[INSN_RDI] = RAM + 0x10;
    gpr[INSN_RCX] = 9;
    assert_int_equal(RUN(INSN_MODE_64, 0xf3, 0xa6), 0); /* repe cmpsb */
    assert_true(gpr[INSN_RCX] == 3 && gpr[INSN_RSI] == RAM + 6);
    assert_true(!(rflags & RFLAGS_ZF) && (rflags & RFLAGS_CF)); /* X is below Y */
    gpr[INSN_RDI] = RAM;
    gpr[INSN_RAX] = 'd';
    gpr[INSN_RCX] = 9;
    assert_int_equal(RUN(INSN_MODE_64, 0xf2, 0xae), 0); /* repne scasb */
    assert_true(gpr[INSN_RCX] == 5 && gpr[INSN_RDI] == RAM + 4 && (rflags & RFLAGS_ZF));
    assert_int_equal(writes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(parts_of_registers, setup),
        cmocka_unit_test_setup(rip_relative, setup),
        cmocka_unit_test_setup(segment_bases, setup),
        cmocka_unit_test_setup(read_modify_write, setup),
        cmocka_unit_test_setup(plain_stores_do_not_read, setup),
        cmocka_unit_test_setup(bit_strings, setup),
        cmocka_unit_test_setup(faults_leave_no_trace, setup),
        cmocka_unit_test_setup(rep_stops_at_a_fault, setup),
        cmocka_unit_test_setup(rep_moves_down, setup),
        cmocka_unit_test_setup(rep_counts_by_address_size, setup),
        cmocka_unit_test_setup(rep_pauses, setup),
        cmocka_unit_test_setup(compare_and_exchange, setup),
        cmocka_unit_test_setup(a_push_by_every_stack, setup),
        cmocka_unit_test_setup(vectors_and_what_is_above, setup),
        cmocka_unit_test_setup(comparisons_of_strings, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
