/* SPDX-License-Identifier: MIT */
/*
 * The words of the PC itself, for explain: control registers, page tables, PCI, messages, APICs.
 * From: monitor/explain/explain.c.   To: pci/pci_regs.h, arch/x86.h (the bits).
 * Spec: SDM "Control Registers", "Paging"; PCI Local Bus "Configuration Space Organization"; 82093AA.
 */
#include "arch/apic.h"
#include "arch/x86.h"
#include "guest/insn/gwalk.h"
#include "monitor/explain/explain.h"
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
    {BITS(51, 12), "ADDR", "address of the next table, or of the memory", EXPLAIN_ADDRESS, 0},
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

static const struct explain_field efer[] = {
    {EFER_SCE, "SCE", "SYSCALL is allowed", NULL, 0},
    {EFER_LME, "LME", "IA-32e mode as soon as paging is on", NULL, 0},
    {EFER_LMA, "LMA", "IA-32e mode is active", NULL, 0},
    {EFER_NXE, "NXE", "pages can forbid fetches", NULL, 0},
    {0}};

static const struct explain_field rflags[] = {
    {RFLAGS_CF, "CF", "carry", NULL, 0},
    {RFLAGS_PF, "PF", "parity", NULL, 0},
    {RFLAGS_AF, "AF", "auxiliary carry", NULL, 0},
    {RFLAGS_ZF, "ZF", "zero", NULL, 0},
    {RFLAGS_SF, "SF", "sign", NULL, 0},
    {RFLAGS_TF, "TF", "trap after each instruction", NULL, 0},
    {RFLAGS_IF, "IF", "interrupts are taken", NULL, 0},
    {RFLAGS_DF, "DF", "strings go down", NULL, 0},
    {RFLAGS_OF, "OF", "overflow", NULL, 0},
    {BITS(13, 12), "IOPL", "I/O privilege level", NULL, 0},
    {BIT(14), "NT", "nested task", NULL, 0},
    {BIT(16), "RF", "resume: no instruction breakpoint now", NULL, 0},
    {RFLAGS_VM, "VM", "virtual-8086 mode", NULL, 0},
    {RFLAGS_AC, "AC", "alignment checks", NULL, 0},
    {BIT(21), "ID", "CPUID is there", NULL, 0},
    {0}};

#define BREAKPOINT_KIND "0:an instruction|1:writes|2:I/O|3:reads and writes"
#define BREAKPOINT_SIZE "0:1 byte|1:2 bytes|2:8 bytes|3:4 bytes"
static const struct explain_field dr6[] = {
    {BITS(3, 0), "B3-B0", "which breakpoints were met, a bit each", NULL, 0},
    {BIT(13), "BD", "access to a debug register", NULL, 0},
    {BIT(14), "BS", "single step", NULL, 0},
    {BIT(15), "BT", "task switch", NULL, 0},
    {BIT(16), "RTM", "0: inside of a transaction", NULL, 0},
    {0}};
static const struct explain_field dr7[] = {
    {BITS(1, 0), "LG0", "breakpoint 0 is on: 1 local, 2 global", NULL, 0},
    {BITS(3, 2), "LG1", "breakpoint 1 is on", NULL, 0},
    {BITS(5, 4), "LG2", "breakpoint 2 is on", NULL, 0},
    {BITS(7, 6), "LG3", "breakpoint 3 is on", NULL, 0},
    {BIT(8), "LE", "exact, local", NULL, 0},
    {BIT(9), "GE", "exact, global", NULL, 0},
    {BIT(13), "GD", "accesses to debug registers trap", NULL, 0},
    {BITS(17, 16), "RW0", "breakpoint 0 is for", BREAKPOINT_KIND, 0},
    {BITS(19, 18), "LEN0", "breakpoint 0 covers", BREAKPOINT_SIZE, 0},
    {BITS(21, 20), "RW1", "breakpoint 1 is for", BREAKPOINT_KIND, 0},
    {BITS(23, 22), "LEN1", "breakpoint 1 covers", BREAKPOINT_SIZE, 0},
    {BITS(25, 24), "RW2", "breakpoint 2 is for", BREAKPOINT_KIND, 0},
    {BITS(27, 26), "LEN2", "breakpoint 2 covers", BREAKPOINT_SIZE, 0},
    {BITS(29, 28), "RW3", "breakpoint 3 is for", BREAKPOINT_KIND, 0},
    {BITS(31, 30), "LEN3", "breakpoint 3 covers", BREAKPOINT_SIZE, 0},
    {0}};

