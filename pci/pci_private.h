/* SPDX-License-Identifier: MIT */
/*
 * What the files of pci/ need of each other, and nobody else.
 * From: pci/scan.c, sriov.c, group.c.   To: pci/config.c, bar.c, caps.c.
 */
#pragma once
#include "pci/pci.h"

/* config.c: take over the MCFG's windows; without them 0xCF8/0xCFC is used. */
void pci_config_init(void);
/* Does [base, base + size) touch memory that reaches configuration space? */
bool pci_config_overlaps(uint64_t base, uint64_t size);

/* scan.c: a new, empty entry in the table, NULL if it is full (logged). */
struct pci_function *pci_function_add(bdf_t bdf);
void pci_function_remove(bdf_t bdf);
/* One line that says what is there, for people and for tests. */
void pci_function_log(const struct pci_function *f);

/* bar.c: the BARs and the ROM of the header, with decode off meanwhile. */
void pci_bars_read(struct pci_function *f);
/* Is the console's UART in one of its I/O BARs? Such a function is left as it is. */
bool pci_is_console(const struct pci_function *f);
/* Size the one BAR at `reg`, while the caller has decode off; paired: the register after it may be
 * its upper half. The register is left as it was. */
struct pci_bar pci_bar_probe(bdf_t bdf, uint16_t reg, bool paired);
/* Put base back into the registers at `reg`, flags are hardwired. */
void pci_bar_write(bdf_t bdf, uint16_t reg, const struct pci_bar *bar);
bool pci_bar_overlap(const struct pci_bar *a, const struct pci_bar *b);

/* caps.c: fill in the cap_ and ext_ fields; what does not fit into configuration space is left out. */
void pci_caps_read(struct pci_function *f);
/* PCIE_PORT_TYPE of the function, -1: it has no PCI Express capability. */
int pci_port_type(const struct pci_function *f);
bool pci_is_bridge(const struct pci_function *f); /* to another PCI bus */

/* group.c: have the port or function keep peer-to-peer requests away from each other, as far as it can. */
void pci_acs_enable(const struct pci_function *f);

/* reset.c: wait until configuration space answers again after a reset, at most a second. */
bool pci_wait_ready(const struct pci_function *f);

/* What a reset of a physical function takes from its virtual ones. */
struct sriov_saved {
    uint16_t control, vf_count;
    uint32_t page_size, bars[PCI_BAR_COUNT];
};
void pci_sriov_save(const struct pci_function *pf, struct sriov_saved *s);
/* The VFs come back where they were, as after power-on. */
void pci_sriov_restore(const struct pci_function *pf, const struct sriov_saved *s);
