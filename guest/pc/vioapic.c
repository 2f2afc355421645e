/* SPDX-License-Identifier: MIT */
/*
 * The VM's I/O APIC.
 * From: guest/core/bus.c (through read and write), guest/assign/intx.c and
 * guest/pc/vuart.c (vioapic_line), guest/pc/vlapic_irq.c (vioapic_eoi).
 * To: guest/pc/vlapic_dest.c (vlapic_match), vmx/run/post.c (vcpu_post).
 * Spec: Intel 82093AA "IOREDTBL[23:0] - I/O Redirection Table Registers".
 */
#include "guest/pc/vioapic.h"
#include "arch/apic.h"
#include "arch/ioapic.h"
#include "arch/page.h"
#include "arch/spinlock.h"
#include "guest/core/bus.h"
#include "guest/core/vm.h"
#include "guest/pc/vlapic.h"
#include "vmx/run/post.h"

/* Registers in the page, and behind the index. */
#define REG_INDEX      0x00
#define REG_DATA       0x10
#define REG_EOI        0x40
#define ISA_PINS       16
#define INDEX_ID       0
#define INDEX_VERSION  1
#define INDEX_PRIORITY 2    /* of arbitration: a copy of the id */
#define INDEX_TABLE    0x10 /* two per pin, low first */
#define VERSION        (0x20 | (VIOAPIC_PINS - 1) << 16)
#define ID_WRITABLE    BITS(27, 24)

#define RTE_WRITABLE                                                                               \
    (RTE_DEST | RTE_MASKED | RTE_LEVEL | RTE_ACTIVE_LOW | RTE_LOGICAL | RTE_DELIVERY | RTE_VECTOR)

struct pin {
    uint64_t rte;
    bool asserted;
    void (*ended)(void *ctx); /* called at each EOI of its level interrupt; or NULL */
    void *ctx;
};

/* Lock order: vm->lock, ending, locks of the owners of lines (guest/assign/intx.c), lock. */
struct vioapic {
    struct vm *vm;
    struct spinlock lock;   /* vCPUs on several CPUs, and the handlers of physical interrupts */
    struct spinlock ending; /* held while `ended` of a pin runs, so that no CPU replaces it */
    uint32_t index, id;
    struct pin pins[VIOAPIC_PINS];
};

/* Send the interrupt of the entry, if a vCPU takes it. A level interrupt then sets remote IRR, and
 * the pin sends no other until the EOI. Requires the lock. */
static void deliver(struct vioapic *io, struct pin *p)
{
    uint8_t vector = (uint8_t)FIELD_GET(RTE_VECTOR, p->rte);
    uint64_t delivery = FIELD_GET(RTE_DELIVERY, p->rte);
    uint64_t set =
        vlapic_match(io->vm, (uint32_t)FIELD_GET(RTE_DEST, p->rte), p->rte & RTE_LOGICAL);
    bool level = p->rte & RTE_LEVEL;
    set = vlapic_takers(io->vm, set);
    if (vector < VECTOR_FIRST_LEGAL ||
        (delivery != APIC_DELIVERY_FIXED && delivery != APIC_DELIVERY_LOWEST))
        return;
    if (delivery == APIC_DELIVERY_LOWEST)
        set &= -set; /* lowest priority: any one of the vCPUs */
    if (level && set)
        p->rte |= RTE_REMOTE_IRR;
    for (; set; set &= set - 1) {
        struct vcpu *v = io->vm->vcpus[__builtin_ctzll(set)];
        vcpu_eoi_exit(v, vector, level);
        vcpu_post(v, vector);
    }
}

/* An asserted level pin that is neither masked nor in service. */
static bool wants_service(const struct pin *p)
{
    return p->asserted && (p->rte & RTE_LEVEL) && !(p->rte & (RTE_MASKED | RTE_REMOTE_IRR));
}

void vioapic_line(struct vioapic *io, unsigned pin, bool asserted)
{
    struct pin *p = &io->pins[pin];
    spin_lock(&io->lock);
    bool rising = asserted && !p->asserted;
    p->asserted = asserted;
    if (wants_service(p) || (rising && !(p->rte & (RTE_LEVEL | RTE_MASKED))))
        deliver(io, p);
    spin_unlock(&io->lock);
    if (pin < ISA_PINS && io->vm->wires.line)
        io->vm->wires.line(io->vm, pin, asserted);
}

/* The owner of the line may lower it in `ended`. So `ended` runs first and without the lock; then a
 * line that is still asserted interrupts again. */
