/* SPDX-License-Identifier: MIT */
/*
 * The words of VT-x, for explain.
 * From: monitor/explain/explain.c.   To: vmx/vmx_bits.h (the definitions).
 * Spec: SDM "Virtual Machine Control Structures".
 */
#include "arch/radix.h"
#include "arch/x86.h"
#include "vmx/ept.h"
#include "vmx/vmx_bits.h"
#include "monitor/explain/row.h"

/* A list of numbers and their names, as the values of a field. */
#define VALUE(name, number, words) #number ":" words "|"
#define EXCEPTION(name)            BIT(VECTOR_##name, #name, "#" #name " exits")

const struct explain_register explain_vmx[] = {
    {"vmcs.pin", "SDM \"Pin-Based VM-Execution Controls\"", 1,
     FIELDS(PIN_EXTERNAL_INTERRUPT, PIN_NMI, PIN_VIRTUAL_NMI, PIN_PREEMPTION_TIMER,
            PIN_POSTED_INTERRUPTS)},
    {"vmcs.proc", "SDM \"Processor-Based VM-Execution Controls\"", 1,
     FIELDS(PROC_INTERRUPT_WINDOW, PROC_TSC_OFFSETTING, PROC_HLT, PROC_INVLPG, PROC_MWAIT,
            PROC_RDPMC, PROC_RDTSC, PROC_CR3_LOAD, PROC_CR3_STORE, PROC_CR8_LOAD, PROC_CR8_STORE,
            PROC_TPR_SHADOW, PROC_NMI_WINDOW, PROC_MOV_DR, PROC_UNCONDITIONAL_IO, PROC_IO_BITMAPS,
            PROC_MONITOR_TRAP, PROC_MSR_BITMAPS, PROC_MONITOR, PROC_PAUSE, PROC_SECONDARY)},
    {"vmcs.proc2", "SDM \"Processor-Based VM-Execution Controls\"", 1,
     FIELDS(PROC2_APIC_ACCESSES, PROC2_EPT, PROC2_DESCRIPTOR_TABLE, PROC2_RDTSCP, PROC2_X2APIC_MODE,
            PROC2_VPID, PROC2_WBINVD, PROC2_UNRESTRICTED_GUEST, PROC2_APIC_REGISTERS,
            PROC2_VIRTUAL_INTERRUPTS, PROC2_PAUSE_LOOP, PROC2_RDRAND, PROC2_INVPCID, PROC2_VMFUNC,
            PROC2_VMCS_SHADOWING, PROC2_RDSEED, PROC2_PML, PROC2_EPT_VIOLATION_VE, PROC2_XSAVES,
            PROC2_TSC_SCALING)},
    {"vmcs.exit", "SDM \"VM-Exit Controls\"", 1,
     FIELDS(EXIT_SAVE_DEBUG, EXIT_HOST_64BIT, EXIT_LOAD_PERF_GLOBAL, EXIT_ACK_INTERRUPT,
            EXIT_SAVE_PAT, EXIT_LOAD_PAT, EXIT_SAVE_EFER, EXIT_LOAD_EFER,
            EXIT_SAVE_PREEMPTION_TIMER)},
    {"vmcs.entry", "SDM \"VM-Entry Controls\"", 1,
     FIELDS(ENTRY_LOAD_DEBUG, ENTRY_GUEST_64BIT, ENTRY_LOAD_PERF_GLOBAL, ENTRY_LOAD_PAT,
            ENTRY_LOAD_EFER)},
    {"vmcs.event", "SDM \"VM-Entry Interruption Information\"", 1,
     FIELDS(EVENT_VECTOR, EVENT_TYPE, EVENT_ERROR_CODE, EVENT_NMI_UNBLOCKED, EVENT_VALID)},
    {"vmcs.interruptibility", "SDM \"Guest Non-Register State\"", 1,
     FIELDS(BLOCKED_BY_STI, BLOCKED_BY_MOV_SS, BLOCKED_BY_SMI, BLOCKED_BY_NMI)},
    {"vmcs.interrupt_status", "SDM \"Guest Interrupt Status\"", 1,
     FIELDS(INTERRUPT_STATUS_RVI, INTERRUPT_STATUS_SVI)},
    {"vmcs.access_rights", "SDM \"Guest Register State\"", 1,
     FIELDS(SEG_AR_TYPE, SEG_AR_S, SEG_AR_DPL, SEG_AR_P, SEG_AR_L, SEG_AR_DB, SEG_AR_G,
            SEG_AR_UNUSABLE)},
    {"vmcs.eptp", "SDM \"Extended-Page-Table Pointer (EPTP)\"", 1,
     FIELDS(EPTP_MEMTYPE, EPTP_WALK_LENGTH, EPTP_ACCESSED_DIRTY, EPTP_ADDR)},
    {"vmcs.exit_reason", "SDM \"Basic VM-Exit Information\"", 1,
     FIELDS(EXIT_REASON_BASIC, EXIT_REASON_ENTRY_FAILURE)},
    {"vmcs.qualification.0", "SDM \"Exit Qualification for Debug Exceptions\"", 1,
     FIELDS(DR6_BREAKS, DR6_BD, DR6_BS)},
    {"vmcs.qualification.4", "SDM \"Basic VM-Exit Information\"", 1, FIELDS(QUAL_SIPI_VECTOR)},
    {"vmcs.qualification.9", "SDM \"Basic VM-Exit Information\"", 1,
     FIELDS(QUAL_TASK_SELECTOR, QUAL_TASK_SOURCE)},
    {"vmcs.qualification.14", "SDM \"Basic VM-Exit Information\"", 1, FIELDS(QUAL_ADDRESS)},
    {"vmcs.qualification.28", "SDM \"Exit Qualification for Control-Register Accesses\"", 1,
     FIELDS(QUAL_CR_NUMBER, QUAL_CR_ACCESS, QUAL_CR_LMSW_MEMORY, QUAL_CR_GPR, QUAL_CR_LMSW_DATA)},
    {"vmcs.qualification.29", "SDM \"Basic VM-Exit Information\"", 1,
     FIELDS(QUAL_DR_NUMBER, QUAL_DR_FROM, QUAL_DR_GPR)},
    {"vmcs.qualification.30", "SDM \"Exit Qualification for I/O Instructions\"", 1,
     FIELDS(QUAL_IO_SIZE, QUAL_IO_IN, QUAL_IO_STRING, QUAL_IO_REP, QUAL_IO_IMMEDIATE,
            QUAL_IO_PORT)},
    {"vmcs.qualification.33", "SDM \"VM-Entry Failures During or After Loading Guest State\"", 1,
     FIELDS(QUAL_GUEST_STATE)},
    {"vmcs.qualification.34", "SDM \"VM-Entry Failures During or After Loading Guest State\"", 1,
     FIELDS(QUAL_MSR_ENTRY)},
    {"vmcs.qualification.36", "SDM \"Basic VM-Exit Information\"", 1, FIELDS(QUAL_MWAIT_ARMED)},
    {"vmcs.qualification.44",
     "SDM \"Exit Qualification for APIC-Access VM Exits from Linear Accesses and Guest-Physical "
     "Accesses\"",
     1, FIELDS(QUAL_APIC_OFFSET, QUAL_APIC_TYPE)},
    {"vmcs.qualification.45", "SDM \"Basic VM-Exit Information\"", 1, FIELDS(QUAL_EOI_VECTOR)},
    {"vmcs.qualification.46", "SDM \"Basic VM-Exit Information\"", 1, FIELDS(QUAL_ADDRESS)},
    {"vmcs.qualification.47", "SDM \"Basic VM-Exit Information\"", 1, FIELDS(QUAL_ADDRESS)},
    {"vmcs.qualification.48", "SDM \"Exit Qualification for EPT Violations\"", 1,
     FIELDS(QUAL_EPT_READ, QUAL_EPT_WRITE, QUAL_EPT_FETCH, QUAL_EPT_MAPPED, QUAL_EPT_LINEAR_VALID,
            QUAL_EPT_LINEAR, QUAL_EPT_NMI_UNBLOCKED)},
    {"vmcs.qualification.56", "SDM \"Basic VM-Exit Information\"", 1, FIELDS(QUAL_APIC_OFFSET)},
    {"vmcs.exceptions", "SDM \"VM-Execution Control Fields\"", 1,
     FIELDS(EXCEPTION(DE), EXCEPTION(DB), EXCEPTION(BP), EXCEPTION(UD), EXCEPTION(NM),
            EXCEPTION(DF), EXCEPTION(SS), EXCEPTION(GP), EXCEPTION(PF), EXCEPTION(AC),
            EXCEPTION(MC))},
    {"vmcs.activity", "SDM \"Guest Non-Register State\"", 1, FIELDS(ACTIVITY_STATE)},
    {"ept", "SDM \"The Extended Page Table Mechanism (EPT)\"", 1,
     FIELDS(EPT_PERM_READ, EPT_PERM_WRITE, EPT_PERM_EXEC, EPT_MEMTYPE, EPT_IGNORE_PAT, RADIX_LEAF,
            EPT_ACCESSED, EPT_DIRTY, RADIX_ADDR)},
    {0}};
