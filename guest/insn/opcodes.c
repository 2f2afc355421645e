/* SPDX-License-Identifier: MIT */
/*
 * The opcode map of the manual, reduced to the instructions that drivers use on device registers,
 * and to the names of some that they do not.
 * From: guest/insn/insn.c.   To: guest/insn/opcodes.h.
 * Spec: SDM "Opcode Map".
 *
 * Typed by hand, and compared with Zydis, encoding by encoding (tests/unit/diff_insn.c). Made from
 * Zydis at build time it would be no shorter, as the source still has to tell what each mnemonic
 * does, and nothing would be left to compare it with.
 */
#include "guest/insn/opcodes.h"

// clang-format off
/* Instructions that no driver needs on a register of a device. */
enum {
    NAME_POP, NAME_CALL, NAME_JMP, NAME_MUL, NAME_PAIR, NAME_X87, NAME_SEGMENT, NAME_STACK,
    NAME_SHLD, NAME_EVEX, NAME_VECTOR,
};
const char *const opcodes_refused[] = {
    [NAME_POP] = "POP",
    [NAME_CALL] = "CALL",
    [NAME_JMP] = "JMP",
    [NAME_MUL] = "MUL or DIV",
    [NAME_PAIR] = "CMPXCHG8B or CMPXCHG16B",
    [NAME_X87] = "x87",
    [NAME_SEGMENT] = "segment register",
    [NAME_STACK] = "the stack is there",
    [NAME_SHLD] = "SHLD or SHRD",
    [NAME_EVEX] = "EVEX or BOUND",
    [NAME_VECTOR] = "computation in vector registers",
};
#define REFUSED(name) {INSN_REFUSED, 0, name, 0, 0}

#define ARITHMETIC_GROUP(form, size) {                                                             \
    {INSN_ADD, form, size, 0, 0}, {INSN_OR,  form, size, 0, 0},                                    \
    {INSN_ADC, form, size, 0, 0}, {INSN_SBB, form, size, 0, 0},                                    \
    {INSN_AND, form, size, 0, 0}, {INSN_SUB, form, size, 0, 0},                                    \
    {INSN_XOR, form, size, 0, 0}, {INSN_CMP, form, size, 0, 0},                                    \
}

#define SHIFT_GROUP(form, size) {                                                                  \
    {INSN_ROL, form, size, 0, 0}, {INSN_ROR, form, size, 0, 0},                                    \
    {INSN_RCL, form, size, 0, 0}, {INSN_RCR, form, size, 0, 0},                                    \
    {INSN_SHL, form, size, 0, 0}, {INSN_SHR, form, size, 0, 0},                                    \
    {INSN_SAL, form, size, 0, 0}, {INSN_SAR, form, size, 0, 0},                                    \
}
#define LOAD(size)  {INSN_VMOV, FORM(G, E), size, 0, 0}
#define STORE(size) {INSN_VMOV, FORM(E, G), size, 0, 0}

