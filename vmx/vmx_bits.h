/* SPDX-License-Identifier: MIT */
/*
 * VM-execution controls, exit reasons and exit qualifications, bit by bit.
 * From: vmx/caps.h, vmx/vmcs.h, monitor/explain/vmx.c.   To: arch/x86.h (the bits of DR6 and CR0).
 * Spec: SDM "Virtual Machine Control Structures", Appendix A "VMX Capability Reporting Facility",
 * Appendix C "VMX Basic Exit Reasons".
 */
#pragma once
#include "arch/x86.h"

// clang-format off

/* The controls' words are their names in the manual. SDM "Pin-Based VM-Execution Controls" */
#define PIN_EXTERNAL_INTERRUPT      BIT(0, "EXTINT", "external-interrupt exiting")
#define PIN_NMI                     BIT(3, "NMI", "NMI exiting")
#define PIN_VIRTUAL_NMI             BIT(5, "VNMI", "virtual NMIs")
#define PIN_PREEMPTION_TIMER        BIT(6, "TIMER", "activate VMX-preemption timer")
#define PIN_POSTED_INTERRUPTS       BIT(7, "POST", "process posted interrupts")

/* SDM "Processor-Based VM-Execution Controls": primary */
#define PROC_INTERRUPT_WINDOW       BIT(2, "INTWIN", "interrupt-window exiting")
#define PROC_TSC_OFFSETTING         BIT(3, "TSCOFF", "use TSC offsetting")
#define PROC_HLT                    BIT(7, "HLT", "HLT exiting")
#define PROC_INVLPG                 BIT(9, "INVLPG", "INVLPG exiting")
#define PROC_MWAIT                  BIT(10, "MWAIT", "MWAIT exiting")
#define PROC_RDPMC                  BIT(11, "RDPMC", "RDPMC exiting")
#define PROC_RDTSC                  BIT(12, "RDTSC", "RDTSC exiting")
#define PROC_CR3_LOAD               BIT(15, "CR3LD", "CR3-load exiting")
#define PROC_CR3_STORE              BIT(16, "CR3ST", "CR3-store exiting")
#define PROC_TERTIARY               BIT(17, "PROC3", "activate tertiary controls")
#define PROC_CR8_LOAD               BIT(19, "CR8LD", "CR8-load exiting")
#define PROC_CR8_STORE              BIT(20, "CR8ST", "CR8-store exiting")
#define PROC_TPR_SHADOW             BIT(21, "TPR", "use TPR shadow")
#define PROC_NMI_WINDOW             BIT(22, "NMIWIN", "NMI-window exiting")
#define PROC_MOV_DR                 BIT(23, "MOVDR", "MOV-DR exiting")
#define PROC_UNCONDITIONAL_IO       BIT(24, "IO", "unconditional I/O exiting")
#define PROC_IO_BITMAPS             BIT(25, "IOBMAP", "use I/O bitmaps")
#define PROC_MONITOR_TRAP           BIT(27, "MTF", "monitor trap flag")
#define PROC_MSR_BITMAPS            BIT(28, "MSRBMAP", "use MSR bitmaps")
#define PROC_MONITOR                BIT(29, "MONITOR", "MONITOR exiting")
#define PROC_PAUSE                  BIT(30, "PAUSE", "PAUSE exiting")
#define PROC_SECONDARY              BIT(31, "PROC2", "activate secondary controls")

