/* SPDX-License-Identifier: MIT */
/*
 * The host's APICs, as the firmware leaves them: what it needs for its SMIs stays.
 * Spec: SDM "Advanced Programmable Interrupt Controller (APIC)"; 82093AA "Redirection Table".
 */
#include "arch/acpi.h"
#include "arch/apic.h"
#include "arch/msr.h"
#include "arch/paging.h"
#include "arch/time.h"
#include "arch/trap.h"
#include "arch/x86.h"
#include "tests/unit/test.h"
#include <string.h>

static uint64_t model_rdmsr(uint32_t msr);
static void model_wrmsr(uint32_t msr, uint64_t v);
static struct cpuid_regs model_cpuid(void);
static unsigned fences, fences_at_icr;
#define rdmsr(msr)       model_rdmsr(msr)
#define wrmsr(msr, v)    model_wrmsr(msr, v)
#define stores_done()    (void)fences++
#define cpuid(leaf, sub) model_cpuid()
#include "arch/apic.c"
#undef LOG
#include "arch/ioapic.c"

#define SMI  0x200
#define PINS 24

static uint64_t apic_base, lapic[64];
static uint32_t rte[2 * PINS], selected;

static uint64_t model_rdmsr(uint32_t msr)
{
    return msr == MSR_IA32_APIC_BASE ? apic_base : lapic[msr - MSR_X2APIC_FIRST];
}

static void model_wrmsr(uint32_t msr, uint64_t v)
{
    if (msr == MSR_X2APIC_FIRST + APIC_ICR / 16)
        fences_at_icr = fences;
    if (msr == MSR_IA32_APIC_BASE)
        apic_base = v;
    else
        lapic[msr - MSR_X2APIC_FIRST] = v;
}

static struct cpuid_regs model_cpuid(void) { return (struct cpuid_regs){.ecx = UINT32_MAX}; }
void *mmio_map(hpa_t base, uint64_t size) { return (void)size, hpa_ptr(base); }
void out8(uint16_t port, uint8_t v) { (void)port, (void)v; }
void time_delay_us(uint64_t us) { (void)us; }
uint64_t time_tsc_khz(void) { return 1000; }
const struct acpi_header *acpi_find(const char signature[4]) { return (const void *)signature; }

size_t acpi_madt_ioapics(const struct acpi_header *madt, struct madt_ioapic *out, size_t max)
{
    (void)madt, (void)max;
    out[0] = (struct madt_ioapic){.id = 2, .base = {0xfec00000}};
    return 1;
}

void mmio_write32(void *p, uint32_t v)
{
    if ((uintptr_t)p % 0x100 == IOREGSEL)
        selected = v;
    else
        rte[selected - IOAPIC_RTE(0)] = v;
}

uint32_t mmio_read32(const void *p)
{
    (void)p;
    return selected == IOAPIC_VERSION ? (PINS - 1) << 16 | 0x20 : rte[selected - IOAPIC_RTE(0)];
}

static uint64_t lvt(enum apic_reg reg) { return lapic[reg / 16]; }

/* INIT leaves every LVT masked on the other CPUs. */
static void init(void)
{
    options.x2apic = true;
    memset(lapic, 0, sizeof(lapic));
    apic_base = 0xfee00000 | APIC_BASE_EN;
    lapic[APIC_VERSION / 16] = 6 << 16 | 0x15;
    for (unsigned reg = APIC_LVT_TIMER; reg <= APIC_LVT_ERROR; reg += 16)
        lapic[reg / 16] = APIC_LVT_MASKED;
    lapic[APIC_LVT_CMCI / 16] = APIC_LVT_MASKED;
}

TEST(lvts_of_the_firmware_stay)
{
    init();
    lapic[APIC_LVT_THERMAL / 16] = SMI;
    lapic[APIC_LVT_PMC / 16] = SMI | APIC_LVT_MASKED;
    lapic[APIC_LVT_LINT0 / 16] = 0x700; /* ExtINT, from the 8259s */
    lapic[APIC_LVT_LINT1 / 16] = 0x400; /* NMI */
    apic_init();
    assert_int_equal(lvt(APIC_LVT_THERMAL), SMI);
    assert_int_equal(lvt(APIC_LVT_PMC), SMI | APIC_LVT_MASKED);
    assert_int_equal(lvt(APIC_LVT_LINT0), APIC_LVT_MASKED);
    assert_int_equal(lvt(APIC_LVT_LINT1), 0x400); /* the chipset reports its errors there */
    init();                                       /* another CPU */
    apic_init();
    assert_int_equal(lvt(APIC_LVT_THERMAL), SMI);
    assert_int_equal(lvt(APIC_LVT_PMC), APIC_LVT_MASKED);
}

TEST(pins_of_the_firmware_stay)
{
    memset(rte, 0, sizeof(rte));
    rte[2 * 9] = SMI;
    rte[2 * 9 + 1] = 0x01000000;
    rte[2 * 11] = 0x751; /* ExtINT */
    ioapic_init();
    assert_int_equal(ioapic_count(), 1);
    for (unsigned pin = 0; pin < PINS; pin++)
        assert_int_equal(ioapic_read_rte(ioapic_get(0), pin),
                         pin == 9 ? UINT64_C(0x0100000000000000) | SMI : RTE_MASKED);
}

/* SDM "MSR Access in x2APIC Mode": what the receiver shall see is stored before it is asked. */
TEST(an_ipi_comes_behind_earlier_stores)
{
    init();
    apic_init();
    fences = fences_at_icr = 0;
    apic_ipi(3, VECTOR_KICK);
    assert_int_equal(lapic[APIC_ICR / 16], UINT64_C(3) << 32 | 0x4000 | VECTOR_KICK);
    assert_int_equal(fences_at_icr, 1);
    apic_nmi(3);
    assert_int_equal(fences_at_icr, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ipi_comes_behind_earlier_stores),
        cmocka_unit_test(lvts_of_the_firmware_stay),
        cmocka_unit_test(pins_of_the_firmware_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
