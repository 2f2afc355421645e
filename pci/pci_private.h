/* SPDX-License-Identifier: MIT */
/*
 * The functions that the files of pci/ use of each other. Private to pci/.
 * From: pci/scan.c, sriov.c, reset.c, objection.c.   To: pci/config.c, functions.c, bar.c, caps.c.
 */
#pragma once
#include "pci/pci.h"

/* PCI Express Base "Configuration RRS Software Visibility": retries are over after one second. Many
 * devices need longer after a reset. */
#define PCI_RETRY_TIMEOUT_US 1000000
#define PCI_READY_TIMEOUT_US 10000000

/* config.c: take over the MCFG's windows; without them 0xCF8/0xCFC is used. */
void pci_config_init(void);
/* Does [base, base + size) overlap a window of ECAM? */
bool pci_config_overlaps(uint64_t base, uint64_t size);
/* Wait until configuration space answers after a reset. False: not within PCI_READY_TIMEOUT_US. */
bool pci_wait_ready(bdf_t bdf);
/* Clear and set bits of a 16-bit register; write it only if it changes. Returns the old value. */
uint16_t pci_change16(bdf_t bdf, uint16_t reg, uint16_t set, uint16_t clear);

/* functions.c: remove all functions; add one, empty. NULL (logged): the list is full. */
void pci_functions_clear(void);
struct pci_function *pci_function_add(bdf_t bdf);
void pci_function_remove(bdf_t bdf);
/* Log one line about the function, for people and for tests. */
void pci_function_log(const struct pci_function *f);

/* bar.c: read and size the BARs and the ROM of the header, with decode off meanwhile. */
void pci_bars_read(struct pci_function *f);
/* Is the console's UART in one of its I/O BARs? Such a function is left as it is. */
bool pci_is_console(const struct pci_function *f);
/* Size one BAR at `reg`; the caller has switched decode off. paired: the next register may be its
 * upper half. The register keeps its value. */
struct pci_bar pci_bar_probe(bdf_t bdf, uint16_t reg, bool paired);
/* Write base into the registers at `reg`. The flags are hardwired. */
void pci_bar_write(bdf_t bdf, uint16_t reg, const struct pci_bar *bar);
/* Write all BARs and the ROM of the function, as large and where they were at the scan. A virtual
 * function has no such registers. The caller has switched decode off. */
void pci_bars_write(const struct pci_function *f);
/* Does the register of BAR i lead where it led at the scan? */
bool pci_bar_in_place(const struct pci_function *f, unsigned i);
bool pci_bar_overlap(const struct pci_bar *a, const struct pci_bar *b);

/* caps.c: fill the cap_ and ext_ fields, without what exceeds configuration space. */
void pci_caps_read(struct pci_function *f);
/* PCIE_PORT_TYPE of the function, -1: it has no PCI Express capability. */
int pci_port_type(const struct pci_function *f);
bool pci_is_bridge(const struct pci_function *f); /* to another PCI bus */
bool pci_has_flr(const struct pci_function *f);

/* quirks.c: the bits of f->quirks. */
enum pci_quirk {
    QUIRK_NO_PEERS,
    QUIRK_PCH_PORT,
    QUIRK_WIDE_ACS,
    QUIRK_AS_FUNCTION_0,
    QUIRK_AS_FUNCTION_1,
    QUIRK_AS_PCIE_BRIDGE,
    QUIRK_NO_FLR,
    QUIRK_SLOW_FLR,
    QUIRK_NO_BUS_RESET,
};
/* Fill f->quirks, isolates and acs_control; the header and the capabilities have been read. */
void pci_quirks_read(struct pci_function *f);
static inline bool pci_has_quirk(const struct pci_function *f, enum pci_quirk quirk)
{
    return f->quirks & BIT(quirk);
}

/* requester.c: switch on those Access Control Services that isolate. */
void pci_acs_enable(const struct pci_function *f);

/* A plan of the VFs of pf. No VF is enabled before the whole plan is valid. */
struct vf_plan {
    struct pci_function *pf;
    unsigned count;
    bdf_t first;
    uint16_t stride;
    struct pci_bar bars[PCI_BAR_COUNT]; /* of the first VF; those of the others follow directly */
};
/* room.c: does the bridge pass down all of this BAR? */
bool pci_room_behind(const struct pci_function *bridge, const struct pci_bar *bar);
/* room.c: an address for this BAR of all VFs together; 0: there is none. */
uint64_t pci_room_find(const struct vf_plan *plan, const struct pci_bar *bar);

/* reset.c: would it have a reset, if its owner had all the functions that the reset hits? */
bool pci_reset_with_siblings(const struct pci_function *f);

/* sriov.c: are its virtual functions enabled? */
bool pci_sriov_is_on(const struct pci_function *pf);
/* What of pf a reset clears, and by which its VFs exist. */
void pci_sriov_save(const struct pci_function *pf, struct sriov_saved *s);
/* The VFs are where they were, in the state of power-on. */
void pci_sriov_restore(const struct pci_function *pf, const struct sriov_saved *s);
