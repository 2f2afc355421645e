/* SPDX-License-Identifier: MIT */
/*
 * The report of a VM that has ended: lines "hamlet: vm=NAME key=value ...", for people and for
 * lab/report.py. Their form is an interface.
 * From: guest/life/run.c (report_vm), monitor/cmd/exits.c (vm_exit_count).
 * To: vmx/show/dump.c (vcpu_dump), vtd/fault.c (vtd_reason_name).
 */
#include "arch/apic.h"
#include "guest/assign/assign.h"
#include "guest/life/life.h"
#include "guest/pc/legacy/legacy.h"
#include "vmx/reasons.h"
#include "vmx/show/show.h"
#define LOG "vm"
#include "arch/log.h"

uint64_t vm_exit_count(const struct vm *vm, unsigned reason)
{
    uint64_t n = 0;
    for (struct vcpu *v = vm_next_vcpu(vm, NULL); v; v = vm_next_vcpu(vm, v))
        n += v->exit_count[reason];
    return n;
}

uint64_t vm_exits(const struct vm *vm)
{
    uint64_t n = 0;
    for (unsigned reason = 0; reason < EXIT_REASON_COUNT; reason++)
        n += vm_exit_count(vm, reason);
    return n;
}

/* "I/O instruction" as a word of a key: "io-instruction". */
static struct text key_of(unsigned reason)
{
    struct text key = {0};
    for (const char *name = exit_reason_name(reason); *name; name++) {
        char c = *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;
        if (c == ' ' || c == '-' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'))
            text_add(&key, "%c", c == ' ' ? '-' : c);
    }
    return key;
}

/* Several counts to a line, as many as a terminal shows. */
static void report_exits(const struct vm *vm)
{
    struct text line = {0};
    for (unsigned reason = 0; reason < EXIT_REASON_COUNT; reason++) {
        uint64_t n = vm_exit_count(vm, reason);
        if (!n)
            continue;
        if (line.used > 60) {
            console_line("hamlet: vm=%s%s", vm->name, line.at);
            line.used = 0;
        }
        text_add(&line, " exits.%s=%lu", key_of(reason).at, n);
    }
    if (line.used)
        console_line("hamlet: vm=%s%s", vm->name, line.at);
}

static void report_devices(const struct vm *vm)
{
    if (vm->pins)
        console_line("hamlet: vm=%s dma=pv pinned=%lu", vm->name, vm->pinned_count);
    for (const struct assignment *a = vm->assignments; a; a = a->next) {
        const struct vtd_fault *f = &a->last_fault;
        console_line("hamlet: vm=%s device=" BDF_FMT " device-faults=%lu storms=%u parked=%u",
                     vm->name, BDF_ARG(a->fn->bdf), a->fault_count, a->storm_count, a->parked);
        if (a->fault_count)
            console_line("hamlet: vm=%s device=" BDF_FMT " last-fault=0x%x %s=0x%lx what=\"%s\"",
                         vm->name, BDF_ARG(a->fn->bdf), f->reason,
                         f->is_interrupt ? "irte"
                         : f->is_read    ? "read"
                                         : "write",
                         f->address, vtd_reason_name(f->reason));
    }
}

/* The last eight exits of a vCPU, the newest first; REASON*N: N of them in a row. */
static void report_last_exits(const struct vm *vm, const struct vcpu *v)
{
    struct text line = {0};
    uint64_t count = 0;
    for (unsigned reason = 0; reason < EXIT_REASON_COUNT; reason++)
        count += v->exit_count[reason];
    count = MIN(count, UINT64_C(8));
    for (unsigned i = 0, run; i < count; i += run) {
        uint8_t reason = (uint8_t)(v->exit.reasons >> 8 * i);
        for (run = 1; i + run < count && (uint8_t)(v->exit.reasons >> 8 * (i + run)) == reason;)
            run++;
        text_add(&line, "%s%s", i ? "," : "", key_of(reason).at);
        if (run > 1)
            text_add(&line, "*%u", run);
    }
    console_line("hamlet: vm=%s vcpu=%u last-exits=%s", vm->name, v->index, line.at);
}

#define VECTORS_SHOWN 9 /* at most of each set */

/* Vectors of a set of 256 bits, as "0x51,0x60"; "-" for none. */
static struct text vectors_of(const uint64_t set[4])
{
    struct text t = {0};
    for (unsigned vector = 0, shown = 0; vector < 256 && shown < VECTORS_SHOWN; vector++)
        if (set[vector / 64] & BIT(vector % 64))
            text_add(&t, "%s0x%02x", shown++ ? "," : "", vector);
    if (!t.used)
        text_add(&t, "-");
    return t;
}

/* Eight words of 32 bits each, 16 bytes apart, as the APIC has them; without APICv, IRR is
 * v->irr. */
static struct text apic_vectors(const struct vcpu *v, unsigned offset)
{
    uint64_t set[4];
    for (unsigned i = 0; i < 4; i++)
        set[i] = v->vapic[(offset + 32 * i) / 4] | (uint64_t)v->vapic[(offset + 32 * i + 16) / 4]
                                                       << 32;
    for (unsigned i = 0; i < 4 && offset == APIC_IRR; i++)
        set[i] |= v->irr[i];
    return vectors_of(set);
}

static void report_vcpu(const struct vm *vm, const struct vcpu *v)
{
    uint64_t posted[4];
    console_line("hamlet: vm=%s vcpu=%u %s", vm->name, v->index, vcpu_system_row(v).at);
    for (unsigned row = 0; row < GPR_ROWS; row++)
        console_line("hamlet: vm=%s vcpu=%u %s", vm->name, v->index, vcpu_gpr_row(v, row).at);
    report_last_exits(vm, v);
    for (unsigned i = 0; i < 4; i++)
        posted[i] = atomic_load(&v->pi_desc->pir[i]);
    console_line("hamlet: vm=%s vcpu=%u posted=%s requested=%s in-service=%s halted=%u", vm->name,
                 v->index, vectors_of(posted).at, apic_vectors(v, APIC_IRR).at,
                 apic_vectors(v, APIC_ISR).at, v->halted);
}

static void report_access(const struct vm *vm, const struct vm_access *a)
{
    bdf_t bdf = (bdf_t)(a->at >> 16);
    if (a->config)
        console_line("hamlet: vm=%s vcpu=%u last-access=config device=" BDF_FMT
                     " register=0x%lx width=%u %s=0x%lx",
                     vm->name, a->vcpu, BDF_ARG(bdf), a->at & 0xffff, a->width,
                     a->write ? "wrote" : "read", a->value);
    else
        console_line("hamlet: vm=%s vcpu=%u last-access=mmio address=0x%lx width=%u %s=0x%lx",
                     vm->name, a->vcpu, a->at, a->width, a->write ? "wrote" : "read", a->value);
}

/* The guest crashed: print registers, interrupts and the last accesses, so that a reader
 * finds the cause. */
static void report_death(const struct vm *vm)
{
    for (struct vcpu *v = vm_next_vcpu(vm, NULL); v; v = vm_next_vcpu(vm, v)) {
        if (!vm->dumped)
            vcpu_dump(v);
        report_vcpu(vm, v);
    }
    uint64_t first = vm->access_count - MIN(vm->access_count, (uint64_t)VM_ACCESS_MAX);
    for (uint64_t n = first; n < vm->access_count; n++)
        report_access(vm, &vm->accesses[n % VM_ACCESS_MAX]);
}

/* The row is a guest's text, so no other line of the report begins so. */
static void report_screen(const struct vm *vm)
{
    char text[SCREEN_COLUMNS + 1];
    for (unsigned row = 0; row < SCREEN_ROWS; row++)
        if (legacy_row(vm, row, text))
            console_line("hamlet: screen vm=%s row=%u |%s", vm->name, row, text);
}

void report_vm(const struct vm *vm)
{
    report_screen(vm);
    if (vm->exit_status == VM_EXIT_CRASH)
        report_death(vm);
    report_devices(vm);
    report_exits(vm);
    if (vm->config.run)
        console_line("hamlet: vm=%s run=%lu rax=0x%lx length=%lu tsc-per-run=%lu", vm->name,
                     vm->config.run - vm->steps_left, vm->step_rax, vm->step_rip - vm->start.rip,
                     vm->step_ticks / MAX(vm->config.run - 1, UINT64_C(1)));
    const char *why = vm->exit_status == VM_EXIT_HALTED ? "halted with interrupts off" : vm->why;
    if (why[0])
        console_line("hamlet: vm=%s why=\"%s\"", vm->name, why);
    console_line("hamlet: vm=%s exit=%u exits=%lu faults=%lu", vm->name, vm->exit_status,
                 vm_exits(vm), vm->fault_count);
}
