/* SPDX-License-Identifier: MIT */
/*
 * The words of the PC itself, for explain: control registers, page tables, PCI, messages, APICs.
 * From: monitor/explain/explain.c.   To: arch/x86.h, arch/apic.h, pci/pci_regs.h (the definitions).
 * Spec: SDM "Control Registers", "Paging"; PCI Local Bus "Configuration Space Organization";
 * 82093AA "I/O APIC Registers".
 */
#include "arch/apic.h"
#include "arch/ioapic.h"
#include "arch/msr.h"
#include "arch/paging.h"
#include "arch/radix.h"
#include "arch/x86.h"
#include "guest/insn/gwalk.h"
#include "pci/pci_regs.h"
#include "monitor/explain/row.h"

const struct explain_register explain_pc[] = {
    {"pte", "SDM \"Paging\"", 1,
     FIELDS(PTE_P, PTE_RW, PTE_US, PTE_PWT, PTE_PCD, PTE_A, PTE_D, PTE_PS, PTE_G, RADIX_ADDR,
            PTE_NX)},
    {"cr0", "SDM \"Control Registers\"", 1,
     FIELDS(CR0_PE, CR0_MP, CR0_EM, CR0_TS, CR0_ET, CR0_NE, CR0_WP, CR0_AM, CR0_NW, CR0_CD,
            CR0_PG)},
    {"cr4", "SDM \"Control Registers\"", 1,
     FIELDS(CR4_VME, CR4_DE, CR4_PSE, CR4_PAE, CR4_MCE, CR4_PGE, CR4_OSFXSR, CR4_OSXMMEXCPT,
            CR4_LA57, CR4_VMXE, CR4_SMXE, CR4_FSGSBASE, CR4_PCIDE, CR4_OSXSAVE, CR4_SMEP,
            CR4_SMAP)},
    {"efer", "SDM \"Extended Feature Enable Register\"", 1,
     FIELDS(EFER_SCE, EFER_LME, EFER_LMA, EFER_NXE)},
    {"rflags", "SDM \"EFLAGS Register\"", 1,
     FIELDS(RFLAGS_CF, RFLAGS_PF, RFLAGS_AF, RFLAGS_ZF, RFLAGS_SF, RFLAGS_TF, RFLAGS_IF, RFLAGS_DF,
            RFLAGS_OF, RFLAGS_IOPL, RFLAGS_NT, RFLAGS_RF, RFLAGS_VM, RFLAGS_AC, RFLAGS_ID)},
    {"dr6", "SDM \"Debug Registers\"", 1, FIELDS(DR6_BREAKS, DR6_BD, DR6_BS, DR6_BT, DR6_RTM)},
    {"dr7", "SDM \"Debug Registers\"", 1,
     FIELDS(DR7_ON(0), DR7_ON(1), DR7_ON(2), DR7_ON(3), DR7_LE, DR7_GE, DR7_GD, DR7_RW(0),
            DR7_LEN(0), DR7_RW(1), DR7_LEN(1), DR7_RW(2), DR7_LEN(2), DR7_RW(3), DR7_LEN(3))},
    {"pferr", "SDM \"Page-Fault Error Code\"", 1,
     FIELDS(PFERR_P, PFERR_W, PFERR_U, PFERR_RSVD, PFERR_I)},
    {"pci.command", "PCI Local Bus \"Device Control\"", 1,
     FIELDS(PCI_COMMAND_IO, PCI_COMMAND_MEM, PCI_COMMAND_MASTER, PCI_COMMAND_PARITY,
            PCI_COMMAND_SERR, PCI_COMMAND_INTX_OFF)},
    {"pci.status", "PCI Local Bus \"Device Status\"", 1,
     FIELDS(PCI_STATUS_INTX, PCI_STATUS_CAP_LIST, PCI_STATUS_MASTER_PARITY, PCI_STATUS_SENT_ABORT,
            PCI_STATUS_TARGET_ABORT, PCI_STATUS_MASTER_ABORT, PCI_STATUS_SERR, PCI_STATUS_PARITY)},
    {"pci.msi_control", "PCI Local Bus \"MSI Capability Structure\"", 1,
     FIELDS(PCI_MSI_ENABLE, PCI_MSI_CAPABLE, PCI_MSI_COUNT, PCI_MSI_64, PCI_MSI_MASKABLE)},
    {"pci.msix_control", "PCI Local Bus \"MSI-X Capability and Table Structures\"", 1,
     FIELDS(PCI_MSIX_TABLE_SIZE, PCI_MSIX_MASK_ALL, PCI_MSIX_ENABLE)},
    {"pci.msix_vector", "PCI Local Bus \"MSI-X Capability and Table Structures\"", 1,
     FIELDS(PCI_MSIX_ENTRY_MASK)},
    {"pci.bar", "PCI Local Bus \"Base Addresses\"", 1,
     FIELDS(PCI_BAR_IS_IO, PCI_BAR_MEM_TYPE, PCI_BAR_MEM_PREFETCH, PCI_BAR_MEM_ADDRESS)},
    {"pci.pm_control", "PCI Bus Power Management \"Power Management Register Block\"", 1,
     FIELDS(PCI_PM_STATE, PCI_PM_NO_SOFT_RESET, PCI_PM_PME_ENABLE, PCI_PM_PME_STATUS)},
    {"pci.device_control", "PCI Express Base \"PCI Express Capability Structure\"", 1,
     FIELDS(PCIE_CONTROL_CORRECTABLE, PCIE_CONTROL_NON_FATAL, PCIE_CONTROL_FATAL,
            PCIE_CONTROL_UNSUPPORTED, PCIE_CONTROL_RELAXED, PCIE_CONTROL_PAYLOAD, PCIE_CONTROL_TAGS,
            PCIE_CONTROL_NO_SNOOP, PCIE_CONTROL_READ, PCIE_DEVICE_FLR)},
    {"pci.device_status", "PCI Express Base \"PCI Express Capability Structure\"", 1,
     FIELDS(PCIE_STATUS_CORRECTABLE, PCIE_STATUS_NON_FATAL, PCIE_STATUS_FATAL,
            PCIE_STATUS_UNSUPPORTED, PCIE_STATUS_AUX_POWER, PCIE_DEVICE_PENDING)},
    {"pci.sriov_control", "PCI Express Base \"SR-IOV Extended Capability\"", 1,
     FIELDS(PCI_SRIOV_VF_ENABLE, PCI_SRIOV_VF_MEM, PCI_SRIOV_ARI)},
    {"msi.address", "SDM \"Message Address Register Format\" (vtd.msi: the remappable format)", 1,
     FIELDS(MSI_ADDRESS_BASE, MSI_ADDRESS_DEST, MSI_ADDRESS_RH, MSI_ADDRESS_LOGICAL)},
    {"msi.data", "SDM \"Message Data Register Format\"", 1,
     FIELDS(MSI_DATA_VECTOR, MSI_DATA_DELIVERY, MSI_DATA_ASSERT, MSI_DATA_LEVEL)},
    {"apic.base", "SDM \"Enabling or Disabling the Local APIC\"", 1,
     FIELDS(APIC_BASE_BSP, APIC_BASE_EXTD, APIC_BASE_EN, APIC_BASE_ADDR)},
    {"apic.svr", "SDM \"Local APIC Register Address Map\"", 1,
     FIELDS(APIC_SVR_VECTOR, APIC_SVR_ENABLE, APIC_SVR_NO_BROADCAST)},
    {"apic.lvt", "SDM \"Local APIC Register Address Map\"", 1,
     FIELDS(APIC_LVT_VECTOR, APIC_LVT_DELIVERY, APIC_LVT_PENDING, APIC_LVT_ACTIVE_LOW,
            APIC_LVT_REMOTE_IRR, APIC_LVT_LEVEL, APIC_LVT_MASKED, APIC_LVT_TIMER_MODE)},
    {"apic.icr", "SDM \"Interrupt Command Register (ICR)\"", 1,
     FIELDS(APIC_ICR_VECTOR, APIC_ICR_DELIVERY, APIC_ICR_LOGICAL, APIC_ICR_PENDING, APIC_ICR_ASSERT,
            APIC_ICR_LEVEL, APIC_ICR_SHORTHAND, APIC_ICR_DEST)},
    {"ioapic.rte", "82093AA \"I/O APIC Registers\"", 1,
     FIELDS(RTE_VECTOR, RTE_DELIVERY, RTE_LOGICAL, RTE_STATUS, RTE_ACTIVE_LOW, RTE_REMOTE_IRR,
            RTE_LEVEL, RTE_MASKED, RTE_DEST)},
    {0}};
