/* SPDX-License-Identifier: MIT */
/*
 * Hardware task switches, between TSSs of 32 bits: kernels take their double faults by a task gate,
 * so that the handler has a stack. The CPU has checked what leads to the new TSS and then exits;
 * the switch itself is made here, in the manual's order. What no kernel of 32 bits uses ends the
 * VM: a TSS of 16 bits, virtual-8086 mode, an LDT, the debug trap of a TSS.
 * From: vmx/run/run.c (exit table).
 * To: guest/pc/linear.c (guest_copy_system), vmx/exit/cr.c (cr_load_pdptes), vmx/vcpu/inject.c.
 * Spec: SDM "Task Switching", "Task-State Segment (TSS)", "Segment Descriptors", "Treatment of Task
 * Switches".
 */
#include "vmx/exit/exit.h"
#include "vmx/ept_flush.h"
#include "vmx/vcpu/cr.h"
#include "vmx/vcpu/debug.h"
#include "vmx/vcpu/inject.h"
#include "vmx/vcpu/setup.h"
#include "vmx/vmcs.h"
#include "arch/x86.h"

/* SDM "Task-State Segment (TSS)", of 32 bits. A switch saves from eip to the last segment. */
struct task {
    uint32_t link, stacks[6], cr3, eip, eflags, gpr[8], segment[6], ldt, trap;
};
LAYOUT(struct task, cr3, 28);
LAYOUT(struct task, segment, 72);
#define TSS_SAVED       (offsetof(struct task, ldt) - offsetof(struct task, eip))
#define TSS_TRAP        BIT(0)

/* SDM "Segment Descriptors" */
#define DESC_LIMIT_LOW  BITS(15, 0)
#define DESC_BASE_LOW   BITS(39, 16)
#define DESC_RIGHTS     BITS(55, 40) /* as in the VMCS, with 4 bits of the limit in between */
#define DESC_LIMIT_HIGH BITS(51, 48)
#define DESC_BASE_HIGH  BITS(63, 56)
#define DESC_BUSY       BIT(41)
#define DESC_ACCESSED   BIT(40)
#define RIGHTS          (BITS(7, 0) | BITS(15, 12))
#define TYPE_CODE       BIT(3)
#define TYPE_CONFORMING BIT(2) /* of code */
#define TYPE_READ_WRITE BIT(1) /* code: readable; data: writable */
#define SELECTOR_RPL    BITS(1, 0)
#define SELECTOR_LDT    BIT(2)

enum { BY_CALL, BY_IRET, BY_JMP, BY_GATE };

#define EFLAGS_DEFINED                                                                             \
    (BITS(11, 6) | RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF |       \
     BITS(21, 18))
#define DR7_LOCAL_ENABLES (BIT(0) | BIT(2) | BIT(4) | BIT(6) | BIT(8))

/* A descriptor of the GDT. Errors: as guest_copy_linear(). */
static __attribute__((noinline)) int gdt(struct vcpu *v, uint16_t selector, uint64_t *desc,
                                         bool write)
{
    return guest_copy_system(v, vmread(GUEST_GDTR_BASE) + ALIGN_DOWN(selector, 8), desc,
                             sizeof(*desc), write);
}

static uint64_t base_of(uint64_t desc)
{
    return FIELD_GET(DESC_BASE_LOW, desc) | FIELD_GET(DESC_BASE_HIGH, desc) << 24;
}

static void load(enum segment s, uint16_t selector, uint64_t desc)
{
    uint32_t limit =
        (uint32_t)(FIELD_GET(DESC_LIMIT_LOW, desc) | FIELD_GET(DESC_LIMIT_HIGH, desc) << 16);
    uint32_t rights = FIELD_GET(DESC_RIGHTS, desc) & RIGHTS;
    if (rights & SEG_AR_G)
        limit = limit << 12 | BITS(11, 0);
    setup_segment(s, selector, base_of(desc), limit, rights);
}

