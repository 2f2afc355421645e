/* SPDX-License-Identifier: MIT */
// sources: guest/insn/insn.c guest/insn/opcodes.c guest/insn/exec.c
/*
 * Whatever a guest puts where its instruction should be: insn_decode() answers, reads no byte too
 * many and hands out only operands that exist; insn_exec() then ends and touches memory in widths
 * that a bus knows. Input: mode, where the bus begins to fault, registers from a seed, the bytes.
 * From: make fuzz.   To: guest/insn/insn.c, guest/insn/exec.c.
 */
#include "tests/fuzz/fuzz.h"
#include "lib/bits.h"
#include "arch/x86.h"
#include "guest/insn/insn.h"

static unsigned accesses_left;

static int access_memory(unsigned width)
{
    must(width == 1 || width == 2 || width == 4 || width == 8 || width == 16 || width == 32);
    if (accesses_left == 0)
        return -EIO;
    accesses_left--;
    return 0;
}

static int memory_read(void *ctx, uint64_t linear, unsigned width, bool modify, void *to)
{
    (void)ctx, (void)modify;
    for (unsigned i = 0; i < width; i++)
        ((uint8_t *)to)[i] = (uint8_t)((linear + i) * UINT64_C(0x9e3779b97f4a7c15) >> 56);
    return access_memory(width);
}

static int memory_write(void *ctx, uint64_t linear, unsigned width, const void *from)
{
    static uint8_t copy[32]; /* the sanitizer sees that all of it is there */
    (void)ctx, (void)linear;
    memcpy(copy, from, width);
    return access_memory(width);
}

static void check_operand(const struct insn_operand *o)
{
    if (o->kind != INSN_OPERAND_REG)
        return;
    must(o->reg < INSN_REG_COUNT);
    must(!o->high_byte || (o->reg <= INSN_RBX && o->width == 1));
}

static void check_insn(const struct insn *insn, const uint8_t *bytes, size_t size)
{
    const struct insn_mem *m = &insn->mem;
    struct insn again;
    must(insn->len > 0 && insn->len <= INSN_LEN_MAX && insn->len <= size);
    must(insn->kind > INSN_REFUSED && insn->kind < INSN_KIND_COUNT);
    must(insn->dst.kind == INSN_OPERAND_MEM || insn->src.kind == INSN_OPERAND_MEM);
    check_operand(&insn->dst);
    check_operand(&insn->src);
    must(m->segment < INSN_SEGMENT_COUNT);
    must(m->base < INSN_REG_COUNT || m->base == INSN_NO_REG);
    must(m->index < INSN_REG_COUNT || m->index == INSN_NO_REG);
    /* The length is exact: the bytes behind it do not matter, those before it all do. */
    must(insn_decode(bytes, insn->len, insn->mode, &again) == 0 && again.len == insn->len);
    must(insn_decode(bytes, insn->len - 1, insn->mode, &again) != 0);
}

static void execute(const struct insn *insn, uint64_t seed)
{
    static const struct insn_bus bus = {.read = memory_read, .write = memory_write};
    uint64_t gpr[INSN_REG_COUNT], rflags = seed & (RFLAGS_CF | RFLAGS_DF | RFLAGS_ZF);
    static uint8_t vectors[3][512];
    static const uint64_t segment_base[INSN_SEGMENT_COUNT];
    struct insn_cpu cpu = {.gpr = gpr,
                           .rflags = &rflags,
                           .rip = seed,
                           .segment_base = segment_base,
                           .stack_size = (uint8_t)(2 << seed % 3),
                           .vector = {vectors[0], vectors[1], vectors[2]}};
    for (unsigned i = 0; i < INSN_REG_COUNT; i++)
        gpr[i] = seed * (2 * i + 1) ^ seed >> i;
    uint64_t before = gpr[INSN_RCX];
    int result = insn_exec(insn, &cpu, &bus);
    must(result == 0 || result == -EIO || result == INSN_AGAIN);
    must(result != INSN_AGAIN || (insn->rep && gpr[INSN_RCX] != before));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct insn insn;
    uint64_t seed;
    if (size < 10)
        return 0;
    enum insn_mode mode = data[0] % 3;
    accesses_left = data[1] * 2;
    memcpy(&seed, data + 2, sizeof(seed));
    data += 10;
    size -= 10;
    if (insn_decode(data, size, mode, &insn) == 0) {
        check_insn(&insn, data, size);
        execute(&insn, seed);
    }
    return 0;
}
