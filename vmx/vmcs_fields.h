/* SPDX-License-Identifier: MIT */
/*
 * The fields of the VMCS, in the order of the manual's tables, once: the enum, the names for dumps
 * and messages, and the unit test (tests/unit/test_vmcs_fields.c) are all made from this list.
 * From: vmx/vmcs.h (vmread, vmwrite).   To: lib/bits.h.
 * Spec: SDM Appendix B "Field Encoding in VMCS".
 */
#pragma once
#include "lib/bits.h"

/* An encoding says how wide its field is and in which area it lies. */
// clang-format off
#define VMCS_FIELD_HIGH     BIT(0)          /* the upper half of a 64-bit field, for 32-bit code */
#define VMCS_FIELD_INDEX    BITS(9, 1)
#define VMCS_FIELD_TYPE     BITS(11, 10)
#define     VMCS_TYPE_CONTROL   0
#define     VMCS_TYPE_EXIT_INFO 1           /* read-only */
#define     VMCS_TYPE_GUEST     2
#define     VMCS_TYPE_HOST      3
#define VMCS_FIELD_WIDTH    BITS(14, 13)
#define     VMCS_WIDTH_16       0
#define     VMCS_WIDTH_64       1
#define     VMCS_WIDTH_32       2
#define     VMCS_WIDTH_NATURAL  3

#define VMCS_CONTROL_16(F) /* 16-bit control fields */                                             \
    F(VIRTUAL_PROCESSOR_ID,             0x0000)                                                    \
    F(POSTED_INTR_VECTOR,               0x0002)                                                    \
    F(LAST_PID_POINTER_INDEX,           0x0008)
#define VMCS_GUEST_16(F) /* 16-bit guest-state fields */                                           \
    F(GUEST_ES_SELECTOR,                0x0800)                                                    \
    F(GUEST_CS_SELECTOR,                0x0802)                                                    \
    F(GUEST_SS_SELECTOR,                0x0804)                                                    \
    F(GUEST_DS_SELECTOR,                0x0806)                                                    \
    F(GUEST_FS_SELECTOR,                0x0808)                                                    \
    F(GUEST_GS_SELECTOR,                0x080a)                                                    \
    F(GUEST_LDTR_SELECTOR,              0x080c)                                                    \
    F(GUEST_TR_SELECTOR,                0x080e)                                                    \
    F(GUEST_INTERRUPT_STATUS,           0x0810)
#define VMCS_HOST_16(F) /* 16-bit host-state fields */                                             \
    F(HOST_ES_SELECTOR,                 0x0c00)                                                    \
    F(HOST_CS_SELECTOR,                 0x0c02)                                                    \
    F(HOST_SS_SELECTOR,                 0x0c04)                                                    \
    F(HOST_DS_SELECTOR,                 0x0c06)                                                    \
    F(HOST_FS_SELECTOR,                 0x0c08)                                                    \
    F(HOST_GS_SELECTOR,                 0x0c0a)                                                    \
    F(HOST_TR_SELECTOR,                 0x0c0c)
#define VMCS_CONTROL_64(F) /* 64-bit control fields */                                             \
    F(IO_BITMAP_A,                      0x2000)                                                    \
    F(IO_BITMAP_B,                      0x2002)                                                    \
    F(MSR_BITMAP,                       0x2004)                                                    \
    F(TSC_OFFSET,                       0x2010)                                                    \
    F(VIRTUAL_APIC_ADDRESS,             0x2012)                                                    \
    F(APIC_ACCESS_ADDRESS,              0x2014)                                                    \
    F(POSTED_INTR_DESCRIPTOR,           0x2016)                                                    \
    F(EPT_POINTER,                      0x201a)                                                    \
    F(EOI_EXIT_BITMAP_0,                0x201c)                                                    \
    F(EOI_EXIT_BITMAP_1,                0x201e)                                                    \
    F(EOI_EXIT_BITMAP_2,                0x2020)                                                    \
    F(EOI_EXIT_BITMAP_3,                0x2022)                                                    \
    F(PROC_BASED_CONTROLS_3,            0x2034)                                                    \
    F(PID_POINTER_TABLE,                0x2042)
#define VMCS_EXIT_INFO_64(F) /* 64-bit read-only data field */                                     \
    F(GUEST_PHYSICAL_ADDRESS,           0x2400)
#define VMCS_GUEST_64(F) /* 64-bit guest-state fields */                                           \
    F(VMCS_LINK_POINTER,                0x2800)                                                    \
    F(GUEST_IA32_DEBUGCTL,              0x2802)                                                    \
    F(GUEST_IA32_PAT,                   0x2804)                                                    \
    F(GUEST_IA32_EFER,                  0x2806)                                                    \
    F(GUEST_PDPTE0,                     0x280a)                                                    \
    F(GUEST_PDPTE1,                     0x280c)                                                    \
    F(GUEST_PDPTE2,                     0x280e)                                                    \
    F(GUEST_PDPTE3,                     0x2810)
