/* SPDX-License-Identifier: MIT */
/*
 * Two local APICs and the I/O APIC of a VM under any sequence of register accesses, by memory and
 * by MSR, with lines that rise and fall, time that passes and interrupts that are taken. After each
 * step: registers hold what their modes allow; no vector below 16 is anywhere; a masked pin, an
 * APIC that is off and a masked timer deliver nothing; remote IRR stands at level pins only.
 * Input: a byte of options, then steps.
 * From: make fuzz.   To: guest/pc/vlapic.c, guest/pc/vlapic_irq.c, guest/pc/vioapic.c.
 * Spec: SDM "Advanced Programmable Interrupt Controller (APIC)"; Intel 82093AA.
 */
// sources: guest/pc/vlapic.c guest/pc/vlapic_irq.c guest/pc/vlapic_dest.c guest/pc/vioapic.c
// sources: guest/core/bus.c
// compares: no
// length: 800
#include "tests/fuzz/fuzz.h"
#include "arch/x86.h"
static uint64_t tsc; /* the TSC, which the input moves */
#include "guest/pc/vlapic_timer.c"
#include "arch/ioapic.h"
#include "arch/page.h"
#include "guest/pc/pc.h"
#include "guest/pc/vioapic.h"
#include "vmx/caps.h"
#include "vmx/run/post.h"

#define VCPUS 2

struct step {
    uint8_t kind, more;
    uint16_t at;
    uint32_t value;
};
FUZZ_RECORDS(1, sizeof(struct step))

struct vmx_caps vmx_caps;
static struct vm vm;
static struct vcpu vcpus[VCPUS];
static uint32_t pages[VCPUS][PAGE_SIZE / 4] __attribute__((aligned(4096)));
static unsigned posted; /* so far in this step */
static bool by_pins;    /* of this step an interrupt can only come from the I/O APIC */

/* --- What the APICs ask of vmx/ --------------------------------------------------------------- */

static bool accepts(const struct vcpu *v)
{
    return (v->apic_base & APIC_BASE_EN) && (vlapic_get(v, APIC_SVR) & APIC_SVR_ENABLE);
}

/* A pin that may deliver this vector to v just now. */
static bool comes_from_a_pin(const struct vcpu *v, uint8_t vector)
{
    bool asserted;
    for (unsigned pin = 0; pin < VIOAPIC_PINS; pin++) {
        uint64_t rte = vioapic_rte(vm.ioapic, pin, &asserted);
        uint64_t set = vlapic_match(&vm, (uint32_t)FIELD_GET(RTE_DEST, rte), rte & RTE_LOGICAL);
        if (asserted && !(rte & RTE_MASKED) && FIELD_GET(RTE_VECTOR, rte) == vector &&
            (set & BIT(v->index)) && !(rte & RTE_LEVEL) == !(rte & RTE_REMOTE_IRR))
            return true;
    }
    return false;
}

uint64_t vm_now(const struct vm *m) { return (void)m, tsc; }
void vcpu_post(struct vcpu *v, uint8_t vector)
{
    must(vector >= VECTOR_FIRST_LEGAL);
    must(accepts(v));
    must(!by_pins || comes_from_a_pin(v, vector));
    v->irr[vector / 64] |= BIT(vector % 64);
    v->irq_waits |= (uint8_t)BIT(vector / 64);
    posted++;
}
void vcpu_eoi_exit(struct vcpu *v, uint8_t vector, bool on)
{
    if (on)
        v->eoi_exit[vector / 64] |= BIT(vector % 64);
    else
        v->eoi_exit[vector / 64] &= ~BIT(vector % 64);
}
static void no_pin_does_that(struct vcpu *v) { must(!by_pins && v->vm == &vm); }
void vcpu_nmi(struct vcpu *v) { no_pin_does_that(v); }
void vcpu_init_signal(struct vcpu *v) { no_pin_does_that(v); }
int vm_reset(struct vm *m) { return no_pin_does_that(m->vcpus[0]), 0; }
void vcpu_sipi(struct vcpu *v, uint8_t vector) { (void)vector, no_pin_does_that(v); }
void vcpu_apic_mode_changed(struct vcpu *v) { must(v->vm == &vm); }
void vcpu_address_changed(struct vcpu *v) { must(v->vm == &vm); }
static uint64_t takers;
void vcpu_set_deadline(struct vcpu *v, uint64_t tsc) { v->timer_deadline = tsc; }
void vcpu_takes_ipis(struct vcpu *v, bool on)
{
    takers = on ? takers | BIT(v->index) : takers & ~BIT(v->index);
}
void sched_wake(struct vcpu *v) { (void)v; }
void *page_alloc(void) { return calloc(1, PAGE_SIZE); }
void page_free(void *page) { free(page); }

