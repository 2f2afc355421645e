/* SPDX-License-Identifier: MIT */
/*
 * The operands of a decoded instruction: registers, immediates, and where memory is.
 * From: guest/insn/exec.c, guest/pc/mmio.c.   To: nothing.
 * Spec: SDM "Specifying an Offset", "Segmented Addressing in 64-Bit Mode".
 */
#pragma once
#include "arch/x86.h"
#include "guest/insn/insn.h"
#include "lib/bits.h"

#define INSN_HIGH_BYTE BITS(15, 8) /* AH, CH, DH, BH in their registers */

/* A register or an immediate, zero-extended; 0 for memory, which only the bus reads. */
static inline uint64_t insn_operand(const struct insn_operand *o, const struct insn *insn,
                                    const struct insn_cpu *cpu)
{
    if (o->kind == INSN_OPERAND_IMM)
        return insn->imm & WIDTH_MASK(o->width);
    if (o->kind != INSN_OPERAND_REG)
        return 0;
    uint64_t value = cpu->gpr[o->reg];
    return o->high_byte ? FIELD_GET(INSN_HIGH_BYTE, value) : value & WIDTH_MASK(o->width);
}

static inline void insn_set_operand(const struct insn_operand *o, const struct insn_cpu *cpu,
                                    uint64_t value)
{
    uint64_t *reg = &cpu->gpr[o->reg];
    if (o->high_byte)
        *reg = (*reg & ~INSN_HIGH_BYTE) | FIELD_SET(INSN_HIGH_BYTE, value);
    else
        gpr_set(reg, o->width, value);
}

/* Segment limits are not checked: the guests that touch devices have flat segments, and the bus
 * checks the page. */
static inline uint64_t insn_linear(const struct insn *insn, const struct insn_cpu *cpu,
                                   unsigned segment, unsigned size, uint64_t offset)
{
    offset &= WIDTH_MASK(size);
    if (insn->mode != INSN_MODE_64)
        return LO32(cpu->segment_base[segment] + offset);
    return segment >= INSN_FS ? cpu->segment_base[segment] + offset : offset;
}

/* The linear address that is `further` bytes behind that of the memory operand. */
static inline uint64_t insn_address(const struct insn *insn, const struct insn_cpu *cpu,
                                    int64_t further)
{
    const struct insn_mem *m = &insn->mem;
    uint64_t offset = (uint64_t)(m->disp + further);
    if (m->rip_relative)
        offset += cpu->rip + insn->len;
    if (m->base != INSN_NO_REG)
        offset += cpu->gpr[m->base];
    if (m->index != INSN_NO_REG)
        offset += cpu->gpr[m->index] * m->scale;
    return insn_linear(insn, cpu, m->segment, m->addr_size, offset);
}
