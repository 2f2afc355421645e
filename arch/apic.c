/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of this CPU. Only read_reg(), write_reg(), write_icr() and apic_eoi() distinguish
 * the two modes: a register is an MSR (x2APIC) or a word in the APIC page (xAPIC).
 * From: boot/main.c, arch/cpu.c, arch/irq.c (EOI), vmx/ (timer, kicks), vtd/ (addresses of events).
 * To: arch/paging.c (mmio_map), arch/time.c (pauses).
 * Spec: SDM "Advanced Programmable Interrupt Controller (APIC)", "Extended XAPIC (x2APIC)".
 */
#include "arch/apic.h"
#include "arch/io.h"
#include "arch/msr.h"
#include "arch/options.h"
#include "arch/paging.h"
#include "arch/panic.h"
#include "arch/time.h"
#include "arch/trap.h"
#include "arch/x86.h"
#include "lib/bits.h"
#define LOG "apic"
#include "arch/log.h"

// clang-format off
#define CPUID_1_ECX_X2APIC       BIT(21)
#define CPUID_1_ECX_TSC_DEADLINE BIT(24)
#define APIC_VERSION_MAX_LVT     BITS(23, 16)
#define APIC_ICR_DEST_XAPIC      BITS(31, 24)       /* of the high half */
#define APIC_ID_XAPIC            BITS(31, 24)
#define TIMER_DIVIDE_BY_1        0xb
// clang-format on

#define CALIBRATE_US    1000
#define ICR_POLLS       1000000

/* The 8259s: set to vectors that no device uses, then masked for the rest of the run. Even masked,
 * they can send a spurious interrupt. */
#define PIC_MASTER      0x20
#define PIC_SLAVE       0xa0
#define PIC_ICW1        0x11 /* edge, cascade, ICW4 follows */
#define PIC_ICW4        0x01 /* 8086 mode */
#define PIC_VECTOR_BASE 0x20

static uint8_t *page; /* of the xAPIC registers; NULL in x2APIC mode */
static bool has_deadline;
static uint64_t timer_khz; /* one-shot counter; 0 with TSC-deadline */

static uint32_t read_reg(enum apic_reg reg)
{
    return page ? mmio_read32(page + reg) : (uint32_t)rdmsr(MSR_X2APIC_FIRST + reg / 16);
}

static void write_reg(enum apic_reg reg, uint32_t v)
{
    if (page)
        mmio_write32(page + reg, v);
    else
        wrmsr(MSR_X2APIC_FIRST + reg / 16, v);
}

static void mask_pics(void)
{
    for (unsigned i = 0; i < 2; i++) {
        uint16_t port = i == 0 ? PIC_MASTER : PIC_SLAVE;
        out8(port, PIC_ICW1);
        out8(port + 1, (uint8_t)(PIC_VECTOR_BASE + 8 * i));
        out8(port + 1, i == 0 ? BIT(2) : 2); /* ICW3: the slave is at line 2 of the master */
        out8(port + 1, PIC_ICW4);
        out8(port + 1, 0xff);
    }
}

/* If the firmware chose x2APIC, that mode stays: the way back leads through the disabled state,
 * from which not every machine can enable the APIC again. So EN is never cleared. */
static void choose_mode(void)
{
    uint64_t base = rdmsr(MSR_IA32_APIC_BASE);
    bool has = cpuid(1, 0).ecx & CPUID_1_ECX_X2APIC;
    if (has && (options.x2apic || (base & APIC_BASE_EXTD))) {
        wrmsr(MSR_IA32_APIC_BASE, base | APIC_BASE_EN | APIC_BASE_EXTD);
        return;
    }
    if (!(base & APIC_BASE_EN))
        wrmsr(MSR_IA32_APIC_BASE, base | APIC_BASE_EN);
    if (page == NULL)
        page = mmio_map(hpa(base & APIC_BASE_ADDR), PAGE_SIZE);
    invariant(page != NULL);
}

