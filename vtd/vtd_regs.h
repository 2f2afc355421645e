/* SPDX-License-Identifier: MIT */
/*
 * The remapping unit in bits: its registers, the entries of its tables, the descriptors of its
 * queue. Names and bit numbers are the specification's; the words are for explain (lib/bits.h).
 * From: every file of vtd/, and the model in tests/unit/.
 * Spec: VT-d "Register Descriptions", "Translation Structure Formats",
 * "Queued Invalidation Interface".
 */
#pragma once
#include "lib/bits.h"

// clang-format off

/* Registers, by offset from the unit's base; behind each its width in bits and its name. */
enum vtd_reg {
    VTD_VER     = 0x00, /* 32 Version */
    VTD_CAP     = 0x08, /* 64 Capability */
    VTD_ECAP    = 0x10, /* 64 Extended Capability */
    VTD_GCMD    = 0x18, /* 32 Global Command: written whole, see unit.c */
    VTD_GSTS    = 0x1c, /* 32 Global Status */
    VTD_RTADDR  = 0x20, /* 64 Root Table Address, taken over by SRTP */
    VTD_CCMD    = 0x28, /* 64 Context Command */
    VTD_FSTS    = 0x34, /* 32 Fault Status */
    VTD_FECTL   = 0x38, /* 32 Fault Event Control */
    VTD_FEDATA  = 0x3c, /* 32 Fault Event Data */
    VTD_FEADDR  = 0x40, /* 32 Fault Event Address */
    VTD_FEUADDR = 0x44, /* 32 Fault Event Upper Address */
    VTD_PMEN    = 0x64, /* 32 Protected Memory Enable */
    VTD_PLMBASE = 0x68, /* 32 Protected Low-Memory Base */
    VTD_PLMLIMIT = 0x6c,/* 32 Protected Low-Memory Limit */
    VTD_PHMBASE = 0x70, /* 64 Protected High-Memory Base */
    VTD_PHMLIMIT = 0x78,/* 64 Protected High-Memory Limit */
    VTD_IQH     = 0x80, /* 64 Invalidation Queue Head */
    VTD_IQT     = 0x88, /* 64 Invalidation Queue Tail */
    VTD_IQA     = 0x90, /* 64 Invalidation Queue Address */
    VTD_ICS     = 0x9c, /* 32 Invalidation Completion Status */
    VTD_IECTL   = 0xa0, /* 32 Invalidation Event Control */
    VTD_IRTA    = 0xb8, /* 64 Interrupt Remapping Table Address, taken over by SIRTP */
};

#define VER_MAJOR       BITS(7, 4)  /* from 6 on there is no register-based invalidation */

#define CAP_ND          BITS(2, 0, "ND", "2^(4 + 2 ND) domain-ids")
#define CAP_RWBF        BIT(4, "RWBF", "write buffers must be flushed", YES_NO)
#define CAP_PLMR        BIT(5, "PLMR", "protected low memory", YES_NO)
#define CAP_PHMR        BIT(6, "PHMR", "protected high memory", YES_NO)
#define CAP_CM          BIT(7, "CM", "caching mode: what is not present is cached too", YES_NO)
#define CAP_SAGAW       BITS(12, 8, "SAGAW", "table depths (bit n: n + 2 levels, 30 + 9 n bits)")
#define CAP_MGAW        BITS(21, 16, "MGAW", "widest address, bits less 1")
#define CAP_FRO         BITS(33, 24, "FRO", "fault records at this times 16")
#define CAP_SSLPS_2M    BIT(34, "SLLPS2M", "pages of 2 MiB", YES_NO)
#define CAP_SSLPS_1G    BIT(35, "SLLPS1G", "pages of 1 GiB", YES_NO)
#define CAP_PSI         BIT(39, "PSI", "single pages can be invalidated", YES_NO)
#define CAP_NFR         BITS(47, 40, "NFR", "fault records, less 1")
#define CAP_MAMV        BITS(53, 48, "MAMV", "largest mask of such an invalidation")
#define CAP_DWD         BIT(54, "DWD", "writes can be drained", YES_NO)
#define CAP_DRD         BIT(55, "DRD", "reads can be drained", YES_NO)
#define CAP_PI          BIT(59, "PI", "interrupts can be posted", YES_NO)
#define CAP_ESRTPS      BIT(63, "ESRTPS", "SRTP may change the mode while on", YES_NO)

