/* SPDX-License-Identifier: MIT */
/*
 * No interrupt is lost and no vCPU sleeps with work: proved for a few interrupts by going through
 * every interleaving, one atomic operation at a time, of a device that posts, vCPUs that run, are
 * preempted, halt, are woken, migrate, send IPIs, with an exit or without; one is stopped. A VM
 * has ended if all its vCPUs sleep with interrupts off, but not while an NMI is on its way. The
 * descriptor, the scheduler, the fold and the loop around a VM entry are the real ones; the guest,
 * the local APICs and the clock are played.
 * From: make unit (a first depth), make explore (deeper, and with every rule broken on purpose).
 * Spec: SDM "Posted-Interrupt Processing", "IPI Virtualization"; VT-d "Interrupt-Posting Hardware
 * Operation".
 */
#define rdtsc rdtsc_of_this_machine
#include "arch/x86.h"
#undef rdtsc
#define rdtsc model_clock
#include <stdint.h>
static uint64_t model_clock(void);
#include "vmx/vcpu/posted.c"
#include "vmx/run/sched.c"
#include "vmx/run/sched_start.c"
#include "vmx/run/sched_wake.c"
#include "vmx/run/place.c"
#include "vmx/vcpu/apicv.c"
#include "vmx/run/post.c"
#include "vmx/run/run.c"
#include "guest/life/dead.c"
#include "tests/explore/explore.h"
#include "tests/explore/shapes.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CPUS_MAX     2
#define VCPUS_MAX    2
#define FIRST_VECTOR 40

enum { IPI_ANV, IPI_WNV, IPI_KICK, GUEST_HLT, GUEST_SLICE, GUEST_SENDS, GUEST_POSTS };
#define IPIS ((uint32_t)(BIT(IPI_ANV) | BIT(IPI_WNV) | BIT(IPI_KICK)))

static struct world {
    struct cpu
        cpus[CPUS_MAX + 3]; /* the last are those of the device and of who looks on from outside */
    struct vcpu vcpus[VCPUS_MAX];
    struct pi_desc pids[VCPUS_MAX];
    struct ept ept;
    uint32_t pending[CPUS_MAX];                     /* IPIs, and what the guest may do */
    uint64_t clock[CPUS_MAX];                       /* slices that have ended, in microseconds */
    uint64_t timer[CPUS_MAX], preemption[CPUS_MAX]; /* when the CPU's timers fire; 0: never */
    uint64_t posted, taken[VCPUS_MAX];              /* vectors, counted from FIRST_VECTOR */
    uint64_t reason[CPUS_MAX];
    uint64_t mode, loaded, led; /* of the APIC of vCPU 0; what its VMCS says, and its messages */
    unsigned slices, halts, ipis, icrs;
    bool reset, started; /* vCPU 0 has taken the INIT; and the STARTUP behind it */
    bool waits;          /* for a STARTUP */
    unsigned nmis, nmis_taken;
    bool ended; /* the VM */
} w;
static struct shape shape; /* of this search */

/* --- The machine around the code -------------------------------------------------------------- */

struct cpu *this_cpu(void) { return &w.cpus[explore_current() % ACTORS_MAX]; }
unsigned cpu_count(void) { return shape.cpus; }
struct cpu *cpu_get(unsigned index) { return &w.cpus[index]; }
void cpu_kick(struct cpu *cpu) { w.pending[cpu->index] |= BIT(IPI_KICK); }
void apic_ipi(uint32_t apic_id, uint8_t vector)
{
    w.pending[apic_id] |= vector == VECTOR_ANV   ? BIT(IPI_ANV)
                          : vector == VECTOR_WNV ? BIT(IPI_WNV)
                                                 : BIT(IPI_KICK);
}
void apic_timer_at(uint64_t tsc) { w.timer[this_cpu()->index] = tsc; }
static uint64_t model_clock(void) { return w.clock[this_cpu()->index]; }

static const char in_guest[] = "in the guest", in_wait[] = "cpu_wait";

static void dispatch_ipi(unsigned ipi)
{
    w.pending[this_cpu()->index] &= ~(uint32_t)BIT(ipi);
    (ipi == IPI_WNV ? on_wake_up : on_kick)(NULL);
}

