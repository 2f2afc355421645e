/* SPDX-License-Identifier: MIT */
/*
 * The first guest that says something.
 * To: vmx/exit/io.c, guest/pc/pio.c, guest/pc/vuart.c: the way of each character.
 */
#include "guest/programs/lib/guest.h"

int main(void)
{
    print("Hello from a guest.");
    return 0;
}
