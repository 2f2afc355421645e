/* SPDX-License-Identifier: MIT */
/*
 * The VM under the debugger: which one, stopping it whole, letting some of its vCPUs go on, and the
 * breakpoints at which they stop. Breakpoints are armed just before the vCPUs go on, and disarmed
 * when they rest: the memory and the registers of a guest at rest hold nothing of Hamlet's.
 * From: monitor/gdb/gdb.c; from exits by vm_hooks.debug.   To: guest/life/control.c,
 * vmx/vcpu/debug.c, monitor/memory.c.
 * Spec: SDM "Debug Control Register (DR7)", "Breakpoint Exception (#BP)".
 *
 * INVARIANT: `breaks` and the registers change only while the VM is at rest; its vCPUs read them.
 */
#include "arch/options.h"
#include "guest/core/memory.h"
#include "guest/life/life.h"
#include "lib/elf.h"
#include "lib/string.h"
#include "monitor/gdb/gdb.h"
#include "monitor/memory.h"
#include "vmx/vcpu/debug.h"
#include "vmx/vmcs_fields.h"
#define LOG "gdb"
#include "arch/log.h"

#define INT3       0xcc
#define BREAK_MAX  32
#define DR_COUNT   4
#define DR7_ALL(n) (DR7_LOCAL(n) | BITS(19 + 4 * (n), 16 + 4 * (n)))

static struct {
    uint32_t due; /* by index, VMs whose debugger has not come yet */
    struct vm *vm;
    bool armed;   /* the breakpoints below are in its memory and registers */
    bool crashed; /* the VM ends when the debugger lets it go on */
    struct happening {
        bool due; /* the debugger has not had an answer about it yet */
        enum debug_event event;
        unsigned n; /* DEBUG_REGISTER: the number of the register */
    } happened[VM_VCPU_MAX];
    struct int3 {
        bool used;
        gpa_t at;     /* of the byte, so that it is met in every address space */
        uint8_t byte; /* of the guest, while the INT3 stands there */
    } breaks[BREAK_MAX];
    struct vcpu_debug registers;
    char kinds[DR_COUNT]; /* of `registers`, as GDB numbers them */
} target;

void target_choose(struct vm *vm)
{
    uint32_t due = target.due | (vm ? (uint32_t)BIT(vm->index) : 0);
    memset(&target, 0, sizeof(target));
    target.vm = vm;
    target.due = due;
}

struct vm *target_vm(void) { return target.vm; }

static bool is_alive(void) { return target.vm && vm_is_up(target.vm); }

/* A VM with run= is none for a debugger: run= uses the monitor trap flag already. */
static bool on_start(struct vm *vm)
{
    bool each = *options.gdb_vm == '*';
    if (vm->config.run)
        return false;
    if (!target.vm && (each || !*options.gdb_vm || !strcmp(vm->name, options.gdb_vm)))
        target_choose(vm);
    if (target.vm != vm && !each)
        return false;
    log_info("vm=%s %s", vm->name, options.gdb_wait ? "waits for the debugger" : "can be debugged");
    target.due |= (uint32_t)BIT(vm->index);
    return options.gdb_wait;
}

void target_next(void)
{
    struct vm *vm = target.vm;
    if (!vm || !(target.due & BIT(vm->index)))
        for (vm = vm_next(NULL); vm && !(target.due & BIT(vm->index));)
            vm = vm_next(vm);
    if (!vm)
        return;
    target_choose(vm);
    target.due &= ~(uint32_t)BIT(vm->index);
}

struct vcpu *target_thread(uint64_t id)
{
    return is_alive() && id >= 1 && id <= target.vm->vcpu_count ? target.vm->vcpus[id - 1] : NULL;
}

bool target_file_is_wide(void)
{
    const struct boot_module *kernel = target.vm ? target.vm->config.kernel : NULL;
    const struct elf_ident *ident = kernel ? (const void *)kernel->data : NULL;
    return ident && kernel->size >= sizeof(*ident) && memcmp(ident->magic, ELF_MAGIC, 4) == 0 &&
           ident->class == ELF_CLASS64;
}

/* --- Breakpoints ------------------------------------------------------------------------------ */

