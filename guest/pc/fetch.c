/* SPDX-License-Identifier: MIT */
/*
 * Which instruction caused the exit? A guest that polls a register comes with the same one again
 * and again, so each vCPU's last instruction is kept.
 * From: guest/pc/mmio.c.   To: guest/pc/linear.c (the walk), guest/insn/insn.c (the decoder).
 * Hot: each access to a trapped register.
 * Spec: SDM "Instruction Format".
 *
 * INVARIANT: what is kept is used only if a new walk and a new decoding would find the same: the
 * registers that a walk depends on, every entry of a page table that it read, and the bytes of the
 * instruction are what they were. So no change of the guest's memory has to be noticed.
 */
#include "guest/pc/fetch.h"
#include "arch/page.h"
#include "arch/x86.h"
#include "guest/core/memory.h"
#include "guest/core/vm.h"
#include "lib/atomic.h"
#include "lib/string.h"

struct fetch_last {
    bool kept; /* the rest of this struct still counts at the next fetch */
    uint8_t cpl;
    uint64_t cr0, cr3, cr4, efer, at; /* at: linear address of the instruction */
    struct linear_seen seen;
    const uint8_t *code; /* where the host finds its first byte */
    uint8_t bytes[INSN_LEN_MAX];
    struct insn insn;
};
static_assert(VM_VCPU_MAX * sizeof(struct fetch_last) <= PAGE_SIZE, "those of a VM in one page");

int fetch_create(struct vm *vm)
{
    vm->fetches = page_alloc();
    return vm->fetches ? 0 : -ENOMEM;
}

void fetch_destroy(struct vm *vm)
{
    if (vm->fetches)
        page_free(vm->fetches);
    vm->fetches = NULL;
}

uint64_t fetch_at(const struct linear *a, size_t n)
{
    return a->state.rip + n + (a->state.code64 ? 0 : a->state.segment_base[INSN_CS]);
}

static enum insn_mode mode_of(const struct vcpu_paging *s)
{
    return s->code64 ? INSN_MODE_64 : s->code32 ? INSN_MODE_32 : INSN_MODE_16;
}

static bool is_as_seen(const struct linear_entry *e)
{
    return e->value ==
           (e->wide ? atomic_load((const uint64_t *)e->at) : atomic_load((const uint32_t *)e->at));
}

static bool is_same(const struct fetch_last *last, const struct linear *a)
{
    const struct vcpu_paging *s = &a->state;
    if (!last->kept || last->at != fetch_at(a, 0) || last->insn.mode != mode_of(s) ||
        last->cpl != s->cpl || last->cr3 != s->cr3 || last->cr0 != s->cr0 || last->cr4 != s->cr4 ||
        last->efer != s->efer)
        return false;
    for (unsigned i = 0; i < last->seen.count; i++)
        if (!is_as_seen(&last->seen.entry[i]))
            return false;
    for (unsigned i = 0; i < last->insn.len; i++)
        if (last->code[i] != last->bytes[i])
            return false;
    return true;
}

/* PAE paging takes its first level from registers, which are not compared. */
static bool can_be_kept(const struct vcpu_paging *s)
{
    return !(s->cr0 & CR0_PG) || (s->efer & EFER_LMA) || !(s->cr4 & CR4_PAE);
}

/* Read on from byte `size` to the end of that page; the number of bytes then. */
static size_t read_page(struct linear *a, struct fetch_last *last, size_t size)
{
    struct gwalk w;
    if (linear_walk(a, fetch_at(a, size), GWALK_FETCH, &w))
        return size;
    size_t part = MIN(INSN_LEN_MAX - size, linear_left(&w));
    const uint8_t *code = vm_ram(a->v->vm, w.gpa, part);
    if (!code)
        return size;
    memcpy(last->bytes + size, code, part);
    last->code = code;
    return size + part;
}

static void keep(struct fetch_last *last, const struct linear *a)
{
    const struct vcpu_paging *s = &a->state;
    last->cr0 = s->cr0;
    last->cr3 = s->cr3;
    last->cr4 = s->cr4;
    last->efer = s->efer;
    last->cpl = s->cpl;
    last->at = fetch_at(a, 0);
    last->kept = can_be_kept(s);
}

const struct insn *fetch_insn(struct linear *a, struct fetched *f)
{
    struct fetch_last *last = &a->v->vm->fetches[a->v->index];
    enum insn_mode mode = mode_of(&a->state);
    if (is_same(last, a))
        return &last->insn;
    last->kept = false;
    last->seen.count = 0;
    a->seen = &last->seen;
    *f = (struct fetched){last->bytes, read_page(a, last, 0), NULL};
    a->seen = NULL;
    if (insn_decode(f->bytes, f->size, mode, &last->insn) == 0) {
        keep(last, a);
        return &last->insn;
    }
    /* It goes on in the next page, or is none that is known. */
    if (f->size > 0 && f->size < INSN_LEN_MAX)
        f->size = read_page(a, last, f->size);
    if (insn_decode(f->bytes, f->size, mode, &last->insn) == 0)
        return &last->insn;
    f->name = last->insn.name;
    return NULL;
}
