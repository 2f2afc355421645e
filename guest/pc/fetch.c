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
#define LOG "vm"
#include "arch/log.h"

struct fetch_last {
    bool kept;       /* the rest of this struct still counts at the next fetch */
    bool bases, rsp; /* it needs segment bases; RSP */
    struct vcpu_paging state;
    struct linear_seen seen;
    const uint8_t *code; /* where the host finds its first byte */
    uint8_t bytes[INSN_LEN_MAX];
    struct insn insn;
};
static_assert(VM_VCPU_MAX * sizeof(struct fetch_last) <= PAGE_SIZE, "those of a VM in one page");

COLD int fetch_create(struct vm *vm)
{
    vm->fetches = page_alloc();
    return vm->fetches ? 0 : FAIL(ENOMEM, "vm=%s: no memory for its latest instructions", vm->name);
}

COLD void fetch_destroy(struct vm *vm)
{
    if (vm->fetches)
        page_free(vm->fetches);
    vm->fetches = NULL;
}

uint64_t fetch_at(const struct linear *a, size_t n)
{
    return a->state->rip + n + (a->state->code64 ? 0 : a->state->segment_base[INSN_CS]);
}

static enum insn_mode mode_of(const struct vcpu_paging *s)
{
    return s->code64 ? INSN_MODE_64 : s->code32 ? INSN_MODE_32 : INSN_MODE_16;
}

static struct fetch_last *last_of(const struct vcpu *v) { return &v->vm->fetches[v->index]; }

const struct insn *fetch_again(struct linear *a)
{
    struct fetch_last *last = last_of(a->v);
    const struct insn *insn = &last->insn;
    if (!last->kept || !vcpu_paging_again(&last->state, last->bases, last->rsp))
        return NULL;
    const struct linear_entry *e = last->seen.entry, *end = e + last->seen.count;
    for (; e < end; e++)
        if (atomic_load(e->at) != e->value)
            return NULL;
    for (unsigned i = 0; i < insn->len; i++)
        if (last->code[i] != last->bytes[i])
            return NULL;
    a->state = &last->state;
    return insn;
}

/* PAE paging takes its first level from registers, which are not compared. */
static bool can_be_kept(const struct vcpu_paging *s)
{
    return !(s->cr0 & CR0_PG) || (s->efer & EFER_LMA) || !(s->cr4 & CR4_PAE);
}

/* Read on from byte `size` to the end of that page; the number of bytes then. */
static COLD size_t read_page(struct linear *a, struct fetch_last *last, size_t size)
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

COLD const struct insn *fetch_insn(struct linear *a, struct fetched *f)
{
    struct fetch_last *last = last_of(a->v);
    last->kept = false;
    last->seen.count = 0;
    a->state = &last->state;
    vcpu_paging(a->v, a->state);
    enum insn_mode mode = mode_of(a->state);
    a->seen = &last->seen;
    *f = (struct fetched){last->bytes, read_page(a, last, 0), NULL};
    a->seen = NULL;
    if (insn_decode(f->bytes, f->size, mode, &last->insn) == 0) {
        last->kept = can_be_kept(a->state);
        last->bases = mode != INSN_MODE_64 || last->insn.mem.segment >= INSN_FS;
        last->rsp = insn_uses_rsp(&last->insn);
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
