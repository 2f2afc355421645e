/* SPDX-License-Identifier: MIT */
/*
 * Does VM entry refuse what the manual says, and does an exit leave nothing useful in a field that
 * the manual leaves undefined?
 * From: tests/guests/mends.c      To: lab/bochs/mends/vmx.py
 * Spec: SDM "Checks on the Guest State Area", "VM-Exit Information Fields", and the sections above
 * the checks.
 */
#include "tests/guests/mends.h"

enum { ENTERED = 1, EXCEPTION, REFUSED, ELSE = 9 }; /* a digit each */
enum { VM_ENTRY_MSR_LOAD_ADDRESS = 0x200a, HALTED = 1, DEBUGCTL_BTF = 2 };
#define HOLE         (UINT64_C(2) << 30) /* as the guests in mends_code.asm */
#define RFLAGS_STEP  BIT(8)
#define NMI_CONTROLS (PIN_NMI | PIN_VIRTUAL_NMI)

extern void guest_nothing(void), guest_int1_in_shadow(void), guest_reads_hole(void),
    guest_int_without_stack(void);

static uint64_t unknown_msr[2] __attribute__((aligned(16))) = {0x12345, 0};

/* What became of an entry: into a guest that leaves by VMCALL, or by an exception, or into none. */
static unsigned entered(void)
{
    uint64_t reason = mends_run();
    if (reason == (EXIT_REASON_ENTRY_FAILURE | EXIT_ENTRY_GUEST_STATE))
        return REFUSED;
    if (reason == EXIT_EXCEPTION_NMI)
        return EXCEPTION;
    return reason == EXIT_VMCALL ? ENTERED : ELSE;
}

static void say_digits(const char *name, uint64_t seen, uint64_t wanted)
{
    mends_say(name, seen == wanted, "seen", seen);
}

static unsigned entered_with(uint64_t rflags, uint64_t blocked, uint64_t pending)
{
    mends_prepare(guest_nothing, rflags, false, false);
    vmwrite(GUEST_INTERRUPTIBILITY, blocked);
    vmwrite(GUEST_PENDING_DEBUG, pending);
    vmwrite(EXCEPTION_BITMAP, BIT(VECTOR_DB));
    return entered();
}

static unsigned entered_halted(uint64_t pending)
{
    mends_prepare(guest_nothing, RFLAGS_IF, false, false);
    vmwrite(GUEST_ACTIVITY_STATE, HALTED);
    vmwrite(GUEST_PENDING_DEBUG, pending);
    return entered();
}

static unsigned entered_by_branches(uint64_t pending)
{
    vmwrite(GUEST_IA32_DEBUGCTL, DEBUGCTL_BTF);
    unsigned seen = entered_with(RFLAGS_STEP | RFLAGS_IF, BLOCKED_BY_STI, pending);
    vmwrite(GUEST_IA32_DEBUGCTL, 0);
    return seen;
}

/* SDM "Checks on Guest Non-Register State": BS under blocking by STI or MOV SS, and in HLT, which
 * an entry with a debug exception ends; not in any other state. */
static void single_step_pending(void)
{
    uint64_t step = RFLAGS_STEP | RFLAGS_IF;
    uint64_t seen = entered_with(step, BLOCKED_BY_MOV_SS, 0);
    seen = seen * 10 + entered_with(step, BLOCKED_BY_MOV_SS, PENDING_DEBUG_BS);
    seen = seen * 10 + entered_with(step, BLOCKED_BY_STI, 0);
    seen = seen * 10 + entered_with(RFLAGS_IF, BLOCKED_BY_STI, PENDING_DEBUG_BS);
    seen = seen * 10 + entered_with(RFLAGS_IF, BLOCKED_BY_MOV_SS, PENDING_DEBUG_BS);
    seen = seen * 10 + entered_with(RFLAGS_IF, BLOCKED_BY_STI, 0);
    seen = seen * 10 + entered_halted(PENDING_DEBUG_BS);
    seen = seen * 10 + entered_by_branches(PENDING_DEBUG_BS);
    seen = seen * 10 + entered_by_branches(0);
    seen = seen * 10 + entered_with(step, 0, 0);
    seen = seen * 10 + entered_with(RFLAGS_IF, 0, PENDING_DEBUG_BS);
    say_digits("entry-single-step-pending", seen, UINT64_C(31333133112));
}

