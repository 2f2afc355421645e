/* SPDX-License-Identifier: MIT */
/*
 * Rules of the APICs that few kernels need and every manual has: TMR, ESR and the error interrupt,
 * a divider that changes under a running timer, registers that are not there, a local APIC that is
 * off, an INIT that keeps MSRs, two NMIs at once. In xAPIC mode, then in x2APIC mode. Two vCPUs.
 * To: guest/pc/vlapic.c, guest/pc/vlapic_irq.c, guest/pc/vlapic_timer.c, guest/pc/vioapic.c,
 * vmx/vcpu/inject.c.
 * Spec: SDM "Interrupt Acceptance for Fixed Interrupts", "Error Handling", "APIC Timer",
 * "Handling Multiple NMIs"; Intel 82093AA "I/O APIC Registers".
 */
#include "arch/ioapic.h"
#include "arch/msr.h"
#include "lib/atomic.h"
#include "guest/load/vacpi.h"
#include "guest/programs/lib/guest.h"

#define LINE         0x71
#define ERROR        0x61
#define SPURIOUS     0xff
#define ILLEGAL      5
#define SEND_ILLEGAL BIT(5)
#define COUNT        4000000
#define DIVIDE_BY_1  0xb
#define DIVIDE_BY_16 0x3
#define IOAPIC       ((char *)0xfec00000)
#define COM1_IER     (COM1 + 1)
#define COM1_IIR     (COM1 + 2)
#define IER_TX       BIT(1)
#define PATIENCE     100000000
#define CPUID_1_APIC BIT(9) /* EDX */

#define now(counter) __atomic_load_n(&(counter), __ATOMIC_RELAXED)

static unsigned wrong, lines, errors, faults, nmis;
static uint32_t tmr;
static const char *mode;

#define right(cond)                                                                                \
    do {                                                                                           \
        bool right_ = (cond);                                                                      \
        print("%s: %s %s", mode, right_ ? "right" : "WRONG", #cond);                               \
        wrong += !right_;                                                                          \
    } while (0)

/* --- The I/O APIC, and TMR -------------------------------------------------------------------- */

static uint32_t ioapic_read(uint32_t index)
{
    mmio_write32(IOAPIC, index);
    return mmio_read32(IOAPIC + 0x10);
}

static void ioapic_write(uint32_t index, uint32_t value)
{
    mmio_write32(IOAPIC, index);
    mmio_write32(IOAPIC + 0x10, value);
}

static void on_line(struct interrupt_frame *frame)
{
    (void)frame;
    tmr = apic_read((enum apic_reg)(APIC_TMR + LINE / 32 * 16)) & (uint32_t)BIT(LINE % 32);
    in8(COM1_IIR); /* the line falls */
    lines++;
}

/* The serial port is ready to send, and raises its line. */
static bool line_comes(uint32_t entry)
{
    unsigned before = now(lines);
    ioapic_write(0x10 + 2 * VACPI_UART_PIN, entry);
    out8(COM1_IER, IER_TX);
    bool came = spin_until(now(lines) != before, PATIENCE);
    out8(COM1_IER, 0);
    ioapic_write(0x10 + 2 * VACPI_UART_PIN, RTE_MASKED);
    return came;
}

static void trigger_modes(void)
{
    bool came = line_comes(LINE | (uint32_t)RTE_LEVEL);
    right(came && tmr);
    came = line_comes(LINE);
    right(came && !tmr);
    came = line_comes(LINE | (uint32_t)RTE_LEVEL);
    send_ipi(0, LINE); /* an edge with the same vector */
    right(came && spin_until(now(lines) % 4 == 0, PATIENCE) && !tmr);
}

static void arbitration(void)
{
    ioapic_write(0, 5 << 24);
    ioapic_write(2, 3 << 24);
    right(ioapic_read(2) == 5 << 24);
    ioapic_write(0, 0);
    right(ioapic_read(2) == 0);
}

/* --- Errors ----------------------------------------------------------------------------------- */

static void on_error(struct interrupt_frame *frame)
{
    (void)frame;
    errors++;
}

static void error_register(void)
{
    errors = 0;
    apic_write(APIC_ESR, 0);
    apic_write(APIC_LVT_ERROR, ERROR);
    send_ipi(0, ILLEGAL);
    right(spin_until(now(errors) == 1, PATIENCE));
    right(apic_read(APIC_ESR) == 0); /* until it is written */
    send_ipi(0, ILLEGAL);
    apic_write(APIC_ESR, 0);
    right(apic_read(APIC_ESR) == SEND_ILLEGAL);
    right(now(errors) == 1); /* the write makes it ready for the next one */
    send_ipi(0, ILLEGAL);
    right(spin_until(now(errors) == 2, PATIENCE));
    apic_write(APIC_ESR, 0);
    apic_write(APIC_ESR, 0);
    right(apic_read(APIC_ESR) == 0);
    apic_write(APIC_LVT_ERROR, (uint32_t)APIC_LVT_MASKED | ERROR);
}

/* --- The timer -------------------------------------------------------------------------------- */

static void divider(void)
{
    apic_write(APIC_LVT_TIMER, (uint32_t)APIC_LVT_MASKED | SPURIOUS);
    apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
    apic_write(APIC_TIMER_INITIAL, COUNT);
    apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_16);
    uint32_t left = apic_read(APIC_TIMER_CURRENT);
    right(left > COUNT / 2 && left <= COUNT);
    apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
    uint32_t later = apic_read(APIC_TIMER_CURRENT);
    right(later > COUNT / 2 && later <= left);
    apic_write(APIC_TIMER_INITIAL, 0);
}

