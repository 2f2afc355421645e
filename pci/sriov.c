/* SPDX-License-Identifier: MIT */
/*
 * Virtual functions: have a physical function show more of itself, each with a requester id and BARs
 * of its own, so that each can be given to somebody else.
 * From: boot/main.c (vfs=N).   To: pci/bar.c (sizes), pci/scan.c (the table of functions).
 * Spec: PCI Express Base "Single Root I/O Virtualization", "VF BARs", "Alternative Routing-ID
 * Interpretation (ARI)".
 */
#include "pci/pci_private.h"
#include "arch/time.h"
#define LOG "pci"
#include "arch/log.h"

#define VF_ENABLE_TIME_US 100000 /* "VF Enable": VFs may be silent for so long */
#define WINDOW_GRAIN      BIT(20)
#define VF_BAR_MAX        BIT(40)              /* times 256 VFs stays within 64 bits */
#define LOW_MMIO_END      UINT64_C(0xfec00000) /* from here up: APICs, flash, VT-d's registers */

/* What the VFs will be; nothing is enabled before all of it is known to be right. */
struct vf_plan {
    unsigned count;
    bdf_t first;
    uint16_t stride;
    struct pci_bar bars[PCI_BAR_COUNT]; /* of the first VF; the others' follow without a gap */
};

struct range {
    uint64_t first, end; /* [first, end) */
};

static bdf_t vf_bdf(const struct vf_plan *plan, unsigned n)
{
    return plan->first + n * plan->stride;
}

/* ARI lets one device have 256 functions instead of 8, if the port above passes their ids on. */
static void ari_enable(const struct pci_function *pf)
{
    const struct pci_function *port = pf->parent;
    if (!pf->ext_ari || !port || !port->cap_pcie)
        return;
    uint16_t cap = port->cap_pcie;
    if (FIELD_GET(PCIE_VERSION, pci_read16(port->bdf, cap + PCIE_CAPABILITIES)) < 2 ||
        !(pci_read32(port->bdf, cap + PCIE_DEVICE_CAP2) & PCIE_CAP2_ARI_FORWARD))
        return;
    uint16_t control2 = pci_read16(port->bdf, cap + PCIE_DEVICE_CONTROL2);
    pci_write16(port->bdf, cap + PCIE_DEVICE_CONTROL2, control2 | PCIE_CONTROL2_ARI);
    uint16_t control = pci_read16(pf->bdf, pf->ext_sriov + PCI_SRIOV_CONTROL);
    pci_write16(pf->bdf, pf->ext_sriov + PCI_SRIOV_CONTROL, control | PCI_SRIOV_ARI);
}

/* Offset and stride may change with the number of VFs and with ARI, so they are read after both. */
static int plan_ids(const struct pci_function *pf, struct vf_plan *plan)
{
    uint32_t offset = pci_read16(pf->bdf, pf->ext_sriov + PCI_SRIOV_FIRST_OFFSET);
    uint32_t stride = pci_read16(pf->bdf, pf->ext_sriov + PCI_SRIOV_STRIDE);
    uint32_t last = pf->bdf + offset + (plan->count - 1) * stride;
    unsigned bus_end = pf->parent ? pf->parent->subordinate_bus : BDF_BUS(pf->bdf);

    /* Offset 0 would be the PF itself, which is found as taken below. */
    if ((stride == 0 && plan->count > 1) || BDF_BUS(last) > bus_end)
        return FAIL(ENOSPC,
                    BDF_FMT " vfs refused: offset=%u stride=%u need buses up to %02x, has %02x",
                    BDF_ARG(pf->bdf), offset, stride, last >> 8, bus_end);
    plan->first = pf->bdf + offset;
    plan->stride = stride;
    for (unsigned n = 0; n < plan->count; n++)
        if (pci_find(vf_bdf(plan, n)))
            return FAIL(ENOSPC, BDF_FMT " vfs refused: " BDF_FMT " is taken", BDF_ARG(pf->bdf),
                        BDF_ARG(vf_bdf(plan, n)));
    return 0;
}

/* The addresses that a bridge passes down; empty if base is above limit. */
static struct range bridge_window(const struct pci_function *bridge, bool prefetchable)
{
    uint16_t base_at = prefetchable ? PCI_BRIDGE_PREF_BASE : PCI_BRIDGE_MEM_BASE;
    uint16_t limit_at = prefetchable ? PCI_BRIDGE_PREF_LIMIT : PCI_BRIDGE_MEM_LIMIT;
    uint16_t base = pci_read16(bridge->bdf, base_at), limit = pci_read16(bridge->bdf, limit_at);
    struct range r = {
        .first = FIELD_GET(PCI_BRIDGE_MEM_ADDRESS, base) * WINDOW_GRAIN,
        .end = FIELD_GET(PCI_BRIDGE_MEM_ADDRESS, limit) * WINDOW_GRAIN,
    };
    if (prefetchable && (base & PCI_BRIDGE_PREF_64)) {
        r.first |= (uint64_t)pci_read32(bridge->bdf, PCI_BRIDGE_PREF_BASE_HI) << 32;
        r.end |= (uint64_t)pci_read32(bridge->bdf, PCI_BRIDGE_PREF_LIMIT_HI) << 32;
    }
    r.end += WINDOW_GRAIN;
    return r;
}

