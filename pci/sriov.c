/* SPDX-License-Identifier: MIT */
/*
 * Virtual functions: a physical function provides several, each with a requester id and BARs of its
 * own, so that each can have another owner.
 * From: boot/main.c (pci_sriov_enable), pci/reset.c.
 * To: pci/bar.c (sizes), room.c (addresses), functions.c.
 * Spec: PCI Express Base "Single Root I/O Virtualization", "VF BARs", "Alternative Routing-ID
 * Interpretation (ARI)".
 */
#include "pci/pci_private.h"
#include "arch/task.h"
#define LOG "pci"
#include "arch/log.h"

#define VF_ENABLE_TIME_US 100000  /* "VF Enable": VFs may be silent for so long */
#define VF_BAR_MAX        BIT(40) /* times 256 VFs stays within 64 bits */

static bdf_t vf_bdf(const struct vf_plan *plan, unsigned n)
{
    return plan->first + n * plan->stride;
}

/* With ARI a device can have 256 functions instead of 8, if the port above forwards their ids. */
static void ari_enable(const struct pci_function *pf)
{
    const struct pci_function *port = pf->parent;
    if (!pf->ext_ari || !port || !port->cap_pcie)
        return;
    uint16_t cap = port->cap_pcie;
    if (FIELD_GET(PCIE_VERSION, pci_read16(port->bdf, cap + PCIE_CAPABILITIES)) < 2 ||
        !(pci_read32(port->bdf, cap + PCIE_DEVICE_CAP2) & PCIE_CAP2_ARI_FORWARD))
        return;
    pci_change16(port->bdf, cap + PCIE_DEVICE_CONTROL2, PCIE_CONTROL2_ARI, 0);
    pci_change16(pf->bdf, pf->ext_sriov + PCI_SRIOV_CONTROL, PCI_SRIOV_ARI, 0);
}

/* Offset and stride may change with the number of VFs and with ARI, so both are set before. */
static int plan_ids(struct vf_plan *plan)
{
    const struct pci_function *pf = plan->pf;
    uint32_t offset = pci_read16(pf->bdf, pf->ext_sriov + PCI_SRIOV_FIRST_OFFSET);
    uint32_t stride = pci_read16(pf->bdf, pf->ext_sriov + PCI_SRIOV_STRIDE);
    uint32_t last = pf->bdf + offset + (plan->count - 1) * stride;
    unsigned bus_end = pf->parent ? pf->parent->subordinate_bus : BDF_BUS(pf->bdf);
    /* Offset 0 names the PF itself, which the loop below finds as taken. */
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

/* Size the VF BARs. For one that the firmware did not place, find room for all VFs in one piece. */
static int plan_bars(struct vf_plan *plan)
{
    const struct pci_function *pf = plan->pf;
    for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
        uint16_t reg = pf->ext_sriov + PCI_SRIOV_BAR(i);
        struct pci_bar bar = pci_bar_probe(pf->bdf, reg, i + 1 < PCI_BAR_COUNT);
        if (bar.kind == PCI_BAR_MEM) {
            if (bar.base == 0 && bar.size <= VF_BAR_MAX)
                bar.base = pci_room_find(plan, &bar);
            if (bar.base == 0)
                return FAIL(ENOSPC, BDF_FMT " vfs refused: no room for %u times bar%u of 0x%lx",
                            BDF_ARG(pf->bdf), plan->count, i, bar.size);
            pci_bar_write(pf->bdf, reg, &bar);
            plan->bars[i] = bar;
        }
        i += bar.is_64bit;
    }
    return 0;
}

/* In a VF's header the fields that equal the PF's are empty, so they are copied from the PF. */
static int vf_add(const struct vf_plan *plan, unsigned n)
{
    struct pci_function *pf = plan->pf;
    struct pci_function *vf = pci_function_add(vf_bdf(plan, n));
    if (!vf)
        return -ENOSPC;
    vf->vendor = pf->vendor;
    vf->device = pci_read16(pf->bdf, pf->ext_sriov + PCI_SRIOV_DEVICE_ID);
    vf->physical = pf;
    vf->parent = pf->parent;
    if (!pci_wait_ready(vf->bdf))
        return FAIL(ETIMEDOUT, BDF_FMT " vf does not answer", BDF_ARG(vf->bdf));
    vf->class_code = FIELD_GET(PCI_CLASS_CODE, pci_read32(vf->bdf, PCI_CLASS));
    vf->revision = pci_read8(vf->bdf, PCI_REVISION_ID);
    /* By the specification VF MSE alone enables the VFs' memory; some devices need this, too. */
    pci_command(vf->bdf, PCI_COMMAND_MEM, 0);
    pci_caps_read(vf);
    for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
        vf->bars[i] = plan->bars[i];
        vf->bars[i].base += n * plan->bars[i].size;
    }
    pci_function_log(vf);
    return 0;
}

/* Enable and add all VFs, or none. */
static int vfs_add(const struct vf_plan *plan)
{
    uint16_t control = plan->pf->ext_sriov + PCI_SRIOV_CONTROL;
    pci_change16(plan->pf->bdf, control, PCI_SRIOV_VF_ENABLE | PCI_SRIOV_VF_MEM, 0);
    task_delay_us(VF_ENABLE_TIME_US);
    int err = 0;
    for (unsigned n = 0; n < plan->count && !err; n++)
        err = vf_add(plan, n);
    if (err)
        pci_change16(plan->pf->bdf, control, 0, PCI_SRIOV_VF_ENABLE | PCI_SRIOV_VF_MEM);
    for (unsigned n = 0; n < plan->count && err; n++)
        pci_function_remove(vf_bdf(plan, n));
    return err;
}

bool pci_sriov_is_on(const struct pci_function *pf)
{
    return pf->ext_sriov &&
           (pci_read16(pf->bdf, pf->ext_sriov + PCI_SRIOV_CONTROL) & PCI_SRIOV_VF_ENABLE);
}

int pci_sriov_enable(struct pci_function *pf, unsigned count)
{
    struct vf_plan plan = {.pf = pf, .count = count};
    uint16_t cap = pf->ext_sriov;
    if (!cap)
        return FAIL(ENODEV, BDF_FMT " vfs=%u refused: no SR-IOV", BDF_ARG(pf->bdf), count);
    uint16_t total = pci_read16(pf->bdf, cap + PCI_SRIOV_TOTAL_VFS);
    if (count == 0 || count > total || count > PCI_FUNCTION_MAX)
        return FAIL(ENODEV, BDF_FMT " vfs=%u refused: has %u", BDF_ARG(pf->bdf), count, total);
    if (pci_sriov_is_on(pf))
        return FAIL(EBUSY, BDF_FMT " vfs=%u refused: enabled already", BDF_ARG(pf->bdf), count);
    ari_enable(pf);
    pci_write16(pf->bdf, cap + PCI_SRIOV_NUM_VFS, count);
    pci_write32(pf->bdf, cap + PCI_SRIOV_PAGE_SIZE, PCI_SRIOV_PAGE_4K);
    int err = plan_ids(&plan);
    if (err)
        return err;
    err = plan_bars(&plan);
    return err ? err : vfs_add(&plan);
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
    task_delay_us(VF_ENABLE_TIME_US);
}
