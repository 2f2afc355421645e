/* SPDX-License-Identifier: MIT */
/*
 * The words of VT-d, for explain.
 * From: monitor/explain.c.   To: vtd/vtd_regs.h (the bits).
 * Spec: VT-d "Translation Structure Formats", "Register Descriptions".
 */
#include "arch/pid.h"
#include "monitor/explain.h"
#include "vtd/vtd_regs.h"

#define YES_NO "0:no|1:yes"

static const struct explain_field root[] = {
    {ROOT_P, "P", "present: the bus has a context table", NULL, 0},
    {ROOT_CTP, "CTP", "page number of the context table", NULL, 0},
    {0}};

static const struct explain_field context[] = {
    {CTX_P, "P", "present: 0 blocks every request of the source-id", NULL, 0},
    {CTX_FPD, "FPD", "faults of this device are not recorded", NULL, 0},
    {CTX_TT, "TT", "which requests are translated",
     "0:untranslated|1:translated ones too|2:none, they "
     "pass",
     0},
    {CTX_SSPTPTR, "SSPTPTR", "page number of the second-stage table", NULL, 0},
    {CTX_AW, "AW", "width of addresses",
     "1:39 bits, 3 levels|2:48 bits, 4 levels|3:57 bits, 5 levels", 1},
    {CTX_DID, "DID", "domain-id, the tag in every cache", NULL, 1},
    {0}};

static const struct explain_field second_stage[] = {
    {SS_R, "R", "reads are allowed", NULL, 0},
    {SS_W, "W", "writes are allowed", NULL, 0},
    {SS_PS, "PS", "a leaf of 2 MiB or 1 GiB", NULL, 0},
    {SS_SNP, "SNP", "snoop the caches whatever the device asks", NULL, 0},
    {SS_ADDR, "ADDR", "page number of the next table, or of the memory", NULL, 0},
    {0}};

static const struct explain_field irte[] = {
    {IRTE_P, "P", "present: 0 blocks the interrupt", NULL, 0},
    {IRTE_FPD, "FPD", "faults of this entry are not recorded", NULL, 0},
    {IRTE_DM, "DM", "destination mode", "0:physical|1:logical", 0},
    {IRTE_RH, "RH", "redirection hint: to one of several", NULL, 0},
    {IRTE_TM, "TM", "trigger mode", "0:edge|1:level", 0},
    {IRTE_DLM, "DLM", "delivery mode", "0:fixed|1:lowest priority|2:SMI|4:NMI|5:INIT|7:ExtINT", 0},
    {IRTE_IM, "IM", "what is done with the interrupt", "0:remapped|1:posted", 0},
    {IRTE_V, "V", "vector, of this machine", NULL, 0},
    {IRTE_DST, "DST", "destination APIC id (without EIME: its low byte in bits 47:40)", NULL, 0},
    {IRTE_SID, "SID", "source-id that may use the entry", NULL, 1},
    {IRTE_SQ, "SQ", "which bits of it count",
     "0:all 16|1:not function 2|2:not function 2:1|3:not the function", 1},
    {IRTE_SVT, "SVT", "how it is verified", "0:not at all|1:source-id|2:bus range", 1},
    {0}};

static const struct explain_field irte_posted[] = {
    {IRTE_P, "P", "present: 0 blocks the interrupt", NULL, 0},
    {IRTE_FPD, "FPD", "faults of this entry are not recorded", NULL, 0},
    {IRTE_URG, "URG", "urgent: notifies even while SN = 1", NULL, 0},
    {IRTE_IM, "IM", "what is done with the interrupt", "0:remapped|1:posted", 0},
    {IRTE_V, "V", "vector, of the guest", NULL, 0},
    {IRTE_PDA_LOW, "PDAL", "bits 31:6 of the descriptor's address", NULL, 0},
    {IRTE_SID, "SID", "source-id that may use the entry", NULL, 1},
    {IRTE_SQ, "SQ", "which bits of it count",
     "0:all 16|1:not function 2|2:not function 2:1|3:not the function", 1},
    {IRTE_SVT, "SVT", "how it is verified", "0:not at all|1:source-id|2:bus range", 1},
    {IRTE_PDA_HIGH, "PDAH", "bits 63:32 of the descriptor's address", NULL, 1},
    {0}};

static const struct explain_field pid_control[] = {
    {PID_ON, "ON", "outstanding: notified, and nobody has looked yet", NULL, 0},
    {PID_SN, "SN", "suppress: post, but do not notify", NULL, 0},
    {PID_NV, "NV", "notification vector", "0xf0:ANV|0xf1:WNV", 0},
    {PID_NDST, "NDST", "its destination (xAPIC: the APIC id in bits 15:8)", NULL, 0},
    {0}};

static const struct explain_field cap[] = {
    {CAP_ND, "ND", "2^(4 + 2 ND) domain-ids", NULL, 0},
    {CAP_RWBF, "RWBF", "write buffers must be flushed", YES_NO, 0},
    {CAP_PLMR, "PLMR", "protected low memory", YES_NO, 0},
    {CAP_PHMR, "PHMR", "protected high memory", YES_NO, 0},
    {CAP_CM, "CM", "caching mode: what is not present is cached too", YES_NO, 0},
    {CAP_SAGAW, "SAGAW", "table depths (bit n: n + 2 levels)", NULL, 0},
    {CAP_MGAW, "MGAW", "widest address, bits less 1", NULL, 0},
    {CAP_FRO, "FRO", "fault records at this times 16", NULL, 0},
    {CAP_SSLPS_2M, "SLLPS2M", "pages of 2 MiB", YES_NO, 0},
    {CAP_SSLPS_1G, "SLLPS1G", "pages of 1 GiB", YES_NO, 0},
    {CAP_PSI, "PSI", "single pages can be invalidated", YES_NO, 0},
    {CAP_NFR, "NFR", "fault records, less 1", NULL, 0},
    {CAP_MAMV, "MAMV", "largest mask of such an invalidation", NULL, 0},
    {CAP_DWD, "DWD", "writes can be drained", YES_NO, 0},
    {CAP_DRD, "DRD", "reads can be drained", YES_NO, 0},
    {CAP_PI, "PI", "interrupts can be posted", YES_NO, 0},
    {CAP_ESRTPS, "ESRTPS", "the root pointer may change while on", YES_NO, 0},
    {0}};

