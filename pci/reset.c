/* SPDX-License-Identifier: MIT */
/*
 * Bring a function back to the state of power-on, so that no owner sees data of an earlier one.
 * From: guest/assign/, pci/objection.c (pci_reset_best).   To: pci/config.c, bar.c, sriov.c.
 * Spec: PCI Express Base "Function Level Reset (FLR)", "Conventional Reset"; PCI "Advanced
 * Capabilities for Conventional PCI"; PCI Bus Power Management "Power Management State Transition
 * Requirements"; PCI-to-PCI Bridge "Bridge Control Register".
 *
 * Kept over the reset: Command (without bus mastering), BARs and their sizes, what the firmware
 * tuned on the bus, on the link and its virtual channels. Masks of errors (AER) are sticky: the
 * function keeps them.
 * A device whose FLR is in no capability counts as one without FLR.
 */
#include "pci/pci_private.h"
#include "arch/task.h"
#define LOG "pci"
#include "arch/log.h"

#define DRAIN_TIMEOUT_US  100000 /* "FLR": pending transactions are over within 100 ms */
#define FLR_TIME_US       100000 /* the function may be silent for so long */
#define FLR_SLOW_US       250000 /* more, for those that answer too early */
#define D3_TIME_US        10000  /* D0 to D3hot, and D3hot to D0 */
#define BUS_RESET_TIME_US 2000   /* RST# at least 1 ms (Trst) */
#define BUS_READY_TIME_US 100000 /* before the first configuration request */
#define BUS_FUNCTIONS_MAX 8      /* behind one bridge, reset together */

const char *pci_reset_name(enum pci_reset_kind kind)
{
    static const char *const names[] = {
        [PCI_RESET_NONE] = "none",   [PCI_RESET_FLR] = "flr", [PCI_RESET_AF_FLR] = "af-flr",
        [PCI_RESET_D3HOT] = "d3hot", [PCI_RESET_BUS] = "bus",
    };
    return names[kind];
}

/* All functions that a secondary bus reset would hit, f included. 0: it would hit a function of
 * another owner, a bridge, or one that must be spared. free_too: those without an owner may be hit.
 */
static size_t reset_together(const struct pci_function *f, bool free_too, struct pci_function **out)
{
    const struct pci_function *bridge = f->parent;
    size_t count = 0;
    if (!bridge || bridge->header_type != PCI_HEADER_BRIDGE)
        return 0;
    for (size_t i = 0; i < pci_count(); i++) {
        struct pci_function *g = pci_get(i);
        unsigned bus = BDF_BUS(g->bdf);
        if (bus < bridge->secondary_bus || bus > bridge->subordinate_bus)
            continue;
        bool ours = g == f || (g->owner ? g->owner == f->owner : free_too);
        if (!ours || g->spared || pci_has_quirk(g, QUIRK_NO_BUS_RESET) || pci_is_bridge(g) ||
            count == BUS_FUNCTIONS_MAX)
            return 0;
        out[count++] = g;
    }
    return count;
}

static bool has_bus_reset(const struct pci_function *f)
{
    struct pci_function *together[BUS_FUNCTIONS_MAX];
    return reset_together(f, false, together) != 0;
}

bool pci_reset_with_siblings(const struct pci_function *f)
{
    struct pci_function *together[BUS_FUNCTIONS_MAX];
    return reset_together(f, true, together) > 1;
}

static bool has_af_flr(const struct pci_function *f)
{
    uint8_t both = PCI_AF_CAP_TP | PCI_AF_CAP_FLR;
    return f->cap_af && !pci_has_quirk(f, QUIRK_NO_FLR) &&
           (pci_read8(f->bdf, f->cap_af + PCI_AF_CAPABILITIES) & both) == both;
}

static bool has_d3hot_reset(const struct pci_function *f)
{
    return f->cap_pm && !(pci_read16(f->bdf, f->cap_pm + PCI_PM_CONTROL) & PCI_PM_NO_SOFT_RESET);
}

