/* SPDX-License-Identifier: MIT */
/*
 * The PS/2 controller with a keyboard: what is typed at the console arrives as scan codes, each key
 * pressed and released. Also port 0x92. Both can reset the VM.
 * From: guest/pc/legacy/legacy.c (ports, typed bytes).
 * To: guest/pc/vioapic.c (vioapic_line), guest/core/vm.c (vm_reset).
 * Spec: Intel 8042 data sheet; IBM PS/2 Hardware Interface Technical Reference "Keyboard and
 * Auxiliary Device Controller".   Not handled: a mouse, lights, repeat.
 */
#include "arch/ioapic.h"
#include "arch/time.h"
#include "guest/pc/legacy/chips.h"
#include "guest/pc/vioapic.h"
#include "lib/scancode.h"
#include "lib/string.h"

#define KEYBOARD_PIN  1
#define PORT_DATA     0x60
#define PORT_COMMAND  0x64
#define POLLS_MAX     200 /* of the status, in all: no driver needs so many to set it up */
#define PORT_A        0x92
#define PORT_A_RESET  BIT(0)
#define STATUS_FULL   BIT(0)
#define STATUS_READY  0x14 /* self-test passed, not locked; takes a byte at any time */
#define MODE_INT      BIT(0)
#define MODE_DISABLED BIT(4)
#define MODE_SET_1    BIT(6) /* scan codes of set 2 are translated to set 1 */
#define MODE_AT_START 0x61   /* as a BIOS leaves it; bit 5: no mouse */
#define OUTPUT_RUN    BIT(0) /* of the controller's output port; 0 resets */
#define OUTPUT_A20    BIT(1)
#define ACK           0xfa
#define RELEASED_2    0xf0 /* set 2: stands in front */
#define ESC           0x1b
#define ESC_ALONE_US  50000 /* later, the byte behind an ESC is a key of its own */

/* The codes of set 2 in the order of set 1. */
static const uint8_t set_2[] = {
    0x00, 0x76, 0x16, 0x1e, 0x26, 0x25, 0x2e, 0x36, 0x3d, 0x3e, 0x46, 0x45, 0x4e, 0x55,
    0x66, 0x0d, 0x15, 0x1d, 0x24, 0x2d, 0x2c, 0x35, 0x3c, 0x43, 0x44, 0x4d, 0x54, 0x5b,
    0x5a, 0x14, 0x1c, 0x1b, 0x23, 0x2b, 0x34, 0x33, 0x3b, 0x42, 0x4b, 0x4c, 0x52, 0x0e,
    0x12, 0x5d, 0x1a, 0x22, 0x21, 0x2a, 0x32, 0x31, 0x3a, 0x41, 0x49, 0x4a, 0x59, 0x7c,
    0x11, 0x29, 0x58, 0x05, 0x06, 0x04, 0x0c, 0x03, 0x0b, 0x83, 0x0a, 0x01, 0x09, 0x77,
    0x7e, 0x6c, 0x75, 0x7d, 0x7b, 0x6b, 0x73, 0x74, 0x79, 0x69, 0x72, 0x7a, 0x70, 0x71,
};

/* --- Towards the guest ------------------------------------------------------------------------ */

static unsigned room(const struct keyboard *k) { return KEY_RING - (k->put - k->taken); }

static void push(struct keyboard *k, uint8_t byte)
{
    if (room(k))
        k->ring[k->put++ % KEY_RING] = byte;
}

/* The line falls with each byte that is read, so each byte makes an edge. */
static void update(struct legacy *l)
{
    struct keyboard *k = &l->keyboard;
    if (!k->full && k->put != k->taken && !(k->mode & MODE_DISABLED)) {
        k->out = k->ring[k->taken++ % KEY_RING];
        k->full = true;
    }
    vioapic_line(l->vm->ioapic, KEYBOARD_PIN, k->full && (k->mode & MODE_INT));
}

/* The controller's own answer goes before what the keyboard has sent. */
static void reply(struct keyboard *k, uint8_t byte)
{
    k->out = byte;
    k->full = true;
}

/* --- The keyboard ----------------------------------------------------------------------------- */

