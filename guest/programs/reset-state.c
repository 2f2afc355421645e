/* SPDX-License-Identifier: MIT */
/*
 * All that a guest can read of its PC, as a list: what it is at the start, and after the guest has
 * changed it. Then the guest resets its VM, each time in another way, and tells it all again. Each
 * life has to begin as the first one.
 * From: tests/cases/test_reset.py (compares the lives).   To: guest/life/reset.c.
 * Spec: SDM "IA-32 Processor States Following Power-up, Reset, or INIT".
 */
#include "arch/ioapic.h"
#include "arch/msr.h"
#include "guest/programs/lib/guest.h"

#define LIVES       4
#define MARKS       1000 /* CPUIDs in each life: their count tells which one it is */
#define EXIT_CPUID  10
#define IOAPIC      ((char *)0xfec00000)
#define APIC        ((char *)0xfee00000)
#define RAM         ((uint32_t *)0x3f0000)
#define SCREEN      ((uint32_t *)0xb8000)
#define PIT_CONTROL 0x43
#define KBC_COMMAND 0x64
#define KBC_DATA    0x60

static uint64_t msr_get(uint64_t n) { return rdmsr((uint32_t)n); }
static void msr_set(uint64_t n, uint64_t value) { wrmsr((uint32_t)n, value); }