/* Does it wait for completions of its own requests? */
static bool is_busy(const struct pci_function *f)
{
    if (f->cap_pcie)
        return pci_read16(f->bdf, f->cap_pcie + PCIE_DEVICE_STATUS) & PCIE_DEVICE_PENDING;
    if (f->cap_af)
        return pci_read8(f->bdf, f->cap_af + PCI_AF_STATUS) & PCI_AF_PENDING;
    /* A read pushes the writes ahead of it. A conventional device has no status of its requests. */
    (void)pci_read16(f->bdf, PCI_STATUS);
    return false;
}

int pci_drain(const struct pci_function *f)
{
    if (!task_wait_until(!is_busy(f), DRAIN_TIMEOUT_US))
        return FAIL_OFTEN(ETIMEDOUT, BDF_FMT " transactions pending after 100 ms", BDF_ARG(f->bdf));
    return 0;
}

static bool has_control2(const struct pci_function *f)
{
    uint16_t caps = pci_read16(f->bdf, f->cap_pcie + PCIE_CAPABILITIES);
    return FIELD_GET(PCIE_VERSION, caps) >= 2 &&
           f->cap_pcie + PCIE_DEVICE_CONTROL2 + 2 <= PCI_CONFIG_SIZE;
}

static unsigned vc_count(const struct pci_function *f)
{
    if (!f->ext_vc)
        return 0;
    return 1 + (unsigned)FIELD_GET(PCI_VC_EXTENDED, pci_read32(f->bdf, f->ext_vc + PCI_VC_PORT));
}

static void vc_save(const struct pci_function *f, struct pci_saved *s)
{
    unsigned count = vc_count(f);
    if (count)
        s->vc_arbitration = pci_read16(f->bdf, f->ext_vc + PCI_VC_PORT_CONTROL);
    for (unsigned i = 0; i < count; i++)
        s->vc[i] = pci_read32(f->bdf, f->ext_vc + PCI_VC_CONTROL(i));
}

/* A channel gets its traffic classes before it goes on. */
static void vc_restore(const struct pci_function *f, const struct pci_saved *s)
{
    unsigned count = vc_count(f);
    if (count)
        pci_write16(f->bdf, f->ext_vc + PCI_VC_PORT_CONTROL, s->vc_arbitration);
    for (unsigned i = 0; i < count; i++) {
        pci_write32(f->bdf, f->ext_vc + PCI_VC_CONTROL(i), s->vc[i] & (uint32_t)~PCI_VC_ENABLE);
        pci_write32(f->bdf, f->ext_vc + PCI_VC_CONTROL(i), s->vc[i]);
    }
}

/* Silence the function, and save what the reset will clear. Zeros go to registers that a device
 * claims to have after its reset only. */
static void quiesce(struct pci_function *f)
{
    struct pci_saved *s = &f->saved;
    *s = (struct pci_saved){0};
    s->cache_line = pci_read8(f->bdf, PCI_CACHE_LINE_SIZE);
    s->latency = pci_read8(f->bdf, PCI_LATENCY_TIMER);
    s->interrupt_line = pci_read8(f->bdf, PCI_INTERRUPT_LINE);
    if (f->cap_pcie) {
        s->device_control = pci_read16(f->bdf, f->cap_pcie + PCIE_DEVICE_CONTROL);
        s->link_control = pci_read16(f->bdf, f->cap_pcie + PCIE_LINK_CONTROL);
        if (has_control2(f))
            s->device_control2 = pci_read16(f->bdf, f->cap_pcie + PCIE_DEVICE_CONTROL2);
    }
    if (f->ext_ltr)
        s->latencies = pci_read32(f->bdf, f->ext_ltr + PCI_LTR_MAX);
    vc_save(f, s);
    pci_sriov_save(f, &s->sriov);
    s->command = pci_command(f->bdf, PCI_COMMAND_INTX_OFF, PCI_COMMAND_MASTER);
    pci_msi_enable(f, false);
    pci_msix_enable(f, false, false);
    if (pci_drain(f) != 0)
        log_often(BDF_FMT " is reset all the same", BDF_ARG(f->bdf));
}

