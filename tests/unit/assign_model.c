/* SPDX-License-Identifier: MIT */
#include "tests/unit/assign_model.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arch/io.h"
#include "arch/ioapic.h"
#include "arch/log.h"
#include "arch/options.h"
#include "arch/page.h"
#include "arch/paging.h"
#include "arch/panic.h"
#include "arch/trap.h"
#include "guest/pc/vioapic.h"
#include "guest/pc/vlapic.h"
#include "pci/pci_private.h"
#include "vmx/caps.h"
#include "vmx/run/post.h"

struct model m;
struct options options = {.post = POST_HW, .ir = true, .vtd = true};
enum log_level log_threshold = LOG_ERROR;
static struct vcpu vcpu0, vcpu1;
static struct cpu cpu0;

/* --- arch ------------------------------------------------------------------------------------- */

void log_write(enum log_level level, const char *subsystem, const char *fmt, ...)
{
    va_list args;
    (void)level, (void)subsystem;
    va_start(args, fmt);
    vsnprintf(m.last_line, sizeof(m.last_line), fmt, args);
    va_end(args);
}
void panic_at(const char *file, int line, const char *fmt, ...)
{
    (void)file, (void)line, (void)fmt;
    abort();
}
void vpower_reset_write(struct vm *vm, uint8_t value) { (void)vm, (void)value; }
void panic_hook_add(void (*hook)(void)) { (void)hook; }
void *pages_alloc(size_t count, uint64_t align)
{
    void *p = aligned_alloc(align, count * PAGE_SIZE);
    return memset(p, 0, count * PAGE_SIZE);
}
void pages_free(void *p, size_t count)
{
    (void)count;
    free(p);
}
void *mmio_map(hpa_t base, uint64_t size)
{
    (void)size;
    return m.bar_bytes + (base.v & 0xfff);
}
int irq_alloc(irq_handler handler, void *ctx)
{
    if (m.vectors_left == 0)
        return -ENOSPC;
    m.vectors_left--;
    m.handler = handler;
    m.handler_ctx = ctx;
    return 0x40;
}
void irq_free(uint8_t vector)
{
    (void)vector;
    m.vectors_left++;
}
void *page_alloc(void) { return pages_alloc(1, PAGE_SIZE); }
void page_free(void *page) { pages_free(page, 1); }
const struct ioapic *ioapic_of_gsi(uint32_t gsi)
{
    static const struct ioapic io = {.version = 0x20, .pin_count = 24};
    return gsi < 24 ? &io : NULL;
}
void ioapic_write_rte(const struct ioapic *io, unsigned pin, uint64_t rte)
{
    (void)io;
    assert(pin == 11);
    m.rte = rte;
}
struct cpu *cpu_get(unsigned index) { return index ? NULL : &cpu0; }
uint8_t in8(uint16_t port) { return (uint8_t)port; }
uint16_t in16(uint16_t port) { return port; }
uint32_t in32(uint16_t port) { return port; }
void out8(uint16_t port, uint8_t v) { (void)port, (void)v; }
void out16(uint16_t port, uint16_t v) { (void)port, (void)v; }
void out32(uint16_t port, uint32_t v) { (void)port, (void)v; }

static bool is_model(const void *p)
{
    return (const uint8_t *)p >= m.bar_bytes &&
           (const uint8_t *)p < m.bar_bytes + sizeof(m.bar_bytes);
}
#define MMIO(width)                                                                                \
    uint##width##_t mmio_read##width(const void *p)                                                \
    {                                                                                              \
        uint##width##_t v = 0;                                                                     \
        if (is_model(p))                                                                           \
            memcpy(&v, p, sizeof(v));                                                              \
        return v;                                                                                  \
    }                                                                                              \
    void mmio_write##width(void *p, uint##width##_t v)                                             \
    {                                                                                              \
        m.table_writes++;                                                                          \
        if (is_model(p))                                                                           \
            memcpy(p, &v, sizeof(v));                                                              \
    }
