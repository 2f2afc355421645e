/* SPDX-License-Identifier: MIT */
/*
 * The table of controls: one row per control, with the reason.
 * From: vmx/caps.c.   To: vmx/vmx_bits.h (bit and name of each control).
 * Spec: SDM "VM-Execution Control Fields", "VM-Exit Controls", "VM-Entry Controls".
 */
#include "vmx/controls.h"
#include "vmx/vmx_bits.h"

/* From here on a control is its bit and its name in the manual, not its mask (lib/bits.h). */
#undef BIT
#define BIT(n, key, name) UINT32_C(1) << (n), name

const struct control controls[] = {
    {CONTROL_PIN, WANT_1, PIN_EXTERNAL_INTERRUPT, "interrupts are the host's"},
    {CONTROL_PIN, WANT_1, PIN_NMI, "so are NMIs"},
    {CONTROL_PIN, WANT_1, PIN_VIRTUAL_NMI, "the guest has NMI blocking of its own"},
    {CONTROL_PIN, WANT_1, PIN_PREEMPTION_TIMER, "no guest keeps a CPU"},

    {CONTROL_PROC, WANT_1, PROC_HLT, "a halted vCPU gives its CPU away"},
    {CONTROL_PROC, WANT_1, PROC_MWAIT, "not offered: #UD"},
    {CONTROL_PROC, WANT_1, PROC_MONITOR, "not offered: #UD"},
    {CONTROL_PROC, WANT_1, PROC_RDPMC, "the counters are the host's"},
    {CONTROL_PROC, WANT_1, PROC_MOV_DR, "rare; so no switch pays for debug registers"},
    {CONTROL_PROC, WANT_1, PROC_IO_BITMAPS, "ports pass one by one"},
    {CONTROL_PROC, WANT_1, PROC_MSR_BITMAPS, "so do MSRs"},
    {CONTROL_PROC, WANT_1, PROC_SECONDARY, "EPT is among them"},
    {CONTROL_PROC, WANT_1, PROC_TSC_OFFSETTING, "a guest's time is its own"},
    {CONTROL_PROC, WANT_0, PROC_INVLPG, "VPIDs keep TLBs apart"},
    {CONTROL_PROC, WANT_0, PROC_RDTSC, "time costs no exit"},
    {CONTROL_PROC, WANT_0, PROC_CR3_LOAD, "EPT: CR3 is the guest's own"},
    {CONTROL_PROC, WANT_0, PROC_CR3_STORE, "EPT: CR3 is the guest's own"},
    {CONTROL_PROC, WANT_0, PROC_UNCONDITIONAL_IO, "the bitmaps decide"},
    {CONTROL_PROC, WANT_0, PROC_PAUSE, "the time slice is short"},
    {CONTROL_PROC, IF_THERE, PROC_TPR_SHADOW, "APICv: TPR without exits"},

    {CONTROL_PROC2, WANT_1, PROC2_EPT, "guest memory is protected by it"},
    {CONTROL_PROC2, WANT_1, PROC2_VPID, "a VM entry does not empty the TLBs"},
    {CONTROL_PROC2, WANT_1, PROC2_UNRESTRICTED_GUEST, "guests start in real mode"},
    {CONTROL_PROC2, WANT_0, PROC2_DESCRIPTOR_TABLE, "they are the guest's own"},
    {CONTROL_PROC2, WANT_0, PROC2_RDRAND, "passes"},
    {CONTROL_PROC2, WANT_0, PROC2_RDSEED, "passes"},
    {CONTROL_PROC2, IF_THERE, PROC2_RDTSCP, "else it is #UD"},
    {CONTROL_PROC2, IF_THERE, PROC2_INVPCID, "else it is #UD"},
    {CONTROL_PROC2, IF_THERE, PROC2_APIC_ACCESSES, "APICv in xAPIC mode"},
    {CONTROL_PROC2, IF_THERE, PROC2_X2APIC_MODE, "APICv in x2APIC mode"},
    {CONTROL_PROC2, IF_THERE, PROC2_APIC_REGISTERS, "APICv"},
    {CONTROL_PROC2, IF_THERE, PROC2_VIRTUAL_INTERRUPTS, "APICv"},
    {CONTROL_PIN, IF_THERE, PIN_POSTED_INTERRUPTS, "APICv, no exit at all"},
    {CONTROL_PROC3, IF_THERE, PROC3_IPI, "an IPI costs its sender no exit"},

    {CONTROL_EXIT, WANT_1, EXIT_SAVE_DEBUG, "DR7 is the guest's own"},
    {CONTROL_EXIT, WANT_1, EXIT_HOST_64BIT, "Hamlet is 64-bit"},
    {CONTROL_EXIT, WANT_1, EXIT_ACK_INTERRUPT, "IF stays 0 in Hamlet"},
    {CONTROL_EXIT, WANT_1, EXIT_SAVE_PAT, "PAT is the guest's own"},
    {CONTROL_EXIT, WANT_1, EXIT_LOAD_PAT, "and the host's"},
    {CONTROL_EXIT, WANT_1, EXIT_SAVE_EFER, "EFER is the guest's own"},
    {CONTROL_EXIT, WANT_1, EXIT_LOAD_EFER, "and the host's"},
    {CONTROL_EXIT, WANT_1, EXIT_SAVE_PREEMPTION_TIMER, "exits do not make a slice longer"},
    {CONTROL_EXIT, WANT_0, EXIT_LOAD_PERF_GLOBAL, "not used"},

    {CONTROL_ENTRY, WANT_1, ENTRY_LOAD_DEBUG, "DR7 is the guest's own"},
    {CONTROL_ENTRY, WANT_1, ENTRY_LOAD_PAT, "PAT is the guest's own"},
    {CONTROL_ENTRY, WANT_1, ENTRY_LOAD_EFER, "EFER is the guest's own"},
    {CONTROL_ENTRY, WANT_0, ENTRY_LOAD_PERF_GLOBAL, "not used"},
    {.name = NULL},
};