/* It may have been in D3hot before a bus reset. Only the waking takes time, and what is written
 * meanwhile is lost. */
void pci_wake(const struct pci_function *f)
{
    if (!f->cap_pm)
        return;
    bool asleep = pci_read16(f->bdf, f->cap_pm + PCI_PM_CONTROL) & PCI_PM_STATE;
    pci_write16(f->bdf, f->cap_pm + PCI_PM_CONTROL, PCI_PM_D0);
    if (asleep)
        task_delay_us(D3_TIME_US);
}

static void restore(const struct pci_function *f)
{
    const struct pci_saved *s = &f->saved;
    bdf_t bdf = f->bdf;
    pci_wake(f);
    if (f->ext_ltr) /* before Device Control 2 lets the function report */
        pci_write32(bdf, f->ext_ltr + PCI_LTR_MAX, s->latencies);
    if (f->cap_pcie) {
        pci_write16(bdf, f->cap_pcie + PCIE_LINK_CONTROL, s->link_control);
        pci_write16(bdf, f->cap_pcie + PCIE_DEVICE_CONTROL, s->device_control & ~PCIE_DEVICE_FLR);
        pci_snoop_always(f);
        if (has_control2(f))
            pci_write16(bdf, f->cap_pcie + PCIE_DEVICE_CONTROL2, s->device_control2);
    }
    vc_restore(f, s);
    pci_bars_write(f);
    pci_write8(bdf, PCI_CACHE_LINE_SIZE, s->cache_line);
    pci_write8(bdf, PCI_LATENCY_TIMER, s->latency);
    pci_write8(bdf, PCI_INTERRUPT_LINE, s->interrupt_line);
    pci_acs_enable(f); /* a reset switches it off: the function could reach its siblings */
    pci_sriov_restore(f, &s->sriov);
    pci_write16(bdf, PCI_COMMAND, (s->command & ~PCI_COMMAND_MASTER) | PCI_COMMAND_INTX_OFF);
}

static uint64_t flr_begin(const struct pci_function *f)
{
    pci_change16(f->bdf, f->cap_pcie + PCIE_DEVICE_CONTROL, PCIE_DEVICE_FLR, 0);
    return FLR_TIME_US + (pci_has_quirk(f, QUIRK_SLOW_FLR) ? FLR_SLOW_US : 0);
}

static void reset_flr(const struct pci_function *f)
{
    if (!f->begun)
        task_delay_us(flr_begin(f));
}

static void reset_af_flr(const struct pci_function *f)
{
    pci_write8(f->bdf, f->cap_af + PCI_AF_CONTROL, PCI_AF_FLR);
    task_delay_us(FLR_TIME_US);
}

static void reset_d3hot(const struct pci_function *f)
{
    uint16_t reg = f->cap_pm + PCI_PM_CONTROL;
    uint16_t control = pci_read16(f->bdf, reg) & ~(PCI_PM_STATE | PCI_PM_PME_STATUS);
    pci_write16(f->bdf, reg, control | FIELD_SET(PCI_PM_STATE, PCI_PM_D3HOT));
    task_delay_us(D3_TIME_US);
    pci_write16(f->bdf, reg, control | FIELD_SET(PCI_PM_STATE, PCI_PM_D0));
    task_delay_us(D3_TIME_US);
}

static void reset_bus(const struct pci_function *f)
{
    bdf_t bridge = f->parent->bdf;
    pci_change16(bridge, PCI_BRIDGE_CONTROL, PCI_BRIDGE_BUS_RESET, 0);
    task_delay_us(BUS_RESET_TIME_US);
    pci_change16(bridge, PCI_BRIDGE_CONTROL, 0, PCI_BRIDGE_BUS_RESET);
    task_delay_us(BUS_READY_TIME_US);
}