#define ECAP_C          BIT(0, "C", "walks snoop the caches", YES_NO)
#define ECAP_QI         BIT(1, "QI", "queued invalidation", YES_NO)
#define ECAP_DT         BIT(2, "DT", "device TLBs", YES_NO)
#define ECAP_IR         BIT(3, "IR", "interrupt remapping", YES_NO)
#define ECAP_EIM        BIT(4, "EIM", "32-bit APIC ids in the interrupt table", YES_NO)
#define ECAP_PT         BIT(6, "PT", "pass-through", YES_NO)
#define ECAP_SC         BIT(7, "SC", "snoop control: SNP in second-stage entries", YES_NO)
#define ECAP_IRO        BITS(17, 8, "IRO", "IVA and IOTLB at this times 16")
#define ECAP_ADMS       BIT(52, "ADMS", "a kind of tables that blocks all", YES_NO)
#define ECAP_EIMER      BIT(61, "EIMER", "32-bit APIC ids are required", YES_NO)
#define ECAP_IRREQ      BIT(62, "IRREQ", "interrupts are blocked while remapping is off", YES_NO)
#define ECAP_MHMV       BITS(23, 20, "MHMV", "largest mask of an interrupt-entry invalidation")

/* Global Command. Global Status has the same bits, and their names and words are those of Global
 * Status. */
#define GCMD_TE         BIT(31, "TES", "translation is on")
#define GCMD_SRTP       BIT(30, "RTPS", "the root table pointer was taken over")
#define GCMD_SFL        BIT(29)     /* set fault log: one-shot */
#define GCMD_WBF        BIT(27, "WBFS", "the write buffer is being flushed")
#define GCMD_QIE        BIT(26, "QIES", "the invalidation queue is on")
#define GCMD_IRE        BIT(25, "IRES", "interrupt remapping is on")
#define GCMD_SIRTP      BIT(24, "IRTPS", "the interrupt table pointer was taken over")
#define GCMD_CFI        BIT(23, "CFIS", "compatibility-format interrupts pass")
#define GCMD_ONE_SHOT   (GCMD_SRTP | GCMD_SFL | GCMD_WBF | GCMD_SIRTP)

#define RTADDR_RTA      BITS(63, 12, "RTA", "address of the root table", ADDRESS)
#define RTADDR_TTM      BITS(11, 10, "TTM", "kind of the tables", \
                             "0:legacy|1:scalable|3:abort, all is blocked")
#define RTADDR_MODE     (RTADDR_TTM | BIT(7)) /* TTM, SSIRWE; all 0: legacy mode, the one we use */

#define CIRG_VALUES     "1:global|2:domain|3:device"
#define CCMD_ICC        BIT(63, "ICC", "go; 1 while the unit is busy", YES_NO)
#define CCMD_CIRG       BITS(62, 61, "CIRG", "what is asked for", CIRG_VALUES)
#define     CIRG_GLOBAL         1
#define     CIRG_DOMAIN         2
#define     CIRG_DEVICE         3
#define CCMD_CAIG       BITS(60, 59, "CAIG", "what was done (0: nothing)", CIRG_VALUES)
#define CCMD_FM         BITS(33, 32, "FM", "function bits that do not count")
#define CCMD_SID        BITS(31, 16, "SID", "source-id")
#define CCMD_DID        BITS(15, 0, "DID", "domain-id")

