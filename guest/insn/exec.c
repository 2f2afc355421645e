/* SPDX-License-Identifier: MIT */
/*
 * Carry out a decoded instruction as the CPU would have done if its page were not trapped. Memory
 * is written before registers and flags change. If the bus reports a fault, the instruction has had
 * no effect, and the guest can restart it.
 * From: guest/pc/mmio.c (insn_exec).   To: back to guest/pc/mmio.c, through struct insn_bus.
 * Spec: SDM "Instruction Set Reference", "Status Flags", "EFLAGS Condition Codes", "String
 * Instructions".
 */
#include "guest/insn/operand.h"
#include "lib/string.h"

#define STATUS_FLAGS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

static uint64_t sign_bit(unsigned width) { return BIT(8 * width - 1); }

static uint64_t sign_extend(uint64_t value, unsigned width)
{
    value &= WIDTH_MASK(width);
    return value & sign_bit(width) ? value | ~WIDTH_MASK(width) : value;
}

/* --- Addresses -------------------------------------------------------------------------------- */

/* In bytes. SDM "BT—Bit Test": a bit number in a register may be outside of the operand, in both
 * directions; the CPU then accesses memory that many operands away. */
static int64_t bit_string_offset(const struct insn *insn, const struct insn_cpu *cpu)
{
    bool bit_test = insn->kind == INSN_BT || (insn->kind >= INSN_BTS && insn->kind <= INSN_BTC);
    if (!bit_test || insn->src.kind != INSN_OPERAND_REG)
        return 0;
    int64_t bits = 8 * insn->src.width;
    int64_t number = (int64_t)sign_extend(insn_operand(&insn->src, insn, cpu), insn->src.width);
    int64_t operands = number / bits - (number % bits < 0 ? 1 : 0); /* rounded down */
    return operands * insn->src.width;
}

/* --- Arithmetic ------------------------------------------------------------------------------- */

/* One computation. Operands and result are `width` bytes wide, and zero above. */
struct alu {
    unsigned width;
    uint64_t dst, src, result;
    uint64_t flags; /* RFLAGS before, then after */
};

static void flag_set(struct alu *a, uint64_t flag, bool on)
{
    a->flags = on ? a->flags | flag : a->flags & ~flag;
}

/* ZF, SF and PF, which depend on the result only. */
static void flags_of_result(struct alu *a)
{
    flag_set(a, RFLAGS_ZF, a->result == 0);
    flag_set(a, RFLAGS_SF, a->result & sign_bit(a->width));
    flag_set(a, RFLAGS_PF, !__builtin_parity((unsigned)(a->result & 0xff)));
}

/* AND, OR, XOR, TEST: CF and OF 0; AF, which the manual leaves undefined, is 0 as on processors. */
static void alu_logic(struct alu *a, uint64_t result)
{
    a->result = result & WIDTH_MASK(a->width);
    a->flags &= ~STATUS_FLAGS;
    flags_of_result(a);
}

static void alu_add(struct alu *a, unsigned carry)
{
    uint64_t top = sign_bit(a->width), r = (a->dst + a->src + carry) & WIDTH_MASK(a->width);
    a->result = r;
    flags_of_result(a);
    /* the top bit carries if both operands have it, or if one has it and the sum does not */
    flag_set(a, RFLAGS_CF, ((a->dst & a->src) | ((a->dst | a->src) & ~r)) & top);
    /* overflow: operands of one sign, a result of the other */
    flag_set(a, RFLAGS_OF, ~(a->dst ^ a->src) & (a->dst ^ r) & top);
    flag_set(a, RFLAGS_AF, (a->dst ^ a->src ^ r) & BIT(4)); /* carry into bit 4 */
}

static void alu_sub(struct alu *a, unsigned borrow)
{
    uint64_t top = sign_bit(a->width), r = (a->dst - a->src - borrow) & WIDTH_MASK(a->width);
    a->result = r;
    flags_of_result(a);
    flag_set(a, RFLAGS_CF, ((~a->dst & a->src) | ((~a->dst | a->src) & r)) & top);
    flag_set(a, RFLAGS_OF, (a->dst ^ a->src) & (a->dst ^ r) & top);
    flag_set(a, RFLAGS_AF, (a->dst ^ a->src ^ r) & BIT(4));
}

/* INC and DEC are ADD and SUB of 1 that leave CF alone. */
static void alu_step(struct alu *a, bool up)
{
    uint64_t carry = a->flags & RFLAGS_CF;
    a->src = 1;
    if (up)
        alu_add(a, 0);
    else
        alu_sub(a, 0);
    flag_set(a, RFLAGS_CF, carry);
}

