/* SPDX-License-Identifier: MIT */
/*
 * VM-execution controls, exit reasons and exit qualifications, bit by bit.
 * From: vmx/vmcs_fields.h (the fields that hold them).   To: vmx/caps.c (which of them we want, and why).
 * Spec: SDM "Virtual Machine Control Structures", Appendix A "VMX Capability Reporting Facility",
 * Appendix C "VMX Basic Exit Reasons".
 */
#pragma once
#include "lib/bits.h"

// clang-format off

/* SDM "Pin-Based VM-Execution Controls" */
#define PIN_EXTERNAL_INTERRUPT      BIT(0)
#define PIN_NMI                     BIT(3)
#define PIN_VIRTUAL_NMI             BIT(5)
#define PIN_PREEMPTION_TIMER        BIT(6)
#define PIN_POSTED_INTERRUPTS       BIT(7)

/* SDM "Processor-Based VM-Execution Controls": primary */
#define PROC_INTERRUPT_WINDOW       BIT(2)
#define PROC_TSC_OFFSETTING         BIT(3)
#define PROC_HLT                    BIT(7)
#define PROC_INVLPG                 BIT(9)
#define PROC_MWAIT                  BIT(10)
#define PROC_RDPMC                  BIT(11)
#define PROC_RDTSC                  BIT(12)
#define PROC_CR3_LOAD               BIT(15)
#define PROC_CR3_STORE              BIT(16)
#define PROC_CR8_LOAD               BIT(19)
#define PROC_CR8_STORE              BIT(20)
#define PROC_TPR_SHADOW             BIT(21)
#define PROC_NMI_WINDOW             BIT(22)
#define PROC_MOV_DR                 BIT(23)
#define PROC_UNCONDITIONAL_IO       BIT(24)
#define PROC_IO_BITMAPS             BIT(25)
#define PROC_MONITOR_TRAP           BIT(27)
#define PROC_MSR_BITMAPS            BIT(28)
#define PROC_MONITOR                BIT(29)
#define PROC_PAUSE                  BIT(30)
#define PROC_SECONDARY              BIT(31)

/* the same: secondary */
#define PROC2_APIC_ACCESSES         BIT(0)
#define PROC2_EPT                   BIT(1)
#define PROC2_DESCRIPTOR_TABLE      BIT(2)
#define PROC2_RDTSCP                BIT(3)
#define PROC2_X2APIC_MODE           BIT(4)
#define PROC2_VPID                  BIT(5)
#define PROC2_WBINVD                BIT(6)
#define PROC2_UNRESTRICTED_GUEST    BIT(7)
#define PROC2_APIC_REGISTERS        BIT(8)
#define PROC2_VIRTUAL_INTERRUPTS    BIT(9)
#define PROC2_PAUSE_LOOP            BIT(10)
#define PROC2_RDRAND                BIT(11)
#define PROC2_INVPCID               BIT(12)
#define PROC2_VMFUNC                BIT(13)
#define PROC2_VMCS_SHADOWING        BIT(14)
#define PROC2_RDSEED                BIT(16)
#define PROC2_PML                   BIT(17)
#define PROC2_EPT_VIOLATION_VE      BIT(18)
#define PROC2_XSAVES                BIT(20)
#define PROC2_TSC_SCALING           BIT(25)

/* SDM "VM-Exit Controls" */
#define EXIT_SAVE_DEBUG             BIT(2)
#define EXIT_HOST_64BIT             BIT(9)
#define EXIT_LOAD_PERF_GLOBAL       BIT(12)
#define EXIT_ACK_INTERRUPT          BIT(15)
#define EXIT_SAVE_PAT               BIT(18)
#define EXIT_LOAD_PAT               BIT(19)
#define EXIT_SAVE_EFER              BIT(20)
#define EXIT_LOAD_EFER              BIT(21)
#define EXIT_SAVE_PREEMPTION_TIMER  BIT(22)

/* SDM "VM-Entry Controls" */
#define ENTRY_LOAD_DEBUG            BIT(2)
#define ENTRY_GUEST_64BIT           BIT(9) /* "IA-32e mode guest"; each VM exit stores EFER.LMA here */
#define ENTRY_LOAD_PERF_GLOBAL      BIT(13)
#define ENTRY_LOAD_PAT              BIT(14)
#define ENTRY_LOAD_EFER             BIT(15)

/* SDM "Basic VMX Information": IA32_VMX_BASIC */
#define VMX_BASIC_REVISION          BITS(30, 0)
#define VMX_BASIC_SIZE              BITS(44, 32)
#define VMX_BASIC_MEMTYPE           BITS(53, 50)
#define VMX_BASIC_TRUE_CONTROLS     BIT(55)