/* SDM "Task Switching": the conditions under which a segment of the new task is no #TS. */
static bool may_be_loaded(enum segment s, uint16_t selector, uint32_t rights, unsigned cpl)
{
    unsigned rpl = selector & SELECTOR_RPL, dpl = FIELD_GET(SEG_AR_DPL, rights);
    bool code = rights & TYPE_CODE, conforming = code && (rights & TYPE_CONFORMING);
    if (!(rights & SEG_AR_S) || (selector & SELECTOR_LDT))
        return false;
    if (s == SEG_CS)
        return code && (dpl == rpl || (conforming && dpl < rpl));
    if (s == SEG_SS)
        return !code && (rights & TYPE_READ_WRITE) && dpl == cpl && rpl == cpl;
    return (!code || (rights & TYPE_READ_WRITE)) && (conforming || dpl >= MAX(cpl, rpl));
}

/* The checks are made in the new task. False: it has a fault to handle first. */
static bool load_checked(struct vcpu *v, enum segment s, uint16_t selector, unsigned cpl,
                         bool external)
{
    uint64_t desc = 0;
    if (selector < 4 && s != SEG_CS && s != SEG_SS) {
        setup_segment(s, selector, 0, 0, SEG_AR_UNUSABLE);
        return true;
    }
    if ((selector | 7u) <= vmread(GUEST_GDTR_LIMIT) && gdt(v, selector, &desc, false))
        return false;
    uint32_t rights = FIELD_GET(DESC_RIGHTS, desc) & RIGHTS;
    bool may = selector >= 4 && may_be_loaded(s, selector, rights, cpl);
    if (!may || !(rights & SEG_AR_P)) {
        vcpu_inject_error(v,
                          !may          ? VECTOR_TS
                          : s == SEG_SS ? VECTOR_SS
                                        : VECTOR_NP,
                          (uint32_t)ALIGN_DOWN(selector, 4) | external);
        return false;
    }
    uint64_t accessed = desc | DESC_ACCESSED;
    load(s, selector, accessed);
    return desc == accessed || gdt(v, selector, &accessed, true) == 0;
}

/* Registers of the old task into its TSS. */
static int save(struct vcpu *v, unsigned by, uint32_t length)
{
    struct task old = {.eip = (uint32_t)vmread(GUEST_RIP) + length,
                       .eflags = (uint32_t)vmread(GUEST_RFLAGS)};
    if (by == BY_IRET)
        old.eflags &= ~(uint32_t)RFLAGS_NT;
    for (unsigned i = 0; i < 8; i++)
        old.gpr[i] = (uint32_t)vcpu_gpr(v, (enum gpr)i);
    for (enum segment s = SEG_ES; s <= SEG_GS; s++)
        old.segment[s] = (uint32_t)vmread(VMCS_SELECTOR(s));
    return guest_copy_system(v, vmread(GUEST_TR_BASE) + offsetof(struct task, eip), &old.eip,
                             TSS_SAVED, true);
}

/* The descriptor of a TSS becomes busy, or available again. */
static int set_busy(struct vcpu *v, uint16_t selector, bool busy)
{
    uint64_t desc;
    int err = gdt(v, selector, &desc, false);
    desc = busy ? desc | DESC_BUSY : desc & ~DESC_BUSY;
    return err ? err : gdt(v, selector, &desc, true);
}

/* Registers of the new task, but for the segments. */
static int restore(struct vcpu *v, const struct task *new, unsigned by)
{
    uint64_t cr0 = cr0_guest_view();
    cr0_write(cr0 | CR0_TS);
    vmwrite(GUEST_RIP, new->eip);
    vmwrite(GUEST_RFLAGS, (new->eflags &EFLAGS_DEFINED) | RFLAGS_1);
    for (unsigned i = 0; i < 8; i++)
        vcpu_set_gpr(v, (enum gpr)i, new->gpr[i]);
    debug_dr7_clear(v, DR7_LOCAL_ENABLES);
    vmwrite(GUEST_INTERRUPTIBILITY,
            by == BY_IRET ? 0 : vmread(GUEST_INTERRUPTIBILITY) & BLOCKED_BY_NMI);
    if (!(cr0 & CR0_PG))
        return 0;
    vmwrite(GUEST_CR3, new->cr3);
    ept_flush_vpid(v->vpid);
    return vmread(GUEST_CR4) & CR4_PAE ? cr_load_pdptes(v) : 0;
}

