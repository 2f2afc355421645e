/* SPDX-License-Identifier: MIT */
/*
 * The instruction with which a guest touched a trapped page. An EPT violation reports the address,
 * but neither the width nor the register, so Hamlet reads the instruction and carries it out.
 * From: guest/pc/mmio.c (an exit on a trapped page).
 * To: guest/insn/insn.c (bytes -> struct insn), guest/insn/exec.c (struct insn -> effect),
 * guest/insn/operand.h.
 * Spec: SDM "Instruction Format", "Opcode Map".
 * Not handled, as no driver needs them there, but known by name: POP, CALL and JMP, a stack in the
 * page, MUL and DIV, CMPXCHG8B, x87, segment registers, computation in vector registers, EVEX. Pure
 * code: it compiles for the host as it is.
 */
#pragma once
#include "lib/errno.h"
#include "lib/types.h"

#define INSN_LEN_MAX 15 /* SDM "Instruction Format": a longer one is #GP */

enum insn_mode {
    INSN_MODE_16, /* real mode, virtual-8086 mode, or CS.D = 0 */
    INSN_MODE_32, /* CS.D = 1, no long mode or compatibility mode */
    INSN_MODE_64, /* EFER.LMA = 1 and CS.L = 1 */
};

/* General-purpose registers in the order of their encoding; 8 to 15 are R8 to R15. */
enum insn_reg {
    INSN_RAX,
    INSN_RCX,
    INSN_RDX,
    INSN_RBX,
    INSN_RSP,
    INSN_RBP,
    INSN_RSI,
    INSN_RDI,
    INSN_REG_COUNT = 16,
    INSN_NO_REG = 0xff,
};

/* Segment registers in the order of their encoding. */
enum insn_segment { INSN_ES, INSN_CS, INSN_SS, INSN_DS, INSN_FS, INSN_GS, INSN_SEGMENT_COUNT };

/* The first eight stand in the order of the /r digit of opcodes 0x80 to 0x83, which is also bits
 * 5:3 of opcodes 0x00 to 0x3b; the shifts in that of 0xd0 to 0xd3. INSN_ADD to INSN_XCHG may carry
 * LOCK, except INSN_CMP. All before INSN_MOV compute with the old value of their destination. */
enum insn_kind {
    INSN_INVALID,
    INSN_REFUSED, /* inside of insn.c: known by name only */
    INSN_ADD,
    INSN_OR,
    INSN_ADC,
    INSN_SBB,
    INSN_AND,
    INSN_SUB,
    INSN_XOR,
    INSN_CMP,
    INSN_INC,
    INSN_DEC,
    INSN_NOT,
    INSN_NEG,
    INSN_BTS,
    INSN_BTR,
    INSN_BTC,
    INSN_XADD,
    INSN_CMPXCHG,
    INSN_XCHG,
    INSN_BT,
    INSN_TEST,
    INSN_ROL,
    INSN_ROR,
    INSN_RCL,
    INSN_RCR,
    INSN_SHL,
    INSN_SHR,
    INSN_SAL, /* another encoding of SHL */
    INSN_SAR,
    INSN_IMUL,
    INSN_BSF,
    INSN_BSR,
    INSN_CMOV,
    INSN_MOV, /* MOVNTI too */
    INSN_MOVZX,
    INSN_MOVSX, /* MOVSXD too */
    INSN_MOVBE,
    INSN_SET,
    INSN_IMUL_IMM, /* dst = src * imm */
    INSN_VMOV,     /* a move of a vector register, or of its low part */
    INSN_PUSH,
    INSN_CLFLUSH, /* CLFLUSHOPT too */
    INSN_MOVS,
    INSN_STOS,
    INSN_LODS,
    INSN_CMPS,
    INSN_SCAS,
    INSN_KIND_COUNT,
};

enum insn_operand_kind {
    INSN_OPERAND_NONE,
    INSN_OPERAND_REG,
    INSN_OPERAND_MEM, /* where: insn.mem */
    INSN_OPERAND_IMM, /* value: insn.imm */
};

struct insn_operand {
    enum insn_operand_kind kind;
    uint8_t width;  /* bytes: 1, 2, 4, 8; 16 and 32 of INSN_VMOV */
    uint8_t reg;    /* INSN_OPERAND_REG: enum insn_reg; of INSN_VMOV a vector register, 0 to 15 */
    bool high_byte; /* AH, CH, DH or BH; reg is the register that contains it */
};

