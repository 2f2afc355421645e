/* SPDX-License-Identifier: MIT */
/*
 * The words of the remapping unit: its registers, the entries of its tables, the descriptors of its
 * queue. Names and bit numbers are the specification's.
 * From: every file of vtd/, and the model in tests/unit/.
 * Spec: VT-d "Register Descriptions", "Translation Structure Formats", "Queued Invalidation Interface".
 */
#pragma once
#include "lib/bits.h"

// clang-format off

/* Registers, by offset from the unit's base; the width in bits behind each. VT-d "Register Descriptions". */
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

#define CAP_ND          BITS(2, 0)  /* number of domains is 2^(4 + 2 ND) */
#define CAP_RWBF        BIT(4)      /* the write buffer is flushed by command */
#define CAP_PLMR        BIT(5)
#define CAP_PHMR        BIT(6)
#define CAP_CM          BIT(7)      /* caching mode: not-present entries may be cached too */
#define CAP_SAGAW       BITS(12, 8) /* bit n: n + 2 levels, 30 + 9 n bits */
#define CAP_MGAW        BITS(21, 16)/* widest address of a request, minus 1 */
#define CAP_FRO         BITS(33, 24)/* offset of the fault records, in 16 bytes */
#define CAP_SSLPS_2M    BIT(34)
#define CAP_SSLPS_1G    BIT(35)
#define CAP_PSI         BIT(39)     /* IOTLB invalidation of single pages */
#define CAP_NFR         BITS(47, 40)/* number of fault records, minus 1 */
#define CAP_MAMV        BITS(53, 48)/* largest address mask of such an invalidation */
#define CAP_DWD         BIT(54)     /* writes can be drained */
#define CAP_DRD         BIT(55)     /* reads can be drained */
#define CAP_PI          BIT(59)     /* posted interrupts */
#define CAP_ESRTPS      BIT(63)     /* SRTP may change the mode while translation is on */

#define ECAP_C          BIT(0)      /* the unit snoops the caches when it walks our tables */
#define ECAP_QI         BIT(1)
#define ECAP_DT         BIT(2)
#define ECAP_IR         BIT(3)
#define ECAP_EIM        BIT(4)      /* 32-bit APIC ids in the interrupt table */
#define ECAP_PT         BIT(6)
#define ECAP_SC         BIT(7)      /* SNP in second-stage entries */
#define ECAP_IRO        BITS(17, 8) /* offset of IVA and IOTLB, in 16 bytes */
#define ECAP_EIMER      BIT(61)     /* ... and only those */
#define ECAP_MHMV       BITS(23, 20)/* largest index mask of an interrupt-entry invalidation */

/* Global Command; the bits of Global Status that answer stand at the same places. */
#define GCMD_TE         BIT(31)     /* translation enable */
#define GCMD_SRTP       BIT(30)     /* set root table pointer: one-shot */
#define GCMD_SFL        BIT(29)     /* set fault log: one-shot */
#define GCMD_WBF        BIT(27)     /* write-buffer flush: one-shot; the status bit reads 1 while busy */
#define GCMD_QIE        BIT(26)     /* queued invalidation enable */
#define GCMD_IRE        BIT(25)     /* interrupt remapping enable */
#define GCMD_SIRTP      BIT(24)     /* set interrupt remapping table pointer: one-shot */
#define GCMD_CFI        BIT(23)     /* compatibility-format interrupts pass */
#define GCMD_ONE_SHOT   (GCMD_SRTP | GCMD_SFL | GCMD_WBF | GCMD_SIRTP)

#define RTADDR_RTA      BITS(63, 12)
#define RTADDR_MODE     (BITS(11, 10) | BIT(7)) /* TTM and SSIRWE; all 0: legacy mode, the one we use */

#define CCMD_ICC        BIT(63)     /* go; reads 1 while busy */
#define CCMD_CIRG       BITS(62, 61)
#define     CIRG_GLOBAL         1
#define     CIRG_DOMAIN         2
#define     CIRG_DEVICE         3
#define CCMD_CAIG       BITS(60, 59)/* what was really done; 0: the request was refused */
#define CCMD_SID        BITS(31, 16)
#define CCMD_DID        BITS(15, 0)