/* CF is the bit. ZF stays; the manual leaves the other flags undefined, and they stay too. */
static void alu_bit(struct alu *a, enum insn_kind kind)
{
    uint64_t bit = BIT(a->src % (8 * a->width));
    flag_set(a, RFLAGS_CF, a->dst & bit);
    a->result = kind == INSN_BTS   ? a->dst | bit
                : kind == INSN_BTR ? a->dst & ~bit
                : kind == INSN_BTC ? a->dst ^ bit
                                   : a->dst;
}

/* One position at a time: what leaves at one end is CF, and the kind says what enters at the other.
 * OF is defined after one position; then these two bits tell it for all eight. */
static void alu_shift(struct alu *a, enum insn_kind kind)
{
    unsigned top = 8 * a->width - 1;
    bool left = (kind - INSN_ROL) % 2 == 0, carry = a->flags & RFLAGS_CF;
    uint64_t r = a->dst;
    for (unsigned n = a->src % (a->width == 8 ? 64 : 32); n; n--) {
        bool out = left ? r >> top & 1 : r & 1;
        uint64_t in = kind <= INSN_ROR   ? out
                      : kind <= INSN_RCR ? carry
                                         : kind == INSN_SAR && (r >> top & 1);
        r = left ? (r << 1 | in) & WIDTH_MASK(a->width) : r >> 1 | in << top;
        carry = out;
        if (kind >= INSN_SHL) {
            a->result = r;
            flags_of_result(a);
        }
        flag_set(a, RFLAGS_CF, carry);
        flag_set(a, RFLAGS_OF, (r >> top & 1) ^ (left ? carry : r >> (top - 1) & 1));
    }
    a->result = r;
}

/* CF and OF: the product does not fit. The manual leaves the other flags undefined. */
static void alu_imul(struct alu *a)
{
    int64_t product;
    bool over = __builtin_mul_overflow((int64_t)sign_extend(a->dst, a->width),
                                       (int64_t)sign_extend(a->src, a->width), &product);
    a->result = (uint64_t)product & WIDTH_MASK(a->width);
    over = over || product != (int64_t)sign_extend(a->result, a->width);
    flag_set(a, RFLAGS_CF | RFLAGS_OF, over);
}

/* SDM "EFLAGS Condition Codes": bits 3:1 choose the flags, bit 0 negates. */
static bool condition(uint64_t flags, unsigned code)
{
    static const uint16_t any[] = {RFLAGS_OF, RFLAGS_CF, RFLAGS_ZF, RFLAGS_CF | RFLAGS_ZF,
                                   RFLAGS_SF, RFLAGS_PF, 0,         RFLAGS_ZF};
    bool met = flags & any[code / 2];
    if (code >= 12) /* less, as signed numbers */
        met = met || !(flags & RFLAGS_SF) != !(flags & RFLAGS_OF);
    return met ^ (code & 1);
}

/* CMPXCHG. If they differ, memory gets what it had. */
static void alu_compare(struct alu *a, uint64_t accumulator)
{
    struct alu c = {a->width, accumulator & WIDTH_MASK(a->width), a->dst, 0, a->flags};
    alu_sub(&c, 0);
    a->flags = c.flags;
    a->result = c.result ? a->dst : a->src;
}

/* The kinds that most kernels never use on a device; the moves and XCHG: the source, as it is. */
static void alu_other(struct alu *a, const struct insn *insn)
{
    a->result = a->src;
    switch (insn->kind) { /* list */
    case INSN_IMUL_IMM:
        a->dst = insn->imm;
        alu_imul(a);
        break;
    case INSN_IMUL:
        alu_imul(a);
        break;
    case INSN_BSF:
    case INSN_BSR:
        flag_set(a, RFLAGS_ZF, a->src == 0);
        if (a->src)
            a->result = (uint64_t)(insn->kind == INSN_BSF ? __builtin_ctzll(a->src)
                                                          : 63 - __builtin_clzll(a->src));
        break;
    case INSN_CMOV:
        if (!condition(a->flags, insn->condition))
            a->result = a->dst;
        break;
    case INSN_SET:
        a->result = condition(a->flags, insn->condition);
        break;
    default:
        break;
    }
}

