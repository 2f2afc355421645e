/* SPDX-License-Identifier: MIT */
/*
 * The machine around the devices of tests/unit/assign_model.c: what guest/assign/ asks of arch/, of
 * vtd/, of vmx/ and of the VM is answered, and what matters is noted as an event.
 * From: tests/unit/assign_model.c.   To: nothing.
 */
#include "tests/unit/assign_model.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arch/acpi.h"
#include "arch/io.h"
#include "arch/ioapic.h"
#include "arch/log.h"
#include "arch/options.h"
#include "arch/page.h"
#include "arch/paging.h"
#include "arch/panic.h"
#include "arch/trap.h"
#include "arch/terminal.h"
#include "guest/pc/vlapic.h"
#include "pci/pci_private.h"
#include "vmx/caps.h"
#include "vmx/run/post.h"

struct options options = {.post = POST_HW, .ir = true, .vtd = true};
enum log_level log_threshold = LOG_ERROR;

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
void vpower_reset_write(struct vm *vm, uint8_t value)
{
    (void)vm;
    model_note("reset-register %u", value);
}
void panic_hook_add(void (*hook)(void)) { m.panic_hook = hook; }
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
/* The memory BAR of a device, or its ROM, that holds all of this; NULL: none does. */
static const struct pci_bar *bar_of(hpa_t base, uint64_t size)
{
    for (size_t n = 0; n < pci_count(); n++)
        for (unsigned i = 0; i <= PCI_BAR_COUNT; i++) {
            const struct pci_bar *b = i < PCI_BAR_COUNT ? &pci_get(n)->bars[i] : &pci_get(n)->rom;
            if (b->kind == PCI_BAR_MEM && base.v >= b->base && base.v + size <= b->base + b->size)
                return b;
        }
    return NULL;
}
/* Only a BAR is ever mapped for Hamlet, or a part of one. */
void *mmio_map(hpa_t base, uint64_t size)
{
    assert(bar_of(base, size));
    m.mmio_maps++;
    return m.bar_bytes + (base.v & 0xfff);
}
int irq_alloc(irq_handler handler, void *ctx)
{
    unsigned i = 0;
    if (m.vectors_left == 0)
        return -ENOSPC;
    while (m.irqs[i].handler)
        i++;
    m.vectors_left--;
    m.irqs[i].handler = m.handler = handler;
    m.irqs[i].ctx = m.handler_ctx = ctx;
    return MODEL_VECTOR + (int)i;
}
void irq_free(uint8_t vector)
{
    m.irqs[vector - MODEL_VECTOR].handler = NULL;
    model_note("vector-free");
    m.vectors_left++;
}
void *page_alloc(void) { return pages_alloc(1, PAGE_SIZE); }
void page_free(void *page) { pages_free(page, 1); }
const struct ioapic *ioapic_of_gsi(uint32_t gsi)
{
    static const struct ioapic io = {.version = 0x20, .gsi_base = 8, .pin_count = 24};
    return gsi >= 8 && gsi < 32 ? &io : NULL;
}
void ioapic_write_rte(const struct ioapic *io, unsigned pin, uint64_t rte)
{
    (void)io;
    model_note(rte & RTE_MASKED ? "line-masked" : "line-open");
    assert(pin == 3 || pin == 4); /* lines 11 and 12 */
    *(pin == 3 ? &m.rte : &m.other_rte) = rte;
}
struct cpu *cpu_get(unsigned index) { return &m.cpus[index]; }
struct cpu *this_cpu(void) { return &m.cpus[m.here]; }
bool page_is_ram(hpa_t base, uint64_t size)
{
    (void)size;
    return base.v < SIZE_2M;
}
bool page_is_reserved(hpa_t base, uint64_t size)
{
    return m.reserved_at && ranges_overlap(base.v, size, m.reserved_at, PAGE_SIZE);
}
bool acpi_has_port(uint64_t first, uint64_t count) { return (void)first, (void)count, false; }
bool pci_room_behind(const struct pci_function *bridge, const struct pci_bar *bar)
{
    return (void)bridge, (void)bar, true;
}
struct uart_place terminal_serial(void) { return (struct uart_place){.base = 0x3f8}; }
bool terminal_screen_is_in(hpa_t base, uint64_t size)
{
    return m.screen >= base.v && m.screen - base.v < size;
}
void terminal_close_screen(void) { m.screen = 0; }
uint8_t in8(uint16_t port) { return (uint8_t)port; }
uint16_t in16(uint16_t port) { return port; }
uint32_t in32(uint16_t port) { return port; }
void out8(uint16_t port, uint8_t v) { m.last_out[0] = port, m.last_out[1] = v; }
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
        if (is_model(p) && (m.config[PCI_COMMAND] & PCI_COMMAND_MEM)) {                            \
            size_t end = (size_t)((uint8_t *)p + sizeof(v) - m.bar_bytes);                         \
            memcpy(p, &v, sizeof(v));                                                              \
            m.bar_written = MAX(m.bar_written, end);                                               \
        }                                                                                          \
    }
