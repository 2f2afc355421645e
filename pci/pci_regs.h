/* SPDX-License-Identifier: MIT */
/*
 * Registers of configuration space, by offset in bytes, each with its bits below, in the order of
 * the specifications. A register of a capability is an offset from the capability's first byte.
 * From: every file of pci/, and guest/assign/ (the guest's view of the same registers).
 * Spec: PCI Local Bus "Configuration Space Organization"; PCI-to-PCI Bridge "Configuration Space";
 * PCI Express Base "Software Initialization and Configuration", "Single Root I/O Virtualization".
 */
#pragma once
#include "lib/bits.h"

// clang-format off
#define PCI_CONFIG_SIZE           256  /* what 0xCF8/0xCFC reaches */
#define PCIE_CONFIG_SIZE          4096 /* what ECAM reaches */

/* PCI Local Bus "Type 00h Configuration Space Header" */
#define PCI_VENDOR_ID             0x00
#define PCI_VENDOR_NONE           0xffff /* no function there; a VF reads like this as well */
#define PCI_VENDOR_RETRY          0x0001 /* PCI Express "Configuration RRS Software Visibility" */
#define PCI_DEVICE_ID             0x02
#define PCI_COMMAND               0x04
#define PCI_COMMAND_IO            BIT(0, "IO", "ports are decoded")
#define PCI_COMMAND_MEM           BIT(1, "MEM", "memory is decoded")
#define PCI_COMMAND_MASTER        BIT(2, "MASTER", "may send requests: DMA and messages")
#define PCI_COMMAND_PARITY        BIT(6, "PARITY", "answers to parity errors")
#define PCI_COMMAND_SERR          BIT(8, "SERR", "may report system errors")
#define PCI_COMMAND_INTX_OFF      BIT(10, "INTXOFF", "may not assert INTx")
#define PCI_STATUS                0x06
#define PCI_STATUS_INTX           BIT(3, "INTX", "INTx is pending")
#define PCI_STATUS_CAP_LIST       BIT(4, "CAPS", "has a capability list")
#define PCI_STATUS_MASTER_PARITY  BIT(8, "MPERR", "master data parity error")
#define PCI_STATUS_SENT_ABORT     BIT(11, "STABORT", "signalled target abort")
#define PCI_STATUS_TARGET_ABORT   BIT(12, "RTABORT", "received target abort")
#define PCI_STATUS_MASTER_ABORT   BIT(13, "RMABORT", "received master abort")
#define PCI_STATUS_SERR           BIT(14, "SSERR", "signalled system error")
#define PCI_STATUS_PARITY         BIT(15, "DPERR", "detected parity error")
#define PCI_STATUS_ERRORS         (BIT(8) | BITS(15, 11)) /* write one to clear */
#define PCI_REVISION_ID           0x08
#define PCI_CLASS                 0x08 /* as 32 bits: class code above the revision */
#define PCI_CLASS_CODE            BITS(31, 8)
#define PCI_CACHE_LINE_SIZE       0x0c
#define PCI_LATENCY_TIMER         0x0d
#define PCI_HEADER_TYPE           0x0e
#define PCI_HEADER_LAYOUT         BITS(6, 0)
#define PCI_HEADER_ENDPOINT       0
#define PCI_HEADER_BRIDGE         1
#define PCI_HEADER_CARDBUS        2
#define PCI_HEADER_MULTI          BIT(7)
#define PCI_BIST                  0x0f
#define PCI_BAR(n)                (0x10 + 4 * (n))
#define PCI_BAR_IS_IO             BIT(0, "IO", "which space (the rest is for memory)", \
                                      "0:memory|1:ports")
#define PCI_BAR_IO_FLAGS          BITS(1, 0)
#define PCI_BAR_MEM_FLAGS         BITS(3, 0)
#define PCI_BAR_MEM_TYPE          BITS(2, 1, "TYPE", "width of the address", "0:32 bits|2:64 bits")
#define PCI_BAR_MEM_ADDRESS       BITS(63, 4, "ADDR", "address", ADDRESS)
#define PCI_BAR_MEM_64            2
#define PCI_BAR_MEM_PREFETCH      BIT(3, "PREF", "prefetchable")
#define PCI_SUBSYSTEM_VENDOR      0x2c
#define PCI_ROM                   0x30
#define PCI_ROM_ENABLE            BIT(0)
#define PCI_ROM_ADDRESS           BITS(31, 11)
#define PCI_CAP_POINTER           0x34
#define PCI_INTERRUPT_LINE        0x3c
#define PCI_INTERRUPT_PIN         0x3d

