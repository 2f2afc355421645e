/* SPDX-License-Identifier: MIT */
/*
 * The chips of the legacy PC. Private to guest/pc/legacy/. All of it is guarded by vm->lock; only
 * the members of the screen belong to the bootstrap processor.
 * From: every file of this room.
 * To: guest/pc/legacy/pic.c, pit.c, keyboard.c, screen.c, draw.c, cmos.c, pm.c, absent.c.
 */
#pragma once
#include "guest/pc/legacy/legacy.h"

/* One 8259. */
struct pic {
    uint8_t irr, isr, imr; /* by input: requested, in service, masked */
    uint8_t lines;         /* as the devices drive the inputs */
    uint8_t level;         /* inputs that are not edge-triggered (ELCR) */
    uint8_t base;          /* vector of input 0 */
    uint8_t lowest;        /* the input with the lowest priority */
    uint8_t step;          /* the initialization word that comes next; 0: none */
    bool used;             /* the guest has initialized it */
    bool single, has_icw4;
    bool auto_eoi, auto_rotate, special_mask, poll, read_isr;
};

struct pit_channel {
    uint8_t mode, access;
    bool loaded, gate;          /* loaded: a count was written since the mode was */
    bool write_high, read_high; /* which half comes next */
    bool has_latch, has_status;
    uint8_t low, status; /* low: the half that was written first */
    uint16_t latch;
    uint32_t count;  /* 1 to 65536 */
    uint64_t start;  /* vm_now() when it began */
    uint64_t passed; /* ticks before the gate closed */
};

#define KEY_RING 256
struct keyboard {
    uint8_t mode;     /* the controller's command byte */
    uint8_t command;  /* of the controller, that waits for its data; 0: none */
    uint8_t argument; /* command of the keyboard, that waits for its argument; 0: none */
    bool full, on;    /* full: `out` waits to be read; on: the keyboard sends keys */
    bool heard;       /* the guest has read the data port, or polls for data */
    uint8_t polls;
    uint8_t out, outputs; /* outputs: the controller's output port */
    uint8_t ring[KEY_RING];
    unsigned put, taken;
    uint8_t escape;     /* what of an escape sequence was typed: 0, ESC, '[' */
    uint64_t escape_at; /* TSC */
};

struct screen {
    uint8_t index, crtc[0x20];
    uint8_t retrace;
    /* of the bootstrap processor */
    uint64_t next;                                  /* TSC of the next look */
    uint64_t sum;                                   /* of the page, at the last one */
    unsigned waiting;                               /* looks since the screen began to change */
    uint32_t seen[SCREEN_ROWS], shown[SCREEN_ROWS]; /* checksums of rows */
};

/* Registers of the CRT controller; a place is a high byte, then a low one, and counts letters. */
#define CRTC_CURSOR_OFF 0x0a /* bit 5 */
#define CRTC_START      0x0c /* the first letter that is shown */
#define CRTC_CURSOR     0x0e
static inline unsigned screen_place(const struct screen *s, unsigned crtc)
{
    return (unsigned)(s->crtc[crtc] << 8 | s->crtc[crtc + 1]);
}

struct absent {
    const char *name; /* of the chip whose ports were read last */
    unsigned reads;   /* of it, in a row */
    bool pic, pit;
    unsigned halted; /* ticks */
};

struct legacy {
    struct vm *vm;
    bool on;
    struct pic pic[2];
    bool intr; /* the first 8259 asks for an interrupt */
    struct pit_channel pit[3];
    uint64_t tick; /* vm_now() at the next interrupt of channel 0; 0: none */
    bool ticks;    /* the guest has programmed channel 0 */
    uint8_t port_b;
    struct keyboard keyboard;
    struct screen screen;
    uint8_t cmos[128];
    uint32_t pm_timer;     /* since its low byte was read */
    struct vm_range clock; /* what was at the ports of the CMOS memory before */
    struct absent absent;
};

/* Of each chip: a byte from its port, and one for it. */
uint8_t pic_in(struct legacy *l, uint16_t port);
void pic_out(struct legacy *l, uint16_t port, uint8_t value);
uint8_t pic_elcr_in(struct legacy *l, uint16_t port);
void pic_elcr_out(struct legacy *l, uint16_t port, uint8_t value);
uint8_t pit_in(struct legacy *l, uint16_t port);
void pit_out(struct legacy *l, uint16_t port, uint8_t value);
uint8_t pit_port_b_in(struct legacy *l, uint16_t port);
void pit_port_b_out(struct legacy *l, uint16_t port, uint8_t value);
uint8_t keyboard_in(struct legacy *l, uint16_t port);
void keyboard_out(struct legacy *l, uint16_t port, uint8_t value);
uint8_t screen_in(struct legacy *l, uint16_t port);
void screen_out(struct legacy *l, uint16_t port, uint8_t value);
uint8_t cmos_in(struct legacy *l, uint16_t port);
void cmos_out(struct legacy *l, uint16_t port, uint8_t value);
uint8_t pm_in(struct legacy *l, uint16_t port);
void pm_out(struct legacy *l, uint16_t port, uint8_t value);
void pm_unclaimed(struct vm *vm, uint16_t port, uint32_t value);
uint8_t absent_in(struct legacy *l, uint16_t port);
void absent_out(struct legacy *l, uint16_t port, uint8_t value);

/* As at power-on, and after a BIOS. */
void pic_reset(struct legacy *l);
void pit_reset(struct legacy *l);
void keyboard_reset(struct legacy *l);
void screen_reset(struct legacy *l);
void cmos_reset(struct legacy *l);

void pic_line(struct legacy *l, unsigned input, bool asserted); /* 0 to 15 */
/* The interrupt-acknowledge cycle. Returns the vector. Requires vm->lock. */
uint8_t pic_acknowledge(struct legacy *l);
void pit_restart(struct legacy *l); /* masks have changed: does channel 0 interrupt? */
/* A typed byte, or -1: only ask. */
enum vm_keys keyboard_type(struct vm *vm, int byte);
/* Letter n of the screen as ASCII, its attribute in the high byte. Of a VM with a screen. */
uint16_t screen_cell(const struct vm *vm, unsigned n);
/* Rows that have changed go to the console; at the `last` look without waiting for a row to be
 * complete. */
void screen_look(struct vm *vm, bool last);
void keyboard_poll(struct legacy *l);
void absent_poll(struct legacy *l);
void mptable_build(uint8_t *to, uint64_t at, unsigned vcpus);

/* a * b / c, for results below 2^64. */
static inline uint64_t muldiv(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t low = a, high;
    asm("mulq %2\n\tdivq %3" : "+a"(low), "=&d"(high) : "r"(b), "r"(c) : "cc");
    return low;
}
