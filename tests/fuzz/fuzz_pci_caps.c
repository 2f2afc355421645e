/* SPDX-License-Identifier: MIT */
// sources: tests/unit/pci_model.c pci/config.c pci/functions.c lib/text.c pci/scan.c pci/bar.c
// sources: pci/caps.c pci/msi.c pci/reset.c pci/requester.c pci/objection.c pci/sriov.c pci/room.c
// sources: pci/quirks.c
/*
 * Machines of up to six functions whose configuration space is made of the input: what it holds,
 * and which bits follow a write. Whatever they say, scan, audit, SR-IOV and reset end, stay inside
 * what was promised, and never access configuration space askew (the model aborts).
 * Input: a byte of options, then patches.
 * From: make fuzz.   To: pci/scan.c, pci/caps.c, pci/reset.c, pci/sriov.c.
 */
// compares: no
// length: 512
#include "tests/fuzz/fuzz.h"
#include "tests/unit/pci_model.h"

#define FUNCTION_COUNT 6

/* A change to a well-formed function: eight bytes of the input. */
struct patch {
    uint16_t offset; /* 15:12 which function */
    uint8_t kind, spare;
    uint32_t value;
};

FUZZ_RECORDS(1, sizeof(struct patch))

/* What few values at random would be: a whole capability, as specified, at a place of its own. */
static void whole_capability(struct model_function *f, const struct patch *p)
{
    uint8_t at = (uint8_t)(0x40 + p->spare % 12 * 16);
    uint16_t ext = (uint16_t)(0x100 + p->spare % 32 * 0x40);
    switch (p->value % 8) {
    case 0:
        model_pcie(f, at, p->value >> 8 & 15);
        model_set(f, at + PCIE_DEVICE_CAP, 4, p->value & PCIE_DEVICE_CAP_FLR);
        break;
    case 1:
        model_cap(f, at, PCI_CAP_ID_MSI);
        model_set(f, at + PCI_MSI_CONTROL, 2, p->value >> 16);
        break;
    case 2:
        model_cap(f, at, PCI_CAP_ID_MSIX);
        model_set(f, at + PCI_MSIX_CONTROL, 2, p->value >> 16 & 0x7ff);
        model_set(f, at + PCI_MSIX_TABLE, 4, p->value >> 8 & 0x7007);
        model_set(f, at + PCI_MSIX_TABLE + 4, 4, 0x800 | (p->value >> 8 & 0x7007));
        break;
    case 3:
        model_cap(f, at, PCI_CAP_ID_AF);
        model_set(f, at + PCI_AF_CAPABILITIES, 1, p->value >> 8);
        break;
    case 4:
        model_cap(f, at, PCI_CAP_ID_PM);
        break;
    case 5:
        model_ext_cap(f, ext, PCI_EXT_ID_ACS, 0x100 + (ext + 0x40) % 0xf00);
        break;
    case 6: /* SR-IOV: total, offset and stride of the virtual functions */
        model_ext_cap(f, ext, PCI_EXT_ID_SRIOV, 0x100 + (ext + 0x40) % 0xf00);
        model_set(f, ext + PCI_SRIOV_TOTAL_VFS - 2, 4, (p->value >> 8 & 15) * 0x10001);
        model_set(f, ext + PCI_SRIOV_FIRST_OFFSET, 4, 0x10000 | (p->value >> 16 & 0x1ff));
        model_writable(f, ext + PCI_SRIOV_CONTROL, 4, 0xffff);
        model_writable(f, ext + PCI_SRIOV_NUM_VFS, 2, 0xffff);
        break;
    default:
        model_set(f, PCI_HEADER_TYPE, 1, p->value >> 8);
        break;
    }
}