/* SDM "Miscellaneous Data": IA32_VMX_MISC */
#define VMX_MISC_TIMER_SHIFT        BITS(4, 0)

/* SDM "VPID and EPT Capabilities": IA32_VMX_EPT_VPID_CAP */
#define EPT_CAP_WALK_4              BIT(6)
#define EPT_CAP_UC                  BIT(8)
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
#define EPTP_MEMTYPE                BITS(2, 0)
#define EPTP_WALK_LENGTH            BITS(5, 3) /* less 1 */
#define EPTP_ACCESSED_DIRTY         BIT(6)
#define EPTP_ADDR                   BITS(51, 12)

/* INVEPT, INVVPID: the type operand */
#define INVEPT_SINGLE               1
#define INVEPT_ALL                  2
#define INVVPID_SINGLE              1
#define INVVPID_ALL                 2

/* Exit reason field: SDM "Basic VM-Exit Information" */
#define EXIT_REASON_BASIC           BITS(15, 0)
#define EXIT_REASON_ENTRY_FAILURE   BIT(31)

/* SDM "VM-Exit Interruption Information", "IDT-Vectoring Information", "VM-Entry Interruption Information" */
#define EVENT_VECTOR                BITS(7, 0)
#define EVENT_TYPE                  BITS(10, 8)
#define     EVENT_EXTERNAL          0
#define     EVENT_NMI               2
#define     EVENT_EXCEPTION         3 /* hardware exception */
#define     EVENT_SOFT_INTERRUPT    4 /* INT n */
#define     EVENT_PRIV_EXCEPTION    5 /* INT1 */
#define     EVENT_SOFT_EXCEPTION    6 /* INT3, INTO */
#define EVENT_ERROR_CODE            BIT(11)
#define EVENT_NMI_UNBLOCKED         BIT(12) /* VM-exit information only: IRET had lifted the blocking */
#define EVENT_VALID                 BIT(31)

/* SDM "Guest Non-Register State": interruptibility, activity, pending debug exceptions */
#define BLOCKED_BY_STI              BIT(0)
#define BLOCKED_BY_MOV_SS           BIT(1)
#define BLOCKED_BY_SMI              BIT(2)
#define BLOCKED_BY_NMI              BIT(3)
#define ACTIVITY_ACTIVE             0
#define ACTIVITY_HLT                1
#define ACTIVITY_SHUTDOWN           2
#define ACTIVITY_WAIT_SIPI          3
#define PENDING_DEBUG_BS            BIT(14)
/* SDM "Guest Interrupt Status" */
#define INTERRUPT_STATUS_RVI        BITS(7, 0)
#define INTERRUPT_STATUS_SVI        BITS(15, 8)

/* SDM "Guest Register State": access rights */
#define SEG_AR_TYPE                 BITS(3, 0)
#define     SEG_TYPE_CODE           11 /* execute/read, accessed */
#define     SEG_TYPE_DATA           3  /* read/write, accessed */
#define     SEG_TYPE_LDT            2
#define     SEG_TYPE_TSS16_BUSY     3
#define     SEG_TYPE_TSS_BUSY       11
#define SEG_AR_S                    BIT(4) /* code or data */
#define SEG_AR_DPL                  BITS(6, 5)
#define SEG_AR_P                    BIT(7)
#define SEG_AR_L                    BIT(13)
#define SEG_AR_DB                   BIT(14)
#define SEG_AR_G                    BIT(15)
#define SEG_AR_UNUSABLE             BIT(16)

