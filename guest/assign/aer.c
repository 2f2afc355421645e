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
    uint16_t at = f->of->fn->ext_aer;
    uint32_t old = vpci_shadow(f, at + PCI_AER_UNCORRECTED, 4);
    uint32_t corrected = vpci_shadow(f, at + PCI_AER_CORRECTED, 4);
    if (!old && pci_errors_has_tlp(e)) {
        vpci_set_shadow(f, at + PCI_AER_CONTROL, 4, e->first);
        memcpy(f->shadow + at + PCI_AER_TLP(0), e->tlp, sizeof(e->tlp));
    }
    vpci_set_shadow(f, at + PCI_AER_UNCORRECTED, 4, old | e->uncorrected);
    vpci_set_shadow(f, at + PCI_AER_CORRECTED, 4, corrected | e->corrected);
}

void aer_tick(void)
{
    static size_t next;
    struct pci_errors e;
    const struct pci_function *fn = NULL;
    for (size_t left = pci_count(); left > 0 && !(fn && fn->ext_aer); left--)
        fn = pci_get(next++ % pci_count());
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

bool aer_show(struct vpci_function *f, unsigned at)
{
    const struct pci_function *fn = f->of->fn;
    struct pci_errors before;
    if (at != fn->ext_aer)
        return false;
    if (pci_errors_take(fn, &before))
        errors_log(fn, NULL, &before);
    for (unsigned reg = PCI_AER_UNCORRECTED; reg < PCI_AER_SIZE; reg += 4) {
        struct vpci_reg r = {.offset = (uint16_t)(at + reg), .width = 4, .shadow = UINT32_MAX};
        uint32_t bits = reg < PCI_AER_CORRECTED ? LO32(PCI_AER_UNCORRECTED_BITS)
                        : reg < PCI_AER_CONTROL ? LO32(PCI_AER_CORRECTED_BITS)
                                                : 0;
        if (reg == PCI_AER_UNCORRECTED || reg == PCI_AER_CORRECTED) {
            r.clear_on_1 = bits;
            r.write = status_write;
        } else {
            r.writable = bits;
            vpci_set_shadow(f, r.offset, 4, pci_read32(fn->bdf, r.offset) & bits);
        }
        vpci_add(f, r);
    }
    return true;
}
