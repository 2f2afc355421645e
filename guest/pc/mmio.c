/* SPDX-License-Identifier: MIT */
/*
 * A guest-physical access that the EPT does not allow: a BAR that is mapped at its first access, a
 * virtual device, or an address without a device. The exit reports the address only. The rest is in
 * the instruction, which Hamlet reads through the guest's own page tables and carries out.
 * From: vmx/exit/ept.c and vmx/exit/intr.c (vcpu_on_gpa).
 * To: guest/pc/fetch.c, guest/insn/exec.c, guest/pc/linear.c, then guest/core/bus.c (vm_bus_read,
 * vm_bus_write).
 * Hot: each access to a trapped register.
 * Spec: SDM "EPT Violations".
 */
#include "vmx/upcalls.h"
#include "arch/io.h"
#include "arch/paging.h"
#include "guest/core/memory.h"
#include "guest/core/vm.h"
#include "guest/insn/operand.h"
#include "guest/pc/fetch.h"
#include "guest/pc/linear.h"
#include "guest/pc/pc.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "vmx/vcpu/inject.h"
#define LOG "vm"
#include "arch/log.h"

/* --- The instruction -------------------------------------------------------------------------- */

/* One operand, in two parts if it crosses a page border. Both parts are translated before the first
 * access: an operand that faults in its second page has not touched the first. */
struct span {
    gpa_t at[2];
    unsigned width[2];
};

static COLD int find_span(struct linear *a, uint64_t linear, unsigned width,
                          enum gwalk_access access, struct span *s)
{
    uint64_t left;
    int err = linear_translate(a, linear, access, &s->at[0], &left);
    if (err)
        return err;
    /* a large page of the guest may hold trapped and mapped 4-KByte pages */
    left = MIN(left, PAGE_SIZE - s->at[0].v % PAGE_SIZE);
    s->width[0] = (unsigned)MIN(left, width);
    s->width[1] = width - s->width[0];
    return s->width[1] ? linear_translate(a, linear + s->width[0], access, &s->at[1], &left) : 0;
}

/* Only one operand of a string instruction caused the exit. The other may be in a BAR that the EPT
 * maps to the device. Hamlet then accesses the device in the guest's place, with vm->lock held, so
 * that no other CPU moves the BAR meanwhile. Where nothing is mapped, *value keeps its ones. */
static COLD void access_mapped(struct vm *vm, gpa_t at, unsigned width, unsigned perm,
                               uint64_t *value)
{
    unsigned has;
    enum ept_type type;
    hpa_t to;
    char *p = NULL;
    (void)vm_bus_map(vm, at.v);
    spin_lock(&vm->lock);
    if (ept_translate(vm->ept, at, &to, &has, &type) && (has & perm))
        p = mmio_map(to, width);
    if (p && perm == EPT_PERM_READ)
        *value = mmio_read(p, width);
    else if (p)
        mmio_write(p, width, *value);
    spin_unlock(&vm->lock);
}

static void read_device(struct vcpu *v, gpa_t at, unsigned width, uint64_t *value)
{
    if (!vm_bus_read(v, &v->vm->mmio, at.v, width, value))
        access_mapped(v->vm, at, width, EPT_PERM_READ, value);
}

static void write_device(struct vcpu *v, gpa_t at, unsigned width, uint64_t value)
{
    if (!vm_bus_write(v, &v->vm->mmio, at.v, width, value))
        access_mapped(v->vm, at, width, EPT_PERM_WRITE, &value);
}

/* How many of the `left` bytes at `at` the next access to the device takes. A part of an operand
 * that crosses a page may have 3, 5, 6 or 7 bytes, and a vector has 16 or 32. What is not 1, 2, 4
 * or 8 goes in naturally aligned accesses. */
static COLD unsigned access_width(uint64_t at, unsigned left)
{
    if (left <= 8 && (left & (left - 1)) == 0)
        return left;
    unsigned width = 8;
    while (width > left || !IS_ALIGNED(at, width))
        width /= 2;
    return width;
}

static COLD void read_physical(struct vcpu *v, gpa_t at, unsigned width, uint8_t *to)
{
    uint64_t part;
    const void *ram = vm_ram(v->vm, at, width);
    if (ram)
        memcpy(to, ram, width);
    for (unsigned done = 0, n; !ram && done < width; done += n) {
        n = access_width(at.v + done, width - done);
        read_device(v, gpa(at.v + done), n, &part);
        memcpy(to + done, &part, n);
    }
}