/* Class codes that change how a function is treated; PCI Code and ID Assignment. */
#define PCI_CLASS_BASE(code)      FIELD_GET(BITS(23, 16), code)
#define PCI_CLASS_SUB(code)       FIELD_GET(BITS(23, 8), code)
#define PCI_BASE_BRIDGE           0x06
#define PCI_SUB_HOST_BRIDGE       0x0600
#define PCI_SUB_IOMMU             0x0806
#define PCI_SUB_VGA               0x0300
#define VGA_BASE                  0xa0000 /* decoded by VGA beside its BARs */
#define VGA_SIZE                  0x20000

/* PCI-to-PCI Bridge "Type 01h Configuration Space Header" */
#define PCI_BRIDGE_SUBTRACTIVE    BIT(0) /* class code, interface */
#define PCI_BRIDGE_SECONDARY      0x19
#define PCI_BRIDGE_SUBORDINATE    0x1a
#define PCI_BRIDGE_IO             0x1c         /* base and limit */
#define PCI_BRIDGE_IO_BASE        BITS(7, 4)   /* port bits 15:12 */
#define PCI_BRIDGE_IO_LIMIT       BITS(15, 12) /* the same */
#define PCI_BRIDGE_MEM_BASE       0x20
#define PCI_BRIDGE_MEM_LIMIT      0x22
#define PCI_BRIDGE_MEM_ADDRESS    BITS(15, 4) /* address bits 31:20 */
#define PCI_BRIDGE_PREF_BASE      0x24
#define PCI_BRIDGE_PREF_LIMIT     0x26
#define PCI_BRIDGE_PREF_64        BIT(0)
#define PCI_BRIDGE_PREF_BASE_HI   0x28
#define PCI_BRIDGE_PREF_LIMIT_HI  0x2c
#define PCI_BRIDGE_ROM            0x38
#define PCI_BRIDGE_CONTROL        0x3e
#define PCI_BRIDGE_BUS_RESET      BIT(6)
#define PCI_CARDBUS_CAP_POINTER   0x14

/* Capabilities: every one starts with its id and the pointer to the next. */
#define PCI_CAP_ID                0
#define PCI_CAP_NEXT              1
#define PCI_CAP_ALIGNED           BITS(7, 2) /* of a pointer; the low bits are reserved */
#define PCI_CAP_FIRST             0x40
#define PCI_CAP_ID_PM             0x01
#define PCI_CAP_ID_MSI            0x05
#define PCI_CAP_ID_VENDOR         0x09
#define PCI_CAP_ID_SUBSYSTEM      0x0d
#define PCI_CAP_ID_PCIE           0x10
#define PCI_CAP_ID_MSIX           0x11
#define PCI_CAP_ID_AF             0x13

/* PCI Bus Power Management "Power Management Register Block" */
#define PCI_PM_CONTROL            4
#define PCI_PM_STATE              BITS(1, 0, "STATE", "power", "0:D0, on|1:D1|2:D2|3:D3hot, off")
#define PCI_PM_D0                 0
#define PCI_PM_D3HOT              3
#define PCI_PM_NO_SOFT_RESET      BIT(3, "NOSOFTRST", "D3hot to D0 resets nothing")
#define PCI_PM_PME_ENABLE         BIT(8, "PMEEN", "may ask to be woken")
#define PCI_PM_PME_STATUS         BIT(15, "PME", "asks to be woken") /* write one to clear */

/* PCI Local Bus "MSI Capability Structure" */
#define PCI_MSI_CONTROL           2
#define PCI_MSI_ENABLE            BIT(0, "ENABLE", "MSI is on")
#define PCI_MSI_CAPABLE           BITS(3, 1, "CAPABLE", "log2 of the messages asked for")
#define PCI_MSI_COUNT             BITS(6, 4, "COUNT", "log2 of the messages given")
#define PCI_MSI_64                BIT(7, "64BIT", "64-bit addresses")
#define PCI_MSI_MASKABLE          BIT(8, "MASKABLE", "single messages can be masked")
#define PCI_MSI_ADDRESS           4
#define PCI_MSI_ADDRESS_HI        8
#define PCI_MSI_DATA(is_64)       ((is_64) ? 12 : 8)
#define PCI_MSI_MASK(is_64)       ((is_64) ? 16 : 12)
#define PCI_MSI_PENDING(is_64)    ((is_64) ? 20 : 16)

