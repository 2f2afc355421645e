/* SPDX-License-Identifier: MIT */
/*
 * What arch/ promises, tried on the machine that booted it.
 */
#include "arch/acpi.h"
#include "arch/apic.h"
#include "lib/atomic.h"
#include "lib/bits.h"
#include "arch/cpu.h"
#include "arch/ioapic.h"
#include "arch/ktest.h"
#include "arch/layout.h"
#include "arch/msr.h"
#include "arch/page.h"
#include "arch/paging.h"
#include "arch/panic.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "arch/symbol.h"
#include "arch/time.h"
#include "arch/safe.h"
#include "arch/trap.h"

/* Does a write of one byte at p fault? Writes back what is there. */
static bool write_faults(void *p)
{
    bool faults = false;
    uint8_t byte;
    asm volatile("1: movb (%2), %1; 4: movb %1, (%2); jmp 3f; 2: movb $1, %0; 3: " EXTABLE(
                     "1b", "2b") EXTABLE("4b", "2b")
                 : "+r"(faults), "=&q"(byte)
                 : "r"(p)
                 : "memory");
    return faults;
}

static bool read_faults(const void *p)
{
    bool faults = false;
    uint8_t byte;
    asm volatile("1: movb (%2), %1; jmp 3f; 2: movb $1, %0; 3: " EXTABLE("1b", "2b")
                 : "+r"(faults), "=&q"(byte)
                 : "r"(p)
                 : "memory");
    return faults;
}

/* Jump there: the fault is taken at the target, whose address is then the table's `from`. So the
 * target is fixed: a RET in .data. */
static uint8_t ret_in_data[16] __attribute__((used, aligned(16))) = {0xc3};

static bool execution_of_data_faults(void)
{
    bool faults = false;
    asm volatile("call *%1; jmp 3f; 2: add $8, %%rsp; movb $1, %0; 3: " EXTABLE("ret_in_data", "2b")
                 : "+r"(faults)
                 : "r"(ret_in_data)
                 : "memory");
    return faults;
}

KTEST(arch_page_0_is_not_there) { KEXPECT(read_faults(hpa_ptr(hpa(8)))); }

KTEST(arch_text_cannot_be_written) { KEXPECT(write_faults(image_start)); }

KTEST(arch_rodata_cannot_be_written) { KEXPECT(write_faults(text_end)); }

KTEST(arch_data_can_be_written) { KEXPECT(!write_faults(rodata_end)); }

KTEST(arch_data_cannot_be_executed) { KEXPECT(execution_of_data_faults()); }

KTEST(arch_no_page_is_writable_and_executable)
{
    bool w = false, x = false;
    for (uint64_t at = 0, size; at < UINT64_C(8) << 30; at += size) {
        size = paging_rights((const void *)at, &w, &x);
        KEXPECT(size == 0 || !(w && x));
        size = size ? size : PAGE_SIZE;
    }
}

KTEST(arch_pages_come_zeroed_and_balance)
{
    size_t before = page_free_count();
    uint8_t *one = page_alloc(), *many = pages_alloc(600, SIZE_2M);
    KEXPECT(one && many);
    KEXPECT(page_free_count() == before - 601);
    KEXPECT(IS_ALIGNED((uintptr_t)many, SIZE_2M));
    for (size_t i = 0; i < 600 * PAGE_SIZE; i++)
        KEXPECT(many[i] == 0);
    memset(one, 0xff, PAGE_SIZE);
    page_free(one);
    pages_free(many, 600);
    KEXPECT(page_free_count() == before);
    one = page_alloc();
    KEXPECT(one && one[0] == 0 && one[PAGE_SIZE - 1] == 0);
    page_free(one);
}

KTEST(arch_image_is_never_handed_out)
{
    uint8_t *page = page_alloc();
    KEXPECT(page && (page < (uint8_t *)image_start || page >= (uint8_t *)image_end));
    KEXPECT((uintptr_t)page >= 0x100000);
    page_free(page);
}