/* SDM "Saving Non-Register State": the trap after MOV SS is held back, INT1 is not, and its exit
 * saves no pending debug exceptions. */
static void debug_exit_clears_pending(void)
{
    mends_prepare(guest_int1_in_shadow, 0, false, false);
    vmwrite(EXCEPTION_BITMAP, BIT(VECTOR_DB));
    uint64_t reason = mends_run(), pending = vmread(GUEST_PENDING_DEBUG);
    mends_say("debug-exit-clears-pending",
              reason == EXIT_EXCEPTION_NMI && pending == 0 &&
                  vmread(GUEST_INTERRUPTIBILITY) == BLOCKED_BY_MOV_SS,
              "pending", pending);
}

static unsigned entered_at(uint64_t rip)
{
    mends_prepare(guest_nothing, 0, false, false);
    vmwrite(GUEST_RIP, rip);
    return entered();
}

/* SDM "Checks on Guest RIP, RFLAGS, and SSP": bits 63:48 are identical, to bit 47 or not; a guest
 * that cannot fetch there is in all the same, and leaves by #GP. */
static void rip_too_wide(void)
{
    uint64_t seen = entered_at(BIT(52));
    seen = seen * 10 + entered_at(BIT(48));
    seen = seen * 10 + entered_at(BITS(63, 49));
    seen = seen * 10 + entered_at(BITS(63, 48));
    seen = seen * 10 + entered_at(BIT(47));
    say_digits("entry-rip", seen, 33322);
}

static unsigned entered_with_nmi(uint64_t controls, uint64_t blocked)
{
    mends_prepare(guest_nothing, 0, false, false);
    vmwrite(PIN_BASED_CONTROLS, vmread(PIN_BASED_CONTROLS) | controls);
    vmwrite(GUEST_INTERRUPTIBILITY, blocked);
    vmwrite(VM_ENTRY_INTERRUPTION_INFO, EVENT_VALID | FIELD_SET(EVENT_TYPE, EVENT_NMI) | 2);
    vmwrite(GUEST_IDTR_LIMIT, 0);
    return entered();
}

/* SDM "Checks on Guest Non-Register State": with virtual NMIs none under blocking by NMI. One that
 * comes in ends in #GP: there is no IDT. */
static void nmi_while_blocked(void)
{
    uint64_t seen = entered_with_nmi(NMI_CONTROLS, BLOCKED_BY_NMI);
    seen = seen * 10 + entered_with_nmi(NMI_CONTROLS, 0);
    seen = seen * 10 + entered_with_nmi(0, BLOCKED_BY_NMI);
    say_digits("entry-nmi-blocked", seen, 322);
}

static unsigned entered_with_debugctl(uint64_t value, bool load)
{
    mends_prepare(guest_nothing, 0, false, false);
    uint64_t others = vmread(VM_ENTRY_CONTROLS) & ~ENTRY_LOAD_DEBUG;
    vmwrite(VM_ENTRY_CONTROLS, others | (load ? ENTRY_LOAD_DEBUG : 0));
    vmwrite(GUEST_IA32_DEBUGCTL, value);
    unsigned seen = entered();
    vmwrite(GUEST_IA32_DEBUGCTL, 0);
    return seen;
}

/* SDM "Checks on Guest Control Registers, Debug Registers, and MSRs" */
static void debugctl_reserved(void)
{
    unsigned refused = 0;
    for (unsigned bit = 0; bit < 64; bit++)
        refused += entered_with_debugctl(BIT(bit), true) == REFUSED;
    bool others = entered_with_debugctl(BITS(1, 0) | BITS(15, 6), true) == ENTERED &&
                  entered_with_debugctl(UINT64_MAX, false) == ENTERED;
    say_digits("entry-debugctl", others * 100 + refused, 100 + 4 + 48);
}