/* At ECAP.IRO: Invalidate Address, and 8 bytes on the IOTLB Invalidate register. */
#define IVA_ADDR        BITS(63, 12, "ADDR", "address", ADDRESS)
#define IVA_IH          BIT(6, "IH", "only leaf entries have changed")
#define IVA_AM          BITS(5, 0, "AM", "2^AM pages")
#define IOTLB_REG_OFFSET 8
#define IIRG_VALUES     "1:global|2:domain|3:page"
#define IOTLB_IVT       BIT(63, "IVT", "go; 1 while the unit is busy", YES_NO)
#define IOTLB_IIRG      BITS(61, 60, "IIRG", "what is asked for", IIRG_VALUES)
#define     IIRG_GLOBAL         1
#define     IIRG_DOMAIN         2
#define     IIRG_PAGE           3
#define IOTLB_IAIG      BITS(58, 57, "IAIG", "what was done", IIRG_VALUES)
#define IOTLB_DR        BIT(49, "DR", "reads are drained")
#define IOTLB_DW        BIT(48, "DW", "writes are drained")
#define IOTLB_DID       BITS(47, 32, "DID", "domain-id")

#define FSTS_PFO        BIT(0, "PFO", "a fault was lost; none is recorded until this is cleared")
#define FSTS_PPF        BIT(1, "PPF", "a record is full: its F is set")
#define FSTS_IQE        BIT(4, "IQE", "a descriptor of the queue was refused")
#define FSTS_ICE        BIT(5, "ICE", "a device answered an invalidation wrongly")
#define FSTS_ITE        BIT(6, "ITE", "a device did not answer an invalidation")
#define FSTS_FRI        BITS(15, 8, "FRI", "index of the oldest record")
#define FSTS_CLEARABLE  (FSTS_PFO | FSTS_IQE | FSTS_ICE | FSTS_ITE)
#define FECTL_IM        BIT(31, "IM", "the unit's interrupt is masked")
#define FECTL_IP        BIT(30, "IP", "it waits")

#define PMEN_EPM        BIT(31, "EPM", "protected memory is asked for")
#define PMEN_PRS        BIT(0, "PRS", "it is protected")

#define IRTA_IRTA       BITS(63, 12, "IRTA", "address of the interrupt-remapping table", ADDRESS)
#define IRTA_EIME       BIT(11, "EIME", "entries hold 32-bit APIC ids", YES_NO)
#define IRTA_S          BITS(3, 0, "S", "it has 2^(S + 1) entries")

/* Fault Recording Register, 128 bits at CAP.FRO. VT-d "Fault Recording Registers". */
#define FRCD_SIZE       16
#define FRCD_FI         BITS(63, 12, "FI", "page of the request (interrupt: index in 63:48)", \
                             ADDRESS)
#define FRCD_FI_INDEX   BITS(63, 48)        /* interrupt faults: index of the entry */
#define FRCD_SID        BITS_HI(79, 64, "SID", "source-id")
#define FRCD_FR         BITS_HI(103, 96, "FR", "reason", FAULT_REASONS(VALUE))
#define FRCD_T1         BIT_HI(126, "T1", "type", "0:write|1:read")
#define FRCD_F          BIT_HI(127, "F", "the record is full")
#define FRCD_F_OFFSET   12                  /* the dword with F, written to clear the record */
#define FRCD_F_DWORD    BIT(31)

/* VT-d "Fault Conditions and Remapping Hardware Behavior for Various Requests": the value of FR */
#define FAULT_REASONS(F)                                                                           \
    F(0x01, "root entry not present")                                                              \
    F(0x02, "context entry not present")                                                           \
    F(0x03, "context entry invalid")                                                               \
    F(0x04, "address beyond the width")                                                            \
    F(0x05, "write not permitted")                                                                 \
    F(0x06, "read not permitted")                                                                  \
    F(0x07, "paging table unreadable")                                                             \
    F(0x08, "root table unreadable")                                                               \
    F(0x09, "context table unreadable")                                                            \
    F(0x0a, "reserved bit in root entry")                                                          \
    F(0x0b, "reserved bit in context entry")                                                       \
    F(0x0c, "reserved bit in paging entry")                                                        \
    F(0x0d, "translation or translated request blocked")                                           \
    F(0x0e, "translates into the interrupt addresses")                                             \
    F(0x20, "reserved bit in interrupt request")                                                   \
    F(0x21, "interrupt index beyond the table")                                                    \
    F(0x22, "interrupt entry not present")                                                         \
    F(0x23, "interrupt table unreadable")                                                          \
    F(0x24, "reserved bit in interrupt entry")                                                     \
    F(0x25, "compatibility-format interrupt blocked")                                              \
    F(0x26, "source-id not allowed to use interrupt entry")                                        \
    F(0x27, "posted-interrupt descriptor unreachable")                                             \
    F(0x28, "reserved bit in posted-interrupt descriptor")                                         \
    F(0x29, "malformed write to the interrupt addresses")                                          \
    F(0x2a, "extended interrupt mode required")                                                    \
    F(0x2b, "interrupt remapping required")                                                        \
    F(0x30, "root table address register invalid")                                                 \
    F(0x33, "all DMA is aborted")
