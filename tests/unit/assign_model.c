/* SPDX-License-Identifier: MIT */
#include "tests/unit/assign_model.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "guest/pc/vioapic.h"
#include "pci/pci_private.h"

struct model m;
static struct vcpu vcpu0, vcpu1;

void model_note(const char *fmt, ...)
{
    char event[64];
    va_list args;
    va_start(args, fmt);
    vsnprintf(event, sizeof(event) - 3, fmt, args);
    va_end(args);
    strcat(event, "; ");
    size_t used = strlen(m.events), size = strlen(event);
    bool again = used >= size && !strcmp(m.events + used - size, event) &&
                 (used == size || m.events[used - size - 1] == ' ');
    if (!again && used + size < sizeof(m.events)) /* what a fuzzer does may be more than fits */
        strcpy(m.events + used, event);
}

/* --- pci -------------------------------------------------------------------------------------- */

struct pci_function *pci_find(bdf_t bdf)
{
    for (size_t n = 0; n < pci_count(); n++)
        if (pci_get(n)->bdf == bdf)
            return pci_get(n);
    return NULL;
}
struct pci_function *pci_find_id(uint16_t vendor, uint16_t device, unsigned nth)
{
    return vendor == m.fn.vendor && device == m.fn.device && nth == 0 ? &m.fn : NULL;
}
size_t pci_count(void) { return 1 + m.more_count; }
struct pci_function *pci_get(size_t n) { return n ? &m.more[n - 1].fn : &m.fn; }

static uint8_t *config_at(bdf_t bdf, uint16_t reg, unsigned width)
{
    unsigned n = 0;
    assert(reg % width == 0 && reg < sizeof(m.config));
    if (bdf == m.fn.bdf)
        return m.config + reg;
    while (n < m.more_count && m.more[n].fn.bdf != bdf)
        n++;
    assert(n < m.more_count);
    return m.more[n].config + reg;
}
uint32_t pci_read(bdf_t bdf, uint16_t reg, unsigned width)
{
    uint32_t v = 0;
    memcpy(&v, config_at(bdf, reg, width), width);
    return v;
}
void pci_write(bdf_t bdf, uint16_t reg, unsigned width, uint32_t v)
{
    if (reg == PCI_COMMAND && m.intx_old)
        v = (v & ~(uint32_t)PCI_COMMAND_INTX_OFF) |
            (pci_read(bdf, reg, width) & PCI_COMMAND_INTX_OFF);
    uint32_t changed = pci_read(bdf, reg, width) ^ v;
    if (pci_find(bdf)->ext_aer && (reg == pci_find(bdf)->ext_aer + PCI_AER_UNCORRECTED ||
                                   reg == pci_find(bdf)->ext_aer + PCI_AER_CORRECTED))
        v = pci_read(bdf, reg, width) & ~v; /* a one clears */
    m.config_writes++;
    memcpy(config_at(bdf, reg, width), &v, width);
    if (reg == PCI_COMMAND && (changed & PCI_COMMAND_MASTER))
        model_note("master-%s " BDF_FMT, v & PCI_COMMAND_MASTER ? "on" : "off", BDF_ARG(bdf));
    if (reg == PCI_COMMAND && (changed & (PCI_COMMAND_MEM | PCI_COMMAND_IO)))
        model_note("decode %u", (unsigned)(v & (PCI_COMMAND_MEM | PCI_COMMAND_IO)));
    if (reg == PCI_COMMAND && m.on_command)
        m.on_command();
}

uint16_t pci_change16(bdf_t bdf, uint16_t reg, uint16_t set, uint16_t clear)
{
    uint16_t old = pci_read16(bdf, reg);
    pci_write16(bdf, reg, (old & ~clear) | set);
    return old;
}

