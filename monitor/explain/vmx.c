/* SPDX-License-Identifier: MIT */
/*
 * The words of VT-x, for explain.
 * From: monitor/explain/explain.c.   To: vmx/vmx_bits.h (the bits).
 * Spec: SDM "Virtual Machine Control Structures".
 */
#include "monitor/explain/explain.h"
#include "vmx/vcpu/vcpu.h"

static const struct explain_field pin[] = {
    {PIN_EXTERNAL_INTERRUPT, "EXTINT", "external interrupts exit", NULL, 0},
    {PIN_NMI, "NMI", "NMIs exit", NULL, 0},
    {PIN_VIRTUAL_NMI, "VNMI", "virtual NMIs", NULL, 0},
    {PIN_PREEMPTION_TIMER, "TIMER", "the preemption timer counts", NULL, 0},
    {PIN_POSTED_INTERRUPTS, "POST", "posted interrupts are processed", NULL, 0},
    {0}};

static const struct explain_field proc[] = {
    {PROC_INTERRUPT_WINDOW, "INTWIN", "exit as soon as an interrupt can be taken", NULL, 0},
    {PROC_TSC_OFFSETTING, "TSCOFF", "TSC offsetting", NULL, 0},
    {PROC_HLT, "HLT", "HLT exits", NULL, 0},
    {PROC_INVLPG, "INVLPG", "INVLPG exits", NULL, 0},
    {PROC_MWAIT, "MWAIT", "MWAIT exits", NULL, 0},
    {PROC_RDPMC, "RDPMC", "RDPMC exits", NULL, 0},
    {PROC_RDTSC, "RDTSC", "RDTSC exits", NULL, 0},
    {PROC_CR3_LOAD, "CR3LD", "MOV to CR3 exits", NULL, 0},
    {PROC_CR3_STORE, "CR3ST", "MOV from CR3 exits", NULL, 0},
    {PROC_CR8_LOAD, "CR8LD", "MOV to CR8 exits", NULL, 0},
    {PROC_CR8_STORE, "CR8ST", "MOV from CR8 exits", NULL, 0},
    {PROC_TPR_SHADOW, "TPR", "the TPR is virtualized", NULL, 0},
    {PROC_NMI_WINDOW, "NMIWIN", "exit as soon as an NMI can be taken", NULL, 0},
    {PROC_MOV_DR, "MOVDR", "MOV DR exits", NULL, 0},
    {PROC_UNCONDITIONAL_IO, "IO", "every I/O instruction exits", NULL, 0},
    {PROC_IO_BITMAPS, "IOBMAP", "I/O bitmaps decide", NULL, 0},
    {PROC_MONITOR_TRAP, "MTF", "exit after each instruction", NULL, 0},
    {PROC_MSR_BITMAPS, "MSRBMAP", "MSR bitmaps decide", NULL, 0},
    {PROC_MONITOR, "MONITOR", "MONITOR exits", NULL, 0},
    {PROC_PAUSE, "PAUSE", "PAUSE exits", NULL, 0},
    {PROC_SECONDARY, "PROC2", "secondary controls are in force", NULL, 0},
    {0}};

