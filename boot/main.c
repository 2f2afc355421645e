/* SPDX-License-Identifier: MIT */
/*
 * The table of contents of the hypervisor: the steps of the boot, and what holds after each.
 * From: boot/header.asm.   To: each function that hamlet_main() calls, in this order.
 */
#include "boot/console.h"
#include "boot/multiboot2.h"
#include "arch/acpi.h"
#include "arch/apic.h"
#include "arch/cpu.h"
#include "arch/ioapic.h"
#include "arch/ktest.h"
#include "arch/leaks.h"
#include "arch/mce.h"
#include "arch/options.h"
#include "arch/page.h"
#include "arch/paging.h"
#include "arch/panic.h"
#include "arch/symbol.h"
#include "arch/trap.h"
#include "arch/time.h"
#include "arch/tsc.h"
#include "arch/terminal.h"
#include "arch/watch.h"
#include "guest/assign/audit.h"
#include "guest/core/identity.h"
#include "guest/life/life.h"
#include "monitor/cmd/commands.h"
#include "monitor/monitor.h"
#include "pci/pci.h"
#include "vmx/run/run.h"
#include "vmx/run/sched.h"
#include "vmx/run/watchdog.h"
#include "vtd/vtd.h"
#define LOG "boot"
#include "arch/log.h"

uint64_t boot_entry_tsc; /* TSC at the first instruction; boot/header.asm writes it */

void hamlet_main(uint32_t magic, const struct mb2_info *mb2);

static struct boot_info info;

/* What is on a screen is lost with the power; what went over a line is somewhere else. */
static enum end_mode how_to_end(void)
{
    if (options.end != END_AUTO)
        return options.end;
    return terminal_has_serial() ? END_POWEROFF : terminal_has_screen() ? END_KEY : END_HALT;
}

/* While Hamlet waits for a person, the hardware goes on. */
static void tell_faults(void)
{
    trap_tell_nmi();
    mce_poll();
}

static void __attribute__((noreturn)) end(unsigned vms, unsigned failed)
{
    enum end_mode how = how_to_end();
    console_line("hamlet: end vms=%u failed=%u", vms, failed);
    if (how == END_KEY)
        console_line("press a key to switch the machine off");
    while (how == END_KEY && terminal_read() < 0)
        tell_faults();
    terminal_drain(); /* a power-off loses what the FIFO still holds */
    if (how == END_POWEROFF || how == END_MONITOR || how == END_KEY)
        acpi_power_off();
    if (how == END_REBOOT)
        acpi_reset();
    for (;;)
        asm volatile("cli; hlt");
}

/* End if a step failed without which Hamlet cannot run. The step has logged the reason. */
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
    (void)log_level_set(NULL, (enum log_level)options.log);
    console_start(options.report);
    boot_console_first(&info);
    console_line("hamlet: boot entry_tsc=%lu cmdline=\"%s\"", boot_entry_tsc, info.cmdline);
    if (err < 0)
        log_error("bad options are ignored, their defaults hold");
    need(parse_error, "a multiboot2 loader");
}

static bool has_vmx; /* constant after vmx_init() */

/* What the other CPUs look after, beside the turns of their vCPUs; the first has its tick. */
static bool never_done(void)
{
    mce_poll();
    watchdog_look();
    return false;
}

/* Every CPU does this before it can run a vCPU. False (logged): it cannot. */
static bool this_cpu_runs_guests(void)
{
    if (leaks_join() < 0 || vmx_enable() < 0)
        return false;
    sched_init_cpu();
    return true;
}

static bool other_cpu_joins(void)
{
    mce_init();
    return !has_vmx || this_cpu_runs_guests();
}

/* The work of every CPU but the first. It does not return. */
static void other_cpu(void)
{
    if (has_vmx)
        sched_run(never_done);
    for (;;)
        cpu_wait();
}

/* Without VMX there are no VMs, and those that were asked for have failed. The in-kernel tests run
 * all the same, and the monitor if it is asked for: it shows what else this PC has. */
static unsigned run_without_guests(void)
{
    unsigned failed = vm_refuse_all(&info);
    if (options.end != END_MONITOR)
        return failed;
    monitor_init();
    while (vm_hooks.poll(true))
        tell_faults();
    return failed;
}

/* Where the time has gone since GRUB's jump. The first guest runs next. */
static void tell_time(void)
{
    uint64_t all = (rdtsc() - boot_entry_tsc) * 1000 / time_tsc_khz(), own = all;
    uint64_t spent[TIME_FOR_COUNT];
    for (enum time_for what = 0; what < TIME_FOR_COUNT; what++)
        own -= MIN(own, spent[what] = time_spent_us(what));
    log_info("us=%lu own=%lu serial=%lu memory=%lu devices=%lu", all, own, spent[TIME_SERIAL],
             spent[TIME_MEMORY], spent[TIME_DEVICES]);
}

static unsigned run_guests(unsigned *vms)
{
    if (!has_vmx)
        return run_without_guests();
    monitor_init();
    *vms = vm_create_all(&info);
    tell_time();
    return vm_run_all();
}

/* vfs=BDF,N: the VFs join the table of functions. pci_sriov_enable() logs a refusal. */
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
    cpu_init_boot();                                   /* this_cpu() works */
    idt_init();                                        /* an exception is reported */
    watch_init(panic_of);                              /* so is a lock that never gets free */
    init_console(multiboot2_parse(magic, mb2, &info)); /* there is a console */
    symbol_init(&info);                                /* backtraces have names */
    identity_keep();                                   /* memory for a VM with dma=identity */
    need(page_init(&info), "memory");                  /* there is memory */
    need(page_clear_0(&info), "memory");               /* page 0 holds nothing of ours */
    need(paging_init(&info), "page protection");       /* W^X holds */
    (void)acpi_init(&info);                            /* tables found and checksummed */
    boot_console_by_tables(&info);                     /* the firmware's own console, too */
    tsc_init(acpi_hpet(), acpi_pm_timer());            /* waits are as long as they say */
    options.x2apic &= !vtd_asks_for_xapic();           /* the firmware's SMI code knows the APICs */
    mce_init();                                        /* the hardware's errors are reported */
    apic_init();                                       /* interrupts can come, none does yet */
    ioapic_init();                                     /* every pin is masked */
    pci_scan();                                        /* before vtd: DMAR scopes name PCI paths */
    boot_console_by_pci();                             /* or a card's */
    enable_vfs();                                      /* VFs are functions like others */
    (void)vtd_init();                                  /* all DMA is blocked, if there is a unit */
    has_vmx = vmx_init() == 0 &&                       /* vmx_caps says what this CPU can do */
              this_cpu_runs_guests();                  /* this CPU is in VMX operation */
    /* The others are too, and wait for work; one that is not like this one is left out. */
    cpu_start_all(options.cpus, other_cpu_joins, other_cpu);
    if (options.check)
        cmd_machine(&(struct args){.command = "machine"});
    if (options.check && !has_vmx)
        audit_print(); /* else the first step to a VM prints it */
    unsigned vms = 0, failed = ktest_run_all();
    failed += run_guests(&vms);
    end(vms, failed);
}