static COLD void write_physical(struct vcpu *v, gpa_t at, unsigned width, const uint8_t *from)
{
    void *ram = vm_ram(v->vm, at, width);
    if (ram)
        memcpy(ram, from, width);
    for (unsigned done = 0, n; !ram && done < width; done += n) {
        uint64_t part = 0;
        n = access_width(at.v + done, width - done);
        memcpy(&part, from + done, n);
        write_device(v, gpa(at.v + done), n, part);
    }
}

static COLD int operand_read(void *ctx, uint64_t linear, unsigned width, bool modify, void *to)
{
    struct linear *a = ctx;
    struct span s;
    int err = find_span(a, linear, width, modify ? GWALK_WRITE : GWALK_READ, &s);
    if (err)
        return err;
    read_physical(a->v, s.at[0], s.width[0], to);
    if (s.width[1])
        read_physical(a->v, s.at[1], s.width[1], (uint8_t *)to + s.width[0]);
    return 0;
}

static COLD int operand_write(void *ctx, uint64_t linear, unsigned width, const void *from)
{
    struct linear *a = ctx;
    struct span s;
    int err = find_span(a, linear, width, GWALK_WRITE, &s);
    if (err)
        return err;
    write_physical(a->v, s.at[0], s.width[0], from);
    if (s.width[1])
        write_physical(a->v, s.at[1], s.width[1], (const uint8_t *)from + s.width[0]);
    return 0;
}

/* The bytes are no instruction that insn.c knows: the VM ends, with the bytes in its reason. Bytes
 * that are cut off by a missing page are another case. Another vCPU has unmapped the page since the
 * exit, and the guest gets the page fault of its fetch. */
static COLD enum exit_action not_decoded(struct linear *a, const struct fetched *f)
{
    char text[INSN_LEN_MAX * 3 + 1] = "";
    gpa_t next;
    uint64_t left;
    if (f->size < INSN_LEN_MAX &&
        linear_translate(a, fetch_at(a, f->size), GWALK_FETCH, &next, &left) == -EFAULT)
        return RESUME_SAME;
    for (size_t i = 0; i < f->size; i++)
        snprintf(text + 3 * i, sizeof(text) - 3 * i, " %02x", f->bytes[i]);
    vm_fail(a->v->vm,
            "device memory at 0x%lx touched by an instruction that is not emulated (%s):%s",
            a->at.v, f->name, text);
    return STOP_VM;
}

/* A plain move whose operand is what the CPU reports, as a whole: no walk, and no RAM. */
static inline bool move_told(const struct linear *a, const struct insn *insn,
                             const struct insn_cpu *cpu)
{
    bool store = insn->dst.kind == INSN_OPERAND_MEM;
    unsigned width = store ? insn->dst.width : insn->src.width;
    if (!insn_moves(insn) || !a->told || insn_address(insn, cpu, 0) != *a->told ||
        store != a->write || a->at.v % PAGE_SIZE + width > PAGE_SIZE)
        return false;
    uint64_t value;
    if (store) {
        write_device(a->v, a->at, width, insn_operand(&insn->src, insn, cpu));
    } else {
        read_device(a->v, a->at, width, &value);
        insn_set_operand(&insn->dst, cpu, value);
    }
    return true;
}

/* Without its vectors. */
static inline struct insn_cpu cpu_of(struct vcpu *v, struct vcpu_paging *s)
{
    return (struct insn_cpu){.gpr = v->regs.gpr,
                             .rflags = &s->rflags,
                             .rip = s->rip,
                             .segment_base = s->segment_base,
                             .stack_size = s->stack_size};
}

static COLD __attribute__((noinline)) int execute(struct linear *a, const struct insn *insn)
{
    struct vcpu *v = a->v;
    struct insn_cpu cpu = cpu_of(v, a->state);
    struct insn_bus bus = {operand_read, operand_write, a};
    uint64_t rflags = a->state->rflags;
    if (insn->kind == INSN_VMOV)
        vcpu_vectors_out(v, cpu.vector);
    int done = insn_exec(insn, &cpu, &bus);
    if (insn->kind == INSN_VMOV)
        vcpu_vectors_in(v);
    /* After a fault too: a REP has compared the elements that are done. */
    if (a->state->rflags != rflags)
        vcpu_set_rflags(v, a->state->rflags);
    return done;
}

