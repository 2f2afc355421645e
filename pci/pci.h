/* SPDX-License-Identifier: MIT */
/*
 * PCI as hardware: which functions there are and how to speak to them. Knows nothing of guests.
 * From: boot/main.c, vtd/ (scope paths), guest/ (assignment).
 * To: pci/config.c, functions.c, scan.c, bar.c, caps.c, msi.c, reset.c, requester.c, sriov.c,
 * room.c, objection.c; register names in pci/pci_regs.h.
 * Spec: PCI Local Bus 3.0; PCI Express Base "Configuration Space"; PCI Firmware "MCFG".
 */
#pragma once
#include "lib/errno.h"
#include "lib/types.h"
#include "pci/pci_regs.h"

#define PCI_FUNCTION_MAX 256
#define PCI_BAR_COUNT    6

enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_IO, PCI_BAR_MEM };

struct pci_bar {
    enum pci_bar_kind kind;
    bool is_64bit, prefetchable;
    uint64_t base; /* as the firmware placed it; 0: not placed */
    uint64_t size; /* bytes, a power of two; the upper half of a 64-bit pair has kind NONE */
};

struct pci_function {
    bdf_t bdf;
    uint16_t vendor, device, command_at_boot;
    uint32_t class_code;           /* 23:16 class, 15:8 subclass, 7:0 interface */
    uint8_t revision, header_type; /* without the multifunction bit */
    bool multifunction;
    uint8_t interrupt_pin;  /* 0: none, 1: INTA ... */
    uint8_t interrupt_line; /* as the firmware left it; 0xff: none */
    /* Offsets of the capabilities that Hamlet understands, 0: absent. */
    uint8_t cap_pm, cap_msi, cap_msix, cap_pcie, cap_af;
    uint16_t ext_acs, ext_ats, ext_sriov, ext_ari;
    /* What the MSI and MSI-X capabilities said at boot. Never read again: once a guest has the
     * function, it may have firmware of the guest's choice. */
    uint16_t msi_control, msix_control;
    uint32_t msix_table, msix_pba;
    /* Bridges: the buses behind; parent: the bridge this function is behind, NULL on a root bus. */
    uint8_t secondary_bus, subordinate_bus;
    struct pci_function *parent;
    /* Of a virtual function: the physical one, else NULL. Configuration space of a VF reads
     * all-ones as vendor and device, and zero as BARs; the values in here are the true ones. */
    struct pci_function *physical;
    void *owner; /* whose it is (guest/assign/assign.c: a VM), NULL: nobody's */
    bool parked; /* it could not be reset after its last owner: in quarantine */
    bool spared; /* its guest is using it: no reset of another function may hit it by the way */
    struct pci_bar bars[PCI_BAR_COUNT];
    struct pci_bar rom; /* kind MEM if there is one */
};

/* Find every function: all buses that the bridges name, bounded; BARs sized with decode off. */
void pci_scan(void);
size_t pci_count(void);
struct pci_function *pci_get(size_t n);   /* n < pci_count(), in order of bdf */
struct pci_function *pci_find(bdf_t bdf); /* NULL: not there */
struct pci_function *pci_find_id(uint16_t vendor, uint16_t device, unsigned nth); /* nth from 0 */

/* Config space by ECAM where the MCFG has a window for the bus, else by 0xCF8/0xCFC (registers
 * below 256; beyond: reads all-ones, writes dropped). reg is aligned to the width (1, 2, 4). */
uint32_t pci_read(bdf_t bdf, uint16_t reg, unsigned width);
void pci_write(bdf_t bdf, uint16_t reg, unsigned width, uint32_t v);
static inline uint8_t pci_read8(bdf_t bdf, uint16_t reg) { return (uint8_t)pci_read(bdf, reg, 1); }
static inline uint16_t pci_read16(bdf_t bdf, uint16_t reg)
{
    return (uint16_t)pci_read(bdf, reg, 2);
}
static inline uint32_t pci_read32(bdf_t bdf, uint16_t reg) { return pci_read(bdf, reg, 4); }
static inline void pci_write8(bdf_t bdf, uint16_t reg, uint8_t v) { pci_write(bdf, reg, 1, v); }
static inline void pci_write16(bdf_t bdf, uint16_t reg, uint16_t v) { pci_write(bdf, reg, 2, v); }
static inline void pci_write32(bdf_t bdf, uint16_t reg, uint32_t v) { pci_write(bdf, reg, 4, v); }
bool pci_has_ecam(bdf_t bdf);

