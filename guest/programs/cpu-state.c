/* SPDX-License-Identifier: MIT */
/*
 * State of a CPU that exits and switches must not lose: single-stepping goes over an instruction
 * that exits, breakpoints and DR6 are the guest's own, an NMI comes once and not into its own
 * handler, vector registers, SYSCALL's MSRs and CR2 belong to one virtual CPU.
 * To: vmx/vcpu/advance.h (vcpu_advance_rip), vmx/exit/intr.c, vmx/vcpu/inject.c,
 * vmx/vcpu/registers.c.
 * Spec: SDM "Debug Exceptions", "Nonmaskable Interrupt (NMI)", "VM-Exit Interruption Information".
 */
#include "arch/msr.h"
#include "guest/programs/lib/guest.h"

#define DR6_B0      BIT(0)
#define DR7_WATCH_3 (BIT(10) | BIT(6) | UINT64_C(9) << 28) /* DR3, writes of 8 bytes */
#define IPI         0x41
#define IOAPIC      UINT64_C(0xfec00000) /* its index register */

static uint64_t steps, step_dr6, hits, int3s, nmis, nmis_inside, handled;

static uint64_t dr6_read_and_clear(void)
{
    uint64_t dr6;
    asm volatile("mov %%dr6, %0" : "=r"(dr6));
    asm volatile("mov %0, %%dr6" ::"r"(UINT64_C(0xffff0ff0)));
    return dr6;
}

static void on_debug(struct interrupt_frame *frame)
{
    step_dr6 = dr6_read_and_clear();
    if (step_dr6 & DR6_BS)
        steps++;
    if (step_dr6 & DR6_B0) {
        hits++;
        frame->rflags |= RFLAGS_RF; /* not the same breakpoint again at once */
    }
}

/* Seven instructions, among them three that exit. */
static void single_step(void)
{
    asm volatile("pushfq; orl $0x100, (%%rsp); popfq\n\t"
                 "nop\n\t"
                 "xor %%eax, %%eax\n\t"
                 "cpuid\n\t"
                 "mov $0x3fd, %%edx\n\t"
                 "in %%dx, %%al\n\t"
                 "pushfq\n\t"
                 "andl $0xfffffeff, (%%rsp)\n\t"
                 "popfq" ::
                     : "rax", "rbx", "rcx", "rdx", "memory", "cc");
    check(steps == 8);
    print("single-step: steps=%lu", steps);
}

static void breakpoint(void)
{
    asm volatile("lea 1f(%%rip), %%rax; mov %%rax, %%dr0; mov $0x402, %%eax; mov %%rax, %%dr7\n\t"
                 "1: nop; xor %%eax, %%eax; cpuid" ::
                     : "rax", "rbx", "rcx", "rdx", "memory", "cc");
    /* behind a trapped read, which Hamlet carries out, and a trapped write */
    asm volatile("lea 1f(%%rip), %%rax; mov %%rax, %%dr0; movl (%0), %%eax\n\t"
                 "1: nop; lea 1f(%%rip), %%rax; mov %%rax, %%dr0; movl $0, (%0)\n\t"
                 "1: nop" ::"r"(IOAPIC)
                 : "rax", "memory", "cc");
    asm volatile("mov %0, %%dr7" ::"r"(UINT64_C(0x400)));
    check(hits == 3);
    print("breakpoint: hits=%lu", hits);
}

static void on_int3(struct interrupt_frame *frame)
{
    (void)frame;
    int3s++;
}

static void int3(void)
{
    asm volatile("int3");
    check(int3s == 1);
    print("int3: hits=%lu", int3s);
}

static void send_nmi(void)
{
    apic_write(APIC_ICR, (uint32_t)(FIELD_SET(APIC_ICR_DELIVERY, APIC_DELIVERY_NMI) |
                                    FIELD_SET(APIC_ICR_SHORTHAND, APIC_SHORTHAND_SELF)));
}

