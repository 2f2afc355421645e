/* SPDX-License-Identifier: MIT */
/*
 * What every file of vtd/ uses: the state of all units, their registers, commands, and the
 * write-back of tables.
 * From: every file of vtd/.   To: arch/io.h (registers, write-back).
 * Spec: VT-d "Global Command Register".
 */
#include "vtd/unit.h"
#include "arch/io.h"
#include "arch/time.h"
#include "vtd/vtd_regs.h"
#define LOG "vtd"
#include "arch/log.h"

struct vtd_state vtd;

uint32_t vtd_read32(const struct vtd_unit *u, unsigned reg) { return mmio_read32(u->regs + reg); }
uint64_t vtd_read64(const struct vtd_unit *u, unsigned reg) { return mmio_read64(u->regs + reg); }
void vtd_write32(struct vtd_unit *u, unsigned reg, uint32_t v) { mmio_write32(u->regs + reg, v); }
void vtd_write64(struct vtd_unit *u, unsigned reg, uint64_t v) { mmio_write64(u->regs + reg, v); }

bool vtd_active(void) { return vtd.active; }
bool vtd_ir_active(void) { return vtd.interrupt_remapping; }
const char *vtd_no_posting(void)
{
    return vtd.active || vtd.no_posting ? vtd.no_posting : "no VT-d unit is in use";
}

void unit_publish(const void *p, size_t size)
{
    if (!vtd.coherent)
        cache_write_back(p, size);
}

void unit_publish_entry(struct u128 *entry, struct u128 value)
{
    atomic_store_128(entry, value);
    unit_publish(entry, sizeof(*entry));
}

int unit_command(struct vtd_unit *u, uint64_t bit, bool on)
{
    /* The register is written whole: keep what is on, and give no one-shot command twice. */
    uint32_t command = vtd_read32(u, VTD_GSTS) & ~(uint32_t)GCMD_ONE_SHOT;
    command = on ? command | (uint32_t)bit : command & ~(uint32_t)bit;
    vtd_write32(u, VTD_GCMD, command);
    bool answer = bit == GCMD_WBF ? false : on; /* WBFS alone says "busy", not "done" */
    if (!wait_until(!!(vtd_read32(u, VTD_GSTS) & bit) == answer, VTD_TIMEOUT_US))
        return FAIL_OFTEN(ETIMEDOUT, "unit %u: no answer to command 0x%x", u->index, command);
    return 0;
}
