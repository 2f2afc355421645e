/* SPDX-License-Identifier: MIT */
/*
 * A model of PCI for host tests: functions made of bytes and of the bits that may be written,
 * reached by ports and by ECAM, plus whatever else pci/ asks of the machine.
 * From: tests/unit/test_pci_*.c, tests/fuzz/fuzz_pci_caps.c.   To: pci/ (the code under test).
 */
#pragma once
#include "lib/types.h"
#include "pci/pci_private.h"

#define MODEL_ECAM_BASE UINT64_C(0xb0000000)
#define MODEL_FAR_BASE  UINT64_C(0x80000000) /* of segment 1, buses 2 and 3 */

struct model_function {
    bdf_t bdf;
    bool gone;            /* removed: reads all-ones, drops writes */
    unsigned retry_reads; /* so many reads of the vendor id say "retry" */
    unsigned silent_us;   /* all-ones until time_delay_us() has counted it down */
    uint8_t config[PCIE_CONFIG_SIZE], writable[PCIE_CONFIG_SIZE];
    void (*on_write)(struct model_function *f, uint16_t reg, uint32_t v);
};

/* Forget everything; with or without an MCFG. */
void model_start(bool ecam);
struct model_function *model_add(bdf_t bdf, uint16_t vendor, uint16_t device, uint32_t class_code);
struct model_function *model_find(bdf_t bdf);

uint32_t model_get(const struct model_function *f, uint16_t reg, unsigned size);
void model_set(struct model_function *f, uint16_t reg, unsigned size, uint32_t v);
void model_writable(struct model_function *f, uint16_t reg, unsigned size, uint32_t mask);

/* A BAR whose address bits are `mask`, flags hardwired, holding base | flags. 64 bits wide if the
 * flags have the bit set. */
void model_bar(struct model_function *f, uint16_t reg, uint64_t mask, uint32_t flags,
               uint64_t base);
/* A capability at `at`, put in front of the list. */
void model_cap(struct model_function *f, uint8_t at, uint8_t id);
void model_ext_cap(struct model_function *f, uint16_t at, uint16_t id, uint16_t next);
void model_bridge(struct model_function *f, uint8_t secondary, uint8_t subordinate);
void model_pcie(struct model_function *f, uint8_t at, unsigned port_type);

/* Registers of a chipset: two, and whether the second can be changed. */
#define MODEL_CHIPSET UINT64_C(0xfed1c000)
extern struct model_chipset {
    uint32_t peers, backbone;
    bool locked;
} model_chipset;

/* Segment 1 is there; a function in it, which has only a header. */
struct model_function *model_far(bdf_t bdf, uint8_t header_type);

/* What the machine did. */
bool model_logged(const char *part);      /* a log line since model_start() contains it */
uint64_t model_delay_us(void);            /* sum of task_delay_us() */
unsigned model_pauses(void);              /* calls of task_pause() */
unsigned model_decode_while_sizing(void); /* all-ones written to a BAR with decode on */
void model_ram(uint64_t base, uint64_t size);
void model_power(uint16_t port); /* of the chipset's power management; 0: none */
void model_console(uint64_t base, uint8_t spacing);
void model_impatient(void); /* waits for a condition look twice and end */
