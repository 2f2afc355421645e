/* SPDX-License-Identifier: MIT */
/*
 * The words of the PC itself, for explain: control registers, page tables, PCI, the I/O APIC.
 * From: monitor/explain.c.   To: pci/pci_regs.h, arch/x86.h (the bits).
 * Spec: SDM "Control Registers", "Paging"; PCI Local Bus "Configuration Space Organization"; 82093AA.
 */
#include "arch/x86.h"
#include "guest/gwalk.h"
#include "monitor/explain.h"
#include "pci/pci_regs.h"

static const struct explain_field page_table[] = {
    {BIT(0), "P", "present", NULL, 0},
    {BIT(1), "W", "writes are allowed", NULL, 0},
    {BIT(2), "U", "user mode may use it", NULL, 0},
    {BIT(3), "PWT", "page-level write-through", NULL, 0},
    {BIT(4), "PCD", "page-level cache disable", NULL, 0},
    {BIT(5), "A", "accessed", NULL, 0},
    {BIT(6), "D", "dirty (a leaf)", NULL, 0},
    {BIT(7), "PS", "a large page (or PAT, in a leaf of 4 KiB)", NULL, 0},
    {BIT(8), "G", "global (a leaf)", NULL, 0},
    {BITS(51, 12), "ADDR", "page number of the next table, or of the memory", NULL, 0},
    {BIT(63), "XD", "no instruction fetches", NULL, 0},
    {0}};

static const struct explain_field cr0[] = {{CR0_PE, "PE", "protected mode", NULL, 0},
                                           {BIT(1), "MP", "monitor coprocessor", NULL, 0},
                                           {BIT(2), "EM", "emulate the FPU", NULL, 0},
                                           {BIT(3), "TS", "task switched", NULL, 0},
                                           {CR0_ET, "ET", "always 1", NULL, 0},
                                           {CR0_NE, "NE", "FPU errors by #MF", NULL, 0},
                                           {CR0_WP, "WP", "supervisor obeys read-only", NULL, 0},
                                           {BIT(18), "AM", "alignment checks possible", NULL, 0},
                                           {BIT(29), "NW", "not write-through", NULL, 0},
                                           {BIT(30), "CD", "caches off", NULL, 0},
                                           {CR0_PG, "PG", "paging", NULL, 0},
                                           {0}};

static const struct explain_field cr4[] = {
    {BIT(0), "VME", "virtual-8086 extensions", NULL, 0},
    {BIT(3), "DE", "debugging extensions", NULL, 0},
    {BIT(4), "PSE", "4 MiB pages", NULL, 0},
    {CR4_PAE, "PAE", "64-bit page tables", NULL, 0},
    {BIT(7), "PGE", "global pages", NULL, 0},
    {BIT(9), "OSFXSR", "FXSAVE is used", NULL, 0},
    {BIT(10), "OSXMMEX", "SIMD errors by #XM", NULL, 0},
    {BIT(12), "LA57", "5-level paging", NULL, 0},
    {BIT(13), "VMXE", "VMX is allowed", NULL, 0},
    {BIT(16), "FSGSBASE", "RDFSBASE and others are allowed", NULL, 0},
    {BIT(17), "PCIDE", "PCIDs", NULL, 0},
    {BIT(18), "OSXSAVE", "XSAVE is used", NULL, 0},
    {BIT(20), "SMEP", "no fetches from user pages", NULL, 0},
    {BIT(21), "SMAP", "no accesses to user pages", NULL, 0},
    {0}};

static const struct explain_field page_fault[] = {
    {PFERR_P, "P", "why", "0:not present|1:not permitted", 0},
    {PFERR_W, "W", "access", "0:read|1:write", 0},
    {PFERR_U, "U", "mode", "0:supervisor|1:user", 0},
    {PFERR_RSVD, "RSVD", "a reserved bit was set", NULL, 0},
    {PFERR_I, "I", "it was a fetch", NULL, 0},
    {0}};