/* SDM "Exit Qualification for Debug Exceptions" */
#define QUAL_DB_TRIGGERS            (BITS(3, 0) | BITS(14, 13) | BIT(16))
/* SDM "Exit Qualification for MOV DR" */
#define QUAL_DR_NUMBER              BITS(2, 0)
#define QUAL_DR_FROM                BIT(4)
#define QUAL_DR_GPR                 BITS(11, 8)
/* SDM "Exit Qualification for Control-Register Accesses" */
#define QUAL_CR_NUMBER              BITS(3, 0)
#define QUAL_CR_ACCESS              BITS(5, 4)
#define     CR_ACCESS_TO            0
#define     CR_ACCESS_FROM          1
#define     CR_ACCESS_CLTS          2
#define     CR_ACCESS_LMSW          3
#define QUAL_CR_LMSW_MEMORY         BIT(6)
#define QUAL_CR_GPR                 BITS(11, 8)
#define QUAL_CR_LMSW_DATA           BITS(31, 16)
/* SDM "Exit Qualification for I/O Instructions" */
#define QUAL_IO_SIZE                BITS(2, 0) /* bytes less 1 */
#define QUAL_IO_IN                  BIT(3)
#define QUAL_IO_STRING              BIT(4)
#define QUAL_IO_REP                 BIT(5)
#define QUAL_IO_PORT                BITS(31, 16)
/* SDM "Format of the VM-Exit Instruction-Information Field as Used for INS and OUTS" */
#define INFO_IO_ADDRESS_SIZE        BITS(9, 7) /* 0: 16 bits, 1: 32, 2: 64 */
/* SDM "Exit Qualification for EPT Violations" */
#define QUAL_EPT_READ               BIT(0)
#define QUAL_EPT_WRITE              BIT(1)
#define QUAL_EPT_FETCH              BIT(2)
#define QUAL_EPT_MAPPED             BITS(5, 3) /* what the entry allows: read, write, execute */
#define QUAL_EPT_LINEAR_VALID       BIT(7)
#define QUAL_EPT_LINEAR             BIT(8)     /* 0: during a walk of the guest's page tables */
#define QUAL_EPT_NMI_UNBLOCKED      BIT(12)
/* SDM "Exit Qualification for APIC-Access VM Exits from Linear Accesses and Guest-Physical Accesses" */
#define QUAL_APIC_OFFSET            BITS(11, 0)
#define QUAL_APIC_TYPE              BITS(15, 12)
#define     APIC_LINEAR_READ        0
#define     APIC_LINEAR_WRITE       1
#define     APIC_LINEAR_FETCH       2
#define     APIC_LINEAR_DELIVERY    3

/* SDM Appendix C "VMX Basic Exit Reasons" */
enum exit_reason {
    EXIT_EXCEPTION_NMI = 0,
    EXIT_EXTERNAL_INTERRUPT = 1,
    EXIT_TRIPLE_FAULT = 2,
    EXIT_INIT = 3,
    EXIT_SIPI = 4,
    EXIT_INTERRUPT_WINDOW = 7,
    EXIT_NMI_WINDOW = 8,
    EXIT_TASK_SWITCH = 9,
    EXIT_CPUID = 10,
    EXIT_GETSEC = 11,
    EXIT_HLT = 12,
    EXIT_INVD = 13,
    EXIT_INVLPG = 14,
    EXIT_RDPMC = 15,
    EXIT_RDTSC = 16,
    EXIT_RSM = 17,
    EXIT_VMCALL = 18,
    EXIT_VMCLEAR = 19,
    EXIT_VMLAUNCH = 20,
    EXIT_VMPTRLD = 21,
    EXIT_VMPTRST = 22,
    EXIT_VMREAD = 23,
    EXIT_VMRESUME = 24,
    EXIT_VMWRITE = 25,
    EXIT_VMXOFF = 26,
    EXIT_VMXON = 27,
    EXIT_CR_ACCESS = 28,
    EXIT_MOV_DR = 29,
    EXIT_IO_INSTRUCTION = 30,
    EXIT_RDMSR = 31,
    EXIT_WRMSR = 32,
    EXIT_ENTRY_GUEST_STATE = 33,
    EXIT_ENTRY_MSR_LOADING = 34,
    EXIT_MWAIT = 36,
    EXIT_MONITOR_TRAP = 37,
    EXIT_MONITOR = 39,
    EXIT_PAUSE = 40,
    EXIT_ENTRY_MACHINE_CHECK = 41,
    EXIT_TPR_BELOW_THRESHOLD = 43,
    EXIT_APIC_ACCESS = 44,
    EXIT_VIRTUALIZED_EOI = 45,
    EXIT_GDTR_IDTR = 46,
    EXIT_LDTR_TR = 47,
    EXIT_EPT_VIOLATION = 48,
    EXIT_EPT_MISCONFIG = 49,
    EXIT_INVEPT = 50,
    EXIT_RDTSCP = 51,
    EXIT_PREEMPTION_TIMER = 52,
    EXIT_INVVPID = 53,
    EXIT_WBINVD = 54,
    EXIT_XSETBV = 55,
    EXIT_APIC_WRITE = 56,
    EXIT_RDRAND = 57,
    EXIT_INVPCID = 58,
    EXIT_VMFUNC = 59,
    EXIT_ENCLS = 60,
    EXIT_RDSEED = 61,
    EXIT_PML_FULL = 62,
    EXIT_XSAVES = 63,
    EXIT_XRSTORS = 64,
    EXIT_SPP = 66,
    EXIT_UMWAIT = 67,
    EXIT_TPAUSE = 68,
    EXIT_LOADIWKEY = 69,
    EXIT_BUS_LOCK = 74,
    EXIT_NOTIFY = 75,
    EXIT_REASON_COUNT = 80, /* more than the highest of what we enable; the rest is NULL rows */
};
// clang-format on
