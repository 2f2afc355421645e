/* SPDX-License-Identifier: MIT */
/*
 * Config space as the guest sees it: a host bridge and the assigned functions on bus 0, reached through
 * 0xCF8/0xCFC and through ECAM, both by the same filter.
 * The filter is a list of registers per function. A register says which bits come from the shadow and
 * which from the hardware, which bits the guest may write, and what a write does. What is in no list
 * is read from the hardware and never written.
 * From: guest/pc/pio.c.   To: vpci_header.c, vpci_caps.c (the lists), vbar.c, vmsi.c.
 * Spec: PCI Local Bus 3.0 "Configuration Space Organization"; PCI Express "Enhanced Configuration
 * Access Mechanism (ECAM)".
 */
#pragma once
#include "guest/assign/irq.h"
#include "pci/pci.h"

#define VPCI_CONFIG_SIZE 4096
#define VPCI_REG_MAX     48
#define VPCI_MSI_MAX     32

struct vm;
struct assignment;
struct vpci_function;

struct vpci_reg {
    uint16_t offset;
    uint8_t width;   /* 1, 2 or 4; naturally aligned */
    uint32_t shadow; /* bits that the guest reads from the shadow; the others from the hardware */
    uint32_t
        writable; /* bits that a write changes: shadow bits there, the others in the hardware */
    uint32_t clear_on_1; /* hardware bits of the kind "write one to clear" */
    /* Instead of the plain write: gets the whole register as it would be. */
    void (*write)(struct vpci_function *f, const struct vpci_reg *r, uint32_t value);
};

/* A BAR of the guest's view, and what stands behind it. */
struct vbar {
    struct vpci_function *of;
    struct pci_bar host; /* kind NONE: absent */
    uint64_t guest;      /* where the guest put it; meaningful while decode is on */
    uint64_t mapped_at;  /* where it really is now; valid if `mapped` */
    bool mapped;
    bool waits;         /* bar=lazy: `mapped` only as a range that asks for it at the first touch */
    bool enabled;       /* ROM BAR: its own enable bit */
    int place_budget;   /* lines about impossible places */
    struct vmsix *msix; /* whose table is in it, or NULL */
};

struct vpci_function {
    bdf_t bdf;             /* as the guest sees it */
    struct assignment *of; /* NULL: the virtual host bridge */
    uint8_t cap_msi, cap_msix;
    struct pci_msi_info msi_info;
    bool msi_live;          /* the physical MSI is programmed and enabled, ... */
    uint8_t msi_count_log2; /* ... for that many messages */
    struct irq_route msi[VPCI_MSI_MAX];
    struct vmsix *msix;

    size_t reg_count;
    struct vpci_reg regs[VPCI_REG_MAX];
    struct vbar bars[PCI_BAR_COUNT + 1]; /* the last is the ROM */
    uint8_t shadow[VPCI_CONFIG_SIZE];
};
#define VPCI_ROM PCI_BAR_COUNT

struct vpci {
    struct vm *vm;
    uint32_t address;                    /* the 0xCF8 latch, one per VM */
    struct vpci_function *functions[32]; /* by device number on bus 0; function 0 each */
    struct vpci_function bridge;
};

/* The VM's bus with its host bridge, on its port and MMIO buses. NULL: no memory. */
MUST_CHECK struct vpci *vpci_create(struct vm *vm);
void vpci_destroy(struct vpci *bus);
/* Put f at the first free device number (sets f->bdf) or take it away. -ENOSPC. */
MUST_CHECK int vpci_plug(struct vpci *bus, struct vpci_function *f);
void vpci_unplug(struct vpci *bus, struct vpci_function *f);

/* One access, any width 1, 2, 4 at any offset inside one aligned dword. f NULL: nobody there. */
uint32_t vpci_read(struct vpci_function *f, uint16_t offset, unsigned width);
void vpci_write(struct vpci_function *f, uint16_t offset, unsigned width, uint32_t value);

/* Build the lists. vpci_header.c: type 0 header; vpci_caps.c: the capability list, relinked. */
void vpci_header_init(struct vpci_function *f);
MUST_CHECK int vpci_caps_init(struct vpci_function *f);
/* Add a register to f's list (kept in order of offset). */
void vpci_add(struct vpci_function *f, struct vpci_reg reg);

/* Shadow as little-endian numbers; width 1, 2, 4. */
uint32_t vpci_shadow(const struct vpci_function *f, uint16_t offset, unsigned width);
void vpci_set_shadow(struct vpci_function *f, uint16_t offset, unsigned width, uint32_t value);

/* vbar.c: the BARs follow Command and the BAR registers. */
MUST_CHECK int vbar_init(struct vpci_function *f);
/* Map and unmap so that what is reachable equals what the registers say. */
void vbar_update(struct vpci_function *f);
void vbar_unmap_all(struct vpci_function *f);
/* As a reset leaves them, but where they are: not decoded. Command is 0 already. */
void vbar_reset(struct vpci_function *f);

/* vmsi.c: -ENOSPC: no entry or vector left. vmsi_reset: as a reset of the function leaves it. */
MUST_CHECK int vmsi_init(struct vpci_function *f);
void vmsi_release(struct vpci_function *f);
void vmsi_reset(struct vpci_function *f);
