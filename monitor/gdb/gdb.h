/* SPDX-License-Identifier: MIT */
/*
 * A guest under GDB: the remote serial protocol on a second serial port, in four files.
 * From: monitor/term/console.c (gdb_init, gdb_poll).   To: monitor/gdb/line.c, gdb.c, target.c,
 * regs.c.
 * Spec: Debugging with GDB, appendix "GDB Remote Serial Protocol".
 */
#pragma once
#include "lib/bits.h"
#include "lib/types.h"
#include "guest/core/vm.h"

/* --- line.c: packets -------------------------------------------------------------------------- */

#define GDB_PACKET_MAX 2048 /* characters between $ and # */
#define GDB_SUM_SIZE   3    /* #, two digits */

struct gdb_line {
    bool inside; /* $ has come, and not yet the sum */
    bool too_long;
    /* The packet and its sum; a NUL ends the packet once the sum is checked. */
    char in[GDB_PACKET_MAX + GDB_SUM_SIZE];
    size_t in_length;
    const char *at;               /* in `in`: the first character not taken yet */
    char out[GDB_PACKET_MAX + 8]; /* an acknowledgement, an answer */
    size_t out_length, out_sent;
    size_t answer; /* where it begins in `out` */
};

enum gdb_event {
    GDB_NOTHING,
    GDB_PACKET,   /* a good one is in `in`, acknowledged; an answer is due */
    GDB_INTERRUPT /* Ctrl-C between packets */
};
enum gdb_event gdb_line_take(struct gdb_line *l, uint8_t byte);
/* An answer, from its first character to its sum. The part that does not fit is left out. */
void gdb_answer_begin(struct gdb_line *l);
void gdb_answer_text(struct gdb_line *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void gdb_answer_hex(struct gdb_line *l, const void *bytes, size_t size);
void gdb_answer_end(struct gdb_line *l);

/* Taking a packet apart, from `at` on. False: something else stands there. */
bool gdb_number(struct gdb_line *l, uint64_t *value); /* hex digits, one to sixteen */
bool gdb_char(struct gdb_line *l, char c);
bool gdb_word(struct gdb_line *l, const char *word);
bool gdb_bytes(struct gdb_line *l, void *bytes, size_t size); /* two hex digits each */

/* --- regs.c: a vCPU's registers, numbered as the target description lists them ---------------- */

#define GDB_REG_MAX 16 /* bytes of the largest */

/* Text of the target description from `offset` on, as the answer to qXfer has it. `bits`: 16, 32 or
 * 64, of the code that the CPU runs; `wide`, below: 64. */
void gdb_describe(struct gdb_line *l, unsigned bits, size_t offset, size_t size);
size_t gdb_reg_size(bool wide, uint64_t n); /* in bytes; 0: there is no register n */
/* False: the register has no known value, or cannot be changed to this one. */
bool gdb_reg_read(struct vcpu *v, bool wide, uint64_t n, uint8_t bytes[GDB_REG_MAX]);
bool gdb_reg_write(struct vcpu *v, bool wide, uint64_t n, const uint8_t bytes[GDB_REG_MAX]);

/* --- target.c: the VM ------------------------------------------------------------------------- */

enum { SIGNAL_INT = 2, SIGNAL_TRAP = 5, SIGNAL_KILL = 9, SIGNAL_SEGV = 11 }; /* GDB's numbers */

void target_init(void);
void target_choose(struct vm *vm);
struct vm *target_vm(void); /* NULL: none has started yet */
/* A thread is a vCPU, its id the index plus one. NULL: no such, or the VM has ended. */
struct vcpu *target_thread(uint64_t id);
void target_next(void); /* gdb=PORT,wait,*: the next VM that waits for its debugger, if one does */
/* The kernel's file is an ELF file of 64 bits, whatever the mode in which it starts: GDB has read
 * the same file, and its addresses have 64 bits. */
bool target_file_is_wide(void);
/* No vCPU of it runs, and nothing is armed any more: its state may be read and changed. */
bool target_at_rest(void);
void target_pause(void); /* returns at once; wait for target_at_rest() */
/* By vCPU: 'c' goes on, 's' goes one instruction, 0 stays. False: not possible. */
bool target_go(const char actions[VM_VCPU_MAX]);
void target_detach(void); /* remove all breakpoints and let the VM go on */
void target_end(const char *why);

/* The thread about which the next target_why() answers. */
uint64_t target_stopped(void);
/* Answer with the reason of the rest, each reason once: the next call answers with the next one.
 * `signal`: the answer if there is no reason. Returns its thread. */
uint64_t target_why(struct gdb_line *l, unsigned signal);
/* `kind`: '0' INT3, '1' DR at an instruction, '2' written, '3' read, '4' either. False: cannot. */
bool target_break(struct vcpu *v, bool set, char kind, uint64_t at, uint64_t size);
void target_forget_breaks(void);

/* --- gdb.c: the packets, each by its letter --------------------------------------------------- */

void gdb_init(void (*run_line)(char *line)); /* run_line: for "monitor COMMAND" in GDB */
struct args;
void cmd_gdb(struct args *a); /* commands of the monitor */
void cmd_mode(struct args *a);
void cmd_bars(struct args *a);
void gdb_poll(void); /* between two turns of the scheduler: a few bytes in, a few bytes out */
