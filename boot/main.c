/* SPDX-License-Identifier: MIT */
/*
 * The table of contents of the hypervisor: what is done at boot, in which order, and what is true
 * afterwards.
 * From: boot/header.asm.   To: each of the calls below, in this order.
 */
#define LOG "boot"
#include "boot/multiboot2.h"
#include "arch/acpi.h"
#include "arch/apic.h"
#include "arch/cpu.h"
#include "arch/ioapic.h"
#include "arch/ktest.h"
#include "arch/log.h"
#include "arch/options.h"
#include "arch/page.h"
#include "arch/paging.h"
#include "arch/panic.h"
#include "arch/symbol.h"
#include "arch/time.h"
#include "arch/trap.h"
#include "arch/uart.h"
#include "arch/x86.h"
#include "guest/core/vm.h"
#include "monitor/monitor.h"
#include "pci/pci.h"
#include "vmx/vcpu/vcpu.h"
#include "vtd/vtd.h"
#include "vmx/run/run.h"
#include "vmx/run/sched.h"
#include "guest/life/life.h"
#include "guest/core/identity.h"

uint64_t boot_entry_tsc; /* TSC at the first instruction, by boot/header.asm */

void hamlet_main(uint32_t magic, const struct mb2_info *mb2);

static struct boot_info info;

static void __attribute__((noreturn)) end(unsigned vms, unsigned failed)
{
    console_line("hamlet: end vms=%u failed=%u", vms, failed);
    uart_drain(); /* power-off would cut off what the FIFO still holds */
    if (options.end == END_POWEROFF)
        acpi_power_off();
    if (options.end == END_REBOOT)
        acpi_reset();
    for (;;)
        asm volatile("cli; hlt");
}

/* The machine is not fit for us; whoever failed has said why. */
static void need(int err, const char *what)
{
    if (err == 0)
        return;
    console_line("hamlet: cannot go on without %s", what);
    end(0, 0);
}

static void init_console(int parse_error)
{
    int err = options_parse(info.cmdline);
    uart_init(options.console_port, options.console_speed);
    (void)log_level_set(NULL, (enum log_level)options.log);
    console_start();
    console_line("hamlet: boot entry_tsc=%lu cmdline=\"%s\"", boot_entry_tsc, info.cmdline);
    if (err < 0)
        log_error("bad options are ignored, their defaults hold");
    need(parse_error, "a multiboot2 loader");
}

static bool has_vmx; /* constant after vmx_init() */

static bool never(void) { return false; }

/* What every CPU does before it can run a vCPU. */
static void this_cpu_runs_guests(void)
{
    vmx_enable();
    sched_init_cpu();
}

/* What every other CPU does. */
static void other_cpu(void)
{
    if (has_vmx) {
        this_cpu_runs_guests();
        sched_run(never);
    }
    for (;;)
        cpu_wait();
}

/* Without VMX everything else is still there, and tested. */
static unsigned run_guests(unsigned *vms)
{
    if (!has_vmx)
        return 0;
    monitor_init();
    *vms = vm_create_all(&info);
    return vm_run_all();
}

/* vfs=BDF,N: whoever wants them finds them in the table of functions; a refusal is logged there. */
static void enable_vfs(void)
{
    for (unsigned i = 0; i < options.vfs_count; i++) {
        struct pci_function *pf = pci_find(options.vfs[i].bdf);
        if (!pf)
            log_error("vfs=" BDF_FMT ": there is no such device", BDF_ARG(options.vfs[i].bdf));
        else
            IGNORE(pci_sriov_enable(pf, options.vfs[i].count));
    }
}

void hamlet_main(uint32_t magic, const struct mb2_info *mb2)
{
    cpu_init_boot();                                   /* this CPU knows who it is */
    trap_init();                                       /* faults are reported, not triple */
    init_console(multiboot2_parse(magic, mb2, &info)); /* we can talk */
    symbol_init(&info);                                /* backtraces have names */
    identity_keep();                                   /* memory for a VM with dma=identity */
    need(page_init(&info), "memory");                  /* there is memory */
    need(paging_init(&info), "page protection");       /* W^X holds */
    (void)acpi_init(&info);                            /* tables found and checksummed */
    time_init(acpi_pm_timer());                        /* waits have an end */
    apic_init();                                       /* interrupts can come, none does */
    ioapic_init();                                     /* every pin is masked */
    pci_scan();                                        /* before vtd: DMAR scopes name PCI paths */
    enable_vfs();                                      /* and they are functions as others */
    (void)vtd_init();                                  /* all DMA is blocked, if there is a unit */
    has_vmx = vmx_init() == 0;                         /* what this CPU can is known */
    if (has_vmx)
        this_cpu_runs_guests();             /* this CPU is in VMX operation */
    cpu_start_all(options.cpus, other_cpu); /* and so are the others; they wait for work */
    unsigned vms = 0, failed = ktest_run_all();
    failed += run_guests(&vms);
    end(vms, failed);
}