static void alu(struct alu *a, const struct insn *insn)
{
    enum insn_kind kind = insn->kind;
    unsigned carry = FIELD_GET(RFLAGS_CF, a->flags);
    switch (kind) { /* list */
    case INSN_ADD:
    case INSN_XADD:
    case INSN_ADC:
        alu_add(a, kind == INSN_ADC ? carry : 0);
        break;
    case INSN_SUB:
    case INSN_CMP:
    case INSN_SBB:
        alu_sub(a, kind == INSN_SBB ? carry : 0);
        break;
    case INSN_AND:
    case INSN_TEST:
        alu_logic(a, a->dst & a->src);
        break;
    case INSN_OR:
        alu_logic(a, a->dst | a->src);
        break;
    case INSN_XOR:
        alu_logic(a, a->dst ^ a->src);
        break;
    case INSN_INC:
    case INSN_DEC:
        alu_step(a, kind == INSN_INC);
        break;
    case INSN_NEG:
        a->src = a->dst;
        a->dst = 0;
        alu_sub(a, 0);
        break;
    case INSN_NOT:
        a->result = ~a->dst & WIDTH_MASK(a->width);
        break;
    case INSN_MOVBE: /* the bytes of the operand in reverse order */
        a->result = __builtin_bswap64(a->src) >> (64 - 8 * a->width);
        break;
    case INSN_BT:
    case INSN_BTS:
    case INSN_BTR:
    case INSN_BTC:
        alu_bit(a, kind);
        break;
    case INSN_ROL ... INSN_SAR:
        alu_shift(a, kind);
        break;
    default:
        alu_other(a, insn);
        break;
    }
}

/* --- One memory operand ----------------------------------------------------------------------- */

static bool writes_dst(enum insn_kind kind)
{
    return kind != INSN_CMP && kind != INSN_TEST && kind != INSN_BT;
}

/* The memory operand is the destination: MOV [m], r; OR [m], imm; XCHG; ... */
static int exec_to_memory(const struct insn *insn, struct insn_cpu *cpu, const struct insn_bus *bus,
                          uint64_t address)
{
    bool modify = writes_dst(insn->kind);
    struct alu a = {
        .width = insn->dst.width,
        .src = insn_operand(&insn->src, insn, cpu),
        .flags = *cpu->rflags,
    };
    /* all but the moves compute with the old value of their destination */
    bool read = insn->kind < INSN_MOV;
    int err = read ? bus->read(bus->ctx, address, a.width, modify, &a.dst) : 0;
    if (err)
        return err;
    a.dst &= WIDTH_MASK(a.width);
    if (insn->kind == INSN_CMPXCHG)
        alu_compare(&a, cpu->gpr[INSN_RAX]);
    else
        alu(&a, insn);
    err = modify ? bus->write(bus->ctx, address, a.width, &a.result) : 0;
    if (err)
        return err;
    *cpu->rflags = a.flags;
    if (insn->kind == INSN_XCHG || insn->kind == INSN_XADD)
        insn_set_operand(&insn->src, cpu, a.dst);
    else if (insn->kind == INSN_CMPXCHG && !(a.flags & RFLAGS_ZF))
        gpr_set(&cpu->gpr[INSN_RAX], a.width, a.dst);
    return 0;
}

/* The memory operand is the source: MOV r, [m]; MOVZX; ADD r, [m]; ... */
static int exec_to_register(const struct insn *insn, struct insn_cpu *cpu,
                            const struct insn_bus *bus, uint64_t address)
{
    struct alu a = {
        .width = insn->dst.width,
        .dst = insn_operand(&insn->dst, insn, cpu),
        .flags = *cpu->rflags,
    };
    int err = bus->read(bus->ctx, address, insn->src.width, false, &a.src);
    if (err)
        return err;
    a.src &= WIDTH_MASK(insn->src.width);
    if (insn->kind == INSN_MOVSX)
        a.src = sign_extend(a.src, insn->src.width);
    alu(&a, insn);
    *cpu->rflags = a.flags;
    bool none = (insn->kind == INSN_BSF || insn->kind == INSN_BSR) && !a.src; /* it stays */
    if (writes_dst(insn->kind) && !none)
        insn_set_operand(&insn->dst, cpu, a.result);
    return 0;
}

/* --- Other operands --------------------------------------------------------------------------- */

/* A load clears the rest of the 128 bits, and with VEX all that is above. */
static int exec_vector(const struct insn *insn, struct insn_cpu *cpu, const struct insn_bus *bus,
                       uint64_t address)
{
    bool store = insn->dst.kind == INSN_OPERAND_MEM;
    unsigned reg = store ? insn->src.reg : insn->dst.reg, width = insn->src.width;
    uint8_t bytes[32] = {0}, *low = cpu->vector[0] + 16 * reg, *high = cpu->vector[1];
    if (store) {
        memcpy(bytes, low, 16);
        if (width == 32)
            memcpy(bytes + 16, high + 16 * reg, 16);
        return bus->write(bus->ctx, address, width, bytes);
    }
    int err = bus->read(bus->ctx, address, width, false, bytes);
    if (err)
        return err;
    memcpy(low, bytes, 16);
    if (insn->vex && high)
        memcpy(high + 16 * reg, bytes + 16, 16);
    if (insn->vex && cpu->vector[2])
        memset(cpu->vector[2] + 32 * reg, 0, 32);
    return 0;
}

