/* SPDX-License-Identifier: MIT */
/*
 * machine: what this PC has of what Hamlet uses, and what each lack means. `audit` is about its
 * devices. With check=on it is printed at boot, also where no guest can run.
 * From: monitor/term/command.c, boot/main.c (check=on).
 * To: vmx/caps.c (caps_lack), monitor/cmd/vtd.c.
 * Spec: SDM "CPUID-CPU Identification", "Microcode Update Resources".
 */
#include "arch/acpi.h"
#include "arch/apic.h"
#include "arch/cpu.h"
#include "arch/leaks.h"
#include "arch/msr.h"
#include "arch/safe.h"
#include "lib/string.h"
#include "monitor/cmd/commands.h"
#include "pci/pci.h"
#include "vmx/caps.h"
#include "vtd/vtd.h"

#define LEAF_BRAND     0x80000002 /* three leaves of 16 letters each */
#define CPUID_STEPPING BITS(3, 0)
#define CPUID_MODEL    BITS(7, 4)
#define CPUID_FAMILY   BITS(11, 8)
#define CPUID_MODEL_HI BITS(19, 16)
#define MICROCODE      BITS(63, 32)

/* SDM "CPUID-CPU Identification": the extended model counts for families 6 and 15. */
static void say_cpu(void)
{
    struct cpuid_regs brand[4] = {0};
    for (unsigned i = 0; i < 3; i++)
        brand[i] = cpuid(LEAF_BRAND + i, 0);
    const char *name = (const char *)brand; /* some begin with spaces */
    while (*name == ' ')
        name++;
    uint64_t update = 0;
    uint32_t id = cpuid(1, 0).eax;
    if (rdmsr_safe(MSR_IA32_BIOS_SIGN_ID, &update))
        update = 0;
    say("cpu=\"%s\" family=%lu model=0x%lx stepping=%lu microcode=0x%lx cpus=%u", name,
        FIELD_GET(CPUID_FAMILY, id),
        FIELD_GET(CPUID_MODEL_HI, id) << 4 | FIELD_GET(CPUID_MODEL, id),
        FIELD_GET(CPUID_STEPPING, id), FIELD_GET(MICROCODE, update), cpu_count());
}

/* Nothing, if all CPUs of this PC are of one kind and run. */
static void say_kinds(void)
{
    unsigned atoms = 0, cores = 0, set = 0;
    for (unsigned i = 0; i < cpu_count(); i++) {
        const struct cpu *cpu = cpu_get(i);
        atoms += cpu->kind == CPU_ATOM;
        cores += cpu->kind == CPU_CORE;
        set += cpu->skew != 0;
    }
    if (atoms + cores)
        say("hybrid core=%u atom=%u", cores, atoms);
    if (cpu_left_out() + set)
        say("cpus left-out=%u tsc-set=%u: lines of \"cpu\" and \"time\" above have the reasons",
            cpu_left_out(), set);
}

static void say_vmx(void)
{
    const char *name, *why;
    bool needed, can = vmx_caps.ready;
    for (unsigned n = 0; caps_lack(n, &name, &why, &needed); n++)
        say("  lacks \"%s\"%s: %s", name, needed ? ", which Hamlet needs" : "", why);
    say("guests=%s apicv=%s posting=%s ept-pages=4K%s%s ept-ad=%s invept=%s invvpid=%s nested=%s",
        can ? "yes" : "no", vmx_caps.apicv ? "yes" : "no", vmx_caps.posting ? "yes" : "no",
        vmx_caps.ept_2m ? ",2M" : "", vmx_caps.ept_1g ? ",1G" : "", vmx_caps.ept_ad ? "yes" : "no",
        vmx_caps.invept_single ? "single" : "all", vmx_caps.invvpid_single ? "single" : "all",
        vmx_caps.nested ? "yes" : "no");
    if (!can)
        say("  a line of \"vmx\" above has the reason");
}

/* The words: docs/hardware.md. */
void cmd_say_leaks(void)
{
    struct text here = {0}, not_here = {0};
    const char *name, *done;
    bool leaks;
    for (unsigned n = 0; leaks_known(n, &name, &leaks, &done); n++)
        text_add(leaks ? &here : &not_here, " %s%s%s", name, leaks ? "=" : "", leaks ? done : "");
    say("leaks here:%s; not here:%s", here.used ? here.at : " none",
        not_here.used ? not_here.at : " none");
}

static void say_firmware(void)
{
    static const char *const useful[] = {"DMAR", "MCFG", "HPET", "SPCR", "DBG2"};
    struct text has = {0};
    for (size_t i = 0; i < ARRAY_COUNT(useful); i++)
        text_add(&has, " %s=%s", useful[i],
                 acpi_find(useful[i])          ? "yes"
                 : acpi_was_refused(useful[i]) ? "broken"
                                               : "no");
    unsigned reserved = 0;
    for (size_t i = 0; i < pci_count(); i++) {
        hpa_t base;
        uint64_t size;
        reserved += vtd_rmrr(pci_get(i)->bdf, 0, &base, &size);
    }
    say("firmware%s asks-for-xapic=%s devices-with-reserved-memory=%u", has.at,
        vtd_asks_for_xapic() ? "yes" : "no", reserved);
}

void cmd_machine(struct args *a)
{
    if (!args_end(a))
        return;
    say_cpu();
    say_kinds();
    say_vmx();
    cmd_say_leaks();
    say("apic=%s", apic_is_x2apic() ? "x2apic" : "xapic");
    say_firmware();
    cmd_vtd(a);
}