static bool bar_takes(const struct pci_bar *bar, unsigned count, struct range r, uint64_t *end)
{
    *end = bar->base + count * bar->size;
    return bar->kind == PCI_BAR_MEM && bar->base && bar->base < r.end && r.first < *end;
}

/* If something in the range is taken, return true and where that ends. */
static bool range_taken(const struct pci_function *pf, const struct vf_plan *plan, struct range r,
                        uint64_t *end)
{
    for (unsigned n = 0; n < PCI_BAR_COUNT; n++)
        if (bar_takes(&plan->bars[n], plan->count, r, end))
            return true;
    for (size_t i = 0; i < pci_count(); i++) {
        const struct pci_function *g = pci_get(i);
        for (unsigned n = 0; n < PCI_BAR_COUNT; n++)
            if (bar_takes(&g->bars[n], 1, r, end))
                return true;
        if (bar_takes(&g->rom, 1, r, end))
            return true;
        for (unsigned kind = 0; g->secondary_bus && g->parent == pf->parent && kind < 2; kind++) {
            struct range w = bridge_window(g, kind);
            *end = w.end;
            if (w.first < r.end && r.first < w.end && w.first < w.end)
                return true;
        }
    }
    *end = r.end;
    return pci_config_overlaps(r.first, r.end - r.first);
}

/* On a root bus nobody but AML says what the host bridge passes down. Between the lowest and the
 * highest address that the firmware gave away there, it surely does. */
static struct range root_window(const struct pci_function *pf)
{
    struct range w = {.first = UINT64_MAX};
    for (size_t i = 0; i < pci_count(); i++) {
        const struct pci_function *g = pci_get(i);
        for (unsigned n = 0; n < PCI_BAR_COUNT; n++) {
            const struct pci_bar *b = &g->bars[n];
            if (BDF_BUS(g->bdf) != BDF_BUS(pf->bdf) || b->kind != PCI_BAR_MEM || !b->base ||
                b->base + b->size > LOW_MMIO_END)
                continue;
            w.first = MIN(w.first, b->base);
            w.end = MAX(w.end, b->base + b->size);
        }
    }
    return w;
}

/* First fit; every step passes something that is there, so it ends. 0: no room. */
static uint64_t window_find(const struct pci_function *pf, const struct vf_plan *plan,
                            struct range w, uint64_t align)
{
    uint64_t size = align * plan->count, at = ALIGN_UP(MAX(w.first, PAGE_SIZE), align), end;
    while (at < w.end && size <= w.end - at) {
        if (!range_taken(pf, plan, (struct range){at, at + size}, &end))
            return at;
        if (end <= at) /* a device whose BAR wraps around */
            return 0;
        at = ALIGN_UP(end, align);
    }
    return 0;
}

static uint64_t space_find(const struct pci_function *pf, const struct vf_plan *plan,
                           const struct pci_bar *bar)
{
    if (!pf->parent)
        return window_find(pf, plan, root_window(pf), bar->size);
    if (bar->prefetchable) {
        struct range w = bridge_window(pf->parent, true);
        w.end = bar->is_64bit ? w.end : MIN(w.end, BIT(32));
        uint64_t found = window_find(pf, plan, w, bar->size);
        if (found)
            return found;
    }
    return window_find(pf, plan, bridge_window(pf->parent, false), bar->size);
}

/* Size the VF BARs; where the firmware did not place them, find room for all VFs in one piece. */
static int plan_bars(const struct pci_function *pf, struct vf_plan *plan)
{
    for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
        uint16_t reg = pf->ext_sriov + PCI_SRIOV_BAR(i);
        struct pci_bar bar = pci_bar_probe(pf->bdf, reg, i + 1 < PCI_BAR_COUNT);
        if (bar.kind == PCI_BAR_MEM) {
            if (bar.base == 0 && bar.size <= VF_BAR_MAX)
                bar.base = space_find(pf, plan, &bar);
            if (bar.base == 0)
                return FAIL(ENOSPC, BDF_FMT " vfs refused: no room for %u times bar%u of 0x%llx",
                            BDF_ARG(pf->bdf), plan->count, i, (unsigned long long)bar.size);
            pci_bar_write(pf->bdf, reg, &bar);
            plan->bars[i] = bar;
        }
        i += bar.is_64bit;
    }
    return 0;
}

static void vfs_disable(const struct pci_function *pf, const struct vf_plan *plan)
{
    uint16_t at = pf->ext_sriov + PCI_SRIOV_CONTROL;
    pci_write16(pf->bdf, at, pci_read16(pf->bdf, at) & ~(PCI_SRIOV_VF_ENABLE | PCI_SRIOV_VF_MEM));
    for (unsigned n = 0; n < plan->count; n++)
        pci_function_remove(vf_bdf(plan, n));
}