/* PCI Local Bus "MSI-X Capability and Table Structures" */
#define PCI_MSIX_CONTROL          2
#define PCI_MSIX_TABLE_SIZE       BITS(10, 0, "SIZE", "entries less 1")
#define PCI_MSIX_MASK_ALL         BIT(14, "MASKALL", "all are masked")
#define PCI_MSIX_ENABLE           BIT(15, "ENABLE", "MSI-X is on")
#define PCI_MSIX_TABLE            4
#define PCI_MSIX_PBA              8
#define PCI_MSIX_BIR              BITS(2, 0)
#define PCI_MSIX_OFFSET           BITS(31, 3)
#define PCI_MSIX_ENTRY_SIZE       16
#define PCI_MSIX_ENTRY_ADDRESS    0
#define PCI_MSIX_ENTRY_DATA       8
#define PCI_MSIX_ENTRY_CONTROL    12
#define PCI_MSIX_ENTRY_MASK       BIT(0, "MASKED", "this message is masked")

/* PCI Express Base "PCI Express Capability Structure" */
#define PCIE_CAPABILITIES         0x02
#define PCIE_VERSION              BITS(3, 0)
#define PCIE_PORT_TYPE            BITS(7, 4)
#define PCIE_ENDPOINT             0x0
#define PCIE_ROOT_PORT            0x4
#define PCIE_UPSTREAM             0x5
#define PCIE_DOWNSTREAM           0x6
#define PCIE_TO_PCI_BRIDGE        0x7
#define PCIE_ROOT_COMPLEX_ENDPOINT 0x9
#define PCI_TO_PCIE_BRIDGE        0x8
#define PCIE_DEVICE_CAP           0x04
#define PCIE_DEVICE_CAP_FLR       BIT(28)
#define PCIE_DEVICE_CONTROL       0x08
#define PCIE_CONTROL_CORRECTABLE  BIT(0, "CORREN", "reports correctable errors")
#define PCIE_CONTROL_NON_FATAL    BIT(1, "NONFEN", "reports non-fatal errors")
#define PCIE_CONTROL_FATAL        BIT(2, "FATEN", "reports fatal errors")
#define PCIE_CONTROL_UNSUPPORTED  BIT(3, "UREN", "reports unsupported requests")
#define PCIE_CONTROL_RELAXED      BIT(4, "RELAX", "relaxed ordering")
#define PCIE_CONTROL_PAYLOAD      BITS(7, 5, "PAYLOAD", "largest payload, 128 << n bytes")
#define PCIE_CONTROL_TAGS         BIT(8, "TAG", "extended tags")
#define PCIE_CONTROL_NO_SNOOP     BIT(11, "NOSNOOP", "requests need not be snooped")
#define PCIE_CONTROL_READ         BITS(14, 12, "READ", "largest read, 128 << n bytes")
#define PCIE_DEVICE_FLR           BIT(15, "FLR", "function level reset")
#define PCIE_DEVICE_STATUS        0x0a
#define PCIE_STATUS_CORRECTABLE   BIT(0, "CORR", "correctable error")
#define PCIE_STATUS_NON_FATAL     BIT(1, "NONFATAL", "non-fatal error")
#define PCIE_STATUS_FATAL         BIT(2, "FATAL", "fatal error")
#define PCIE_STATUS_UNSUPPORTED   BIT(3, "UR", "unsupported request")
#define PCIE_STATUS_AUX_POWER     BIT(4, "AUX", "auxiliary power")
#define PCIE_DEVICE_PENDING       BIT(5, "PEND", "requests of its own are not answered yet")
#define PCIE_DEVICE_ERRORS        BITS(3, 0) /* write one to clear */
#define PCIE_LINK_CONTROL         0x10
#define PCIE_DEVICE_CAP2          0x24       /* version 2 of the capability */
#define PCIE_CAP2_ARI_FORWARD     BIT(5)
#define PCIE_DEVICE_CONTROL2      0x28
#define PCIE_CONTROL2_ARI         BIT(5)

/* PCI "Advanced Capabilities for Conventional PCI" */
#define PCI_AF_CAPABILITIES       3
#define PCI_AF_CAP_TP             BIT(0)
#define PCI_AF_CAP_FLR            BIT(1)
#define PCI_AF_CONTROL            4
#define PCI_AF_FLR                BIT(0)
#define PCI_AF_STATUS             5
#define PCI_AF_PENDING            BIT(0)

/* Extended capabilities: one dword in front of each. */
#define PCI_EXT_FIRST             0x100
#define PCI_EXT_ID                BITS(15, 0)
#define PCI_EXT_NEXT              BITS(31, 20)
#define PCI_EXT_ID_AER            0x0001
#define PCI_EXT_ID_VC             0x0002
#define PCI_EXT_ID_SERIAL         0x0003
#define PCI_EXT_ID_VC_BESIDE_MFVC 0x0009 /* the same, where a device has channels by function */
#define PCI_EXT_ID_VENDOR         0x000b
#define PCI_EXT_ID_ACS            0x000d
#define PCI_EXT_ID_ARI            0x000e
#define PCI_EXT_ID_ATS            0x000f
#define PCI_EXT_ID_SRIOV          0x0010
#define PCI_EXT_ID_REBAR          0x0015
#define PCI_EXT_ID_LTR            0x0018
#define PCI_EXT_ID_DESIGNATED     0x0023 /* as the vendor's, but it names the vendor */

