/* SPDX-License-Identifier: MIT */
/*
 * The words of the VT-d specification: register offsets, bits, fault reasons. Written from the
 * specification a second time and on purpose not shared with vtd/: a slip in one of the two shows
 * as a disagreement between driver and unit.
 * From: -      To: vtd_unit.h
 * Spec: VT-d "Register Descriptions", "Translation Structure Formats"
 */
#pragma once
#include "host.h"

namespace lab
{

/* "Register Location": offsets from the base of the unit. FRCD and IVA are placed by CAP
 * and ECAP. */
enum : unsigned {
    VTD_VER = 0x00,
    VTD_CAP = 0x08,
    VTD_ECAP = 0x10,
    VTD_GCMD = 0x18,
    VTD_GSTS = 0x1c,
    VTD_RTADDR = 0x20,
    VTD_CCMD = 0x28,
    VTD_FSTS = 0x34,
    VTD_FECTL = 0x38,
    VTD_FEDATA = 0x3c,
    VTD_FEADDR = 0x40,
    VTD_FEUADDR = 0x44,
    VTD_PMEN = 0x64,
    VTD_PLMBASE = 0x68,
    VTD_PLMLIMIT = 0x6c,
    VTD_PHMBASE = 0x70,
    VTD_PHMLIMIT = 0x78,
    VTD_IQH = 0x80,
    VTD_IQT = 0x88,
    VTD_IQA = 0x90,
    VTD_ICS = 0x9c,
    VTD_IECTL = 0xa0,
    VTD_IEDATA = 0xa4,
    VTD_IEADDR = 0xa8,
    VTD_IEUADDR = 0xac,
    VTD_IQERCD = 0xb0,
    VTD_IRTA = 0xb8,
    VTD_FRCD = 0x400,
    VTD_IVA = 0x500,
    VTD_IOTLB = 0x508,
    VTD_SIZE = 0x1000,
};

/* "Version Register": Major; what changes from these on */
constexpr unsigned VERSION_DRAINS = 2;       /* every IOTLB invalidation drains */
constexpr unsigned VERSION_NO_REGISTERS = 6; /* invalidation by queue only */

/* "Capability Register". A multi-bit field is the number of its lowest bit: value << CAP_X. */
enum : unsigned {
    CAP_ND = 0,
    CAP_RWBF = 4,
    CAP_PLMR = 5,
    CAP_PHMR = 6,
    CAP_CM = 7,
    CAP_SAGAW = 8,
    CAP_MGAW = 16,
    CAP_ZLR = 22,
    CAP_FRO = 24,
    CAP_SSLPS = 34,
    CAP_PSI = 39,
    CAP_NFR = 40,
    CAP_MAMV = 48,
    CAP_DWD = 54,
    CAP_DRD = 55,
    CAP_PI = 59,
    CAP_ESIRTPS = 62,
    CAP_ESRTPS = 63,
};
enum : unsigned { SAGAW_39 = 1, SAGAW_48 = 2, SAGAW_57 = 3 }; /* bits of SAGAW */

/* "Extended Capability Register" */
enum : unsigned {
    ECAP_C = 0,
    ECAP_QI = 1,
    ECAP_DT = 2,
    ECAP_IR = 3,
    ECAP_EIM = 4,
    ECAP_PT = 6,
    ECAP_SC = 7,
    ECAP_IRO = 8,
    ECAP_MHMV = 20,
    ECAP_ADMS = 52,
    ECAP_EIMER = 61,
    ECAP_IRREQ = 62,
};

/* "Global Command Register", "Global Status Register": the same positions in both */
constexpr uint32_t G_TE = bit(31), G_SRTP = bit(30), G_WBF = bit(27), G_QIE = bit(26),
                   G_IRE = bit(25), G_SIRTP = bit(24), G_CFI = bit(23);
constexpr uint32_t G_RESERVED = uint32_t(bits(29, 28) | bits(22, 0));

/* "Root Table Address Register": TTM */
enum : unsigned { TTM_LEGACY = 0, TTM_ABORT = 3 };
constexpr unsigned ttm_of(uint64_t rtaddr) { return unsigned(field(rtaddr, 11, 10)); }

/* "Interrupt Remapping Table Address Register" */
constexpr uint64_t IRTA_EIME = bit(11);

/* "Protected Memory Enable Register"; the regions begin and end at a multiple of this */
constexpr uint32_t PMEN_EPM = bit(31), PMEN_PRS = bit(0);
constexpr uint64_t PMR_GRAIN = 0x200000;

/* "Fault Status Register" */
constexpr uint32_t FSTS_PFO = bit(0), FSTS_PPF = bit(1), FSTS_IQE = bit(4), FSTS_ICE = bit(5),
                   FSTS_ITE = bit(6);
enum : unsigned { FSTS_FRI = 8 };

/* "Fault Recording Registers": bits of the upper half */
constexpr uint64_t FRCD_F = bit(63);
enum : unsigned { FRCD_T1 = 62, FRCD_FR = 32 };

/* "Fault Event Control Register", "Invalidation Event Control Register" */
constexpr uint32_t EV_IM = bit(31), EV_IP = bit(30);

/* "Invalidation Queue Error Record Register": IQEI */
enum : uint8_t {
    IQEI_TAIL = 1,
    IQEI_FETCH = 2,
    IQEI_TYPE = 3,
    IQEI_RESERVED = 4,
    IQEI_WIDTH = 5,
};

/* "Queued Invalidation Interface": types and granularities of descriptors */
enum : unsigned { INV_CONTEXT = 1, INV_IOTLB = 2, INV_DEVICE_TLB = 3, INV_IEC = 4, INV_WAIT = 5 };
enum : unsigned { GLOBAL = 1, DOMAIN_SELECTIVE = 2, FINEST = 3 }; /* device or page */
constexpr unsigned type_of(uint64_t lo)
{
    return unsigned(field(lo, 11, 9) << 4 | field(lo, 3, 0));
}

/* I/O APIC, units, messages, firmware: no memory that could be protected */
constexpr uint64_t MMIO_FIRST = 0xfec00000, MMIO_SIZE = 0x1400000;

/* "Fault Conditions and Remapping Hardware Behavior for Various Requests" and "Interrupt Remapping
 * Fault Conditions" */
enum Reason : uint8_t {
    FAULT_NONE = 0,
    FAULT_ROOT_P = 0x1,
    FAULT_CTX_P = 0x2,
    FAULT_CTX_INVALID = 0x3,
    FAULT_ADDRESS = 0x4,
    FAULT_WRITE = 0x5,
    FAULT_READ = 0x6,
    FAULT_SS_ACCESS = 0x7,
    FAULT_ROOT_ACCESS = 0x8,
    FAULT_CTX_ACCESS = 0x9,
    FAULT_ROOT_RSVD = 0xa,
    FAULT_CTX_RSVD = 0xb,
    FAULT_SS_RSVD = 0xc,
    FAULT_FEE = 0xe,
    FAULT_IR_REQUEST = 0x20,
    FAULT_IR_INDEX = 0x21,
    FAULT_IR_P = 0x22,
    FAULT_IR_ACCESS = 0x23,
    FAULT_IR_RSVD = 0x24,
    FAULT_IR_COMPAT = 0x25,
    FAULT_IR_SID = 0x26,
    FAULT_PID_ACCESS = 0x27,
    FAULT_PID_RSVD = 0x28,
    FAULT_IR_MALFORMED = 0x29,
    FAULT_IR_EIME = 0x2a,
    FAULT_IR_DISABLED = 0x2b,
    FAULT_RTADDR = 0x30,
    FAULT_ABORT_MODE = 0x33,
};

constexpr bool is_interrupt_fault(uint8_t reason)
{
    return reason >= FAULT_IR_REQUEST && reason <= 0x2f;
}

} /* namespace lab */
