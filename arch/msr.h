/* SPDX-License-Identifier: MIT */
/*
 * Numbers and bits of the model-specific registers that Hamlet or its guests touch.
 * From: everywhere that reads or writes one.
 * Spec: SDM "Model-Specific Registers (MSRs)", "VMX Capability Reporting Facility".
 */
#pragma once
#include "lib/bits.h"

/* Bits stand indented beneath their register. */
// clang-format off

#define MSR_IA32_TSC                        0x10
#define MSR_IA32_APIC_BASE                  0x1b
#define     APIC_BASE_BSP                   BIT(8, "BSP", "this is the bootstrap processor")
#define     APIC_BASE_EXTD                  BIT(10, "EXTD", "x2APIC mode")
#define     APIC_BASE_EN                    BIT(11, "EN", "the local APIC is on")
#define     APIC_BASE_ADDR                  BITS(51, 12, "BASE", "of its registers", ADDRESS)
#define MSR_IA32_FEATURE_CONTROL            0x3a
#define     FEATURE_CONTROL_LOCK            BIT(0)
#define     FEATURE_CONTROL_VMX_OUTSIDE_SMX BIT(2)
#define MSR_IA32_TSC_ADJUST                 0x3b
#define MSR_IA32_SPEC_CTRL                  0x48
#define     SPEC_CTRL_IBRS                  BIT(0)
#define     SPEC_CTRL_BHI_DIS_S             BIT(10)
#define MSR_IA32_PRED_CMD                   0x49
#define     PRED_CMD_IBPB                   BIT(0)
#define MSR_IA32_BIOS_SIGN_ID               0x8b
#define MSR_IA32_MTRRCAP                    0xfe
#define MSR_IA32_ARCH_CAPABILITIES          0x10a
#define     ARCH_RDCL_NO                    BIT(0)
#define     ARCH_IBRS_ALL                   BIT(1) /* IBRS once set holds after an exit, too */
#define     ARCH_SKIP_L1DFL                 BIT(3) /* a hypervisor below empties the L1 cache */
#define     ARCH_SSB_NO                     BIT(4)
#define     ARCH_MDS_NO                     BIT(5)
#define     ARCH_PSCHANGE_NO                BIT(6)
#define     ARCH_TAA_NO                     BIT(8)
#define     ARCH_MMIO_NO                    BITS(15, 13) /* three ways to read stale data */
#define     ARCH_FB_CLEAR                   BIT(17)
#define     ARCH_BHI_NO                     BIT(20)
#define     ARCH_PBRSB_NO                   BIT(24)
#define     ARCH_GDS_CTRL                   BIT(25)
#define     ARCH_GDS_NO                     BIT(26)
#define     ARCH_RFDS_NO                    BIT(27)
#define     ARCH_RFDS_CLEAR                 BIT(28)
#define MSR_IA32_FLUSH_CMD                  0x10b
#define MSR_IA32_SYSENTER_CS                0x174
#define MSR_IA32_SYSENTER_ESP               0x175
#define MSR_IA32_SYSENTER_EIP               0x176
#define MSR_IA32_MCG_CAP                    0x179
#define     MCG_CAP_COUNT                   BITS(7, 0) /* banks */
#define MSR_IA32_MCG_STATUS                 0x17a
#define MSR_IA32_MISC_ENABLE                0x1a0
#define MSR_IA32_DEBUGCTL                   0x1d9
#define MSR_IA32_PAT                        0x277
#define MSR_IA32_MTRR_DEF_TYPE              0x2ff
#define     MTRR_ENABLED                    BIT(11)
#define     MTRR_WB                         6
#define MSR_IA32_MC_CTL(bank)               (0x400 + 4 * (bank))
#define MSR_IA32_MC_STATUS(bank)            (0x401 + 4 * (bank)) /* ADDR and MISC follow */
#define     MC_STATUS_VAL                   BIT(63)
#define     MC_STATUS_UC                    BIT(61)
#define     MC_STATUS_CODE                  BITS(15, 0)
#define     MC_STATUS_MISCV                 BIT(59)
#define     MC_STATUS_ADDRV                 BIT(58)
#define MSR_IA32_VMX_BASIC                  0x480
#define MSR_IA32_VMX_PINBASED_CTLS          0x481
#define MSR_IA32_VMX_PROCBASED_CTLS         0x482
#define MSR_IA32_VMX_EXIT_CTLS              0x483
#define MSR_IA32_VMX_ENTRY_CTLS             0x484
#define MSR_IA32_VMX_MISC                   0x485
#define MSR_IA32_VMX_CR0_FIXED0             0x486
#define MSR_IA32_VMX_CR0_FIXED1             0x487
#define MSR_IA32_VMX_CR4_FIXED0             0x488
#define MSR_IA32_VMX_CR4_FIXED1             0x489
#define MSR_IA32_VMX_PROCBASED_CTLS2        0x48b
#define MSR_IA32_VMX_EPT_VPID_CAP           0x48c
#define MSR_IA32_VMX_TRUE_PINBASED_CTLS     0x48d
#define MSR_IA32_VMX_TRUE_PROCBASED_CTLS    0x48e
#define MSR_IA32_VMX_TRUE_EXIT_CTLS         0x48f
#define MSR_IA32_VMX_TRUE_ENTRY_CTLS        0x490
#define MSR_IA32_VMX_PROCBASED_CTLS3        0x492
#define MSR_IA32_TSC_DEADLINE               0x6e0
#define MSR_X2APIC_FIRST                    0x800 /* plus offset in the APIC page / 16 */
#define MSR_X2APIC_LAST                     0x8ff
#define MSR_IA32_EFER                       0xc0000080
#define MSR_IA32_STAR                       0xc0000081
#define MSR_IA32_LSTAR                      0xc0000082
#define MSR_IA32_CSTAR                      0xc0000083
#define MSR_IA32_FMASK                      0xc0000084
#define MSR_IA32_FS_BASE                    0xc0000100
#define MSR_IA32_GS_BASE                    0xc0000101
#define MSR_IA32_KERNEL_GS_BASE             0xc0000102
#define MSR_IA32_TSC_AUX                    0xc0000103
