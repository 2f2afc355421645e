/* SPDX-License-Identifier: MIT */
/*
 * A guest under GDB: the remote serial protocol on a second serial port. The line, the words on it, and the VM
 * that they are about, a file each.
 * From: monitor/console.c (gdb_init, gdb_poll).   To: monitor/gdb_line.c, gdb.c, gdb_target.c, gdb_regs.c.
 * Spec: Debugging with GDB, appendix "GDB Remote Serial Protocol".
 */
#pragma once
#include "lib/bits.h"
#include "lib/types.h"
#include "guest/core/vm.h"

/* --- gdb_line.c: packets ----------------------------------------------------------------------------- */

#define GDB_PACKET_MAX 2048 /* characters between $ and # */

struct gdb_line {
    enum { GDB_OUTSIDE, GDB_INSIDE, GDB_SUM_HIGH, GDB_SUM_LOW } state;
    uint8_t sum, sent_sum;
    bool too_long;
    char in[GDB_PACKET_MAX + 1]; /* the packet; a NUL behind it */
    size_t in_length;
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
/* An answer, from its first character to its sum. What does not fit is left out. */
void gdb_answer_begin(struct gdb_line *l);
void gdb_answer_text(struct gdb_line *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void gdb_answer_hex(struct gdb_line *l, const void *bytes, size_t size);
void gdb_answer_end(struct gdb_line *l);

/* Taking a packet apart. Each moves *at behind what it has found. */
bool gdb_number(const char **at, uint64_t *value); /* hex digits, one to sixteen */
bool gdb_char(const char **at, char c);
bool gdb_word(const char **at, const char *word);
bool gdb_bytes(const char **at, uint8_t *bytes, size_t size); /* two hex digits each */

/* --- gdb_regs.c: a vCPU's registers, numbered as the target description lists them -------------------- */

#define GDB_REG_MAX 16 /* bytes of the largest */

/* Text of the target description from `offset` on, as the answer to qXfer has it; `wide`: of a 64-bit guest. */
void gdb_describe(struct gdb_line *l, bool wide, size_t offset, size_t size);
/* Bytes of register n, 0: there is none. *known: it has a value. */
size_t gdb_reg_read(struct vcpu *v, bool wide, unsigned n, uint8_t bytes[GDB_REG_MAX], bool *known);
/* False: none, or one that cannot be changed to this. */
bool gdb_reg_write(struct vcpu *v, bool wide, unsigned n, const uint8_t bytes[GDB_REG_MAX]);

/* --- gdb_target.c: the VM ----------------------------------------------------------------------------- */

void target_init(void);
void target_choose(struct vm *vm);
struct vm *target_vm(void); /* NULL: none has started yet */
/* A thread is a vCPU, its id the index plus one. NULL: no such, or the VM has ended. */
struct vcpu *target_thread(uint64_t id);
bool target_is_wide(void);
/* Nothing of it runs: what was armed is out of the way, and it may be looked at and changed. */
bool target_at_rest(void);
void target_pause(void); /* soon at rest */
/* By vCPU: 'c' goes on, 's' goes one instruction, 0 stays. False: it cannot. */
bool target_go(const char actions[VM_VCPU_MAX]);
void target_detach(void); /* breakpoints go, it goes on */
void target_end(const char *why);

/* Why it is at rest, once: the next call tells the next. `signal`: what to say if nothing has happened.
 * Returns the thread that it is about. */
uint64_t target_why(struct gdb_line *l, unsigned signal);
/* `kind`: '0' INT3, '1' DR at an instruction, '2' written, '3' read, '4' either. False: cannot. */
bool target_break(struct vcpu *v, bool set, char kind, uint64_t at, uint64_t size);
void target_forget_breaks(void);

/* --- gdb.c: what the packets ask for -------------------------------------------------------------------- */

void gdb_init(void);
void gdb_poll(void); /* between two turns of the scheduler: a few bytes in, a few bytes out */
