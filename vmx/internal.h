/* SPDX-License-Identifier: MIT */
/*
 * What the files of vmx/ share among themselves; nobody else includes this.
 * From: every file of vmx/.   To: vmx/vmx.h (what the others see).
 */
#pragma once
#include "arch/time.h"
#include "arch/x86.h"
#include "vmx/upcalls.h"
#include "vmx/vmcs_fields.h"
#include "vmx/vmx.h"

/* --- vmcs.c: the instructions. VMfail is our own bug: panic. ----------------------------------- */

struct vmcs {
    uint32_t revision; /* the rest is the CPU's own business */
};

void vmcs_failed(const char *instruction, uint64_t operand) __attribute__((noreturn, cold));

#ifdef HAMLET_UNIT /* host tests keep the fields in an array */
uint64_t vmread(enum vmcs_field field);
void vmwrite(enum vmcs_field field, uint64_t value);
#else
static inline uint64_t vmread(enum vmcs_field field)
{
    uint64_t value;
    bool failed;
    asm volatile("vmread %2, %1"
                 : "=@ccbe"(failed), "=rm"(value)
                 : "r"((uint64_t)field)
                 : "memory");
    if (__builtin_expect(failed, 0))
        vmcs_failed("VMREAD", field);
    return value;
}

static inline void vmwrite(enum vmcs_field field, uint64_t value)
{
    bool failed;
    asm volatile("vmwrite %1, %2"
                 : "=@ccbe"(failed)
                 : "rm"(value), "r"((uint64_t)field)
                 : "memory");
    if (__builtin_expect(failed, 0))
        vmcs_failed("VMWRITE", field);
}
#endif

/* VMCLEAR writes back what the CPU keeps and forgets the launch; VMPTRLD makes it current here. */
void vmcs_clear(struct vmcs *vmcs);
void vmcs_make_current(struct vmcs *vmcs);
MUST_CHECK struct vmcs *vmcs_alloc(void);
/* One per area of the VMCS; `v` is current. */
void vmcs_setup_controls(struct vcpu *v);
void vmcs_setup_host(struct vcpu *v); /* also when v has come to another CPU */
void vmcs_setup_guest(struct vcpu *v);
/* Write the control words if they differ from what the VMCS holds. */
void vmcs_set_proc(struct vcpu *v, uint32_t proc);

#define L1_ECX_HYPERVISOR BIT(31) /* CPUID leaf 1; a convention, not SDM: a hypervisor is below */

/* --- caps.c ------------------------------------------------------------------------------------ */

enum control_word { CONTROL_PIN, CONTROL_PROC, CONTROL_PROC2, CONTROL_EXIT, CONTROL_ENTRY };
/* The word as every vCPU starts with it. */
uint32_t caps_control(enum control_word word);
uint32_t caps_revision(void);
uint64_t caps_cr0_fixed(uint64_t cr0); /* with the bits that VMX operation asks for */
uint64_t caps_cr4_fixed(uint64_t cr4);
bool caps_proc_may_be_1(uint32_t bits); /* all of these primary controls */

/* --- enter.asm --------------------------------------------------------------------------------- */

/* VM entry that looks like a call: returns 0 at the VM exit, 1 after VMfailInvalid, 2 after
 * VMfailValid. Guest registers come from v->regs and are back there afterwards. */
int vmx_enter(struct vcpu *v);
void vmx_exit_point(void); /* HOST_RIP */

/* --- top.c --------------------------------------------------------------------------------------- */

void top_move_to_front(struct top *t, uint64_t at);
/* Who polls asks again for what it asked for last. */
static inline void top_count(struct top *t, uint64_t at)
{
    if (__builtin_expect(t->rows[0].at == at, 1))
        t->rows[0].count++;
    else
        top_move_to_front(t, at);
}

/* --- vcpu.c: whose VMCS is current ------------------------------------------------------------- */

/* Bring v's state into this CPU, taking the previous vCPU's state out. */
void vcpu_load(struct vcpu *v);
/* Take v's state out of this CPU, so that another one may load it. */
void vcpu_unload(struct vcpu *v);
/* Make v's VMCS current for a look or a change from outside; v is loaded here or nowhere. */
void vcpu_borrow(const struct vcpu *v);
void vcpu_return(const struct vcpu *v);
void vcpu_start_at_sipi(uint8_t vector); /* the current one */

/* --- registers.c: registers that the VMCS does not hold ------------------------------------------ */

void registers_init(void);   /* which state components there are, once */
void registers_enable(void); /* each CPU: OSFXSR, OSXSAVE */
MUST_CHECK int registers_create(struct vcpu *v);
void registers_destroy(struct vcpu *v);
void registers_reset(struct vcpu *v);
void registers_save(struct vcpu *v);
void registers_restore(struct vcpu *v);
void registers_set_xcr0(struct vcpu *v, uint64_t xcr0);

/* --- ept.c, ept_flush.c ------------------------------------------------------------------------ */