/* Effective address = (base + index * scale + disp) truncated to addr_size bytes. */
struct insn_mem {
    uint8_t segment;   /* enum insn_segment */
    uint8_t base;      /* enum insn_reg, or INSN_NO_REG */
    uint8_t index;     /* enum insn_reg, or INSN_NO_REG */
    uint8_t scale;     /* 1, 2, 4, 8 */
    uint8_t addr_size; /* bytes: 2, 4, 8; also the size of RSI, RDI and of the REP count */
    bool rip_relative; /* the base is the address of the next instruction */
    int64_t disp;      /* sign-extended; an absolute address (moffs) is in it whole */
};

/* One instruction with a memory operand. INSN_MOVS and INSN_CMPS have two: mem is the one at rSI,
 * the other is always ES:rDI. */
struct insn {
    enum insn_kind kind;
    enum insn_mode mode;
    struct insn_operand dst; /* the operand that the manual writes first */
    struct insn_operand src;
    struct insn_mem mem;
    uint64_t imm;      /* sign-extended to 64 bits */
    uint8_t len;       /* bytes, 1 to INSN_LEN_MAX */
    uint8_t condition; /* INSN_CMOV, INSN_SET: SDM "EFLAGS Condition Codes" */
    bool rep;          /* prefix F3 or F2; they differ for INSN_CMPS and INSN_SCAS only: */
    bool repne;        /* F2: up to the first that is equal */
    bool lock;
    const char *name; /* after -EINVAL: "x87", ... or "not known" */
    bool vex;         /* INSN_VMOV: a load clears what is above its width */
};

/* SDM "Instruction Format". Takes the first instruction in [bytes, bytes + size); reads no byte
 * beyond its end, nor more than INSN_LEN_MAX.
 * -EINVAL: cut off, too long, invalid (LOCK where it must not be, ...), not in the list above, or
 * without a memory operand, so that it cannot have caused the exit. Of *out only `name` is then
 * defined: what it is. */
MUST_CHECK int insn_decode(const uint8_t *bytes, size_t size, enum insn_mode mode,
                           struct insn *out);

/* The registers that an instruction reads and writes. */
struct insn_cpu {
    uint64_t *gpr; /* 16 values, order of enum insn_reg */
    uint64_t *rflags;
    uint64_t rip;                 /* of the instruction itself; insn_exec() does not change it */
    const uint64_t *segment_base; /* by enum insn_segment; in 64-bit mode only FS and GS count */
    uint8_t stack_size;           /* bytes of the stack pointer: 2, 4, 8 */
    /* INSN_VMOV: bits 127:0 of the vector registers, 255:128, 511:256; NULL: not there */
    uint8_t *vector[3];
};

/* MOV, MOVNTI and MOVZX, which most drivers use alone: they compute nothing. */
static inline bool insn_moves(const struct insn *insn)
{
    return insn->kind == INSN_MOV || insn->kind == INSN_MOVZX;
}
/* Does it read or write RSP, as an operand, in an address, or as PUSH does? */
static inline bool insn_uses_rsp(const struct insn *insn)
{
    return insn->kind == INSN_PUSH || insn->mem.base == INSN_RSP || insn->mem.index == INSN_RSP ||
           insn->dst.reg == INSN_RSP || insn->src.reg == INSN_RSP;
}

/* The guest's memory as the instruction sees it: linear addresses, 1, 2, 4, 8, 16 or 32 bytes,
 * which may cross a page. 0, or any negative code, which insn_exec() returns unchanged; then no
 * byte was written. */
struct insn_bus {
    /* modify: the same bytes are written next, so a page fault is one of a write. */
    int (*read)(void *ctx, uint64_t linear, unsigned width, bool modify, void *to);
    int (*write)(void *ctx, uint64_t linear, unsigned width, const void *from);
    void *ctx;
};

#define INSN_AGAIN     1   /* the REP is not complete: enter the guest at the same RIP */
#define INSN_REP_BATCH 256 /* elements in one call, so that no guest keeps a CPU by one REP */

/* Carry out the instruction. 0: done, the caller advances RIP by insn->len. INSN_AGAIN: see
 * above. < 0: the code of the bus; registers, flags and memory are as before the instruction. In
 * a REP they are as before the element that failed, so the guest can restart the instruction
 * (SDM "REP/REPE/REPZ/REPNE/REPNZ"). LOCK has no effect here: the bus orders the accesses to its
 * devices, one after the other. */
MUST_CHECK int insn_exec(const struct insn *insn, struct insn_cpu *cpu, const struct insn_bus *bus);