/* No timer ends this sleep: what is forgotten stays forgotten. */
void cpu_wait(void) { dispatch_ipi(explore_choose(&w.pending[this_cpu()->index], IPIS, in_wait)); }

void vcpu_load(struct vcpu *v)
{
    for (unsigned c = 0; c < shape.cpus; c++)
        if (&w.cpus[c] != this_cpu() && vmx_cpu(&w.cpus[c])->vcpu == v)
            explore_failed("vCPU %u is in two CPUs", v->index);
    this_vmx_cpu()->vcpu = v;
}
void vcpu_release(struct vcpu *v)
{
    if (this_vmx_cpu()->vcpu == v)
        this_vmx_cpu()->vcpu = NULL;
}

#include "tests/explore/dead.h"

/* --- The guest -------------------------------------------------------------------------------- */

static void handle(struct vcpu *v, uint64_t irr[4])
{
    uint64_t vectors = irr[0] >> FIRST_VECTOR;
    if (w.taken[v->index] & vectors)
        explore_failed("vCPU %u got an interrupt twice", v->index);
    w.taken[v->index] |= vectors;
    irr[0] = 0;
}

bool inject_wakes(struct vcpu *v) { return v->irr[0] != 0 || dead_wakes(v); }
void inject_what_waits(struct vcpu *v)
{
    handle(v, v->irr);
    v->irq_waits = 0;
    dead_takes_nmi(v);
}

static void exits_with(uint64_t reason) { w.reason[this_cpu()->index] = reason; }

/* SDM "Posted-Interrupt Processing": the CPU does what software does in posted_take(). */
static void processes_posted_interrupts(struct vcpu *v)
{
    uint64_t irr[4] = {0};
    w.pending[this_cpu()->index] &= ~(uint32_t)BIT(IPI_ANV);
    posted_take(v->pi_desc, irr);
    handle(v, irr);
}

static uint8_t next_vector(void)
{
    unsigned n = (unsigned)__builtin_popcountll(w.posted);
    w.posted |= BIT(n);
    return (uint8_t)(FIRST_VECTOR + n);
}

/* The other vCPU, or the same. */
static struct vcpu *target_of(const struct vcpu *v) { return &w.vcpus[shape.vcpus - 1 - v->index]; }

/* SDM "IPI Virtualization", the pseudocode: PIR, and then the notification, under a lock each. */
static void posts_by_icr(const struct vcpu *v)
{
    struct pi_desc *d = target_of(v)->pi_desc;
    atomic_fetch_or(&d->pir[0], BIT(next_vector()));
    uint64_t old = atomic_load(&d->control);
    do {
        if (old & (PI_ON | PI_SN))
            return;
    } while (!atomic_replace(&d->control, &old, old | PI_ON));
    apic_ipi((uint32_t)FIELD_GET(PI_NDST, old), (uint8_t)FIELD_GET(PI_NV, old));
}

/* A guest does what it still may; then it only computes. */
struct vcpu *vmx_enter(struct vcpu *v)
{
    unsigned cpu = this_cpu()->index;
    if (v->index == 0 && w.waits)
        explore_failed("vCPU 0 runs without a STARTUP");
    if (v->halted)
        explore_failed("vCPU %u goes on behind an HLT that no event has ended", v->index);
    for (;;) {
        uint32_t can =
            (uint32_t)((w.halts ? BIT(GUEST_HLT) : 0) | (w.slices ? BIT(GUEST_SLICE) : 0) |
                       (w.ipis ? BIT(GUEST_SENDS) : 0) | (w.icrs ? BIT(GUEST_POSTS) : 0));
        w.pending[cpu] = (w.pending[cpu] & IPIS) | can;
        unsigned way = explore_choose(&w.pending[cpu], UINT32_MAX, in_guest);
        w.pending[cpu] &= IPIS;
        switch (way) {
        case IPI_ANV:
            processes_posted_interrupts(v);
            break;
        case GUEST_HLT:
            if (!w.halts)
                break;
            w.halts--;
            exits_with(EXIT_HLT);
            return v;
        case GUEST_SLICE:
            if (!w.slices)
                break; /* another has had the last */
            w.slices--;
            w.clock[cpu] += SCHED_SLICE_US;
            exits_with(EXIT_PREEMPTION_TIMER);
            return v;
        case GUEST_SENDS:
            if (!w.ipis)
                break;
            w.ipis--;
            exits_with(EXIT_VMCALL);
            return v;
        case GUEST_POSTS:
            if (!w.icrs)
                break;
            w.icrs--;
            posts_by_icr(v);
            break;
        default:
            exits_with(EXIT_EXTERNAL_INTERRUPT);
            return v;
        }
    }
}