/* the same: secondary */
#define PROC2_APIC_ACCESSES         BIT(0, "APICACC", "virtualize APIC accesses")
#define PROC2_EPT                   BIT(1, "EPT", "EPT")
#define PROC2_DESCRIPTOR_TABLE      BIT(2, "DESC", "descriptor-table exiting")
#define PROC2_RDTSCP                BIT(3, "RDTSCP", "enable RDTSCP")
#define PROC2_X2APIC_MODE           BIT(4, "X2APIC", "virtualize x2APIC mode")
#define PROC2_VPID                  BIT(5, "VPID", "VPID")
#define PROC2_WBINVD                BIT(6, "WBINVD", "WBINVD exiting")
#define PROC2_UNRESTRICTED_GUEST    BIT(7, "UNRESTR", "unrestricted guest")
#define PROC2_APIC_REGISTERS        BIT(8, "APICREG", "APIC-register virtualization")
#define PROC2_VIRTUAL_INTERRUPTS    BIT(9, "VINTR", "virtual-interrupt delivery")
#define PROC2_PAUSE_LOOP            BIT(10, "PAUSELOOP", "PAUSE-loop exiting")
#define PROC2_RDRAND                BIT(11, "RDRAND", "RDRAND exiting")
#define PROC2_INVPCID               BIT(12, "INVPCID", "enable INVPCID")
#define PROC2_VMFUNC                BIT(13, "VMFUNC", "enable VM functions")
#define PROC2_VMCS_SHADOWING        BIT(14, "SHADOW", "VMCS shadowing")
#define PROC2_RDSEED                BIT(16, "RDSEED", "RDSEED exiting")
#define PROC2_PML                   BIT(17, "PML", "enable PML")
#define PROC2_EPT_VIOLATION_VE      BIT(18, "VE", "EPT-violation #VE")
#define PROC2_XSAVES                BIT(20, "XSAVES", "enable XSAVES/XRSTORS")
#define PROC2_TSC_SCALING           BIT(25, "TSCSCALE", "use TSC scaling")

/* the same: tertiary */
#define PROC3_IPI                   BIT(4, "IPIV", "IPI virtualization")

/* SDM "VM-Exit Controls" */
#define EXIT_SAVE_DEBUG             BIT(2, "SAVEDBG", "save debug controls")
#define EXIT_HOST_64BIT             BIT(9, "HOST64", "host address-space size")
#define EXIT_LOAD_PERF_GLOBAL       BIT(12, "LOADPERF", "load IA32_PERF_GLOBAL_CTRL (exit)")
#define EXIT_ACK_INTERRUPT          BIT(15, "ACK", "acknowledge interrupt on exit")
#define EXIT_SAVE_PAT               BIT(18, "SAVEPAT", "save IA32_PAT")
#define EXIT_LOAD_PAT               BIT(19, "LOADPAT", "load IA32_PAT (exit)")
#define EXIT_SAVE_EFER              BIT(20, "SAVEEFER", "save IA32_EFER")
#define EXIT_LOAD_EFER              BIT(21, "LOADEFER", "load IA32_EFER (exit)")
#define EXIT_SAVE_PREEMPTION_TIMER  BIT(22, "SAVETMR", "save VMX-preemption timer value")

/* SDM "VM-Entry Controls" */
#define ENTRY_LOAD_DEBUG            BIT(2, "LOADDBG", "load debug controls")
#define ENTRY_GUEST_64BIT           BIT(9, "GUEST64", "IA-32e mode guest") /* exits: EFER.LMA */
#define ENTRY_LOAD_PERF_GLOBAL      BIT(13, "LOADPERF", "load IA32_PERF_GLOBAL_CTRL (entry)")
#define ENTRY_LOAD_PAT              BIT(14, "LOADPAT", "load IA32_PAT (entry)")
#define ENTRY_LOAD_EFER             BIT(15, "LOADEFER", "load IA32_EFER (entry)")

/* SDM "Basic VMX Information": IA32_VMX_BASIC */
#define VMX_BASIC_REVISION          BITS(30, 0)
#define VMX_BASIC_TRUE_CONTROLS     BIT(55)

/* SDM "Miscellaneous Data": IA32_VMX_MISC */
#define VMX_MISC_TIMER_SHIFT        BITS(4, 0)

/* SDM "VPID and EPT Capabilities": IA32_VMX_EPT_VPID_CAP */
#define EPT_CAP_WALK_4              BIT(6)
#define EPT_CAP_WB                  BIT(14)
#define EPT_CAP_2M                  BIT(16)
#define EPT_CAP_1G                  BIT(17)
#define EPT_CAP_INVEPT              BIT(20)
#define EPT_CAP_ACCESSED_DIRTY      BIT(21)
#define EPT_CAP_INVEPT_SINGLE       BIT(25)
#define EPT_CAP_INVEPT_ALL          BIT(26)
#define EPT_CAP_INVVPID             BIT(32)
#define EPT_CAP_INVVPID_SINGLE      BIT(41)
#define EPT_CAP_INVVPID_ALL         BIT(42)

