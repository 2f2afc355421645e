/* SPDX-License-Identifier: MIT */
/*
 * Devices and VMs in host memory, for everything in guest/ that stands between them: config space
 * as a plain array, EPT and I/O bitmap as lists, the remapping table as counters. What is done to a
 * device, to its translation and to the EPT is kept in a list of events, so a test sees the order.
 * From: tests/unit/test_vpci.c, test_vpci_msi.c, test_assign.c, test_assign_order.c,
 * tests/fuzz/fuzz_vpci.c.
 */
#pragma once
#include "arch/cpu.h"
#include "guest/assign/assign.h"
#include "guest/assign/vmsix.h"
#include "pci/pci_regs.h"

#define MODEL_VECTOR  0x40
#define MODEL_VECTORS 100

struct model {
    struct vm vm;
    struct pci_function fn;
    uint8_t config[4096]; /* the device's own */
    struct vm other_vm;   /* model_other_vm() */
    struct {
        struct pci_function fn;
        uint8_t config[4096];
    } more[2]; /* model_more(): devices beside the first */
    unsigned more_count;
    char events[2048];      /* "master-off 00:04.0; reset 00:04.0; ", see model_note() */
    unsigned config_writes; /* that reached it */
    uint64_t mapped[64][2]; /* GPA ranges in the EPT: base, size */
    unsigned map_count;
    uint64_t irte_free, irte_next;
    bool no_ecam;    /* of the first device */
    uint64_t begins; /* us that a reset of the first function takes; others: twice that */
    bool no_reset, uncovered, no_remapping; /* no unit has it in its scope; IR is off */
    bool reserved_missing;                  /* the VM has not what the firmware reserves */
    int attaches_left, irtes_left; /* then vtd_attach(), vtd_irte_alloc() fail; below 0: never */
    void (*on_command)(void);      /* called behind each write to Command: what others do then */
    void (*panic_hook)(void);      /* what assign_init() set */
    unsigned resets;               /* of the device */
    int reset_error;               /* what pci_reset() returns, without having done anything */
    unsigned vectors_left;         /* of the host */
    char last_line[256];           /* of the log */
    void (*handler)(void *ctx);    /* the last that irq_alloc() got */
    void *handler_ctx;
    struct {
        void (*handler)(void *ctx); /* NULL: free */
        void *ctx;
    } irqs[MODEL_VECTORS];                           /* from MODEL_VECTOR on */
    void (*fault_handler)(const struct vtd_fault *); /* what assign_init() set */
    const struct vtd_fault *recorded;                /* by the unit, and not read yet; NULL: none */
    bool locks_broken;
    uint64_t screen;         /* the memory of the console's screen; 0: none */
    bdf_t silenced;          /* its faults are not recorded; 0: none */
    uint64_t rte, other_rte; /* of the I/O APIC pins of lines 11 and 12 */
    unsigned last_posted, last_blocked, blocked;
    unsigned posted_by_exit, posted_to; /* of the interrupts below; vCPUs, a bit each */
    int maps_left;                      /* then vm_map() fails; below 0: never */
    bool ports_refused;                 /* bitmaps_ports() finds no memory */
    uint32_t last_out[2];               /* port and byte */
    unsigned last_remapped;             /* entry of the remapping table */
    uint32_t remapped_to;               /* APIC id in it */
    unsigned last_held, held;           /* an entry, calls of vtd_irte_hold() */
    struct cpu cpus[2];                 /* APIC ids 10 and 11 */
    unsigned here;                      /* which of them this_cpu() is */
    const struct vcpu *interrupted;     /* vcpu_interrupted() */
    bool addresses_swapped;             /* the logical ones of the two vCPUs */
    uint64_t tsc_khz;                   /* as it is, a second never passes; 0: it is always over */
    bool intx_old;   /* the first device has no Interrupt Disable: the bit does not change */
    unsigned posted; /* interrupts, and the last vector */
    uint8_t last_vector;
    const struct pci_function *snooped; /* the last of pci_snoop_always() */
    unsigned mmio_maps;                 /* calls of mmio_map() */
    uint64_t reserved_at;               /* a page of the firmware's map that is no RAM; 0: none */
    unsigned table_writes;              /* to the device's MSI-X table */
    /* model_device() clears of these two what was written through the model, for they are large */
    uint8_t bar_bytes[65536] __attribute__((aligned(16))); /* what mmio_map() of any BAR shows */
    uint8_t port_passes[65536];
    size_t bar_written, ports_first, ports_end;
};
extern struct model m;
#define MODEL_RESERVED 0xd4000000 /* a page that the firmware reserves for the device */

/* Where the device has its capabilities, and those of their registers that a guest writes. */
enum {
    AT_PM = 0x40,
    AT_VPD = 0x48, /* Hamlet does not understand it */
    AT_MSI = 0x50, /* 64 bits, 4 messages */
    AT_MSIX = 0x70,
    AT_PCIE = 0xc0, /* with FLR */
    AT_MSI_CONTROL = AT_MSI + PCI_MSI_CONTROL,
    AT_MSI_ADDRESS = AT_MSI + PCI_MSI_ADDRESS,
    AT_MSI_DATA = AT_MSI + PCI_MSI_DATA(true),
    AT_MSIX_CONTROL = AT_MSIX + PCI_MSIX_CONTROL,
    AT_MSIX_TABLE = AT_MSIX + PCI_MSIX_TABLE,
    AT_PCIE_CONTROL = AT_PCIE + PCIE_DEVICE_CONTROL,
};

/* edu-like: BAR 0 of 1 MiB, BAR 1 with MSI-X table at 0x1010 in 16 KiB, BAR 2: 256 bytes of memory,
 * BAR 4: 32 ports, BAR 5 none. */
void model_init(enum plan plan, enum bar_mapping bar);
/* The same in two steps: in between m.config, m.fn can be made what they should not be. */
void model_device(void);
int model_assign(enum plan plan, enum bar_mapping bar);
void model_end(void);
/* A device like the first, at this place, with BARs of its own; not assigned. */
struct pci_function *model_more(bdf_t bdf);
/* A second VM, with a bus and an I/O APIC and no device. */
struct vm *model_other_vm(void);
void model_end_other_vm(void);
/* Append to m.events; the same twice in a row counts once. */
void model_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Does the EPT map all of [at, at + size)? Any byte of it? */
bool model_maps(uint64_t at, uint64_t size);
bool model_maps_any(uint64_t at, uint64_t size);
