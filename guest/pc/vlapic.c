/* SPDX-License-Identifier: MIT */
/*
 * The registers of the local APIC, as a table: the bits that a guest may write, in each mode, and
 * the other effects of a write. With APIC virtualization most accesses do not exit; the same rules
 * hold for the others.
 * From: guest/core/bus.c (through read and write), vmx/exit/msr.c (x2APIC mode),
 * vmx/exit/intr.c (apic_on_write: the CPU has stored the value already).
 * To: guest/pc/vlapic_irq.c, vlapic_timer.c.
 * Spec: SDM "Local APIC Register Address Map", "x2APIC Register Address Space", "APIC State After a
 * Software (INIT) Reset or Complete Hardware Reset" and "x2APIC State Transitions".
 */
#include "guest/pc/vlapic.h"
#include "arch/apic.h"
#include "arch/page.h"
#include "guest/core/bus.h"
#include "guest/pc/pc.h"
#include "lib/string.h"
#include "vmx/caps.h"
#include "vmx/run/post.h"
#include "vmx/upcalls.h"
#define LOG "vm"
#include "arch/log.h"

#define VERSION_VALUE 0x00050014 /* integrated; six LVT entries */
#define LVT_PIN       (APIC_LVT_ACTIVE_LOW | APIC_LVT_LEVEL)
#define ICR_WRITABLE  (BITS(11, 0) | BITS(15, 14) | BITS(19, 18))
#define ICR_HIGH_X2   (APIC_ICR + 4) /* x2APIC mode: the upper half of one 64-bit register */

enum { R = 1, W = 2, RW = R | W }; /* 0: the register is not there */

/* By offset: registers are 16 bytes apart. */
static const struct apic_row {
    uint16_t offset;
    uint8_t xapic, x2apic; /* R, W: the accesses of that mode */
    uint32_t writable;
} rows[0x400 / 16] = {
#define ROW(reg, ...) [(reg) / 16] = {reg, __VA_ARGS__}
    ROW(APIC_ID, R, R, 0),
    ROW(APIC_VERSION, R, R, 0),
    ROW(APIC_TPR, RW, RW, BITS(7, 0)),
    ROW(APIC_PPR, R, R, 0),
    ROW(APIC_EOI, W, W, 0),
    ROW(APIC_LDR, RW, R, XAPIC_ID),
    ROW(APIC_DFR, RW, 0, DFR_MODEL),
    ROW(APIC_SVR, RW, RW, BITS(8, 0)),
    ROW(APIC_ESR, RW, RW, 0),
    ROW(APIC_ICR, RW, RW, ICR_WRITABLE),
    ROW(APIC_ICR_HIGH, RW, 0, XAPIC_ID),
    ROW(APIC_LVT_TIMER, RW, RW, APIC_LVT_VECTOR | APIC_LVT_MASKED | APIC_LVT_TIMER_MODE),
    ROW(APIC_LVT_THERMAL, RW, RW, APIC_LVT_VECTOR | APIC_LVT_DELIVERY | APIC_LVT_MASKED),
    ROW(APIC_LVT_PMC, RW, RW, APIC_LVT_VECTOR | APIC_LVT_DELIVERY | APIC_LVT_MASKED),
    ROW(APIC_LVT_LINT0, RW, RW, APIC_LVT_VECTOR | APIC_LVT_DELIVERY | LVT_PIN | APIC_LVT_MASKED),
    ROW(APIC_LVT_LINT1, RW, RW, APIC_LVT_VECTOR | APIC_LVT_DELIVERY | LVT_PIN | APIC_LVT_MASKED),
    ROW(APIC_LVT_ERROR, RW, RW, APIC_LVT_VECTOR | APIC_LVT_MASKED),
    ROW(APIC_TIMER_INITIAL, RW, RW, BITS(31, 0)),
    ROW(APIC_TIMER_CURRENT, R, R, 0),
    ROW(APIC_TIMER_DIVIDE, RW, RW, BIT(3) | BITS(1, 0)),
    ROW(APIC_SELF_IPI, 0, W, BITS(7, 0)),
#undef ROW
};

