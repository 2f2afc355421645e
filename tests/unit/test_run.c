/* SPDX-License-Identifier: MIT */
/*
 * Around an entry: each exit reason has a row, VMCALL is of ring 0, and nothing that waits is
 * entered over. tests/explore/ has the same loop among other CPUs.
 * Spec: SDM Appendix C "VMX Basic Exit Reasons".
 */
#define rdtsc rdtsc_of_this_machine
#include "arch/x86.h"
#undef rdtsc
#define rdtsc model_clock
#include <stdint.h>
static uint64_t model_clock(void);
#include "vmx/run/run.c"
#include "vmx/vcpu/request.h"
#include "tests/unit/test.h"
#include <string.h>

#define EXIT(name, action)                                                                         \
    enum exit_action name(struct vcpu *of) { return (void)of, action; }
EXIT(exit_cpuid, RESUME_NEXT)
EXIT(exit_xsetbv, RESUME_SAME)
EXIT(exit_rdmsr, RESUME_SAME)
EXIT(exit_wrmsr, RESUME_SAME)
EXIT(exit_cr_access, RESUME_SAME)
EXIT(exit_task_switch, RESUME_SAME)
EXIT(exit_io_instruction, RESUME_SAME)
EXIT(exit_ept_violation, RESUME_SAME)
EXIT(exit_exception_nmi, RESUME_SAME)
EXIT(exit_window, RESUME_SAME)
EXIT(inject_ud, RESUME_OVER) /* as no other does */
EXIT(inject_gp, RESUME_SAME)
EXIT(exit_apic_access, RESUME_SAME)
EXIT(exit_apic_write, RESUME_SAME)
EXIT(exit_virtualized_eoi, RESUME_SAME)
EXIT(debug_step, RESUME_SAME)
EXIT(debug_mov_dr, RESUME_SAME)
static enum exit_action dead_halt;
enum exit_action vcpu_on_dead_halt(struct vcpu *of) { return (void)of, dead_halt; }
static uint64_t asked, asked_of;
enum exit_action vcpu_on_vmcall(struct vcpu *of, uint64_t number, uint64_t argument)
{
    (void)of;
    asked = number;
    asked_of = argument;
    return STOP_VM;
}

static struct vcpu v;
static struct ept ept;
static struct pi_desc pid;
static uint64_t fields[0x8000], now;
static unsigned entries, elsewhere, folds, reloads;
static const char *crash;
static void (*in_guest)(void), (*at_interrupt)(void), (*at_timer)(void), (*at_address)(void);

static struct cpu cpu;
struct cpu *this_cpu(void) { return &cpu; }
struct vmx_caps vmx_caps;
bool trace_on;
static uint64_t model_clock(void) { return now; }
uint64_t vmread(enum vmcs_field field) { return fields[field]; }
void vmwrite(enum vmcs_field field, uint64_t value) { fields[field] = value; }
void vcpu_on_crash(struct vcpu *of, const char *why) { (void)of, crash = why; }
void apic_on_init(struct vcpu *of) { (void)of; }
void apic_on_address(struct vcpu *of)
{
    (void)of;
    if (at_address)
        at_address();
}
void apic_on_timer(struct vcpu *of)
{
    of->timer_deadline = 0;
    if (at_timer)
        at_timer();
}
void apicv_fold(struct vcpu *of)
{
    folds++;
    of->pi_desc->control &= ~PI_ON;
}
void apicv_reload(struct vcpu *of) { (void)of, reloads++; }
void cpuid_reload(struct vcpu *of) { (void)of; }
void registers_reload(struct vcpu *of) { (void)of; }
void inject_what_waits(struct vcpu *of) { (void)of; }
bool inject_wakes(struct vcpu *of) { return of->irq_waits; }
void ept_flush_here(const struct ept *e, uint64_t *seen, uint64_t generation)
{
    (void)e, *seen = generation;
}
void vcpu_reset(struct vcpu *of) { (void)of; }
void vcpu_start_at_sipi(uint8_t vector) { (void)vector; }
void vcpu_dump(const struct vcpu *of) { (void)of; }
const char *exit_reason_name(uint32_t reason) { return reason == 79 ? "79" : "another"; }
const char *entry_check_guest(void) { return "a rule"; }
enum log_level log_threshold;
void log_write(enum log_level level, const char *s, const char *fmt, ...)
{
    (void)level, (void)s, (void)fmt;
}
void log_guest_write(int *budget, const char *s, const char *fmt, ...)
{
    (void)budget, (void)s, (void)fmt;
}
void panic_at(const char *file, int line, const char *fmt, ...)
{
    (void)file, (void)line, (void)fmt;
    fail();
    __builtin_unreachable();
}
void irq_dispatch(uint8_t vector)
{
    (void)vector;
    if (at_interrupt)
        at_interrupt();
}
struct vcpu *vmx_enter(struct vcpu *of)
{
    entries++;
    assert_true(entries < 10);
    elsewhere += (of->launched & LAUNCHED_ELSEWHERE) != 0;
    of->launched = LAUNCHED_ONCE; /* as vmx/enter.asm does */
    in_guest();
    return of;
}