static const struct explain_field proc2[] = {
    {PROC2_APIC_ACCESSES, "APICACC", "accesses to the APIC page are virtualized", NULL, 0},
    {PROC2_EPT, "EPT", "EPT is on", NULL, 0},
    {PROC2_DESCRIPTOR_TABLE, "DESC", "LGDT and the like exit", NULL, 0},
    {PROC2_RDTSCP, "RDTSCP", "RDTSCP is allowed", NULL, 0},
    {PROC2_X2APIC_MODE, "X2APIC", "x2APIC MSRs are virtualized", NULL, 0},
    {PROC2_VPID, "VPID", "TLB entries are tagged", NULL, 0},
    {PROC2_WBINVD, "WBINVD", "WBINVD exits", NULL, 0},
    {PROC2_UNRESTRICTED_GUEST, "UNRESTR", "real mode and no paging are allowed", NULL, 0},
    {PROC2_APIC_REGISTERS, "APICREG", "reads of APIC registers do not exit", NULL, 0},
    {PROC2_VIRTUAL_INTERRUPTS, "VINTR", "virtual interrupts are delivered without exit", NULL, 0},
    {PROC2_PAUSE_LOOP, "PAUSELOOP", "a loop of PAUSE exits", NULL, 0},
    {PROC2_RDRAND, "RDRAND", "RDRAND exits", NULL, 0},
    {PROC2_INVPCID, "INVPCID", "INVPCID is allowed", NULL, 0},
    {PROC2_VMFUNC, "VMFUNC", "VM functions", NULL, 0},
    {PROC2_VMCS_SHADOWING, "SHADOW", "VMREAD and VMWRITE may reach a shadow VMCS", NULL, 0},
    {PROC2_RDSEED, "RDSEED", "RDSEED exits", NULL, 0},
    {PROC2_PML, "PML", "page-modification log", NULL, 0},
    {PROC2_EPT_VIOLATION_VE, "VE", "EPT violations may become #VE", NULL, 0},
    {PROC2_XSAVES, "XSAVES", "XSAVES is allowed", NULL, 0},
    {PROC2_TSC_SCALING, "TSCSCALE", "TSC scaling", NULL, 0},
    {0}};

static const struct explain_field exit_controls[] = {
    {EXIT_SAVE_DEBUG, "SAVEDBG", "DR7 and IA32_DEBUGCTL are saved", NULL, 0},
    {EXIT_HOST_64BIT, "HOST64", "the host is in 64-bit mode", NULL, 0},
    {EXIT_LOAD_PERF_GLOBAL, "LOADPERF", "IA32_PERF_GLOBAL_CTRL is loaded", NULL, 0},
    {EXIT_ACK_INTERRUPT, "ACK", "the interrupt is acknowledged, its vector told", NULL, 0},
    {EXIT_SAVE_PAT, "SAVEPAT", "IA32_PAT is saved", NULL, 0},
    {EXIT_LOAD_PAT, "LOADPAT", "IA32_PAT is loaded", NULL, 0},
    {EXIT_SAVE_EFER, "SAVEEFER", "IA32_EFER is saved", NULL, 0},
    {EXIT_LOAD_EFER, "LOADEFER", "IA32_EFER is loaded", NULL, 0},
    {EXIT_SAVE_PREEMPTION_TIMER, "SAVETMR", "the timer's value is saved", NULL, 0},
    {0}};

static const struct explain_field entry_controls[] = {
    {ENTRY_LOAD_DEBUG, "LOADDBG", "DR7 and IA32_DEBUGCTL are loaded", NULL, 0},
    {ENTRY_GUEST_64BIT, "GUEST64", "the guest is in IA-32e mode", NULL, 0},
    {ENTRY_LOAD_PERF_GLOBAL, "LOADPERF", "IA32_PERF_GLOBAL_CTRL is loaded", NULL, 0},
    {ENTRY_LOAD_PAT, "LOADPAT", "IA32_PAT is loaded", NULL, 0},
    {ENTRY_LOAD_EFER, "LOADEFER", "IA32_EFER is loaded", NULL, 0},
    {0}};

static const struct explain_field event[] = {
    {EVENT_VECTOR, "VECTOR", "vector", NULL, 0},
    {EVENT_TYPE, "TYPE", "what kind of event",
     "0:external interrupt|2:NMI|3:hardware exception|4:INT n|5:INT1|6:INT3 or INTO", 0},
    {EVENT_ERROR_CODE, "ERR", "it has an error code", NULL, 0},
    {EVENT_NMI_UNBLOCKED, "IRET", "NMIs had been unblocked by IRET", NULL, 0},
    {EVENT_VALID, "VALID", "there is one", NULL, 0},
    {0}};