static void key(struct keyboard *k, uint8_t code, bool pressed)
{
    if (k->mode & MODE_SET_1) {
        push(k, pressed ? code : code | SCANCODE_RELEASED);
        return;
    }
    if (!pressed)
        push(k, RELEASED_2);
    push(k, code < sizeof(set_2) ? set_2[code] : code);
}

static void stroke(struct keyboard *k, uint8_t code, uint8_t with)
{
    if (with)
        key(k, with, true);
    key(k, code, true);
    key(k, code, false);
    if (with)
        key(k, with, false);
}

static uint8_t code_of(const char *letters, size_t count, uint8_t letter)
{
    for (size_t code = 1; code < count; code++)
        if ((uint8_t)letters[code] == letter)
            return (uint8_t)code;
    return 0;
}

static void stroke_letter(struct keyboard *k, uint8_t byte)
{
    uint8_t letter = byte == '\r' ? '\n' : byte == 0x7f ? '\b' : byte;
    uint8_t code = code_of(scancode_plain, sizeof(scancode_plain) - 1, letter), with = 0;
    if (!code && letter) {
        code = code_of(scancode_shifted, sizeof(scancode_shifted) - 1, letter);
        with = SCANCODE_SHIFT;
    }
    if (!code && letter < ' ') {
        code = code_of(scancode_plain, sizeof(scancode_plain) - 1, letter | 0x60);
        with = SCANCODE_CTRL;
    }
    if (code)
        stroke(k, code, with);
}

/* ESC [ and a letter: an arrow and its neighbours. */
static void stroke_extended(struct keyboard *k, uint8_t letter)
{
    static const uint8_t codes[] = {0x48, 0x50, 0x4d, 0x4b, 0, 0x4f, 0, 0x47}; /* from 'A' on */
    uint8_t code = letter - 'A' < (int)sizeof(codes) && letter >= 'A' ? codes[letter - 'A'] : 0;
    for (unsigned pressed = 2; code && pressed-- > 0;) {
        push(k, SCANCODE_EXTENDED);
        key(k, code, pressed);
    }
}

static void type(struct keyboard *k, uint8_t byte)
{
    uint8_t before = k->escape;
    k->escape = before == 0 && byte == ESC ? ESC : before == ESC && byte == '[' ? '[' : 0;
    k->escape_at = rdtsc();
    if (k->escape)
        return;
    if (before == '[') {
        stroke_extended(k, byte);
        return;
    }
    if (before == ESC)
        stroke_letter(k, ESC);
    stroke_letter(k, byte);
}

/* The keyboard gets typed bytes from when its guest reads the data port, waits for them at the
 * status port, or takes its interrupt. */
static bool listens(const struct legacy *l)
{
    bool asserted;
    uint64_t rte = vioapic_rte(l->vm->ioapic, KEYBOARD_PIN, &asserted);
    bool by_pic = l->pic[0].used && !(l->pic[0].imr & BIT(KEYBOARD_PIN));
    return l->keyboard.on && (l->keyboard.heard || by_pic || !(rte & RTE_MASKED));
}

enum vm_keys keyboard_type(struct vm *vm, int byte)
{
    struct legacy *l = vm->legacy;
    if (!listens(l))
        return VM_KEYS_NONE;
    if (room(&l->keyboard) < KEY_RING / 2)
        return VM_KEYS_FULL;
    if (byte >= 0) {
        spin_lock(&vm->lock);
        type(&l->keyboard, (uint8_t)byte);
        update(l);
        spin_unlock(&vm->lock);
    }
    return VM_KEYS_TAKEN;
}

void keyboard_poll(struct legacy *l)
{
    struct keyboard *k = &l->keyboard;
    if (k->escape != ESC || rdtsc() - k->escape_at < time_tsc_khz() * ESC_ALONE_US / 1000)
        return;
    spin_lock(&l->vm->lock);
    k->escape = 0;
    stroke_letter(k, ESC);
    update(l);
    spin_unlock(&l->vm->lock);
}