KTEST(arch_too_much_memory_is_refused)
{
    size_t before = page_free_count();
    KEXPECT(pages_alloc(before + 1, PAGE_SIZE) == NULL);
    KEXPECT(page_free_count() == before);
}

KTEST(arch_mmio_can_be_mapped_and_taken_out)
{
    const struct ioapic *io = ioapic_count() ? ioapic_get(0) : NULL;
    if (!io)
        KSKIP("no I/O APIC");
    KEXPECT(!read_faults(io->regs));
    mmio_unmap(ptr_hpa(io->regs), PAGE_SIZE);
    KEXPECT(read_faults(io->regs));
    KEXPECT(mmio_map(ptr_hpa(io->regs), PAGE_SIZE) == io->regs);
    KEXPECT(!read_faults(io->regs));
}

/* The first page after RAM is mapped with a table that begins in RAM. */
KTEST(arch_a_table_across_the_end_of_ram)
{
    uint64_t end = 0x100000;
    while (page_is_ram(hpa(end), PAGE_SIZE))
        end += PAGE_SIZE;
    mmio_unmap(hpa(end), PAGE_SIZE);
    KEXPECT(firmware_map(hpa(end - 20), 40) == hpa_ptr(hpa(end - 20)));
    KEXPECT(!read_faults(hpa_ptr(hpa(end - 1))) && !read_faults(hpa_ptr(hpa(end))));
}

KTEST(arch_an_address_that_is_not_canonical)
{
    KEXPECT(mmio_map(hpa(BIT(47)), PAGE_SIZE) == NULL);
    KEXPECT(mmio_map(hpa(BIT(47) - PAGE_SIZE), 2 * PAGE_SIZE) == NULL);
    KEXPECT(mmio_map(hpa(BIT(51)), PAGE_SIZE) == NULL);
}

KTEST(arch_unknown_msr_is_an_error_code)
{
    uint64_t v = 7;
    KEXPECT(rdmsr_safe(0xdead0000, &v) == -EIO || v != 7); /* some emulators answer everything */
    KEXPECT(rdmsr_safe(0x1b, &v) == 0 && v != 7);
}

static void count_up(void *ctx) { atomic_fetch_add((uint32_t *)ctx, 1); }

KTEST(arch_self_ipi_is_taken_in_cpu_wait)
{
    uint32_t count = 0;
    int vector = irq_alloc(count_up, &count);
    KEXPECT(vector >= VECTOR_DEVICE_FIRST && vector <= VECTOR_DEVICE_LAST);
    apic_self_ipi((uint8_t)vector);
    KEXPECT(atomic_load(&count) == 0); /* not before a CPU waits */
    cpu_wait();
    KEXPECT(atomic_load(&count) == 1);
    KEXPECT(!apic_in_service((uint8_t)vector));
    irq_free((uint8_t)vector);
}

KTEST(arch_timer_ends_cpu_wait)
{
    uint64_t start = rdtsc();
    apic_timer_at(time_deadline_us(2000));
    cpu_wait();
    KEXPECT(rdtsc() - start >= time_tsc_khz()); /* at least half of the time */
    apic_timer_at(0);
}

KTEST(arch_tsc_and_bounded_wait_agree)
{
    uint64_t start = rdtsc();
    KEXPECT(!wait_until(false, 1000));
    KEXPECT(rdtsc() - start >= time_tsc_khz());
    KEXPECT(wait_until(true, 0));
}

KTEST(arch_ioapic_pins_are_masked)
{
    if (ioapic_count() == 0)
        KSKIP("no I/O APIC");
    for (size_t n = 0; n < ioapic_count(); n++)
        for (unsigned pin = 0; pin < ioapic_get(n)->pin_count; pin++)
            KEXPECT(ioapic_read_rte(ioapic_get(n), pin) & BIT(16));
    KEXPECT(ioapic_of_gsi(UINT32_MAX) == NULL);
}