FIXTURE(fresh)
{
    memset(fields, 0, sizeof(fields));
    pid = (struct pi_desc){0};
    v = (struct vcpu){.pi_desc = &pid, .ept = &ept, .slice_end = 1000};
    vmx_cpu(&cpu)->vcpu = &v;
    vmx_caps = (struct vmx_caps){.apicv = true};
    now = 10;
    entries = folds = reloads = 0;
    crash = NULL;
    dead_halt = RESUME_NEXT;
    in_guest = at_interrupt = at_timer = at_address = NULL;
    return 0;
}

static void exits(enum exit_reason reason) { fields[EXIT_REASON] = reason; }

/* As vmx/run/sched.c does it. */
static enum vcpu_left slice(void)
{
    v.alarm = 0;
    return vcpu_run(&v, now);
}

TEST(each_reason_has_a_row)
{
    for (unsigned i = 0; i < EXIT_REASON_COUNT; i++)
        assert_non_null(exit_table[i]);
    assert_ptr_equal(exit_table[EXIT_RDTSC], exit_unexpected);
}

static void a_failed_entry(void) { exits((enum exit_reason)(EXIT_ENTRY_GUEST_STATE | 1U << 31)); }
static void reason_79(void) { exits((enum exit_reason)79); }
static void reason_300(void) { exits((enum exit_reason)300); }

TEST(an_unexpected_exit_ends_the_vm)
{
    in_guest = a_failed_entry;
    assert_int_equal(slice(), LEFT_STOPPED);
    assert_string_equal(crash, "a rule");
    assert_int_equal(v.exit.reason, EXIT_ENTRY_GUEST_STATE);
    in_guest = reason_79;
    entries = 0;
    assert_int_equal(slice(), LEFT_STOPPED);
    assert_string_equal(crash, "79");
    in_guest = reason_300;
    entries = 0;
    assert_int_equal(slice(), LEFT_STOPPED);
    assert_string_equal(crash, "another");
    assert_int_equal(v.exit.reasons,
                     (uint64_t)EXIT_ENTRY_GUEST_STATE << 16 | 79 << 8 | (300 & 255));
}