/* A command, or the argument of the one before. All are acknowledged, few have an effect. */
static void command(struct keyboard *k, uint8_t value)
{
    uint8_t before = k->argument;
    k->argument = 0;
    k->taken = k->put; /* what was typed before is lost */
    push(k, value == 0xee && !before ? value : ACK);
    if (before) {
        if (before == 0xf0 && value == 0)
            push(k, 2); /* scan code set */
        return;
    }
    if (value == 0xed || value == 0xf0 || value == 0xf3) /* lights, scan code set, repeat */
        k->argument = value;
    if (value == 0xf4 || value == 0xf5 || value == 0xf6 || value == 0xff)
        k->on = value != 0xf5;
    if (value == 0xff)
        push(k, 0xaa);   /* self-test passed */
    if (value == 0xf2) { /* identity */
        push(k, 0xab);
        push(k, k->mode & MODE_SET_1 ? 0x41 : 0x83);
    }
}

/* --- The controller --------------------------------------------------------------------------- */

static void reset_vm(struct legacy *l)
{
    IGNORE(vm_reset(l->vm)); /* fails for a VM that is about to end: nothing to reset */
}

static void set_outputs(struct legacy *l, uint8_t value)
{
    l->keyboard.outputs = value | OUTPUT_RUN;
    if (!(value & OUTPUT_RUN))
        reset_vm(l);
}

static void controller(struct legacy *l, uint8_t value)
{
    struct keyboard *k = &l->keyboard;
    k->command = 0;
    switch (value) {
    case 0x20: /* read the command byte */
        reply(k, k->mode);
        break;
    case 0xaa: /* self-test: passed */
        reply(k, 0x55);
        break;
    case 0xa9: /* test of the mouse's line: there is none */
        reply(k, 1);
        break;
    case 0xab: /* test of the keyboard's line: passed */
        reply(k, 0);
        break;
    case 0xad:
        k->mode |= MODE_DISABLED;
        break;
    case 0xae:
        k->mode &= (uint8_t)~MODE_DISABLED;
        break;
    case 0xc0: /* input port */
        reply(k, 0x80);
        break;
    case 0xd0:
        reply(k, k->outputs);
        break;
    case 0x60: /* the data of these follows */
    case 0xd1:
    case 0xd2:
    case 0xd3:
    case 0xd4:
        k->command = value;
        break;
    default:
        if (value >= 0xf0 && !(value & OUTPUT_RUN)) /* pulse output lines */
            reset_vm(l);
    }
}

/* A byte at the data port: for the command before it, or for the keyboard. */
static void data(struct legacy *l, uint8_t value)
{
    struct keyboard *k = &l->keyboard;
    uint8_t before = k->command;
    k->command = 0;
    if (before == 0x60) {
        k->mode = value;
    } else if (before == 0xd1) {
        set_outputs(l, value);
    } else if (before == 0xd2) {
        reply(k, value);
    } else if (!before) {
        k->mode &= (uint8_t)~MODE_DISABLED;
        command(k, value);
    }
}

uint8_t keyboard_in(struct legacy *l, uint16_t port)
{
    struct keyboard *k = &l->keyboard;
    if (port == PORT_A)
        return k->outputs & OUTPUT_A20;
    if (port == PORT_COMMAND && !k->full && ++k->polls == POLLS_MAX)
        k->heard = true;
    if (port == PORT_COMMAND)
        return (uint8_t)(STATUS_READY | (k->full ? STATUS_FULL : 0));
    k->heard = true;
    k->full = false;
    uint8_t value = k->out;
    vioapic_line(l->vm->ioapic, KEYBOARD_PIN, false);
    update(l);
    return value;
}

void keyboard_out(struct legacy *l, uint16_t port, uint8_t value)
{
    if (port == PORT_A)
        set_outputs(l, (value & PORT_A_RESET) ? 0 : value | OUTPUT_RUN);
    else if (port == PORT_COMMAND)
        controller(l, value);
    else
        data(l, value);
    update(l);
}

void keyboard_reset(struct legacy *l)
{
    l->keyboard =
        (struct keyboard){.mode = MODE_AT_START, .on = true, .outputs = OUTPUT_RUN | OUTPUT_A20};
    vioapic_line(l->vm->ioapic, KEYBOARD_PIN, false);
}
