/* SPDX-License-Identifier: MIT */
// sources: guest/insn/insn.c guest/insn/opcodes.c
// libs: Zydis
/*
 * insn_decode() against Zydis, over generated encodings: both read the same bytes in the same mode
 * and must agree on everything, or both refuse. What Hamlet does not know it must refuse, so an
 * instruction that it takes and Zydis reads differently is as much a failure as the reverse.
 * From: make diff.   To: guest/insn/insn.c.
 * Usage: diff_insn [ENCODINGS-PER-MODE [SEED]]
 */
#include "guest/insn/insn.h"
#include "tests/unit/insn_random.h"

#include <Zydis/Zydis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what Zydis says, in Hamlet's words --- */

static bool has_repeat(const ZydisDecodedInstruction *z)
{
    for (unsigned i = 0; i < z->raw.prefix_count; i++)
        if (z->raw.prefixes[i].value == 0xf2 || z->raw.prefixes[i].value == 0xf3)
            return true;
    return false;
}

static bool is_vector_move(ZydisMnemonic m)
{
    static const ZydisMnemonic moves[] = {
#define MOVE(name) ZYDIS_MNEMONIC_##name, ZYDIS_MNEMONIC_V##name
        MOVE(MOVUPS),  MOVE(MOVUPD),   MOVE(MOVAPS), MOVE(MOVAPD),  MOVE(MOVSS),
        MOVE(MOVSD),   MOVE(MOVDQA),   MOVE(MOVDQU), MOVE(MOVNTPS), MOVE(MOVNTPD),
        MOVE(MOVNTDQ), MOVE(MOVNTDQA), MOVE(LDDQU),  MOVE(MOVQ),    MOVE(MOVD)};
    for (unsigned i = 0; i < sizeof(moves) / sizeof(moves[0]); i++)
        if (moves[i] == m)
            return true;
    return false;
}