/* SDM "Extended-Page-Table Pointer (EPTP)" */
#define EPTP_MEMTYPE                BITS(2, 0, "MEMTYPE", "memory type of the tables", "0:UC|6:WB")
#define EPTP_WALK_LENGTH            BITS(5, 3, "LENGTH", "levels less 1")
#define EPTP_ACCESSED_DIRTY         BIT(6, "AD", "accessed and dirty flags are on")
#define EPTP_ADDR                   BITS(51, 12, "ADDR", "address of the table of level 4", ADDRESS)

/* SDM "The Extended Page Table Mechanism (EPT)": an entry, but for what arch/radix.h has. */
#define EPT_MEMTYPE                 BITS(5, 3, "MEMTYPE", "memory type of a leaf", "6:WB")
#define EPT_IGNORE_PAT              BIT(6, "IPAT", "the guest's PAT is ignored")
#define EPT_ACCESSED                BIT(8, "A", "accessed")
#define EPT_DIRTY                   BIT(9, "D", "dirty")

/* INVEPT, INVVPID: the type operand */
#define INVEPT_SINGLE               1
#define INVEPT_ALL                  2
#define INVVPID_SINGLE              1
#define INVVPID_ALL                 2

/* Exit reason field: SDM "Basic VM-Exit Information" */
#define EXIT_REASON_BASIC           BITS(15, 0, "BASIC", "the reason", EXIT_REASONS(VALUE))
#define EXIT_REASON_ENTRY_FAILURE   BIT(31, "ENTRY", "the entry itself failed")

/* SDM "VM-Exit Interruption Information", "IDT-Vectoring Information", and "VM-Entry
 * Interruption Information" */
#define EVENT_VECTOR                BITS(7, 0, "VECTOR", "vector")
#define EVENT_TYPE                  BITS(10, 8, "TYPE", "what kind of event", \
                                         "0:external interrupt|2:NMI|3:hardware exception|" \
                                         "4:INT n|5:INT1|6:INT3 or INTO")
#define     EVENT_EXTERNAL          0
#define     EVENT_NMI               2
#define     EVENT_EXCEPTION         3 /* hardware exception */
#define     EVENT_SOFT_INTERRUPT    4 /* INT n */
#define EVENT_ERROR_CODE            BIT(11, "ERR", "it has an error code")
#define EVENT_NMI_UNBLOCKED         BIT(12, "IRET", "IRET had unblocked NMIs") /* VM exits only */
#define EVENT_VALID                 BIT(31, "VALID", "there is one")

/* SDM "Guest Non-Register State": interruptibility, activity, pending debug exceptions */
#define BLOCKED_BY_STI              BIT(0, "STI", "blocking by STI")
#define BLOCKED_BY_MOV_SS           BIT(1, "MOVSS", "blocking by MOV SS")
#define BLOCKED_BY_SMI              BIT(2, "SMI", "blocking by SMI")
#define BLOCKED_BY_NMI              BIT(3, "NMI", "blocking by NMI")
#define ACTIVITY_STATE              BITS(31, 0, "STATE", "activity state", \
                                         "0:active|1:HLT|2:shutdown|3:wait for SIPI")
#define     ACTIVITY_ACTIVE         0
#define     ACTIVITY_WAIT_SIPI      3
#define PENDING_DEBUG_BS            BIT(14)
/* SDM "Guest Interrupt Status" */
#define INTERRUPT_STATUS_RVI        BITS(7, 0, "RVI", "highest vector requested")
#define INTERRUPT_STATUS_SVI        BITS(15, 8, "SVI", "highest vector in service")