/* Until SS is loaded, it has the new privilege level at least, as VM entry wants it for CS. */
static bool load_segments(struct vcpu *v, const struct task *new, bool external)
{
    static const uint8_t behind_cs[] = {SEG_SS, SEG_ES, SEG_DS, SEG_FS, SEG_GS};
    unsigned cpl = new->segment[SEG_CS] & SELECTOR_RPL;
    setup_segment(SEG_LDTR, 0, 0, 0, SEG_AR_UNUSABLE);
    if (!load_checked(v, SEG_CS, (uint16_t) new->segment[SEG_CS], cpl, external))
        return false;
    setup_segment(SEG_SS, (uint16_t)cpl, 0, 0,
                  (uint32_t)(SEG_AR_UNUSABLE | FIELD_SET(SEG_AR_DPL, cpl)));
    for (unsigned i = 0; i < ARRAY_COUNT(behind_cs); i++)
        if (!load_checked(v, behind_cs[i], (uint16_t) new->segment[behind_cs[i]], cpl, external))
            return false;
    return true;
}

/* The event that came by the gate is delivered; its error code is on the new stack. */
static int finish_event(struct vcpu *v)
{
    if (v->event & EVENT_ERROR_CODE) {
        uint32_t esp = (uint32_t)vcpu_gpr(v, RSP) - 4;
        int err = guest_copy_linear(v, LO32(vmread(GUEST_SS_BASE) + esp), &v->event_error,
                                    sizeof(v->event_error), true);
        if (err)
            return err;
        vcpu_set_gpr(v, RSP, esp);
    }
    inject_delivered(v);
    return 0;
}

/* 0: the switch is made, but may have left a fault in the new task. -EFAULT: the old task has one,
 * and nothing has happened. -EINVAL: #GP; -ENODEV: see above. */
static int switch_to(struct vcpu *v, uint16_t selector, unsigned by)
{
    bool software = FIELD_GET(EVENT_TYPE, v->event) >= EVENT_SOFT_INTERRUPT;
    bool nested = by == BY_CALL || by == BY_GATE;
    bool behind = by != BY_GATE || software; /* the old task goes on behind the instruction */
    uint64_t desc;
    struct task new;
    int err = gdt(v, selector, &desc, false);
    if (!err)
        err = guest_copy_system(v, base_of(desc), &new, sizeof(new), false);
    if (err)
        return err;
    if (!(FIELD_GET(DESC_RIGHTS, desc) & TYPE_CODE) || (new.eflags &RFLAGS_VM) ||
        (new.trap &TSS_TRAP) || (uint16_t) new.ldt ||
        FIELD_GET(SEG_AR_TYPE, vmread(GUEST_TR_ACCESS_RIGHTS)) != SEG_TYPE_TSS_BUSY)
        return -ENODEV;
    uint16_t from = (uint16_t)vmread(GUEST_TR_SELECTOR);
    err = save(v, by, behind ? (uint32_t)vmread(VM_EXIT_INSTRUCTION_LENGTH) : 0);
    if (!err && nested)
        err = guest_copy_system(v, base_of(desc), &from, sizeof(from), true);
    if (!err && !nested)
        err = set_busy(v, from, false);
    if (!err && by != BY_IRET)
        err = set_busy(v, selector, true);
    if (err)
        return err;
    if (nested)
        new.eflags |= RFLAGS_NT;
    load(SEG_TR, selector, desc | DESC_BUSY);
    err = restore(v, &new, by);
    if (!err && load_segments(v, &new, by == BY_GATE && !software))
        err = finish_event(v);
    return err;
}

enum exit_action exit_task_switch(struct vcpu *v)
{
    uint64_t qualification = vmread(EXIT_QUALIFICATION);
    v->exit.qualification = qualification;
    inject_again(v);
    int err = switch_to(v, (uint16_t)FIELD_GET(QUAL_TASK_SELECTOR, qualification),
                        FIELD_GET(QUAL_TASK_SOURCE, qualification));
    if (err == -EINVAL)
        return inject_gp(v);
    if (err == 0 || err == -EFAULT)
        return RESUME_SAME;
    vcpu_on_crash(v, "task switch: a TSS of 16 bits, of virtual-8086 mode, with LDT or trap");
    return STOP_VM;
}