void irq_dispatch(uint8_t vector)
{
    (void)vector;
    uint32_t pending = w.pending[this_cpu()->index] & (uint32_t)(BIT(IPI_WNV) | BIT(IPI_KICK));
    if (pending)
        dispatch_ipi((unsigned)__builtin_ctz(pending));
}

enum exit_action vcpu_on_vmcall(struct vcpu *v, uint64_t number, uint64_t argument)
{
    (void)number, (void)argument;
    if (shape.dead)
        dead_sends_nmi(target_of(v));
    else
        vcpu_post(target_of(v), next_vector());
    return RESUME_SAME;
}

uint64_t vmread(enum vmcs_field field)
{
    return field == EXIT_REASON    ? w.reason[this_cpu()->index]
           : field == GUEST_RFLAGS ? (shape.dead ? 0 : RFLAGS_IF)
                                   : 0;
}
void vmwrite(enum vmcs_field field, uint64_t value)
{
    if (field == PREEMPTION_TIMER_VALUE)
        w.preemption[this_cpu()->index] = model_clock() + value;
    if (field == MSR_BITMAP && this_vmx_cpu()->vcpu == &w.vcpus[0])
        w.loaded = w.mode;
}

#include "tests/explore/posting.h"

/* --- Actors ----------------------------------------------------------------------------------- */

static bool never(void) { return false; }
static void cpu_actor(void) { sched_run(never); }

/* As the unit does it; in two steps, which gives the others more ways between them
 * than hardware does. */
static void device_actor(void)
{
    struct vcpu *last = &w.vcpus[shape.vcpus - 1];
    for (unsigned i = 0; i < shape.posts; i++) {
        uint64_t control = posted_post(&w.pids[i % shape.vcpus], next_vector());
        if (control)
            apic_ipi(posted_apic_id(control, true), (uint8_t)FIELD_GET(PI_NV, control));
    }
    for (unsigned i = 0; i < shape.startups; i++) {
        w.reset = w.started = false;
        vcpu_init_signal(&w.vcpus[0]);
        if (!shape.stop || i + 1 < shape.startups)
            vcpu_sipi(&w.vcpus[0], 8);
    }
    for (unsigned i = 0; i < shape.requests; i++) {
        vcpu_nmi(last);
        vcpu_nmi(last);
        vcpu_extint(last, true);
        vcpu_extint(last, false);
    }
}

static void outside_actor(void)
{
    for (unsigned i = 0; i < shape.wakes; i++)
        sched_wake(&w.vcpus[0]);
    for (unsigned i = 0; i < shape.requests; i++) {
        w.mode++;
        vcpu_address_changed(&w.vcpus[0]);
        vcpu_apic_mode_changed(&w.vcpus[0]);
    }
    for (unsigned i = shape.deadlines; i > 0; i--) {
        vcpu_set_deadline(&w.vcpus[0], 100 * i);
        sched_wake(&w.vcpus[0]);
    }
    if (shape.stop)
        sched_request_stop(&w.vcpus[0]);
    if (shape.dead)
        dead_tick();
}

/* --- What has to hold when no actor can go on ------------------------------------------------ */

static unsigned count_on(const struct vcpu_list *list, const struct vcpu *v)
{
    unsigned n = 0;
    for (const struct vcpu *at = list->first; at; at = at->next)
        n += at == v;
    return n;
}

static bool in_the_guest(unsigned cpu) { return explore_waits_for(cpu) == in_guest; }

