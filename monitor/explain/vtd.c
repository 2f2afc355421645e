/* SPDX-License-Identifier: MIT */
/*
 * The words of VT-d, for explain.
 * From: monitor/explain/explain.c.   To: vtd/vtd_regs.h (the definitions).
 * Spec: VT-d "Translation Structure Formats", "Register Descriptions".
 */
#include "arch/apic.h"
#include "arch/ioapic.h"
#include "lib/pi_desc.h"
#include "vtd/vtd_regs.h"
#include "monitor/explain/row.h"

/* A list of numbers and their names, as the values of a field. */
#define VALUE(number, words) #number ":" words "|"

const struct explain_register explain_vtd[] = {
    {"vtd.root", "VT-d \"Root Entry\"", 2, FIELDS(ROOT_P, ROOT_CTP)},
    {"vtd.context", "VT-d \"Context Entry\"", 2,
     FIELDS(CTX_P, CTX_FPD, CTX_TT, CTX_SSPTPTR, CTX_AW, CTX_DID)},
    {"vtd.ss", "VT-d \"Second-Stage Paging Entries\"", 1,
     FIELDS(SS_R, SS_W, SS_PS, SS_SNP, SS_ADDR)},
    {"vtd.irte", "VT-d \"Interrupt Remapping Table Entry (IRTE) for Remapped Interrupts\"", 2,
     FIELDS(IRTE_P, IRTE_FPD, IRTE_DM, IRTE_RH, IRTE_TM, IRTE_DLM, IRTE_IM, IRTE_V, IRTE_DST,
            IRTE_SID, IRTE_SQ, IRTE_SVT)},
    {"vtd.irte_posted", "VT-d \"Interrupt Remapping Table Entry (IRTE) for Posted Interrupts\"", 2,
     FIELDS(IRTE_P, IRTE_FPD, IRTE_URG, IRTE_IM, IRTE_V, IRTE_PDA_LOW, IRTE_SID, IRTE_SQ, IRTE_SVT,
            IRTE_PDA_HIGH)},
    {"vtd.pid", "VT-d \"Posted Interrupt Descriptor (PID)\", bits 319:256", 1,
     FIELDS(PI_ON, PI_SN, PI_NV, PI_NDST)},
    {"vtd.cap", "VT-d \"Capability Register\"", 1,
     FIELDS(CAP_ND, CAP_RWBF, CAP_PLMR, CAP_PHMR, CAP_CM, CAP_SAGAW, CAP_MGAW, CAP_FRO,
            CAP_SSLPS_2M, CAP_SSLPS_1G, CAP_PSI, CAP_NFR, CAP_MAMV, CAP_DWD, CAP_DRD, CAP_PI,
            CAP_ESRTPS)},
    {"vtd.ecap", "VT-d \"Extended Capability Register\"", 1,
     FIELDS(ECAP_C, ECAP_QI, ECAP_DT, ECAP_IR, ECAP_EIM, ECAP_PT, ECAP_SC, ECAP_IRO, ECAP_MHMV,
            ECAP_EIMER)},
    {"vtd.gsts", "VT-d \"Global Status Register\"", 1,
     FIELDS(GCMD_TE, GCMD_SRTP, GCMD_WBF, GCMD_QIE, GCMD_IRE, GCMD_SIRTP, GCMD_CFI)},
    {"vtd.fsts", "VT-d \"Fault Status Register\"", 1,
     FIELDS(FSTS_PFO, FSTS_PPF, FSTS_IQE, FSTS_ICE, FSTS_ITE, FSTS_FRI)},
    {"vtd.frcd", "VT-d \"Fault Recording Registers\"", 2,
     FIELDS(FRCD_FI, FRCD_SID, FRCD_FR, FRCD_T1, FRCD_F)},
    {"vtd.fectl", "VT-d \"Register Descriptions\" (IECTL has the same bits)", 1,
     FIELDS(FECTL_IM, FECTL_IP)},
    {"vtd.rtaddr", "VT-d \"Register Descriptions\"", 1, FIELDS(RTADDR_RTA, RTADDR_TTM)},
    {"vtd.irta", "VT-d \"Register Descriptions\"", 1, FIELDS(IRTA_IRTA, IRTA_EIME, IRTA_S)},
    {"vtd.iqa", "VT-d \"Register Descriptions\"", 1, FIELDS(IQA_IQA, IQA_DW, IQA_QS)},
    {"vtd.ccmd", "VT-d \"Register Descriptions\"", 1,
     FIELDS(CCMD_ICC, CCMD_CIRG, CCMD_CAIG, CCMD_FM, CCMD_SID, CCMD_DID)},
    {"vtd.iotlb", "VT-d \"Register Descriptions\"", 1,
     FIELDS(IOTLB_IVT, IOTLB_IIRG, IOTLB_IAIG, IOTLB_DR, IOTLB_DW, IOTLB_DID)},
    {"vtd.iva", "VT-d \"Register Descriptions\"", 1, FIELDS(IVA_ADDR, IVA_IH, IVA_AM)},
    {"vtd.pmen", "VT-d \"Register Descriptions\"", 1, FIELDS(PMEN_EPM, PMEN_PRS)},
    {"vtd.desc_context", "VT-d \"Context-cache Invalidate Descriptor\"", 2,
     FIELDS(DESC_TYPE, DESC_GRANULARITY, DESC_DID, DESC_SID, DESC_FM)},
    {"vtd.desc_iotlb", "VT-d \"IOTLB Invalidate\"", 2,
     FIELDS(DESC_TYPE, DESC_GRANULARITY, DESC_IOTLB_DW, DESC_IOTLB_DR, DESC_DID, DESC_IOTLB_AM,
            DESC_IOTLB_IH, DESC_IOTLB_ADDR)},
    {"vtd.desc_iec", "VT-d \"Interrupt Entry Cache Invalidate Descriptor\"", 2,
     FIELDS(DESC_TYPE, DESC_IEC_INDEXED, DESC_IEC_IM, DESC_IEC_IIDX)},
    {"vtd.desc_wait", "VT-d \"Invalidation Wait Descriptor\"", 2,
     FIELDS(DESC_TYPE, DESC_WAIT_IF, DESC_WAIT_SW, DESC_WAIT_FN, DESC_WAIT_DATA, DESC_WAIT_ADDR)},
    {"vtd.rte", "VT-d \"I/OxAPIC Programming\"", 1,
     FIELDS(RTE_VECTOR, RTE_INDEX_15, RTE_STATUS, RTE_ACTIVE_LOW, RTE_REMOTE_IRR, RTE_LEVEL,
            RTE_MASKED, RTE_REMAPPABLE, RTE_INDEX_LOW)},
    {"vtd.msi", "VT-d \"MSI and MSI-X Register Programming\"", 1,
     FIELDS(MSI_ADDRESS_BASE, MSI_INDEX_LOW, MSI_REMAPPABLE, MSI_SHV, MSI_INDEX_15)},
    {0}};
