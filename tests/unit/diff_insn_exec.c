/* SPDX-License-Identifier: MIT */
// sources: guest/insn/insn.c guest/insn/opcodes.c guest/insn/exec.c
/*
 * insn_exec() against the processor underneath: the same instruction, registers, flags and memory
 * once through insn_exec(), once for real, and then the same registers, flags and memory must come
 * out. 64-bit code only, since that is what this program is made of.
 * From: make diff.   To: guest/insn/exec.c.
 * Usage: diff_insn_exec [ENCODINGS [SEED]]
 */
#include "lib/bits.h"
#include "arch/x86.h"
#include "guest/insn/insn.h"
#include "tests/unit/insn_random.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Below 2 GiB, so that every addressing form reaches it, absolute and 32-bit ones too. */
#define ARENA      UINT64_C(0x20000000)
#define ARENA_SIZE 0x4000
#define CODE       UINT64_C(0x20100000)

struct native {
    uint64_t gpr[16];
    uint64_t rflags;
    uint64_t code;
    uint64_t host_rsp;
    uint8_t vector[16][32]; /* YMM */
} native;
LAYOUT(struct native, rflags, 128);
LAYOUT(struct native, code, 136);
LAYOUT(struct native, host_rsp, 144);
LAYOUT(struct native, vector, 152);

void native_run(void);    /* loads native, jumps to native.code */
extern char native_end[]; /* the code jumps here */

asm(".text\n"
    "native_run:\n"
    "    push %rbx\n    push %rbp\n    push %r12\n    push %r13\n    push %r14\n    push %r15\n"
    "    mov %rsp, native+144(%rip)\n"
#define YMM(n, at) "    vmovdqu native+" #at "(%rip), %ymm" #n "\n"
    YMM(0, 152) YMM(1, 184) YMM(2, 216) YMM(3, 248) YMM(4, 280) YMM(5, 312) YMM(6, 344) YMM(7, 376)
        YMM(8, 408) YMM(9, 440) YMM(10, 472) YMM(11, 504) YMM(12, 536) YMM(13, 568) YMM(14, 600)
            YMM(15, 632)
#undef YMM
                "    push native+128(%rip)\n    popfq\n"
                "    mov native+0(%rip), %rax\n    mov native+8(%rip), %rcx\n"
                "    mov native+16(%rip), %rdx\n    mov native+24(%rip), %rbx\n"
                "    mov native+32(%rip), %rsp\n    mov native+40(%rip), %rbp\n"
                "    mov native+48(%rip), %rsi\n    mov native+56(%rip), %rdi\n"
                "    mov native+64(%rip), %r8\n    mov native+72(%rip), %r9\n"
                "    mov native+80(%rip), %r10\n    mov native+88(%rip), %r11\n"
                "    mov native+96(%rip), %r12\n    mov native+104(%rip), %r13\n"
                "    mov native+112(%rip), %r14\n    mov native+120(%rip), %r15\n"
                "    jmp *native+136(%rip)\n"
                "native_end:\n"
                "    mov %rax, native+0(%rip)\n    mov %rcx, native+8(%rip)\n"
                "    mov %rdx, native+16(%rip)\n    mov %rbx, native+24(%rip)\n"
                "    mov %rsp, native+32(%rip)\n    mov %rbp, native+40(%rip)\n"
                "    mov %rsi, native+48(%rip)\n    mov %rdi, native+56(%rip)\n"
                "    mov %r8, native+64(%rip)\n    mov %r9, native+72(%rip)\n"
                "    mov %r10, native+80(%rip)\n    mov %r11, native+88(%rip)\n"
                "    mov %r12, native+96(%rip)\n    mov %r13, native+104(%rip)\n"
                "    mov %r14, native+112(%rip)\n    mov %r15, native+120(%rip)\n"
                "    mov native+144(%rip), %rsp\n"
                "    pushfq\n    pop native+128(%rip)\n"
#define YMM(n, at) "    vmovdqu %ymm" #n ", native+" #at "(%rip)\n"
    YMM(0, 152) YMM(1, 184) YMM(2, 216) YMM(3, 248) YMM(4, 280) YMM(5, 312) YMM(6, 344) YMM(
        7, 376) YMM(8, 408) YMM(9, 440) YMM(10, 472)
        YMM(11, 504) YMM(12, 536) YMM(13, 568) YMM(14, 600) YMM(15, 632)
#undef YMM
            "    vzeroupper\n"
            "    cld\n"
            "    pop %r15\n    pop %r14\n    pop %r13\n    pop %r12\n    pop %rbp\n    pop %rbx\n"
            "    ret\n");