static const struct explain_field exceptions[] = {
    {BIT(0), "DE", "#DE exits", NULL, 0},  {BIT(1), "DB", "#DB exits", NULL, 0},
    {BIT(3), "BP", "#BP exits", NULL, 0},  {BIT(6), "UD", "#UD exits", NULL, 0},
    {BIT(7), "NM", "#NM exits", NULL, 0},  {BIT(8), "DF", "#DF exits", NULL, 0},
    {BIT(12), "SS", "#SS exits", NULL, 0}, {BIT(13), "GP", "#GP exits", NULL, 0},
    {BIT(14), "PF", "#PF exits", NULL, 0}, {BIT(17), "AC", "#AC exits", NULL, 0},
    {BIT(18), "MC", "#MC exits", NULL, 0}, {0}};

static const struct explain_field activity[] = {
    {BITS(31, 0), "STATE", "activity state", "0:active|1:HLT|2:shutdown|3:wait for SIPI", 0}, {0}};

static const struct explain_field interruptibility[] = {
    {BLOCKED_BY_STI, "STI", "blocking by STI", NULL, 0},
    {BLOCKED_BY_MOV_SS, "MOVSS", "blocking by MOV SS", NULL, 0},
    {BLOCKED_BY_SMI, "SMI", "blocking by SMI", NULL, 0},
    {BLOCKED_BY_NMI, "NMI", "blocking by NMI", NULL, 0},
    {0}};

static const struct explain_field interrupt_status[] = {
    {INTERRUPT_STATUS_RVI, "RVI", "highest vector requested", NULL, 0},
    {INTERRUPT_STATUS_SVI, "SVI", "highest vector in service", NULL, 0},
    {0}};

static const struct explain_field access_rights[] = {
    {SEG_AR_TYPE, "TYPE", "type", "3:data|11:code, or a busy TSS", 0},
    {SEG_AR_S, "S", "code or data", NULL, 0},
    {SEG_AR_DPL, "DPL", "privilege level", NULL, 0},
    {SEG_AR_P, "P", "present", NULL, 0},
    {SEG_AR_L, "L", "64-bit code", NULL, 0},
    {SEG_AR_DB, "DB", "32-bit", NULL, 0},
    {SEG_AR_G, "G", "the limit counts pages", NULL, 0},
    {SEG_AR_UNUSABLE, "UNUSABLE", "the segment cannot be used", NULL, 0},
    {0}};

static const struct explain_field eptp[] = {
    {EPTP_MEMTYPE, "MEMTYPE", "memory type of the tables", "0:UC|6:WB", 0},
    {EPTP_WALK_LENGTH, "LENGTH", "levels less 1", NULL, 0},
    {EPTP_ACCESSED_DIRTY, "AD", "accessed and dirty flags are on", NULL, 0},
    {EPTP_ADDR, "ADDR", "address of the table of level 4", EXPLAIN_ADDRESS, 0},
    {0}};

static const struct explain_field ept[] = {
    {EPT_PERM_READ, "R", "reads are allowed", NULL, 0},
    {EPT_PERM_WRITE, "W", "writes are allowed", NULL, 0},
    {EPT_PERM_EXEC, "X", "fetches are allowed", NULL, 0},
    {BITS(5, 3), "MEMTYPE", "memory type of a leaf", "6:WB", 0},
    {BIT(6), "IPAT", "the guest's PAT is ignored", NULL, 0},
    {BIT(7), "LEAF", "maps 2 MiB or 1 GiB", NULL, 0},
    {BIT(8), "A", "accessed", NULL, 0},
    {BIT(9), "D", "dirty", NULL, 0},
    {BITS(51, 12), "ADDR", "address of the next table, or of the memory", EXPLAIN_ADDRESS, 0},
    {0}};

static const struct explain_field exit_reason[] = {
    {EXIT_REASON_BASIC, "BASIC", "number of the reason", NULL, 0},
    {EXIT_REASON_ENTRY_FAILURE, "ENTRY", "the entry itself failed", NULL, 0},
    {0}};

static const struct explain_field qualification_debug[] = {
    {BITS(3, 0), "B3-B0", "which breakpoints matched", NULL, 0},
    {BIT(13), "BD", "access to a debug register", NULL, 0},
    {BIT(14), "BS", "single step", NULL, 0},
    {0}};