static const struct explain_field command[] = {
    {PCI_COMMAND_IO, "IO", "ports are decoded", NULL, 0},
    {PCI_COMMAND_MEM, "MEM", "memory is decoded", NULL, 0},
    {PCI_COMMAND_MASTER, "MASTER", "may send requests: DMA and messages", NULL, 0},
    {PCI_COMMAND_PARITY, "PARITY", "answers to parity errors", NULL, 0},
    {PCI_COMMAND_SERR, "SERR", "may report system errors", NULL, 0},
    {PCI_COMMAND_INTX_OFF, "INTXOFF", "may not assert INTx", NULL, 0},
    {0}};

static const struct explain_field status[] = {
    {PCI_STATUS_INTX, "INTX", "INTx is pending", NULL, 0},
    {PCI_STATUS_CAP_LIST, "CAPS", "has a capability list", NULL, 0},
    {BIT(8), "MPERR", "master data parity error", NULL, 0},
    {BIT(11), "STABORT", "signalled target abort", NULL, 0},
    {BIT(12), "RTABORT", "received target abort", NULL, 0},
    {BIT(13), "RMABORT", "received master abort", NULL, 0},
    {BIT(14), "SSERR", "signalled system error", NULL, 0},
    {BIT(15), "DPERR", "detected parity error", NULL, 0},
    {0}};

static const struct explain_field msi_control[] = {
    {PCI_MSI_ENABLE, "ENABLE", "MSI is on", NULL, 0},
    {PCI_MSI_CAPABLE, "CAPABLE", "log2 of the messages asked for", NULL, 0},
    {PCI_MSI_COUNT, "COUNT", "log2 of the messages given", NULL, 0},
    {PCI_MSI_64, "64BIT", "64-bit addresses", NULL, 0},
    {PCI_MSI_MASKABLE, "MASKABLE", "single messages can be masked", NULL, 0},
    {0}};

static const struct explain_field msix_control[] = {
    {PCI_MSIX_TABLE_SIZE, "SIZE", "entries less 1", NULL, 0},
    {PCI_MSIX_MASK_ALL, "MASKALL", "all are masked", NULL, 0},
    {PCI_MSIX_ENABLE, "ENABLE", "MSI-X is on", NULL, 0},
    {0}};

static const struct explain_field rte[] = {{BITS(7, 0), "VECTOR", "vector", NULL, 0},
                                           {BITS(10, 8), "DELIVERY", "delivery mode",
                                            "0:fixed|1:lowest priority|2:SMI|4:NMI|5:INIT|7:ExtINT",
                                            0},
                                           {BIT(11), "LOGICAL", "logical destination", NULL, 0},
                                           {BIT(12), "PENDING", "is being sent", NULL, 0},
                                           {BIT(13), "LOW", "active low", NULL, 0},
                                           {BIT(14), "IRR", "level: waits for the EOI", NULL, 0},
                                           {BIT(15), "LEVEL", "level-triggered", NULL, 0},
                                           {BIT(16), "MASKED", "masked", NULL, 0},
                                           {BITS(63, 56), "DEST", "destination", NULL, 0},
                                           {0}};

const struct explain_register explain_pc[] = {
    {"pte", "SDM \"Paging\"", 1, page_table},
    {"cr0", "SDM \"Control Registers\"", 1, cr0},
    {"cr4", "SDM \"Control Registers\"", 1, cr4},
    {"pferr", "SDM \"Page-Fault Error Code\"", 1, page_fault},
    {"pci.command", "PCI Local Bus \"Device Control\"", 1, command},
    {"pci.status", "PCI Local Bus \"Device Status\"", 1, status},
    {"pci.msi_control", "PCI Local Bus \"MSI Capability Structure\"", 1, msi_control},
    {"pci.msix_control", "PCI Local Bus \"MSI-X Capability and Table Structures\"", 1,
     msix_control},
    {"ioapic.rte", "82093AA \"I/O APIC Registers\"", 1, rte},
    {0}};
