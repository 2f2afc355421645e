/* SPDX-License-Identifier: MIT */
/*
 * The processors: number 0 came from GRUB, the others are started here, one after the other.
 * From: boot/main.c (cpu_init_boot, cpu_start_all).   To: boot/ap.asm (their first instructions).
 * Spec: SDM "Multiple-Processor (MP) Initialization", "MP Initialization Example".
 */
#include "arch/cpu.h"
#include "arch/acpi.h"
#include "arch/apic.h"
#include "lib/atomic.h"
#include "arch/gdt.h"
#include "arch/layout.h"
#include "arch/page.h"
#include "arch/paging.h"
#include "arch/panic.h"
#include "lib/string.h"
#include "arch/time.h"
#include "arch/trap.h"
#include "arch/x86.h"
#define LOG "cpu"
#include "arch/log.h"

#define START_TIMEOUT_US 100000
#define IST_COUNT        3

LAYOUT(struct cpu, stack_top, 16); /* boot/ap.asm: CPU_STACK_TOP */

extern uint8_t boot_stack_top[];                     /* boot/header.asm */
extern const uint8_t ap_start16[], ap_start16_end[]; /* boot/ap.asm */
extern struct cpu *ap_cpu;                           /* the CPU that is being started */
void cpu_ap_main(struct cpu *cpu);                   /* called by boot/ap.asm */

static struct cpu cpus[CPU_MAX];
static unsigned cpus_count = 1;
static void (*ap_entry)(void);

unsigned cpu_count(void) { return cpus_count; }

struct cpu *cpu_get(unsigned index)
{
    invariant(index < cpus_count);
    return &cpus[index];
}

void cpu_init_boot(void)
{
    static uint8_t stacks[IST_COUNT][PAGE_SIZE] __attribute__((aligned(4096)));
    uint8_t *const ist[IST_COUNT] = {stacks[1], stacks[2], stacks[2] + PAGE_SIZE};
    cpus[0].stack_top = boot_stack_top;
    cpus[0].online = true;
    gdt_load(&cpus[0], ist);
}

/* First C code of another CPU, on the boot tables and its own stack. */
void cpu_ap_main(struct cpu *cpu)
{
    uint8_t *ist[IST_COUNT]; /* below the stack, see stacks_alloc() */
    for (int i = 0; i < IST_COUNT; i++)
        ist[i] = cpu->stack_top - CPU_STACK_SIZE - (uint64_t)i * PAGE_SIZE;
    paging_load();
    gdt_load(cpu, ist);
    trap_load();
    apic_init();
    atomic_store(&cpu->online, true);
    ap_entry();
    panic("cpu %u came back from its work", cpu->index);
}

/* One piece: three pages for the exception stacks, then the stack itself. */
static uint8_t *stacks_alloc(void)
{
    size_t size = IST_COUNT * PAGE_SIZE + CPU_STACK_SIZE;
    uint8_t *first = pages_alloc(size / PAGE_SIZE, PAGE_SIZE);
    return first ? first + size : NULL;
}

/* The struct and the stacks of a CPU that does not come up in time stay its own: it may yet wake. */
static int cpu_start(uint32_t apic_id)
{
    struct cpu *cpu = &cpus[cpus_count];
    *cpu = (struct cpu){.index = cpus_count, .apic_id = apic_id, .stack_top = stacks_alloc()};
    if (!cpu->stack_top)
        return FAIL(ENOMEM, "no stack for apic_id=%u", apic_id);
    atomic_store(&ap_cpu, cpu);
    apic_start_cpu(apic_id, hpa(AP_START_PAGE));
    if (!wait_until(atomic_load(&cpu->online), START_TIMEOUT_US))
        return FAIL(ETIMEDOUT, "apic_id=%u does not start", apic_id);
    cpus_count++;
    return 0;
}

static bool place_start_code(void)
{
    if (!page_is_ram(hpa(AP_START_PAGE), PAGE_SIZE)) {
        log_error("no RAM at 0x%x for the start of other CPUs", AP_START_PAGE);
        return false;
    }
    memcpy(hpa_ptr(hpa(AP_START_PAGE)), ap_start16, (size_t)(ap_start16_end - ap_start16));
    return true;
}

unsigned cpu_start_all(unsigned limit, void (*entry)(void))
{
    static uint32_t ids[CPU_MAX];
    const struct acpi_header *madt = acpi_find("APIC");
    size_t count = madt ? MIN(madt_cpus(madt, ids, CPU_MAX), (size_t)CPU_MAX) : 0;
    cpus[0].apic_id = apic_id();
    ap_entry = entry;
    if (count > 1 && limit != 1 && place_start_code())
        for (size_t i = 0; i < count && (limit == 0 || cpus_count < limit); i++)
            if (ids[i] != cpus[0].apic_id && cpu_start(ids[i]) == -ETIMEDOUT)
                break; /* ap_cpu must not change while a late one may read it */
    log_info("online=%u madt=%lu", cpus_count, count);
    return cpus_count;
}

void cpu_wait(void) { interrupts_wait(); }
void cpu_kick(struct cpu *cpu) { apic_ipi(cpu->apic_id, VECTOR_KICK); }
