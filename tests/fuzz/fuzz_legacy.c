/* SPDX-License-Identifier: MIT */
/*
 * The legacy PC under any sequence of port accesses, typed bytes, alarms and interrupt cycles. No
 * access leaves its chip (the address sanitizer sees it), no count divides by zero, the request
 * line of the 8259s is never changed to what it is, and no escape of the guest's is drawn.
 */
// sources: guest/pc/legacy/legacy.c guest/pc/legacy/pic.c guest/pc/legacy/pit.c
// sources: guest/pc/legacy/keyboard.c guest/pc/legacy/screen.c guest/pc/legacy/draw.c
// sources: guest/pc/legacy/cmos.c guest/pc/legacy/pm.c guest/pc/legacy/absent.c
// sources: guest/pc/legacy/mptable.c guest/core/bus.c
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arch/ioapic.h"
#include "arch/page.h"
#include "arch/time.h"
#include "guest/core/memory.h"
#include "guest/pc/legacy/chips.h"
#include "guest/pc/vioapic.h"
#include "guest/pc/vlapic.h"
#include "tests/unit/stubs.h"
#include "vmx/caps.h"
#include "vmx/run/post.h"

static struct vm vm;
static struct vcpu vcpu;
static uint8_t page[0x8000];
static bool intr;
static void (*ring)(struct vm *vm);
struct vm_hooks vm_hooks;
struct vmx_caps vmx_caps;

static void must(bool cond)
{
    if (!cond)
        abort();
}

void *page_alloc(void) { return calloc(1, PAGE_SIZE); }
void page_free(void *p) { free(p); }
void *vm_ram(const struct vm *m, gpa_t at, uint64_t size)
{
    (void)m;
    must(at.v == 0xb8000 && size <= sizeof(page));
    return page;
}
uint64_t vm_now(const struct vm *m)
{
    (void)m;
    return rdtsc();
}
uint64_t time_tsc_khz(void) { return 3000000; }
uint64_t time_deadline_us(uint64_t us)
{
    (void)us;
    return 0;
}
void vioapic_line(struct vioapic *io, unsigned pin, bool asserted)
{
    (void)io;
    vm.wires.line(&vm, pin, asserted);
}
uint64_t vioapic_rte(const struct vioapic *io, unsigned pin, bool *asserted)
{
    (void)io, (void)pin;
    *asserted = false;
    return RTE_MASKED;
}
void vlapic_alarm(struct vcpu *v, uint64_t tsc, void (*to_ring)(struct vm *vm))
{
    must(v == &vcpu);
    ring = tsc ? to_ring : NULL;
}
void vlapic_virtual_wire(struct vcpu *v) { must(v == &vcpu); }
void vcpu_extint(struct vcpu *v, bool asserted)
{
    must(v == &vcpu && asserted != intr);
    intr = asserted;
}
int vm_reset(struct vm *m)
{
    (void)m;
    return 0;
}
void vm_end(struct vm *m, unsigned status) { (void)m, (void)status; }

static uint64_t clock_read(struct vcpu *v, void *owner, uint64_t offset, unsigned width)
{
    return (void)v, (void)owner, (void)width, offset;
}

static void clock_write(struct vcpu *v, void *owner, uint64_t offset, unsigned width,
                        uint64_t value)
{
    (void)v, (void)owner, (void)width;
    if (offset == 0)
        vm.rtc_index = value & 0x7f;
}

void console_draw(const char *fmt, ...)
{
    char text[512], *at = text;
    va_list args;
    va_start(args, fmt);
    must((size_t)vsnprintf(text, sizeof(text), fmt, args) < sizeof(text));
    va_end(args);
    if (strncmp(text, "\0337", 2) != 0)
        return;                      /* begins, or ends */
    for (unsigned n = 0; n < 2; n++) /* a place, and colors */
        at = strpbrk(strchr(at + 1, '['), "Hm") + 1;
    while (*at >= ' ' && *at <= '~')
        at++;
    must(strcmp(at, "\0338") == 0);
}

static void cycle(uint8_t what)
{
    if (what & 8)
        legacy_draw(what & 64 ? &vm : NULL);
    if (what & 1 && ring)
        ring(&vm);
    if (what & 2 && intr)
        (void)vm.wires.acknowledge(&vm);
    if (what & 4)
        (void)vm.wires.keys(&vm, what);
    if (what & 8)
        legacy_poll(&vm, what & 16);
    if (what & 32)
        page[what * 37 % sizeof(page)] = what;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t value;
    vm = (struct vm){.name = "fuzz", .vcpus = {&vcpu}, .vcpu_count = 1, .ram_size = 64 << 20};
    vm.start.format = size && (data[0] & 1) ? "linux-64" : "ELF32";
    vcpu.vm = &vm;
    intr = false;
    ring = NULL;
    stub_log_clear();
    legacy_draw(NULL);
    must(!vm_bus_add(&vm.pio, VM_TRAPPED(0x70, 2, "rtc", clock_read, clock_write, NULL)));
    must(!legacy_create(&vm));
    legacy_reset(&vm);
    bool on = vm.legacy->on;
    for (; size >= 4; data += 4, size -= 4) {
        const struct vm_range *r = &vm.pio.ranges[data[0] % vm.pio.count];
        uint64_t at = r->base + data[1] % r->size;
        if (data[2] & 1)
            vm_bus_write(&vcpu, &vm.pio, at, 1u << (data[2] >> 6) % 3, data[3]);
        else
            vm_bus_read(&vcpu, &vm.pio, at, 1u << (data[2] >> 6) % 3, &value);
        if (on)
            cycle((uint8_t)(data[2] >> 1 ^ data[3]));
    }
    if (on)
        must(vm.legacy->intr == intr);
    legacy_destroy(&vm);
    return 0;
}
