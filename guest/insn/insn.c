/* SPDX-License-Identifier: MIT */
/*
 * Bytes of guest code -> struct insn. The opcode tables are the opcode map of the manual, reduced
 * to the instructions that drivers use on device registers. The rest is the instruction format.
 * From: guest/pc/fetch.c (insn_decode).   To: back to guest/pc/fetch.c.
 * Spec: SDM "Instruction Format", "Opcode Map".
 */
#include "guest/insn/insn.h"
#include "lib/bits.h"

// clang-format off
/* SDM "Instruction Prefixes" */
#define PREFIX_OSIZE 0x66
#define PREFIX_ASIZE 0x67
#define PREFIX_LOCK  0xf0
#define PREFIX_REPNE 0xf2
#define PREFIX_REP   0xf3

/* SDM "REX Prefixes": 0100WRXB */
#define REX_FIXED  BITS(7, 4)
#define     REX_FIXED_VALUE 4
#define REX_W      BIT(3)
#define REX_R      BIT(2)
#define REX_X      BIT(1)
#define REX_B      BIT(0)

/* SDM "ModR/M and SIB Bytes" */
#define MODRM_MOD  BITS(7, 6)
#define     MODRM_MOD_REGISTER 3
#define MODRM_REG  BITS(5, 3)
#define MODRM_RM   BITS(2, 0)
#define     MODRM_RM_SIB 4 /* 32- and 64-bit addressing */
#define     MODRM_RM_DISP16 6 /* 16-bit addressing, mod = 0 */
#define     MODRM_RM_DISP32 5 /* 32- and 64-bit addressing, mod = 0; the same in SIB.base */
#define SIB_SCALE  BITS(7, 6)
#define SIB_INDEX  BITS(5, 3)
#define     SIB_INDEX_NONE 4
#define SIB_BASE   BITS(2, 0)

/* Operands in the manual's letters: E memory by ModR/M, G register by ModR/M, I immediate of the
 * operand size (4 bytes at most), Ib immediate byte, A accumulator, O moffs. */
enum form {
    FORM_NONE, FORM_E, FORM_E_G, FORM_G_E, FORM_E_I, FORM_E_IB, FORM_A_O, FORM_O_A, FORM_STRING,
};

/* Width of the memory operand, where it is not the operand size. */
enum { SIZE_V = 0, SIZE_B = 1, SIZE_W = 2, SIZE_D = 4 };

#define ONLY_64   BIT(0)
#define NOT_64    BIT(1)
#define NO_REPEAT BIT(2) /* F2 and F3 make it another instruction, or none */

/* Opcodes of eight instructions each; ModR/M.reg selects one. */
enum group {
    NO_GROUP, GROUP_80, GROUP_81, GROUP_83, GROUP_C6, GROUP_C7, GROUP_F6, GROUP_F7, GROUP_FE,
    GROUP_FF, GROUP_0F_BA, GROUP_COUNT,
};

struct opcode {
    uint8_t kind;  /* enum insn_kind */
    uint8_t form;  /* enum form */
    uint8_t size;  /* SIZE_V, _B, _W or _D */
    uint8_t flags; /* ONLY_64, NOT_64, NO_REPEAT */
    uint8_t group; /* enum group; kind, form and size then stand in its row */
};

#define ARITHMETIC_GROUP(form, size) {                                                             \
    {INSN_ADD, form, size, 0, 0}, {INSN_OR,  form, size, 0, 0},                                    \
    {INSN_ADC, form, size, 0, 0}, {INSN_SBB, form, size, 0, 0},                                    \
    {INSN_AND, form, size, 0, 0}, {INSN_SUB, form, size, 0, 0},                                    \
    {INSN_XOR, form, size, 0, 0}, {INSN_CMP, form, size, 0, 0},                                    \
}