/* For ring 3 VMCALL is #UD, as on a CPU without VMX. */
TEST(vmcall_is_of_ring_0)
{
    v.regs.gpr[RAX] = UINT64_C(5) << 32 | HC_VERSION;
    v.regs.gpr[RBX] = UINT64_C(6) << 32 | 7;
    for (unsigned mode = 0; mode < 4; mode++) { /* bits 63:32 count in 64-bit mode alone */
        fields[VM_ENTRY_CONTROLS] = mode & 1 ? ENTRY_GUEST_64BIT : 0;
        fields[GUEST_CS_ACCESS_RIGHTS] = mode & 2 ? SEG_AR_L : 0;
        assert_int_equal(exit_vmcall(&v), STOP_VM);
        assert_int_equal(asked, mode == 3 ? v.regs.gpr[RAX] : HC_VERSION);
        assert_int_equal(asked_of, mode == 3 ? v.regs.gpr[RBX] : 7);
    }
    v.regs.gpr[RAX] = HC_NOTHING;
    assert_int_equal(exit_vmcall(&v), RESUME_NEXT);
    assert_int_equal(v.regs.gpr[RAX], 0);
    for (uint64_t cpl = 1; cpl <= 3; cpl++)
        for (v.regs.gpr[RAX] = HC_NOTHING; v.regs.gpr[RAX] <= HC_EXIT_COUNT; v.regs.gpr[RAX]++) {
            fields[GUEST_SS_ACCESS_RIGHTS] = FIELD_SET(SEG_AR_DPL, cpl);
            assert_int_equal(exit_vmcall(&v), RESUME_OVER);
        }
}

static void halts(void)
{
    exits(EXIT_HLT);
    fields[GUEST_RFLAGS] = RFLAGS_IF;
    fields[VM_EXIT_INSTRUCTION_LENGTH] = 1;
}

/* RIP is behind the HLT in both cases, else the guest halts again when it is woken up. */
TEST(hlt_gives_the_cpu_away)
{
    in_guest = halts;
    fields[GUEST_RIP] = 100;
    assert_int_equal(slice(), LEFT_HALTED);
    assert_int_equal(entries, 1);
    assert_int_equal(fields[GUEST_RIP], 101);
    assert_true(v.halted);
    entries = 0; /* it is loaded, and no event ends the HLT */
    assert_int_equal(slice(), LEFT_HALTED);
    assert_int_equal(entries, 0);
    assert_true(v.halted);
}

static void halts_once(void)
{
    halts();
    if (entries == 2)
        exits(EXIT_TRIPLE_FAULT);
}

TEST(an_event_ends_hlt_at_once)
{
    in_guest = halts_once;
    fields[GUEST_RIP] = 100;
    v.irq_waits = 1;
    assert_int_equal(slice(), LEFT_STOPPED);
    assert_int_equal(entries, 2);
    assert_int_equal(fields[GUEST_RIP], 101);
    assert_false(v.halted);
}

static void halts_masked(void)
{
    halts();
    fields[GUEST_RFLAGS] = 0;
}

TEST(hlt_with_if_0)
{
    in_guest = halts_masked;
    assert_int_equal(slice(), LEFT_HALTED);
    assert_true(v.halted_masked);
    v.halted = false;
    entries = 0;
    dead_halt = STOP_VM; /* no vCPU could ever end it */
    assert_int_equal(slice(), LEFT_STOPPED);
}

/* --- The alarm -------------------------------------------------------------------------------- */

static void computes_then_ends(void)
{
    exits(EXIT_CPUID);
    if (entries == 3)
        now = 1000;
}

TEST(the_slice_ends_at_an_exit_too)
{
    in_guest = computes_then_ends;
    assert_int_equal(slice(), LEFT_PREEMPTED);
    assert_int_equal(entries, 3);
    assert_int_equal(fields[PREEMPTION_TIMER_VALUE], 991);
}

static void takes_a_kick(void) { exits(entries < 3 ? EXIT_EXTERNAL_INTERRUPT : EXIT_TRIPLE_FAULT); }
/* The handler as in vmx/run/sched.c: tests/unit/test_sched.c. */
static void another_cpu_asked(void)
{
    atomic_fetch_or(&v.requests, entries == 1 ? VCPU_REQUEST_RELOAD : VCPU_REQUEST_STOP);
    v.alarm = 0;
}

TEST(a_kick_brings_a_request)
{
    in_guest = takes_a_kick;
    at_interrupt = another_cpu_asked;
    assert_int_equal(slice(), LEFT_STOPPED);
    assert_int_equal(entries, 2);
    assert_int_equal(reloads, 1);
    assert_null(crash);
}

static void posts(void) { pid.control |= PI_ON; }

static void asks_for_a_reload(void) { vcpu_request(&v, VCPU_REQUEST_RELOAD); }
static void triple_faults(void) { exits(EXIT_TRIPLE_FAULT); }