MMIO(8)
MMIO(16)
MMIO(32)
MMIO(64)

/* --- vtd, vmx, vm ----------------------------------------------------------------------------- */

bool vtd_active(void) { return true; }
bool vtd_ir_active(void) { return !m.no_remapping; }
const char *vtd_no_posting(void) { return options.post == POST_SW ? "post=sw" : NULL; }
bool vtd_covers(bdf_t bdf) { return !m.uncovered && pci_find(bdf); }
bool vtd_rmrr(bdf_t bdf, unsigned n, hpa_t *base, uint64_t *size)
{
    *base = hpa(0x7000000);
    *size = PAGE_SIZE;
    return n == 0 && !pci_find(bdf);
}
bool reserved_complete(const struct vm *vm, const struct pci_function *fn)
{
    (void)vm, (void)fn;
    return !m.reserved_missing;
}
bool reserved_overlaps(const struct vm *vm, uint64_t at, uint64_t size)
{
    (void)vm;
    return ranges_overlap(at, size, MODEL_RESERVED, PAGE_SIZE);
}
void vtd_prepare(bdf_t source_id) { (void)source_id; }
/* A source-id is attached and detached while its function has an owner. */
static void note_source(const char *what, bdf_t source_id)
{
    const struct pci_function *fn = pci_find(source_id);
    assert(!fn || fn->owner || pci_is_bridge(fn));
    model_note("%s " BDF_FMT, what, BDF_ARG(source_id));
}
int vtd_attach(struct vtd_domain *d, bdf_t source_id)
{
    (void)d;
    if (m.attaches_left-- == 0)
        return -ENOMEM;
    note_source("attach", source_id);
    return 0;
}
void vtd_detach(bdf_t source_id) { note_source("detach", source_id); }
unsigned vtd_domain_id(const struct vtd_domain *d)
{
    (void)d;
    return 1;
}
int vtd_irte_alloc(bdf_t source_id, unsigned count)
{
    if (m.irtes_left-- == 0)
        return -ENOSPC;
    model_note("irte " BDF_FMT, BDF_ARG(source_id));
    m.irte_next += count;
    return (int)(m.irte_next - count);
}
void vtd_irte_free(unsigned index, unsigned count)
{
    (void)index;
    model_note("irte-free");
    m.irte_free += count;
}
void vtd_irte_remap(unsigned index, uint32_t apic_id, uint8_t vector, bool level)
{
    m.remapped_to = apic_id;
    m.last_remapped = index;
    model_note("remap%s 0x%x", level ? "-level" : "", vector);
}
void vtd_irte_post(unsigned index, const struct pi_desc *pid, uint8_t vector, bool urgent)
{
    assert(!urgent && pid == (const void *)m.vm.vcpus[pid == (const void *)m.vm.vcpus[1]]);
    m.last_posted = index;
    model_note("post %u 0x%x", pid == (const void *)m.vm.vcpus[1], vector);
}
bool vtd_ioapic_source(uint8_t id, bdf_t *source_id)
{
    *source_id = 0xff00;
    return id == 0;
}
uint64_t vtd_ioapic_rte(unsigned index, uint8_t vector, bool level, bool active_low)
{
    return vector | (active_low ? RTE_ACTIVE_LOW : 0) | (level ? RTE_LEVEL : 0) |
           (uint64_t)index << 49;
}
void vtd_irte_block(unsigned index)
{
    m.last_blocked = index;
    m.blocked++;
}
void vtd_irte_hold(unsigned index)
{
    m.last_held = index;
    m.held++;
}
const struct vcpu *vcpu_interrupted(void) { return m.interrupted; }
struct u128 vtd_irte_read(unsigned index)
{
    (void)index;
    return (struct u128){0, 0};
}
uint64_t vtd_msi_address(unsigned index, bool subhandle)
{
    return 0xfee00010 | index << 5 | (subhandle ? 8 : 0);
}
void vtd_fault_handler_set(void (*handler)(const struct vtd_fault *)) { m.fault_handler = handler; }
void vtd_fault_poll(void)
{
    model_note("poll");
    const struct vtd_fault *f = m.recorded;
    m.recorded = NULL;
    if (f)
        m.fault_handler(f);
}
void vtd_fault_silence(const struct vtd_fault *f) { m.silenced = f->source_id; }
void vtd_fault_listen(bdf_t source_id) { m.silenced = m.silenced == source_id ? 0 : m.silenced; }
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
uint64_t time_tsc_khz(void) { return m.tsc_khz; }
const char *vtd_reason_name(uint8_t reason)
{
    (void)reason;
    return "";
}
const struct pi_desc *vcpu_descriptor(const struct vcpu *v)
{
    return (const void *)v; /* names it, and is never read */
}
struct vmx_caps vmx_caps = {.apicv = true, .posting = true};
void vcpu_post_by_exit(struct vcpu *v, uint8_t vector)
{
    m.posted_by_exit++;
    vcpu_post(v, vector);
}
void vcpu_post(struct vcpu *v, uint8_t vector)
{
    m.posted++;
    m.posted_to |= v == m.vm.vcpus[0] ? 1 : 2;
    m.last_vector = vector;
}
void vcpu_eoi_exit(struct vcpu *v, uint8_t vector, bool on) { (void)v, (void)vector, (void)on; }
uint64_t vlapic_match(struct vm *vm, uint32_t dest, bool logical)
{
    (void)vm;
    if (logical && m.addresses_swapped)
        return (dest & 1) << 1 | (dest >> 1 & 1);
    return logical ? dest & 3 : dest < 2 ? BIT(dest) : 0;
}
uint64_t vlapic_takers(const struct vm *vm, uint64_t set) { return (void)vm, set; }
struct vm *vm_next(const struct vm *before)
{
    return !before ? &m.vm : before == &m.vm ? &m.other_vm : NULL;
}
size_t vm_count(void) { return 2; }
struct vm *vm_get(size_t n) { return n ? &m.other_vm : &m.vm; }
int vm_map(struct vm *vm, gpa_t at, hpa_t to, uint64_t size, unsigned perm, enum ept_type type,
           bool dma)
{
    const struct pci_bar *b = bar_of(to, size);
    assert(b && b->size > at.v % b->size && at.v % b->size == to.v - b->base); /* same offset */
    if (m.maps_left-- == 0)
        return -ENOMEM;
    (void)vm;
    assert(perm == EPT_PERM_READ || perm == (EPT_PERM_READ | EPT_PERM_WRITE));
    assert(type == EPT_UC && dma && m.map_count < ARRAY_COUNT(m.mapped));
    assert(!model_maps_any(at.v, size));
    model_note(perm & EPT_PERM_WRITE ? "map" : "map-read-only");
    m.mapped[m.map_count][0] = at.v;
    m.mapped[m.map_count++][1] = size;
    return 0;
}
void vm_unmap(struct vm *vm, gpa_t at, uint64_t size, bool dma)
{
    unsigned kept = 0;
    (void)vm;
    assert(dma); /* as it was mapped */
    model_note("unmap");
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
    if (m.ports_refused)
        return -ENOMEM;
    memset(m.port_passes + first, pass, count);
    m.ports_first = m.ports_end ? MIN(m.ports_first, (size_t)first) : first;
    m.ports_end = MAX(m.ports_end, (size_t)first + count);
    return 0;
}
bool bitmaps_port_passes(const struct bitmaps *b, uint16_t port)
{
    (void)b;
    return m.port_passes[port];
}