/* The INT3 at `at`; NULL: there is none. */
static struct int3 *break_at(gpa_t at)
{
    for (struct int3 *b = target.breaks; b < target.breaks + BREAK_MAX; b++)
        if (b->used && b->at.v == at.v)
            return b;
    return NULL;
}

/* Enable, R/W and LEN of register n; 0: the CPU does not watch that. */
static uint64_t dr7_of(unsigned n, char kind, uint64_t at, uint64_t size)
{
    static const uint8_t rw[] = {['1'] = 0, ['2'] = 1, ['3'] = 3, ['4'] = 3};
    static const uint8_t lengths[] = {[1] = 0, [2] = 1, [4] = 3, [8] = 2};
    size = kind == '1' ? 1 : size;
    if (size > 8 || size & (size - 1) || !size || at % size)
        return 0;
    return DR7_LOCAL(n) | (uint64_t)(rw[(int)kind] | lengths[size] << 2) << (16 + 4 * n);
}

/* Events of the register that the debugger has not had yet are dropped: they were the old one's. */
static bool register_change(bool set, char kind, uint64_t at, uint64_t size)
{
    struct vcpu_debug *r = &target.registers;
    for (unsigned n = 0; n < DR_COUNT; n++) {
        uint64_t bits = dr7_of(n, kind, at, size);
        bool same = target.kinds[n] == kind && r->dr[n] == at && (r->dr7 & DR7_ALL(n)) == bits;
        if (!bits || (set ? target.kinds[n] != 0 : !same))
            continue;
        target.kinds[n] = set ? kind : 0;
        r->dr[n] = at;
        r->dr7 = (r->dr7 & ~DR7_ALL(n)) | (set ? bits : 0);
        for (unsigned i = 0; i < VM_VCPU_MAX; i++)
            if (target.happened[i].event == DEBUG_REGISTER && target.happened[i].n == n)
                target.happened[i].due = false;
        return true;
    }
    return false;
}

bool target_break(struct vcpu *v, bool set, char kind, uint64_t at, uint64_t size)
{
    struct memory_walk w = {0};
    if (kind != '0')
        return register_change(set, kind, at, size);
    if (memory_walk(v, at, &w))
        return false;
    struct int3 *b = break_at(w.end.gpa);
    for (unsigned i = 0; set && !b && i < BREAK_MAX; i++)
        b = target.breaks[i].used ? NULL : &target.breaks[i];
    if (!b || !vm_ram(target.vm, w.end.gpa, 1))
        return false;
    *b = (struct int3){.used = set, .at = w.end.gpa};
    return true;
}

void target_forget_breaks(void)
{
    memset(target.breaks, 0, sizeof(target.breaks));
    memset(target.kinds, 0, sizeof(target.kinds));
    target.registers = (struct vcpu_debug){0};
}

/* --- Rest and motion -------------------------------------------------------------------------- */

/* Where the INT3 is to stand in the guest's memory; NULL: `b` is not in use. */
static uint8_t *break_byte(const struct int3 *b)
{
    return b->used ? vm_ram(target.vm, b->at, 1) : NULL;
}

static void disarm(void)
{
    target.armed = false;
    if (!is_alive())
        return;
    for (struct int3 *b = target.breaks; b < target.breaks + BREAK_MAX; b++)
        if (break_byte(b) && *break_byte(b) == INT3) /* a byte that the guest has written stays */
            *break_byte(b) = b->byte;
    for (struct vcpu *v = vm_next_vcpu(target.vm, NULL); v; v = vm_next_vcpu(target.vm, v))
        vcpu_debug_disarm(v);
}

/* False: this CPU cannot. */
static bool arm(const char actions[VM_VCPU_MAX])
{
    bool able = true;
    target.armed = true;
    target.registers.int3 = false;
    for (struct int3 *b = target.breaks; b < target.breaks + BREAK_MAX; b++)
        if (break_byte(b)) {
            target.registers.int3 = true;
            b->byte = *break_byte(b);
            *break_byte(b) = INT3;
        }
    for (unsigned i = 0; i < target.vm->vcpu_count && able; i++) {
        struct vcpu_debug want = target.registers;
        want.step = actions[i] == 's';
        able = !actions[i] || vcpu_debug_arm(target.vm->vcpus[i], &want) == 0;
    }
    if (!able)
        disarm();
    return able;
}

