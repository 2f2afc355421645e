/* SPDX-License-Identifier: MIT */
/*
 * A VM of two vCPUs under the debugger's packets: memory without paging, registers that keep what
 * is written, a serial line of two buffers. What it comes to while it runs is for the test to say.
 * From: tests/unit/test_gdb.c, tests/fuzz/fuzz_gdb.c.
 */
#pragma once
#include <stdlib.h>
#include <string.h>
#include "monitor/gdb/gdb.c"
#include "monitor/memory.h"
#include "arch/page.h"
#include "arch/safe.h"
#include "vmx/caps.h"
#include "vmx/vcpu/debug.h"
#include "vmx/vmcs_fields.h"

#define RAM_SIZE 0x4000
#define BAR      0x10000

static struct {
    struct vm vm, *next; /* next: another one, or NULL */
    struct vcpu vcpus[2];
    uint8_t fpu[2][1024];
    uint64_t fields[2][0x400];
    struct vcpu_debug armed[2];
    unsigned bits; /* of the code that its CPUs run */
    uint64_t cs_base;
    uint64_t bar[2]; /* at BAR */
    uint8_t *ram;    /* by itself, so that the sanitizer sees its ends */
    const uint8_t *typed;
    size_t typed_length;
    size_t said_length;
    char said[65536]; /* from here on not cleared for each test */
} world;

/* The value of a VMCS field, by the parts of its encoding: SDM "Encoding of VMCS Component". */
static uint64_t *world_field(unsigned vcpu, uint32_t encoding)
{
    return &world.fields[vcpu][(encoding >> 13 & 3) << 8 | (encoding >> 10 & 3) << 6 |
                               (encoding >> 1 & 63)];
}

struct vm_hooks vm_hooks;
struct vmx_caps vmx_caps = {.xcr0 = 3};
void (*console_copy)(const char *line, size_t length);

bool line_open(uint16_t port, uint32_t baud) { return port != 0 && baud != 0; }
uint16_t line_port(void) { return 0x2f8; }
int line_read(void)
{
    if (!world.typed_length)
        return -1;
    world.typed_length--;
    return *world.typed++;
}
size_t line_write(const uint8_t *bytes, size_t size)
{
    size = MIN(size, (size_t)64);
    if (world.said_length + size >= sizeof(world.said))
        world.said_length = 0;
    memcpy(world.said + world.said_length, bytes, size);
    world.said_length += size;
    world.said[world.said_length] = '\0';
    return size;
}

static void run_line(char *line)
{
    if (console_copy && *line)
        console_copy(line, strlen(line));
}
bool complain(const struct args *a, const char *fmt, ...) { return (void)a, (void)fmt, false; }
bool args_vm(struct args *a, struct vm **out) { return (void)a, (void)out, false; }
bool args_end(struct args *a) { return (void)a, true; }
bool args_is(struct args *a, const char *word)
{
    bool is = a->words[a->next] && strcmp(a->words[a->next], word) == 0;
    a->next += is;
    return is;
}
void console_line(const char *fmt, ...)
{
    va_list args;
    char line[256];
    va_start(args, fmt);
    int length = vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    if (console_copy)
        console_copy(line, (size_t)length);
}
bool vbar_read(const struct vm *vm, gpa_t at, unsigned width, uint64_t *value)
{
    bool is = at.v >= BAR && at.v < BAR + sizeof(world.bar) && at.v % width == 0;
    (void)vm;
    *value = 0;
    if (is)
        memcpy(value, (uint8_t *)world.bar + at.v - BAR, width);
    return is;
}