/* At ECAP.IRO: Invalidate Address, and 8 bytes on the IOTLB Invalidate register. */
#define IVA_ADDR        BITS(63, 12)
#define IVA_IH          BIT(6)      /* only leaf entries changed */
#define IVA_AM          BITS(5, 0)
#define IOTLB_REG_OFFSET 8
#define IOTLB_IVT       BIT(63)
#define IOTLB_IIRG      BITS(61, 60)
#define     IIRG_GLOBAL         1
#define     IIRG_DOMAIN         2
#define     IIRG_PAGE           3
#define IOTLB_IAIG      BITS(58, 57)
#define IOTLB_DR        BIT(49)
#define IOTLB_DW        BIT(48)
#define IOTLB_DID       BITS(47, 32)

#define FSTS_PFO        BIT(0)      /* a fault was lost; none is recorded until this is cleared */
#define FSTS_PPF        BIT(1)      /* some record has F set */
#define FSTS_IQE        BIT(4)      /* a descriptor was refused */
#define FSTS_ICE        BIT(5)      /* a device answered an invalidation wrongly */
#define FSTS_ITE        BIT(6)      /* a device did not answer an invalidation */
#define FSTS_FRI        BITS(15, 8) /* the oldest record */
#define FSTS_CLEARABLE  (FSTS_PFO | FSTS_IQE | FSTS_ICE | FSTS_ITE)
#define FECTL_IM        BIT(31)
#define FECTL_IP        BIT(30)

#define PMEN_EPM        BIT(31)
#define PMEN_PRS        BIT(0)

#define IRTA_IRTA       BITS(63, 12)
#define IRTA_EIME       BIT(11)
#define IRTA_S          BITS(3, 0)  /* 2^(S + 1) entries */

/* Fault Recording Register, 128 bits at CAP.FRO. VT-d "Fault Recording Registers". */
#define FRCD_SIZE       16
#define FRCD_FI         BITS(63, 12)        /* page of the request */
#define FRCD_FI_INDEX   BITS(63, 48)        /* interrupt faults: index of the entry */
#define FRCD_SID        BITS_HI(79, 64)
#define FRCD_FR         BITS_HI(103, 96)
#define FRCD_T1         BIT_HI(126)         /* 1: read */
#define FRCD_F          BIT_HI(127)
#define FRCD_F_OFFSET   12                  /* the dword with F, written to clear the record */
#define FRCD_F_DWORD    BIT(31)
#define FAULT_REASON_INTERRUPT_FIRST 0x20
#define FAULT_REASON_INTERRUPT_LAST  0x2f

/* Root and context tables: 256 entries of 128 bits. VT-d "Root Entry", "Context Entry". */
#define ROOT_P          BIT(0)
#define ROOT_CTP        BITS(63, 12)

#define CTX_P           BIT(0)
#define CTX_FPD         BIT(1)              /* faults are not recorded */
#define CTX_TT          BITS(3, 2)
#define     CTX_TT_UNTRANSLATED 0           /* requests of devices without ATS; all others are blocked */
#define     CTX_TT_PASS_THROUGH 2           /* not translated at all; needs ECAP.PT */
#define CTX_SSPTPTR     BITS(63, 12)
#define CTX_AW          BITS_HI(66, 64)     /* levels - 2 */
#define CTX_DID         BITS_HI(87, 72)

/* Second-stage paging entries. VT-d "Second-Stage Paging Entries". */
#define SS_R            BIT(0)
#define SS_W            BIT(1)
#define SS_PS           BIT(7)              /* leaf of 2 MiB or 1 GiB */
#define SS_SNP          BIT(11)             /* leaf: snoop; reserved unless ECAP.SC */
#define SS_ADDR         BITS(51, 12)