/* --- The claims ------------------------------------------------------------------------------- */

static void check_vcpu(const struct vcpu *v)
{
    bool x2apic = vlapic_is_x2apic(v), software_on = vlapic_get(v, APIC_SVR) & APIC_SVR_ENABLE;
    must((v->apic_base & ~(APIC_BASE_EN | APIC_BASE_EXTD)) ==
         (VM_APIC_BASE | (v->index ? 0 : APIC_BASE_BSP)));
    must(!x2apic || (v->apic_base & APIC_BASE_EN));
    must(vlapic_get(v, APIC_ID) == (x2apic ? v->index : v->index << 24));
    must(!(takers & BIT(v->index)) == !accepts(v));
    must((vlapic_get(v, APIC_SVR) & ~0x1ffu) == 0 && (vlapic_get(v, APIC_TPR) & ~0xffu) == 0);
    must((vlapic_get(v, APIC_ICR) & APIC_ICR_PENDING) == 0);
    must(x2apic || (vlapic_get(v, APIC_DFR) & ~DFR_MODEL) == (uint32_t)~DFR_MODEL);
    for (unsigned lvt = APIC_LVT_TIMER; lvt <= APIC_LVT_ERROR; lvt += 16) {
        must((vlapic_get(v, lvt) & ~0x7a7ffu) == 0);
        must(software_on || (vlapic_get(v, lvt) & APIC_LVT_MASKED));
    }
    must(((vlapic_get(v, APIC_ESR) | vlapic_of(v)->errors) & ~0x60u) == 0);
    must((vlapic_get(v, APIC_ISR) & 0xffff) == 0 && (v->irr[0] & 0xffff) == 0);
    for (unsigned i = 0; i < 4; i++)
        must(!v->irr[i] == !(v->irq_waits & BIT(i)));
    for (unsigned class = 0; class < 16; class ++) {
        uint32_t word = vlapic_get(v, APIC_ISR + class / 2 * 16), half = word >> class % 2 * 16;
        must(__builtin_popcount(half & 0xffff) == !!(v->in_service & BIT(class)));
    }
    must(vmx_caps.apicv || vlapic_get(v, APIC_PPR) == vlapic_ppr(v));
    must(v->timer_deadline == vlapic_of(v)->due);
    must(vlapic_timer_current(v) <= vlapic_get(v, APIC_TIMER_INITIAL));
    must(timer_mode(v) == APIC_TIMER_PERIODIC || vlapic_of(v)->period == 0);
}

static void check(void)
{
    bool asserted;
    for (unsigned i = 0; i < VCPUS; i++)
        check_vcpu(&vcpus[i]);
    for (unsigned pin = 0; pin < VIOAPIC_PINS; pin++) {
        uint64_t rte = vioapic_rte(vm.ioapic, pin, &asserted);
        must((rte & ~(RTE_DEST | RTE_MASKED | RTE_LEVEL | RTE_ACTIVE_LOW | RTE_LOGICAL |
                      RTE_DELIVERY | RTE_VECTOR | RTE_REMOTE_IRR)) == 0);
        must(!(rte & RTE_REMOTE_IRR) || (rte & RTE_LEVEL));
    }
}

/* --- The steps -------------------------------------------------------------------------------- */

