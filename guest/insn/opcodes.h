/* SPDX-License-Identifier: MIT */
/*
 * What insn.c knows of an opcode before it has seen its operands. Private to guest/insn/.
 * From: guest/insn/insn.c.   To: guest/insn/opcodes.c.
 * Spec: SDM "Opcode Map", "Key to Abbreviations".
 */
#pragma once
#include "guest/insn/insn.h"
#include "lib/bits.h"

// clang-format off
/* Operands in the letters of SDM "Key to Abbreviations": E memory by ModR/M, O moffs, X at DS:rSI,
 * Y at ES:rDI; G register by ModR/M, A accumulator, CL; I immediate of the operand size (4 bytes at
 * most), Ib of a byte, 1 the number. */
enum letter {
    LETTER_NONE, LETTER_E, LETTER_O, LETTER_X, LETTER_Y,
    LETTER_G, LETTER_A, LETTER_CL, LETTER_I, LETTER_IB, LETTER_1,
};
#define FORM_DST BITS(3, 0)
#define FORM_SRC BITS(7, 4)
#define FORM(dst, src) (LETTER_##dst | LETTER_##src << 4)

/* Width of the memory operand, where it is not the operand size. */
enum {
    SIZE_V = 0, SIZE_B = 1, SIZE_W = 2, SIZE_D = 4, SIZE_Q = 8,
    SIZE_X = 16, /* bytes of a vector register: 32 with VEX.L */
    SIZE_Y,      /* 8 with REX.W, else 4 */
    SIZE_STACK,  /* the operand size, whose default is 8 in 64-bit mode */
};

#define ONLY_64   BIT(0)
#define NOT_64    BIT(1)
#define NO_REPEAT BIT(2) /* F2 and F3 make it another instruction, or none */
#define NO_OSIZE  BIT(3) /* likewise 66 */

/* Opcodes of several instructions each. ModR/M.reg selects one; of those from GROUP_BY_PREFIX the
 * last prefix does: none, 66, F3, F2. */
enum group {
    NO_GROUP, GROUP_80, GROUP_81, GROUP_83, GROUP_8F, GROUP_C0, GROUP_C1, GROUP_C6, GROUP_C7,
    GROUP_D0, GROUP_D1, GROUP_D2, GROUP_D3, GROUP_F6, GROUP_F7, GROUP_FE, GROUP_FF, GROUP_0F_AE,
    GROUP_0F_BA, GROUP_0F_C7,
    GROUP_BY_PREFIX, GROUP_10 = GROUP_BY_PREFIX, GROUP_11, GROUP_28, GROUP_29, GROUP_2A, GROUP_2B,
    GROUP_6E, GROUP_6F, GROUP_7E, GROUP_7F, GROUP_D6, GROUP_E7, GROUP_F0, GROUP_COUNT,
};

struct opcode {
    uint8_t kind;  /* enum insn_kind */
    uint8_t form;  /* FORM(): its operands */
    uint8_t size;  /* SIZE_... */
    uint8_t flags; /* ONLY_64, NOT_64, NO_REPEAT, NO_OSIZE */
    uint8_t group; /* enum group; kind, form and size then stand in its row */
};
// clang-format on

enum opcode_map { MAP_ONE_BYTE, MAP_0F, MAP_0F_38 };
extern const struct opcode opcodes[3][256];
extern const struct opcode opcodes_groups[GROUP_COUNT][8];
/* Of a row with INSN_REFUSED: what it is; `size` is the index. */
extern const char *const opcodes_refused[];
