/* SPDX-License-Identifier: MIT */
/*
 * Memory by an address of a guest's program (gva), of a guest's CPU (gpa) or of the machine (hpa).
 * From: monitor/cmd/memory.c, walk.c; monitor/gdb/.   To: guest/insn/gwalk.c,
 * guest/core/memory.c, guest/assign/vbar.c (vbar_read).
 */
#include "monitor/memory.h"
#include "arch/page.h"
#include "arch/safe.h"
#include "arch/x86.h"
#include "guest/assign/vpci.h"
#include "guest/core/memory.h"
#include "guest/life/life.h"
#include "lib/string.h"

struct reader {
    struct vcpu *v;
    struct memory_walk *walk;
};

static int table_read(void *ctx, gpa_t at, unsigned size, uint64_t *value)
{
    struct reader *r = ctx;
    const void *p = vm_ram(r->v->vm, at, size);
    if (!p)
        return -ENOENT;
    *value = 0;
    memcpy(value, p, size);
    if (r->walk->count < WALK_STEP_MAX) {
        r->walk->steps[r->walk->count].at = at;
        r->walk->steps[r->walk->count++].entry = *value;
    }
    return 0;
}

static void paging_loaded(struct vcpu *v, void *ctx) { vcpu_paging(v, ctx); }

void memory_paging(struct vcpu *v, struct vcpu_paging *out) { vm_visit(v, paging_loaded, out); }

/* With the rights of the supervisor and without SMAP: a debugger may see more than a program. */
int memory_walk(struct vcpu *v, uint64_t gva, struct memory_walk *out)
{
    struct vcpu_paging s;
    struct reader r = {v, out};
    struct gwalk_bus bus = {table_read, NULL, &r};
    *out = (struct memory_walk){0};
    memory_paging(v, &s);
    struct gwalk_cpu cpu = {.cr0 = s.cr0,
                            .cr3 = s.cr3,
                            .cr4 = s.cr4 & ~CR4_SMAP,
                            .efer = s.efer,
                            .rflags = s.rflags,
                            .maxphyaddr = 52};
    memcpy(cpu.pdpte, s.pdpte, sizeof(cpu.pdpte));
    out->paging = s.cr0 & CR0_PG;
    out->levels = !(s.efer & EFER_LMA) ? 2 : s.cr4 & CR4_LA57 ? 5 : 4;
    return gwalk(&cpu, gva, GWALK_READ, &bus, &out->end);
}

static uint8_t *guest_byte(struct vcpu *v, enum memory_space space, uint64_t at)
{
    struct memory_walk w = {0};
    if (space == MEMORY_GVA) {
        if (memory_walk(v, at, &w))
            return NULL;
        at = w.end.gpa.v;
    }
    return vm_ram(v->vm, gpa(at), 1);
}

int memory_read8(struct vcpu *v, enum memory_space space, uint64_t at, uint8_t *out)
{
    if (space == MEMORY_HPA) /* RAM only: a device does something when a register of it is read */
        return page_is_ram(hpa(at), 1) ? read8_safe(hpa_ptr(hpa(at)), out) : -EFAULT;
    const uint8_t *byte = guest_byte(v, space, at);
    if (!byte)
        return -EFAULT;
    *out = *byte;
    return 0;
}

bool memory_bars;

/* As much of the piece as one access reads: a register of up to 4 bytes, or of 8 if just that was
 * asked for. 0: no BAR is there. */
static size_t bar_copy(struct vm *vm, gpa_t at, uint8_t *bytes, uint64_t size)
{
    uint64_t value, width = size == 8 ? 8 : 4;
    while (width > size || at.v % width)
        width /= 2;
    if (!memory_bars || !vbar_read(vm, at, (unsigned)width, &value))
        return 0;
    memcpy(bytes, &value, width);
    return width;
}

size_t memory_copy(struct vcpu *v, uint64_t gva, uint8_t *bytes, size_t size, bool to_guest)
{
    size_t done = 0;
    while (done < size) {
        struct memory_walk w = {0};
        uint64_t at = gva + done, piece = MIN(size - done, PAGE_SIZE - at % PAGE_SIZE);
        if (memory_walk(v, at, &w))
            break;
        uint8_t *page = vm_ram(v->vm, w.end.gpa, piece);
        if (page)
            memcpy(to_guest ? page : bytes + done, to_guest ? bytes + done : page, piece);
        else if (to_guest || !(piece = bar_copy(v->vm, w.end.gpa, bytes + done, piece)))
            break;
        done += piece;
    }
    return done;
}