static void patch(struct model_function *f, const struct patch *p)
{
    uint16_t at = p->offset & 0xffc;
    switch (p->kind % 8) {
    case 0:
        model_set(f, at, 4, p->value);
        break;
    case 1:
        model_writable(f, at, 4, p->value);
        break;
    case 2:
        model_cap(f, (at & 0xfc) | 0x40, p->value % 0x16);
        break;
    case 3:
        model_ext_cap(f, at | 0x100, p->value % 0x20, p->value >> 16);
        break;
    case 4:
        model_bar(f, PCI_BAR(at / 4 % 5), -(UINT64_C(1) << p->value % 64), p->spare & 0xf,
                  (uint64_t)p->value << 12);
        break;
    case 5:
        model_bridge(f, p->spare, p->value);
        break;
    default:
        whole_capability(f, p);
        break;
    }
}

static void check_bar(const struct pci_bar *b)
{
    if (b->kind == PCI_BAR_NONE)
        return;
    must(b->size != 0 && (b->size & (b->size - 1)) == 0 && b->base % b->size == 0);
    must(b->kind == PCI_BAR_MEM || b->size <= 0x8000);
}

static void check(const struct pci_function *f)
{
    struct pci_msix_info msix;
    if (pci_msix_info(f, &msix) == 0)
        must(msix.table_bar < PCI_BAR_COUNT && f->bars[msix.table_bar].kind == PCI_BAR_MEM &&
             msix.table_offset + msix.count * UINT64_C(16) <= f->bars[msix.table_bar].size &&
             msix.pba_offset + (msix.count + UINT64_C(63)) / 64 * 8 <= f->bars[msix.pba_bar].size);
    for (unsigned i = 0; i < PCI_BAR_COUNT; i++)
        check_bar(&f->bars[i]);
    check_bar(&f->rom);
    if (f->parent) {
        unsigned bus = BDF_BUS(f->bdf);
        must(bus > BDF_BUS(f->parent->bdf) && bus >= f->parent->secondary_bus &&
             bus <= f->parent->subordinate_bus);
    }
    must(f->cap_msi == 0 || f->cap_msi >= PCI_CAP_FIRST);
    must(pci_find(pci_group(f)) != NULL && pci_group(f) <= f->bdf);
    (void)pci_requester(f);
    (void)pci_not_assignable(f);
    uint8_t found = pci_cap_find(f->bdf, f->bdf % 0x16);
    must(found == 0 || (found >= PCI_CAP_FIRST && found % 4 == 0));
    pci_msi_set(f, 0xfee00000, 0, 5);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const bdf_t places[FUNCTION_COUNT] = {BDF(0, 1, 0), BDF(0, 4, 0), BDF(0, 4, 1),
                                                 BDF(1, 0, 0), BDF(1, 0, 1), BDF(2, 0, 0)};
    struct model_function *m[FUNCTION_COUNT];
    enum pci_reset_kind used;
    if (size < 1)
        return 0;
    model_start(data[0] & 1);
    model_impatient();
    for (unsigned i = 0; i < FUNCTION_COUNT; i++)
        m[i] = model_add(places[i], 0x1234, i, i ? 0xff0000 : 0x060400);
    model_bridge(m[0], 1, 2);
    for (size_t at = 1; at + sizeof(struct patch) <= size; at += sizeof(struct patch)) {
        struct patch p;
        memcpy(&p, data + at, sizeof(p));
        patch(m[(p.offset >> 12) % FUNCTION_COUNT], &p);
    }

    pci_scan();
    for (size_t i = 0; i < pci_count(); i++) {
        must(i == 0 || pci_get(i - 1)->bdf < pci_get(i)->bdf);
        check(pci_get(i));
    }
    for (unsigned i = 0; i < FUNCTION_COUNT; i++) {
        struct pci_function *f = pci_find(places[i]);
        if (f && pci_sriov_enable(f, 1 + (data[0] >> 4)) == 0)
            must(pci_count() > 1);
        if (f && pci_reset(f, &used) == 0)
            must(used != PCI_RESET_NONE);
    }
    for (size_t i = 0; i < pci_count(); i++)
        check(pci_get(i));
    return 0;
}
