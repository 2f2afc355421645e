/* SPDX-License-Identifier: MIT */
/*
 * The processors: GRUB started number 0; this file starts the others, one after the other.
 * From: boot/main.c (cpu_init_boot, cpu_start_all), boot/ap.asm (cpu_ap_main).
 * To: boot/ap.asm (their first instructions), arch/gdt.c, arch/paging.c, arch/idt.c, arch/apic.c,
 * arch/skew.c (skew_check), arch/topology.c, arch/leaks.c (LEAKS_ONE_THREAD).
 * Spec: SDM "Multiple-Processor (MP) Initialization", "MP Initialization Example".
 */
#include "arch/cpu.h"
#include "arch/acpi.h"
#include "arch/apic.h"
#include "arch/gdt.h"
#include "arch/leaks.h"
#include "arch/page.h"
#include "arch/paging.h"
#include "arch/panic.h"
#include "arch/skew.h"
#include "arch/time.h"
#include "arch/topology.h"
#include "arch/trap.h"
#include "arch/upcalls.h"
#include "arch/x86.h"
#include "lib/atomic.h"
#include "lib/string.h"
#define LOG "cpu"
#include "arch/log.h"

#define START_TIMEOUT_US 1000000 /* a host may let a CPU wait */
#define LEAF_KIND        0x1a
#define KIND_HYBRID      BIT(15)      /* leaf 7, EDX */
#define KIND_TYPE        BITS(31, 24) /* EAX */

LAYOUT(struct cpu, stack_top, 16); /* boot/ap.asm: CPU_STACK_TOP */

void cpu_ap_main(struct cpu *cpu); /* called by boot/ap.asm */

static struct cpu cpus[CPU_MAX];
static unsigned cpus_count = 1, cpus_left_out;
static bool (*ap_join)(void);
static void (*ap_entry)(void);

unsigned cpu_count(void) { return cpus_count; }
unsigned cpu_left_out(void) { return cpus_left_out; }

struct cpu *cpu_get(unsigned index)
{
    invariant(index < cpus_count);
    return &cpus[index];
}

/* On a CPU itself. */
static enum cpu_kind kind_of_this_cpu(void)
{
    bool hybrid = cpuid(0, 0).eax >= LEAF_KIND && (cpuid(7, 0).edx & KIND_HYBRID);
    return hybrid ? FIELD_GET(KIND_TYPE, cpuid(LEAF_KIND, 0).eax) : CPU_OF_ONE_KIND;
}

void cpu_init_boot(void)
{
    static uint8_t stacks[IST_COUNT][PAGE_SIZE] __attribute__((aligned(4096)));
    cpus[0].stack_top = boot_stack_top;
    cpus[0].online = true;
    cpus[0].kind = kind_of_this_cpu();
    gdt_load(&cpus[0], stacks[0] + sizeof(stacks));
}

/* The first C code of another CPU, which is still on the tables of boot/header.asm. */
void cpu_ap_main(struct cpu *cpu)
{
    paging_load();
    gdt_load(cpu, cpu->stack_top - CPU_STACK_SIZE); /* cpu_start(): they lie below the stack */
    idt_load();
    apic_init();
    cpu->kind = kind_of_this_cpu();
    skew_answer(cpu);
    if (!ap_join()) {
        atomic_store(&cpu->refused, true);
        for (;;)
            asm volatile("cli; hlt"); /* until cpu_start() parks this CPU */
    }
    atomic_store(&cpu->online, true);
    ap_entry();
    panic("cpu %u came back from its work", cpu->index);
}

/* The threads of a core are a ring. */
static void place(struct cpu *cpu)
{
    cpu->core = topology_core(cpu->apic_id);
    cpu->socket = topology_socket(cpu->apic_id);
    cpu->next_thread = cpu;
    for (struct cpu *other = cpus; other < cpu; other++)
        if (other->core == cpu->core) {
            cpu->next_thread = other->next_thread;
            other->next_thread = cpu;
            break;
        }
}

/* One piece of memory holds the pages of the exception stacks, then the stack. A CPU that does not
 * join is parked: after an INIT it executes nothing, so struct and stacks are free again.
 * -EAGAIN: this CPU does not join, but the next may. */
