/* SPDX-License-Identifier: MIT */
/*
 * Errors of PCI Express (AER). Each tick one function of the machine is looked at; what it has
 * recorded is logged, and cleared. If a VM has the function, the errors are in its guest's view
 * from then on, until the guest clears them there. The guest gets no interrupt, as its device is
 * behind no root port; its masks and severities are its own.
 * From: guest/life/run.c (aer_tick), guest/assign/vpci_ext.c (aer_show).
 * To: pci/errors.c (the registers, and their words), guest/assign/vpci.c (the shadow).
 * Spec: PCI Express Base "Advanced Error Reporting Extended Capability".
 *
 * All of these registers are sticky: a reset does not clear them. So a guest never reads those of
 * the hardware, which could hold the packet of another VM.
 */
#include "guest/assign/assign.h"
#include "lib/string.h"
#define LOG "aer"
#include "arch/log.h"

static void errors_log(const struct pci_function *fn, struct assignment *a,
                       const struct pci_errors *e)
{
    static int budget = LOG_GUEST_BUDGET; /* of functions that no VM has */
    log_guest(a ? &a->error_budget : &budget, "%s%s%s" BDF_FMT "%s", a ? "vm=" : "",
              a ? a->vm->name : "", a ? " " : "", BDF_ARG(fn->bdf), pci_errors_words(e).at);
}

/* The packet of the first error stays until the guest has cleared all. */
static void guest_tell(struct vpci_function *f, const struct pci_errors *e)
{
    uint8_t *at = f->shadow + f->of->fn->ext_aer;
    struct pci_errors seen;
    memcpy(&seen, at, sizeof(seen));
    if (!seen.uncorrected && pci_errors_has_tlp(e)) {
        seen.control = e->control & LO32(PCI_AER_FIRST);
        memcpy(seen.tlp, e->tlp, sizeof(seen.tlp));
    }
    seen.uncorrected |= e->uncorrected;
    seen.corrected |= e->corrected;
    memcpy(at, &seen, sizeof(seen));
}

void aer_tick(void)
{
    static size_t next;
    struct pci_errors e;
    size_t count = pci_count();
    const struct pci_function *fn = count ? pci_get(next++ % count) : NULL;
    if (!fn || !fn->ext_aer || !pci_errors_take(fn, &e))
        return;
    struct assignment *a = assign_of(fn);
    errors_log(fn, a, &e);
    if (!a)
        return;
    spin_lock(&a->vm->lock);
    guest_tell(&a->v, &e);
    spin_unlock(&a->vm->lock);
}

/* --- The guest's registers -------------------------------------------------------------------- */

static void status_write(struct vpci_function *f, const struct vpci_reg *r, uint32_t value)
{
    vpci_set_shadow(f, r->offset, 4, vpci_shadow(f, r->offset, 4) & ~value);
}

#define STATUS(reg, bits)                                                                          \
    {                                                                                              \
        .offset = (reg), .width = 4, .shadow = UINT32_MAX, .clear_on_1 = LO32(bits),               \
        .write = status_write                                                                      \
    }
#define CHOICE(reg, bits)                                                                          \
    {                                                                                              \
        .offset = (reg), .width = 4, .shadow = UINT32_MAX, .writable = LO32(bits)                  \
    }
#define LOGGED(reg) CHOICE(reg, 0)

static const struct vpci_reg registers[] = {
    STATUS(PCI_AER_UNCORRECTED, PCI_AER_UNCORRECTED_BITS),
    CHOICE(PCI_AER_MASK, PCI_AER_UNCORRECTED_BITS),
    CHOICE(PCI_AER_SEVERITY, PCI_AER_UNCORRECTED_BITS),
    STATUS(PCI_AER_CORRECTED, PCI_AER_CORRECTED_BITS),
    CHOICE(PCI_AER_CORRECTED_MASK, PCI_AER_CORRECTED_BITS),
    LOGGED(PCI_AER_CONTROL),
    LOGGED(PCI_AER_TLP(0)),
    LOGGED(PCI_AER_TLP(1)),
    LOGGED(PCI_AER_TLP(2)),
    LOGGED(PCI_AER_TLP(3)),
};

bool aer_show(struct vpci_function *f, unsigned at)
{
    const struct pci_function *fn = f->of->fn;
    struct pci_errors before;
    if (at != fn->ext_aer)
        return false;
    if (pci_errors_take(fn, &before))
        errors_log(fn, NULL, &before);
    for (size_t i = 0; i < ARRAY_COUNT(registers); i++) {
        struct vpci_reg r = registers[i];
        r.offset += (uint16_t)at;
        vpci_add(f, r);
        vpci_set_shadow(f, r.offset, 4, pci_read32(fn->bdf, r.offset) & r.writable);
    }
    return true;
}