uint16_t pci_command(bdf_t bdf, uint16_t set, uint16_t clear)
{
    return pci_change16(bdf, PCI_COMMAND, set, clear);
}
bool pci_has_ecam(bdf_t bdf) { return bdf != m.fn.bdf || !m.no_ecam; }
enum pci_reset_kind pci_reset_best(const struct pci_function *f)
{
    (void)f;
    return m.no_reset ? PCI_RESET_NONE : PCI_RESET_FLR;
}
bool pci_reset_with_siblings(const struct pci_function *f)
{
    (void)f;
    return false;
}
int pci_reset(struct pci_function *f, enum pci_reset_kind *used)
{
    *used = m.reset_error ? PCI_RESET_NONE : PCI_RESET_FLR;
    m.resets++;
    assert(f->owner && m.vm.lock.next == m.vm.lock.serving); /* it waits, and so holds no lock */
    model_note("reset " BDF_FMT, BDF_ARG(f->bdf));
    for (size_t n = 0; n < pci_count(); n++)
        if (pci_get(n)->spared)
            model_note("sparing " BDF_FMT, BDF_ARG(pci_get(n)->bdf));
    if (m.reset_error)
        return m.reset_error;
    pci_command(f->bdf, PCI_COMMAND_INTX_OFF, PCI_COMMAND_MASTER);
    memset(m.bar_bytes + 0x10, 0, 5 * PCI_MSIX_ENTRY_SIZE); /* of MSI-X: no mask is set */
    return 0;
}
uint64_t pci_reset_begin(struct pci_function *f)
{
    if (!m.begins)
        return 0;
    model_note("begin " BDF_FMT, BDF_ARG(f->bdf));
    return f == &m.fn ? m.begins : 2 * m.begins;
}
void task_delay_us(uint64_t us)
{
    assert(m.vm.lock.next == m.vm.lock.serving);
    if (us)
        model_note("wait %lu", us);
}
const char *pci_reset_name(enum pci_reset_kind kind)
{
    (void)kind;
    return "FLR";
}
void pci_wake(const struct pci_function *f) { model_note("wake " BDF_FMT, BDF_ARG(f->bdf)); }
void pci_snoop_always(const struct pci_function *f) { m.snooped = f; }
void pci_break_locks(void) { m.locks_broken = true; }
int pci_drain(const struct pci_function *f)
{
    assert(m.vm.lock.next == m.vm.lock.serving);
    assert(m.intx_old || (pci_read16(f->bdf, PCI_COMMAND) & PCI_COMMAND_INTX_OFF));
    model_note("drain " BDF_FMT, BDF_ARG(f->bdf));
    return 0;
}
bool pci_sriov_is_on(const struct pci_function *pf) { return pf->ext_sriov; }
bool pci_config_overlaps(uint64_t base, uint64_t size)
{
    (void)base, (void)size;
    return false;
}
bool model_maps_any(uint64_t at, uint64_t size)
{
    for (unsigned i = 0; i < m.map_count; i++)
        if (at < m.mapped[i][0] + m.mapped[i][1] && m.mapped[i][0] < at + size)
            return true;
    return false;
}

bool model_maps(uint64_t at, uint64_t size)
{
    for (unsigned i = 0; i < m.map_count; i++)
        if (m.mapped[i][0] <= at && at + size <= m.mapped[i][0] + m.mapped[i][1])
            return true;
    return false;
}

/* --- The device ------------------------------------------------------------------------------- */