#define DELIVERY_MODES "0:fixed|1:lowest priority|2:SMI|4:NMI|5:INIT|6:STARTUP|7:ExtINT"
static const struct explain_field apic_base[] = {
    {BIT(8), "BSP", "this is the bootstrap processor", NULL, 0},
    {BIT(10), "EXTD", "x2APIC mode", NULL, 0},
    {BIT(11), "EN", "the local APIC is on", NULL, 0},
    {BITS(51, 12), "BASE", "address of its registers in xAPIC mode", EXPLAIN_ADDRESS, 0},
    {0}};
static const struct explain_field apic_svr[] = {
    {BITS(7, 0), "VECTOR", "of a spurious interrupt", NULL, 0},
    {APIC_SVR_ENABLE, "EN", "enabled by software", NULL, 0},
    {BIT(12), "NOBCAST", "an EOI is not told to the I/O APICs", NULL, 0},
    {0}};
static const struct explain_field apic_lvt[] = {
    {APIC_LVT_VECTOR, "VECTOR", "vector", NULL, 0},
    {BITS(10, 8), "DELIVERY", "delivery mode", DELIVERY_MODES, 0},
    {BIT(12), "PENDING", "is being sent", NULL, 0},
    {BIT(13), "LOW", "active low", NULL, 0},
    {BIT(14), "IRR", "level: waits for the EOI", NULL, 0},
    {BIT(15), "LEVEL", "level-triggered", NULL, 0},
    {APIC_LVT_MASKED, "MASKED", "masked", NULL, 0},
    {APIC_LVT_TIMER_MODE, "MODE", "of the timer", "0:one-shot|1:periodic|2:TSC deadline", 0},
    {0}};
