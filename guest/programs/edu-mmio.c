/* SPDX-License-Identifier: MIT */
/*
 * Registers of an assigned device, without an exit: 10! by the edu device, and 1,000 reads, with
 * the exits counted before and after.
 * To: guest/assign/vbar.c, vmx/ept.c, which made the register page the guest's.
 */
#include "guest/programs/edu.h"

#define READS 1000

int main(void)
{
    struct edu e = edu_open();
    uint64_t before, after;
    check(edu_read(&e, EDU_ID) == 0x010000ed);
    edu_write(&e, EDU_LIVENESS, 0x12345678);
    check(edu_read(&e, EDU_LIVENESS) == ~0x12345678u);
    edu_write(&e, EDU_FACTORIAL, 10);
    check(spin_until(!(edu_read(&e, EDU_STATUS) & EDU_STATUS_COMPUTING), EDU_PATIENCE));
    print("10! = %u", edu_read(&e, EDU_FACTORIAL));
    check(edu_read(&e, EDU_FACTORIAL) == 3628800);

    before = exits_caused();
    for (unsigned i = 0; i < READS; i++)
        check(edu_read(&e, EDU_ID) == 0x010000ed);
    after = exits_caused();
    print("reads=%u exits=%lu", READS, after - before);
    return after != before;
}