/* The manual leaves F6 /1 and F7 /1 out; processors take them for TEST, and so do disassemblers. */
static const struct opcode groups[GROUP_COUNT][8] = {
    [GROUP_80] = ARITHMETIC_GROUP(FORM_E_IB, SIZE_B),
    [GROUP_81] = ARITHMETIC_GROUP(FORM_E_I, SIZE_V),
    [GROUP_83] = ARITHMETIC_GROUP(FORM_E_IB, SIZE_V),
    [GROUP_C6][0] = {INSN_MOV, FORM_E_IB, SIZE_B, 0, 0},
    [GROUP_C7][0] = {INSN_MOV, FORM_E_I, SIZE_V, 0, 0},
    [GROUP_F6][0] = {INSN_TEST, FORM_E_IB, SIZE_B, 0, 0},
    [GROUP_F6][1] = {INSN_TEST, FORM_E_IB, SIZE_B, 0, 0},
    [GROUP_F6][2] = {INSN_NOT, FORM_E, SIZE_B, 0, 0},
    [GROUP_F6][3] = {INSN_NEG, FORM_E, SIZE_B, 0, 0},
    [GROUP_F7][0] = {INSN_TEST, FORM_E_I, SIZE_V, 0, 0},
    [GROUP_F7][1] = {INSN_TEST, FORM_E_I, SIZE_V, 0, 0},
    [GROUP_F7][2] = {INSN_NOT, FORM_E, SIZE_V, 0, 0},
    [GROUP_F7][3] = {INSN_NEG, FORM_E, SIZE_V, 0, 0},
    [GROUP_FE][0] = {INSN_INC, FORM_E, SIZE_B, 0, 0},
    [GROUP_FE][1] = {INSN_DEC, FORM_E, SIZE_B, 0, 0},
    [GROUP_FF][0] = {INSN_INC, FORM_E, SIZE_V, 0, 0},
    [GROUP_FF][1] = {INSN_DEC, FORM_E, SIZE_V, 0, 0},
    [GROUP_0F_BA][4] = {INSN_BT, FORM_E_IB, SIZE_V, 0, 0},
    [GROUP_0F_BA][5] = {INSN_BTS, FORM_E_IB, SIZE_V, 0, 0},
    [GROUP_0F_BA][6] = {INSN_BTR, FORM_E_IB, SIZE_V, 0, 0},
    [GROUP_0F_BA][7] = {INSN_BTC, FORM_E_IB, SIZE_V, 0, 0},
};

/* Bit 0 of most opcodes is the manual's w: 0 for bytes, 1 for the operand size. */
#define BYTE_AND_V(even, kind, form)                                                               \
    [even] = {kind, form, SIZE_B, 0, 0}, [(even) + 1] = {kind, form, SIZE_V, 0, 0}
#define ARITHMETIC(base, kind)                                                                     \
    BYTE_AND_V(base, kind, FORM_E_G), BYTE_AND_V((base) + 2, kind, FORM_G_E)

static const struct opcode one_byte[256] = {
    ARITHMETIC(0x00, INSN_ADD),
    ARITHMETIC(0x08, INSN_OR),
    ARITHMETIC(0x10, INSN_ADC),
    ARITHMETIC(0x18, INSN_SBB),
    ARITHMETIC(0x20, INSN_AND),
    ARITHMETIC(0x28, INSN_SUB),
    ARITHMETIC(0x30, INSN_XOR),
    ARITHMETIC(0x38, INSN_CMP),
    [0x63] = {INSN_MOVSX, FORM_G_E, SIZE_D, ONLY_64, 0},
    [0x80] = {0, 0, 0, 0, GROUP_80},      [0x81] = {0, 0, 0, 0, GROUP_81},
    [0x82] = {0, 0, 0, NOT_64, GROUP_80}, [0x83] = {0, 0, 0, 0, GROUP_83},
    BYTE_AND_V(0x84, INSN_TEST, FORM_E_G),
    BYTE_AND_V(0x86, INSN_XCHG, FORM_E_G),
    BYTE_AND_V(0x88, INSN_MOV, FORM_E_G),
    BYTE_AND_V(0x8a, INSN_MOV, FORM_G_E),
    BYTE_AND_V(0xa0, INSN_MOV, FORM_A_O),
    BYTE_AND_V(0xa2, INSN_MOV, FORM_O_A),
    BYTE_AND_V(0xa4, INSN_MOVS, FORM_STRING),
    BYTE_AND_V(0xaa, INSN_STOS, FORM_STRING),
    BYTE_AND_V(0xac, INSN_LODS, FORM_STRING),
    [0xc6] = {0, 0, 0, 0, GROUP_C6}, [0xc7] = {0, 0, 0, 0, GROUP_C7},
    [0xf6] = {0, 0, 0, 0, GROUP_F6}, [0xf7] = {0, 0, 0, 0, GROUP_F7},
    [0xfe] = {0, 0, 0, 0, GROUP_FE}, [0xff] = {0, 0, 0, 0, GROUP_FF},
};