static const struct explain_field apic_icr[] = {
    {APIC_ICR_VECTOR, "VECTOR", "vector", NULL, 0},
    {APIC_ICR_DELIVERY, "DELIVERY", "delivery mode", DELIVERY_MODES, 0},
    {APIC_ICR_LOGICAL, "LOGICAL", "logical destination", NULL, 0},
    {APIC_ICR_PENDING, "PENDING", "is being sent", NULL, 0},
    {APIC_ICR_ASSERT, "ASSERT", "assert", NULL, 0},
    {APIC_ICR_LEVEL, "LEVEL", "level-triggered", NULL, 0},
    {APIC_ICR_SHORTHAND, "TO", "who gets it", "0:the destination|1:itself|2:all|3:all others", 0},
    {BITS(63, 32), "DEST", "destination (xAPIC: in bits 63:56)", NULL, 0},
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

static const struct explain_field msix_vector[] = {
    {PCI_MSIX_ENTRY_MASK, "MASKED", "this message is masked", NULL, 0}, {0}};

static const struct explain_field msi_data[] = {
    {BITS(7, 0), "VECTOR", "vector (remappable format: a part of the subhandle)", NULL, 0},
    {BITS(10, 8), "DELIVERY", "delivery mode", DELIVERY_MODES, 0},
    {BIT(14), "ASSERT", "level: assert", NULL, 0},
    {BIT(15), "LEVEL", "level-triggered", NULL, 0},
    {0}};
static const struct explain_field msi_address[] = {
    {BITS(31, 20), "FEE", "0xfee: an interrupt, not memory", NULL, 0},
    {BITS(19, 12), "DEST", "destination APIC id", NULL, 0},
    {BIT(3), "RH", "redirection hint: to one of several", NULL, 0},
    {BIT(2), "DM", "destination mode", "0:physical|1:logical", 0},
    {0}};

static const struct explain_field bar[] = {
    {PCI_BAR_IS_IO, "IO", "which space (the rest is for memory)", "0:memory|1:ports", 0},
    {PCI_BAR_MEM_TYPE, "TYPE", "width of the address", "0:32 bits|2:64 bits", 0},
    {PCI_BAR_MEM_PREFETCH, "PREF", "prefetchable", NULL, 0},
    {BITS(63, 4), "ADDR", "address", EXPLAIN_ADDRESS, 0},
    {0}};

static const struct explain_field pm_control[] = {
    {PCI_PM_STATE, "STATE", "power", "0:D0, on|1:D1|2:D2|3:D3hot, off", 0},
    {PCI_PM_NO_SOFT_RESET, "NOSOFTRST", "D3hot to D0 resets nothing", NULL, 0},
    {BIT(8), "PMEEN", "may ask to be woken", NULL, 0},
    {PCI_PM_PME_STATUS, "PME", "asks to be woken", NULL, 0},
    {0}};

static const struct explain_field pcie_control[] = {
    {BIT(0), "CORREN", "reports correctable errors", NULL, 0},
    {BIT(1), "NONFEN", "reports non-fatal errors", NULL, 0},
    {BIT(2), "FATEN", "reports fatal errors", NULL, 0},
    {BIT(3), "UREN", "reports unsupported requests", NULL, 0},
    {BIT(4), "RELAX", "relaxed ordering", NULL, 0},
    {BITS(7, 5), "PAYLOAD", "largest payload, 128 << n bytes", NULL, 0},
    {BIT(8), "TAG", "extended tags", NULL, 0},
    {BIT(11), "NOSNOOP", "requests need not be snooped", NULL, 0},
    {BITS(14, 12), "READ", "largest read, 128 << n bytes", NULL, 0},
    {PCIE_DEVICE_FLR, "FLR", "function level reset", NULL, 0},
    {0}};
static const struct explain_field pcie_status[] = {
    {BIT(0), "CORR", "correctable error", NULL, 0},
    {BIT(1), "NONFATAL", "non-fatal error", NULL, 0},
    {BIT(2), "FATAL", "fatal error", NULL, 0},
    {BIT(3), "UR", "unsupported request", NULL, 0},
    {BIT(4), "AUX", "auxiliary power", NULL, 0},
    {PCIE_DEVICE_PENDING, "PEND", "requests of its own are not answered yet", NULL, 0},
    {0}};

static const struct explain_field sriov_control[] = {
    {PCI_SRIOV_VF_ENABLE, "VFE", "virtual functions are on", NULL, 0},
    {PCI_SRIOV_VF_MEM, "VFMEM", "their memory is decoded", NULL, 0},
    {PCI_SRIOV_ARI, "ARI", "numbers beyond 8 functions", NULL, 0},
    {0}};

static const struct explain_field rte[] = {
    {BITS(7, 0), "VECTOR", "vector", NULL, 0},
    {BITS(10, 8), "DELIVERY", "delivery mode", DELIVERY_MODES, 0},
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
    {"efer", "SDM \"Extended Feature Enable Register\"", 1, efer},
    {"rflags", "SDM \"EFLAGS Register\"", 1, rflags},
    {"dr6", "SDM \"Debug Registers\"", 1, dr6},
    {"dr7", "SDM \"Debug Registers\"", 1, dr7},
    {"pferr", "SDM \"Page-Fault Error Code\"", 1, page_fault},
    {"pci.command", "PCI Local Bus \"Device Control\"", 1, command},
    {"pci.status", "PCI Local Bus \"Device Status\"", 1, status},
    {"pci.msi_control", "PCI Local Bus \"MSI Capability Structure\"", 1, msi_control},
    {"pci.msix_control", "PCI Local Bus \"MSI-X Capability and Table Structures\"", 1,
     msix_control},
    {"pci.msix_vector", "PCI Local Bus \"MSI-X Capability and Table Structures\"", 1, msix_vector},
    {"pci.bar", "PCI Local Bus \"Base Addresses\"", 1, bar},
    {"pci.pm_control", "PCI Bus Power Management \"Power Management Register Block\"", 1,
     pm_control},
    {"pci.device_control", "PCI Express Base \"PCI Express Capability Structure\"", 1,
     pcie_control},
    {"pci.device_status", "PCI Express Base \"PCI Express Capability Structure\"", 1, pcie_status},
    {"pci.sriov_control", "PCI Express Base \"SR-IOV Extended Capability\"", 1, sriov_control},
    {"msi.address", "SDM \"Message Address Register Format\" (vtd.msi: the remappable format)", 1,
     msi_address},
    {"msi.data", "SDM \"Message Data Register Format\"", 1, msi_data},
    {"apic.base", "SDM \"Enabling or Disabling the Local APIC\"", 1, apic_base},
    {"apic.svr", "SDM \"Local APIC Register Address Map\"", 1, apic_svr},
    {"apic.lvt", "SDM \"Local APIC Register Address Map\"", 1, apic_lvt},
    {"apic.icr", "SDM \"Interrupt Command Register (ICR)\"", 1, apic_icr},
    {"ioapic.rte", "82093AA \"I/O APIC Registers\"", 1, rte},
    {0}};