/* SDM "Guest Register State": access rights */
#define SEG_AR_TYPE                 BITS(3, 0, "TYPE", "type", "3:data|11:code, or a busy TSS")
#define     SEG_TYPE_CODE           11 /* execute/read, accessed */
#define     SEG_TYPE_CONFORMING     4  /* this bit of a code segment's */
#define     SEG_TYPE_DATA           3  /* read/write, accessed */
#define     SEG_TYPE_LDT            2
#define     SEG_TYPE_TSS16_BUSY     3
#define     SEG_TYPE_TSS_BUSY       11
#define SEG_AR_S                    BIT(4, "S", "code or data")
#define SEG_AR_DPL                  BITS(6, 5, "DPL", "privilege level")
#define SEG_AR_P                    BIT(7, "P", "present")
#define SEG_AR_L                    BIT(13, "L", "64-bit code")
#define SEG_AR_DB                   BIT(14, "DB", "32-bit")
#define SEG_AR_G                    BIT(15, "G", "the limit counts pages")
#define SEG_AR_UNUSABLE             BIT(16, "UNUSABLE", "the segment cannot be used")

/* Exit qualifications; those without a section of their own: SDM "Basic VM-Exit Information". */
#define QUAL_ADDRESS                BITS(63, 0, "ADDRESS", "linear, or the operand's displacement")
#define QUAL_SIPI_VECTOR            BITS(7, 0, "VECTOR", "times 4096: where execution starts")
#define QUAL_EOI_VECTOR             BITS(7, 0, "VECTOR", "whose interrupt has ended")
#define QUAL_MWAIT_ARMED            BIT(0, "ARMED", "the address monitor", "0:not armed|1:armed")
#define QUAL_TASK_SELECTOR          BITS(15, 0, "SELECTOR", "of the new task")
#define QUAL_TASK_SOURCE            BITS(31, 30, "BY", "by", "0:CALL|1:IRET|2:JMP|3:a task gate")
/* SDM "VM-Entry Failures During or After Loading Guest State" */
#define QUAL_GUEST_STATE            BITS(63, 0, "WHY", "in guest state", \
                                         "0:no more is known|2:PDPTEs|3:NMI under STI|4:VMCS link")
#define QUAL_MSR_ENTRY              BITS(63, 0, "ENTRY", "number of the bad one, from 1")
/* SDM "Exit Qualification for Debug Exceptions": the bits of DR6 */
#define QUAL_DB_TRIGGERS            (DR6_BREAKS | DR6_BD | DR6_BS | DR6_RTM)
/* SDM "Exit Qualification for MOV DR" */
#define GPR_VALUES                  "0:RAX|1:RCX|2:RDX|3:RBX|4:RSP|5:RBP|6:RSI|7:RDI|" \
                                    "8:R8|9:R9|10:R10|11:R11|12:R12|13:R13|14:R14|15:R15"
#define QUAL_DR_NUMBER              BITS(2, 0, "DR", "number of the register")
#define QUAL_DR_FROM                BIT(4, "ACCESS", "what was done", "0:MOV to DR|1:MOV from DR")
#define QUAL_DR_GPR                 BITS(11, 8, "GPR", "the other register", GPR_VALUES)
/* SDM "Exit Qualification for Control-Register Accesses" */
#define QUAL_CR_NUMBER              BITS(3, 0, "CR", "number of the register")
#define QUAL_CR_ACCESS              BITS(5, 4, "ACCESS", "what was done", \
                                         "0:MOV to CR|1:MOV from CR|2:CLTS|3:LMSW")
