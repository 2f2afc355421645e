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

/* A row of bytes, in hex and as letters. */
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
    const char *trapped; /* name of the device model; NULL: mapped, by the members below */
    uint64_t to;
    unsigned perm;
    enum ept_type type;
};
static struct piece pieces[PIECE_MAX]; /* in the order of their addresses */
static unsigned piece_count;

static void add_piece(const struct piece *piece)
{
    if (piece_count == PIECE_MAX)
        return;
    unsigned i = piece_count++;
    for (; i > 0 && pieces[i - 1].at > piece->at; i--)
        pieces[i] = pieces[i - 1];
    pieces[i] = *piece;
}

/* Join the piece with the one before it, if they touch for the guest and in the machine. */
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

/* The owner of the host memory behind a mapped piece. */
static struct text owner_of(const struct vm *vm, const struct piece *p)
{
    if (memory_holds(vm, hpa(p->to), PAGE_SIZE))
        return text_of("ram %s", p->perm == EPT_PERM_ALL ? "rwx" : "");
    const struct vbar *b = vbar_holding(vm, p->to, 1);
    if (b && b == &b->of->bars[VPCI_ROM])
        return text_of("direct " BDF_FMT " rom", BDF_ARG(b->of->of->fn->bdf));
    if (b)
        return text_of("direct " BDF_FMT " bar%zu", BDF_ARG(b->of->of->fn->bdf),
                       (size_t)(b - b->of->bars));
    return text_of("page of Hamlet");
}

static void say_pieces(const struct vm *vm)
{
    uint64_t next = 0;
    for (const struct piece *p = pieces; p < pieces + piece_count; p++) {
        if (p->at > next)
            say("%016lx-%016lx hole", next, p->at - 1);
        if (p->trapped)
            say("%016lx-%016lx trapped %s", p->at, p->at + p->size - 1, p->trapped);
        else
            say("%016lx-%016lx %s %s -> 0x%lx", p->at, p->at + p->size - 1, owner_of(vm, p).at,
                p->type == EPT_UC ? "UC" : "WB", p->to);
        next = MAX(next, p->at + p->size);
    }
    say("%016lx-%016lx hole", next, BIT(48) - 1);
}

static void say_ports(struct vm *vm)
{
    for (size_t i = 0; i < vm->pio.count; i++) {
        const struct vm_range *r = &vm->pio.ranges[i];
        if (!bitmaps_port_passes(vm->bitmaps, (uint16_t)r->base)) /* else: of an I/O BAR, below */
            say("port %04lx-%04lx trapped %s", r->base, r->base + r->size - 1, r->name);
    }
    for (unsigned port = 0, end; port < 0x10000; port = end + 1) {
        for (end = port; end < 0x10000 && bitmaps_port_passes(vm->bitmaps, (uint16_t)end);)
            end++;
        if (end > port)
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
