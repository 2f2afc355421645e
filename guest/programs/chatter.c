/* SPDX-License-Identifier: MIT */
/*
 * A guest with bad manners on its serial port: flood=1 prints lines without end, else it reads a
 * line, slow=N ticks for each byte, and says what came of it, after lines=N lines.
 * To: guest/pc/vuart.c (input that waits), monitor/term/console.c (no VM talks another down).
 */
#include "guest/programs/lib/guest.h"

static char receive(uint64_t slow)
{
    for (uint64_t begin = rdtsc(); rdtsc() - begin < slow;)
        cpu_relax();
    return key();
}

int main(void)
{
    uint64_t slow = option("slow", 0), count = 0, sum = 0;
    for (uint64_t n = 0; option("flood", 0); n++)
        print("line %lu of far too many", n);
    print("I listen.");
    for (char c = receive(slow); c != '\r'; c = receive(slow)) {
        sum = (sum * 31 + (uint8_t)c) & BITS(31, 0);
        count++;
    }
    for (uint64_t n = 0; n < option("lines", 0); n++)
        print("line %lu of too many", n);
    print("bytes=%lu sum=0x%lx", count, sum);
    return 0;
}