static const struct apic_row *row_of(unsigned offset)
{
    static const struct apic_row bits = {0, R, R, 0};
    if (offset >= APIC_ISR && offset < APIC_ESR && offset % 16 == 0)
        return &bits; /* ISR, TMR, IRR: eight words each */
    if (offset % 16 || offset / 16 >= ARRAY_COUNT(rows) || !rows[offset / 16].offset)
        return NULL;
    return &rows[offset / 16];
}

static bool is_xapic(const struct vcpu *v)
{
    return (v->apic_base & APIC_BASE_EN) && !vlapic_is_x2apic(v);
}

/* --- One register ----------------------------------------------------------------------------- */

static uint32_t read_register(const struct vcpu *v, unsigned offset)
{
    if (offset == APIC_TIMER_CURRENT)
        return vlapic_timer_current(v);
    if (offset >= APIC_IRR && offset < APIC_ESR && !vmx_caps.apicv)
        return vlapic_irr(v, (offset - APIC_IRR) / 16);
    return vlapic_get(v, offset);
}

/* Set the mask bit of every LVT entry. A disabled APIC keeps all of them masked. */
static void mask_lvt(struct vcpu *v)
{
    for (unsigned lvt = APIC_LVT_TIMER; lvt <= APIC_LVT_ERROR; lvt += 16)
        vlapic_set(v, lvt, vlapic_get(v, lvt) | (uint32_t)APIC_LVT_MASKED);
}

/* Behind each change of SVR or of IA32_APIC_BASE. */
static void update_takes(struct vcpu *v) { vcpu_takes_ipis(v, vlapic_takes(v)); }

/* SVR can disable the APIC. All LVT entries are masked then, and the guest cannot unmask them. EOI
 * and SELF IPI are commands: their values are not stored. */
static void write_register(struct vcpu *v, const struct apic_row *row, uint32_t value)
{
    unsigned offset = row->offset;
    bool is_lvt = offset >= APIC_LVT_TIMER && offset <= APIC_LVT_ERROR;
    value &= row->writable;
    if (is_lvt && !(vlapic_get(v, APIC_SVR) & APIC_SVR_ENABLE))
        value |= (uint32_t)APIC_LVT_MASKED;
    if (offset == APIC_DFR)
        value |= (uint32_t)~DFR_MODEL;
    if (offset != APIC_EOI && offset != APIC_SELF_IPI)
        vlapic_set(v, offset, value);
    switch (offset) {
    case APIC_TPR:
        if (!vmx_caps.apicv)
            vlapic_set(v, APIC_PPR, vlapic_ppr(v));
        break;
    case APIC_EOI:
        vlapic_eoi(v);
        break;
    case APIC_ICR:
        vlapic_send(v, value,
                    vlapic_is_x2apic(v)
                        ? vlapic_get(v, ICR_HIGH_X2)
                        : (uint32_t)FIELD_GET(XAPIC_ID, vlapic_get(v, APIC_ICR_HIGH)));
        break;
    case APIC_SELF_IPI:
        vlapic_deliver(v, (uint8_t)value);
        break;
    case APIC_SVR:
        if (!(value & APIC_SVR_ENABLE))
            mask_lvt(v);
        update_takes(v);
        break;
    case APIC_LDR:
    case APIC_DFR:
        vcpu_address_changed(v);
        break;
    case APIC_ESR:
        vlapic_write_esr(v);
        break;
    case APIC_LVT_TIMER:
        vlapic_timer_lvt(v);
        break;
    case APIC_TIMER_DIVIDE:
        vlapic_timer_divide(v);
        break;
    case APIC_TIMER_INITIAL:
        vlapic_timer_start(v);
        break;
    }
}

/* --- xAPIC mode: memory ----------------------------------------------------------------------- */

/* Registers are 32 bits wide, on 16-byte borders; the manual leaves all other accesses undefined.
 * Here a read inside of a register gives its bytes, and other reads give 0. */
