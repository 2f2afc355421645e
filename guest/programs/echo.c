/* SPDX-License-Identifier: MIT */
/*
 * A guest that asks and listens: what is typed on Hamlet's console goes to the VM that has it.
 * To: guest/vuart.c (the prompt is shown although its line is not finished; the byte that waits).
 */
#include "guest/programs/lib/guest.h"

#define COM1           0x3f8
#define LSR            0x3fd
#define LSR_DATA_READY BIT(0)

static char receive(void)
{
    while (!(in8(LSR) & LSR_DATA_READY))
        cpu_relax();
    return (char)in8(COM1);
}

static void send(const char *text)
{
    while (*text)
        out8(COM1, (uint8_t)*text++);
}

int main(void)
{
    char line[80];
    unsigned n = 0;

    send("who is there? ");
    for (char c = receive(); c != '\r' && c != '\n' && n < sizeof(line) - 1; c = receive())
        line[n++] = c;
    line[n] = '\0';
    send("\n");
    print("good day, %s", line);
    return n == 0;
}