/* --- the model's memory: a second arena --- */

static uint8_t model[ARENA_SIZE];

static bool outside(uint64_t linear, unsigned width)
{
    return linear < ARENA || linear + width > ARENA + ARENA_SIZE;
}

static int model_read(void *ctx, uint64_t linear, unsigned width, bool modify, void *to)
{
    (void)ctx, (void)modify;
    if (outside(linear, width))
        return -EIO;
    memcpy(to, model + (linear - ARENA), width);
    return 0;
}

static int model_write(void *ctx, uint64_t linear, unsigned width, const void *from)
{
    (void)ctx;
    if (outside(linear, width))
        return -EIO;
    memcpy(model + (linear - ARENA), from, width);
    return 0;
}

static const struct insn_bus bus = {.read = model_read, .write = model_write};

/* --- registers that make the address fall into the arena --- */

static uint64_t random_value(void)
{
    static const uint64_t edges[] = {
        0,         1,          0x7f,       0x80,      0x7fff,
        0x8000,    0x7fffffff, 0x80000000, INT64_MAX, UINT64_C(1) << 63,
        UINT64_MAX};
    if (below(3) == 0)
        return edges[below(ARRAY_COUNT(edges))];
    return (uint64_t)random_u32() << 32 | random_u32();
}

/* Puts another displacement into the encoding; false if its place cannot be told. */
static bool patch_disp(uint8_t *bytes, struct insn *insn, uint64_t disp)
{
    struct insn again;
    unsigned size = insn->len >= 9 && insn->mem.addr_size == 8 ? 8 : 4;
    for (; size >= 4; size -= 4) {
        for (unsigned at = 1; at + size <= insn->len; at++) {
            uint8_t old[8];
            memcpy(old, bytes + at, size);
            memcpy(bytes + at, &disp, size);
            if (insn_decode(bytes, insn->len, INSN_MODE_64, &again) == 0 &&
                again.len == insn->len && again.kind == insn->kind &&
                again.mem.base == insn->mem.base && again.mem.index == insn->mem.index &&
                again.mem.disp == (int64_t)disp && again.imm == insn->imm) {
                *insn = again;
                return true;
            }
            memcpy(bytes + at, old, size);
        }
    }
    return false;
}

static bool is_bit_string(const struct insn *insn)
{
    return (insn->kind == INSN_BT || (insn->kind >= INSN_BTS && insn->kind <= INSN_BTC)) &&
           insn->src.kind == INSN_OPERAND_REG;
}

static bool place_string(const struct insn *insn, uint64_t *gpr)
{
    gpr[INSN_RSI] = ARENA + ARENA_SIZE / 2 - 512 + below(1024);
    gpr[INSN_RDI] = ARENA + ARENA_SIZE / 2 - 512 + below(1024);
    if (insn->rep)
        gpr[INSN_RCX] = below(16) ? below(20) : below(2 * INSN_REP_BATCH + 10);
    if (insn->kind >= INSN_CMPS && below(2)) { /* a long way that is equal, or nothing is */
        uint8_t fill = insn->kind == INSN_SCAS ? (uint8_t)gpr[INSN_RAX] : 0x77;
        memset(model + 0x1000, fill, 0x2000);
        memset((void *)(ARENA + 0x1000), fill, 0x2000);
    }
    if (insn->mem.addr_size == 4 && gpr[INSN_RCX] != 0) { /* the upper halves do not count */
        gpr[INSN_RSI] |= (uint64_t)random_u32() << 32;
        gpr[INSN_RDI] |= (uint64_t)random_u32() << 32;
        gpr[INSN_RCX] |= (uint64_t)(insn->rep ? random_u32() : 0) << 32;
    }
    return true;
}