/* Device n of the model: the BARs of each lie behind those of the one before. */
static void device_init(struct pci_function *fn, uint8_t *config, bdf_t bdf, unsigned n)
{
    const struct pci_bar bars[PCI_BAR_COUNT] = {
        {PCI_BAR_MEM, false, false, 0xfeb00000 - (n << 24), 0x100000},
        {PCI_BAR_MEM, false, false, 0xfea00000 - (n << 24), 0x4000},
        {PCI_BAR_MEM, false, false, 0xfe900100 - (n << 24), 0x100},
        {PCI_BAR_NONE, false, false, 0, 0},
        {PCI_BAR_IO, false, false, 0xc040 + (n << 8), 0x20},
        {PCI_BAR_NONE, false, false, 0, 0},
    };
    *fn = (struct pci_function){.bdf = bdf,
                                .vendor = 0x1234,
                                .device = 0x11e8,
                                .class_code = 0xff0000,
                                .interrupt_pin = 1,
                                .interrupt_line = 11};
    memcpy(fn->bars, bars, sizeof(bars));
    for (unsigned i = 0; i < sizeof(m.config); i++)
        config[i] = (uint8_t)(i * 7); /* so that a read of the hardware is recognised */
    for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
        uint32_t bar = LO32(bars[i].base) | (bars[i].kind == PCI_BAR_IO ? PCI_BAR_IS_IO : 0);
        memcpy(config + PCI_BAR(i), &bar, sizeof(bar));
    }
    config[PCI_STATUS] = PCI_STATUS_CAP_LIST;
    config[PCI_CAP_POINTER] = AT_PM;
    config[PCI_INTERRUPT_LINE] = 11;
    memcpy(config + AT_PM, (uint8_t[]){PCI_CAP_ID_PM, AT_VPD}, 2);
    memcpy(config + AT_VPD, (uint8_t[]){0x03, AT_MSI}, 2);
    memcpy(config + AT_MSI, (uint8_t[]){PCI_CAP_ID_MSI, AT_MSIX, 0x84}, 3);
    memset(config + AT_MSI + 3, 0, 11);
    /* 5 entries at 0x1010 of BAR 1, its PBA at 0x1800 */
    static const uint8_t msix[] = {PCI_CAP_ID_MSIX, AT_PCIE, 4, 0, 0x11, 0x10, 0, 0, 1, 0x18, 0, 0};
    memcpy(config + AT_MSIX, msix, sizeof(msix));
    memcpy(config + AT_PCIE, (uint8_t[]){PCI_CAP_ID_PCIE, 0, 2, 0, 0, 0, 0, 0x10}, 8);
    memset(config + AT_PCIE_CONTROL, 0, 4);
    memset(config + PCI_EXT_FIRST, 0, 4); /* no extended capability */
}

void model_device(void)
{
    memset(&m, 0, offsetof(struct model, bar_bytes));
    memset(m.bar_bytes, 0, m.bar_written);
    memset(m.port_passes + m.ports_first, 0, m.ports_end - m.ports_first);
    m.bar_written = m.ports_first = m.ports_end = 0;
    m.vectors_left = MODEL_VECTORS;
    m.tsc_khz = 1000000000;
    m.attaches_left = m.irtes_left = m.maps_left = -1;
    device_init(&m.fn, m.config, BDF(0, 4, 0), 0);
}

struct pci_function *model_more(bdf_t bdf)
{
    unsigned n = m.more_count++;
    assert(n < ARRAY_COUNT(m.more));
    device_init(&m.more[n].fn, m.more[n].config, bdf, n + 1);
    pci_caps_read(&m.more[n].fn);
    return &m.more[n].fn;
}

static void model_vm_init(struct vm *vm)
{
    vm->vcpus[0] = &vcpu0;
    vm->vcpus[1] = &vcpu1;
    vm->vcpu_count = 2;
    vm->domain = (struct vtd_domain *)vm;
    vm->ioapic = vioapic_create(vm);
    vm->pci = vpci_create(vm);
    assert(vm->ioapic && vm->pci);
}

struct vm *model_other_vm(void)
{
    model_vm_init(&m.other_vm);
    return &m.other_vm;
}

int model_assign(enum plan plan, enum bar_mapping bar)
{
    pci_caps_read(&m.fn);
    m.cpus[0].apic_id = 10;
    m.cpus[1].apic_id = 11;
    vcpu0.cpu = vcpu1.cpu = NULL;
    vcpu0.vm = vcpu1.vm = &m.vm;
    struct device_config *c = &m.vm.config.devices[0];
    *c = (struct device_config){.bdf = m.fn.bdf, .plan = plan, .bar = bar, .rom = c->rom};
    m.vm.config.device_count = 1;
    model_vm_init(&m.vm);
    return assign_all(&m.vm);
}

void model_init(enum plan plan, enum bar_mapping bar)
{
    model_device();
    int err = model_assign(plan, bar);
    assert(err == 0);
}

static void model_vm_end(struct vm *vm)
{
    assign_release_all(vm);
    vpci_destroy(vm->pci);
    vioapic_destroy(vm->ioapic);
}

void model_end_other_vm(void) { model_vm_end(&m.other_vm); }

void model_end(void) { model_vm_end(&m.vm); }