#define     CR_ACCESS_TO            0
#define     CR_ACCESS_FROM          1
#define QUAL_CR_LMSW_MEMORY         BIT(6, "MEMORY", "LMSW from memory")
#define QUAL_CR_GPR                 BITS(11, 8, "GPR", "the other register", GPR_VALUES)
#define QUAL_CR_LMSW_DATA           BITS(31, 16, "DATA", "source of LMSW")
/* SDM "Exit Qualification for I/O Instructions" */
#define QUAL_IO_SIZE                BITS(2, 0, "SIZE", "width", "0:1 byte|1:2 bytes|3:4 bytes")
#define QUAL_IO_IN                  BIT(3, "IN", "direction", "0:OUT|1:IN")
#define QUAL_IO_STRING              BIT(4, "STRING", "INS or OUTS")
#define QUAL_IO_REP                 BIT(5, "REP", "with REP")
#define QUAL_IO_IMMEDIATE           BIT(6, "IMM", "the port is in", "0:DX|1:the instruction")
#define QUAL_IO_PORT                BITS(31, 16, "PORT", "port")
/* SDM "Format of the VM-Exit Instruction-Information Field as Used for INS and OUTS" */
#define INFO_IO_ADDRESS_SIZE        BITS(9, 7) /* 0: 16 bits, 1: 32, 2: 64 */
/* SDM "Exit Qualification for EPT Violations" */
#define QUAL_EPT_READ               BIT(0, "READ", "it was a read")
#define QUAL_EPT_WRITE              BIT(1, "WRITE", "it was a write")
#define QUAL_EPT_FETCH              BIT(2, "FETCH", "it was a fetch")
#define QUAL_EPT_MAPPED             BITS(5, 3, "MAPPED", "allowed: 1 read, 2 write, 4 fetch")
#define QUAL_EPT_LINEAR_VALID       BIT(7, "LINEAR", "the guest-linear address is valid")
#define QUAL_EPT_LINEAR             BIT(8, "FINAL", "who wanted the address", \
                                        "0:the walk of the guest's page tables|1:the access itself")
#define QUAL_EPT_NMI_UNBLOCKED      BIT(12, "IRET", "NMIs had been unblocked by IRET")
/* SDM "Exit Qualification for APIC-Access VM Exits from Linear Accesses and Guest-Physical
 * Accesses" */
#define QUAL_APIC_OFFSET            BITS(11, 0, "OFFSET", "in the APIC page")
#define QUAL_APIC_TYPE              BITS(15, 12, "TYPE", "access", \
                                         "0:read|1:write|2:fetch|3:during event delivery")
#define     APIC_LINEAR_READ        0
#define     APIC_LINEAR_WRITE       1
#define     APIC_LINEAR_FETCH       2
#define     APIC_LINEAR_EVENT       3