static bool place(uint8_t *bytes, struct insn *insn, uint64_t *gpr)
{
    const struct insn_mem *m = &insn->mem;
    uint64_t want = ARENA + ARENA_SIZE / 2 - 256 + below(512);
    if (insn->kind == INSN_VMOV) /* some want alignment */
        want &= ~UINT64_C(31);
    if (insn->kind == INSN_PUSH) {
        if (m->base == INSN_RSP || m->index == INSN_RSP)
            return false;
        gpr[INSN_RSP] = ARENA + 0x800 + 8 * below(64);
    }
    if (m->segment == INSN_FS)
        return false; /* the C library's */
    if (insn->kind >= INSN_MOVS)
        return place_string(insn, gpr);
    if (is_bit_string(insn)) {
        if (insn->src.reg == m->base || insn->src.reg == m->index)
            return false;
        gpr[insn->src.reg] = (uint64_t)((int64_t)below(0x8000) - 0x4000);
    }
    if (m->rip_relative)
        return patch_disp(bytes, insn, want - CODE - insn->len);
    if (m->base == INSN_NO_REG && m->index == INSN_NO_REG)
        return patch_disp(bytes, insn, want);
    if (m->base == INSN_NO_REG) {
        gpr[m->index] = below(0x10000);
        return patch_disp(bytes, insn, want - gpr[m->index] * m->scale);
    }
    if (m->base == m->index)
        return false;
    gpr[m->base] = want - (uint64_t)m->disp;
    if (m->index != INSN_NO_REG)
        gpr[m->base] -= gpr[m->index] * m->scale;
    return true;
}

/* --- both, and the comparison --- */

static uint8_t low[16][16], high[16][16], highest[16][32];

static int run_model(const struct insn *insn, uint64_t *gpr, uint64_t *rflags)
{
    static const uint64_t segment_base[INSN_SEGMENT_COUNT];
    struct insn_cpu cpu = {.gpr = gpr,
                           .rflags = rflags,
                           .rip = CODE,
                           .segment_base = segment_base,
                           .stack_size = 8,
                           .vector = {low[0], high[0], highest[0]}};
    int result;
    do
        result = insn_exec(insn, &cpu, &bus);
    while (result == INSN_AGAIN);
    return result;
}

static void run_native(const uint8_t *bytes, const struct insn *insn)
{
    static const uint8_t jump[] = {0xff, 0x25, 0, 0, 0, 0}; /* jmp *0(%rip) */
    uint8_t *code = (uint8_t *)CODE;
    uint64_t end = (uint64_t)native_end;
    memcpy(code, bytes, insn->len);
    memcpy(code + insn->len, jump, sizeof(jump));
    memcpy(code + insn->len + sizeof(jump), &end, sizeof(end));
    native.code = CODE;
    native_run();
}

/* The flags that the manual defines after this instruction. */
static uint64_t defined_flags(const struct insn *insn, uint64_t count)
{
    enum insn_kind kind = insn->kind;
    if (kind >= INSN_ROL && kind <= INSN_SAR) {
        uint64_t flags = RFLAGS_CF | RFLAGS_PF | RFLAGS_ZF | RFLAGS_SF;
        count &= insn->dst.width == 8 ? 63 : 31;
        if (kind >= INSN_SHL && count > 8u * insn->dst.width)
            flags &= ~RFLAGS_CF;
        return count == 1 ? flags | RFLAGS_OF : flags;
    }
    uint64_t all = RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF;
    switch (kind) {
    case INSN_AND:
    case INSN_OR:
    case INSN_XOR:
    case INSN_TEST:
        return all & ~RFLAGS_AF;
    case INSN_BT:
    case INSN_BTS:
    case INSN_BTR:
    case INSN_BTC:
        return RFLAGS_CF | RFLAGS_ZF;
    case INSN_IMUL:
    case INSN_IMUL_IMM:
        return RFLAGS_CF | RFLAGS_OF;
    case INSN_BSF:
    case INSN_BSR:
        return RFLAGS_ZF;
    default:
        return all | RFLAGS_DF;
    }
}