static const struct explain_field qualification_sipi[] = {
    {BITS(7, 0), "VECTOR", "of the STARTUP IPI: execution starts at this times 4096", NULL, 0},
    {0}};

static const struct explain_field qualification_task[] = {
    {BITS(15, 0), "SELECTOR", "of the new task", NULL, 0},
    {BITS(31, 30), "BY", "who switched", "0:CALL|1:IRET|2:JMP|3:a task gate in the IDT", 0},
    {0}};

#define REGISTERS                                                                                  \
    "0:RAX|1:RCX|2:RDX|3:RBX|4:RSP|5:RBP|6:RSI|7:RDI|8:R8|9:R9|10:R10|11:R11|12:R12|13:R13|"       \
    "14:R14|15:R15"
static const struct explain_field qualification_dr[] = {
    {BITS(2, 0), "DR", "number of the register", NULL, 0},
    {BIT(4), "ACCESS", "what was done", "0:MOV to DR|1:MOV from DR", 0},
    {BITS(11, 8), "GPR", "the other register", REGISTERS, 0},
    {0}};

static const struct explain_field qualification_cr[] = {
    {QUAL_CR_NUMBER, "CR", "number of the register", NULL, 0},
    {QUAL_CR_ACCESS, "ACCESS", "what was done", "0:MOV to CR|1:MOV from CR|2:CLTS|3:LMSW", 0},
    {QUAL_CR_LMSW_MEMORY, "MEMORY", "LMSW from memory", NULL, 0},
    {QUAL_CR_GPR, "GPR", "the other register", REGISTERS, 0},
    {QUAL_CR_LMSW_DATA, "DATA", "source of LMSW", NULL, 0},
    {0}};

static const struct explain_field qualification_io[] = {
    {QUAL_IO_SIZE, "SIZE", "width", "0:1 byte|1:2 bytes|3:4 bytes", 0},
    {QUAL_IO_IN, "IN", "direction", "0:OUT|1:IN", 0},
    {QUAL_IO_STRING, "STRING", "INS or OUTS", NULL, 0},
    {QUAL_IO_REP, "REP", "with REP", NULL, 0},
    {BIT(6), "IMM", "where the port stands", "0:in DX|1:in the instruction", 0},
    {QUAL_IO_PORT, "PORT", "port", NULL, 0},
    {0}};

static const struct explain_field qualification_apic[] = {
    {QUAL_APIC_OFFSET, "OFFSET", "in the APIC page", NULL, 0},
    {QUAL_APIC_TYPE, "TYPE", "access", "0:read|1:write|2:instruction fetch|3:during event delivery",
     0},
    {0}};

static const struct explain_field qualification_failure[] = {
    {BITS(63, 0), "WHY", "in guest state",
     "0:no more is known|2:PDPTEs|3:an NMI, blocked by STI|4:VMCS link", 0},
    {0}};
static const struct explain_field qualification_msr_loading[] = {
    {BITS(63, 0), "ENTRY", "number of the entry that could not be loaded, from 1", NULL, 0}, {0}};

static const struct explain_field qualification_mwait[] = {
    {BIT(0), "ARMED", "the address-range monitor", "0:was not armed|1:was armed", 0}, {0}};

static const struct explain_field qualification_eoi[] = {
    {BITS(7, 0), "VECTOR", "whose interrupt has ended", NULL, 0}, {0}};

static const struct explain_field qualification_address[] = {
    {BITS(63, 0), "ADDRESS", "linear address, or displacement of the operand", NULL, 0}, {0}};

static const struct explain_field qualification_apic_write[] = {
    {QUAL_APIC_OFFSET, "OFFSET", "of the register in the APIC page, already written", NULL, 0},
    {0}};