static const struct opcode two_byte[256] = {
    /* 0F xx */
    [0xa3] = {INSN_BT, FORM_E_G, SIZE_V, 0, 0},    [0xab] = {INSN_BTS, FORM_E_G, SIZE_V, 0, 0},
    [0xb3] = {INSN_BTR, FORM_E_G, SIZE_V, 0, 0},   [0xb6] = {INSN_MOVZX, FORM_G_E, SIZE_B, 0, 0},
    [0xb7] = {INSN_MOVZX, FORM_G_E, SIZE_W, 0, 0}, [0xba] = {0, 0, 0, 0, GROUP_0F_BA},
    [0xbb] = {INSN_BTC, FORM_E_G, SIZE_V, 0, 0},   [0xbe] = {INSN_MOVSX, FORM_G_E, SIZE_B, 0, 0},
    [0xbf] = {INSN_MOVSX, FORM_G_E, SIZE_W, 0, 0},
};

static const struct opcode three_byte[256] = {
    /* 0F 38 xx */
    [0xf0] = {INSN_MOVBE, FORM_G_E, SIZE_V, NO_REPEAT, 0},
    [0xf1] = {INSN_MOVBE, FORM_E_G, SIZE_V, NO_REPEAT, 0},
};

// clang-format on

/* The state of the decoder. */
struct decoder {
    const uint8_t *bytes;
    size_t size, pos;
    bool cut_off; /* next_byte() was called at the end, and returned 0 */
    enum insn_mode mode;
    uint8_t rex;
    bool operand_size_prefix, address_size_prefix, lock, repeat;
    uint8_t segment; /* override, or INSN_SEGMENT_COUNT */
    uint8_t operand_size;
    uint8_t modrm;
};

static uint8_t next_byte(struct decoder *d)
{
    if (d->pos < d->size)
        return d->bytes[d->pos++];
    d->cut_off = true;
    return 0;
}

/* Little-endian, size bytes, zero-extended. */
static uint64_t next_value(struct decoder *d, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)next_byte(d) << (8 * i);
    return value;
}

static int64_t next_signed(struct decoder *d, unsigned size)
{
    unsigned unused_bits = 64 - 8 * size;
    return (int64_t)(next_value(d, size) << unused_bits) >> unused_bits;
}

/* SDM "Segment Overrides in 64-Bit Mode": ES, CS, SS and DS have no effect there. */
static bool segment_prefix(struct decoder *d, uint8_t byte)
{
    static const uint8_t prefix[INSN_SEGMENT_COUNT] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    for (unsigned s = INSN_ES; s < INSN_SEGMENT_COUNT; s++) {
        if (byte != prefix[s])
            continue;
        if (d->mode != INSN_MODE_64 || s >= INSN_FS)
            d->segment = s;
        return true;
    }
    return false;
}

/* False: not a prefix. */
static bool legacy_prefix(struct decoder *d, uint8_t byte)
{
    if (byte == PREFIX_OSIZE)
        d->operand_size_prefix = true;
    else if (byte == PREFIX_ASIZE)
        d->address_size_prefix = true;
    else if (byte == PREFIX_LOCK)
        d->lock = true;
    else if (byte == PREFIX_REPNE || byte == PREFIX_REP)
        d->repeat = true;
    else
        return segment_prefix(d, byte);
    return true;
}

/* Takes all prefixes and returns the first byte of the opcode. A REX prefix counts only directly
 * before the opcode: any prefix after it makes it void. */
static uint8_t prefixes(struct decoder *d)
{
    for (;;) {
        uint8_t byte = next_byte(d);
        if (d->mode == INSN_MODE_64 && FIELD_GET(REX_FIXED, byte) == REX_FIXED_VALUE)
            d->rex = byte;
        else if (legacy_prefix(d, byte))
            d->rex = 0;
        else
            return byte;
    }
}

static uint8_t operand_size(const struct decoder *d)
{
    if (d->rex & REX_W)
        return 8;
    return (d->mode == INSN_MODE_16) != d->operand_size_prefix ? 2 : 4;
}