/* Mnemonics that mean one kind; kind_of() has those that mean more. */
static const struct {
    ZydisMnemonic mnemonic;
    enum insn_kind kind;
} kinds[] = {
#define KIND(name, kind)                                                                           \
    {                                                                                              \
        ZYDIS_MNEMONIC_##name, INSN_##kind                                                         \
    }
#define SAME(name) KIND(name, name)
#define STRING(name)                                                                               \
    KIND(name##B, name), KIND(name##W, name), KIND(name##D, name), KIND(name##Q, name)
    SAME(ADD),
    SAME(OR),
    SAME(ADC),
    SAME(SBB),
    SAME(AND),
    SAME(SUB),
    SAME(XOR),
    SAME(CMP),
    SAME(INC),
    SAME(DEC),
    SAME(NOT),
    SAME(NEG),
    SAME(BT),
    SAME(BTS),
    SAME(BTR),
    SAME(BTC),
    SAME(XCHG),
    SAME(TEST),
    SAME(MOV),
    SAME(MOVZX),
    SAME(MOVSX),
    SAME(MOVBE),
    SAME(XADD),
    SAME(CMPXCHG),
    SAME(ROL),
    SAME(ROR),
    SAME(RCL),
    SAME(RCR),
    SAME(SHL),
    SAME(SHR),
    SAME(SAR),
    SAME(IMUL),
    SAME(BSF),
    SAME(BSR),
    SAME(PUSH),
    SAME(CLFLUSH),
    KIND(CLFLUSHOPT, CLFLUSH),
    KIND(MOVNTI, MOV),
    KIND(MOVSXD, MOVSX),
    STRING(MOVS),
    STRING(STOS),
    STRING(LODS),
    STRING(CMPS),
    STRING(SCAS),
};

static enum insn_kind kind_of(const ZydisDecodedInstruction *z)
{
    enum insn_kind kind = INSN_INVALID;
    bool sse = z->opcode_map != ZYDIS_OPCODE_MAP_DEFAULT; /* MOVSD and CMPSD are its, too */
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (kinds[i].mnemonic == z->mnemonic)
            kind = kinds[i].kind;
    switch (kind) { /* list */
    case INSN_MOVS:
        return sse ? INSN_VMOV : kind;
    case INSN_CMPS:
        return sse ? INSN_INVALID : kind;
    case INSN_SHL: /* /4 and /6 */
        return z->raw.modrm.reg == 6 ? INSN_SAL : kind;
    case INSN_IMUL: /* of two operands, of three; that of one is not known */
        return sse ? kind : z->opcode == 0x69 || z->opcode == 0x6b ? INSN_IMUL_IMM : INSN_INVALID;
    case INSN_BSF: /* with F2 or F3 another instruction on a newer CPU */
    case INSN_BSR:
        return has_repeat(z) ? INSN_INVALID : kind;
    case INSN_PUSH: /* the others touch the stack only */
        return z->opcode == 0xff ? kind : INSN_INVALID;
    case INSN_INVALID:
        if (z->meta.category == ZYDIS_CATEGORY_CMOV)
            return INSN_CMOV;
        if (z->meta.category == ZYDIS_CATEGORY_SETCC)
            return INSN_SET;
        return is_vector_move(z->mnemonic) ? INSN_VMOV : INSN_INVALID;
    default:
        return kind;
    }
}

static uint8_t register_of(ZydisRegister r)
{
    return r == ZYDIS_REGISTER_NONE ? INSN_NO_REG : (uint8_t)ZydisRegisterGetId(r);
}

/* False: a register that insn_decode() has no word for (segment, control, ...). */
static bool register_operand(ZydisRegister r, struct insn_operand *o)
{
    switch (ZydisRegisterGetClass(r)) {
    case ZYDIS_REGCLASS_GPR8:
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR64:
        break;
    case ZYDIS_REGCLASS_XMM:
    case ZYDIS_REGCLASS_YMM:
        o->kind = INSN_OPERAND_REG;
        o->reg = register_of(r);
        return true;
    default:
        return false;
    }
    o->kind = INSN_OPERAND_REG;
    o->width = ZydisRegisterGetWidth(ZYDIS_MACHINE_MODE_LONG_64, r) / 8;
    o->high_byte = r >= ZYDIS_REGISTER_AH && r <= ZYDIS_REGISTER_BH;
    if (o->high_byte)
        o->reg = r - ZYDIS_REGISTER_AH;
    else if (r >= ZYDIS_REGISTER_SPL && r <= ZYDIS_REGISTER_R15B)
        o->reg = r - ZYDIS_REGISTER_SPL + 4;
    else
        o->reg = register_of(r);
    return true;
}

static void memory_operand(const ZydisDecodedOperand *z, const ZydisDecodedInstruction *insn,
                           struct insn_mem *m)
{
    bool rip = z->mem.base == ZYDIS_REGISTER_RIP || z->mem.base == ZYDIS_REGISTER_EIP;
    m->segment = (uint8_t)(z->mem.segment - ZYDIS_REGISTER_ES);
    m->base = rip ? INSN_NO_REG : register_of(z->mem.base);
    m->index = register_of(z->mem.index);
    m->scale = z->mem.scale ? z->mem.scale : 1;
    m->addr_size = insn->address_width / 8;
    m->rip_relative = rip;
    m->disp = z->mem.disp.has_displacement ? z->mem.disp.value : 0;
    /* Zydis 4.0 reads R13D here, in spite of SDM "Addressing-Form Encodings" (mod = 0 and
     * SIB.base = 5: disp32 and no base, whatever REX.B is) and of the processor. */
    if (insn->raw.modrm.mod == 0 && z->mem.base == ZYDIS_REGISTER_R13D && insn->raw.sib.base == 5) {
        m->base = INSN_NO_REG;
        m->disp = insn->raw.disp.value;
    }
}

/* What Zydis and Hamlet count among the operands differs for some instructions. */
static void settle(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *ops, struct insn *e)
{
    bool alone = e->kind == INSN_PUSH || e->kind == INSN_SET || e->kind == INSN_CLFLUSH;
    if (alone)
        e->src = (struct insn_operand){0};
    if (e->kind == INSN_CLFLUSH)
        e->dst.width = 1;
    if (e->kind == INSN_IMUL_IMM)
        e->imm = (uint64_t)ops[2].imm.value.s;
    if (e->kind == INSN_VMOV) /* as wide as what is in memory */
        e->dst.width = e->src.width = e->dst.kind == INSN_OPERAND_MEM ? e->dst.width : e->src.width;
    if (e->kind == INSN_CMOV || e->kind == INSN_SET)
        e->condition = z->opcode & 15;
    e->vex = z->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX;
    if (e->kind == INSN_SCAS || e->kind == INSN_CMPS)
        e->repne = has_repeat(z) && (z->attributes & ZYDIS_ATTRIB_HAS_REPNE);
}

/* Zydis' reading as a struct insn; false: Hamlet has to refuse it. */
static bool expected(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *ops,
                     enum insn_mode mode, struct insn *e)
{
    bool memory = false;
    *e = (struct insn){.kind = kind_of(z), .mode = mode, .len = z->length};
    bool known = z->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY ||
                 z->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX;
    if (e->kind == INSN_INVALID || !known)
        return false;
    for (unsigned i = 0; i < 2 && i < z->operand_count; i++) {
        struct insn_operand *o = i == 0 ? &e->dst : &e->src;
        o->width = ops[i].size / 8;
        o->reg = INSN_NO_REG;
        switch (ops[i].type) {
        case ZYDIS_OPERAND_TYPE_MEMORY:
            o->kind = INSN_OPERAND_MEM;
            if (!memory || e->kind != INSN_CMPS) /* the one at rSI: of MOVS the second */
                memory_operand(&ops[i], z, &e->mem);
            memory = true;
            break;
        case ZYDIS_OPERAND_TYPE_IMMEDIATE:
            o->kind = INSN_OPERAND_IMM;
            o->width = e->dst.width;
            e->imm = ops[i].imm.is_signed ? (uint64_t)ops[i].imm.value.s : ops[i].imm.value.u;
            break;
        case ZYDIS_OPERAND_TYPE_REGISTER:
            if (i == 1 && ops[i].visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN &&
                ZydisRegisterGetClass(ops[i].reg.value) == ZYDIS_REGCLASS_FLAGS) {
                break; /* of NOT, NEG, INC, DEC */
            }
            if (!register_operand(ops[i].reg.value, o))
                return false;
            break;
        default:
            return false;
        }
    }
    settle(z, ops, e);
    e->lock = (z->attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0;
    return memory;
}

/* --- comparison --- */

static bool same_operand(const struct insn_operand *a, const struct insn_operand *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == INSN_OPERAND_NONE)
        return true;
    if (a->kind == INSN_OPERAND_REG && (a->reg != b->reg || a->high_byte != b->high_byte))
        return false;
    return a->width == b->width;
}

static const char *difference(const struct insn *a, const struct insn *e)
{
    uint64_t imm_mask = e->dst.width < 8 ? (UINT64_C(1) << 8 * e->dst.width) - 1 : UINT64_MAX;
    uint64_t disp_mask =
        e->mem.addr_size < 8 ? (UINT64_C(1) << 8 * e->mem.addr_size) - 1 : UINT64_MAX;

    if (a->kind != e->kind)
        return "kind";
    if (a->len != e->len)
        return "length";
    if (!same_operand(&a->dst, &e->dst))
        return "dst";
    if (!same_operand(&a->src, &e->src))
        return "src";
    if (a->mem.segment != e->mem.segment)
        return "segment";
    if (a->mem.base != e->mem.base)
        return "base";
    if (a->mem.index != e->mem.index)
        return "index";
    if (a->mem.index != INSN_NO_REG && a->mem.scale != e->mem.scale)
        return "scale";
    if (a->mem.addr_size != e->mem.addr_size)
        return "address size";
    if (a->mem.rip_relative != e->mem.rip_relative)
        return "rip_relative";
    if (((uint64_t)(a->mem.disp ^ e->mem.disp) & disp_mask) != 0)
        return "disp";
    bool shift = a->kind >= INSN_ROL && a->kind <= INSN_SAR;
    if (shift || a->kind == INSN_BT || (a->kind >= INSN_BTS && a->kind <= INSN_BTC))
        imm_mask = 0xff; /* a bit number: its sign has no meaning */
    if (((a->imm ^ e->imm) & imm_mask) != 0)
        return "imm";
    if (a->lock != e->lock)
        return "lock";
    if (a->vex != e->vex)
        return "VEX";
    if ((a->kind == INSN_CMOV || a->kind == INSN_SET) && a->condition != e->condition)
        return "condition";
    if ((a->kind == INSN_CMPS || a->kind == INSN_SCAS) && a->repne != e->repne)
        return "REPNE";
    return NULL;
}

static unsigned long agreed, refused, failures;
static unsigned long kinds_seen[INSN_KIND_COUNT];

static void report(const uint8_t *bytes, size_t size, enum insn_mode mode, const char *what)
{
    if (++failures > 20)
        return;
    printf("mode %u, %s:", mode == INSN_MODE_64 ? 64 : mode == INSN_MODE_32 ? 32 : 16, what);
    for (size_t i = 0; i < size; i++)
        printf(" %02x", bytes[i]);
    printf("\n");
}

static void compare(const ZydisDecoder *decoder, enum insn_mode mode)
{
    uint8_t bytes[16];
    size_t size = random_encoding(bytes, mode);
    ZydisDecodedInstruction z;
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
    struct insn got, want;
    bool taken = insn_decode(bytes, size, mode, &got) == 0;
    bool known = ZYAN_SUCCESS(ZydisDecoderDecodeFull(decoder, bytes, size, &z, ops)) &&
                 expected(&z, ops, mode, &want);
    if (taken != known) {
        report(bytes, size, mode, taken ? "Hamlet takes it, Zydis does not" : "Hamlet refuses it");
    } else if (!taken) {
        refused++;
    } else {
        const char *what = difference(&got, &want);
        if (what)
            report(bytes, size, mode, what);
        agreed++;
        kinds_seen[got.kind]++;
    }
}

int main(int argc, char **argv)
{
    static const ZydisMachineMode machine[] = {
        [INSN_MODE_16] = ZYDIS_MACHINE_MODE_LEGACY_16,
        [INSN_MODE_32] = ZYDIS_MACHINE_MODE_LEGACY_32,
        [INSN_MODE_64] = ZYDIS_MACHINE_MODE_LONG_64,
    };
    static const ZydisStackWidth stack[] = {
        [INSN_MODE_16] = ZYDIS_STACK_WIDTH_16,
        [INSN_MODE_32] = ZYDIS_STACK_WIDTH_32,
        [INSN_MODE_64] = ZYDIS_STACK_WIDTH_64,
    };
    unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000000;
    random_state = argc > 2 ? strtoull(argv[2], NULL, 0) : UINT64_C(0x48616d6c6574);
    for (int mode = INSN_MODE_16; mode <= INSN_MODE_64; mode++) {
        ZydisDecoder decoder;
        if (!ZYAN_SUCCESS(ZydisDecoderInit(&decoder, machine[mode], stack[mode])))
            return 2;
        for (unsigned long i = 0; i < count; i++)
            compare(&decoder, (enum insn_mode)mode);
    }
    printf("diff_insn: encodings=%lu taken=%lu refused=%lu differences=%lu\n", 3 * count, agreed,
           refused, failures);
    for (int kind = INSN_REFUSED + 1; kind < INSN_KIND_COUNT; kind++) {
        if (kinds_seen[kind] == 0) {
            printf("diff_insn: kind %d was never generated\n", kind);
            failures++;
        }
    }
    return failures != 0;
}
