/* SPDX-License-Identifier: MIT */
/*
 * Config space as the guest sees it: a host bridge and the assigned functions on bus 0, reached
 * through 0xCF8/0xCFC and through ECAM, both by the same filter.
 *
 * The filter is a list of registers per function. An entry says which bits come from the shadow and
 * which from the hardware, which bits the guest may write, and what a write does. Registers in no
 * list read through to the hardware; beyond register 256 they read as zero. Writes to them are
 * dropped.
 *
 * From: guest/life/create.c (the bus), guest/assign/assign.c (each function).
 * To: guest/assign/vpci.c; guest/assign/vpci_header.c, guest/assign/vpci_caps.c and
 * guest/assign/vpci_ext.c (the lists); guest/assign/vbar.c, guest/assign/vmsi.c.
 * Spec: PCI Local Bus 3.0 "Configuration Space Organization"; PCI Express "Enhanced Configuration
 * Access Mechanism (ECAM)".
 */
#pragma once
#include "guest/assign/irq.h"
#include "pci/pci.h"

#define VPCI_CONFIG_SIZE 4096
#define VPCI_SPARE       3 /* bytes: a dword can be loaded at each register */
#define VPCI_REG_MAX     64
#define VPCI_MSI_MAX     32

struct vm;
struct assignment;
struct vpci_function;

struct vpci_reg {
    uint16_t offset;
    uint8_t width; /* 1, 2 or 4; naturally aligned */
    /* Bits that the guest reads from the shadow. It reads the others from the hardware. */
    uint32_t shadow;
    /* Bits that a write changes: in the shadow if they are `shadow` bits, else in the hardware. */
    uint32_t writable;
    uint32_t clear_on_1; /* hardware bits of the kind "write one to clear" */
    /* Instead of the plain write, if not NULL; `value` is the whole register with the bytes that
     * the guest wrote. */
    void (*write)(struct vpci_function *f, const struct vpci_reg *r, uint32_t value);
};

/* A BAR of the guest's view, and the physical BAR behind it. */
struct vbar {
    struct vpci_function *of;
    struct pci_bar host; /* kind NONE: absent */
    uint64_t guest;      /* where the guest has put it; counts while decode is on */
    uint64_t mapped_at;  /* where it is mapped; valid if `mapped` */
    bool mapped;
    bool waits;         /* bar=lazy: `mapped` means a range that maps it at the first access */
    bool enabled;       /* ROM BAR: its own enable bit */
    int place_budget;   /* lines of the log about impossible places */
    struct vmsix *msix; /* whose table is in it, or NULL */
};

struct vpci_function {
    bdf_t bdf;             /* as the guest sees it */
    struct assignment *of; /* NULL: the virtual host bridge */
    uint8_t cap_msi, cap_msix;
    struct pci_msi_info msi_info;
    bool msi_live; /* the physical MSI is programmed and enabled */
    struct irq_route msi[VPCI_MSI_MAX];
    struct vmsix *msix;

    size_t reg_count;
    struct vpci_reg regs[VPCI_REG_MAX];
    /* By byte: 1 + the index of the register that has it, 0: none; which bits are read from the
     * shadow. */
    uint8_t reg_of[VPCI_CONFIG_SIZE], from_shadow[VPCI_CONFIG_SIZE + VPCI_SPARE];
    struct vbar bars[PCI_BAR_COUNT + 1]; /* the last is the ROM */
    uint8_t shadow[VPCI_CONFIG_SIZE + VPCI_SPARE];
};
#define VPCI_ROM PCI_BAR_COUNT

struct vpci {
    struct vm *vm;
    uint32_t address;                    /* the 0xCF8 latch, one per VM */
    struct vpci_function *functions[32]; /* by device number on bus 0; function 0 each */
    struct vpci_function bridge;
};

/* --- vpci.c ----------------------------------------------------------------------------------- */

/* Make the VM's PCI bus with its host bridge, behind its ports and its ECAM. NULL: no memory, or no
 * room for its ranges. */
MUST_CHECK struct vpci *vpci_create(struct vm *vm);
void vpci_destroy(struct vpci *bus);
void vpci_reset(struct vm *vm); /* the bus, not the functions on it */
/* Put f at the first free device number from 1 on, and set f->bdf. -ENOSPC: the bus is full. */
MUST_CHECK int vpci_plug(struct vpci *bus, struct vpci_function *f);
void vpci_unplug(struct vpci *bus, struct vpci_function *f);

/* One access of 1, 2 or 4 bytes that does not leave its aligned dword. f NULL: no function is
 * there, so a read gives all ones. */
uint32_t vpci_read(struct vpci_function *f, uint16_t offset, unsigned width);
void vpci_write(struct vpci_function *f, uint16_t offset, unsigned width, uint32_t value);

/* Add a register to f's list, which is kept in order of offsets. */
void vpci_add(struct vpci_function *f, struct vpci_reg reg);
/* The shadow, as little-endian numbers of 1, 2 or 4 bytes. */
uint32_t vpci_shadow(const struct vpci_function *f, uint16_t offset, unsigned width);
void vpci_set_shadow(struct vpci_function *f, uint16_t offset, unsigned width, uint32_t value);

/* --- The lists of an assigned function -------------------------------------------------------- */

/* vpci_header.c: the type 0 header, but for its BARs. */
void vpci_header_init(struct vpci_function *f);
/* vpci_caps.c: the capabilities that Hamlet understands, linked again. -ENOMEM, -ENOSPC. */
MUST_CHECK int vpci_caps_init(struct vpci_function *f);
/* vpci_ext.c: the same of the extended capabilities. */
void vpci_ext_init(struct vpci_function *f);

/* --- aer.c ------------------------------------------------------------------------------------ */

/* Show the registers of AER at `at`, without errors. False: the device has changed its list. */
bool aer_show(struct vpci_function *f, unsigned at);
/* Once a tick, on the bootstrap processor: look at the next function of the machine. What it
 * has recorded (AER) is logged, and told to the guest that has the function. */
void aer_tick(void);

/* --- vbar.c: the BARs follow Command and the BAR registers ------------------------------------ */

/* Register and place the BARs, and the ROM with rom=on; none is mapped yet. -ENOMEM. */
MUST_CHECK int vbar_init(struct vpci_function *f);
/* Map and unmap, until the guest reaches what its registers say. vm->lock is held. */
void vbar_update(struct vpci_function *f);
void vbar_unmap_all(struct vpci_function *f);
/* As a reset leaves the BARs, but at their places: not decoded. Command is 0 already. */
void vbar_reset(struct vpci_function *f);
/* For a debugger: `width` bytes (1, 2, 4, 8) of a memory BAR, or of its MSI-X table, at an address
 * of the guest; the device may do something in answer. The VM is still. False: the guest reaches no
 * BAR there. */
MUST_CHECK bool vbar_read(const struct vm *vm, gpa_t at, unsigned width, uint64_t *value);
/* The memory BAR of one of the VM's devices that holds [at, at + size) of the host, or NULL. */
const struct vbar *vbar_holding(const struct vm *vm, uint64_t at, uint64_t size);

/* --- vmsi.c ----------------------------------------------------------------------------------- */

/* Show the MSI capability at `at`, disabled; f->cap_msi is set. -ENOSPC: no IRTEs are left. */
MUST_CHECK int vmsi_init(struct vpci_function *f, uint8_t at);
void vmsi_release(struct vpci_function *f);
/* As a reset of the function leaves MSI: disabled. */
void vmsi_reset(struct vpci_function *f);
/* The guest's local APICs have other addresses: the routes lead where its message says now. */
void vmsi_reroute(struct vpci_function *f);
