/* SPDX-License-Identifier: MIT */
/*
 * The words of VT-d, for explain.
 * From: monitor/explain/explain.c.   To: vtd/vtd_regs.h (the bits).
 * Spec: VT-d "Translation Structure Formats", "Register Descriptions".
 */
#include "lib/pi_desc.h"
#include "monitor/explain/explain.h"
#include "vtd/vtd_regs.h"

#define YES_NO "0:no|1:yes"

static const struct explain_field root[] = {
    {ROOT_P, "P", "present: the bus has a context table", NULL, 0},
    {ROOT_CTP, "CTP", "address of the context table", EXPLAIN_ADDRESS, 0},
    {0}};

static const struct explain_field context[] = {
    {CTX_P, "P", "present: 0 blocks every request of the source-id", NULL, 0},
    {CTX_FPD, "FPD", "faults of this device are not recorded", NULL, 0},
    {CTX_TT, "TT", "which requests are translated",
     "0:untranslated|1:translated ones too|2:none, they "
     "pass",
     0},
    {CTX_SSPTPTR, "SSPTPTR", "address of the second-stage table", EXPLAIN_ADDRESS, 0},
    {CTX_AW, "AW", "width of addresses",
     "1:39 bits, 3 levels|2:48 bits, 4 levels|3:57 bits, 5 levels", 1},
    {CTX_DID, "DID", "domain-id, the tag in every cache", NULL, 1},
    {0}};

static const struct explain_field second_stage[] = {
    {SS_R, "R", "reads are allowed", NULL, 0},
    {SS_W, "W", "writes are allowed", NULL, 0},
    {SS_PS, "PS", "a leaf of 2 MiB or 1 GiB", NULL, 0},
    {SS_SNP, "SNP", "snoop the caches whatever the device asks", NULL, 0},
    {SS_ADDR, "ADDR", "address of the next table, or of the memory", EXPLAIN_ADDRESS, 0},
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
    {PI_ON, "ON", "outstanding: notified, and nobody has looked yet", NULL, 0},
    {PI_SN, "SN", "suppress: post, but do not notify", NULL, 0},
    {PI_NV, "NV", "notification vector", "0xf0:ANV|0xf1:WNV", 0},
    {PI_NDST, "NDST", "its destination (xAPIC: the APIC id in bits 15:8)", NULL, 0},
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
    {FRCD_FI, "FI", "page of the request; of an interrupt bits 63:48: the index of the entry",
     EXPLAIN_ADDRESS, 0},
    {FRCD_SID, "SID", "source-id", NULL, 1},
    {FRCD_FR, "FR", "reason",
     "1:root entry not present|2:context entry not present|3:context entry invalid|4:address "
     "beyond the width|5:write not permitted|6:read not permitted|7:paging table unreadable|"
     "0xa:reserved bit in root entry|0xb:reserved bit in context entry|0xc:reserved bit in paging "
     "entry|0xd:translated request blocked|0x20:reserved bit in interrupt request|0x21:index "
     "beyond the table|0x22:interrupt entry not present|0x24:reserved bit in interrupt entry|"
     "0x25:compatibility-format interrupt blocked|0x26:source-id not allowed|0x27:descriptor "
     "unreachable",
     1},
    {FRCD_T1, "T1", "type", "0:write|1:read", 1},
    {FRCD_F, "F", "the record is full", NULL, 1},
    {0}};

static const struct explain_field rtaddr[] = {
    {RTADDR_RTA, "RTA", "address of the root table", EXPLAIN_ADDRESS, 0},
    {BITS(11, 10), "TTM", "kind of the tables", "0:legacy|1:scalable|3:abort, all is blocked", 0},
    {0}};

static const struct explain_field irta[] = {
    {IRTA_IRTA, "IRTA", "address of the interrupt-remapping table", EXPLAIN_ADDRESS, 0},
    {IRTA_EIME, "EIME", "entries hold 32-bit APIC ids", YES_NO, 0},
    {IRTA_S, "S", "it has 2^(S + 1) entries", NULL, 0},
    {0}};

static const struct explain_field iqa[] = {
    {BITS(63, 12), "IQA", "address of the invalidation queue", EXPLAIN_ADDRESS, 0},
    {BIT(11), "DW", "width of a descriptor", "0:128 bits|1:256 bits", 0},
    {IQA_QS, "QS", "2^QS pages", NULL, 0},
    {0}};

#define CONTEXT_GRANULARITY "1:global|2:domain|3:device"
#define IOTLB_GRANULARITY   "1:global|2:domain|3:page"
static const struct explain_field ccmd[] = {
    {CCMD_ICC, "ICC", "the unit is at it", YES_NO, 0},
    {CCMD_CIRG, "CIRG", "what is asked for", CONTEXT_GRANULARITY, 0},
    {CCMD_CAIG, "CAIG", "what was done", CONTEXT_GRANULARITY, 0},
    {BITS(33, 32), "FM", "function bits that do not count", NULL, 0},
    {CCMD_SID, "SID", "source-id", NULL, 0},
    {CCMD_DID, "DID", "domain-id", NULL, 0},
    {0}};
static const struct explain_field iotlb[] = {
    {IOTLB_IVT, "IVT", "the unit is at it", YES_NO, 0},
    {IOTLB_IIRG, "IIRG", "what is asked for", IOTLB_GRANULARITY, 0},
    {IOTLB_IAIG, "IAIG", "what was done", IOTLB_GRANULARITY, 0},
    {IOTLB_DR, "DR", "reads are drained", NULL, 0},
    {IOTLB_DW, "DW", "writes are drained", NULL, 0},
    {IOTLB_DID, "DID", "domain-id", NULL, 0},
    {0}};
