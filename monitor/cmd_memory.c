/* SPDX-License-Identifier: MIT */
/*
 * x: bytes of memory. map: what a VM has at which address, as QEMU's "info mtree -f" shows it.
 * From: monitor/command.c.   To: monitor/memory.c, vmx/ept.c (ept_visit), guest/core/bus.c.
 */
#include "lib/printf.h"
#include "lib/string.h"
#include "guest/assign/assign.h"
#include "monitor/command.h"
#include "monitor/memory.h"
#include "vmx/caps.h"
#include "guest/core/memory.h"

#define X_DEFAULT 64
#define X_MAX     1024
#define X_ROW     16

static void row(struct vcpu *v, enum memory_space space, uint64_t at, unsigned count)
{
    char hex[3 * X_ROW + 1], text[X_ROW + 1];
    for (unsigned i = 0; i < count; i++) {
        uint8_t byte;
        if (memory_read8(v, space, at + i, &byte)) {
            snprintf(hex + 3 * i, 4, "-- ");
            text[i] = ' ';
            continue;
        }
        snprintf(hex + 3 * i, 4, "%02x ", byte);
        text[i] = byte >= ' ' && byte <= '~' ? (char)byte : '.';
    }
    text[count] = '\0';
    say("%016lx  %-48s %s", at, hex, text);
}

static void run_x(struct args *a)
{
    enum memory_space space = MEMORY_HPA;
    uint64_t at, count = X_DEFAULT;
    struct vcpu *v = NULL;
    uint8_t byte;
    if (!args_is(a, "hpa")) {
        if (!args_vcpu(a, &v))
            return;
        space = args_is(a, "gpa") ? MEMORY_GPA : MEMORY_GVA;
        args_is(a, "gva");
    }
    if (!args_number(a, "address", &at) ||
        (a->next < a->count && !args_number(a, "count", &count)) || !args_end(a))
        return;
    if (count == 0 || count > X_MAX || at > UINT64_MAX - count)
        complain(a, "count: 1 to %u bytes, not beyond the end of addresses", X_MAX);
    else if (memory_read8(v, space, at, &byte))
        complain(a, "no memory at 0x%lx", at);
    else
        for (uint64_t i = 0; i < count; i += X_ROW)
            row(v, space, at + i, (unsigned)MIN(count - i, (uint64_t)X_ROW));
}

/* --- map ------------------------------------------------------------------------------------------ */

#define PIECE_MAX 128

struct piece {
    uint64_t at, size;
    char what[56];
};
struct pieces {
    struct vm *vm;
    unsigned count;
    uint64_t last_to; /* host address behind the last one, to join what lies together */
    struct piece all[PIECE_MAX];
};
static struct pieces map;

static void add(uint64_t at, uint64_t size, const char *what)
{
    unsigned i = map.count;
    if (map.count == PIECE_MAX)
        return;
    for (; i > 0 && map.all[i - 1].at > at; i--)
        map.all[i] = map.all[i - 1];
    map.count++;
    map.all[i].at = at;
    map.all[i].size = size;
    snprintf(map.all[i].what, sizeof(map.all[i].what), "%s", what);
}

static void name_of(uint64_t to, unsigned perm, char *out, size_t size)
{
    const struct vm *vm = map.vm;
    if (memory_holds(vm, hpa(to), PAGE_SIZE)) {
        snprintf(out, size, "ram %s", perm == EPT_PERM_ALL ? "rwx" : "");
        return;
    }
    for (const struct assignment *a = vm->assignments; a; a = a->next)
        for (unsigned i = 0; i < ARRAY_COUNT(a->v.bars); i++) {
            const struct pci_bar *b = &a->v.bars[i].host;
            if (b->kind != PCI_BAR_MEM || to - b->base >= b->size)
                continue;
            if (i == VPCI_ROM)
                snprintf(out, size, "direct " BDF_FMT " rom", BDF_ARG(a->fn->bdf));
            else
                snprintf(out, size, "direct " BDF_FMT " bar%u", BDF_ARG(a->fn->bdf), i);
            return;
        }
    snprintf(out, size, "page of Hamlet");
}

static bool visit(void *ctx, gpa_t at, hpa_t to, uint64_t size, unsigned perm, enum ept_type type)
{
    char what[40], line[56];
    struct piece *before = map.count ? &map.all[map.count - 1] : NULL;
    (void)ctx;
    if (before && before->at + before->size == at.v && map.last_to == to.v) {
        before->size += size;
        map.last_to += size;
        return true;
    }
    name_of(to.v, perm, what, sizeof(what));
    snprintf(line, sizeof(line), "%s %s -> 0x%lx", what, type == EPT_UC ? "UC" : "WB", to.v);
    add(at.v, size, at.v == VM_APIC_BASE ? "trapped local APIC" : line);
    map.last_to = to.v + size;
    return map.count < PIECE_MAX;
}

static void show_map(void)
{
    uint64_t next = 0;
    for (unsigned i = 0; i < map.count; i++) {
        const struct piece *p = &map.all[i];
        if (p->at > next)
            say("%016lx-%016lx hole", next, p->at - 1);
        say("%016lx-%016lx %s", p->at, p->at + p->size - 1, p->what);
        next = MAX(next, p->at + p->size);
    }
    say("%016lx-%016lx hole", next, BIT(48) - 1);
}

static void show_ports(struct vm *vm)
{
    for (size_t i = 0; i < vm->pio.count; i++) {
        const struct vm_range *r = &vm->pio.ranges[i];
        say("port %04lx-%04lx trapped %s", r->base, r->base + r->size - 1, r->name);
    }
    for (unsigned port = 0, end; port < 0x10000; port = end) {
        end = port + 1;
        if (!bitmaps_port_passes(vm->bitmaps, (uint16_t)port))
            continue;
        while (end < 0x10000 && bitmaps_port_passes(vm->bitmaps, (uint16_t)end))
            end++;
        say("port %04x-%04x direct", port, end - 1);
    }
}

static void run_map(struct args *a)
{
    struct vm *vm;
    char what[40];
    if (!args_vm(a, &vm) || !args_end(a))
        return;
    map = (struct pieces){.vm = vm};
    ept_visit(vm->ept, visit, NULL);
    for (size_t i = 0; i < vm->mmio.count; i++) {
        const struct vm_range *r = &vm->mmio.ranges[i];
        if (r->base == VM_APIC_BASE && vmx_caps.apicv)
            continue;
        snprintf(what, sizeof(what), "trapped %s", r->name);
        add(r->base, r->size, what);
    }
    show_map();
    show_ports(vm);
}

const struct command command_x = {"x", run_x,
                                  "[NAME[.N]] [gva | gpa] ADDRESS [COUNT], or hpa ADDRESS [COUNT]",
                                  "bytes of memory, guest's or host's", "x gpa 0x100000 32"};
const struct command command_map = {"map", run_map, "[NAME]",
                                    "what a VM has at which address: RAM, direct, trapped, hole",
                                    "map alpha"};
