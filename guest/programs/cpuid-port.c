/* SPDX-License-Identifier: MIT */
/*
 * The two exits that every guest causes first: CPUID and port accesses, each with the right answer
 * in all of its registers and nothing else changed.
 * To: vmx/exit/cpuid.c, vmx/exit/io.c, guest/pc/pio.c, guest/pc/vuart.c.
 * Spec: SDM CPUID, IN, OUT, INS, OUTS; PC16550D data sheet.
 */
#include "lib/string.h"
#include "guest/programs/lib/guest.h"

#define SCRATCH          0x3ff /* of the 16550: keeps what is written */
#define CPUID_HYPERVISOR BIT(31)
#define CPUID_VMX        BIT(5)
#define REASON_CPUID     10
#define REASON_IO        30
#define IER              0x3f9
#define IER_TX           BIT(1)
#define IIR              0x3fa
#define IIR_TX           BIT(1)
#define IIR_NONE         BIT(0)
#define PAGE_AT          UINT64_C(0x200000)
#define PTE_WRITABLE     BIT(1)

static uint64_t *page, faults;

static void allow_writes(struct interrupt_frame *frame)
{
    (void)frame;
    faults++;
    *page |= PTE_WRITABLE;
    invlpg((void *)PAGE_AT);
}

static void cpuid_answers(void)
{
    uint64_t before = exits(REASON_CPUID);
    struct cpuid_regs max = cpuid(0, 0), one = cpuid(1, 0), far = cpuid(0x80000000, 0);
    check(exits(REASON_CPUID) - before == 3);
    check(max.eax >= 1);
    check(one.ecx & CPUID_HYPERVISOR);
    check(!(one.ecx & CPUID_VMX));
    check(far.eax >= 0x80000008);
    char name[13] = {0};
    memcpy(name, &max.ebx, 4);
    memcpy(name + 4, &max.edx, 4);
    memcpy(name + 8, &max.ecx, 4);
    print("cpuid: %s, %u leaves", name, max.eax);
    /* the upper halves are cleared, as in every CPUID in 64-bit mode */
    uint64_t a = 1, b = UINT64_MAX, c = UINT64_MAX << 32, d = UINT64_MAX;
    asm volatile("cpuid" : "+a"(a), "+b"(b), "+c"(c), "+d"(d));
    check(a == one.eax && !(b >> 32) && !(c >> 32) && !(d >> 32));
}

static void port_answers(void)
{
    uint64_t before = exits(REASON_IO), a = UINT64_MAX;
    out8(SCRATCH, 0x5a);
    check(in8(SCRATCH) == 0x5a);
    /* IN AL leaves the rest of RAX alone, IN EAX clears its upper half */
    asm volatile("in %%dx, %%al" : "+a"(a) : "d"(SCRATCH));
    check(a == (UINT64_MAX << 8 | 0x5a));
    a = UINT64_MAX;
    asm volatile("in %%dx, %%eax" : "+a"(a) : "d"(0x1234));
    check(a == UINT32_MAX);
    check(exits(REASON_IO) - before == 4);
    print("ports: answered in the right part of RAX");
}

static void strings_of_ports(void)
{
    static const char text[] = "out of a string\n";
    uint8_t in[4] = {0};
    const void *from = text;
    void *to = in;
    uint64_t n = sizeof(text) - 1;
    asm volatile("cld; rep outsb" : "+S"(from), "+c"(n) : "d"(0x3f8) : "memory");
    check(n == 0 && from == text + sizeof(text) - 1);
    out8(SCRATCH, 0xc3);
    n = 3;
    asm volatile("cld; rep insb" : "+D"(to), "+c"(n) : "d"(SCRATCH) : "memory");
    check(n == 0 && to == in + 3);
    check(in[0] == 0xc3 && in[1] == 0xc3 && in[2] == 0xc3 && in[3] == 0);
    print("strings: both directions");
}

/* INS into a page that may not be written: the fault comes first, and the port keeps what it has.
 * A read of IIR acknowledges the interrupt that it names. */
static void ins_faults_first(void)
{
    uint64_t *pdpt = (uint64_t *)(*(uint64_t *)read_cr3() & BITS(51, 12));
    page = (uint64_t *)(pdpt[0] & BITS(51, 12)) + (PAGE_AT >> 21);
    on_interrupt(VECTOR_PF, allow_writes);
    write_cr0(read_cr0() | CR0_WP);
    *page &= ~PTE_WRITABLE;
    invlpg((void *)PAGE_AT);
    out8(IER, IER_TX);
    void *to = (void *)PAGE_AT;
    uint64_t n = 1;
    asm volatile("cld; rep insb" : "+D"(to), "+c"(n) : "d"(IIR) : "memory");
    uint8_t seen = mmio_read8((void *)PAGE_AT), after = in8(IIR);
    out8(IER, 0);
    check(faults == 1 && n == 0 && to == (void *)(PAGE_AT + 1));
    check((seen & BITS(3, 0)) == IIR_TX && (after & BITS(3, 0)) == IIR_NONE);
    print("strings: a fault comes before the port");
}

int main(void)
{
    cpuid_answers();
    port_answers();
    strings_of_ports();
    ins_faults_first();
    return 0;
}
