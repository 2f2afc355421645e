/* SPDX-License-Identifier: MIT */
/*
 * The pair of 8259s. The second one asks by input 2 of the first, whose own request is the line
 * LINT0 of the first vCPU's local APIC: a "virtual wire".
 * From: guest/pc/legacy/legacy.c (ports, lines, the acknowledge cycle).
 * To: vmx/run/post.c (vcpu_extint).
 * Spec: Intel 8259A data sheet.   Not handled: the 8080's CALL, buffered mode, special fully nested
 * mode.
 */
#include "guest/pc/legacy/chips.h"
#include "vmx/run/post.h"

#define INPUTS       8
#define CASCADE      2 /* input of the first */
#define PORT_SECOND  0xa0
#define PORT_ELCR    0x4d0
#define ICW1         BIT(4)
#define ICW1_SINGLE  BIT(1)
#define ICW1_ICW4    BIT(0)
#define ICW4_AUTO    BIT(1)
#define OCW3         BIT(3)
#define OCW3_ESMM    BIT(6)
#define OCW3_SMM     BIT(5)
#define OCW3_POLL    BIT(2)
#define OCW3_READ    BIT(1)
#define OCW3_ISR     BIT(0)
#define OCW2_ROTATE  BIT(7)
#define OCW2_THIS    BIT(6) /* the input in bits 2:0, not the one in service */
#define OCW2_EOI     BIT(5)
#define OCW2_INPUT   BITS(2, 0)
#define POLL_REQUEST 0x80
/* As a BIOS leaves them: timer, keyboard and the cascade; clock and disk. */
#define MASK_FIRST   0xb8
#define MASK_SECOND  0x8e
#define BASE_FIRST   0x08
#define BASE_SECOND  0x70

/* The first input, by priority, of those in `set`; -1: the set is empty. */
static int first_of(const struct pic *p, uint8_t set)
{
    for (unsigned i = 1; i <= INPUTS; i++)
        if (set & BIT((p->lowest + i) % INPUTS))
            return (int)((p->lowest + i) % INPUTS);
    return -1;
}

/* How far an input is from the highest priority. */
static int rank(const struct pic *p, int input) { return (input - p->lowest - 1) & (INPUTS - 1); }

/* The input to serve next; -1: none is requested, or what is in service goes first. */
static int next_input(const struct pic *p)
{
    int wants = first_of(p, (uint8_t)(p->irr & ~p->imr));
    int served = first_of(p, p->special_mask ? (uint8_t)(p->isr & ~p->imr) : p->isr);
    return wants >= 0 && (served < 0 || rank(p, wants) < rank(p, served)) ? wants : -1;
}

/* The second one's request is a level at input 2 of the first. */
static void pic_request(struct legacy *l)
{
    uint8_t cascade = (uint8_t)BIT(CASCADE);
    l->pic[0].irr &= (uint8_t)~cascade;
    if (next_input(&l->pic[1]) >= 0)
        l->pic[0].irr |= cascade;
    bool intr = next_input(&l->pic[0]) >= 0;
    if (intr != l->intr)
        vcpu_extint(l->vm->vcpus[0], intr);
    l->intr = intr;
}

/* A line that falls takes its request back, as the chip looks at it once more when the CPU asks for
 * the vector. */
void pic_line(struct legacy *l, unsigned input, bool asserted)
{
    struct pic *p = &l->pic[input / INPUTS];
    uint8_t bit = (uint8_t)BIT(input % INPUTS);
    if (!asserted) {
        p->lines &= (uint8_t)~bit;
        p->irr &= (uint8_t)~bit;
    } else if (!(p->lines & bit)) {
        p->lines |= bit;
        p->irr |= bit;
    }
    pic_request(l);
}

/* Returns the input; 7 if the request has gone meanwhile. */
static unsigned acknowledge(struct pic *p)
{
    int input = next_input(p);
    if (input < 0)
        return INPUTS - 1;
    uint8_t bit = (uint8_t)BIT(input);
    if (!(p->level & bit))
        p->irr &= (uint8_t)~bit;
    if (!p->auto_eoi)
        p->isr |= bit;
    else if (p->auto_rotate)
        p->lowest = (uint8_t)input;
    return (unsigned)input;
}

