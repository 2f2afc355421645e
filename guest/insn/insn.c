/* SPDX-License-Identifier: MIT */
/*
 * Bytes of guest code -> struct insn. Which instructions there are stands in opcodes.c; here is the
 * instruction format.
 * From: guest/pc/fetch.c (insn_decode).   To: guest/insn/opcodes.c, back to guest/pc/fetch.c.
 * Spec: SDM "Instruction Format", "Opcode Map".
 */
#include "guest/insn/insn.h"
#include "guest/insn/opcodes.h"
#include "lib/bits.h"

#define UNKNOWN "not known"

// clang-format off
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

/* SDM "The VEX Prefix": its last two bytes, and for two bytes the last. */
#define VEX_2      0xc5 /* C4: three bytes */
#define VEX_R_X_B  BITS(7, 5) /* inverted */
#define VEX_MAP    BITS(4, 0) /* 1: 0F, 2: 0F 38 */
#define VEX_W      BIT(7)
#define VEX_V      BITS(6, 3) /* a third register; all ones: none */
#define VEX_L      BIT(2)
#define VEX_PP     BITS(1, 0)
// clang-format on

/* The state of the decoder. */
struct decoder {
    const uint8_t *bytes;
    size_t size, pos;
    bool cut_off; /* next_byte() was called at the end, and returned 0 */
    enum insn_mode mode;
    uint8_t rex;
    uint8_t vex;    /* its last byte; 0: none, as VEX_V is all ones */
    uint8_t repeat; /* PREFIX_REP or PREFIX_REPNE, the last one; 0: none */
    bool operand_size_prefix, address_size_prefix, lock;
    uint8_t segment; /* override, or INSN_SEGMENT_COUNT */
    uint8_t operand_size;
    uint8_t opcode; /* its last byte */
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
        d->repeat = byte;
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

/* ModR/M.reg as a register. Without a REX prefix, byte registers 4 to 7 are AH, CH, DH and BH. */
static struct insn_operand modrm_reg(const struct decoder *d, uint8_t width)
{
    struct insn_operand o = {.kind = INSN_OPERAND_REG, .width = width};
    o.reg = reg_number(d, FIELD_GET(MODRM_REG, d->modrm), REX_R);
    if (width == 1 && d->rex == 0 && o.reg >= 4) {
        o.reg -= 4;
        o.high_byte = true;
    }
    return o;
}

static uint8_t width_of(const struct decoder *d, uint8_t size)
{
    switch (size) {
    case SIZE_V:
        return d->operand_size;
    case SIZE_X:
        return d->vex & VEX_L ? 32 : 16;
    case SIZE_Y:
        return d->rex & REX_W ? 8 : 4;
    case SIZE_STACK:
        return d->mode == INSN_MODE_64 && d->operand_size == 4 ? 8 : d->operand_size;
    default:
        return size;
    }
}

static struct insn_operand operand(struct decoder *d, struct insn *out, enum letter letter,
                                   uint8_t width)
{
    struct insn_operand o = {.kind = INSN_OPERAND_REG, .width = width, .reg = INSN_RAX};
    switch (letter) {
    case LETTER_NONE:
        return (struct insn_operand){.kind = INSN_OPERAND_NONE};
    case LETTER_A:
        return o;
    case LETTER_CL:
        return (struct insn_operand){INSN_OPERAND_REG, 1, INSN_RCX, false};
    case LETTER_G:
        return modrm_reg(d, width);
    case LETTER_I:
    case LETTER_IB:
    case LETTER_1:
        o.kind = INSN_OPERAND_IMM;
        out->imm = letter == LETTER_1
                       ? 1
                       : (uint64_t)next_signed(d, letter == LETTER_I ? MIN(width, 4) : 1);
        return o;
    default:
        o.kind = INSN_OPERAND_MEM;
        return o;
    }
}

/* What is in memory is behind the opcode, and an immediate behind that. insn_exec() knows that the
 * second operand of MOVS and CMPS is at ES:rDI, which no prefix overrides. */
static void operands(struct decoder *d, struct insn *out, uint8_t form, uint8_t size)
{
    enum letter dst = FIELD_GET(FORM_DST, form), src = FIELD_GET(FORM_SRC, form);
    uint8_t width = width_of(d, size);
    bool widens = out->kind == INSN_MOVZX || out->kind == INSN_MOVSX;
    if (out->kind >= INSN_MOVS) {
        bool rsi = dst == LETTER_X || src == LETTER_X;
        out->mem.base = rsi ? INSN_RSI : INSN_RDI;
        if (!rsi)
            out->mem.segment = INSN_ES;
        out->rep = d->repeat;
        out->repne = d->repeat == PREFIX_REPNE;
    } else if (dst == LETTER_O || src == LETTER_O) {
        out->mem.disp = (int64_t)next_value(d, out->mem.addr_size);
    } else {
        mem_modrm(d, &out->mem);
    }
    out->dst = operand(d, out, dst, widens ? d->operand_size : width);
    out->src = operand(d, out, src, width);
    if (out->kind == INSN_IMUL_IMM)
        (void)operand(d, out, d->opcode & 2 ? LETTER_IB : LETTER_I, width);
}

/* SDM "The VEX Prefix". Outside of 64-bit mode C4 and C5 are LES and LDS, unless what follows would
 * name a register. It has the bits of REX, the map, and one of the prefixes that choose among
 * instructions; before it none of these may stand. NULL: not VEX, or none that is known. */
static const struct opcode *vex_opcode(struct decoder *d, uint8_t first)
{
    uint8_t byte = next_byte(d), map = MAP_0F;
    if ((d->mode != INSN_MODE_64 && FIELD_GET(MODRM_MOD, byte) != MODRM_MOD_REGISTER) || d->rex ||
        d->repeat || d->operand_size_prefix || d->lock)
        return NULL;
    d->rex = ~byte >> 5 & (first == VEX_2 ? REX_R : REX_R | REX_X | REX_B);
    if (first != VEX_2) {
        map = FIELD_GET(VEX_MAP, byte);
        byte = next_byte(d);
        d->rex |= byte & VEX_W ? REX_W : 0;
    }
    if (d->mode != INSN_MODE_64)
        d->rex = 0;
    d->vex = byte;
    d->opcode = next_byte(d);
    return (byte & VEX_V) == VEX_V && (map == MAP_0F || map == MAP_0F_38) ? &opcodes[map][d->opcode]
                                                                          : NULL;
}

static const struct opcode *first_opcode(struct decoder *d)
{
    uint8_t byte = d->opcode = prefixes(d);
    if ((byte | 1) == VEX_2)
        return vex_opcode(d, byte);
    enum opcode_map map = MAP_ONE_BYTE;
    if (byte == 0x0f) {
        map = MAP_0F;
        d->opcode = next_byte(d);
        if (d->opcode == 0x38) {
            map = MAP_0F_38;
            d->opcode = next_byte(d);
        }
    }
    return &opcodes[map][d->opcode];
}

/* Which prefix chooses: the column of a group from GROUP_BY_PREFIX. */
static unsigned chosen_by(const struct decoder *d)
{
    if (d->vex)
        return FIELD_GET(VEX_PP, d->vex);
    return d->repeat == PREFIX_REP ? 2 : d->repeat ? 3 : d->operand_size_prefix;
}

static const struct opcode *find_opcode(struct decoder *d)
{
    const struct opcode *op = first_opcode(d);
    uint8_t wrong = d->mode == INSN_MODE_64 ? NOT_64 : ONLY_64;
    if (d->repeat)
        wrong |= NO_REPEAT;
    if (d->operand_size_prefix)
        wrong |= NO_OSIZE;
    if (!op || (op->flags & wrong))
        return NULL;

    if (op->group != NO_GROUP || FIELD_GET(FORM_DST, op->form) == LETTER_E ||
        FIELD_GET(FORM_SRC, op->form) == LETTER_E) { /* has ModR/M */
        d->modrm = next_byte(d);
        if (FIELD_GET(MODRM_MOD, d->modrm) == MODRM_MOD_REGISTER)
            return NULL;
    }
    if (op->group >= GROUP_BY_PREFIX)
        op = &opcodes_groups[op->group][chosen_by(d)];
    else if (op->group != NO_GROUP)
        op = &opcodes_groups[op->group][FIELD_GET(MODRM_REG, d->modrm)];
    /* Only the moves of vectors have a form with VEX, and VEX.L only those of whole registers, or
     * of one element by opcodes 10 and 11. */
    if (d->vex &&
        (op->kind != INSN_VMOV || ((d->vex & VEX_L) && op->size != SIZE_X && d->opcode > 0x11)))
        return NULL;
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
    out->name = op && op->kind == INSN_REFUSED ? opcodes_refused[op->size] : UNKNOWN;
    if (!op || op->kind == INSN_REFUSED)
        return -EINVAL;

    d.operand_size = operand_size(&d);
    *out = (struct insn){.kind = op->kind,
                         .mode = mode,
                         .lock = d.lock,
                         .name = UNKNOWN,
                         .condition = FIELD_GET(BITS(3, 0), d.opcode),
                         .vex = d.vex};
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