/* READY is right only while another vCPU computes on that CPU, and then no post
 * notifies it. To be stopped is for its turn, too. */
static bool may_be(const struct vcpu *v)
{
    bool stopped = shape.stop && v->index == 0, sn = v->pi_desc->control & PI_SN;
    bool computes = in_the_guest(v->cpu->index), here = vmx_cpu(v->cpu)->vcpu == v;
    switch (v->state) {
    case VCPU_STOPPED:
        return stopped && sn;
    case VCPU_RUNNING:
        return computes && here && !stopped && !sn;
    case VCPU_READY:
        return computes && !here && sn;
    case VCPU_HALTED:
        return !stopped && !sn;
    default:
        return false;
    }
}

static const char *const state_names[] = {[VCPU_STOPPED] = "stopped",
                                          [VCPU_WAIT_SIPI] = "wait-for-sipi",
                                          [VCPU_READY] = "ready",
                                          [VCPU_RUNNING] = "running",
                                          [VCPU_HALTED] = "halted"};

static void check_vcpu(const struct vcpu *v)
{
    if (!may_be(v))
        explore_failed("vCPU %u is left in state %s", v->index, state_names[v->state]);
    for (unsigned c = 0; c < shape.cpus; c++) {
        bool here = v->cpu == &w.cpus[c];
        if (count_on(&queues[c].ready, v) != (here && v->state == VCPU_READY) ||
            count_on(&queues[c].halted, v) != (here && v->state == VCPU_HALTED))
            explore_failed("vCPU %u is on a list too many or too few", v->index);
    }
    /* This guest takes no NMI, so both requests have to be there; the INTR line is low again. */
    if (v->index == shape.vcpus - 1 && shape.requests &&
        (v->requests & VCPU_REQUEST_NMIS) != VCPU_REQUEST_NMIS)
        explore_failed("vCPU %u has lost a request", v->index);
    if (v->state == VCPU_RUNNING &&
        (v->requests & (VCPU_REQUEST_RELOAD | VCPU_REQUEST_ADDRESS | VCPU_REQUEST_SHARE)))
        explore_failed("vCPU %u computes with requests 0x%x", v->index, v->requests);
    if (v->index == 0 && shape.startups && !shape.stop && !w.started &&
        !(v->state == VCPU_READY && (v->requests & VCPU_REQUEST_SIPIS)))
        explore_failed("vCPU 0 has lost its %s", w.reset ? "STARTUP" : "INIT");
    if ((v->state == VCPU_HALTED || v->state == VCPU_RUNNING) && v->index == 0 &&
        (w.mode != w.loaded || w.mode != w.led))
        explore_failed("vCPU 0 goes on in an old mode of its APIC");
    if ((v->state == VCPU_HALTED || v->state == VCPU_RUNNING) &&
        (posted_pending(v->pi_desc) || v->irr[0]))
        explore_failed("vCPU %u %s with an interrupt posted", v->index,
                       v->state == VCPU_HALTED ? "sleeps" : "computes");
}

/* No clock goes on here: that the timer is armed is all. It counts one tick more than it has to. */
static void check_deadline(const struct vcpu *v)
{
    uint64_t due = v->timer_deadline, timer = w.timer[v->cpu->index];
    bool sleeps = v->state == VCPU_HALTED && (!timer || timer > due);
    bool computes = v->state == VCPU_RUNNING && w.preemption[v->cpu->index] > due + 1;
    if (due && (sleeps || computes))
        explore_failed("vCPU %u %s over its deadline", v->index, sleeps ? "sleeps" : "computes");
}

static void at_end(void)
{
    if (w.ended)
        return;
    if (shape.dead)
        dead_at_end();
    uint64_t found = w.taken[0] | w.taken[1];
    for (unsigned n = 0; n < shape.cpus; n++)
        if (!in_the_guest(n) && explore_waits_for(n) != in_wait)
            explore_failed("CPU %u waits for ever in %s", n, explore_waits_for(n));
    for (unsigned n = shape.cpus; n < shape.cpus + 2; n++)
        if (!explore_has_ended(n))
            explore_failed("an actor waits for ever in %s", explore_waits_for(n));
    for (unsigned i = 0; i < shape.vcpus; i++) {
        check_vcpu(&w.vcpus[i]);
        check_deadline(&w.vcpus[i]);
        /* of one that is READY, or STOPPED */
        found |= (w.pids[i].pir[0] | w.vcpus[i].irr[0]) >> FIRST_VECTOR;
    }
    if (found != w.posted)
        explore_failed("posted 0x%lx, found 0x%lx: lost", w.posted, found);
}