static void memory(struct vcpu *v, uint64_t at, const struct step *s, bool write)
{
    unsigned width = 1u << (s->more >> 2 & 3);
    uint64_t value = s->value;
    if (write)
        vm_bus_write(v, &vm.mmio, at, width, value & WIDTH_MASK(width));
    else
        vm_bus_read(v, &vm.mmio, at, width, &value);
    must(write || (value & ~WIDTH_MASK(width)) == 0);
}

/* A write to the page that the CPU has carried out already: SDM "Virtualizing Memory-Mapped APIC
 * Accesses". In x2APIC mode only one to ICR exits, of 64 bits: SDM "IPI Virtualization". */
static void written_by_the_cpu(struct vcpu *v, const struct step *s)
{
    static const uint16_t offsets[] = {0x20,  0xb0,  0xd0,  0xe0,  0xf0,  0x280, 0x300, 0x310,
                                       0x320, 0x330, 0x340, 0x350, 0x360, 0x370, 0x380, 0x3e0};
    unsigned offset = offsets[s->at % ARRAY_COUNT(offsets)];
    if (!(v->apic_base & APIC_BASE_EN) || !vmx_caps.apicv)
        return;
    if (vlapic_is_x2apic(v)) {
        vlapic_set(v, APIC_ICR, s->value & ~0xfff32000u); /* a reserved bit would be #GP */
        vlapic_set(v, APIC_ICR + 4, s->more >> 4);
        apic_on_write(v, APIC_ICR);
        return;
    }
    vlapic_set(v, offset, s->value);
    apic_on_write(v, offset);
}

/* What vmx/vcpu/inject.c does without APICv, before an entry. */
static void take(struct vcpu *v)
{
    if (vmx_caps.apicv)
        return;
    uint32_t ppr = vlapic_ppr(v);
    int next = apic_next_irq(v);
    must(next < 256 && (next < 0 || next >= VECTOR_FIRST_LEGAL));
    if (next < 0)
        return;
    must(((unsigned)next & PRIORITY_CLASS) > (ppr & PRIORITY_CLASS));
    apic_on_irq_taken(v, (uint8_t)next);
    unsigned word = (unsigned)next / 32 * 16;
    must(vlapic_get(v, APIC_ISR + word) & BIT(next % 32));
    must(!(v->irr[next / 64] & BIT(next % 64)));
    must((vlapic_ppr(v) & PRIORITY_CLASS) == ((unsigned)next & PRIORITY_CLASS));
}

static void pass_time(uint64_t ticks)
{
    tsc += ticks;
    for (unsigned i = 0; i < VCPUS; i++) {
        struct vcpu *v = &vcpus[i];
        if (!v->timer_deadline || v->timer_deadline > tsc)
            continue;
        bool masked = vlapic_get(v, APIC_LVT_TIMER) & APIC_LVT_MASKED;
        posted = 0;
        apic_on_timer(v);
        must(posted <= !masked);
        must(v->timer_deadline == 0 || v->timer_deadline > tsc);
        must((v->timer_deadline != 0) == (vlapic_of(v)->period != 0));
    }
}

/* A line that rises at a pin that is free to deliver is not lost. */
static void line(const struct step *s)
{
    unsigned pin = s->at % VIOAPIC_PINS;
    bool was, rises = s->value & 1, is_heard = false;
    uint64_t rte = vioapic_rte(vm.ioapic, pin, &was);
    uint64_t set = vlapic_match(&vm, (uint32_t)FIELD_GET(RTE_DEST, rte), rte & RTE_LOGICAL);
    for (unsigned i = 0; i < VCPUS; i++)
        is_heard |= (set & BIT(i)) && accepts(&vcpus[i]);
    vioapic_line(vm.ioapic, pin, rises);
    if (rises && !was && !(rte & (RTE_MASKED | RTE_REMOTE_IRR)) && is_heard &&
        FIELD_GET(RTE_DELIVERY, rte) == APIC_DELIVERY_FIXED &&
        FIELD_GET(RTE_VECTOR, rte) >= VECTOR_FIRST_LEGAL)
        must(posted > 0);
    must(rises || posted == 0);
}