/* The manual leaves F6 /1 and F7 /1 out; processors take them for TEST, and so do disassemblers. */
const struct opcode opcodes_groups[GROUP_COUNT][8] = {
    [GROUP_80] = ARITHMETIC_GROUP(FORM(E, IB), SIZE_B),
    [GROUP_81] = ARITHMETIC_GROUP(FORM(E, I), SIZE_V),
    [GROUP_83] = ARITHMETIC_GROUP(FORM(E, IB), SIZE_V),
    [GROUP_8F][0] = REFUSED(NAME_POP),
    [GROUP_C0] = SHIFT_GROUP(FORM(E, IB), SIZE_B), [GROUP_C1] = SHIFT_GROUP(FORM(E, IB), SIZE_V),
    [GROUP_D0] = SHIFT_GROUP(FORM(E, 1), SIZE_B),  [GROUP_D1] = SHIFT_GROUP(FORM(E, 1), SIZE_V),
    [GROUP_D2] = SHIFT_GROUP(FORM(E, CL), SIZE_B), [GROUP_D3] = SHIFT_GROUP(FORM(E, CL), SIZE_V),
    [GROUP_C6][0] = {INSN_MOV, FORM(E, IB), SIZE_B, 0, 0},
    [GROUP_C7][0] = {INSN_MOV, FORM(E, I), SIZE_V, 0, 0},
    [GROUP_F6][0] = {INSN_TEST, FORM(E, IB), SIZE_B, 0, 0},
    [GROUP_F6][1] = {INSN_TEST, FORM(E, IB), SIZE_B, 0, 0},
    [GROUP_F6][2] = {INSN_NOT, FORM(E, NONE), SIZE_B, 0, 0},
    [GROUP_F6][3] = {INSN_NEG, FORM(E, NONE), SIZE_B, 0, 0},
    [GROUP_F7][0] = {INSN_TEST, FORM(E, I), SIZE_V, 0, 0},
    [GROUP_F7][1] = {INSN_TEST, FORM(E, I), SIZE_V, 0, 0},
    [GROUP_F7][2] = {INSN_NOT, FORM(E, NONE), SIZE_V, 0, 0},
    [GROUP_F7][3] = {INSN_NEG, FORM(E, NONE), SIZE_V, 0, 0},
    [GROUP_FE][0] = {INSN_INC, FORM(E, NONE), SIZE_B, 0, 0},
    [GROUP_FE][1] = {INSN_DEC, FORM(E, NONE), SIZE_B, 0, 0},
    [GROUP_FF][0] = {INSN_INC, FORM(E, NONE), SIZE_V, 0, 0},
    [GROUP_FF][1] = {INSN_DEC, FORM(E, NONE), SIZE_V, 0, 0},
    [GROUP_FF][2] = REFUSED(NAME_CALL), [GROUP_FF][3] = REFUSED(NAME_CALL),
    [GROUP_FF][4] = REFUSED(NAME_JMP),  [GROUP_FF][5] = REFUSED(NAME_JMP),
    [GROUP_F6][4 ... 7] = REFUSED(NAME_MUL), [GROUP_F7][4 ... 7] = REFUSED(NAME_MUL),
    [GROUP_FF][6] = {INSN_PUSH, FORM(E, NONE), SIZE_STACK, 0, 0},
    [GROUP_0F_AE][7] = {INSN_CLFLUSH, FORM(E, NONE), SIZE_B, 0, 0},
    [GROUP_0F_C7][1] = REFUSED(NAME_PAIR),
    [GROUP_0F_BA][4] = {INSN_BT, FORM(E, IB), SIZE_V, 0, 0},
    [GROUP_0F_BA][5] = {INSN_BTS, FORM(E, IB), SIZE_V, 0, 0},
    [GROUP_0F_BA][6] = {INSN_BTR, FORM(E, IB), SIZE_V, 0, 0},
    [GROUP_0F_BA][7] = {INSN_BTC, FORM(E, IB), SIZE_V, 0, 0},
    [GROUP_10] = {LOAD(SIZE_X), LOAD(SIZE_X), LOAD(SIZE_D), LOAD(SIZE_Q)},
    [GROUP_11] = {STORE(SIZE_X), STORE(SIZE_X), STORE(SIZE_D), STORE(SIZE_Q)},
    [GROUP_28] = {LOAD(SIZE_X), LOAD(SIZE_X)},
    [GROUP_29] = {STORE(SIZE_X), STORE(SIZE_X)},
    [GROUP_2A][1] = LOAD(SIZE_X),
    [GROUP_2B] = {STORE(SIZE_X), STORE(SIZE_X)},
    [GROUP_6E][1] = LOAD(SIZE_Y),
    [GROUP_6F][1] = LOAD(SIZE_X), [GROUP_6F][2] = LOAD(SIZE_X),
    [GROUP_7E][1] = STORE(SIZE_Y), [GROUP_7E][2] = LOAD(SIZE_Q),
    [GROUP_7F][1] = STORE(SIZE_X), [GROUP_7F][2] = STORE(SIZE_X),
    [GROUP_D6][1] = STORE(SIZE_Q),
    [GROUP_E7][1] = STORE(SIZE_X),
    [GROUP_F0][3] = LOAD(SIZE_X),
};

