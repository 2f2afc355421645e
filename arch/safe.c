/* SPDX-License-Identifier: MIT */
/*
 * Accesses that may fault. The exception table (arch/trap.h) has the place where each goes on then.
 * From: arch/mce.c, vmx/vcpu/registers.c, monitor/cmd/machine.c, monitor/memory.c.
 * To: arch/trap.h (EXTABLE).
 */
#include "arch/safe.h"
#include "arch/trap.h"
#include "arch/x86.h"

int rdmsr_safe(uint32_t msr, uint64_t *out)
{
    uint32_t lo, hi;
    int err = 0;
    asm volatile("1: rdmsr; jmp 3f; 2: mov %4, %0; 3: " EXTABLE("1b", "2b")
                 : "+r"(err), "=a"(lo), "=d"(hi)
                 : "c"(msr), "i"(-EIO));
    if (err == 0)
        *out = (uint64_t)hi << 32 | lo;
    return err;
}

int wrmsr_safe(uint32_t msr, uint64_t value)
{
    int err = 0;
    asm volatile("1: wrmsr; jmp 3f; 2: mov %4, %0; 3: " EXTABLE("1b", "2b")
                 : "+r"(err)
                 : "c"(msr), "a"(LO32(value)), "d"(HI32(value)), "i"(-EIO)
                 : "memory");
    return err;
}

int read8_safe(const void *at, uint8_t *out)
{
    uint8_t byte = 0;
    int err = 0;
    uint64_t cr2 = read_cr2();
    asm volatile("1: movb (%2), %1; jmp 3f; 2: mov %3, %0; 3: " EXTABLE("1b", "2b")
                 : "+r"(err), "+q"(byte)
                 : "r"(at), "i"(-EFAULT)
                 : "memory");
    if (err) /* a guest's registers may be in this CPU, and CR2 is one of them */
        write_cr2(cr2);
    *out = byte;
    return err;
}