/* A device's alarm may change the EOI-exit bitmap: the bitmap is new when the guest goes on. */
TEST(what_the_timer_asks_for_is_done_before_the_entry)
{
    v.timer_deadline = 5;
    at_timer = asks_for_a_reload;
    in_guest = triple_faults;
    assert_int_equal(slice(), LEFT_STOPPED);
    assert_int_equal(reloads, 1);
    assert_int_equal(v.requests, 0);
}

/* So may a message that goes to another vCPU now. */
TEST(what_a_new_address_asks_for_is_done_before_the_entry)
{
    v.requests = VCPU_REQUEST_ADDRESS;
    at_address = asks_for_a_reload;
    in_guest = triple_faults;
    assert_int_equal(slice(), LEFT_STOPPED);
    assert_int_equal(reloads, 1);
    assert_int_equal(v.requests, 0);
}

/* A request that stays would never let the vCPU sleep. */
TEST(the_request_folds_without_on)
{
    in_guest = triple_faults;
    v.requests = VCPU_REQUEST_FOLD;
    assert_int_equal(slice(), LEFT_STOPPED);
    assert_int_equal(folds, 1);
    assert_int_equal(v.requests, 0);
}

static void posts_and_computes(void)
{
    exits(EXIT_CPUID);
    posts();
    if (entries == 3)
        exits(EXIT_TRIPLE_FAULT);
}

/* With a hypervisor below a notification may be lost. */
TEST(nested_looks_at_each_entry)
{
    in_guest = posts_and_computes;
    vmx_caps.nested = true;
    assert_int_equal(slice(), LEFT_STOPPED);
    assert_int_equal(folds, 2);
    vmx_caps.nested = false;
    folds = entries = 0;
    pid.control = 0;
    assert_int_equal(slice(), LEFT_STOPPED);
    assert_int_equal(folds, 0); /* the CPU does it */
}

static unsigned alarms;
static void waits_for_its_turn(void)
{
    exits(entries == 3 ? EXIT_TRIPLE_FAULT : EXIT_CPUID);
    alarms += v.alarm == 0;
}

TEST(a_request_that_waits_is_asked_at_each_exit)
{
    in_guest = waits_for_its_turn;
    v.requests = VCPU_REQUEST_NMI;
    alarms = 0;
    assert_int_equal(slice(), LEFT_STOPPED);
    assert_int_equal(alarms, 3);
    v.requests = 0;
    alarms = entries = 0;
    assert_int_equal(slice(), LEFT_STOPPED);
    assert_int_equal(alarms, 0);
}

static __attribute__((noinline)) void slice_from_here(unsigned expected)
{
    entries = elsewhere = 0;
    now = 10;
    assert_int_equal(slice(), LEFT_PREEMPTED);
    assert_int_equal(entries, 3);
    assert_int_equal(elsewhere, expected);
}

static __attribute__((noinline)) void slice_from_below(unsigned expected)
{
    slice_from_here(expected);
}

/* Then HOST_RSP is looked at, and never else, as one slice after the other begins there. */
TEST(a_slice_may_begin_on_another_stack)
{
    in_guest = computes_then_ends;
    slice_from_here(1);
    slice_from_here(0);
    slice_from_below(1);
    slice_from_below(0);
    slice_from_here(1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = {
        T(each_reason_has_a_row),
        T(an_unexpected_exit_ends_the_vm),
        T(vmcall_is_of_ring_0),
        T(hlt_gives_the_cpu_away),
        T(an_event_ends_hlt_at_once),
        T(hlt_with_if_0),
        T(the_slice_ends_at_an_exit_too),
        T(a_kick_brings_a_request),
        T(the_request_folds_without_on),
        T(what_the_timer_asks_for_is_done_before_the_entry),
        T(what_a_new_address_asks_for_is_done_before_the_entry),
        T(nested_looks_at_each_entry),
        T(a_request_that_waits_is_asked_at_each_exit),
        T(a_slice_may_begin_on_another_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