MMIO(8)
MMIO(16)
MMIO(32)
MMIO(64)

/* --- pci -------------------------------------------------------------------------------------- */

static uint8_t *config_at(bdf_t bdf, uint16_t reg, unsigned width)
{
    assert(bdf == m.fn.bdf && reg % width == 0 && reg < sizeof(m.config));
    return m.config + reg;
}
uint32_t pci_read(bdf_t bdf, uint16_t reg, unsigned width)
{
    uint32_t v = 0;
    memcpy(&v, config_at(bdf, reg, width), width);
    return v;
}
void pci_write(bdf_t bdf, uint16_t reg, unsigned width, uint32_t v)
{
    m.config_writes++;
    memcpy(config_at(bdf, reg, width), &v, width);
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
bool pci_has_ecam(bdf_t bdf) { return bdf != m.fn.bdf; }
enum pci_reset_kind pci_reset_best(const struct pci_function *f)
{
    (void)f;
    return m.no_reset ? PCI_RESET_NONE : PCI_RESET_FLR;
}
int pci_reset(struct pci_function *f, enum pci_reset_kind *used)
{
    (void)f;
    *used = PCI_RESET_FLR;
    m.resets++;
    pci_command(m.fn.bdf, PCI_COMMAND_INTX_OFF, PCI_COMMAND_MASTER);
    return 0;
}
const char *pci_reset_name(enum pci_reset_kind kind)
{
    (void)kind;
    return "FLR";
}
int pci_drain(const struct pci_function *f)
{
    (void)f;
    return 0;
}
bdf_t pci_requester(const struct pci_function *f) { return f->bdf; }
size_t pci_objections(const struct pci_function *f, struct pci_objection *out)
{
    size_t count = 0;
    if (m.no_reset || f->parked)
        out[count++] = (struct pci_objection){"no-reset", "there is no way to reset it", false};
    return count;
}
const char *pci_rom_objection(const struct pci_function *f)
{
    return f->rom.base ? NULL : "the firmware left it without an address";
}
struct pci_function *pci_find(bdf_t bdf) { return bdf == m.fn.bdf ? &m.fn : NULL; }
struct pci_function *pci_find_id(uint16_t vendor, uint16_t device, unsigned nth)
{
    return vendor == m.fn.vendor && device == m.fn.device && nth == 0 ? &m.fn : NULL;
}
size_t pci_count(void) { return 1; }
struct pci_function *pci_get(size_t n)
{
    (void)n;
    return &m.fn;
}

/* --- vtd, vmx, vm ----------------------------------------------------------------------------- */

bool vtd_active(void) { return true; }
bool vtd_ir_active(void) { return true; }
bool vtd_can_post(void) { return true; }
bool vtd_covers(bdf_t bdf) { return bdf == m.fn.bdf; }
bool vtd_rmrr(bdf_t bdf, unsigned n, hpa_t *base, uint64_t *size)
{
    *base = hpa(0x7000000);
    *size = PAGE_SIZE;
    return n == 0 && bdf != m.fn.bdf;
}
bool reserved_complete(const struct vm *vm, const struct pci_function *fn)
{
    (void)vm;
    return fn->bdf == m.fn.bdf;
}
bool reserved_overlaps(const struct vm *vm, uint64_t at, uint64_t size)
{
    (void)vm;
    return ranges_overlap(at, size, MODEL_RESERVED, PAGE_SIZE);
}
void vtd_prepare(bdf_t source_id) { (void)source_id; }
int vtd_attach(struct vtd_domain *d, bdf_t source_id)
{
    (void)d, (void)source_id;
    return 0;
}
void vtd_detach(bdf_t source_id) { (void)source_id; }
unsigned vtd_domain_id(const struct vtd_domain *d)
{
    (void)d;
    return 1;
}
int vtd_irte_alloc(bdf_t source_id, unsigned count)
{
    (void)source_id;
    m.irte_next += count;
    return (int)(m.irte_next - count);
}
void vtd_irte_free(unsigned index, unsigned count)
{
    (void)index;
    m.irte_free += count;
}
void vtd_irte_remap(unsigned index, uint32_t apic_id, uint8_t vector, bool level)
{
    (void)index, (void)apic_id, (void)vector, (void)level;
}
void vtd_irte_post(unsigned index, const struct pi_desc *pid, uint8_t vector, bool urgent)
{
    (void)index, (void)pid, (void)vector, (void)urgent;
}
bool vtd_ioapic_source(uint8_t id, bdf_t *source_id)
{
    *source_id = 0xff00;
    return id == 0;
}
uint64_t vtd_ioapic_rte(unsigned index, uint8_t vector, bool level, bool active_low)
{
    (void)index, (void)active_low;
    return vector | (level ? BIT(15) : 0);
}
void vtd_irte_block(unsigned index) { (void)index; }
uint64_t vtd_msi_address(unsigned index, bool subhandle)
{
    return 0xfee00010 | index << 5 | (subhandle ? 8 : 0);
}
void vtd_fault_handler_set(void (*handler)(const struct vtd_fault *)) { m.fault_handler = handler; }
void vtd_fault_poll(void) {}
bool vtd_unit_state(unsigned n, struct vtd_unit_state *out)
{
    out->base = hpa(0xbed00000); /* where no firmware would have put it */
    return n == 0;
}
struct vtd_domain *vtd_domain_create_untranslated(void) { return NULL; }
void vtd_domain_destroy(struct vtd_domain *d) { (void)d; }
bool identity_has(const struct vm *vm)
{
    (void)vm;
    return false;
}
void *vm_ram(const struct vm *vm, gpa_t at, uint64_t size)
{
    (void)vm, (void)at, (void)size;
    return NULL;
}
uint64_t time_tsc_khz(void) { return 1000000000; } /* a second of it never passes */
const char *vtd_reason_name(uint8_t reason)
{
    (void)reason;
    return "";
}
const struct pi_desc *vcpu_descriptor(const struct vcpu *v)
{
    (void)v;
    return NULL;
}
struct vmx_caps vmx_caps = {.apicv = true, .posting = true};
void vcpu_post_by_exit(struct vcpu *v, uint8_t vector) { vcpu_post(v, vector); }
void vcpu_post(struct vcpu *v, uint8_t vector)
{
    (void)v;
    m.posted++;
    m.last_vector = vector;
}
void vcpu_eoi_exit(struct vcpu *v, uint8_t vector, bool on) { (void)v, (void)vector, (void)on; }
uint64_t vlapic_match(struct vm *vm, uint32_t dest, bool logical)
{
    (void)vm;
    return logical ? dest & 3 : dest < 2 ? BIT(dest) : 0;
}
size_t vm_count(void) { return 1; }
struct vm *vm_get(size_t n)
{
    (void)n;
    return &m.vm;
}
int vm_map(struct vm *vm, gpa_t at, hpa_t to, uint64_t size, unsigned perm, enum ept_type type,
           bool dma)
{
    (void)vm, (void)to, (void)perm;
    assert(type == EPT_UC && dma && m.map_count < ARRAY_COUNT(m.mapped));
    assert(!model_maps_any(at.v, size));
    m.mapped[m.map_count][0] = at.v;
    m.mapped[m.map_count++][1] = size;
    return 0;
}
void vm_unmap(struct vm *vm, gpa_t at, uint64_t size, bool dma)
{
    unsigned kept = 0;
    (void)vm, (void)dma;
    for (unsigned i = 0; i < m.map_count; i++) {
        bool inside = m.mapped[i][0] >= at.v && m.mapped[i][0] + m.mapped[i][1] <= at.v + size;
        if (!inside)
            memcpy(m.mapped[kept++], m.mapped[i], sizeof(m.mapped[i]));
    }
    m.map_count = kept;
}
int bitmaps_ports(struct bitmaps *b, uint16_t first, unsigned count, bool pass)
{
    (void)b;
    memset(m.port_passes + first, pass, count);
    return 0;
}
bool bitmaps_port_passes(const struct bitmaps *b, uint16_t port)
{
    (void)b;
    return m.port_passes[port];
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

static void device_init(void)
{
    static const struct pci_bar bars[PCI_BAR_COUNT] = {
        {PCI_BAR_MEM, false, false, 0xfeb00000, 0x100000},
        {PCI_BAR_MEM, false, false, 0xfea00000, 0x4000},
        {PCI_BAR_MEM, false, false, 0xfe900100, 0x100},
        {PCI_BAR_NONE, false, false, 0, 0},
        {PCI_BAR_IO, false, false, 0xc040, 0x20},
        {PCI_BAR_NONE, false, false, 0, 0},
    };
    m.fn = (struct pci_function){.bdf = BDF(0, 4, 0),
                                 .vendor = 0x1234,
                                 .device = 0x11e8,
                                 .interrupt_pin = 1,
                                 .interrupt_line = 11};
    memcpy(m.fn.bars, bars, sizeof(bars));
    for (unsigned i = 0; i < sizeof(m.config); i++)
        m.config[i] = (uint8_t)(i * 7); /* so that a read of the hardware is recognised */
    m.config[PCI_STATUS] = PCI_STATUS_CAP_LIST;
    m.config[PCI_CAP_POINTER] = AT_PM;
    m.config[PCI_INTERRUPT_LINE] = 11;
    memcpy(m.config + AT_PM, (uint8_t[]){PCI_CAP_ID_PM, AT_VPD}, 2);
    memcpy(m.config + AT_VPD, (uint8_t[]){0x03, AT_MSI}, 2);
    memcpy(m.config + AT_MSI, (uint8_t[]){PCI_CAP_ID_MSI, AT_MSIX, 0x84}, 3);
    memset(m.config + AT_MSI + 3, 0, 11);
    /* 5 entries at 0x1000 of BAR 1, its PBA at 0x1800 */
    static const uint8_t msix[] = {PCI_CAP_ID_MSIX, AT_PCIE, 4, 0, 0x11, 0x10, 0, 0, 1, 0x18, 0, 0};
    memcpy(m.config + AT_MSIX, msix, sizeof(msix));
    memcpy(m.config + AT_PCIE, (uint8_t[]){PCI_CAP_ID_PCIE, 0, 2, 0, 0, 0, 0, 0x10}, 8);
    memset(m.config + AT_PCIE_CONTROL, 0, 4);
}

void model_device(void)
{
    memset(&m, 0, sizeof(m));
    m.vectors_left = MODEL_VECTORS;
    device_init();
}

int model_assign(enum plan plan, enum bar_mapping bar)
{
    pci_caps_read(&m.fn);
    vcpu0.vm = vcpu1.vm = &m.vm;
    m.vm.vcpus[0] = &vcpu0;
    m.vm.vcpus[1] = &vcpu1;
    m.vm.vcpu_count = 2;
    struct device_config *c = &m.vm.config.devices[0];
    *c = (struct device_config){.bdf = m.fn.bdf, .plan = plan, .bar = bar, .rom = c->rom};
    m.vm.config.device_count = 1;
    m.vm.domain = (struct vtd_domain *)&m;
    m.vm.ioapic = vioapic_create(&m.vm);
    m.vm.pci = vpci_create(&m.vm);
    assert(m.vm.ioapic && m.vm.pci);
    return assign_all(&m.vm);
}

void model_init(enum plan plan, enum bar_mapping bar)
{
    model_device();
    int err = model_assign(plan, bar);
    assert(err == 0);
}

void model_end(void)
{
    assign_release_all(&m.vm);
    vpci_destroy(m.vm.pci);
    vioapic_destroy(m.vm.ioapic);
}