#define VMCS_HOST_64(F) /* 64-bit host-state fields */                                             \
    F(HOST_IA32_PAT,                    0x2c00)                                                    \
    F(HOST_IA32_EFER,                   0x2c02)
#define VMCS_CONTROL_32(F) /* 32-bit control fields */                                             \
    F(PIN_BASED_CONTROLS,               0x4000)                                                    \
    F(PROC_BASED_CONTROLS,              0x4002)                                                    \
    F(EXCEPTION_BITMAP,                 0x4004)                                                    \
    F(PAGE_FAULT_ERROR_CODE_MASK,       0x4006)                                                    \
    F(PAGE_FAULT_ERROR_CODE_MATCH,      0x4008)                                                    \
    F(CR3_TARGET_COUNT,                 0x400a)                                                    \
    F(VM_EXIT_CONTROLS,                 0x400c)                                                    \
    F(VM_EXIT_MSR_STORE_COUNT,          0x400e)                                                    \
    F(VM_EXIT_MSR_LOAD_COUNT,           0x4010)                                                    \
    F(VM_ENTRY_CONTROLS,                0x4012)                                                    \
    F(VM_ENTRY_MSR_LOAD_COUNT,          0x4014)                                                    \
    F(VM_ENTRY_INTERRUPTION_INFO,       0x4016)                                                    \
    F(VM_ENTRY_EXCEPTION_ERROR_CODE,    0x4018)                                                    \
    F(VM_ENTRY_INSTRUCTION_LENGTH,      0x401a)                                                    \
    F(TPR_THRESHOLD,                    0x401c)                                                    \
    F(PROC_BASED_CONTROLS_2,            0x401e)
#define VMCS_EXIT_INFO_32(F) /* 32-bit read-only data fields */                                    \
    F(VM_INSTRUCTION_ERROR,             0x4400)                                                    \
    F(EXIT_REASON,                      0x4402)                                                    \
    F(VM_EXIT_INTERRUPTION_INFO,        0x4404)                                                    \
    F(VM_EXIT_INTERRUPTION_ERROR_CODE,  0x4406)                                                    \
    F(IDT_VECTORING_INFO,               0x4408)                                                    \
    F(IDT_VECTORING_ERROR_CODE,         0x440a)                                                    \
    F(VM_EXIT_INSTRUCTION_LENGTH,       0x440c)                                                    \
    F(VM_EXIT_INSTRUCTION_INFO,         0x440e)
#define VMCS_GUEST_32(F) /* 32-bit guest-state fields */                                           \
    F(GUEST_ES_LIMIT,                   0x4800)                                                    \
    F(GUEST_CS_LIMIT,                   0x4802)                                                    \
    F(GUEST_SS_LIMIT,                   0x4804)                                                    \
    F(GUEST_DS_LIMIT,                   0x4806)                                                    \
    F(GUEST_FS_LIMIT,                   0x4808)                                                    \
    F(GUEST_GS_LIMIT,                   0x480a)                                                    \
    F(GUEST_LDTR_LIMIT,                 0x480c)                                                    \
    F(GUEST_TR_LIMIT,                   0x480e)                                                    \
    F(GUEST_GDTR_LIMIT,                 0x4810)                                                    \
    F(GUEST_IDTR_LIMIT,                 0x4812)                                                    \
    F(GUEST_ES_ACCESS_RIGHTS,           0x4814)                                                    \
    F(GUEST_CS_ACCESS_RIGHTS,           0x4816)                                                    \
    F(GUEST_SS_ACCESS_RIGHTS,           0x4818)                                                    \
    F(GUEST_DS_ACCESS_RIGHTS,           0x481a)                                                    \
    F(GUEST_FS_ACCESS_RIGHTS,           0x481c)                                                    \
    F(GUEST_GS_ACCESS_RIGHTS,           0x481e)                                                    \
    F(GUEST_LDTR_ACCESS_RIGHTS,         0x4820)                                                    \
    F(GUEST_TR_ACCESS_RIGHTS,           0x4822)                                                    \
    F(GUEST_INTERRUPTIBILITY,           0x4824)                                                    \
    F(GUEST_ACTIVITY_STATE,             0x4826)                                                    \
    F(GUEST_SMBASE,                     0x4828)                                                    \
    F(GUEST_IA32_SYSENTER_CS,           0x482a)                                                    \
    F(PREEMPTION_TIMER_VALUE,           0x482e)
#define VMCS_HOST_32(F) /* 32-bit host-state field */                                              \
    F(HOST_IA32_SYSENTER_CS,            0x4c00)
#define VMCS_CONTROL_NATURAL(F) /* natural-width control fields */                                 \
    F(CR0_MASK,                         0x6000)                                                    \
    F(CR4_MASK,                         0x6002)                                                    \
    F(CR0_READ_SHADOW,                  0x6004)                                                    \
    F(CR4_READ_SHADOW,                  0x6006)