/* A second NMI waits until the handler's IRET. */
static void on_nmi(struct interrupt_frame *frame)
{
    (void)frame;
    static bool inside;
    nmis_inside += inside;
    inside = true;
    if (nmis++ == 0) {
        send_nmi();
        for (unsigned i = 0; i < 1000; i++)
            cpu_relax();
        cpuid(0, 0);
    }
    inside = false;
}

static void nmi(void)
{
    asm volatile("cli");
    send_nmi();
    check(spin_until(__atomic_load_n(&nmis, __ATOMIC_SEQ_CST) == 2, 1000000));
    check(nmis_inside == 0);
    print("nmi: count=%lu inside=%lu", nmis, nmis_inside);
}

static void on_ipi(struct interrupt_frame *frame)
{
    (void)frame;
    handled++;
}

/* STI and MOV SS hold an interrupt back for one instruction, also if that instruction exits. */
static void shadow(void)
{
    apic_write(APIC_TPR, 0);
    asm volatile("cli");
    apic_write(APIC_ICR, IPI | (uint32_t)FIELD_SET(APIC_ICR_SHORTHAND, APIC_SHORTHAND_SELF));
    check(handled == 0);
    uint64_t after_sti;
    asm volatile("sti; mov %1, %0; nop; cli" : "=&r"(after_sti) : "m"(handled) : "memory");
    check(after_sti == 0 && handled == 1);
    uint32_t a = 0, c = 0;
    apic_write(APIC_ICR, IPI | (uint32_t)FIELD_SET(APIC_ICR_SHORTHAND, APIC_SHORTHAND_SELF));
    asm volatile("sti; cpuid; nop; cli" : "+a"(a), "+c"(c)::"rbx", "rdx", "memory");
    check(handled == 2);
    print("sti: handled=%lu", handled);
}

/* --- Values that differ from one virtual CPU to the next stay through many turns of others ---- */

#define XCR0_AVX    BIT(2)
#define XCR0_AVX512 BITS(7, 5)

static uint64_t mine, xcr0;

static const uint32_t msrs[] = {MSR_IA32_STAR,  MSR_IA32_LSTAR,          MSR_IA32_CSTAR,
                                MSR_IA32_FMASK, MSR_IA32_KERNEL_GS_BASE, MSR_IA32_TSC_AUX};

static bool msr_is_there(uint32_t msr)
{
    return msr != MSR_IA32_TSC_AUX || (cpuid(0x80000001, 0).edx & BIT(27)); /* RDTSCP */
}

/* Canonical, and no bit where one of them has none. */
static uint64_t msr_value(void) { return mine & BITS(30, 0); }

/* As much of what is offered as `xcr0=` says: two that share a CPU may differ in it. */
static void set_xcr0(void)
{
    if (!(cpuid(1, 0).ecx & BIT(26)))
        return;
    write_cr4(read_cr4() | CR4_OSXSAVE);
    xcr0 = cpuid(0xd, 0).eax & option("xcr0", UINT32_MAX);
    xsetbv(0, xcr0);
}

static void fill_vectors(void)
{
    uint16_t fcw = 0x340 | (mine & BITS(5, 0));
    uint32_t mxcsr = (uint32_t)(0x1f80 | (mine & BITS(5, 0)));
    asm volatile("fninit; fldcw %0; ldmxcsr %1" ::"m"(fcw), "m"(mxcsr));
    asm volatile("movq %0, %%xmm0; movq %0, %%xmm15" ::"r"(mine));
    if (xcr0 & XCR0_AVX)
        asm volatile("vinsertf128 $1, %%xmm0, %%ymm1, %%ymm1" ::);
    if ((xcr0 & XCR0_AVX512) == XCR0_AVX512)
        asm volatile(
            "vpbroadcastq %0, %%zmm2; vpbroadcastq %0, %%zmm31; kmovw %k0, %%k1" ::"r"(mine));
}