/* A reset that the console has asked for comes first. */
bool target_at_rest(void)
{
    const struct vm *vm = target.vm;
    if (vm && vm->state != VM_ENDED &&
        (vm->state != VM_PAUSED || vm->reset_wanted || !vm_is_still(vm)))
        return false;
    if (target.armed)
        disarm();
    return true;
}

void target_pause(void)
{
    if (target.vm)
        IGNORE(vm_pause(target.vm));
}

/* The first vCPU with an event that is due; VM_VCPU_MAX: none. */
static unsigned first_due(void)
{
    unsigned i = 0;
    while (i < VM_VCPU_MAX && !target.happened[i].due)
        i++;
    return i;
}

bool target_go(const char actions[VM_VCPU_MAX])
{
    uint32_t vcpus = 0;
    if (!is_alive())
        return false;
    if (target.crashed) {
        vm_end(target.vm, VM_EXIT_CRASH);
        return true;
    }
    /* Two vCPUs have stopped at once: the second event is answered before any vCPU goes on. */
    if (first_due() < VM_VCPU_MAX)
        return true;
    for (unsigned i = 0; i < VM_VCPU_MAX; i++)
        vcpus |= actions[i] ? (uint32_t)BIT(i) : 0;
    return arm(actions) && vm_resume_some(target.vm, vcpus) == 0;
}

void target_detach(void)
{
    target_forget_breaks();
    memset(target.happened, 0, sizeof(target.happened));
    if (is_alive() && target.crashed)
        vm_end(target.vm, VM_EXIT_CRASH);
    else if (is_alive())
        IGNORE(vm_resume(target.vm));
}

void target_end(const char *why)
{
    if (target.vm)
        vm_fail(target.vm, "%s", why);
}

/* --- What happened ---------------------------------------------------------------------------- */

/* On the CPU of v, while others of the VM may still run. */
static bool on_event(struct vcpu *v, enum debug_event event, unsigned n)
{
    if (v->vm != target.vm || !target.armed)
        return false;
    if (event == DEBUG_INT3) { /* the guest may use INT3, too */
        struct vcpu_paging s;
        struct memory_walk w = {0};
        memory_paging(v, &s);
        if (memory_walk(v, s.segment_base[SEG_CS] + s.rip, &w) || !break_at(w.end.gpa))
            return false;
    }
    target.happened[v->index] = (struct happening){true, event, n};
    target.crashed |= event == DEBUG_CRASH;
    return true;
}

uint64_t target_stopped(void)
{
    unsigned i = first_due();
    return i < VM_VCPU_MAX ? i + 1 : 1;
}

static void tell_end(struct gdb_line *l)
{
    unsigned status = target.vm ? target.vm->exit_status : 0;
    if (status == VM_EXIT_CRASH)
        gdb_answer_text(l, "X%02x", target.crashed ? SIGNAL_SEGV : SIGNAL_KILL);
    else
        gdb_answer_text(l, "W%02x", (status >> 1) & 0xff); /* port 0xF4: value << 1 | 1 */
}

uint64_t target_why(struct gdb_line *l, unsigned signal)
{
    static const char *const watched[] = {"watch", "rwatch", "awatch"};
    unsigned i = first_due();
    struct happening *h = &target.happened[i];
    if (!is_alive()) {
        tell_end(l);
        return 1;
    }
    if (i == VM_VCPU_MAX) {
        gdb_answer_text(l, "T%02xthread:1;", signal);
        return 1;
    }
    gdb_answer_text(l, "T%02x", h->event == DEBUG_CRASH ? SIGNAL_SEGV : SIGNAL_TRAP);
    if (h->event == DEBUG_REGISTER && target.kinds[h->n] >= '2')
        gdb_answer_text(l, "%s:%lx;", watched[target.kinds[h->n] - '2'], target.registers.dr[h->n]);
    gdb_answer_text(l, "thread:%x;", i + 1);
    h->due = false;
    for (unsigned k = 0; k < VM_VCPU_MAX; k++) /* an INT3 is met again */
        target.happened[k].due &= target.happened[k].event != DEBUG_INT3;
    return i + 1;
}

void target_init(void)
{
    vm_hooks.hold = on_start;
    vm_hooks.debug = on_event;
}