/* --- One search ------------------------------------------------------------------------------- */

static void build(void)
{
    static uint32_t apic_page[PAGE_SIZE / 4]; /* for TMR, which no actor reads */
    static const char *const names[] = {"cpu0", "cpu1"};
    for (unsigned c = 0; c < ARRAY_COUNT(w.cpus); c++) {
        w.cpus[c].index = w.cpus[c].apic_id = c;
        w.cpus[c].next_thread = &w.cpus[c];
    }
    for (unsigned c = 0; c < shape.cpus; c++) {
        vmx_cpu(&w.cpus[c])->queue = &queues[c];
        queues[c].ndst = posted_ndst(c, true);
        list_init(&queues[c].ready);
        list_init(&queues[c].halted);
        explore_actor(names[c], cpu_actor);
        explore_watch(&queues[c].idle, sizeof(queues[c].idle));
        explore_watch(&queues[c].ready.first, sizeof(queues[c].ready.first));
    }
    explore_actor("device", device_actor);
    explore_actor("outside", outside_actor);
    explore_optional(~IPIS);
    w.slices = shape.slices;
    w.halts = shape.halts;
    w.ipis = shape.ipis;
    w.icrs = shape.icrs;
    for (unsigned i = 0; i < shape.vcpus; i++) {
        struct vcpu *v = &w.vcpus[i];
        *v = (struct vcpu){.pi_desc = &w.pids[i],
                           .index = i,
                           .first = v,
                           .pinned = shape.dead ? (int)i : 0,
                           .ept = &w.ept,
                           .apic_base = APIC_BASE_EN,
                           .regs.gpr[RAX] = HC_VERSION, /* a VMCALL that is handled */
                           .vapic = apic_page};
        *v->pi_desc = PI_DESC_READY;
        explore_watch(&v->pi_desc->pir[0], 8); /* no vector is in the other words */
        explore_watch(&v->pi_desc->control, 8);
        explore_watch(&v->requests, sizeof(v->requests));
        explore_watch(&v->cpu, sizeof(v->cpu));
        explore_watch(&v->timer_deadline, sizeof(v->timer_deadline));
        sched_start(v);
        v->pinned = shape.migrate ? -1 : v->pinned;
        if (shape.dead)
            dead_watch(v);
    }
    explore_keep(&w, sizeof(w));
    explore_keep(queues, shape.cpus * sizeof(queues[0]));
    explore_keep(&start_lock, sizeof(start_lock));
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        const struct shape *shapes;
        unsigned count;
    } sets[] = {{"quick", quick, ARRAY_COUNT(quick)},
                {"deep", deep, ARRAY_COUNT(deep)},
                {"icr", icr, ARRAY_COUNT(icr)}};
    unsigned set = ARRAY_COUNT(sets) - 1;
    while (set && (argc < 2 || strcmp(argv[1], sets[set].name)))
        set--;
    if (argc <= 2) { /* each search in a process of its own: a clean world */
        for (unsigned i = 0; i < sets[set].count; i++) {
            char command[512];
            snprintf(command, sizeof(command), "%s %s %u", argv[0], sets[set].name, i);
            if (system(command))
                return 1;
        }
        return 0;
    }
    shape = sets[set].shapes[atoi(argv[2])];
    explore_search = shape.name;
    build();
    struct explore_result r = explore_all(at_end);
    printf("explore: %s: posts=%u slices=%u halts=%u ipis=%u icrs=%u wakes=%u: states=%lu "
           "steps=%lu longest=%u ends=%lu, nothing lost\n",
           shape.name, shape.posts, shape.slices, shape.halts, shape.ipis, shape.icrs, shape.wakes,
           r.states, r.steps, r.longest, r.ends);
    return 0;
}
