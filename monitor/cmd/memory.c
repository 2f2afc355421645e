/* SPDX-License-Identifier: MIT */
/*
 * x: bytes of memory. map: what a VM has at which address, as QEMU's "info mtree -f" shows it.
 * From: monitor/term/command.c.   To: monitor/memory.c, vmx/ept.c (ept_visit), vmx/bitmaps.c.
 */
#include "guest/assign/assign.h"
#include "guest/core/memory.h"
#include "monitor/cmd/commands.h"
#include "monitor/memory.h"
#include "vmx/caps.h"

#define X_DEFAULT 64
#define X_MAX     1024
#define X_ROW     16

static void say_row(struct vcpu *v, enum memory_space space, uint64_t at, unsigned count)
{
    struct text hex = {0}, letters = {0};
    for (unsigned i = 0; i < count; i++) {
        uint8_t byte = 0;
        bool there = memory_read8(v, space, at + i, &byte) == 0;
        text_add(&hex, there ? "%02x " : "-- ", byte);
        text_add(&letters, "%c", byte >= ' ' && byte <= '~' ? byte : there ? '.' : ' ');
    }
    say("%016lx  %-48s %s", at, hex.at, letters.at);
}

void cmd_x(struct args *a)
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
    if (!args_number(a, "address", &at) || (args_peek(a) && !args_number(a, "count", &count)) ||
        !args_end(a))
        return;
    if (count == 0 || count > X_MAX || at > UINT64_MAX - count)
        complain(a, "count: 1 to %u bytes, not beyond the end of addresses", X_MAX);
    else if (memory_read8(v, space, at, &byte))
        complain(a, "no memory at 0x%lx", at);
    else
        for (uint64_t i = 0; i < count; i += X_ROW)
            say_row(v, space, at + i, (unsigned)MIN(count - i, (uint64_t)X_ROW));
}

/* --- map -------------------------------------------------------------------------------------- */

#define PIECE_MAX 128

struct piece {
    uint64_t at, size;
    const char *trapped; /* its name; NULL: it is mapped, as the rest says */
    uint64_t to;
    unsigned perm;
    enum ept_type type;
};
static struct piece pieces[PIECE_MAX]; /* in the order of their addresses */
static unsigned piece_count;

static void add_piece(const struct piece *piece)
{
    unsigned i = piece_count;
    if (piece_count == PIECE_MAX)
        return;
    for (; i > 0 && pieces[i - 1].at > piece->at; i--)
        pieces[i] = pieces[i - 1];
    pieces[i] = *piece;
    piece_count++;
}

/* What continues the piece before it, here and in the machine, is one with it. */
static bool add_mapped(void *ctx, gpa_t at, hpa_t to, uint64_t size, unsigned perm,
                       enum ept_type type)
{
    struct piece *before = piece_count ? &pieces[piece_count - 1] : NULL;
    (void)ctx;
    if (before && before->at + before->size == at.v && before->to + before->size == to.v)
        before->size += size;
    else
        add_piece(&(struct piece){at.v, size, at.v == VM_APIC_BASE ? "local APIC" : NULL, to.v,
                                  perm, type});
    return piece_count < PIECE_MAX;
}

static void add_name(struct text *t, const struct vm *vm, const struct piece *p)
{
    if (memory_holds(vm, hpa(p->to), PAGE_SIZE)) {
        text_add(t, "ram %s", p->perm == EPT_PERM_ALL ? "rwx" : "");
        return;
    }
    for (const struct assignment *a = vm->assignments; a; a = a->next)
        for (unsigned i = 0; i < ARRAY_COUNT(a->v.bars); i++) {
            const struct pci_bar *b = &a->v.bars[i].host;
            if (b->kind != PCI_BAR_MEM || p->to - b->base >= b->size)
                continue;
            text_add(t, "direct " BDF_FMT, BDF_ARG(a->fn->bdf));
            if (i == VPCI_ROM)
                text_add(t, " rom");
            else
                text_add(t, " bar%u", i);
            return;
        }
    text_add(t, "page of Hamlet");
}

static void say_pieces(const struct vm *vm)
{
    uint64_t next = 0;
    for (const struct piece *p = pieces; p < pieces + piece_count; p++) {
        struct text what = {0};
        if (p->trapped) {
            text_add(&what, "trapped %s", p->trapped);
        } else {
            add_name(&what, vm, p);
            text_add(&what, " %s -> 0x%lx", p->type == EPT_UC ? "UC" : "WB", p->to);
        }
        if (p->at > next)
            say("%016lx-%016lx hole", next, p->at - 1);
        say("%016lx-%016lx %s", p->at, p->at + p->size - 1, what.at);
        next = MAX(next, p->at + p->size);
    }
    say("%016lx-%016lx hole", next, BIT(48) - 1);
}

static void say_ports(struct vm *vm)
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

void cmd_map(struct args *a)
{
    struct vm *vm;
    if (!args_vm(a, &vm) || !args_end(a))
        return;
    piece_count = 0;
    ept_visit(vm->ept, add_mapped, NULL);
    for (size_t i = 0; i < vm->mmio.count; i++) {
        const struct vm_range *r = &vm->mmio.ranges[i];
        if (r->base != VM_APIC_BASE || !vmx_caps.apicv)
            add_piece(&(struct piece){.at = r->base, .size = r->size, .trapped = r->name});
    }
    say_pieces(vm);
    say_ports(vm);
}