struct ept {
    uint64_t *root; /* the level-4 table */
    struct spinlock lock;
    uint64_t generation; /* counts the times that something was taken out */
    void *apic_page;
};
uint64_t ept_pointer(const struct ept *ept); /* EPTP */
/* The tables of `ept` lost an entry: no CPU goes on with what it had cached of it. */
void ept_flush(struct ept *ept);
void ept_flush_here(struct vcpu *v, uint64_t generation);
/* Before each entry: tell others that this CPU uses v->ept, and drop what has become stale. */
static inline void ept_flush_before_entry(struct cpu *cpu, struct vcpu *v)
{
    atomic_store(&cpu->guest_ept, v->ept);
    uint64_t generation = atomic_load(&v->ept->generation);
    if (__builtin_expect(v->ept_generation != generation, 0))
        ept_flush_here(v, generation);
}
/* After each exit. */
static inline void ept_out_of_guest(struct cpu *cpu)
{
    __atomic_store_n(&cpu->guest_ept, NULL, __ATOMIC_RELEASE);
}
void ept_flush_all(void); /* this CPU, everything */
void vpid_flush(const struct vcpu *v);
/* The page that the APIC-access address names, made at the first call. -ENOMEM. */
MUST_CHECK int ept_apic_page(struct ept *ept, hpa_t *page);

/* --- bitmaps.c --------------------------------------------------------------------------------- */

hpa_t bitmaps_io_a(const struct bitmaps *b);
hpa_t bitmaps_io_b(const struct bitmaps *b);
/* The MSR bitmap for a guest in x2APIC mode with a virtual-APIC page lets its registers pass. */
hpa_t bitmaps_msrs(const struct bitmaps *b, bool x2apic_virtual);

/* --- run.c ------------------------------------------------------------------------------------- */

/* Why vcpu_run() came back. */
enum vcpu_left { LEFT_PREEMPTED, LEFT_HALTED, LEFT_STOPPED, LEFT_WAIT_SIPI };
/* Run v on this CPU until it has to leave. In: loaded, RUNNING. */
enum vcpu_left vcpu_run(struct vcpu *v);
/* The only "RIP += length": also ends the blocking by STI and MOV SS, and arms the single-step trap. */
void vcpu_advance_rip(struct vcpu *v);

/* --- exit_*.c: one decoder per family of exits ------------------------------------------------- */

enum exit_action exit_cpuid(struct vcpu *v);
enum exit_action exit_xsetbv(struct vcpu *v);
enum exit_action exit_rdmsr(struct vcpu *v);
enum exit_action exit_wrmsr(struct vcpu *v);
enum exit_action exit_cr_access(struct vcpu *v);
enum exit_action exit_io_instruction(struct vcpu *v);
enum exit_action exit_ept_violation(struct vcpu *v);
enum exit_action exit_exception_nmi(struct vcpu *v);
enum exit_action exit_external_interrupt(struct vcpu *v);
enum exit_action exit_interrupt_window(struct vcpu *v);
enum exit_action exit_nmi_window(struct vcpu *v);
enum exit_action exit_apic_access(struct vcpu *v);
enum exit_action exit_apic_write(struct vcpu *v);
enum exit_action exit_virtualized_eoi(struct vcpu *v);

/* debug.c: exceptions that a debugger, or the guest itself, has set; one step; DRs that are not the guest's */
enum exit_action debug_exception(struct vcpu *v, uint32_t info);
enum exit_action debug_int3(struct vcpu *v, uint32_t info);
enum exit_action debug_step(struct vcpu *v);
enum exit_action debug_mov_dr(struct vcpu *v);
void debug_write_dr7(struct vcpu *v, uint64_t value); /* the guest's, wherever it is now */

void cpuid_init(void);          /* prepare the answers, once */
uint64_t cpuid_guest_cr4(void); /* the bits of CR4 whose features the guest is offered */
void msr_open_bitmap(struct bitmaps *b);
/* CR0 and CR4 as the guest believes them to be. */
uint64_t cr0_guest_view(void);
uint64_t cr4_guest_view(void);
void cr0_write(uint64_t value); /* real register and shadow; `value` has been checked */
void cr4_write(uint64_t value);

/* --- inject.c, apicv.c ------------------------------------------------------------------------- */

/* An event was under way to the guest when this exit came: give it again. */
void inject_again(struct vcpu *v);
/* Hand the most urgent waiting event to the next entry, or ask for a window. */
void inject_pending(struct vcpu *v);
/* Is there an event that ends HLT? */
bool inject_wakes(struct vcpu *v);

/* Take PIR into the virtual IRR (APICv) or v->irr. */
void apicv_fold(struct vcpu *v);
bool apicv_deliverable(const struct vcpu *v); /* with APICv: RVI beats PPR */
void apicv_reload(struct vcpu *v);            /* controls as the APIC mode asks for */
MUST_CHECK int apicv_create(struct vcpu *v);

/* --- entry_check.c, dump.c --------------------------------------------------------------------- */

const char *vm_instruction_error(uint32_t number);
void vcpu_dump_loaded(void); /* for a panic: the vCPU whose state is in this CPU, if any */
/* Which rule of "Checks on the Guest State Area" does the current VMCS break? "" if none is found. */
const char *entry_check_guest(void);

/* --- sched.c ----------------------------------------------------------------------------------- */

/* What the wake-up notification does: halted vCPUs of this CPU with ON set become READY. */
void sched_notified(void);
/* The TSC so many SCHED_... microseconds from now. */
static inline uint64_t sched_deadline(uint64_t us) { return time_deadline_us(sched_scaled(us)); }
/* Is v on any CPU's queue or wake list? */
bool sched_knows(const struct vcpu *v);