static void io_apic(struct vcpu *v, uint32_t index, uint32_t value)
{
    vm_bus_write(v, &vm.mmio, VM_IOAPIC_BASE, 4, index);
    vm_bus_write(v, &vm.mmio, VM_IOAPIC_BASE + 0x10, 4, value);
}

static void step(const struct step *s)
{
    struct vcpu *v = &vcpus[s->more & 1];
    uint64_t value = (uint64_t)(s->more >> 4) << 32 | s->value;
    uint32_t msr = MSR_X2APIC_FIRST + s->at % 0x41;
    posted = 0;
    by_pins = s->kind % 16 >= 10;
    switch (s->kind % 16) {
    case 0:
        memory(v, VM_APIC_BASE + (s->at & 0x3f) * 16, s, true);
        break;
    case 1:
        memory(v, VM_APIC_BASE + (s->at & 0xfff), s, s->more & 2);
        break;
    case 2: /* the registers that take only few values */
        memory(v, VM_APIC_BASE + (s->at & 1 ? APIC_SVR : APIC_TPR), s, true);
        break;
    case 3:
        (void)!vcpu_on_wrmsr(v, msr, value);
        break;
    case 4:
        (void)!vcpu_on_rdmsr(v, msr, &value);
        break;
    case 5:
        (void)!vcpu_on_wrmsr(
            v, MSR_IA32_APIC_BASE,
            s->at & 8 ? value : v->apic_base ^ (s->value & (APIC_BASE_EN | APIC_BASE_EXTD)));
        break;
    case 6:
        apic_on_deadline(v, s->at & 1 ? value : tsc + s->at);
        break;
    case 7:
        written_by_the_cpu(v, s);
        break;
    case 8:
        pass_time(s->at & 1 ? s->value : s->at);
        break;
    case 9:
        apic_on_init(v);
        break;
    case 10:
    case 11:
        line(s);
        break;
    case 12: /* an entry as a driver writes it; then bytes anywhere in the page */
        io_apic(v, 0x11 + s->at % 50 * 2, (s->value >> 16) << 16);
        io_apic(v, 0x10 + s->at % 50 * 2, s->value & 0x1ffff);
        break;
    case 13:
        memory(v, VM_IOAPIC_BASE + (s->at & 0x7f), s, s->more & 2);
        break;
    case 14: /* an EOI, by its register or by that of the I/O APIC */
        if (s->at & 1)
            vm_bus_write(v, &vm.mmio, VM_IOAPIC_BASE + 0x40, 4, s->value & 0xff);
        else if (vlapic_is_x2apic(v))
            must(vcpu_on_wrmsr(v, MSR_X2APIC_FIRST + APIC_EOI / 16, 0) == 0);
        else
            vm_bus_write(v, &vm.mmio, VM_APIC_BASE + APIC_EOI, 4, 0);
        break;
    default:
        if (s->at == 0)
            vioapic_reset(&vm);
        take(v);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct step s;
    if (size < 1)
        return 0;
    vmx_caps.apicv = data[0] & 1;
    tsc = data[0] & 2 ? UINT64_C(1) << 40 : 1;
    memset(&vm, 0, sizeof(vm));
    vm.vcpu_count = VCPUS;
    for (unsigned i = 0; i < VCPUS; i++) {
        vcpus[i] = (struct vcpu){.vm = &vm, .index = i, .vapic = pages[i]};
        vm.vcpus[i] = &vcpus[i];
    }
    vm.ioapic = vioapic_create(&vm);
    must(vm.ioapic && vlapic_create(&vm) == 0);
    vioapic_reset(&vm);
    check();
    for (unsigned i = 0; i < VCPUS && (data[0] & 4); i++)
        vm_bus_write(&vcpus[i], &vm.mmio, VM_APIC_BASE + APIC_SVR, 4, 0x1ff); /* as systems do */
    for (size_t at = 1; at + sizeof(s) <= size; at += sizeof(s)) {
        memcpy(&s, data + at, sizeof(s));
        step(&s);
        check();
    }
    vlapic_destroy(&vm);
    vioapic_destroy(vm.ioapic);
    must(vm.mmio.count == 0);
    return 0;
}