static uint64_t xapic_read(struct vcpu *v, void *owner, uint64_t offset, unsigned width)
{
    unsigned reg = (unsigned)ALIGN_DOWN(offset, 16), byte = (unsigned)offset - reg;
    const struct apic_row *row = row_of(reg);
    (void)owner;
    if (!is_xapic(v))
        return UINT64_MAX; /* no APIC at this address */
    if (row && (row->xapic & R) && byte + width <= 4)
        return read_register(v, reg) >> (8 * byte);
    return 0;
}

static void xapic_write(struct vcpu *v, void *owner, uint64_t offset, unsigned width,
                        uint64_t value)
{
    const struct apic_row *row = row_of((unsigned)offset);
    (void)owner;
    if (is_xapic(v) && row && (row->xapic & W) && width == 4)
        write_register(v, row, (uint32_t)value);
}

/* The CPU has stored the value in the page already, of ICR in x2APIC mode all 64 bits. Here the
 * read-only bits are restored, and the other effects of the write follow. */
void apic_on_write(struct vcpu *v, uint32_t offset)
{
    const struct apic_row *row = row_of(offset);
    if (offset == APIC_ID)
        vlapic_set(v, offset, (uint32_t)FIELD_SET(XAPIC_ID, v->index));
    else if (row && ((vlapic_is_x2apic(v) ? row->x2apic : row->xapic) & W))
        write_register(v, row, vlapic_get(v, offset));
}

/* --- x2APIC mode and IA32_APIC_BASE: MSRs ----------------------------------------------------- */

/* SDM "Determining IPI Destination": the hardware sets LDR in x2APIC mode, from the APIC id. */
static uint32_t x2apic_ldr(const struct vcpu *v)
{
    return (uint32_t)(FIELD_SET(X2APIC_CLUSTER, v->index / 16) | BIT(v->index % 16));
}

/* All registers but IA32_APIC_BASE, whose mode decides their reset values. */
static void reset_registers(struct vcpu *v)
{
    bool x2apic = vlapic_is_x2apic(v);
    memset(v->vapic, 0, PAGE_SIZE);
    vlapic_set(v, APIC_ID, x2apic ? v->index : (uint32_t)FIELD_SET(XAPIC_ID, v->index));
    vlapic_set(v, APIC_VERSION, VERSION_VALUE);
    if (x2apic)
        vlapic_set(v, APIC_LDR, x2apic_ldr(v));
    else
        vlapic_set(v, APIC_DFR, UINT32_MAX);
    vlapic_set(v, APIC_SVR, 0xff);
    mask_lvt(v);
    memset(v->irr, 0, sizeof(v->irr));
    v->irq_waits = 0;
    v->in_service = 0;
    vlapic_of(v)->errors = 0;
    vlapic_timer_reset(v);
    vcpu_address_changed(v);
    update_takes(v);
}

/* -ENOENT, for #GP: a transition that the manual forbids, or an address other than VM_APIC_BASE. */
static int write_base(struct vcpu *v, uint64_t value)
{
    uint64_t mode = APIC_BASE_EN | APIC_BASE_EXTD, from = v->apic_base & mode, to = value & mode;
    bool leaves_x2apic = from == mode && to == APIC_BASE_EN;
    if ((value & ~(mode | APIC_BASE_BSP | APIC_BASE_ADDR)) ||
        (value & APIC_BASE_ADDR) != VM_APIC_BASE || to == APIC_BASE_EXTD || leaves_x2apic ||
        (from == 0 && to == mode))
        return -ENOENT;
    if (from == to)
        return 0;
    v->apic_base = (v->apic_base & ~mode) | to;
    if (to == mode) { /* from xAPIC mode: all other registers keep their values */
        vlapic_set(v, APIC_ID, v->index);
        vlapic_set(v, APIC_LDR, x2apic_ldr(v));
        vlapic_set(v, ICR_HIGH_X2, 0);
        vlapic_set(v, APIC_ICR_HIGH, 0);
        vcpu_address_changed(v);
    } else {
        reset_registers(v);
    }
    vcpu_apic_mode_changed(v);
    return 0;
}