/* SDM "Loading MSRs" (VM entries) */
static void unknown_msr_loaded(void)
{
    mends_prepare(guest_nothing, 0, false, false);
    vmwrite(VM_ENTRY_MSR_LOAD_ADDRESS, (uint64_t)unknown_msr);
    vmwrite(VM_ENTRY_MSR_LOAD_COUNT, 1);
    uint64_t reason = mends_run();
    vmwrite(VM_ENTRY_MSR_LOAD_COUNT, 0);
    mends_say("entry-loads-known-msrs",
              reason == (EXIT_REASON_ENTRY_FAILURE | EXIT_ENTRY_MSR_LOADING), "exit", reason);
}

/* SDM "VM-Entry Controls": there is no IA32_PERF_GLOBAL_CTRL here that could be loaded. */
static void perf_global_not_offered(void)
{
    uint64_t entry = HI32(rdmsr(MSR_IA32_VMX_ENTRY_CTLS)) & ENTRY_LOAD_PERF_GLOBAL;
    uint64_t exit = HI32(rdmsr(MSR_IA32_VMX_EXIT_CTLS)) & EXIT_LOAD_PERF_GLOBAL;
    mends_say("no-perf-global", !entry && !exit, "offered", entry | exit);
}

/* SDM "Information for VM Exits Due to Instruction Execution": the length is defined for VMCALL,
 * and for an EPT violation only while a software event is delivered. */
static void length_poisoned(void)
{
    mends_prepare(guest_nothing, 0, false, false);
    uint64_t seen = mends_run() == EXIT_VMCALL && vmread(VM_EXIT_INSTRUCTION_LENGTH) == 3;
    uint64_t mapped = mends_ept_giga[HOLE >> 30];
    mends_ept_giga[HOLE >> 30] = 0;
    mends_prepare(guest_reads_hole, 0, false, true);
    seen =
        seen * 10 + (mends_run() == EXIT_EPT_VIOLATION && vmread(VM_EXIT_INSTRUCTION_LENGTH) > 15);
    mends_prepare(guest_int_without_stack, 0, false, true);
    seen =
        seen * 10 + (mends_run() == EXIT_EPT_VIOLATION && vmread(VM_EXIT_INSTRUCTION_LENGTH) == 2);
    seen = seen * 10 + (vmread(IDT_VECTORING_ERROR_CODE) != 0); /* INT n has none */
    mends_ept_giga[HOLE >> 30] = mapped;
    say_digits("undefined-is-poisoned", seen, 1111);
}

/* The same of addresses and error codes, after VMCALL: none of them is defined, and of what was
 * being delivered only that it was nothing. */
static void fields_poisoned(void)
{
    uint64_t mapped = mends_ept_giga[HOLE >> 30];
    mends_ept_giga[HOLE >> 30] = 0;
    mends_prepare(guest_reads_hole, 0, false, true);
    uint64_t seen = mends_run() == EXIT_EPT_VIOLATION && vmread(GUEST_LINEAR_ADDRESS) == HOLE &&
                    vmread(GUEST_PHYSICAL_ADDRESS) == HOLE;
    mends_ept_giga[HOLE >> 30] = mapped;
    mends_prepare(guest_nothing, 0, false, false);
    seen = seen * 10 + (mends_run() == EXIT_VMCALL && vmread(GUEST_LINEAR_ADDRESS) != HOLE);
    seen = seen * 10 + (vmread(GUEST_PHYSICAL_ADDRESS) != HOLE);
    seen = seen * 10 + (vmread(VM_EXIT_INTERRUPTION_ERROR_CODE) != 0);
    seen = seen * 10 + (vmread(IDT_VECTORING_INFO) != 0 && !(vmread(IDT_VECTORING_INFO) & BIT(31)));
    say_digits("undefined-is-poisoned-too", seen, 11111);
}

void mends_of_vmx(void)
{
    single_step_pending();
    debug_exit_clears_pending();
    rip_too_wide();
    nmi_while_blocked();
    debugctl_reserved();
    unknown_msr_loaded();
    perf_global_not_offered();
    length_poisoned();
    fields_poisoned();
}