/* Walk a capability list, at most 48 steps; check every pointer. 0: not there, or a broken list. */
uint8_t pci_cap_find(bdf_t bdf, uint8_t id);
uint16_t pci_ext_cap_find(bdf_t bdf, uint16_t id);

/* Set and clear bits of Command; returns the old value. */
uint16_t pci_command(bdf_t bdf, uint16_t set, uint16_t clear);

/* MSI: what the physical function sends. Setting the message leaves the enable bit as it is. */
struct pci_msi_info {
    bool is_64bit, maskable;
    uint8_t message_count_log2; /* Multiple Message Capable, 0..5 */
};
struct pci_msi_info pci_msi_info(const struct pci_function *f);
void pci_msi_set(const struct pci_function *f, uint64_t address, uint16_t data,
                 unsigned count_log2);
void pci_msi_enable(const struct pci_function *f, bool on);

/* MSI-X: where table and PBA lie; -EINVAL (logged) if what the device says does not fit its BAR. */
struct pci_msix_info {
    uint16_t count; /* entries, 1..2048 */
    uint8_t table_bar, pba_bar;
    uint32_t table_offset, pba_offset;
};
MUST_CHECK int pci_msix_info(const struct pci_function *f, struct pci_msix_info *out);
void pci_msix_enable(const struct pci_function *f, bool on, bool mask_all);

/* Reset, best kind first; bounded by the times of the specification. The function's BARs, Command
 * (bus master and interrupts off) and INTx disable are restored afterwards. -ENODEV: no way to
 * reset it; -ETIMEDOUT: it did not come back. `used` says which way was taken. */
enum pci_reset_kind {
    PCI_RESET_NONE,
    PCI_RESET_FLR,
    PCI_RESET_AF_FLR,
    PCI_RESET_D3HOT,
    PCI_RESET_BUS
};
const char *pci_reset_name(enum pci_reset_kind kind);
enum pci_reset_kind pci_reset_best(const struct pci_function *f);
MUST_CHECK int pci_reset(struct pci_function *f, enum pci_reset_kind *used);
/* Wait until Device Status shows no transaction pending, at most 100 ms. */
MUST_CHECK int pci_drain(const struct pci_function *f);

/* The requester id under which the function's requests arrive at the root: its own, or that of a
 * bridge on the way ("alias"). Both have to be mapped where they differ. */
bdf_t pci_requester(const struct pci_function *f);
/* Two functions that cannot be told apart or isolated from each other are of one group (ACS, bridge
 * alias, multifunction siblings). The group's number is the bdf of its first function. */
bdf_t pci_group(const struct pci_function *f);
/* What on the hardware's side speaks against giving the function to its owner (set `owner` before
 * asking: what has the same owner does not count). RMRR and VT-d scopes: vtd/vtd.h. */
struct pci_objection {
    const char *name; /* short and stable: bridge, console, vfs, bar, group, no-reset */
    const char *why;  /* in words */
    bool final;       /* nobody may waive it */
};
#define PCI_OBJECTION_MAX 6
size_t pci_objections(const struct pci_function *f, struct pci_objection *out);
/* The same about its ROM alone, which not everybody wants; NULL: it may be shown. */
const char *pci_rom_objection(const struct pci_function *f);
/* The first objection in words; NULL: there is none. */
const char *pci_not_assignable(const struct pci_function *f);

/* Make `count` virtual functions of a physical one appear, each a pci_function of its own behind
 * pci_find(). -ENODEV: no SR-IOV, or fewer VFs than that; -EBUSY: they are enabled already;
 * -ENOSPC: no bus number or no address space for them; -ETIMEDOUT: they did not come.
 * Spec: PCI Express Base "Single Root I/O Virtualization". */
MUST_CHECK int pci_sriov_enable(struct pci_function *pf, unsigned count);