static const struct explain_field iva[] = {
    {IVA_ADDR, "ADDR", "address", EXPLAIN_ADDRESS, 0},
    {IVA_IH, "IH", "only leaf entries have changed", NULL, 0},
    {IVA_AM, "AM", "2^AM pages", NULL, 0},
    {0}};

static const struct explain_field desc_context[] = {
    {DESC_TYPE, "TYPE", "what it is", "1:context-cache invalidation", 0},
    {DESC_GRANULARITY, "G", "granularity", CONTEXT_GRANULARITY, 0},
    {DESC_DID, "DID", "domain-id", NULL, 0},
    {DESC_SID, "SID", "source-id", NULL, 0},
    {BITS(49, 48), "FM", "function bits that do not count", NULL, 0},
    {0}};
static const struct explain_field desc_iotlb[] = {
    {DESC_TYPE, "TYPE", "what it is", "2:IOTLB invalidation", 0},
    {DESC_GRANULARITY, "G", "granularity", IOTLB_GRANULARITY, 0},
    {DESC_IOTLB_DW, "DW", "writes are drained", NULL, 0},
    {DESC_IOTLB_DR, "DR", "reads are drained", NULL, 0},
    {DESC_DID, "DID", "domain-id", NULL, 0},
    {DESC_IOTLB_AM, "AM", "2^AM pages", NULL, 1},
    {DESC_IOTLB_IH, "IH", "only leaf entries have changed", NULL, 1},
    {DESC_IOTLB_ADDR, "ADDR", "address", EXPLAIN_ADDRESS, 1},
    {0}};
static const struct explain_field desc_iec[] = {
    {DESC_TYPE, "TYPE", "what it is", "4:interrupt-entry-cache invalidation", 0},
    {DESC_IEC_INDEXED, "G", "granularity", "0:global|1:by index", 0},
    {DESC_IEC_IM, "IM", "2^IM entries", NULL, 0},
    {DESC_IEC_IIDX, "IIDX", "first of them", NULL, 0},
    {0}};
static const struct explain_field desc_wait[] = {
    {DESC_TYPE, "TYPE", "what it is", "5:invalidation wait", 0},
    {BIT(4), "IF", "an interrupt when all before are done", NULL, 0},
    {DESC_WAIT_SW, "SW", "the status is written when all before are done", NULL, 0},
    {DESC_WAIT_FN, "FN", "those behind wait, too", NULL, 0},
    {DESC_WAIT_DATA, "DATA", "the status", NULL, 0},
    {DESC_WAIT_ADDR, "ADDR", "where it is written", EXPLAIN_ADDRESS, 1},
    {0}};

static const struct explain_field event_control[] = {
    {FECTL_IM, "IM", "the unit's interrupt is masked", NULL, 0},
    {FECTL_IP, "IP", "it waits", NULL, 0},
    {0}};
static const struct explain_field pmen[] = {
    {PMEN_EPM, "EPM", "protected memory is asked for", NULL, 0},
    {PMEN_PRS, "PRS", "it is protected", NULL, 0},
    {0}};

static const struct explain_field rte[] = {
    {RTE_VECTOR, "VECTOR", "as in the entry; of the EOI", NULL, 0},
    {RTE_INDEX_15, "INDEX15", "index 15 of the entry", NULL, 0},
    {BIT(12), "PENDING", "is being sent", NULL, 0},
    {RTE_ACTIVE_LOW, "LOW", "active low", NULL, 0},
    {BIT(14), "IRR", "level: waits for the EOI", NULL, 0},
    {RTE_LEVEL, "LEVEL", "level-triggered", NULL, 0},
    {BIT(16), "MASKED", "masked", NULL, 0},
    {RTE_REMAPPABLE, "FORMAT", "format", "0:compatibility, blocked|1:remappable", 0},
    {RTE_INDEX_LOW, "INDEX", "index 14:0 of the entry", NULL, 0},
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
    {"vtd.fectl", "VT-d \"Register Descriptions\" (IECTL has the same bits)", 1, event_control},
    {"vtd.rtaddr", "VT-d \"Register Descriptions\"", 1, rtaddr},
    {"vtd.irta", "VT-d \"Register Descriptions\"", 1, irta},
    {"vtd.iqa", "VT-d \"Register Descriptions\"", 1, iqa},
    {"vtd.ccmd", "VT-d \"Register Descriptions\"", 1, ccmd},
    {"vtd.iotlb", "VT-d \"Register Descriptions\"", 1, iotlb},
    {"vtd.iva", "VT-d \"Register Descriptions\"", 1, iva},
    {"vtd.pmen", "VT-d \"Register Descriptions\"", 1, pmen},
    {"vtd.desc_context", "VT-d \"Context-cache Invalidate Descriptor\"", 2, desc_context},
    {"vtd.desc_iotlb", "VT-d \"IOTLB Invalidate\"", 2, desc_iotlb},
    {"vtd.desc_iec", "VT-d \"Interrupt Entry Cache Invalidate Descriptor\"", 2, desc_iec},
    {"vtd.desc_wait", "VT-d \"Invalidation Wait Descriptor\"", 2, desc_wait},
    {"vtd.rte", "VT-d \"I/OxAPIC Programming\"", 1, rte},
    {"vtd.msi", "VT-d \"MSI and MSI-X Register Programming\"", 1, msi},
    {0}};