static const struct explain_field qualification_ept[] = {
    {QUAL_EPT_READ, "READ", "it was a read", NULL, 0},
    {QUAL_EPT_WRITE, "WRITE", "it was a write", NULL, 0},
    {QUAL_EPT_FETCH, "FETCH", "it was a fetch", NULL, 0},
    {QUAL_EPT_MAPPED, "MAPPED", "what the entries allow (1 read, 2 write, 4 execute)", NULL, 0},
    {QUAL_EPT_LINEAR_VALID, "LINEAR", "the guest-linear address is valid", NULL, 0},
    {QUAL_EPT_LINEAR, "FINAL", "who wanted the address",
     "0:the walk of the guest's page tables|1:the access itself", 0},
    {QUAL_EPT_NMI_UNBLOCKED, "IRET", "NMIs had been unblocked by IRET", NULL, 0},
    {0}};

const struct explain_register explain_vmx[] = {
    {"vmcs.pin", "SDM \"Pin-Based VM-Execution Controls\"", 1, pin},
    {"vmcs.proc", "SDM \"Processor-Based VM-Execution Controls\"", 1, proc},
    {"vmcs.proc2", "SDM \"Processor-Based VM-Execution Controls\"", 1, proc2},
    {"vmcs.exit", "SDM \"VM-Exit Controls\"", 1, exit_controls},
    {"vmcs.entry", "SDM \"VM-Entry Controls\"", 1, entry_controls},
    {"vmcs.event", "SDM \"VM-Entry Interruption Information\"", 1, event},
    {"vmcs.interruptibility", "SDM \"Guest Non-Register State\"", 1, interruptibility},
    {"vmcs.interrupt_status", "SDM \"Guest Interrupt Status\"", 1, interrupt_status},
    {"vmcs.access_rights", "SDM \"Guest Register State\"", 1, access_rights},
    {"vmcs.eptp", "SDM \"Extended-Page-Table Pointer (EPTP)\"", 1, eptp},
    {"vmcs.exit_reason", "SDM \"Basic VM-Exit Information\"", 1, exit_reason},
    {"vmcs.qualification.0", "SDM \"Exit Qualification for Debug Exceptions\"", 1,
     qualification_debug},
    {"vmcs.qualification.4", "SDM \"Basic VM-Exit Information\"", 1, qualification_sipi},
    {"vmcs.qualification.9", "SDM \"Basic VM-Exit Information\"", 1, qualification_task},
    {"vmcs.qualification.14", "SDM \"Basic VM-Exit Information\"", 1, qualification_address},
    {"vmcs.qualification.28", "SDM \"Exit Qualification for Control-Register Accesses\"", 1,
     qualification_cr},
    {"vmcs.qualification.29", "SDM \"Basic VM-Exit Information\"", 1, qualification_dr},
    {"vmcs.qualification.30", "SDM \"Exit Qualification for I/O Instructions\"", 1,
     qualification_io},
    {"vmcs.qualification.33", "SDM \"VM-Entry Failures During or After Loading Guest State\"", 1,
     qualification_failure},
    {"vmcs.qualification.34", "SDM \"VM-Entry Failures During or After Loading Guest State\"", 1,
     qualification_msr_loading},
    {"vmcs.qualification.36", "SDM \"Basic VM-Exit Information\"", 1, qualification_mwait},
    {"vmcs.qualification.44",
     "SDM \"Exit Qualification for APIC-Access VM Exits from Linear Accesses and Guest-Physical "
     "Accesses\"",
     1, qualification_apic},
    {"vmcs.qualification.45", "SDM \"Basic VM-Exit Information\"", 1, qualification_eoi},
    {"vmcs.qualification.46", "SDM \"Basic VM-Exit Information\"", 1, qualification_address},
    {"vmcs.qualification.47", "SDM \"Basic VM-Exit Information\"", 1, qualification_address},
    {"vmcs.qualification.48", "SDM \"Exit Qualification for EPT Violations\"", 1,
     qualification_ept},
    {"vmcs.qualification.56", "SDM \"Basic VM-Exit Information\"", 1, qualification_apic_write},
    {"vmcs.exceptions", "SDM \"VM-Execution Control Fields\"", 1, exceptions},
    {"vmcs.activity", "SDM \"Guest Non-Register State\"", 1, activity},
    {"ept", "SDM \"The Extended Page Table Mechanism (EPT)\"", 1, ept},
    {0}};