#define FAULT_REASON_INTERRUPT_FIRST 0x20
#define FAULT_REASON_INTERRUPT_LAST  0x2f

/* Root and context tables: 256 entries of 128 bits. VT-d "Root Entry", "Context Entry". */
#define ROOT_P          BIT(0, "P", "present: the bus has a context table")
#define ROOT_CTP        BITS(63, 12, "CTP", "address of the context table", ADDRESS)

#define CTX_P           BIT(0, "P", "present: 0 blocks every request of the source-id")
#define CTX_FPD         BIT(1, "FPD", "faults of this device are not recorded")
#define CTX_TT          BITS(3, 2, "TT", "which requests are translated", \
                             "0:all, ATS is blocked|1:all, and ATS may come|2:none, they pass")
#define     CTX_TT_UNTRANSLATED 0           /* requests without ATS; all others are blocked */
#define     CTX_TT_PASS_THROUGH 2           /* not translated at all; needs ECAP.PT */
#define CTX_SSPTPTR     BITS(63, 12, "SSPTPTR", "address of the second-stage table", ADDRESS)
#define CTX_AW          BITS_HI(66, 64, "AW", "width of addresses", \
                                "1:39 bits, 3 levels|2:48 bits, 4 levels|3:57 bits, 5 levels")
#define CTX_DID         BITS_HI(87, 72, "DID", "domain-id, the tag in every cache")

/* Second-stage paging entries. VT-d "Second-Stage Paging Entries". */
#define SS_R            BIT(0, "R", "reads are allowed")
#define SS_W            BIT(1, "W", "writes are allowed")
#define SS_PS           BIT(7, "PS", "a leaf of 2 MiB or 1 GiB")
#define SS_SNP          BIT(11, "SNP", "a leaf: requests snoop the caches; needs ECAP.SC")
#define SS_ADDR         BITS(51, 12, "ADDR", "of the next table or the memory", ADDRESS)

/* Interrupt Remapping Table Entry. VT-d "Interrupt Remapping Table Entry (IRTE) for Remapped
 * Interrupts" and VT-d "Interrupt Remapping Table Entry (IRTE) for Posted Interrupts". */
#define IRTE_P          BIT(0, "P", "present: 0 blocks the interrupt")
#define IRTE_FPD        BIT(1, "FPD", "faults of this entry are not recorded")
#define IRTE_DM         BIT(2, "DM", "destination mode", "0:physical|1:logical")
#define IRTE_RH         BIT(3, "RH", "redirection hint: to one of several")
#define IRTE_TM         BIT(4, "TM", "trigger mode", "0:edge|1:level")
#define IRTE_DLM        BITS(7, 5, "DLM", "delivery mode", \
                             "0:fixed|1:lowest priority|2:SMI|4:NMI|5:INIT|7:ExtINT")
#define IRTE_URG        BIT(14, "URG", "urgent, posted: notifies even while SN = 1")
#define IRTE_IM         BIT(15, "IM", "what is done with the interrupt", "0:remapped|1:posted")
#define IRTE_V          BITS(23, 16, "V", "vector; posted: the guest's own")
#define IRTE_DST        BITS(63, 32, "DST", "destination APIC id (EIME = 0: in bits 47:40)")
#define IRTE_DST_XAPIC  BITS(47, 40)        /* EIME = 0 */
#define IRTE_PDA_LOW    BITS(63, 38, "PDAL", "posted: bits 31:6 of the descriptor's address")
#define IRTE_SID        BITS_HI(79, 64, "SID", "source-id that may use the entry")
#define IRTE_SQ         BITS_HI(81, 80, "SQ", "which bits of it count", \
                                "0:all 16|1:not function 2|2:not function 2:1|3:not the function")