/* The best way first: the one that hits the least. */
static const struct {
    bool (*has)(const struct pci_function *f);
    void (*reset)(const struct pci_function *f);
} ways[] = {
    [PCI_RESET_FLR] = {pci_has_flr, reset_flr},
    [PCI_RESET_AF_FLR] = {has_af_flr, reset_af_flr},
    [PCI_RESET_D3HOT] = {has_d3hot_reset, reset_d3hot},
    [PCI_RESET_BUS] = {has_bus_reset, reset_bus},
};

static enum pci_reset_kind next_way(const struct pci_function *f, enum pci_reset_kind after)
{
    for (unsigned kind = after + 1; kind < ARRAY_COUNT(ways) && !pci_is_bridge(f); kind++)
        if (ways[kind].has(f))
            return kind;
    return PCI_RESET_NONE;
}

enum pci_reset_kind pci_reset_best(const struct pci_function *f)
{
    return f->begun ? PCI_RESET_FLR : next_way(f, PCI_RESET_NONE);
}

static bool answers(const struct pci_function *f)
{
    return pci_read32(f->bdf, PCI_COMMAND) != UINT32_MAX;
}

/* With a physical function its virtual ones vanish until it is restored. */
uint64_t pci_reset_begin(struct pci_function *f)
{
    if (!answers(f) || pci_reset_best(f) != PCI_RESET_FLR || pci_sriov_is_on(f))
        return 0;
    quiesce(f);
    f->begun = true;
    return flr_begin(f);
}

/* A reset clears BARs. So a BAR that kept its address shows that there was none: some functions say
 * that D3hot resets them, and are wrong. */
static bool forgot_bars(const struct pci_function *f)
{
    for (unsigned i = 0; i < PCI_BAR_COUNT && !f->physical; i++) {
        const struct pci_bar *b = &f->bars[i];
        if (b->kind != PCI_BAR_NONE && b->base && pci_bar_in_place(f, i))
            return false;
    }
    return true;
}

/* -EIO: the function came back without having been reset. */
static int reset_by(enum pci_reset_kind kind, struct pci_function *f)
{
    struct pci_function *hit[BUS_FUNCTIONS_MAX] = {f};
    size_t count = kind == PCI_RESET_BUS ? reset_together(f, false, hit) : 1;
    int err = 0;
    for (size_t i = 0; i < count; i++)
        if (!hit[i]->begun)
            quiesce(hit[i]);
    ways[kind].reset(f);
    for (size_t i = 0; i < count; i++) {
        hit[i]->begun = false;
        if (!pci_wait_ready(hit[i]->bdf))
            return FAIL_OFTEN(ETIMEDOUT, BDF_FMT " did not come back from reset=%s",
                              BDF_ARG(hit[i]->bdf), pci_reset_name(kind));
        if (!forgot_bars(hit[i]))
            err = -EIO;
        restore(hit[i]);
    }
    return err;
}

int pci_reset(struct pci_function *f, enum pci_reset_kind *used)
{
    *used = PCI_RESET_NONE;
    if (!f->begun && !answers(f))
        return FAIL_OFTEN(ENODEV, BDF_FMT " does not answer any more", BDF_ARG(f->bdf));
    for (enum pci_reset_kind kind = pci_reset_best(f); kind; kind = next_way(f, kind)) {
        int err = reset_by(kind, f);
        if (err == -EIO) {
            log_often(BDF_FMT " kept its state over reset=%s", BDF_ARG(f->bdf),
                      pci_reset_name(kind));
            continue;
        }
        *used = err ? PCI_RESET_NONE : kind;
        log_trace(BDF_FMT " reset=%s err=%d", BDF_ARG(f->bdf), pci_reset_name(kind), err);
        return err;
    }
    return FAIL_OFTEN(ENODEV, BDF_FMT " has no reset: no FLR, no D3hot reset, not alone on its bus",
                      BDF_ARG(f->bdf));
}
