/* SPDX-License-Identifier: MIT */
/*
 * A VM is made from its configuration, step by step, and given back in reverse.
 * From: boot/main.c (vm_create_all, vm_refuse_all), guest/life/run.c (vm_make, vm_give_back).
 * To: guest/life/config.c, guest/core/memory.c, guest/life/kernel.c (kernel),
 * guest/pc/pc.h (virtual devices), guest/assign/assign.c (physical ones), vmx/vcpu/vcpu.c.
 */
#include "arch/page.h"
#include "arch/panic.h"
#include "guest/assign/assign.h"
#include "guest/assign/audit.h"
#include "guest/assign/dma.h"
#include "guest/core/memory.h"
#include "guest/core/reserved.h"
#include "guest/life/check.h"
#include "guest/life/config.h"
#include "guest/life/life.h"
#include "guest/pc/fetch.h"
#include "guest/pc/legacy/legacy.h"
#include "guest/pc/pc.h"
#include "guest/pc/vioapic.h"
#include "lib/string.h"
#include "vmx/caps.h"
#include "vmx/exit/msr.h"
#include "vmx/run/place.h"
#include "vtd/vtd.h"
#define LOG "vm"
#include "arch/log.h"

#define CONFIG_PAGES (ALIGN_UP(sizeof(struct vm_config) * VM_MAX, PAGE_SIZE) / PAGE_SIZE)

static_assert(VM_VCPU_MAX <= BITMAPS_IPI_TARGETS, "the APIC id of a vCPU is its index");

static size_t refused; /* described by a module, but not made */

size_t vm_refused_count(void) { return refused; }

/* --- Making one ------------------------------------------------------------------------------- */

static int make_vcpus(struct vm *vm)
{
    for (unsigned i = 0; i < vm->config.vcpus; i++) {
        int pin = config_pin(&vm->config, i);
        if (pin >= (int)cpu_count())
            return FAIL(EINVAL, "vm=%s pin=%d: there are %u CPUs, the first is 0", vm->name, pin,
                        cpu_count());
        struct vcpu *v = vcpu_create(&(struct vcpu_place){vm, i, vm->vcpus[0], vm->ept, vm->bitmaps,
                                                          pin, TRACE_ID(vm->index, i)});
        if (!v)
            return FAIL(ENOMEM, "vm=%s vcpus=%u: no memory for vCPU %u", vm->name, vm->config.vcpus,
                        i);
        vm->vcpus[vm->vcpu_count++] = v;
    }
    return 0;
}

static int make_ioapic_and_pci(struct vm *vm)
{
    vm->ioapic = vioapic_create(vm);
    vm->pci = vm->ioapic ? vpci_create(vm) : NULL;
    return vm->pci ? 0 : FAIL(ENOMEM, "vm=%s: no memory for its I/O APIC and PCI bus", vm->name);
}

static int make_tables(struct vm *vm)
{
    vm->ept = ept_create();
    vm->bitmaps = bitmaps_create(vmx_caps.ipiv);
    if (!vm->ept || !vm->bitmaps)
        return FAIL(ENOMEM, "vm=%s: no memory for its tables", vm->name);
    msr_open_bitmap(vm->bitmaps);
    vm->domain = vtd_active() ? vtd_domain_create() : NULL;
    return 0;
}

static int switch_on(struct vm *vm)
{
    vm_power_on(vm);
    return 0;
}

static int set_start(struct vm *vm)
{
    vm_start_state(vm, vm->vcpus[0]);
    return vm->config.run ? step_prepare(vm) : 0;
}

int vm_make(struct vm *vm)
{
    static int (*const steps[])(struct vm *) = {
        make_tables,   /* EPT, second stage, bitmaps: nothing passes */
        memory_create, /* RAM, visible to CPU and devices */
        reserved_map,  /* what the firmware reserves for its devices, likewise */
        vm_load,       /* ACPI tables and kernel are in it */
        make_vcpus,
        /* Virtual devices; then the physical ones, which need the I/O APIC and the PCI bus. */
        fetch_create,
        pio_create,
        vbios_create,
        vuart_create,
        vrtc_create,
        vpower_create,
        vlapic_create,
        make_ioapic_and_pci,
        legacy_create,
        switch_on,
        assign_all, /* from here on a device may interrupt */
        set_start,
    };
    int err = 0;
    for (size_t i = 0; i < ARRAY_COUNT(steps) && !err; i++)
        err = steps[i](vm);
    return err;
}