#define DEBUG_REGISTER(n)                                                                          \
    static uint64_t dr##n##_get(uint64_t unused)                                                   \
    {                                                                                              \
        (void)unused;                                                                              \
        asm volatile("mov %%dr" #n ", %0" : "=r"(unused));                                         \
        return unused;                                                                             \
    }                                                                                              \
    static void dr##n##_set(uint64_t unused, uint64_t value)                                       \
    {                                                                                              \
        (void)unused;                                                                              \
        asm volatile("mov %0, %%dr" #n ::"r"(value));                                              \
    }
DEBUG_REGISTER(0)
DEBUG_REGISTER(1)
DEBUG_REGISTER(2)
DEBUG_REGISTER(3)
DEBUG_REGISTER(6)
DEBUG_REGISTER(7)

/* A minute and more: no life lasts that long. */
static uint64_t tsc_get(uint64_t unused) { return (void)unused, rdtsc() >> 33; }
static void tsc_set(uint64_t unused, uint64_t high)
{
    (void)unused;
    wrmsr(MSR_IA32_TSC, high << 33);
}

static uint64_t cr2_get(uint64_t unused) { return (void)unused, read_cr2(); }
static void cr2_set(uint64_t unused, uint64_t value)
{
    (void)unused;
    write_cr2(value);
}
static uint64_t cr8_get(uint64_t value)
{
    asm volatile("mov %%cr8, %0" : "=r"(value));
    return value;
}
static void cr8_set(uint64_t unused, uint64_t value)
{
    (void)unused;
    asm volatile("mov %0, %%cr8" ::"r"(value));
}
static void allow_vectors(void) { write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXSAVE); }
static uint64_t xcr0_get(uint64_t unused)
{
    uint32_t low, high;
    (void)unused;
    allow_vectors();
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}
static void xcr0_set(uint64_t unused, uint64_t value)
{
    (void)unused;
    xsetbv(0, value);
}
static uint64_t mxcsr_get(uint64_t unused)
{
    uint32_t value;
    (void)unused;
    allow_vectors();
    asm volatile("stmxcsr %0" : "=m"(value));
    return value;
}
static void mxcsr_set(uint64_t unused, uint64_t value)
{
    uint32_t low = (uint32_t)value;
    (void)unused;
    asm volatile("ldmxcsr %0" ::"m"(low));
}
static uint64_t xmm_get(uint64_t value)
{
    allow_vectors();
    asm volatile("movq %%xmm5, %0" : "=r"(value));
    return value;
}
static void xmm_set(uint64_t unused, uint64_t value)
{
    (void)unused;
    asm volatile("movq %0, %%xmm5" ::"r"(value));
}
static uint64_t fcw_get(uint64_t unused)
{
    uint16_t value;
    (void)unused;
    asm volatile("fnstcw %0" : "=m"(value));
    return value;
}
static void fcw_set(uint64_t unused, uint64_t value)
{
    uint16_t low = (uint16_t)value;
    (void)unused;
    asm volatile("fldcw %0" ::"m"(low));
}

static uint64_t port_get(uint64_t port) { return in8((uint16_t)port); }
static void port_set(uint64_t port, uint64_t value) { out8((uint16_t)port, (uint8_t)value); }
static uint64_t port32_get(uint64_t port) { return in32((uint16_t)port); }
static void port32_set(uint64_t port, uint64_t value) { out32((uint16_t)port, (uint32_t)value); }

static uint64_t memory_get(uint64_t at) { return mmio_read32((void *)at); }
static void memory_set(uint64_t at, uint64_t value) { mmio_write32((void *)at, (uint32_t)value); }

static uint64_t iowin_get(uint64_t index)
{
    mmio_write32(IOAPIC, (uint32_t)index);
    return mmio_read32(IOAPIC + IOWIN);
}
static void iowin_set(uint64_t index, uint64_t value)
{
    mmio_write32(IOAPIC, (uint32_t)index);
    mmio_write32(IOAPIC + IOWIN, (uint32_t)value);
}

/* Index and data: of the screen's CRTC, of the CMOS clock. */
static uint64_t indexed_get(uint64_t port_and_index)
{
    out8((uint16_t)port_and_index, (uint8_t)(port_and_index >> 16));
    return in8((uint16_t)(port_and_index + 1));
}
static void indexed_set(uint64_t port_and_index, uint64_t value)
{
    out8((uint16_t)port_and_index, (uint8_t)(port_and_index >> 16));
    out8((uint16_t)(port_and_index + 1), (uint8_t)value);
}
#define INDEXED(port, index) ((port) | (index) << 16)

/* Only bit 7 is still: which register is behind the port, the seconds or one that reads as 80h. */
static uint64_t clock_get(uint64_t unused) { return (void)unused, in8(0x71) & 0x80; }
static void clock_set(uint64_t unused, uint64_t index) { (void)unused, out8(0x70, (uint8_t)index); }

/* The status byte of a channel, by the read-back command: access and mode. */
static uint64_t pit_get(uint64_t n)
{
    out8(PIT_CONTROL, (uint8_t)(0xe0 | BIT(n + 1)));
    return in8((uint16_t)(0x40 + n)) & 0x3e;
}
static void pit_set(uint64_t n, uint64_t mode)
{
    out8(PIT_CONTROL, (uint8_t)(n << 6 | 0x10 | mode << 1));
    out8((uint16_t)(0x40 + n), 0x55);
}
static uint64_t keyboard_get(uint64_t command)
{
    out8(KBC_COMMAND, (uint8_t)command);
    return in8(KBC_DATA);
}
static void keyboard_set(uint64_t unused, uint64_t value)
{
    (void)unused;
    out8(KBC_COMMAND, 0x60);
    out8(KBC_DATA, (uint8_t)value);
}

/* An interrupt that stays in IRR, as IF is 0. */
static void pending_set(uint64_t unused, uint64_t vector)
{
    (void)unused;
    mmio_write32(APIC + APIC_ICR, 0x40000 | (uint32_t)vector);
}

#define MSR(name)      #name, msr_get, msr_set, MSR_IA32_##name
#define DR(n)          "DR" #n, dr##n##_get, dr##n##_set, 0
#define XAPIC(name)    #name, memory_get, memory_set, 0xfee00000 + APIC_##name
#define PORT(name, at) name, port_get, port_set, at
#define CRTC(name, n)  name, indexed_get, indexed_set, INDEXED(0x3d4, n)

/* The order counts: what changes how another one is read stands behind it. */
static const struct row {
    const char *name;
    uint64_t (*get)(uint64_t arg);
    void (*set)(uint64_t arg, uint64_t value);
    uint64_t arg, value;
} rows[] = {
    {MSR(PAT), 0x0606060606060606},
    {MSR(STAR), 0x1000},
    {MSR(LSTAR), 0x1234},
    {MSR(CSTAR), 0x4321},
    {MSR(FMASK), 0x200},
    {MSR(KERNEL_GS_BASE), 0x5678},
    {MSR(TSC_AUX), 7},
    {MSR(SYSENTER_CS), 8},
    {MSR(SYSENTER_ESP), 0x7000},
    {MSR(SYSENTER_EIP), 0x8000},
    {MSR(MTRR_DEF_TYPE), 0},
    {"TSC.high", tsc_get, tsc_set, 0, 0x1234},
    {MSR(TSC_ADJUST), 0x432100000000},
    {DR(0), 0x1000},
    {DR(1), 0x2000},
    {DR(2), 0x3000},
    {DR(3), 0x4000},
    {DR(6), 0xffff4ff1},
    {DR(7), 0x500},
    {"CR2", cr2_get, cr2_set, 0, 0x9000},
    {"CR8", cr8_get, cr8_set, 0, 3},
    {"XCR0", xcr0_get, xcr0_set, 0, 3},
    {"MXCSR", mxcsr_get, mxcsr_set, 0, 0x1fc0},
    {"XMM5", xmm_get, xmm_set, 0, 0x1234567890},
    {"FCW", fcw_get, fcw_set, 0, 0x27f},
    {"IOREGSEL", memory_get, memory_set, 0xfec00000, 1},
    {"IOAPICID", iowin_get, iowin_set, 0, 0x05000000},
    {"IOREDTBL4", iowin_get, iowin_set, 0x18, 0x41},
    {"IOREDTBL4.high", iowin_get, iowin_set, 0x19, 0x01000000},
    {"CONFIG_ADDRESS", port32_get, port32_set, 0xcf8, 0x80000800},
    {PORT("UART.IER", COM1 + 1), 1},
    {PORT("UART.LCR", COM1 + 3), 3},
    {PORT("UART.MCR", COM1 + 4), 3},
    {PORT("UART.SCR", COM1 + 7), 0x5a},
    {"clock", clock_get, clock_set, 0, 0x0d},
    {"RAM", memory_get, memory_set, (uint64_t)RAM, 0x12345678},
    {PORT("PIC.IMR", 0x21), 0x12},
    {PORT("PIC2.IMR", 0xa1), 0x34},
    {PORT("ELCR2", 0x4d1), 0x04},
    {"PIT0", pit_get, pit_set, 0, 0},
    {"PIT1", pit_get, pit_set, 1, 4},
    {"PIT2", pit_get, pit_set, 2, 0},
    {"keyboard.mode", keyboard_get, keyboard_set, 0x20, 0x30},
    {CRTC("CRTC.cursor-high", 0x0e), 0x03},
    {CRTC("CRTC.cursor-low", 0x0f), 0x21},
    {"screen", memory_get, memory_set, (uint64_t)SCREEN, 0x07410742},
    {XAPIC(ESR), 0},
    {XAPIC(LDR), 0x02000000},
    {XAPIC(DFR), 0x0fffffff},
    {XAPIC(LVT_LINT0), 0x10041},
    {XAPIC(LVT_LINT1), 0x10042},
    {XAPIC(LVT_ERROR), 0x10043},
    {XAPIC(LVT_TIMER), 0x30044},
    {XAPIC(TIMER_DIVIDE), 3},
    {XAPIC(TIMER_INITIAL), 0x7fffffff},
    {XAPIC(ICR_HIGH), 0x01000000},
    {XAPIC(SVR), 0x1ee},
    {"IRR", memory_get, pending_set, 0xfee00000 + APIC_IRR + 0x30, 0x71},
    {XAPIC(ICR), 0x40072},
    {"APIC_BASE", msr_get, msr_set, MSR_IA32_APIC_BASE, 0xfee00d00},
};

static void tell(uint64_t life, const char *when)
{
    for (const struct row *r = rows; r < rows + ARRAY_COUNT(rows); r++)
        print("life=%lu %s %s=0x%lx", life, when, r->name, r->get(r->arg));
}

/* The last one is read at once: behind it the local APIC is no longer in memory. */
static void change_all(uint64_t life)
{
    for (const struct row *r = rows; r < rows + ARRAY_COUNT(rows); r++) {
        r->set(r->arg, r->value);
        print("life=%lu changed %s=0x%lx", life, r->name, r->get(r->arg));
    }
}

static void reset_by_port(void) { out8(0xcf9, 6); }
static void reset_by_keyboard(void) { out8(KBC_COMMAND, 0xfe); }
static void reset_by_init(void) { wrmsr(MSR_X2APIC_FIRST + APIC_ICR / 16, 0x4500); }

int main(void)
{
    static void (*const resets[])(void) = {reset_by_port, reset_by_keyboard, reset_by_init};
    uint64_t life = exits(EXIT_CPUID) / MARKS;
    check(life < LIVES);
    tell(life, "begins");
    if (life == LIVES - 1)
        return 0;
    change_all(life);
    for (unsigned i = 0; i < MARKS; i++)
        cpuid(0, 0);
    resets[life]();
    for (;;)
        cpu_relax();
}