/* --- What is not there ------------------------------------------------------------------------ */

static void on_fault(struct interrupt_frame *frame)
{
    faults++;
    frame->rip += 2; /* RDMSR and WRMSR */
}

static void absent_registers(void)
{
    uint32_t value;
    faults = 0;
    asm volatile("rdmsr" : "=a"(value) : "c"(MSR_X2APIC_FIRST + APIC_LVT_CMCI / 16) : "rdx");
    right(now(faults) == 1);
    asm volatile("wrmsr" ::"c"(MSR_X2APIC_FIRST + APIC_LVT_CMCI / 16), "a"(0), "d"(0));
    right(now(faults) == 2);
}

/* An interrupt waits in IRR, as IF is 0. A reset, which this is for the APIC, empties IRR. */
static void switched_off(void)
{
    uint64_t base = rdmsr(MSR_IA32_APIC_BASE);
    send_ipi(0, LINE);
    right(cpuid(1, 0).edx & CPUID_1_APIC);
    wrmsr(MSR_IA32_APIC_BASE, base & ~(APIC_BASE_EN | APIC_BASE_EXTD));
    right(!(cpuid(1, 0).edx & CPUID_1_APIC));
    wrmsr(MSR_IA32_APIC_BASE, (base & ~APIC_BASE_EXTD) | APIC_BASE_EN);
    right(cpuid(1, 0).edx & CPUID_1_APIC);
    apic_on(false);
    interrupts_on();
    right(!spin_until(now(lines), 1000));
    lines = 0;
}

/* --- INIT ------------------------------------------------------------------------------------- */

/* SDM "IA-32 Processor States Following Power-up, Reset, or INIT": MSRs stay. */
static const struct {
    uint32_t msr;
    uint64_t value;
} kept[] = {{MSR_IA32_PAT, 0x0607040600070406},
            {MSR_IA32_SYSENTER_CS, 8},
            {MSR_IA32_SYSENTER_ESP, 0x7000},
            {MSR_IA32_SYSENTER_EIP, 0x8000}};
static uint32_t found, looked;

static void set_msrs(void)
{
    for (unsigned i = 0; i < ARRAY_COUNT(kept); i++)
        wrmsr(kept[i].msr, kept[i].value);
}

static void look_at_msrs(void)
{
    for (unsigned i = 0; i < ARRAY_COUNT(kept); i++)
        atomic_fetch_add(&found, rdmsr(kept[i].msr) == kept[i].value);
    atomic_store(&looked, 1);
}

static void init_keeps_msrs(void)
{
    processor_start(1, set_msrs);
    processor_start(1, look_at_msrs);
    right(spin_until(atomic_load(&looked), PATIENCE));
    right(found == ARRAY_COUNT(kept));
}

/* --- NMIs ------------------------------------------------------------------------------------- */

static void on_nmi(struct interrupt_frame *frame)
{
    (void)frame;
    nmis++;
}

/* While the first processor is in HLT, or on no CPU, both arrive. */
static void send_two(void)
{
    for (unsigned i = 0; i < 2; i++)
        send_ipi(0, (uint32_t)FIELD_SET(APIC_ICR_DELIVERY, APIC_DELIVERY_NMI));
}

int main(void)
{
    on_interrupt(LINE, on_line);
    on_interrupt(ERROR, on_error);
    on_interrupt(VECTOR_GP, on_fault);
    on_interrupt(VECTOR_NMI, on_nmi);
    apic_on(false);
    mode = "xapic";
    switched_off();
    for (unsigned x2apic = 0; x2apic < 2; x2apic++) {
        mode = x2apic ? "x2apic" : "xapic";
        apic_on(x2apic);
        interrupts_on();
        trigger_modes();
        error_register();
        divider();
    }
    absent_registers();
    arbitration();
    init_keeps_msrs();
    processor_start(1, send_two);
    right(spin_until(now(nmis) == 2, PATIENCE));
    print("wrong=%u", wrong);
    return wrong != 0;
}