static int cpu_start(uint32_t apic_id, hpa_t code)
{
    if (!apic_is_x2apic() && apic_id > APIC_ID_MAX_XAPIC)
        return FAIL(EAGAIN, "apic_id=%u cannot be reached in xAPIC mode", apic_id);
    struct cpu *cpu = &cpus[cpus_count];
    size_t size = IST_COUNT * PAGE_SIZE + CPU_STACK_SIZE;
    uint8_t *stacks = pages_alloc(size / PAGE_SIZE, PAGE_SIZE);
    if (!stacks)
        return FAIL(ENOMEM, "no stack for apic_id=%u", apic_id);
    *cpu = (struct cpu){.index = cpus_count, .apic_id = apic_id, .stack_top = stacks + size};
    atomic_store(&ap_cpu, cpu);
    apic_start_cpu(apic_id, code);
    uint64_t since = rdtsc();
    int err = skew_check(cpu, START_TIMEOUT_US);
    (void)time_spent(TIME_DEVICES, since);
    if (!err &&
        !wait_until(atomic_load(&cpu->online) || atomic_load(&cpu->refused), START_TIMEOUT_US))
        err = -ETIMEDOUT;
    if (!atomic_load(&cpu->online)) {
        apic_park_cpu(apic_id);
        pages_free(stacks, size / PAGE_SIZE);
        return FAIL(EAGAIN, "apic_id=%u %s", apic_id,
                    err == -ETIMEDOUT ? "does not start" : "is left out");
    }
    place(cpu);
    cpus_count++;
    return 0;
}

/* A STARTUP IPI names a page below 1 MiB. page_alloc() gives none of those pages away. Address 0:
 * there is none. */
static hpa_t place_start_code(void)
{
    hpa_t code = page_for_startup();
    if (code.v == 0)
        log_error("no free page below 640 KiB for the start of other CPUs");
    else
        memcpy(hpa_ptr(code), ap_start16, (size_t)(ap_start16_end - ap_start16));
    return code;
}

static bool core_is_used(uint32_t id)
{
    for (unsigned i = 0; i < cpus_count; i++)
        if (cpus[i].core == topology_core(id))
            return true;
    return false;
}

static bool is_wanted(uint32_t id)
{
    return id != cpus[0].apic_id && !((leaks_guards & LEAKS_ONE_THREAD) && core_is_used(id));
}

static void nmi_to(unsigned cpu) { apic_nmi(cpus[cpu].apic_id); }

unsigned cpu_start_all(unsigned limit, bool (*join)(void), void (*entry)(void))
{
    static uint32_t ids[CPU_MAX];
    const struct acpi_header *madt = acpi_find("APIC");
    size_t found = madt ? acpi_madt_cpus(madt, ids, CPU_MAX) : 0;
    size_t count = MIN(found, (size_t)CPU_MAX);
    if (found > count)
        log_error("only %lu of %lu CPUs are used", count, found);
    cpus[0].apic_id = apic_id();
    place(&cpus[0]);
    ap_join = join;
    ap_entry = entry;
    hpa_t code = count > 1 && limit != 1 ? place_start_code() : hpa(0);
    if (code.v != 0) {
        panic_know_others(cpu_count, nmi_to);
        for (size_t i = 0; i < count && cpus_count < CPU_MAX && cpus_count != limit; i++)
            if (is_wanted(ids[i])) {
                int err = cpu_start(ids[i], code);
                cpus_left_out += err != 0;
                if (err == -ENOMEM)
                    break;
            }
    }
    log_info("online=%u madt=%lu start=0x%lx threads=%s", cpus_count, found, code.v,
             leaks_guards & LEAKS_ONE_THREAD ? "one of each core" : "all");
    return cpus_count;
}

/* STI takes effect only after the next instruction, so an interrupt that arrives after the caller's
 * last look for work ends the HLT. Its handler is like a call: arch/trap.asm. */
void cpu_wait(void)
{
    asm volatile("sti; hlt; cli" ::
                     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc", "memory");
}

void cpu_kick(struct cpu *cpu) { apic_ipi(cpu->apic_id, VECTOR_KICK); }