KTEST(arch_acpi_knows_this_machine)
{
    if (!acpi_find("FACP"))
        KSKIP("no ACPI tables");
    KEXPECT(acpi_find("APIC") != NULL);
    KEXPECT(acpi_pm_timer() != 0);
    KEXPECT(acpi_find("NONE") == NULL && !acpi_was_refused("NONE"));
}

KTEST(arch_symbols_are_known)
{
    char name[80];
    symbol_name((uintptr_t)page_alloc + 1, name, sizeof(name));
    KEXPECT(strcmp(name, "page_alloc+0x1") == 0);
    symbol_name(0x42, name, sizeof(name));
    KEXPECT(strcmp(name, "0x42") == 0);
}

static uint32_t kicks;
static void count_kick(void *ctx) { atomic_fetch_add((uint32_t *)ctx, 1); }

KTEST(arch_other_cpus_take_interrupts)
{
    if (cpu_count() < 2)
        KSKIP("one CPU");
    int vector = irq_alloc(count_kick, &kicks);
    KEXPECT(vector > 0);
    for (unsigned i = 1; i < cpu_count(); i++)
        apic_ipi(cpu_get(i)->apic_id, (uint8_t)vector);
    KEXPECT(wait_until(atomic_load(&kicks) == cpu_count() - 1, 100000));
    irq_free((uint8_t)vector);
}

static uint64_t cr4_of[CPU_MAX], pat_of[CPU_MAX];
static void note_cr4(void *ctx)
{
    (void)ctx;
    pat_of[this_cpu()->index] = rdmsr(MSR_IA32_PAT);
    atomic_store(&cr4_of[this_cpu()->index], read_cr4());
}

/* tests/kernel/entry.asm set bits that Hamlet has not asked for; after INIT there are none. */
KTEST(arch_cr4_and_pat_are_ours_on_every_cpu)
{
    const uint64_t always = CR4_PAE | CR4_MCE | CR4_PGE;
    const uint64_t vmx = CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE | CR4_VMXE;
    int vector = irq_alloc(note_cr4, NULL);
    KEXPECT(vector > 0);
    note_cr4(NULL);
    for (unsigned i = 1; i < cpu_count(); i++)
        apic_ipi(cpu_get(i)->apic_id, (uint8_t)vector);
    for (unsigned i = 0; i < cpu_count(); i++) {
        KEXPECT(wait_until(atomic_load(&cr4_of[i]) != 0, 100000));
        KEXPECT((cr4_of[i] & always) == always && !(cr4_of[i] & ~(always | vmx)));
        KEXPECT(pat_of[i] == UINT64_C(0x0007040600070106)); /* entry 1 is WC: arch/paging.c */
    }
    irq_free((uint8_t)vector);
}

/* A page fault is reported with its address, its name and the call chain. */
static void __attribute__((noinline)) touch_nothing(void) { asm volatile("movb $1, 0x123"); }

KTEST_FATAL(arch_panic_page_fault) { touch_nothing(); }

/* With no stack left the double fault still has one of its own. */
KTEST_FATAL(arch_panic_without_a_stack)
{
    asm volatile("xor %%esp, %%esp; push %%rax" ::: "memory");
}

/* The firmware's APIC may not be in the mode in which Hamlet is about to use it. */
KTEST_FATAL(arch_panic_before_the_apic)
{
    wrmsr(MSR_IA32_APIC_BASE, rdmsr(MSR_IA32_APIC_BASE) & ~(APIC_BASE_EN | APIC_BASE_EXTD));
    panic("the first words");
}

/* As exit_exception_nmi() does it: the report names the banks that saw an error. */
KTEST_FATAL(arch_panic_machine_check) { asm volatile("int $18" ::: "memory"); }

KTEST_FATAL(arch_panic_broken_invariant) { invariant(page_alloc() == NULL); }