void vioapic_eoi(struct vioapic *io, uint8_t vector)
{
    for (struct pin *p = io->pins; p < io->pins + VIOAPIC_PINS; p++) {
        spin_lock(&io->lock);
        bool ours = (p->rte & RTE_REMOTE_IRR) && FIELD_GET(RTE_VECTOR, p->rte) == vector;
        if (ours)
            p->rte &= ~RTE_REMOTE_IRR;
        spin_unlock(&io->lock);
        if (!ours)
            continue;
        spin_lock(&io->ending);
        if (p->ended)
            p->ended(p->ctx);
        spin_unlock(&io->ending);
        spin_lock(&io->lock);
        if (wants_service(p))
            deliver(io, p);
        spin_unlock(&io->lock);
    }
}

void vioapic_on_eoi(struct vioapic *io, unsigned pin, void (*ended)(void *ctx), void *ctx)
{
    spin_lock(&io->ending);
    io->pins[pin].ended = ended;
    io->pins[pin].ctx = ctx;
    spin_unlock(&io->ending);
}

/* --- Registers -------------------------------------------------------------------------------- */

/* The pin whose entry the index selects, or NULL; *high: the entry's upper half. */
static struct pin *pin_of_index(struct vioapic *io, bool *high)
{
    uint32_t n = io->index - INDEX_TABLE;
    *high = n & 1;
    return io->index >= INDEX_TABLE && n / 2 < VIOAPIC_PINS ? &io->pins[n / 2] : NULL;
}

static uint32_t data_read(struct vioapic *io)
{
    bool high;
    const struct pin *p = pin_of_index(io, &high);
    if (p)
        return high ? HI32(p->rte) : LO32(p->rte);
    bool has_id = io->index == INDEX_ID || io->index == INDEX_PRIORITY;
    return has_id ? io->id : io->index == INDEX_VERSION ? VERSION : 0;
}

static void data_write(struct vioapic *io, uint32_t value)
{
    bool high;
    struct pin *p = pin_of_index(io, &high);
    uint64_t half = high ? BITS(63, 32) : BITS(31, 0);
    uint64_t writable = RTE_WRITABLE & half;
    if (io->index == INDEX_ID)
        io->id = value & (uint32_t)ID_WRITABLE;
    if (!p)
        return;
    p->rte = (p->rte & ~writable) | (FIELD_SET(half, value) & writable);
    if (!(p->rte & RTE_LEVEL)) /* as in the chip: an edge entry has no remote IRR */
        p->rte &= ~RTE_REMOTE_IRR;
    if (wants_service(p))
        deliver(io, p);
}

static uint64_t page_read(struct vcpu *v, void *owner, uint64_t offset, unsigned width)
{
    struct vioapic *io = owner;
    (void)v, (void)width;
    spin_lock(&io->lock);
    uint64_t value = offset == REG_INDEX ? io->index : offset == REG_DATA ? data_read(io) : 0;
    spin_unlock(&io->lock);
    return value;
}

static void page_write(struct vcpu *v, void *owner, uint64_t offset, unsigned width, uint64_t value)
{
    struct vioapic *io = owner;
    (void)v;
    if (offset == REG_EOI) {
        vioapic_eoi(io, (uint8_t)value);
        return;
    }
    spin_lock(&io->lock);
    if (offset == REG_INDEX)
        io->index = (uint8_t)value;
    else if (offset == REG_DATA && width == 4) /* the manual knows no narrower access */
        data_write(io, (uint32_t)value);
    spin_unlock(&io->lock);
}

void vioapic_reset(struct vm *vm)
{
    struct vioapic *io = vm->ioapic;
    spin_lock(&io->lock);
    io->index = io->id = 0;
    for (unsigned i = 0; i < VIOAPIC_PINS; i++)
        io->pins[i].rte = RTE_MASKED;
    spin_unlock(&io->lock);
}

struct vioapic *vioapic_create(struct vm *vm)
{
    struct vioapic *io = page_alloc();
    static_assert(sizeof(*io) <= PAGE_SIZE, "one page is enough for it");
    if (!io)
        return NULL;
    io->vm = vm;
    io->lock.name = "io->lock";
    io->ending.name = "io->ending";
    if (vm_bus_add(&vm->mmio,
                   VM_TRAPPED(VM_IOAPIC_BASE, PAGE_SIZE, "ioapic", page_read, page_write, io))) {
        page_free(io);
        return NULL;
    }
    return io;
}

void vioapic_destroy(struct vioapic *io)
{
    vm_bus_remove(&io->vm->mmio, VM_IOAPIC_BASE);
    page_free(io);
}

uint64_t vioapic_rte(const struct vioapic *io, unsigned pin, bool *asserted)
{
    *asserted = io->pins[pin].asserted;
    return io->pins[pin].rte;
}