#define     IRTE_SQ_ALL         0           /* all 16 bits of the source-id are compared */
#define IRTE_SVT        BITS_HI(83, 82, "SVT", "how it is verified", \
                                "0:not at all|1:source-id|2:bus range")
#define     IRTE_SVT_NONE       0
#define     IRTE_SVT_SID        1
#define     IRTE_SVT_BUS        2
#define IRTE_PDA_HIGH   BITS_HI(127, 96, "PDAH", "posted: bits 63:32 of the descriptor's address")

/* Remappable messages and I/O APIC entries. Bits that are as in the compatibility format stand in
 * arch/apic.h and arch/ioapic.h.
 * VT-d "MSI and MSI-X Register Programming", "I/OxAPIC Programming". */
#define MSI_ADDRESS     UINT64_C(0xfee00000)
#define MSI_INDEX_LOW   BITS(19, 5, "INDEX", "index 14:0 of the entry")
#define MSI_REMAPPABLE  BIT(4, "FORMAT", "format", "0:compatibility, blocked|1:remappable")
#define MSI_SHV         BIT(3, "SHV", "the low half of the data is added to the index")
#define MSI_INDEX_15    BIT(2, "INDEX15", "index 15 of the entry")
#define RTE_INDEX_LOW   BITS(63, 49, "INDEX", "index 14:0 of the entry")
#define RTE_REMAPPABLE  BIT(48, "FORMAT", "format", "0:compatibility, blocked|1:remappable")
#define RTE_INDEX_15    BIT(11, "INDEX15", "index 15 of the entry")

/* Invalidation descriptors, 128 bits. VT-d "Queued Invalidation Interface". */
#define IQA_IQA         BITS(63, 12, "IQA", "address of the invalidation queue", ADDRESS)
#define IQA_DW          BIT(11, "DW", "width of a descriptor", "0:128 bits|1:256 bits")
#define IQA_QS          BITS(2, 0, "QS", "2^QS pages")
#define IQ_DESC_SHIFT   4                   /* head and tail count descriptors from bit 4 on */
#define DESC_TYPE       BITS(3, 0, "TYPE", "what it is", \
                             "1:context cache|2:IOTLB|4:interrupt-entry cache|5:wait")
#define     DESC_CONTEXT        1
#define     DESC_IOTLB          2
#define     DESC_IEC            4
#define     DESC_WAIT           5
#define DESC_GRANULARITY BITS(5, 4, "G", "granularity", "1:global|2:domain|3:device or page")
#define DESC_DID        BITS(31, 16, "DID", "domain-id")  /* context and IOTLB */
#define DESC_SID        BITS(47, 32, "SID", "source-id")  /* context */
#define DESC_FM         BITS(49, 48, "FM", "function bits that do not count") /* context */
#define DESC_IOTLB_DW   BIT(6, "DW", "writes are drained")
#define DESC_IOTLB_DR   BIT(7, "DR", "reads are drained")
#define DESC_IOTLB_AM   BITS_HI(69, 64, "AM", "2^AM pages")
#define DESC_IOTLB_IH   BIT_HI(70, "IH", "only leaf entries have changed")
#define DESC_IOTLB_ADDR BITS_HI(127, 76, "ADDR", "address", ADDRESS)
#define DESC_IEC_INDEXED BIT(4, "G", "granularity", "0:global|1:by index")
#define DESC_IEC_IM     BITS(31, 27, "IM", "2^IM entries, from a multiple of it on")
#define DESC_IEC_IIDX   BITS(47, 32, "IIDX", "first of them")
#define DESC_WAIT_IF    BIT(4, "IF", "an interrupt when all before are done")
#define DESC_WAIT_SW    BIT(5, "SW", "the status is written when all before are done")
#define DESC_WAIT_FN    BIT(6, "FN", "those behind wait, too")
#define DESC_WAIT_DATA  BITS(63, 32, "DATA", "the status")
#define DESC_WAIT_ADDR  BITS_HI(127, 66, "ADDR", "where it is written", ADDRESS)

// clang-format on