/* Bit 0 of most opcodes is the manual's w: 0 for bytes, 1 for the operand size. */
#define BYTE_AND_V(even, kind, form)                                                               \
    [even] = {kind, form, SIZE_B, 0, 0}, [(even) + 1] = {kind, form, SIZE_V, 0, 0}
#define ARITHMETIC(base, kind)                                                                     \
    BYTE_AND_V(base, kind, FORM(E, G)), BYTE_AND_V((base) + 2, kind, FORM(G, E))

const struct opcode opcodes[3][256] = {
[MAP_ONE_BYTE] = {
    ARITHMETIC(0x00, INSN_ADD),
    ARITHMETIC(0x08, INSN_OR),
    ARITHMETIC(0x10, INSN_ADC),
    ARITHMETIC(0x18, INSN_SBB),
    ARITHMETIC(0x20, INSN_AND),
    ARITHMETIC(0x28, INSN_SUB),
    ARITHMETIC(0x30, INSN_XOR),
    ARITHMETIC(0x38, INSN_CMP),
    [0x63] = {INSN_MOVSX, FORM(G, E), SIZE_D, ONLY_64, 0},
    [0x69] = {INSN_IMUL_IMM, FORM(G, E), SIZE_V, 0, 0},
    [0x6b] = {INSN_IMUL_IMM, FORM(G, E), SIZE_V, 0, 0},
    [0x8f] = {0, 0, 0, 0, GROUP_8F},
    [0x50 ... 0x5f] = REFUSED(NAME_STACK), [0x68] = REFUSED(NAME_STACK),
    [0x6a] = REFUSED(NAME_STACK), [0x9c ... 0x9d] = REFUSED(NAME_STACK),
    [0xc2 ... 0xc3] = REFUSED(NAME_STACK), [0xc8 ... 0xc9] = REFUSED(NAME_STACK),
    [0xe8] = REFUSED(NAME_STACK),
    [0x62] = REFUSED(NAME_EVEX),
    [0x8c] = REFUSED(NAME_SEGMENT), [0x8e] = REFUSED(NAME_SEGMENT),
    [0xd8 ... 0xdf] = REFUSED(NAME_X87),
    [0xc0] = {0, 0, 0, 0, GROUP_C0}, [0xc1] = {0, 0, 0, 0, GROUP_C1},
    [0xd0] = {0, 0, 0, 0, GROUP_D0}, [0xd1] = {0, 0, 0, 0, GROUP_D1},
    [0xd2] = {0, 0, 0, 0, GROUP_D2}, [0xd3] = {0, 0, 0, 0, GROUP_D3},
    [0x80] = {0, 0, 0, 0, GROUP_80},      [0x81] = {0, 0, 0, 0, GROUP_81},
    [0x82] = {0, 0, 0, NOT_64, GROUP_80}, [0x83] = {0, 0, 0, 0, GROUP_83},
    BYTE_AND_V(0x84, INSN_TEST, FORM(E, G)),
    BYTE_AND_V(0x86, INSN_XCHG, FORM(E, G)),
    BYTE_AND_V(0x88, INSN_MOV, FORM(E, G)),
    BYTE_AND_V(0x8a, INSN_MOV, FORM(G, E)),
    BYTE_AND_V(0xa0, INSN_MOV, FORM(A, O)),
    BYTE_AND_V(0xa2, INSN_MOV, FORM(O, A)),
    BYTE_AND_V(0xa4, INSN_MOVS, FORM(Y, X)),
    BYTE_AND_V(0xa6, INSN_CMPS, FORM(X, Y)),
    BYTE_AND_V(0xaa, INSN_STOS, FORM(Y, A)),
    BYTE_AND_V(0xac, INSN_LODS, FORM(A, X)),
    BYTE_AND_V(0xae, INSN_SCAS, FORM(A, Y)),
    [0xc6] = {0, 0, 0, 0, GROUP_C6}, [0xc7] = {0, 0, 0, 0, GROUP_C7},
    [0xf6] = {0, 0, 0, 0, GROUP_F6}, [0xf7] = {0, 0, 0, 0, GROUP_F7},
    [0xfe] = {0, 0, 0, 0, GROUP_FE}, [0xff] = {0, 0, 0, 0, GROUP_FF},
},
[MAP_0F] = {
    [0x10] = {0, 0, 0, 0, GROUP_10}, [0x11] = {0, 0, 0, 0, GROUP_11},
    [0x28] = {0, 0, 0, 0, GROUP_28}, [0x29] = {0, 0, 0, 0, GROUP_29},
    [0x2b] = {0, 0, 0, 0, GROUP_2B},
    [0x40 ... 0x4f] = {INSN_CMOV, FORM(G, E), SIZE_V, 0, 0},
    [0x6e] = {0, 0, 0, 0, GROUP_6E}, [0x6f] = {0, 0, 0, 0, GROUP_6F},
    [0x7e] = {0, 0, 0, 0, GROUP_7E}, [0x7f] = {0, 0, 0, 0, GROUP_7F},
    [0x90 ... 0x9f] = {INSN_SET, FORM(E, NONE), SIZE_B, 0, 0},
    [0xae] = {0, 0, 0, NO_REPEAT, GROUP_0F_AE},
    [0xaf] = {INSN_IMUL, FORM(G, E), SIZE_V, 0, 0},
    BYTE_AND_V(0xb0, INSN_CMPXCHG, FORM(E, G)),
    [0xbc] = {INSN_BSF, FORM(G, E), SIZE_V, NO_REPEAT, 0},
    [0xbd] = {INSN_BSR, FORM(G, E), SIZE_V, NO_REPEAT, 0},
    BYTE_AND_V(0xc0, INSN_XADD, FORM(E, G)),
    [0xc3] = {INSN_MOV, FORM(E, G), SIZE_Y, NO_REPEAT | NO_OSIZE, 0},
    [0xc7] = {0, 0, 0, 0, GROUP_0F_C7},
    [0xd6] = {0, 0, 0, 0, GROUP_D6}, [0xe7] = {0, 0, 0, 0, GROUP_E7},
    [0xf0] = {0, 0, 0, 0, GROUP_F0},
    [0xa4 ... 0xa5] = REFUSED(NAME_SHLD), [0xac ... 0xad] = REFUSED(NAME_SHLD),
    [0x12 ... 0x17] = REFUSED(NAME_VECTOR), [0x2a] = REFUSED(NAME_VECTOR),
    [0x2c ... 0x2f] = REFUSED(NAME_VECTOR), [0x51 ... 0x6d] = REFUSED(NAME_VECTOR),
    [0x70 ... 0x76] = REFUSED(NAME_VECTOR), [0xd0 ... 0xd5] = REFUSED(NAME_VECTOR),
    [0xd7 ... 0xe6] = REFUSED(NAME_VECTOR), [0xe8 ... 0xef] = REFUSED(NAME_VECTOR),
    [0xf1 ... 0xfe] = REFUSED(NAME_VECTOR),
    [0xa3] = {INSN_BT, FORM(E, G), SIZE_V, 0, 0},
    [0xab] = {INSN_BTS, FORM(E, G), SIZE_V, 0, 0},
    [0xb3] = {INSN_BTR, FORM(E, G), SIZE_V, 0, 0},
    [0xb6] = {INSN_MOVZX, FORM(G, E), SIZE_B, 0, 0},
    [0xb7] = {INSN_MOVZX, FORM(G, E), SIZE_W, 0, 0},
    [0xba] = {0, 0, 0, 0, GROUP_0F_BA},
    [0xbb] = {INSN_BTC, FORM(E, G), SIZE_V, 0, 0},
    [0xbe] = {INSN_MOVSX, FORM(G, E), SIZE_B, 0, 0},
    [0xbf] = {INSN_MOVSX, FORM(G, E), SIZE_W, 0, 0},
},
[MAP_0F_38] = {
    [0x2a] = {0, 0, 0, 0, GROUP_2A},
    [0xf0] = {INSN_MOVBE, FORM(G, E), SIZE_V, NO_REPEAT, 0},
    [0xf1] = {INSN_MOVBE, FORM(E, G), SIZE_V, NO_REPEAT, 0},
},
};
// clang-format on
