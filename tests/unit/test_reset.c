/* SPDX-License-Identifier: MIT */
/*
 * The list of guest/life/reset.c, walked: a guest that writes anything anywhere for a while, and a
 * reset, leave every virtual device as it was at the first start, to the byte.
 * Spec: SDM "IA-32 Processor States Following Power-up, Reset, or INIT".
 */
// sources: guest/life/reset.c guest/core/bus.c guest/pc/vlapic.c guest/pc/vlapic_irq.c
// sources: guest/pc/vlapic_dest.c guest/pc/vuart.c guest/pc/vrtc.c
// sources: guest/pc/legacy/legacy.c guest/pc/legacy/pic.c guest/pc/legacy/keyboard.c
// sources: guest/pc/legacy/screen.c guest/pc/legacy/cmos.c guest/pc/legacy/pm.c
// sources: guest/pc/legacy/absent.c guest/pc/legacy/mptable.c
#include <stdlib.h>
#include <string.h>
#include "arch/x86.h"
static uint64_t tsc;
#include "guest/pc/legacy/pit.c"
#include "guest/pc/vioapic.c"
#include "guest/pc/vlapic_timer.c"
#include "arch/page.h"
#include "guest/assign/dma.h"
#include "guest/assign/vpci.h"
#include "guest/core/memory.h"
#include "guest/life/life.h"
#include "guest/pc/legacy/legacy.h"
#include "guest/pc/pc.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"
#include "vmx/run/post.h"

#define BEGIN  UINT64_C(1000000)
#define WRITES 3000

struct vmx_caps vmx_caps;
struct vm_hooks vm_hooks;
static struct vm vm;
static struct vcpu vcpu;
static unsigned vcpu_resets, pci_resets, dma_resets, clock_resets;

/* --- What the devices ask of others ----------------------------------------------------------- */

uint8_t in8(uint16_t port) { return (void)port, 0; } /* of the machine's clock */
void out8(uint16_t port, uint8_t value) { (void)port, (void)value; }
uint64_t vm_now(const struct vm *m) { return (void)m, tsc; }
void vm_clock_reset(struct vm *m) { clock_resets += m == &vm; }
void vcpu_power_on(struct vcpu *v) { vcpu_resets += v == &vcpu; }
void vpci_reset(struct vm *m) { pci_resets += m == &vm; }
void dma_reset(struct vm *m) { dma_resets += m == &vm; }
struct vcpu *vm_next_vcpu(const struct vm *m, const struct vcpu *before)
{
    assert_ptr_equal(m, &vm);
    return before ? NULL : &vcpu;
}
void *page_alloc(void) { return calloc(1, PAGE_SIZE); }
void page_free(void *page) { free(page); }
void *vm_ram(const struct vm *m, gpa_t at, uint64_t size)
{
    static uint8_t screen[0x8000];
    return (void)m, (void)at, size <= sizeof(screen) ? screen : NULL;
}
uint64_t time_tsc_khz(void) { return 3000000; }
uint64_t time_deadline_us(uint64_t us) { return tsc + us * 3000; }
void vcpu_post(struct vcpu *v, uint8_t vector) { v->irr[vector / 64] |= BIT(vector % 64); }
void vcpu_eoi_exit(struct vcpu *v, uint8_t vector, bool on) { (void)v, (void)vector, (void)on; }
void vcpu_extint(struct vcpu *v, bool asserted) { (void)v, (void)asserted; }
void vcpu_nmi(struct vcpu *v) { (void)v; }
void vcpu_init_signal(struct vcpu *v) { (void)v; }
void vcpu_sipi(struct vcpu *v, uint8_t vector) { (void)v, (void)vector; }
void vcpu_apic_mode_changed(struct vcpu *v) { (void)v; }
void vcpu_address_changed(struct vcpu *v) { (void)v; }
void vcpu_set_deadline(struct vcpu *v, uint64_t tsc) { v->timer_deadline = tsc; }
void vcpu_takes_ipis(struct vcpu *v, bool on) { (void)v, (void)on; }
void sched_wake(struct vcpu *v) { (void)v; }
int vm_reset(struct vm *m) { return (void)m, 0; }
void vm_end(struct vm *m, unsigned status) { (void)m, (void)status; }

/* --- A guest that writes anything ------------------------------------------------------------- */

static uint64_t any(uint64_t below)
{
    static uint64_t x = 88172645463325252;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x % below;
}

static void write_anywhere(void)
{
    struct vm_bus *bus = any(2) ? &vm.pio : &vm.mmio;
    const struct vm_range *r = &bus->ranges[any(bus->count)];
    uint64_t offset = any(r->size), value = any(UINT32_MAX);
    if (bus == &vm.mmio)
        offset = ALIGN_DOWN(offset % 0x400, 16);
    else if (r->base == 0x70)
        offset = 0; /* behind the index is the machine's clock, or memory that has a battery */
    vm_bus_write(&vcpu, bus, r->base + offset, bus == &vm.mmio ? 4 : 1, value);
    if (bus == &vm.pio && r->base != 0x70)
        vm_bus_read(&vcpu, bus, r->base + offset, 1, &value);
}