static const struct apic_row *row_of_msr(const struct vcpu *v, uint32_t msr)
{
    if (msr < MSR_X2APIC_FIRST || msr > MSR_X2APIC_LAST || !vlapic_is_x2apic(v))
        return NULL;
    return row_of((msr - MSR_X2APIC_FIRST) * 16);
}

int vcpu_on_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    if (msr == MSR_IA32_APIC_BASE || msr == MSR_IA32_TSC_DEADLINE) {
        *value = msr == MSR_IA32_APIC_BASE ? v->apic_base : vlapic_deadline(v);
        return 0;
    }
    const struct apic_row *row = row_of_msr(v, msr);
    if (!row || !(row->x2apic & R))
        return -ENOENT;
    *value = read_register(v, (msr - MSR_X2APIC_FIRST) * 16);
    if (row->offset == APIC_ICR)
        *value |= (uint64_t)vlapic_get(v, ICR_HIGH_X2) << 32;
    return 0;
}

int vcpu_on_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (msr == MSR_IA32_APIC_BASE)
        return write_base(v, value);
    if (msr == MSR_X2APIC_FIRST + APIC_EOI / 16 && !value &&
        vlapic_is_x2apic(v)) { /* by far the most */
        vlapic_eoi(v);
        return 0;
    }
    const struct apic_row *row = row_of_msr(v, msr);
    if (!row || !(row->x2apic & W))
        return -ENOENT;
    uint64_t allowed = row->writable | (row->offset == APIC_ICR ? BITS(63, 32) | BIT(12) : 0);
    if (value & ~allowed)
        return -ENOENT; /* SDM: #GP for reserved bits, and for an EOI or ESR other than 0 */
    if (row->offset == APIC_ICR)
        vlapic_set(v, ICR_HIGH_X2, HI32(value));
    write_register(v, row, (uint32_t)value);
    return 0;
}

/* --- Life ------------------------------------------------------------------------------------- */

void vlapic_virtual_wire(struct vcpu *v)
{
    vlapic_set(v, APIC_SVR, (uint32_t)APIC_SVR_ENABLE | 0xff);
    vlapic_set(v, APIC_LVT_LINT0, (uint32_t)FIELD_SET(APIC_LVT_DELIVERY, APIC_DELIVERY_EXTINT));
    vlapic_set(v, APIC_LVT_LINT1, (uint32_t)FIELD_SET(APIC_LVT_DELIVERY, APIC_DELIVERY_NMI));
    update_takes(v);
}

void apic_on_init(struct vcpu *v) { reset_registers(v); }

void vlapic_reset(struct vm *vm)
{
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        struct vcpu *v = vm->vcpus[i];
        v->apic_base = VM_APIC_BASE | APIC_BASE_EN | (i == 0 ? APIC_BASE_BSP : 0);
        reset_registers(v);
        vcpu_apic_mode_changed(v);
    }
}

int vlapic_create(struct vm *vm)
{
    static_assert(sizeof(struct vlapic) * VM_VCPU_MAX <= PAGE_SIZE, "one page for all");
    struct vlapic *apics = page_alloc();
    if (!apics)
        return FAIL(ENOMEM, "vm=%s: no memory for its local APICs", vm->name);
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        apics[i].v = vm->vcpus[i];
        vm->apics[i] = &apics[i];
    }
    vlapic_reset(vm);
    return vm_bus_add(&vm->mmio, VM_TRAPPED(VM_APIC_BASE, PAGE_SIZE, "local-apic", xapic_read,
                                            xapic_write, NULL));
}

void vlapic_destroy(struct vm *vm)
{
    if (!vm->apics[0])
        return;
    vm_bus_remove(&vm->mmio, VM_APIC_BASE);
    page_free(vm->apics[0]);
    memset(vm->apics, 0, sizeof(vm->apics));
}