/* What Hamlet leaves as it is: SMIs in LVT and I/O APIC are the firmware's own, for instance to
 * drive a fan. */
static bool is_smi(uint32_t entry)
{
    return FIELD_GET(APIC_LVT_DELIVERY, entry) == APIC_DELIVERY_SMI;
}

/* LINT1 is where a chipset reports its errors: trap_tell_nmi(). */
static bool is_platform_nmi(enum apic_reg lvt, uint32_t entry)
{
    return lvt == APIC_LVT_LINT1 && FIELD_GET(APIC_LVT_DELIVERY, entry) == APIC_DELIVERY_NMI;
}

/* All but those that cause SMIs, and the chipset's NMIs on the first CPU. The firmware set the
 * thermal one on the first CPU; INIT has cleared it on the others. */
static void mask_lvts(void)
{
    static uint32_t thermal = APIC_LVT_MASKED; /* of the first CPU */
    /* The order in which Max LVT Entry counts them. */
    static const enum apic_reg lvts[] = {
        APIC_LVT_TIMER, APIC_LVT_LINT0,   APIC_LVT_LINT1, APIC_LVT_ERROR,
        APIC_LVT_PMC,   APIC_LVT_THERMAL, APIC_LVT_CMCI,
    };
    unsigned count = (unsigned)FIELD_GET(APIC_VERSION_MAX_LVT, read_reg(APIC_VERSION)) + 1;
    for (unsigned i = 0; i < count && i < ARRAY_COUNT(lvts); i++) {
        uint32_t old = read_reg(lvts[i]);
        if (lvts[i] == APIC_LVT_THERMAL && is_smi(old))
            thermal = old;
        if (lvts[i] == APIC_LVT_THERMAL && is_smi(thermal))
            write_reg(lvts[i], thermal);
        else if (!is_smi(old) && !is_platform_nmi(lvts[i], old))
            write_reg(lvts[i], APIC_LVT_MASKED);
    }
}

