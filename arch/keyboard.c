/* SPDX-License-Identifier: MIT */
/*
 * The PC's own keyboard at its PS/2 controller, as the firmware left it: scan codes of set 1, no
 * interrupt. Firmware also shows a USB keyboard in this form, until a driver takes the controller.
 * From: arch/terminal.c.   To: lib/scancode.h (letters).
 * Spec: Intel 8042 data sheet; IBM PS/2 Hardware Interface Technical Reference "Keyboard and
 * Auxiliary Device Controller".   Not handled: other layouts than that of the US; lights.
 */
#include "arch/keyboard.h"
#include "arch/io.h"
#include "lib/scancode.h"

#define PORT_DATA    0x60
#define PORT_STATUS  0x64
#define STATUS_FULL  BIT(0)
#define STATUS_MOUSE BIT(5)
#define NO_STATUS    0xff /* no controller answers at this port */

static struct {
    bool shift, ctrl, extended;
    const char *rest; /* of the bytes of a key that has several */
} keyboard = {.rest = ""};

/* A terminal sends ESC [ and a letter for these keys. */
static const char *arrow(uint8_t code)
{
    static const uint8_t codes[] = {0x48, 0x50, 0x4d, 0x4b};
    static const char *const bytes[] = {"\033[A", "\033[B", "\033[C", "\033[D"};
    for (unsigned i = 0; i < sizeof(codes); i++)
        if (codes[i] == code)
            return bytes[i];
    return "";
}

static int letter(uint8_t code)
{
    char c = 0;
    if (code < sizeof(scancode_shifted) && keyboard.shift)
        c = scancode_shifted[code];
    if (!c && code < sizeof(scancode_plain))
        c = scancode_plain[code];
    if (c == '\n')
        c = '\r';
    if (keyboard.ctrl && c >= '@')
        c &= 0x1f;
    return c ? c : -1;
}

/* One scan code; the byte that it gives, or -1. */
static int key(uint8_t code)
{
    bool pressed = !(code & SCANCODE_RELEASED), extended = keyboard.extended;
    uint8_t which = code & (uint8_t)~SCANCODE_RELEASED;
    keyboard.extended = code == SCANCODE_EXTENDED;
    if (keyboard.extended)
        return -1;
    if (which == SCANCODE_CTRL)
        keyboard.ctrl = pressed;
    else if (!extended && (which == SCANCODE_SHIFT || which == SCANCODE_SHIFT_RIGHT))
        keyboard.shift = pressed;
    else if (pressed && extended)
        keyboard.rest = arrow(which);
    else if (pressed)
        return letter(which);
    return -1;
}

int keyboard_take(void)
{
    for (unsigned codes = 0; codes < 16 && !*keyboard.rest; codes++) {
        uint8_t status = in8(PORT_STATUS);
        if (status == NO_STATUS || !(status & STATUS_FULL))
            return -1;
        uint8_t code = in8(PORT_DATA);
        int byte = status & STATUS_MOUSE ? -1 : key(code);
        if (byte >= 0)
            return byte;
    }
    return *keyboard.rest ? *keyboard.rest++ : -1;
}
