/* SPDX-License-Identifier: MIT */
/*
 * Your attacker: the guest program of lab 16. It has 2 MiB of RAM, one vCPU and one device. A
 * victim runs beside it, which checks its memory, its device and its interrupts all the time.
 * Disturb it.
 * From: labs/16-get-out/README.md.   To: guest/programs/lib/guest.h, guest/programs/edu.h (what
 * there is to call).
 */
#include "guest/programs/edu.h"

int main(void)
{
    struct edu e = edu_open();
    print("my device is %02x:%02x.0, its registers are at %p", BDF_BUS(e.bdf), BDF_DEV(e.bdf),
          (void *)e.regs);
    return 0;
}