static void live(void)
{
    for (unsigned i = 0; i < WRITES; i++) {
        write_anywhere();
        tsc += any(100000);
        if (vcpu.timer_deadline && tsc >= vcpu.timer_deadline)
            apic_on_timer(&vcpu);
        if (any(50) == 0 && vuart_has_room(&vm))
            vuart_type(&vm, (uint8_t)any(256));
        if (any(100) == 0)
            IGNORE(vcpu_on_wrmsr(&vcpu, MSR_IA32_APIC_BASE, VM_APIC_BASE | any(4) << 10 | 0x100));
        if (any(20) == 0)
            IGNORE(vcpu_on_wrmsr(&vcpu, MSR_X2APIC_FIRST + (uint32_t)any(0x40), any(0x200)));
    }
}

/* --- What there is to compare ----------------------------------------------------------------- */

static struct parts {
    uint8_t uart[PAGE_SIZE], ioapic[PAGE_SIZE], apic[PAGE_SIZE], registers[PAGE_SIZE],
        legacy[PAGE_SIZE];
    uint64_t apic_base, deadline, irr[4];
    uint8_t rtc_index;
} first, later;

static void keep(struct parts *to)
{
    memcpy(to->uart, vm.uart, PAGE_SIZE);
    memcpy(to->ioapic, vm.ioapic, PAGE_SIZE);
    memset(to->ioapic + offsetof(struct vioapic, lock), 0, sizeof(struct spinlock)); /* tickets */
    memset(to->ioapic + offsetof(struct vioapic, ending), 0, sizeof(struct spinlock));
    memcpy(to->apic, vm.apics[0], PAGE_SIZE);
    memcpy(to->registers, vcpu.vapic, PAGE_SIZE);
    memcpy(to->legacy, vm.legacy, PAGE_SIZE);
    to->apic_base = vcpu.apic_base;
    to->deadline = vcpu.timer_deadline;
    memcpy(to->irr, vcpu.irr, sizeof(to->irr));
    to->rtc_index = vm.rtc_index;
}

FIXTURE(create)
{
    memset(&vm, 0, sizeof(vm));
    vcpu = (struct vcpu){.vm = &vm, .vapic = page_alloc()};
    vm.vcpus[0] = &vcpu;
    vm.vcpu_count = 1;
    vm.ram_size = 64 << 20;
    vm.start.format = "ELF32";
    vcpu_resets = pci_resets = dma_resets = clock_resets = 0;
    tsc = BEGIN;
    assert_int_equal(vuart_create(&vm) | vrtc_create(&vm) | vlapic_create(&vm), 0);
    vm.ioapic = vioapic_create(&vm);
    assert_int_equal(legacy_create(&vm), 0);
    vm_power_on(&vm);
    keep(&first);
    return 0;
}

FIXTURE(destroy)
{
    legacy_destroy(&vm);
    vioapic_destroy(vm.ioapic);
    vlapic_destroy(&vm);
    vuart_destroy(&vm);
    page_free(vcpu.vapic);
    return 0;
}

static void same(const char *what, const void *a, const void *b, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((const uint8_t *)a)[i] != ((const uint8_t *)b)[i])
            fail_msg("%s: byte 0x%zx was 0x%x and is 0x%x after a reset", what, i,
                     ((const uint8_t *)a)[i], ((const uint8_t *)b)[i]);
}
#define SAME(part) same(#part, &first.part, &later.part, sizeof(first.part))

TEST(every_device_is_as_at_the_first_start)
{
    for (unsigned round = 0; round < 20; round++) {
        live();
        tsc = BEGIN;
        vm_power_on(&vm);
        keep(&later);
        SAME(uart);
        SAME(ioapic);
        SAME(apic);
        SAME(registers);
        SAME(legacy);
        SAME(apic_base);
        SAME(deadline);
        SAME(irr);
        SAME(rtc_index);
    }
    assert_int_equal(vcpu_resets, 21);
    assert_int_equal(pci_resets, 21);
    assert_int_equal(dma_resets, 21);
    assert_int_equal(clock_resets, 21);
}

/* If a life left everything as it was, the test above would show nothing. */
TEST(a_life_changes_every_device)
{
    live();
    keep(&later);
    assert_memory_not_equal(first.uart, later.uart, PAGE_SIZE);
    assert_memory_not_equal(first.ioapic, later.ioapic, PAGE_SIZE);
    assert_memory_not_equal(first.apic, later.apic, PAGE_SIZE);
    assert_memory_not_equal(first.registers, later.registers, PAGE_SIZE);
    assert_memory_not_equal(first.legacy, later.legacy, PAGE_SIZE);
    assert_int_not_equal(first.rtc_index, later.rtc_index);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, create, destroy)
    const struct CMUnitTest tests[] = {
        T(every_device_is_as_at_the_first_start),
        T(a_life_changes_every_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