/* Carry out the instruction that caused the exit. */
static enum exit_action emulate(struct linear *a, const struct insn *insn)
{
    struct vcpu *v = a->v;
    struct vcpu_paging *s = a->state;
    struct insn_cpu cpu = cpu_of(v, s);
    cpu.gpr[RSP] = s->rsp;
    int done = move_told(a, insn, &cpu) ? 0 : execute(a, insn);
    if (cpu.gpr[RSP] != s->rsp)
        vcpu_set_gpr(v, RSP, cpu.gpr[RSP]);
    if (vm_is_ending(v->vm))
        return STOP_VM;
    if (done != 0)
        return RESUME_SAME;
    vcpu_step_over(s, insn->len); /* the CPU may have exited for other bytes, and reports none */
    return RESUME_OVER;
}

/* Another vCPU was faster: since the exit it has touched the BAR too, or moved it here. */
static COLD bool is_mapped_by_now(const struct vm *vm, gpa_t at, uint64_t qualification)
{
    unsigned wants = (unsigned)(qualification & (QUAL_EPT_READ | QUAL_EPT_WRITE | QUAL_EPT_FETCH));
    unsigned has;
    enum ept_type type;
    hpa_t to;
    static_assert(QUAL_EPT_READ == EPT_PERM_READ && QUAL_EPT_WRITE == EPT_PERM_WRITE &&
                      QUAL_EPT_FETCH == EPT_PERM_EXEC,
                  "SDM: the same bits");
    return ept_translate(vm->ept, at, &to, &has, &type) && (has & wants) == wants;
}

/* --- The exit --------------------------------------------------------------------------------- */

/* The CPU was reading or marking an entry of the guest's page tables, or was delivering an event:
 * the instruction at RIP has nothing to do with it. */
static COLD enum exit_action by_itself(struct vcpu *v, gpa_t at, bool walks)
{
    if (delivery_lend(v, at))
        return RESUME_SAME;
    vm_fail(v->vm, "%s in a device, or too often outside of memory, at 0x%lx",
            walks ? "page tables" : "stack or tables of an interrupt", at.v);
    return STOP_VM;
}

/* True: *action is all that follows of the access. False: it is to be carried out. */
static COLD bool is_answered(struct vcpu *v, gpa_t at, uint64_t qualification,
                             enum exit_action *action)
{
    struct vm *vm = v->vm;
    int mapped = vm_bus_map(vm, at.v);
    bool walks = !(qualification & QUAL_EPT_LINEAR);
    *action = RESUME_SAME;
    if (mapped > 0 || (mapped < 0 && is_mapped_by_now(vm, at, qualification)))
        return true;
    if (mapped < 0)
        log_guest(&vm->log_budget, "vm=%s gpa=0x%lx: no device is there", vm->name, at.v);
    /* MOV to CR3 was loading PDPTEs, which are ones there, with their reserved bits */
    if (!(qualification & QUAL_EPT_LINEAR_VALID))
        vcpu_inject_error(v, VECTOR_GP, 0);
    else if (walks || v->event)
        *action = by_itself(v, at, walks);
    else if (qualification & QUAL_EPT_FETCH) /* it reads ones, and FF FF is no instruction */
        vcpu_inject(v, VECTOR_UD);
    else
        return false;
    return true;
}

/* The instruction that made the access. NULL: there is none to carry out, and *action is what
 * follows. */
static COLD __attribute__((noinline)) const struct insn *
find_insn(struct linear *a, uint64_t qualification, enum exit_action *action)
{
    struct fetched fetched;
    if (is_answered(a->v, a->at, qualification, action))
        return NULL;
    const struct insn *insn = fetch_insn(a, &fetched);
    if (!insn)
        *action = not_decoded(a, &fetched);
    return insn;
}

/* What is to be found out is found out once for an instruction that comes again and again. */
enum exit_action vcpu_on_gpa(struct vcpu *v, gpa_t at, uint64_t qualification,
                             const uint64_t *linear)
{
    enum exit_action action;
    struct linear a = {.v = v, .told = linear, .at = at, .write = qualification & QUAL_EPT_WRITE};
    bool by_insn = linear && !v->event && !(qualification & QUAL_EPT_FETCH);
    const struct insn *insn = by_insn ? fetch_again(&a) : NULL;
    if (!insn)
        insn = find_insn(&a, qualification, &action);
    return insn ? emulate(&a, insn) : action;
}