static uint8_t address_size(const struct decoder *d)
{
    if (d->mode == INSN_MODE_64)
        return d->address_size_prefix ? 4 : 8;
    return (d->mode == INSN_MODE_16) != d->address_size_prefix ? 2 : 4;
}

static uint8_t reg_number(const struct decoder *d, uint64_t low3, uint64_t rex_bit)
{
    return low3 + (d->rex & rex_bit ? 8 : 0);
}

/* SDM "16-Bit Addressing Forms with the ModR/M Byte": the rows of that table. */
static void mem_16(struct decoder *d, struct insn_mem *m)
{
    static const struct {
        uint8_t base, index;
    } rows[8] = {
        {INSN_RBX, INSN_RSI},    {INSN_RBX, INSN_RDI},    {INSN_RBP, INSN_RSI},
        {INSN_RBP, INSN_RDI},    {INSN_RSI, INSN_NO_REG}, {INSN_RDI, INSN_NO_REG},
        {INSN_RBP, INSN_NO_REG}, {INSN_RBX, INSN_NO_REG},
    };
    unsigned mod = FIELD_GET(MODRM_MOD, d->modrm), rm = FIELD_GET(MODRM_RM, d->modrm);

    if (mod == 0 && rm == MODRM_RM_DISP16) {
        m->disp = next_signed(d, 2);
        return;
    }
    m->base = rows[rm].base;
    m->index = rows[rm].index;
    if (mod != 0)
        m->disp = next_signed(d, mod);
}

/* Returns ModR/M's or SIB's base field: 5 there, with mod = 0, means "no base but a disp32". */
static unsigned mem_sib(struct decoder *d, struct insn_mem *m)
{
    uint8_t sib = next_byte(d);
    uint8_t index = reg_number(d, FIELD_GET(SIB_INDEX, sib), REX_X);
    m->scale = 1 << FIELD_GET(SIB_SCALE, sib);
    if (index != SIB_INDEX_NONE) /* R12 can be an index, RSP cannot */
        m->index = index;
    return FIELD_GET(SIB_BASE, sib);
}

/* SDM "32-Bit Addressing Forms with the ModR/M Byte", "RIP-Relative Addressing". */
static void mem_32_64(struct decoder *d, struct insn_mem *m)
{
    unsigned mod = FIELD_GET(MODRM_MOD, d->modrm), base = FIELD_GET(MODRM_RM, d->modrm);
    bool sib = base == MODRM_RM_SIB;
    if (sib)
        base = mem_sib(d, m);
    if (mod == 0 && base == MODRM_RM_DISP32) {
        m->rip_relative = d->mode == INSN_MODE_64 && !sib;
        m->disp = next_signed(d, 4);
        return;
    }
    m->base = reg_number(d, base, REX_B);
    if (mod != 0)
        m->disp = next_signed(d, mod == 1 ? 1 : 4);
}

/* SDM "Specifying a Segment Selector": the stack for addresses made from rSP or rBP. */
static void mem_modrm(struct decoder *d, struct insn_mem *m)
{
    if (m->addr_size == 2)
        mem_16(d, m);
    else
        mem_32_64(d, m);
    if (d->segment == INSN_SEGMENT_COUNT && (m->base == INSN_RSP || m->base == INSN_RBP))
        m->segment = INSN_SS;
}

static struct insn_operand operand(enum insn_operand_kind kind, uint8_t width)
{
    return (struct insn_operand){.kind = kind, .width = width, .reg = INSN_NO_REG};
}

static struct insn_operand accumulator(uint8_t width)
{
    return (struct insn_operand){.kind = INSN_OPERAND_REG, .width = width, .reg = INSN_RAX};
}

/* ModR/M.reg as a register. Without a REX prefix, byte registers 4 to 7 are AH, CH, DH and BH. */
static struct insn_operand modrm_reg(const struct decoder *d, uint8_t width)
{
    struct insn_operand o = operand(INSN_OPERAND_REG, width);
    o.reg = reg_number(d, FIELD_GET(MODRM_REG, d->modrm), REX_R);
    if (width == 1 && d->rex == 0 && o.reg >= 4) {
        o.reg -= 4;
        o.high_byte = true;
    }
    return o;
}