/* Interrupt Remapping Table Entry. VT-d "Interrupt Remapping Table Entry (IRTE) for Remapped
 * Interrupts" and VT-d "Interrupt Remapping Table Entry (IRTE) for Posted Interrupts". */
#define IRTE_P          BIT(0)
#define IRTE_FPD        BIT(1)
#define IRTE_DM         BIT(2)              /* logical destination */
#define IRTE_RH         BIT(3)
#define IRTE_TM         BIT(4)              /* level */
#define IRTE_DLM        BITS(7, 5)
#define IRTE_URG        BIT(14)             /* posted: notify even while SN = 1 */
#define IRTE_IM         BIT(15)             /* posted */
#define IRTE_V          BITS(23, 16)
#define IRTE_DST        BITS(63, 32)        /* EIME = 1 */
#define IRTE_DST_XAPIC  BITS(47, 40)        /* EIME = 0 */
#define IRTE_PDA_LOW    BITS(63, 38)        /* posted: descriptor address, bits 31:6 */
#define IRTE_SID        BITS_HI(79, 64)
#define IRTE_SQ         BITS_HI(81, 80)
#define     IRTE_SQ_ALL         0           /* all 16 bits of the source-id are compared */
#define IRTE_SVT        BITS_HI(83, 82)
#define     IRTE_SVT_NONE       0
#define     IRTE_SVT_SID        1
#define     IRTE_SVT_BUS        2
#define IRTE_PDA_HIGH   BITS_HI(127, 96)    /* posted: descriptor address, bits 63:32 */

/* Remappable messages. VT-d "MSI and MSI-X Register Programming", "I/OxAPIC Programming". */
#define MSI_ADDRESS     UINT64_C(0xfee00000)
#define MSI_INDEX_LOW   BITS(19, 5)         /* index 14:0 */
#define MSI_REMAPPABLE  BIT(4)
#define MSI_SHV         BIT(3)              /* the data's low half is added to the index */
#define MSI_INDEX_15    BIT(2)
#define MSI_DEST        BITS(19, 12)        /* compatibility format: APIC id, as the units' own events use it */
#define RTE_INDEX_LOW   BITS(63, 49)
#define RTE_REMAPPABLE  BIT(48)
#define RTE_LEVEL       BIT(15)
#define RTE_ACTIVE_LOW  BIT(13)
#define RTE_INDEX_15    BIT(11)
#define RTE_VECTOR      BITS(7, 0)

/* Invalidation descriptors, 128 bits. VT-d "Queued Invalidation Interface". */
#define IQA_QS          BITS(2, 0)          /* 2^QS pages */
#define IQ_DESC_SHIFT   4                   /* head and tail count descriptors from bit 4 on */
#define IQERCD_IQEI     BITS(3, 0)
#define DESC_TYPE       BITS(3, 0)
#define     DESC_CONTEXT        1
#define     DESC_IOTLB          2
#define     DESC_IEC            4
#define     DESC_WAIT           5
#define DESC_GRANULARITY BITS(5, 4)         /* as CIRG and IIRG */
#define DESC_DID        BITS(31, 16)        /* context and IOTLB */
#define DESC_SID        BITS(47, 32)        /* context */
#define DESC_IOTLB_DW   BIT(6)
#define DESC_IOTLB_DR   BIT(7)
#define DESC_IOTLB_AM   BITS_HI(69, 64)
#define DESC_IOTLB_IH   BIT_HI(70)
#define DESC_IOTLB_ADDR BITS_HI(127, 76)
#define DESC_IEC_INDEXED BIT(4)             /* 0: global */
#define DESC_IEC_IM     BITS(31, 27)        /* 2^IM entries from an index that is a multiple of it */
#define DESC_IEC_IIDX   BITS(47, 32)
#define DESC_WAIT_SW    BIT(5)              /* write the status word */
#define DESC_WAIT_FN    BIT(6)
#define DESC_WAIT_DATA  BITS(63, 32)
#define DESC_WAIT_ADDR  BITS_HI(127, 66)

// clang-format on