/* A VF's header is empty where it would only repeat the PF's, so that is where it comes from. */
static int vf_add(struct pci_function *pf, const struct vf_plan *plan, unsigned n)
{
    struct pci_function *vf = pci_function_add(vf_bdf(plan, n));
    if (!vf)
        return -ENOSPC;
    vf->vendor = pf->vendor;
    vf->device = pci_read16(pf->bdf, pf->ext_sriov + PCI_SRIOV_DEVICE_ID);
    vf->physical = pf;
    vf->parent = pf->parent;
    if (!pci_wait_ready(vf))
        return FAIL(ETIMEDOUT, BDF_FMT " vf does not answer", BDF_ARG(vf->bdf));
    vf->class_code = FIELD_GET(PCI_CLASS_CODE, pci_read32(vf->bdf, PCI_CLASS));
    vf->revision = pci_read8(vf->bdf, PCI_REVISION_ID);
    /* By the book VF MSE alone switches all VFs' memory on, and this bit is not there; some ask for it. */
    pci_command(vf->bdf, PCI_COMMAND_MEM, 0);
    pci_caps_read(vf);
    for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
        vf->bars[i] = plan->bars[i];
        vf->bars[i].base += n * plan->bars[i].size;
    }
    pci_function_log(vf);
    return 0;
}

static int vfs_add(struct pci_function *pf, const struct vf_plan *plan)
{
    uint16_t at = pf->ext_sriov + PCI_SRIOV_CONTROL;
    pci_write16(pf->bdf, at, pci_read16(pf->bdf, at) | PCI_SRIOV_VF_ENABLE | PCI_SRIOV_VF_MEM);
    time_delay_us(VF_ENABLE_TIME_US);
    for (unsigned n = 0; n < plan->count; n++) {
        int err = vf_add(pf, plan, n);
        if (err) {
            vfs_disable(pf, plan);
            return err;
        }
    }
    return 0;
}

int pci_sriov_enable(struct pci_function *pf, unsigned count)
{
    struct vf_plan plan = {.count = count};
    uint16_t cap = pf->ext_sriov;
    if (!cap)
        return FAIL(ENODEV, BDF_FMT " vfs=%u refused: no SR-IOV", BDF_ARG(pf->bdf), count);
    uint16_t total = pci_read16(pf->bdf, cap + PCI_SRIOV_TOTAL_VFS);
    if (count == 0 || count > total || count > PCI_FUNCTION_MAX)
        return FAIL(ENODEV, BDF_FMT " vfs=%u refused: has %u", BDF_ARG(pf->bdf), count, total);
    if (pci_read16(pf->bdf, cap + PCI_SRIOV_CONTROL) & PCI_SRIOV_VF_ENABLE)
        return FAIL(EBUSY, BDF_FMT " vfs=%u refused: enabled already", BDF_ARG(pf->bdf), count);

    ari_enable(pf);
    pci_write16(pf->bdf, cap + PCI_SRIOV_NUM_VFS, count);
    pci_write32(pf->bdf, cap + PCI_SRIOV_PAGE_SIZE, PCI_SRIOV_PAGE_4K);
    int err = plan_ids(pf, &plan);
    if (!err)
        err = plan_bars(pf, &plan);
    if (!err)
        err = vfs_add(pf, &plan);
    return err;
}

void pci_sriov_save(const struct pci_function *pf, struct sriov_saved *s)
{
    uint16_t cap = pf->ext_sriov;
    s->control = cap ? pci_read16(pf->bdf, cap + PCI_SRIOV_CONTROL) : 0;
    if (!(s->control & PCI_SRIOV_VF_ENABLE))
        return;
    s->vf_count = pci_read16(pf->bdf, cap + PCI_SRIOV_NUM_VFS);
    s->page_size = pci_read32(pf->bdf, cap + PCI_SRIOV_PAGE_SIZE);
    for (unsigned i = 0; i < PCI_BAR_COUNT; i++)
        s->bars[i] = pci_read32(pf->bdf, cap + PCI_SRIOV_BAR(i));
}

void pci_sriov_restore(const struct pci_function *pf, const struct sriov_saved *s)
{
    uint16_t cap = pf->ext_sriov;
    if (!(s->control & PCI_SRIOV_VF_ENABLE))
        return;
    pci_write16(pf->bdf, cap + PCI_SRIOV_CONTROL, s->control & PCI_SRIOV_ARI);
    pci_write16(pf->bdf, cap + PCI_SRIOV_NUM_VFS, s->vf_count);
    pci_write32(pf->bdf, cap + PCI_SRIOV_PAGE_SIZE, s->page_size);
    for (unsigned i = 0; i < PCI_BAR_COUNT; i++)
        pci_write32(pf->bdf, cap + PCI_SRIOV_BAR(i), s->bars[i]);
    pci_write16(pf->bdf, cap + PCI_SRIOV_CONTROL, s->control);
    time_delay_us(VF_ENABLE_TIME_US);
}