/* The order is a promise. Devices go first, as they send interrupts to vCPUs. The vCPUs go before
 * the tables that they run on, and RAM goes last: by then no CPU and no device can reach it. */
void vm_give_back(struct vm *vm)
{
    assign_release_all(vm);
    legacy_destroy(vm);
    if (vm->pci)
        vpci_destroy(vm->pci);
    if (vm->ioapic)
        vioapic_destroy(vm->ioapic);
    vlapic_destroy(vm);
    delivery_destroy(vm);
    vuart_destroy(vm);
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        invariant(!place_knows(vm->vcpus[i])); /* no CPU will run it, or wake it up */
        vcpu_destroy(vm->vcpus[i]);
    }
    vm->vcpu_count = 0;
    fetch_destroy(vm);
    if (vm->domain)
        vtd_domain_destroy(vm->domain);
    dma_release(vm);
    if (vm->bitmaps)
        bitmaps_destroy(vm->bitmaps);
    if (vm->ept)
        ept_destroy(vm->ept);
    memory_destroy(vm);
    vm->pci = NULL;
    vm->ioapic = NULL;
    vm->domain = NULL;
    vm->bitmaps = NULL;
    vm->ept = NULL;
}

void vm_init_fields(struct vm *vm, const struct vm_config *config, unsigned index)
{
    memset(vm, 0, sizeof(*vm));
    vm->config = *config;
    memcpy(vm->name, config->name, sizeof(vm->name));
    vm->index = index;
    vm->log_budget = LOG_GUEST_BUDGET;
    vm->lock.name = "vm->lock";
}

static struct vm *vm_create(const struct vm_config *config)
{
    struct vm *vm = pages_alloc(VM_PAGES, PAGE_SIZE);
    if (!vm) {
        log_error("vm=%s: no memory for what is kept of it", config->name);
        return NULL;
    }
    vm_init_fields(vm, config, (unsigned)vm_count());
    vm->kills.left = config->kills;
    if (vm_make(vm)) {
        vm_give_back(vm);
        pages_free(vm, VM_PAGES);
        return NULL;
    }
    log_info("vm=%s kernel=%s mem=%luM vcpus=%u ram=0x%lx entry=0x%lx", vm->name, vm->start.format,
             vm->ram_size >> 20, vm->vcpu_count, vm->ram[0].to.v, vm->start.rip);
    return vm;
}

/* A test script that asked for a VM finds a row for it, with the reason. */
static void refuse(const char *name, char *why)
{
    for (char *c = why; *c; c++)
        if (*c == '"')
            *c = '\''; /* as it stands between two of them */
    console_line("hamlet: vm=%s exit=refused why=\"%s\"", name, why);
}

/* Modules become configurations; what cannot be used gets its row. Returns how many can. */
static size_t read_configs(const struct boot_info *info, struct vm_config *configs)
{
    size_t good = config_read(info, configs, VM_MAX, &refused);
    for (size_t i = good; i < MIN(good + refused, (size_t)VM_MAX); i++)
        refuse(configs[i].name, configs[i].why);
    return good;
}

static struct vm_config *configs_alloc(void)
{
    struct vm_config *configs = pages_alloc(CONFIG_PAGES, PAGE_SIZE);
    if (!configs)
        panic("no memory for the configuration");
    return configs;
}

unsigned vm_refuse_all(const struct boot_info *info)
{
    struct vm_config *configs = configs_alloc();
    char no_vmx[] = "this CPU runs no guests";
    size_t described = read_configs(info, configs);
    for (size_t i = 0; i < described; i++)
        refuse(configs[i].name, no_vmx);
    pages_free(configs, CONFIG_PAGES);
    refused += described;
    return (unsigned)refused;
}

unsigned vm_create_all(const struct boot_info *info)
{
    struct vm_config *configs = configs_alloc();
    assign_init();
    audit_print();
    log_info("free-pages=%zu", page_free_count() + CONFIG_PAGES);
    size_t described = read_configs(info, configs);
    if (described + refused == 0)
        log_error("no VM: GRUB's entry has no line module2 FILE vm=NAME, so nothing will run");
    for (size_t i = 0; i < described; i++) {
        log_reason[0] = '\0';
        struct vm *vm = vm_create(&configs[i]);
        if (vm) {
            vm_list_add(vm);
            check_or_panic(vm, "before it runs");
        } else {
            refused++;
            refuse(configs[i].name, log_reason);
        }
    }
    pages_free(configs, CONFIG_PAGES);
    return (unsigned)vm_count();
}
