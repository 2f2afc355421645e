/* SPDX-License-Identifier: MIT */
/*
 * Errors of PCI Express that a function has found and recorded (AER): taken from its registers, and
 * in words. A function records an error in a bit until a one is written there. The header of the
 * packet (TLP) is that of the first error which has one.
 * From: guest/assign/aer.c.   To: pci/config.c.
 * Spec: PCI Express Base "Advanced Error Reporting Extended Capability".
 * Not handled: the message to the root port and its interrupt; firmware that wants all errors for
 * itself (it has seen them before, by an SMI).
 */
#include "pci/pci.h"
#include "lib/text.h"

static const char *const uncorrected_names[] = {
    [4] = "data link protocol",
    [5] = "surprise down",
    [12] = "poisoned TLP",
    [13] = "flow control protocol",
    [14] = "completion timeout",
    [15] = "completer abort",
    [16] = "unexpected completion",
    [17] = "receiver overflow",
    [18] = "malformed TLP",
    [19] = "ECRC",
    [20] = "unsupported request",
    [21] = "ACS violation",
    [22] = "internal error",
    [23] = "MC blocked TLP",
    [24] = "AtomicOp egress blocked",
    [25] = "TLP prefix blocked",
    [26] = "poisoned TLP egress blocked",
};
static const char *const corrected_names[] = {
    [0] = "receiver error",
    [6] = "bad TLP",
    [7] = "bad DLLP",
    [8] = "replay number rollover",
    [12] = "replay timer timeout",
    [13] = "advisory non-fatal",
    [14] = "internal error",
    [15] = "header log overflow",
};

bool pci_errors_take(const struct pci_function *f, struct pci_errors *e)
{
    uint16_t at = f->ext_aer;
    uint32_t *word = &e->header;
    uint32_t uncorrected = pci_read32(f->bdf, at + PCI_AER_UNCORRECTED);
    if (uncorrected == UINT32_MAX) /* it does not answer */
        return false;
    if (!uncorrected && !pci_read32(f->bdf, at + PCI_AER_CORRECTED))
        return false;
    for (unsigned i = 0; i < PCI_AER_SIZE / 4; i++)
        word[i] = pci_read32(f->bdf, (uint16_t)(at + 4 * i));
    e->uncorrected &= LO32(PCI_AER_UNCORRECTED_BITS);
    e->corrected &= LO32(PCI_AER_CORRECTED_BITS);
    pci_write32(f->bdf, at + PCI_AER_UNCORRECTED, e->uncorrected);
    pci_write32(f->bdf, at + PCI_AER_CORRECTED, e->corrected);
    return e->uncorrected | e->corrected;
}

bool pci_errors_has_tlp(const struct pci_errors *e)
{
    return e->uncorrected & BIT(FIELD_GET(PCI_AER_FIRST, e->control));
}

static void add_names(struct text *t, const char *what, uint32_t bits, const char *const names[])
{
    for (; bits; bits &= bits - 1, what = "")
        text_add(t, "%s%s%s",
                 !*what    ? ", "
                 : t->used ? "; "
                           : " ",
                 what, names[__builtin_ctz(bits)]);
}

struct text pci_errors_words(const struct pci_errors *e)
{
    struct text t = {0};
    add_names(&t, "fatal error: ", e->uncorrected & e->severity, uncorrected_names);
    add_names(&t, "error: ", e->uncorrected & ~e->severity, uncorrected_names);
    add_names(&t, "corrected error: ", e->corrected, corrected_names);
    if (pci_errors_has_tlp(e))
        text_add(&t, " tlp=%08x,%08x,%08x,%08x", e->tlp[0], e->tlp[1], e->tlp[2], e->tlp[3]);
    return t;
}