/* One quadword of each component that XCR0 names. xmm3 to xmm5 are for this. */
static void check_vectors(void)
{
    uint16_t fcw;
    uint32_t mxcsr, mask;
    uint64_t x, y;
    asm volatile("fnstcw %0; stmxcsr %1" : "=m"(fcw), "=m"(mxcsr));
    check(fcw == (0x340 | (mine & BITS(5, 0))) && mxcsr == (0x1f80 | (mine & BITS(5, 0))));
    asm volatile("movq %%xmm0, %0; movq %%xmm15, %1" : "=r"(x), "=r"(y));
    check(x == mine && y == mine);
    if (!(xcr0 & XCR0_AVX))
        return;
    asm volatile("vextractf128 $1, %%ymm1, %%xmm3; movq %%xmm3, %0" : "=r"(x));
    check(x == mine);
    if ((xcr0 & XCR0_AVX512) != XCR0_AVX512)
        return;
    asm volatile("vextracti64x4 $1, %%zmm2, %%ymm4; movq %%xmm4, %0\n\t"
                 "vextracti64x4 $1, %%zmm31, %%ymm5; movq %%xmm5, %1; kmovw %%k1, %2"
                 : "=r"(x), "=r"(y), "=r"(mask));
    check(x == mine && y == mine && mask == (mine & BITS(15, 0)));
}

static uint64_t xgetbv(void)
{
    uint32_t low, high;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* Each virtual CPU watches a word of its own, whose address is in DR3. */
static uint64_t words[8];
static uint64_t *watched(void) { return &words[mine % ARRAY_COUNT(words)]; }

/* B0 to B2 are as they were written. */
static uint64_t dr6_value(void) { return UINT64_C(0xffff0ff0) | (mine & BITS(2, 0)); }
static void write_dr6(void) { asm volatile("mov %0, %%dr6" ::"r"(dr6_value())); }

static void check_watch(void)
{
    for (unsigned i = 0; i < ARRAY_COUNT(words); i++) {
        __atomic_add_fetch(&words[i], 1, __ATOMIC_SEQ_CST);
        check((step_dr6 == (0xffff0ff0 | BIT(3))) == (&words[i] == watched()));
        step_dr6 = 0;
    }
    write_dr6(); /* the trap has changed it */
}

static void check_registers(void)
{
    uint64_t d[4], dr6;
    check_vectors();
    check(!xcr0 || xgetbv() == xcr0);
    asm volatile("mov %%dr0, %0; mov %%dr1, %1; mov %%dr2, %2; mov %%dr3, %3"
                 : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3]));
    asm volatile("mov %%dr6, %0" : "=r"(dr6));
    check(dr6 == dr6_value());
    check(read_cr2() == mine);
    check(d[0] == mine && d[1] == mine + 1 && d[2] == mine + 2);
    check(d[3] == (uintptr_t)watched());
    check_watch();
    for (unsigned i = 0; i < ARRAY_COUNT(msrs); i++)
        check(!msr_is_there(msrs[i]) || rdmsr(msrs[i]) == msr_value());
}

static void registers_are_mine(void)
{
    mine = option("pattern", 1) * UINT64_C(0x0101010101010101);
    write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
    write_cr0(read_cr0() & ~(CR0_EM | CR0_TS));
    set_xcr0();
    fill_vectors();
    asm volatile("mov %0, %%dr0; mov %1, %%dr1; mov %2, %%dr2; mov %3, %%dr3" ::"r"(mine),
                 "r"(mine + 1), "r"(mine + 2), "r"(watched()));
    write_dr6();
    asm volatile("mov %0, %%dr7" ::"r"(DR7_WATCH_3));
    write_cr2(mine);
    for (unsigned i = 0; i < ARRAY_COUNT(msrs); i++)
        if (msr_is_there(msrs[i]))
            wrmsr(msrs[i], msr_value());
    uint64_t end = rdtsc() + option("ticks", 2000000);
    while (rdtsc() < end)
        check_registers();
    print("registers: mine xcr0=0x%lx", xcr0);
}

int main(void)
{
    apic_on(option("x2apic", 1));
    on_interrupt(VECTOR_DB, on_debug);
    on_interrupt(VECTOR_BP, on_int3);
    on_interrupt(VECTOR_NMI, on_nmi);
    on_interrupt(IPI, on_ipi);
    dr6_read_and_clear();
    single_step();
    breakpoint();
    int3();
    nmi();
    shadow();
    registers_are_mine();
    return 0;
}