/* The memory operand of a string instruction. For MOVS it is the source; insn_exec() knows that the
 * destination is ES:rDI. */
static void string_operands(struct decoder *d, struct insn *out, uint8_t width)
{
    struct insn_operand mem = operand(INSN_OPERAND_MEM, width);
    bool load = out->kind == INSN_LODS, store = out->kind == INSN_STOS;
    out->dst = load ? accumulator(width) : mem;
    out->src = store ? accumulator(width) : mem;
    out->mem.base = store ? INSN_RDI : INSN_RSI;
    if (store)
        out->mem.segment = INSN_ES; /* no prefix overrides it */
    out->rep = d->repeat;
}

static void operands(struct decoder *d, struct insn *out, enum form form, uint8_t size)
{
    uint8_t width = size != SIZE_V ? size : d->operand_size;
    struct insn_operand mem = operand(INSN_OPERAND_MEM, width);
    if (form == FORM_STRING) {
        string_operands(d, out, width);
        return;
    }
    if (form == FORM_A_O || form == FORM_O_A)
        out->mem.disp = (int64_t)next_value(d, out->mem.addr_size);
    else
        mem_modrm(d, &out->mem);

    out->dst = mem;
    switch (form) {
    case FORM_E_G:
        out->src = modrm_reg(d, width);
        break;
    case FORM_E_I:
    case FORM_E_IB:
        out->src = operand(INSN_OPERAND_IMM, width);
        out->imm = (uint64_t)next_signed(d, form == FORM_E_I ? MIN(width, 4) : 1);
        break;
    case FORM_O_A:
        out->src = accumulator(width);
        break;
    case FORM_A_O:
        out->dst = accumulator(width);
        out->src = mem;
        break;
    case FORM_G_E:
        out->src = mem;
        bool widens = out->kind == INSN_MOVZX || out->kind == INSN_MOVSX;
        out->dst = modrm_reg(d, widens ? d->operand_size : width);
        break;
    default:
        break;
    }
}

static const struct opcode *find_opcode(struct decoder *d)
{
    uint8_t byte = prefixes(d);
    const struct opcode *op = &one_byte[byte];
    if (byte == 0x0f) {
        byte = next_byte(d);
        op = &two_byte[byte];
        if (byte == 0x38)
            op = &three_byte[next_byte(d)];
    }
    uint8_t wrong_mode = d->mode == INSN_MODE_64 ? NOT_64 : ONLY_64;
    if ((op->flags & wrong_mode) || ((op->flags & NO_REPEAT) && d->repeat))
        return NULL;

    if (op->group != NO_GROUP || (op->form >= FORM_E && op->form <= FORM_E_IB)) { /* has ModR/M */
        d->modrm = next_byte(d);
        if (FIELD_GET(MODRM_MOD, d->modrm) == MODRM_MOD_REGISTER)
            return NULL;
    }
    if (op->group != NO_GROUP)
        op = &groups[op->group][FIELD_GET(MODRM_REG, d->modrm)];
    return op->kind == INSN_INVALID ? NULL : op;
}

int insn_decode(const uint8_t *bytes, size_t size, enum insn_mode mode, struct insn *out)
{
    struct decoder d = {
        .bytes = bytes,
        .size = MIN(size, INSN_LEN_MAX),
        .mode = mode,
        .segment = INSN_SEGMENT_COUNT,
    };
    const struct opcode *op = find_opcode(&d);
    if (!op)
        return -EINVAL;

    d.operand_size = operand_size(&d);
    *out = (struct insn){.kind = op->kind, .mode = mode, .lock = d.lock};
    out->mem = (struct insn_mem){
        .segment = d.segment == INSN_SEGMENT_COUNT ? INSN_DS : d.segment,
        .base = INSN_NO_REG,
        .index = INSN_NO_REG,
        .scale = 1,
        .addr_size = address_size(&d),
    };
    operands(&d, out, op->form, op->size);
    out->len = d.pos;
    /* SDM "LOCK—Assert LOCK# Signal Prefix": #UD for all others, and where memory is not written */
    if (d.lock && (out->kind < INSN_ADD || out->kind > INSN_XCHG || out->kind == INSN_CMP ||
                   out->dst.kind != INSN_OPERAND_MEM))
        return -EINVAL;
    return d.cut_off ? -EINVAL : 0;
}