static unsigned long executed, failures;
static unsigned long kinds_seen[INSN_KIND_COUNT];

static void report(const uint8_t *bytes, const struct insn *insn, const char *what)
{
    if (++failures > 20)
        return;
    printf("kind %d, %s:", insn->kind, what);
    for (unsigned i = 0; i < insn->len; i++)
        printf(" %02x", bytes[i]);
    printf("\n");
}

static void compare(void)
{
    uint8_t bytes[16];
    struct insn insn;
    uint64_t gpr[16], rflags = RFLAGS_1 | RFLAGS_IF;
    size_t size = random_encoding(bytes, INSN_MODE_64);
    if (insn_decode(bytes, size, INSN_MODE_64, &insn) != 0)
        return;
    for (unsigned i = 0; i < 16; i++)
        gpr[i] = random_value();
    rflags |= random_u32() &
              (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_DF | RFLAGS_OF);
    if (!place(bytes, &insn, gpr))
        return;
    uint64_t count = insn.src.kind == INSN_OPERAND_IMM ? insn.imm : gpr[INSN_RCX];
    for (unsigned i = 0; i < 16; i++) {
        for (unsigned j = 0; j < 32; j++)
            native.vector[i][j] = (uint8_t)random_u32();
        memcpy(low[i], native.vector[i], 16);
        memcpy(high[i], native.vector[i] + 16, 16);
    }
    memset(highest, 0x11, sizeof(highest));
    memcpy(native.gpr, gpr, sizeof(gpr));
    native.rflags = rflags;

    if (run_model(&insn, gpr, &rflags) != 0) {
        report(bytes, &insn, "the model leaves the arena");
        return;
    }
    run_native(bytes, &insn);
    executed++;
    kinds_seen[insn.kind]++;
    if (memcmp(gpr, native.gpr, sizeof(gpr)) != 0)
        report(bytes, &insn, "registers");
    if (((rflags ^ native.rflags) & defined_flags(&insn, count)) != 0)
        report(bytes, &insn, "flags");
    for (unsigned i = 0; i < 16; i++)
        if (memcmp(low[i], native.vector[i], 16) || memcmp(high[i], native.vector[i] + 16, 16))
            report(bytes, &insn, "vectors");
    if (memcmp(model, (void *)ARENA, ARENA_SIZE) != 0) {
        report(bytes, &insn, "memory");
        memcpy(model, (void *)ARENA, ARENA_SIZE);
    }
}

static void *map(uint64_t at, size_t size, int protection)
{
    return mmap((void *)at, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
                0);
}

int main(int argc, char **argv)
{
    unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000000;
    random_state = argc > 2 ? strtoull(argv[2], NULL, 0) : UINT64_C(0x48616d6c6574);
    if (map(ARENA, ARENA_SIZE, PROT_READ | PROT_WRITE) != (void *)ARENA ||
        map(CODE, PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC) != (void *)CODE) {
        perror("diff_insn_exec: mmap");
        return 2;
    }
    for (unsigned i = 0; i < ARENA_SIZE; i++)
        model[i] = (uint8_t)random_u32();
    memcpy((void *)ARENA, model, ARENA_SIZE);

    for (unsigned long i = 0; i < count; i++)
        compare();
    printf("diff_insn_exec: encodings=%lu executed=%lu differences=%lu\n", count, executed,
           failures);
    for (int kind = INSN_REFUSED + 1; kind < INSN_KIND_COUNT; kind++) {
        if (kinds_seen[kind] == 0) {
            printf("diff_insn_exec: kind %d was never executed\n", kind);
            failures++;
        }
    }
    return failures != 0;
}
