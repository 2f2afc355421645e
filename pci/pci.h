/* SPDX-License-Identifier: MIT */
/*
 * PCI as hardware: the functions of the machine, and access to them. Knows nothing of guests.
 * From: boot/main.c, vtd/ (scope paths), guest/assign/.
 * To: pci/config.c, functions.c, scan.c, bar.c, caps.c, msi.c, reset.c, errors.c, requester.c,
 * sriov.c, room.c, objection.c; register names in pci/pci_regs.h.
 * Spec: PCI Local Bus 3.0; PCI Express Base "Configuration Space"; PCI Firmware "MCFG".
 */
#pragma once
#include "lib/errno.h"
#include "lib/text.h"
#include "lib/types.h"
#include "pci/pci_regs.h"

#define PCI_FUNCTION_MAX 1024
#define PCI_BAR_COUNT    6

enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_IO, PCI_BAR_MEM };

struct pci_bar {
    enum pci_bar_kind kind;
    bool is_64bit, prefetchable;
    uint64_t base; /* where the firmware placed it; 0: nowhere */
    uint64_t size; /* bytes, a power of two; the upper half of a 64-bit pair has kind NONE */
};

/* What a reset clears, and is kept over it: written by pci/reset.c. */
struct pci_saved {
    uint16_t command, device_control, device_control2, link_control;
    uint32_t latencies; /* that it may report (LTR) */
    uint16_t vc_arbitration;
    uint32_t vc[PCI_VC_MAX]; /* traffic classes of each virtual channel, and whether it is on */
    uint8_t cache_line, latency, interrupt_line;
    struct sriov_saved {
        uint16_t control, vf_count;
        uint32_t page_size, bars[PCI_BAR_COUNT];
    } sriov; /* of a physical function */
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
    uint16_t ext_aer, ext_acs, ext_ats, ext_sriov, ext_ari, ext_rebar, ext_ltr, ext_vc;
    uint16_t acs_control; /* offset of the register, if there is ACS */
    uint16_t quirks;      /* what the device does otherwise: a bit for each enum pci_quirk */
    bool isolates;        /* without ACS it does what that would do */
    /* The MSI and MSI-X capabilities as read at boot. Never read again: a guest that has the
     * function may load firmware of its own into it, which may show other values. */
    uint16_t msi_control, msix_control;
    uint32_t msix_table, msix_pba;
    /* Of a bridge: the buses behind it. parent: the bridge above, NULL on a root bus. */
    uint8_t secondary_bus, subordinate_bus;
    struct pci_function *parent;
    /* Of a virtual function: the physical one, else NULL. In its configuration space, vendor and
     * device read as all-ones and BARs as zero; this structure has the true values. */
    struct pci_function *physical;
    void *owner; /* the VM that has it (guest/assign/assign.c); NULL: none */
    bool parked; /* its reset after the last owner failed: in quarantine */
    bool spared; /* its guest is using it: the reset of another function must not hit it */
    bool begun;  /* its reset is under way: pci_reset_begin() */
    struct pci_bar bars[PCI_BAR_COUNT];
    struct pci_bar rom; /* kind MEM if there is one */
    struct pci_saved saved;
};

/* Find every function on all buses that the bridges name. BARs are sized with decode off. */
void pci_scan(void);
size_t pci_count(void);
struct pci_function *pci_get(size_t n);   /* in order of bdf; NULL: there are fewer */
struct pci_function *pci_find(bdf_t bdf); /* NULL: not there */
struct pci_function *pci_find_id(uint16_t vendor, uint16_t device, unsigned nth); /* nth from 0 */

/* Config space by ECAM where the MCFG has a window for the bus, else by 0xCF8/0xCFC (registers
 * below 256; beyond: reads all-ones, writes dropped). reg is aligned to the width (1, 2, 4). */
uint32_t pci_read(bdf_t bdf, uint16_t reg, unsigned width);
void pci_write(bdf_t bdf, uint16_t reg, unsigned width, uint32_t v);
static inline uint8_t pci_read8(bdf_t bdf, uint16_t reg) { return pci_read(bdf, reg, 1); }
static inline uint16_t pci_read16(bdf_t bdf, uint16_t reg) { return pci_read(bdf, reg, 2); }
static inline uint32_t pci_read32(bdf_t bdf, uint16_t reg) { return pci_read(bdf, reg, 4); }
static inline void pci_write8(bdf_t bdf, uint16_t reg, uint8_t v) { pci_write(bdf, reg, 1, v); }
static inline void pci_write16(bdf_t bdf, uint16_t reg, uint16_t v) { pci_write(bdf, reg, 2, v); }
static inline void pci_write32(bdf_t bdf, uint16_t reg, uint32_t v) { pci_write(bdf, reg, 4, v); }
bool pci_has_ecam(bdf_t bdf);

/* The offset of a capability; 0: there is none, or the list is broken. Every pointer is checked,
 * and a walk has at most 48 steps. */
uint8_t pci_cap_find(bdf_t bdf, uint8_t id);
uint16_t pci_ext_cap_find(bdf_t bdf, uint16_t id);

/* Set and clear bits of Command, under a lock. Returns the old value. */
uint16_t pci_command(bdf_t bdf, uint16_t set, uint16_t clear);
/* In a panic: a CPU that was stopped, or this one, may hold the locks of configuration space, and
 * will never release them. No other CPU runs any more. */
void pci_break_locks(void);

