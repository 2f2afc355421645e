/* SPDX-License-Identifier: MIT */
/*
 * A translation that the CPU has cached must not outlive its reason, also where the reason is an
 * exit: a change of CR4 that Hamlet carries out, a local APIC that goes off and on, a reset of the
 * VM. After the reset the program starts again, so each line comes once more.
 * From: tests/cases/test_vmx.py.   To: vmx/exit/cr.c, vmx/vcpu/apicv.c, vmx/vcpu/vcpu.c
 * vcpu_reset().
 * Spec: SDM "Operations that Invalidate TLBs and Paging-Structure Caches", "Guidelines for Use of
 * the INVVPID Instruction".
 */
#include "arch/msr.h"
#include "guest/programs/lib/guest.h"

#define PAGE_A        UINT64_C(0x400000) /* two pages of 2 MiB that are RAM, and nothing else */
#define PAGE_B        UINT64_C(0x600000)
#define PTE_WHOLE     (BITS(1, 0) | BIT(7))
#define PTE_GLOBAL    BIT(8)
#define APIC_PAGE     UINT64_C(0xfee00000)
#define RESET_CONTROL 0xcf9

static uint64_t *table_at(uint64_t entry) { return (uint64_t *)(entry & BITS(51, 12)); }

/* Page B becomes the frame `to`. The tables are the loader's: pages of 2 MiB. */
static void map_b(uint64_t to, uint64_t flags)
{
    uint64_t *pdpt = table_at(*table_at(read_cr3()));
    table_at(pdpt[0])[PAGE_B >> 21] = to | PTE_WHOLE | flags;
}

/* Frame A by way of page B, for reads and for writes. */
static void use_a_as_b(void)
{
    map_b(PAGE_A, PTE_GLOBAL);
    invlpg((void *)PAGE_B);
    check(mmio_read64((void *)PAGE_B) == 1);
    mmio_write64((void *)PAGE_B, 1);
}

static uint64_t read_b(void) { return mmio_read64((void *)PAGE_B); }

/* The frames say which they are. */
static void fresh_start(void)
{
    mmio_write64((void *)PAGE_B, 2);
    mmio_write64((void *)PAGE_A, 1);
    check(read_b() == 2);
    print("nothing is left of an earlier life");
}

/* MCE is the host's bit, so this MOV to CR4 exits. Both toggle, and PGE takes the globals away. */
static void change_by_exit(void)
{
    write_cr4(read_cr4() | CR4_PGE);
    use_a_as_b();
    map_b(PAGE_B, 0);
    write_cr4(read_cr4() ^ (CR4_PGE | CR4_MCE));
    check(read_b() == 2);
    print("CR4.PGE takes global pages away");
}

static void apic_off_and_on(void)
{
    uint64_t base = rdmsr(MSR_IA32_APIC_BASE);
    uint32_t version = mmio_read32((void *)(APIC_PAGE + APIC_VERSION));
    wrmsr(MSR_IA32_APIC_BASE, base & ~APIC_BASE_EN);
    invlpg((void *)(APIC_PAGE + APIC_VERSION));
    (void)mmio_read32((void *)(APIC_PAGE + APIC_VERSION));
    wrmsr(MSR_IA32_APIC_BASE, base);
    check(mmio_read32((void *)(APIC_PAGE + APIC_VERSION)) == version);
    print("the local APIC is there again");
}

int main(void)
{
    fresh_start();
    change_by_exit();
    apic_off_and_on();
    use_a_as_b();
    out8(RESET_CONTROL, 6);
    return 2;
}