/* The stack is written before its pointer moves. */
static int exec_push(const struct insn *insn, struct insn_cpu *cpu, const struct insn_bus *bus,
                     uint64_t address)
{
    unsigned width = insn->dst.width, size = cpu->stack_size;
    uint64_t *rsp = &cpu->gpr[INSN_RSP], top = *rsp - width, value;
    int err = bus->read(bus->ctx, address, width, false, &value);
    if (!err)
        err = bus->write(bus->ctx, insn_linear(insn, cpu, INSN_SS, size, top), width, &value);
    if (!err)
        gpr_set(rsp, size, top);
    return err;
}

/* --- Strings ---------------------------------------------------------------------------------- */

/* Move RSI or RDI by one element; DF decides the direction. */
static void string_step(const struct insn *insn, struct insn_cpu *cpu, enum insn_reg reg)
{
    uint64_t *at = &cpu->gpr[reg], width = insn->dst.width;
    uint64_t next = *cpu->rflags & RFLAGS_DF ? *at - width : *at + width;
    gpr_set(at, insn->mem.addr_size, next);
}

/* One element: load what is in memory, store it or compare, and only then move the pointers. */
static int string_element(const struct insn *insn, struct insn_cpu *cpu, const struct insn_bus *bus)
{
    enum insn_kind kind = insn->kind;
    bool compare = kind >= INSN_CMPS, rsi = kind != INSN_STOS && kind != INSN_SCAS;
    bool rdi = kind != INSN_LODS;
    struct alu a = {.width = insn->dst.width, .dst = cpu->gpr[INSN_RAX], .flags = *cpu->rflags};
    unsigned size = insn->mem.addr_size;
    uint64_t from = insn_linear(insn, cpu, insn->mem.segment, size, cpu->gpr[INSN_RSI]);
    uint64_t to = insn_linear(insn, cpu, INSN_ES, size, cpu->gpr[INSN_RDI]);
    int err = rsi ? bus->read(bus->ctx, from, a.width, false, &a.dst) : 0;
    a.dst &= WIDTH_MASK(a.width);
    if (!err && compare)
        err = bus->read(bus->ctx, to, a.width, false, &a.src);
    else if (!err && rdi)
        err = bus->write(bus->ctx, to, a.width, &a.dst);
    if (err)
        return err;
    if (compare) {
        alu_sub(&a, 0);
        *cpu->rflags = a.flags;
    }
    if (kind == INSN_LODS)
        insn_set_operand(&insn->dst, cpu, a.dst);
    if (rsi)
        string_step(insn, cpu, INSN_RSI);
    if (rdi)
        string_step(insn, cpu, INSN_RDI);
    return 0;
}

/* SDM "REP/REPE/REPZ/REPNE/REPNZ": the count is CX, ECX or RCX, by address size; a comparison may
 * end it, too. */
static int exec_string(const struct insn *insn, struct insn_cpu *cpu, const struct insn_bus *bus)
{
    uint64_t *rcx = &cpu->gpr[INSN_RCX];
    unsigned size = insn->mem.addr_size;
    if (!insn->rep)
        return string_element(insn, cpu, bus);
    for (unsigned i = 0; *rcx & WIDTH_MASK(size); i++) {
        if (i == INSN_REP_BATCH)
            return INSN_AGAIN;
        int err = string_element(insn, cpu, bus);
        if (err)
            return err;
        gpr_set(rcx, size, *rcx - 1);
        if (insn->kind >= INSN_CMPS && !(*cpu->rflags & RFLAGS_ZF) != insn->repne)
            return 0;
    }
    return 0;
}

int insn_exec(const struct insn *insn, struct insn_cpu *cpu, const struct insn_bus *bus)
{
    if (insn->kind >= INSN_MOVS)
        return exec_string(insn, cpu, bus);
    if (insn->kind == INSN_CLFLUSH) /* a device's registers are in no cache */
        return 0;

    uint64_t address = insn_address(insn, cpu, bit_string_offset(insn, cpu));
    if (insn->kind == INSN_PUSH)
        return exec_push(insn, cpu, bus, address);
    if (insn->kind == INSN_VMOV)
        return exec_vector(insn, cpu, bus, address);
    if (insn->dst.kind == INSN_OPERAND_MEM)
        return exec_to_memory(insn, cpu, bus, address);
    return exec_to_register(insn, cpu, bus, address);
}