void *vm_ram(const struct vm *vm, gpa_t at, uint64_t size)
{
    (void)vm;
    return at.v < RAM_SIZE && size <= RAM_SIZE - at.v ? world.ram + at.v : NULL;
}
struct vcpu *vm_next_vcpu(const struct vm *vm, const struct vcpu *before)
{
    unsigned n = before ? before->index + 1 : 0;
    return n < vm->vcpu_count ? vm->vcpus[n] : NULL;
}
struct vm *vm_next(const struct vm *before)
{
    return !before ? &world.vm : before == &world.vm ? world.next : NULL;
}
bool vm_is_still(const struct vm *vm) { return vm->state != VM_RUNNING; }
int vm_pause(struct vm *vm)
{
    bool ran = vm->state == VM_RUNNING;
    if (ran)
        vm->state = VM_PAUSED;
    return ran ? 0 : -EBUSY;
}
int vm_resume_some(struct vm *vm, uint32_t vcpus)
{
    (void)vcpus;
    if (vm->state != VM_PAUSED)
        return -EBUSY;
    vm->state = VM_RUNNING;
    return 0;
}
int vm_resume(struct vm *vm) { return vm_resume_some(vm, UINT32_MAX); }
void vm_end(struct vm *vm, unsigned status)
{
    vm->exit_status = status;
    vm->state = VM_ENDED;
}
void vm_fail(struct vm *vm, const char *fmt, ...)
{
    (void)fmt;
    vm_end(vm, VM_EXIT_CRASH);
}
void vm_visit(struct vcpu *v, void (*look)(struct vcpu *v, void *ctx), void *ctx) { look(v, ctx); }

void vcpu_paging(const struct vcpu *v, struct vcpu_paging *out)
{
    *out = (struct vcpu_paging){.rip = *world_field(v->index, GUEST_RIP),
                                .code64 = world.bits == 64,
                                .code32 = world.bits == 32};
    out->segment_base[SEG_CS] = world.cs_base;
}
uint64_t vcpu_gpr(const struct vcpu *v, enum gpr r) { return v->regs.gpr[r]; }
void vcpu_set_gpr(struct vcpu *v, enum gpr r, uint64_t value) { v->regs.gpr[r] = value; }
void vcpu_set_rip(struct vcpu *v, uint64_t value) { *world_field(v->index, GUEST_RIP) = value; }
void vcpu_set_rflags(struct vcpu *v, uint64_t value)
{
    *world_field(v->index, GUEST_RFLAGS) = value | 2;
}
bool vcpu_vmcs_field(const struct vcpu *v, uint32_t encoding, uint64_t *value)
{
    *value = *world_field(v->index, encoding);
    return true;
}
int vcpu_debug_arm(struct vcpu *v, const struct vcpu_debug *want)
{
    world.armed[v->index] = *want;
    return 0;
}
void vcpu_debug_disarm(struct vcpu *v) { world.armed[v->index] = (struct vcpu_debug){0}; }

bool page_is_ram(hpa_t at, uint64_t size) { return (void)at, (void)size, false; }
int read8_safe(const void *at, uint8_t *out) { return (void)at, (void)out, -EFAULT; }

/* A VM that waits for its debugger, and a line on which nothing was said. */
static void world_begin(unsigned bits)
{
    uint8_t *ram = world.ram ? world.ram : malloc(RAM_SIZE);
    memset(&world, 0, offsetof(typeof(world), said));
    world.said[0] = '\0';
    memset(&gdb, 0, sizeof(gdb));
    target_choose(NULL);
    world.ram = ram;
    memset(ram, 0x90, RAM_SIZE);
    world.vm.state = VM_PAUSED;
    world.bits = bits;
    world.vm.vcpu_count = 2;
    static const struct boot_module kernel; /* an empty file */
    world.vm.config.kernel = &kernel;
    for (unsigned i = 0; i < 2; i++) {
        world.vcpus[i].vm = &world.vm;
        world.vcpus[i].index = i;
        world.vcpus[i].fpu = world.fpu[i];
        world.vm.vcpus[i] = &world.vcpus[i];
    }
    options.gdb_port = 0x2f8;
    gdb_init(run_line);
    (void)vm_hooks.hold(&world.vm);
}

/* v comes to something: true, and the VM has stopped, if that was asked for. */
static bool world_happens(unsigned vcpu, enum debug_event event, unsigned n)
{
    bool taken = vm_hooks.debug(&world.vcpus[vcpu], event, n);
    if (taken)
        (void)!vm_pause(&world.vm);
    return taken;
}

static void world_type(const uint8_t *bytes, size_t length)
{
    world.typed = bytes;
    world.typed_length = length;
    for (unsigned i = 0; i < 4 || world.typed_length || gdb.line.out_sent < gdb.line.out_length;
         i++)
        gdb_poll();
}
