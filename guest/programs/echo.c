/* SPDX-License-Identifier: MIT */
/*
 * A guest that asks and listens: what is typed on Hamlet's console goes to the VM that has it.
 * To: guest/pc/vuart.c (the prompt is shown although its line is not finished; the
 * byte that waits).
 */
#include "guest/programs/lib/guest.h"

static void send(const char *text)
{
    while (*text)
        out8(COM1, (uint8_t)*text++);
}

/* As many a kernel tests whether there is a port. */
static void self_test(void)
{
    out8(COM1 + 4, 0x1e); /* MCR: loop mode */
    out8(COM1, 0xae);
    bool works = key_typed() && in8(COM1) == 0xae && !key_typed();
    out8(COM1 + 4, 0x0f);
    check(works);
}

int main(void)
{
    self_test();
    char line[80];
    unsigned n = 0;
    send("who is there? ");
    for (char c = key(); c != '\r' && c != '\n' && n < sizeof(line) - 1; c = key())
        line[n++] = c;
    line[n] = '\0';
    send("\n");
    print("good day, %s", line);
    return n == 0;
}
