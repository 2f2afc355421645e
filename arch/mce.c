/* SPDX-License-Identifier: MIT */
/*
 * Machine checks. An error that the hardware could not correct comes as #MC, which is a panic. One
 * that it has corrected stands in a bank until that is read.
 * From: boot/main.c, guest/life/run.c, arch/trap.c.   To: arch/safe.c.
 * Spec: SDM "Machine-Check Architecture": "Error-Reporting Register Banks", "Machine-Check
 * Initialization".   Not handled: recovery (SRAR), the interrupt of corrected errors (CMCI).
 */
#include "arch/mce.h"
#include "arch/cpu.h"
#include "arch/msr.h"
#include "arch/time.h"
#include "arch/safe.h"
#define LOG "mce"
#include "arch/log.h"

#define POLL_US    1000000
#define CPUID_MCE  BIT(7) /* CPUID.01H:EDX */
#define CPUID_MCA  BIT(14)
#define ALL_ERRORS UINT64_MAX

static uint64_t next_poll[CPU_MAX]; /* TSC; each CPU has its own */

static uint64_t read(uint32_t msr)
{
    uint64_t v = 0;
    return rdmsr_safe(msr, &v) == 0 ? v : 0;
}

static unsigned bank_count(void)
{
    const uint32_t both = CPUID_MCE | CPUID_MCA;
    if ((cpuid(1, 0).edx & both) != both)
        return 0;
    return (unsigned)FIELD_GET(MCG_CAP_COUNT, read(MSR_IA32_MCG_CAP));
}

/* Log what the bank holds. False: nothing. */
static bool bank_print(unsigned bank, const char *what)
{
    uint32_t msr = MSR_IA32_MC_STATUS(bank);
    uint64_t status = read(msr);
    if (!(status & MC_STATUS_VAL))
        return false;
    log_often("%s: bank=%u status=0x%lx %s code=0x%lx address=0x%lx misc=0x%lx", what, bank, status,
              status & MC_STATUS_UC ? "uncorrected" : "corrected",
              FIELD_GET(MC_STATUS_CODE, status), status & MC_STATUS_ADDRV ? read(msr + 1) : 0,
              status & MC_STATUS_MISCV ? read(msr + 2) : 0);
    return true;
}

/* A bank that is read is free for the next error. */
static void banks_take(const char *what)
{
    for (unsigned bank = 0, count = bank_count(); bank < count; bank++)
        if (bank_print(bank, what))
            wrmsr(MSR_IA32_MC_STATUS(bank), 0);
}

/* SDM "Machine-Check Initialization": banks keep errors over a warm reset, which is then one of
 * those that led to it. */
void mce_init(void)
{
    banks_take("from before this boot");
    for (unsigned bank = 0, count = bank_count(); bank < count; bank++)
        wrmsr(MSR_IA32_MC_CTL(bank), ALL_ERRORS);
}

void mce_poll(void)
{
    uint64_t *next = &next_poll[this_cpu()->index];
    if (rdtsc() < *next)
        return;
    *next = time_deadline_us(POLL_US);
    banks_take("an error of the hardware");
}

void mce_print(void)
{
    unsigned count = bank_count();
    log_error("machine check: status=0x%lx banks=%u", read(MSR_IA32_MCG_STATUS), count);
    for (unsigned bank = 0; bank < count; bank++)
        (void)bank_print(bank, "machine check");
}