/* PCI Express Base "ACS Extended Capability": the same bits in both registers. */
#define PCI_ACS_CAPABILITY        4
#define PCI_ACS_CONTROL           6
#define PCI_ACS_WIDE_CONTROL      8 /* of ports with registers of 32 bits */
#define PCI_ACS_VALIDATE          BIT(0) /* source validation */
#define PCI_ACS_REDIRECT_REQ      BIT(2) /* P2P request redirect */
#define PCI_ACS_REDIRECT_CPL      BIT(3) /* P2P completion redirect */
#define PCI_ACS_FORWARD           BIT(4) /* upstream forwarding */

/* PCI Express Base "SR-IOV Extended Capability" */
#define PCI_SRIOV_CONTROL         0x08
#define PCI_SRIOV_VF_ENABLE       BIT(0, "VFE", "virtual functions are on")
#define PCI_SRIOV_VF_MEM          BIT(3, "VFMEM", "their memory is decoded")
#define PCI_SRIOV_ARI             BIT(4, "ARI", "ARI capable hierarchy: numbers beyond 8 functions")
#define PCI_SRIOV_TOTAL_VFS       0x0e
#define PCI_SRIOV_NUM_VFS         0x10
#define PCI_SRIOV_FIRST_OFFSET    0x14
#define PCI_SRIOV_STRIDE          0x16
#define PCI_SRIOV_DEVICE_ID       0x1a
#define PCI_SRIOV_PAGE_SIZE       0x20
#define PCI_SRIOV_PAGE_4K         BIT(0)
#define PCI_SRIOV_BAR(n)          (0x24 + 4 * (n))

/* PCI Express Base "Resizable BAR Extended Capability": a pair of registers for each such BAR. */
#define PCI_REBAR_STEP            8
#define PCI_REBAR_CONTROL(n)      (8 + PCI_REBAR_STEP * (n))
#define PCI_REBAR_INDEX           BITS(2, 0)
#define PCI_REBAR_COUNT           BITS(7, 5)  /* of the first control register only */
#define PCI_REBAR_SIZE            BITS(13, 8) /* 1 MiB << n */

/* PCI Express Base "Advanced Error Reporting Extended Capability": a bit for each kind of error. */
#define PCI_AER_UNCORRECTED       0x04 /* status: write one to clear */
#define PCI_AER_UNCORRECTED_BITS  (BITS(26, 12) | BITS(5, 4))
#define PCI_AER_MASK              0x08
#define PCI_AER_SEVERITY          0x0c /* 1: fatal */
#define PCI_AER_CORRECTED         0x10 /* status: write one to clear */
#define PCI_AER_CORRECTED_MASK    0x14
#define PCI_AER_CORRECTED_BITS    (BITS(15, 12) | BITS(8, 6) | BIT(0))
#define PCI_AER_CONTROL           0x18
#define PCI_AER_FIRST             BITS(4, 0) /* the error whose packet is in the header log */
#define PCI_AER_TLP(n)            (0x1c + 4 * (n))
#define PCI_AER_SIZE              0x2c

/* PCI Express Base "Device Serial Number Extended Capability" */
#define PCI_SERIAL_SIZE           12

/* PCI Express Base "Vendor-Specific Extended Capability" */
#define PCI_EXT_VENDOR_HEADER     4
#define PCI_EXT_VENDOR_LENGTH     BITS(31, 20) /* bytes, from the beginning of the capability */

/* PCI Express Base "Latency Tolerance Reporting (LTR) Extended Capability" */
#define PCI_LTR_MAX               4 /* snooped, and in the upper half not snooped */
#define PCI_LTR_SIZE              8

/* PCI Express Base "Virtual Channel Extended Capability" */
#define PCI_VC_PORT               4
#define PCI_VC_EXTENDED           BITS(2, 0) /* channels beside the first */
#define PCI_VC_MAX                8
#define PCI_VC_PORT_CONTROL       0x0c
#define PCI_VC_CONTROL(n)         (0x14 + 0x0c * (n))
#define PCI_VC_ENABLE             BIT(31)

/* PCI Local Bus "Configuration Mechanism #1" */
#define PCI_PORT_ADDRESS          0xcf8
#define PCI_ADDRESS_ENABLE        BIT(31)
#define PCI_ADDRESS_BDF           BITS(23, 8)
#define PCI_ADDRESS_REG           BITS(7, 2)
#define PCI_PORT_DATA             0xcfc
// clang-format on