uint8_t pic_acknowledge(struct legacy *l)
{
    const struct pic *p = l->pic;
    unsigned input = acknowledge(&l->pic[0]);
    if (input == CASCADE) {
        p = &l->pic[1];
        input = acknowledge(&l->pic[1]);
    }
    pic_request(l);
    return (uint8_t)(p->base + input);
}

/* --- Ports ------------------------------------------------------------------------------------ */

/* The lines keep their state; a request needs a new edge. */
static void initialize(struct pic *p, uint8_t value)
{
    *p = (struct pic){.lines = p->lines,
                      .level = p->level,
                      .irr = p->lines & p->level,
                      .base = p->base,
                      .used = true,
                      .lowest = INPUTS - 1,
                      .step = 2,
                      .single = value & ICW1_SINGLE,
                      .has_icw4 = value & ICW1_ICW4};
}

static void end_of_interrupt(struct pic *p, uint8_t value)
{
    int input = value & OCW2_THIS ? value & (int)OCW2_INPUT : first_of(p, p->isr);
    if (!(value & (OCW2_EOI | OCW2_THIS)))
        p->auto_rotate = value & OCW2_ROTATE;
    else if (input >= 0 && (value & OCW2_EOI))
        p->isr &= (uint8_t)~BIT(input);
    if (input >= 0 && (value & OCW2_ROTATE) && (value & (OCW2_EOI | OCW2_THIS)))
        p->lowest = (uint8_t)input;
}

static void write_command(struct pic *p, uint8_t value)
{
    if (value & ICW1) {
        initialize(p, value);
    } else if (value & OCW3) {
        p->poll = value & OCW3_POLL;
        if (value & OCW3_READ)
            p->read_isr = value & OCW3_ISR;
        if (value & OCW3_ESMM)
            p->special_mask = value & OCW3_SMM;
    } else {
        end_of_interrupt(p, value);
    }
}

/* Initialization words 2 to 4, else the mask. */
static void write_data(struct pic *p, uint8_t value)
{
    uint8_t after_3 = p->has_icw4 ? 4 : 0;
    if (p->step == 0)
        p->imr = value;
    if (p->step == 2)
        p->base = value & (uint8_t)BITS(7, 3);
    if (p->step == 4)
        p->auto_eoi = value & ICW4_AUTO;
    p->step = p->step == 2 && !p->single ? 3 : p->step == 2 || p->step == 3 ? after_3 : 0;
}

static struct pic *pic_of(struct legacy *l, uint16_t port) { return &l->pic[port >= PORT_SECOND]; }

static __attribute__((noinline)) uint8_t poll(struct legacy *l, struct pic *p)
{
    p->poll = false;
    uint8_t request = next_input(p) >= 0 ? POLL_REQUEST : 0;
    uint8_t input = (uint8_t)acknowledge(p);
    pic_request(l);
    return request | input;
}

uint8_t pic_in(struct legacy *l, uint16_t port)
{
    struct pic *p = pic_of(l, port);
    if (p->poll)
        return poll(l, p);
    return port & 1 ? p->imr : p->read_isr ? p->isr : p->irr;
}

void pic_out(struct legacy *l, uint16_t port, uint8_t value)
{
    struct pic *p = pic_of(l, port);
    if (port & 1)
        write_data(p, value);
    else
        write_command(p, value);
    pic_request(l);
    pit_restart(l);
}

uint8_t pic_elcr_in(struct legacy *l, uint16_t port) { return l->pic[port - PORT_ELCR].level; }

void pic_elcr_out(struct legacy *l, uint16_t port, uint8_t value)
{
    l->pic[port - PORT_ELCR].level = value;
    pic_request(l);
    pit_restart(l);
}

void pic_reset(struct legacy *l)
{
    uint8_t lines[2] = {l->pic[0].lines, l->pic[1].lines};
    for (unsigned i = 0; i < 2; i++)
        l->pic[i] = (struct pic){.lines = lines[i],
                                 .lowest = INPUTS - 1,
                                 .imr = i ? MASK_SECOND : MASK_FIRST,
                                 .base = i ? BASE_SECOND : BASE_FIRST};
    pic_request(l);
}