/* The MSI of the physical function. pci_msi_set() does not change the enable bit. */
struct pci_msi_info {
    bool is_64bit, maskable;
    uint8_t message_count_log2; /* Multiple Message Capable, 0..5 */
};
struct pci_msi_info pci_msi_info(const struct pci_function *f);
void pci_msi_set(const struct pci_function *f, uint64_t address, uint16_t data,
                 unsigned count_log2);
void pci_msi_enable(const struct pci_function *f, bool on);

/* The place of the MSI-X table and PBA. -EINVAL (logged): the function has no MSI-X, or what it
 * says does not fit its BAR. */
struct pci_msix_info {
    uint16_t count; /* entries, 1..2048 */
    uint8_t table_bar, pba_bar;
    uint32_t table_offset, pba_offset;
};
MUST_CHECK int pci_msix_info(const struct pci_function *f, struct pci_msix_info *out);
void pci_msix_enable(const struct pci_function *f, bool on, bool mask_all);

/* Reset by the best way that works, bounded by the times of the specification. Afterwards the BARs
 * and Command are restored, with bus mastering and interrupts off. *used: the way that worked.
 * -ENODEV: there is none; -ETIMEDOUT: the function did not come back. */
enum pci_reset_kind {
    PCI_RESET_NONE,
    PCI_RESET_FLR,
    PCI_RESET_AF_FLR,
    PCI_RESET_D3HOT,
    PCI_RESET_BUS
};
const char *pci_reset_name(enum pci_reset_kind kind);
enum pci_reset_kind pci_reset_best(const struct pci_function *f);
/* It and pci_drain() pause (arch/task.h): no lock is held. */
MUST_CHECK int pci_reset(struct pci_function *f, enum pci_reset_kind *used);
/* So that many wait together: begin the reset, if it is an FLR, which hits no other function.
 * Returns the microseconds in which no CPU may access it now; then pci_reset() does the rest.
 * 0: nothing was begun. */
MUST_CHECK uint64_t pci_reset_begin(struct pci_function *f);
/* The decode bits of Command that may be on: I/O only if each I/O BAR has an address, because one
 * at 0 would take the ports of the machine. */
uint16_t pci_decode_bits(const struct pci_function *f);
/* serial.c: the console goes to the first UART in a function, if there is one (logged). */
void pci_serial_open(uint32_t baud);
/* A driver can reset its device by the device's own registers, and Hamlet does not see it. Are the
 * BARs not where they were at the scan, or is decode off? Then write the BARs and switch decode on.
 * True: that was needed; all other bits of Command are as the reset left them. */
bool pci_decode_restore(const struct pci_function *f);
/* The function's requests are snooped by the caches, whatever its driver thinks of that. Where the
 * unit cannot see to it (SNP), a guest's WBINVD would have to, which does nothing. */
void pci_snoop_always(const struct pci_function *f);
/* To D0, if it sleeps: it is silent then for 10 ms, in which this pauses. */
void pci_wake(const struct pci_function *f);
/* Wait until Device Status shows no transaction pending, at most 100 ms. */
MUST_CHECK int pci_drain(const struct pci_function *f);

/* The registers of AER as they stand in configuration space. */
struct pci_errors {
    uint32_t header, uncorrected, mask, severity, corrected, corrected_mask, control;
    uint32_t tlp[4]; /* header of the packet that caused the error PCI_AER_FIRST of `control` */
};
/* Take what a function has recorded since the last time: read, and clear in the hardware. Bits that
 * are no error are zero. False: there are none, or the function does not answer. */
MUST_CHECK bool pci_errors_take(const struct pci_function *f, struct pci_errors *e);
/* Is tlp[] that of one of these errors? */
bool pci_errors_has_tlp(const struct pci_errors *e);
struct text pci_errors_words(const struct pci_errors *e);

/* The requester id under which the function's requests arrive at the root: its own, or that of a
 * bridge on the way. Where the two differ, VT-d has to know both. */
bdf_t pci_requester(const struct pci_function *f);
/* Two functions that cannot be told apart or isolated from each other are of one group (ACS, bridge
 * alias, multifunction siblings). The group's number is the bdf of its first function. */
bdf_t pci_group(const struct pci_function *f);
/* The reasons in hardware against giving the function to its owner; returns their number. Set
 * `owner` before the call: functions of the same owner do not count. RMRR and VT-d scopes:
 * vtd/vtd.h. */
struct pci_objection {
    const char *name; /* short and stable: bridge, console, vfs, bar, group, no-reset */
    const char *why;  /* in words */
    bool final;       /* the user cannot waive it */
};
#define PCI_OBJECTION_MAX 6
size_t pci_objections(const struct pci_function *f, struct pci_objection *out);
/* The reason against showing its ROM to the guest; NULL: there is none. */
const char *pci_rom_objection(const struct pci_function *f);
/* The first objection in words; NULL: there is none. */
const char *pci_not_assignable(const struct pci_function *f);

/* Enable `count` virtual functions of a physical one; each becomes a pci_function of its own, which
 * pci_find() finds. -ENODEV: no SR-IOV, or fewer VFs than that; -EBUSY: VFs are enabled already;
 * -ENOSPC: no bus number or no address space for them; -ETIMEDOUT: a VF does not answer.
 * Spec: PCI Express Base "Single Root I/O Virtualization". */
MUST_CHECK int pci_sriov_enable(struct pci_function *pf, unsigned count);