#define VMCS_EXIT_INFO_NATURAL(F) /* natural-width read-only data fields */                        \
    F(EXIT_QUALIFICATION,               0x6400)                                                    \
    F(IO_RCX,                           0x6402)                                                    \
    F(IO_RSI,                           0x6404)                                                    \
    F(IO_RDI,                           0x6406)                                                    \
    F(IO_RIP,                           0x6408)                                                    \
    F(GUEST_LINEAR_ADDRESS,             0x640a)
#define VMCS_GUEST_NATURAL(F) /* natural-width guest-state fields */                               \
    F(GUEST_CR0,                        0x6800)                                                    \
    F(GUEST_CR3,                        0x6802)                                                    \
    F(GUEST_CR4,                        0x6804)                                                    \
    F(GUEST_ES_BASE,                    0x6806)                                                    \
    F(GUEST_CS_BASE,                    0x6808)                                                    \
    F(GUEST_SS_BASE,                    0x680a)                                                    \
    F(GUEST_DS_BASE,                    0x680c)                                                    \
    F(GUEST_FS_BASE,                    0x680e)                                                    \
    F(GUEST_GS_BASE,                    0x6810)                                                    \
    F(GUEST_LDTR_BASE,                  0x6812)                                                    \
    F(GUEST_TR_BASE,                    0x6814)                                                    \
    F(GUEST_GDTR_BASE,                  0x6816)                                                    \
    F(GUEST_IDTR_BASE,                  0x6818)                                                    \
    F(GUEST_DR7,                        0x681a)                                                    \
    F(GUEST_RSP,                        0x681c)                                                    \
    F(GUEST_RIP,                        0x681e)                                                    \
    F(GUEST_RFLAGS,                     0x6820)                                                    \
    F(GUEST_PENDING_DEBUG,              0x6822)                                                    \
    F(GUEST_IA32_SYSENTER_ESP,          0x6824)                                                    \
    F(GUEST_IA32_SYSENTER_EIP,          0x6826)
#define VMCS_HOST_NATURAL(F) /* natural-width host-state fields */                                 \
    F(HOST_CR0,                         0x6c00)                                                    \
    F(HOST_CR3,                         0x6c02)                                                    \
    F(HOST_CR4,                         0x6c04)                                                    \
    F(HOST_FS_BASE,                     0x6c06)                                                    \
    F(HOST_GS_BASE,                     0x6c08)                                                    \
    F(HOST_TR_BASE,                     0x6c0a)                                                    \
    F(HOST_GDTR_BASE,                   0x6c0c)                                                    \
    F(HOST_IDTR_BASE,                   0x6c0e)                                                    \
    F(HOST_IA32_SYSENTER_ESP,           0x6c10)                                                    \
    F(HOST_IA32_SYSENTER_EIP,           0x6c12)                                                    \
    F(HOST_RSP,                         0x6c14)                                                    \
    F(HOST_RIP,                         0x6c16)
// clang-format on

#define VMCS_FIELDS(F)                                                                             \
    VMCS_CONTROL_16(F)                                                                             \
    VMCS_GUEST_16(F)                                                                               \
    VMCS_HOST_16(F)                                                                                \
    VMCS_CONTROL_64(F)                                                                             \
    VMCS_EXIT_INFO_64(F)                                                                           \
    VMCS_GUEST_64(F)                                                                               \
    VMCS_HOST_64(F)                                                                                \
    VMCS_CONTROL_32(F)                                                                             \
    VMCS_EXIT_INFO_32(F)                                                                           \
    VMCS_GUEST_32(F)                                                                               \
    VMCS_HOST_32(F)                                                                                \
    VMCS_CONTROL_NATURAL(F)                                                                        \
    VMCS_EXIT_INFO_NATURAL(F)                                                                      \
    VMCS_GUEST_NATURAL(F)                                                                          \
    VMCS_HOST_NATURAL(F)

enum vmcs_field {
#define F(name, encoding) name = encoding,
    VMCS_FIELDS(F)
#undef F
};

/* The eight segment registers have four fields each, at this distance, in this order. */
enum segment { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEG_COUNT };
#define VMCS_SELECTOR(s)        ((enum vmcs_field)(GUEST_ES_SELECTOR + 2 * (s)))
#define VMCS_LIMIT(s)           ((enum vmcs_field)(GUEST_ES_LIMIT + 2 * (s)))
#define VMCS_ACCESS_RIGHTS(s)   ((enum vmcs_field)(GUEST_ES_ACCESS_RIGHTS + 2 * (s)))
#define VMCS_BASE(s)            ((enum vmcs_field)(GUEST_ES_BASE + 2 * (s)))
/* The four PDPTEs, and the four parts of the EOI-exit bitmap, lie side by side too. */
#define VMCS_PDPTE(i)           ((enum vmcs_field)(GUEST_PDPTE0 + 2 * (i)))
#define VMCS_EOI_EXIT_BITMAP(i) ((enum vmcs_field)(EOI_EXIT_BITMAP_0 + 2 * (i)))
