/* SPDX-License-Identifier: MIT */
/*
 * What this CPU can, as the capability MSRs report it, and the control words that follow from it.
 * From: vmx/run/init.c (caps_init), vmx/ and guest/ (vmx_caps).   To: vmx/caps.c.
 */
#pragma once
#include "lib/errno.h"
#include "lib/types.h"
#include "vmx/vmx_bits.h"

struct vmx_caps {
    bool ready; /* caps_init() found all that Hamlet needs */
    /* The CPU serves the virtual-APIC page in xAPIC and x2APIC mode, and delivers virtual
     * interrupts without an exit; false with apicv=off. */
    bool apicv;
    bool posting;                /* "process posted interrupts"; false with post=off */
    const char *no_posting;      /* why not */
    bool ipiv;                   /* "IPI virtualization", too; false with ipiv=off */
    bool ept_2m, ept_1g, ept_ad; /* large pages; accessed and dirty flags */
    bool invept_single, invvpid_single;
    uint8_t timer_shift; /* the preemption timer counts TSC >> shift */
    bool invpcid, rdtscp;
    bool nested;   /* another hypervisor below takes each exit first, so exits are dear */
    uint64_t xcr0; /* state components that are switched, so guests may use them; 0: no XSAVE */
    uint64_t guest_cr4;      /* bits of CR4 whose features guests are offered */
    uint32_t guest_commands; /* CPUID_7_..., EDX: commands against leaks that guests are offered */
};
extern struct vmx_caps vmx_caps; /* constant after vmx_init() */

/* Check the capability MSRs against what Hamlet needs, once; every missing feature is logged by
 * name. -ENODEV: no VMX, locked off by the firmware, or a feature is missing. */
MUST_CHECK int caps_init(void);
/* On each CPU: switch VMX on in IA32_FEATURE_CONTROL, and compare with what caps_init() saw.
 * -ENODEV (logged): locked off by the firmware, or a vCPU could not move between the two CPUs. */
MUST_CHECK int caps_check_cpu(void);
/* The n-th control, from 0 on, that Hamlet would use and this CPU does not have, with what it is
 * for. needed: no guest runs without it. False: no more. */
bool caps_lack(unsigned n, const char **name, const char **why, bool *needed);

enum control_word {
    CONTROL_PIN,
    CONTROL_PROC,
    CONTROL_PROC2,
    CONTROL_PROC3,
    CONTROL_EXIT,
    CONTROL_ENTRY
};
/* The word as every vCPU starts with it. */
uint32_t caps_control(enum control_word word);
uint32_t caps_revision(void);          /* of a VMCS */
uint64_t caps_cr0_fixed(uint64_t cr0); /* the value with the bits that VMX operation requires */
uint64_t caps_cr4_fixed(uint64_t cr4);
bool caps_proc_may_be_1(uint32_t bits); /* all of these primary controls */
