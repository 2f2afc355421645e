/* SPDX-License-Identifier: MIT */
/*
 * Does the checker of promises find what it is there for? Two VMs are made by hand, each promise is
 * broken on purpose in the live tables, found, and mended.
 * From: tests/cases/test_dma.py.   To: guest/life/check.c.
 */
#include "guest/life/check.h"
#include "arch/apic.h"
#include "arch/ktest.h"
#include "arch/layout.h"
#include "arch/log.h"
#include "arch/page.h"
#include "guest/assign/assign.h"
#include "vmx/vmcs.h"
#include "vtd/unit.h"
#include "vtd/vtd_regs.h"
#include "guest/core/memory.h"

#define RAM   SIZE_2M
#define SPARE (4 * SIZE_2M) /* a guest-physical address with nothing there */

static struct vm one, two;
static struct vm *const vms[] = {&one, &two};
static int irte;

static unsigned breaches(void) { return check_vms(vms, ARRAY_COUNT(vms)); }

static bool test_vm_make(struct vm *vm, const char *name)
{
    *vm = (struct vm){.name = {name[0], name[1], name[2]}, .ram_size = RAM};
    void *ram = pages_alloc(RAM / PAGE_SIZE, SIZE_2M);
    vm->ept = ept_create();
    vm->bitmaps = bitmaps_create(false);
    vm->domain = vtd_domain_create();
    if (!ram || !vm->ept || !vm->bitmaps || !vm->domain)
        return false;
    vm->ram[0] = (struct vm_ram){0, ptr_hpa(ram), RAM};
    page_mark_guest(ptr_hpa(ram), RAM, true);
    return vm_map(vm, gpa(0), ptr_hpa(ram), RAM, EPT_PERM_ALL, EPT_WB, true) == 0;
}

static void test_vm_unmake(struct vm *vm)
{
    vtd_domain_destroy(vm->domain);
    ept_destroy(vm->ept);
    bitmaps_destroy(vm->bitmaps);
    page_mark_guest(vm->ram[0].to, RAM, false);
    pages_free(hpa_ptr(vm->ram[0].to), RAM / PAGE_SIZE);
}

static bool cpu_sees(hpa_t what)
{
    return ept_map(one.ept, gpa(SPARE), what, PAGE_SIZE, EPT_PERM_READ, EPT_WB) == 0;
}
static void cpu_sees_no_more(void) { ept_unmap(one.ept, gpa(SPARE), PAGE_SIZE); }
static bool device_sees(hpa_t what)
{
    return vtd_map(one.domain, gpa(SPARE), what, PAGE_SIZE, VTD_READ | VTD_WRITE) == 0;
}
static void device_sees_no_more(void) { vtd_unmap(one.domain, gpa(SPARE), PAGE_SIZE); }

static bool cpu_sees_hamlet(void) { return cpu_sees(ptr_hpa(image_start)); }
static bool cpu_sees_the_other(void) { return cpu_sees(two.ram[0].to); }
static bool cpu_sees_the_unit(void) { return cpu_sees(hpa(vtd.units[0].dmar->base.v)); }
static bool device_sees_hamlet(void) { return device_sees(ptr_hpa(image_start)); }
static bool device_sees_the_other(void) { return device_sees(two.ram[0].to); }
static bool device_sees_more(void) { return device_sees(one.ram[0].to); }

/* The device may write where the CPU may only read. */
static bool device_may_more(void) { return cpu_sees(one.ram[0].to) && device_sees(one.ram[0].to); }
static void device_may_as_much(void)
{
    device_sees_no_more();
    cpu_sees_no_more();
}

static bool ram_taken_back(void)
{
    page_mark_guest(one.ram[0].to, PAGE_SIZE, false);
    return true;
}
static void ram_given(void) { page_mark_guest(one.ram[0].to, PAGE_SIZE, true); }

static hpa_t saved_ram;
static bool ram_shared(void)
{
    saved_ram = two.ram[0].to;
    two.ram[0].to = one.ram[0].to;
    return true;
}
static void ram_apart(void) { two.ram[0].to = saved_ram; }

/* The setter refuses this port, so it is done behind its back. */
static uint8_t *config_port_byte(void)
{
    uint8_t *bitmap_a = hpa_ptr(bitmaps_io_a(one.bitmaps));
    return &bitmap_a[PCI_PORT_ADDRESS / 8];
}
static bool config_port_open(void)
{
    *config_port_byte() &= (uint8_t)~BIT(PCI_PORT_ADDRESS % 8);
    return true;
}
static void config_port_shut(void) { *config_port_byte() = 0xff; }

static bool source_unverified(void)
{
    vtd.irt[irte].hi &= ~IRTE_SVT;
    return true;
}
static void source_verified(void) { vtd_irte_remap((unsigned)irte, apic_id(), 0x33, false); }

/* What was the number of a CPU is part of an address now. In memory only: no message comes. */
static bool posts_to_no_vcpu(void)
{
    vtd.irt[irte].lo |= IRTE_IM;
    return true;
}

static bool compatibility_on(void) { return unit_command(&vtd.units[0], GCMD_CFI, true) == 0; }
static void compatibility_off(void) { (void)!unit_command(&vtd.units[0], GCMD_CFI, false); }

static const struct {
    const char *what;
    bool (*plant)(void);
    void (*mend)(void);
} promises[] = {
    {"an EPT entry to Hamlet", cpu_sees_hamlet, cpu_sees_no_more},
    {"an EPT entry to another VM", cpu_sees_the_other, cpu_sees_no_more},
    {"an EPT entry to a remapping unit", cpu_sees_the_unit, cpu_sees_no_more},
    {"a second-stage entry to Hamlet", device_sees_hamlet, device_sees_no_more},
    {"a second-stage entry to another VM", device_sees_the_other, device_sees_no_more},
    {"a second-stage entry beyond the EPT", device_sees_more, device_sees_no_more},
    {"a second-stage entry with more rights", device_may_more, device_may_as_much},
    {"RAM that was never given away", ram_taken_back, ram_given},
    {"RAM of two VMs", ram_shared, ram_apart},
    {"port 0xCF8 open", config_port_open, config_port_shut},
    {"an interrupt entry without source-id", source_unverified, source_verified},
    {"an interrupt entry that posts to no vCPU", posts_to_no_vcpu, source_verified},
    {"interrupts in compatibility format", compatibility_on, compatibility_off},
};

KTEST(check_finds_each_breach)
{
    if (!vtd_ir_active())
        KSKIP("no interrupt remapping here");
    irte = vtd_irte_alloc(BDF(0, 0x1e, 3), 1);
    KEXPECT(irte >= 0 && test_vm_make(&one, "one") && test_vm_make(&two, "two"));
    vtd_irte_remap((unsigned)irte, apic_id(), 0x33, false);
    KEXPECT(breaches() == 0);
    for (size_t i = 0; i < ARRAY_COUNT(promises); i++) {
        bool planted = promises[i].plant();
        unsigned found = breaches();
        promises[i].mend();
        console_line("ktest: breach: %s: %s", promises[i].what,
                     !planted ? "cannot be planted here"
                     : found  ? "found"
                              : "NOT FOUND");
        KEXPECT(found > 0 || !planted); /* QEMU's unit does not take compatibility format back */
        KEXPECT(breaches() == 0);
    }
    vtd_irte_free((unsigned)irte, 1);
    test_vm_unmake(&one);
    test_vm_unmake(&two);
}