static const struct explain_field ecap[] = {
    {ECAP_C, "C", "walks snoop the caches", YES_NO, 0},
    {ECAP_QI, "QI", "queued invalidation", YES_NO, 0},
    {ECAP_DT, "DT", "device TLBs", YES_NO, 0},
    {ECAP_IR, "IR", "interrupt remapping", YES_NO, 0},
    {ECAP_EIM, "EIM", "32-bit APIC ids", YES_NO, 0},
    {ECAP_PT, "PT", "pass-through", YES_NO, 0},
    {ECAP_SC, "SC", "snoop control", YES_NO, 0},
    {ECAP_IRO, "IRO", "IOTLB registers at this times 16", NULL, 0},
    {ECAP_MHMV, "MHMV", "largest mask of an interrupt-entry invalidation", NULL, 0},
    {ECAP_EIMER, "EIMER", "32-bit APIC ids are required", YES_NO, 0},
    {0}};

static const struct explain_field gsts[] = {
    {GCMD_TE, "TES", "translation is on", NULL, 0},
    {GCMD_SRTP, "RTPS", "the root table pointer was taken over", NULL, 0},
    {GCMD_WBF, "WBFS", "the write buffer is being flushed", NULL, 0},
    {GCMD_QIE, "QIES", "the invalidation queue is on", NULL, 0},
    {GCMD_IRE, "IRES", "interrupt remapping is on", NULL, 0},
    {GCMD_SIRTP, "IRTPS", "the interrupt table pointer was taken over", NULL, 0},
    {GCMD_CFI, "CFIS", "compatibility-format interrupts pass", NULL, 0},
    {0}};

static const struct explain_field fsts[] = {
    {FSTS_PFO, "PFO", "overflow: faults were lost", NULL, 0},
    {FSTS_PPF, "PPF", "a record is waiting", NULL, 0},
    {FSTS_IQE, "IQE", "a descriptor of the queue was refused", NULL, 0},
    {FSTS_ICE, "ICE", "a device answered an invalidation wrongly", NULL, 0},
    {FSTS_ITE, "ITE", "a device did not answer an invalidation", NULL, 0},
    {FSTS_FRI, "FRI", "index of the oldest record", NULL, 0},
    {0}};

static const struct explain_field frcd[] = {
    {FRCD_FI, "FI", "page of the request; interrupts: bits 63:48 are the index", NULL, 0},
    {FRCD_SID, "SID", "source-id", NULL, 1},
    {FRCD_FR, "FR", "reason",
     "1:root entry not present|2:context entry not present|3:context entry invalid|4:address "
     "beyond the width|5:write not permitted|6:read not permitted|0x22:interrupt entry not "
     "present|0x25:compatibility-format interrupt blocked|0x26:source-id not allowed",
     1},
    {FRCD_T1, "T1", "type", "0:write|1:read", 1},
    {FRCD_F, "F", "the record is full", NULL, 1},
    {0}};

static const struct explain_field msi[] = {
    {BITS(31, 20), "FEE", "0xfee: an interrupt, not memory", NULL, 0},
    {MSI_INDEX_LOW, "INDEX", "index 14:0 of the entry", NULL, 0},
    {MSI_REMAPPABLE, "FORMAT", "format", "0:compatibility, blocked|1:remappable", 0},
    {MSI_SHV, "SHV", "the data is added to the index", NULL, 0},
    {MSI_INDEX_15, "INDEX15", "index 15 of the entry", NULL, 0},
    {0}};

const struct explain_register explain_vtd[] = {
    {"vtd.root", "VT-d \"Root Entry\"", 2, root},
    {"vtd.context", "VT-d \"Context Entry\"", 2, context},
    {"vtd.ss", "VT-d \"Second-Stage Paging Entries\"", 1, second_stage},
    {"vtd.irte", "VT-d \"Interrupt Remapping Table Entry (IRTE) for Remapped Interrupts\"", 2,
     irte},
    {"vtd.irte_posted", "VT-d \"Interrupt Remapping Table Entry (IRTE) for Posted Interrupts\"", 2,
     irte_posted},
    {"vtd.pid", "VT-d \"Posted Interrupt Descriptor (PID)\", bits 319:256", 1, pid_control},
    {"vtd.cap", "VT-d \"Capability Register\"", 1, cap},
    {"vtd.ecap", "VT-d \"Extended Capability Register\"", 1, ecap},
    {"vtd.gsts", "VT-d \"Global Status Register\"", 1, gsts},
    {"vtd.fsts", "VT-d \"Fault Status Register\"", 1, fsts},
    {"vtd.frcd", "VT-d \"Fault Recording Registers\"", 2, frcd},
    {"vtd.msi", "VT-d \"MSI and MSI-X Register Programming\"", 1, msi},
    {0}};