/* SDM Appendix C "VMX Basic Exit Reasons" */
#define EXIT_REASONS(F)                                                                            \
    F(EXIT_EXCEPTION_NMI,         0, "exception or NMI")                                           \
    F(EXIT_EXTERNAL_INTERRUPT,    1, "external interrupt")                                         \
    F(EXIT_TRIPLE_FAULT,          2, "triple fault")                                               \
    F(EXIT_INIT,                  3, "INIT signal")                                                \
    F(EXIT_SIPI,                  4, "start-up IPI")                                               \
    F(EXIT_INTERRUPT_WINDOW,      7, "interrupt window")                                           \
    F(EXIT_NMI_WINDOW,            8, "NMI window")                                                 \
    F(EXIT_TASK_SWITCH,           9, "task switch")                                                \
    F(EXIT_CPUID,                10, "CPUID")                                                      \
    F(EXIT_GETSEC,               11, "GETSEC")                                                     \
    F(EXIT_HLT,                  12, "HLT")                                                        \
    F(EXIT_INVD,                 13, "INVD")                                                       \
    F(EXIT_INVLPG,               14, "INVLPG")                                                     \
    F(EXIT_RDPMC,                15, "RDPMC")                                                      \
    F(EXIT_RDTSC,                16, "RDTSC")                                                      \
    F(EXIT_RSM,                  17, "RSM")                                                        \
    F(EXIT_VMCALL,               18, "VMCALL")                                                     \
    F(EXIT_VMCLEAR,              19, "VMCLEAR")                                                    \
    F(EXIT_VMLAUNCH,             20, "VMLAUNCH")                                                   \
    F(EXIT_VMPTRLD,              21, "VMPTRLD")                                                    \
    F(EXIT_VMPTRST,              22, "VMPTRST")                                                    \
    F(EXIT_VMREAD,               23, "VMREAD")                                                     \
    F(EXIT_VMRESUME,             24, "VMRESUME")                                                   \
    F(EXIT_VMWRITE,              25, "VMWRITE")                                                    \
    F(EXIT_VMXOFF,               26, "VMXOFF")                                                     \
    F(EXIT_VMXON,                27, "VMXON")                                                      \
    F(EXIT_CR_ACCESS,            28, "control-register access")                                    \
    F(EXIT_MOV_DR,               29, "MOV DR")                                                     \
    F(EXIT_IO_INSTRUCTION,       30, "I/O instruction")                                            \
    F(EXIT_RDMSR,                31, "RDMSR")                                                      \
    F(EXIT_WRMSR,                32, "WRMSR")                                                      \
    F(EXIT_ENTRY_GUEST_STATE,    33, "VM-entry failure: invalid guest state")                      \
    F(EXIT_ENTRY_MSR_LOADING,    34, "VM-entry failure: MSR loading")                              \
    F(EXIT_MWAIT,                36, "MWAIT")                                                      \
    F(EXIT_MONITOR_TRAP,         37, "monitor trap flag")                                          \
    F(EXIT_MONITOR,              39, "MONITOR")                                                    \
    F(EXIT_PAUSE,                40, "PAUSE")                                                      \
    F(EXIT_ENTRY_MACHINE_CHECK,  41, "VM-entry failure: machine-check event")                      \
    F(EXIT_TPR_BELOW_THRESHOLD,  43, "TPR below threshold")                                        \
    F(EXIT_APIC_ACCESS,          44, "APIC access")                                                \
    F(EXIT_VIRTUALIZED_EOI,      45, "virtualized EOI")                                            \
    F(EXIT_GDTR_IDTR,            46, "access to GDTR or IDTR")                                     \
    F(EXIT_LDTR_TR,              47, "access to LDTR or TR")                                       \
    F(EXIT_EPT_VIOLATION,        48, "EPT violation")                                              \
    F(EXIT_EPT_MISCONFIG,        49, "EPT misconfiguration")                                       \
    F(EXIT_INVEPT,               50, "INVEPT")                                                     \
    F(EXIT_RDTSCP,               51, "RDTSCP")                                                     \
    F(EXIT_PREEMPTION_TIMER,     52, "VMX-preemption timer expired")                               \
    F(EXIT_INVVPID,              53, "INVVPID")                                                    \
    F(EXIT_WBINVD,               54, "WBINVD")                                                     \
    F(EXIT_XSETBV,               55, "XSETBV")                                                     \
    F(EXIT_APIC_WRITE,           56, "APIC write")                                                 \
    F(EXIT_RDRAND,               57, "RDRAND")                                                     \
    F(EXIT_INVPCID,              58, "INVPCID")                                                    \
    F(EXIT_VMFUNC,               59, "VMFUNC")                                                     \
    F(EXIT_ENCLS,                60, "ENCLS")                                                      \
    F(EXIT_RDSEED,               61, "RDSEED")                                                     \
    F(EXIT_PML_FULL,             62, "page-modification log full")                                 \
    F(EXIT_XSAVES,               63, "XSAVES")                                                     \
    F(EXIT_XRSTORS,              64, "XRSTORS")                                                    \
    F(EXIT_SPP,                  66, "SPP-related event")                                          \
    F(EXIT_UMWAIT,               67, "UMWAIT")                                                     \
    F(EXIT_TPAUSE,               68, "TPAUSE")                                                     \
    F(EXIT_LOADIWKEY,            69, "LOADIWKEY")                                                  \
    F(EXIT_BUS_LOCK,             74, "bus-lock assertion")                                         \
    F(EXIT_NOTIFY,               75, "notify VM exit")                                             \
    F(EXIT_SEAMCALL,             76, "SEAMCALL")                                                   \
    F(EXIT_TDCALL,               77, "TDCALL")

enum exit_reason {
#define F(name, number, words) name = number,
    EXIT_REASONS(F)
#undef F
    EXIT_REASON_COUNT = 80, /* more than the highest of what we enable */
};
// clang-format on