/* Count the timer's ticks during a delay by the TSC. */
static void calibrate_timer(void)
{
    write_reg(APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
    write_reg(APIC_TIMER_INITIAL, UINT32_MAX);
    time_delay_us(CALIBRATE_US);
    timer_khz = (UINT32_MAX - read_reg(APIC_TIMER_CURRENT)) / (CALIBRATE_US / 1000);
    write_reg(APIC_TIMER_INITIAL, 0);
}

/* End what was in service when the boot loader started Hamlet: its vectors would block all lower
 * ones. An EOI ends the highest. The loops are bounded: there are 256 vectors. */
static void end_old_services(void)
{
    for (unsigned r = 0, count = 0; r < 8; r++)
        for (; count < 256 && read_reg(APIC_ISR + r * 16) != 0; count++)
            apic_eoi();
}

void apic_init(void)
{
    static bool first_is_done;
    if (!first_is_done)
        mask_pics();
    choose_mode();
    mask_lvts();
    write_reg(APIC_TPR, 0);
    write_reg(APIC_SVR, APIC_SVR_ENABLE | VECTOR_SPURIOUS);
    end_old_services();
    has_deadline = cpuid(1, 0).ecx & CPUID_1_ECX_TSC_DEADLINE;
    if (!first_is_done) {
        if (!has_deadline)
            calibrate_timer();
        log_info("mode=%s id=%u timer=%s", page ? "xapic" : "x2apic", apic_id(),
                 has_deadline ? "tsc-deadline" : "one-shot");
    }
    first_is_done = true;
    uint32_t mode = has_deadline ? APIC_TIMER_TSC_DEADLINE : APIC_TIMER_ONE_SHOT;
    write_reg(APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
    write_reg(APIC_LVT_TIMER, (uint32_t)FIELD_SET(APIC_LVT_TIMER_MODE, mode) | VECTOR_TIMER);
    asm volatile("mfence" ::: "memory"); /* SDM "TSC-Deadline Mode": before the first WRMSR of it */
}

bool apic_is_x2apic(void) { return page == NULL; }

uint32_t apic_id(void)
{
    uint32_t id = read_reg(APIC_ID);
    return page ? (uint32_t)FIELD_GET(APIC_ID_XAPIC, id) : id;
}

/* write_reg(), without a call: each interrupt of the host comes by here. */
void apic_eoi(void)
{
    if (page)
        mmio_write32(page + APIC_EOI, 0);
    else
        wrmsr(MSR_X2APIC_FIRST + APIC_EOI / 16, 0);
}

bool apic_in_service(uint8_t vector)
{
    return read_reg(APIC_ISR + vector / 32 * 16) & BIT(vector % 32);
}

/* The receiver shall see all that this CPU has stored, and a WRMSR to an x2APIC register does not
 * wait for that: SDM "MSR Access in x2APIC Mode". In xAPIC mode the write of the low half sends,
 * and the IPI before must have left. */
static void write_icr(uint32_t dest, uint32_t command)
{
    if (!page) {
        stores_done();
        wrmsr(MSR_X2APIC_FIRST + APIC_ICR / 16, (uint64_t)dest << 32 | command);
        return;
    }
    for (int i = 0; i < ICR_POLLS && (read_reg(APIC_ICR) & APIC_ICR_PENDING); i++)
        cpu_relax();
    write_reg(APIC_ICR_HIGH, (uint32_t)FIELD_SET(APIC_ICR_DEST_XAPIC, dest));
    write_reg(APIC_ICR, command);
}

static uint32_t icr_command(unsigned delivery, uint8_t vector)
{
    return (uint32_t)(FIELD_SET(APIC_ICR_DELIVERY, delivery) | APIC_ICR_ASSERT |
                      FIELD_SET(APIC_ICR_VECTOR, vector));
}

void apic_ipi(uint32_t apic_id, uint8_t vector)
{
    write_icr(apic_id, icr_command(APIC_DELIVERY_FIXED, vector));
}

void apic_self_ipi(uint8_t vector)
{
    if (page)
        write_icr(0, icr_command(APIC_DELIVERY_FIXED, vector) |
                         (uint32_t)FIELD_SET(APIC_ICR_SHORTHAND, APIC_SHORTHAND_SELF));
    else
        write_reg(APIC_SELF_IPI, vector);
}

/* A panic may come before apic_init() of this CPU: an MSR that is not there yet would fault. */
void apic_nmi(uint32_t apic_id)
{
    bool ready = page || (rdmsr(MSR_IA32_APIC_BASE) & APIC_BASE_EXTD);
    if (ready)
        write_icr(apic_id, icr_command(APIC_DELIVERY_NMI, 0));
}

void apic_park_cpu(uint32_t apic_id)
{
    write_icr(apic_id, icr_command(APIC_DELIVERY_INIT, 0) | APIC_ICR_LEVEL);
    time_delay_us(10000);
}

void apic_start_cpu(uint32_t apic_id, hpa_t start)
{
    uint8_t start_page = (uint8_t)(start.v / PAGE_SIZE);
    apic_park_cpu(apic_id);
    for (int i = 0; i < 2; i++) {
        write_icr(apic_id, icr_command(APIC_DELIVERY_STARTUP, start_page));
        time_delay_us(200);
    }
}

void apic_timer_at(uint64_t tsc)
{
    if (has_deadline) {
        wrmsr(MSR_IA32_TSC_DEADLINE, tsc);
        return;
    }
    uint64_t now = rdtsc(), us = tsc > now ? (tsc - now) * 1000 / time_tsc_khz() : 0;
    /* At least 1: a count of 0 would stop the timer, and the interrupt is due. */
    uint64_t ticks = MAX(MIN(us * timer_khz / 1000, (uint64_t)UINT32_MAX), 1);
    write_reg(APIC_TIMER_INITIAL, tsc == 0 ? 0 : (uint32_t)ticks);
}
