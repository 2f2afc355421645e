/* SPDX-License-Identifier: MIT */
/*
 * Which vCPU a CPU holds: what is invalidated when one comes to another CPU, and that it has left
 * the last one before. In a boot most of it hides: where one invalidation is missing the other one
 * drops the translations of linear addresses, too. And the registers that are switched: here they
 * are words of a model.
 * Spec: SDM "Software Use of Virtual-Machine Control Structures", "Guidelines for Use of the
 * INVVPID Instruction", "Guidelines for Use of the INVEPT Instruction".
 */
// sources: vmx/vcpu/vcpu.c vmx/vcpu/state.c vmx/vcpu/cr.c vmx/vcpu/posted.c
#include "tests/unit/stubs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arch/leaks.h"
#include "arch/msr.h"
#include "arch/page.h"
#include "arch/x86.h"
#include "tests/unit/test.h"

/* Of the CPU on which load.c runs. */
static uint64_t fpu, cr2, kernel_gs_base, tsc_aux, xcr0;
static void note(const char *what);
static void model_wrmsr(uint32_t msr, uint64_t value);
#define read_cr2()           cr2
#define write_cr2(value)     (cr2 = (value))
#define rdmsr(msr)           ((msr) == MSR_IA32_KERNEL_GS_BASE ? kernel_gs_base : 0)
#define wrmsr(msr, value)    model_wrmsr(msr, value)
#define xsetbv(index, value) (note("XSETBV"), xcr0 = (value))
#define xsave(area)          (note("XSAVE"), *(uint64_t *)(area) = fpu)
#define xrstor(area)         (note("XRSTOR"), fpu = *(uint64_t *)(area))
#define fxsave(area)         (note("FXSAVE"), *(uint64_t *)(area) = fpu)
#define fxrstor(area)        (note("FXRSTOR"), fpu = *(uint64_t *)(area))
#include "vmx/vcpu/load.c"

#include "vmx/cpu.h"
#include "vmx/ept_flush.h"
#include "vmx/caps.h"
#include "vmx/vcpu/apicv.h"
#include "vmx/vcpu/guards.h"
#include "vmx/vcpu/posted.h"
#include "vmx/vcpu/registers.h"
#include "vmx/vcpu/setup.h"
#include "vmx/vcpu/vcpu.h"
#include "vmx/vmcs.h"

static struct cpu cpus[2], *here;
static struct vmcs *current; /* of this CPU; NULL: none, or unknown */
static struct ept ept;
static struct vcpu *a, *b;
static char done[256]; /* what was executed, in order */

static void note(const char *what)
{
    strncat(done, what, sizeof(done) - strlen(done) - 1);
    strncat(done, " ", sizeof(done) - strlen(done) - 1);
}

struct vmx_caps vmx_caps;
static uint64_t ipis_pass; /* to which of them */
void bitmaps_ipi(struct bitmaps *bitmaps, unsigned apic_id, const struct pi_desc *descriptor)
{
    (void)bitmaps;
    assert_null(descriptor);
    ipis_pass &= ~BIT(apic_id);
}
struct cpu *this_cpu(void) { return here; }
void *page_alloc(void) { return memset(aligned_alloc(PAGE_SIZE, PAGE_SIZE), 0, PAGE_SIZE); }
void page_free(void *page) { free(page); }
struct vmcs *vmcs_alloc(void) { return page_alloc(); }
void vmcs_make_current(struct vmcs *const *vmcs)
{
    note("VMPTRLD");
    current = *vmcs;
}
void vmcs_clear(struct vmcs *vmcs)
{
    note("VMCLEAR");
    if (current == vmcs)
        current = NULL;
}
uint64_t vmread(enum vmcs_field field)
{
    assert_non_null(current);
    return (void)field, 0;
}
void vmwrite(enum vmcs_field field, uint64_t value)
{
    assert_non_null(current);
    (void)field, (void)value;
}
void ept_flush_vpid(uint16_t vpid)
{
    assert_int_not_equal(vpid, 0);
    note("INVVPID");
}
int registers_create(struct vcpu *v) { return v->fpu = page_alloc(), 0; }
void registers_destroy(struct vcpu *v) { page_free(v->fpu); }
static unsigned registers_were_reset;
void registers_reset(struct vcpu *v)
{
    assert_ptr_not_equal(this_vmx_cpu()->vcpu, v);
    registers_were_reset++;
}
void registers_msrs(const struct vcpu *from, struct vcpu *to)
{
    assert_true(!from || from->msr_set != to->msr_set);
    note("MSRs");
}
void registers_breakpoints(const struct vcpu *v)
{
    assert_non_null(v->debug.in_cpu);
    note("DR0-DR3");
}
static void model_wrmsr(uint32_t msr, uint64_t value)
{
    bool gs = msr == MSR_IA32_KERNEL_GS_BASE;
    assert_true(gs || msr == MSR_IA32_TSC_AUX);
    *(gs ? &kernel_gs_base : &tsc_aux) = value;
    note(gs ? "GS" : "TSC_AUX");
}
uint32_t leaks_guards = LEAKS_IBPB;
static unsigned guards_were_reset;
void guards_reset(struct vcpu *v) { guards_were_reset += v == a; }
void guards_vm_comes(const struct vcpu *v)
{
    (void)v;
    note("barrier");
}
int apicv_create(struct vcpu *v) { return (void)v, 0; }
void vcpu_setup_controls(struct vcpu *v) { assert_ptr_equal(current, v->vmcs); }
void vcpu_setup_host(struct vcpu *v)
{
    assert_ptr_equal(current, v->vmcs);
    note("host");
}
void vcpu_setup_guest(struct vcpu *v) { assert_ptr_equal(current, v->vmcs); }
static unsigned msrs_were_set;
void vcpu_setup_msrs(void)
{
    assert_ptr_equal(current, a->vmcs);
    msrs_were_set++;
}
void setup_segment(enum segment s, uint16_t selector, uint64_t base, uint32_t limit,
                   uint32_t rights)
{
    (void)s, (void)selector, (void)base, (void)limit, (void)rights;
}

static struct vcpu *created(void)
{
    struct vcpu_place place = {.ept = &ept, .pinned = -1};
    struct vcpu *v = vcpu_create(&place);
    assert_non_null(v);
    v->ept_generation = 5; /* as after an entry */
    return v;
}

FIXTURE(create)
{
    memset(cpus, 0, sizeof(cpus));
    here = &cpus[0];
    current = NULL;
    registers_were_reset = guards_were_reset = msrs_were_set = 0;
    vmx_caps.xcr0 = xcr0 = 7;
    vmx_caps.rdtscp = false;
    fpu = cr2 = kernel_gs_base = tsc_aux = 0;
    a = created();
    b = created();
    done[0] = '\0';
    return 0;
}

FIXTURE(destroy)
{
    vcpu_destroy(a);
    vcpu_destroy(b);
    return 0;
}

/* Its VPID may have had another owner, and its EPT may have changed while it was elsewhere. */
TEST(a_load_on_another_cpu_invalidates_both)
{
    vcpu_load(a);
    assert_string_equal(done, "VMPTRLD XRSTOR GS MSRs barrier host INVVPID ");
    assert_int_equal(a->ept_generation, UINT64_MAX); /* INVEPT before the entry */
    vcpu_release(a);
    a->ept_generation = 5;
    here = &cpus[1];
    done[0] = '\0';
    vcpu_load(a);
    assert_string_equal(done, "VMPTRLD XRSTOR GS MSRs barrier host INVVPID ");
    assert_int_equal(a->ept_generation, UINT64_MAX);
}

TEST(a_load_where_it_was_last_invalidates_nothing)
{
    vcpu_load(a);
    vcpu_load(b);
    a->ept_generation = 5;
    done[0] = '\0';
    vcpu_load(a);
    assert_string_equal(done, "VMPTRLD XSAVE XRSTOR barrier ");
    assert_int_equal(a->ept_generation, 5);
    vcpu_load(a); /* it is loaded */
    assert_string_equal(done, "VMPTRLD XSAVE XRSTOR barrier ");
}

/* The other may have another EPT: who waits for that generation must not take ours for it. */
TEST(a_load_says_that_nothing_is_invalidated_yet)
{
    this_vmx_cpu()->guest_generation = 7;
    vcpu_load(a);
    assert_int_equal(this_vmx_cpu()->guest_generation, 0);
    assert_ptr_equal(this_vmx_cpu()->vcpu, a);
}

TEST(a_barrier_only_where_it_is_needed)
{
    leaks_guards = ~(uint32_t)LEAKS_IBPB;
    struct vcpu *v = created();
    leaks_guards = LEAKS_IBPB;
    done[0] = '\0';
    vcpu_load(v);
    assert_string_equal(done, "VMPTRLD XRSTOR GS MSRs host INVVPID ");
    vcpu_release(v);
    vcpu_destroy(v);
}

TEST(one_leaves_before_the_next_comes)
{
    vcpu_load(b);
    vcpu_load(a);
    a->launched = true;
    done[0] = '\0';
    vcpu_load(b);
    assert_string_equal(done, "VMPTRLD XSAVE XRSTOR barrier ");
    assert_true(a->launched); /* its VMCS stays active here */
    assert_ptr_equal(this_vmx_cpu()->vcpu, b);
    done[0] = '\0';
    vcpu_release(b);
    assert_string_equal(done, "XSAVE VMCLEAR ");
    assert_null(this_vmx_cpu()->vcpu);
    done[0] = '\0';
    vcpu_release(a); /* not loaded any more; but another CPU may load it only now */
    assert_string_equal(done, "VMCLEAR ");
    assert_false(a->launched);
}

static void assert_in_cpu(uint64_t value)
{
    assert_int_equal(fpu, value);
    assert_int_equal(cr2, value + 1);
    assert_int_equal(kernel_gs_base, value + 2);
}

static void guest_sets(uint64_t value)
{
    fpu = value;
    cr2 = value + 1;
    kernel_gs_base = value + 2;
}

static void assert_in_memory(const struct vcpu *v, uint64_t value)
{
    assert_int_equal(*(uint64_t *)v->fpu, value);
    assert_int_equal(v->cr2, value + 1);
    assert_int_equal(v->kernel_gs_base, value + 2);
}

TEST(registers_go_where_their_vcpu_goes)
{
    vcpu_load(a);
    guest_sets(10);
    vcpu_load(b); /* all of its registers are 0 */
    assert_int_equal(fpu | cr2 | kernel_gs_base, 0);
    assert_in_memory(a, 10);
    guest_sets(20);
    vcpu_load(a);
    assert_in_cpu(10);
    assert_in_memory(b, 20);
    guest_sets(30);
    vcpu_release(a);
    assert_in_memory(a, 30);
    vcpu_load(b); /* none was loaded */
    assert_in_cpu(20);
    assert_in_memory(a, 30);
    done[0] = '\0';
    b->kernel_gs_base = a->kernel_gs_base;
    kernel_gs_base = a->kernel_gs_base;
    vcpu_load(a); /* WRMSR costs: not where the value is there already */
    assert_in_cpu(30);
    assert_null(strstr(done, "GS"));
}

/* What a guest has switched off in XCR0 is saved and restored all the same. */
TEST(xcr0_is_full_while_the_state_is_switched)
{
    a->xcr0 = 1;
    vcpu_load(a);
    vcpu_load(b);
    load_extra(a, LOAD_FPU, true);
    done[0] = '\0';
    vcpu_load(a);
    assert_string_equal(done, "VMPTRLD XSAVE XRSTOR XSETBV barrier ");
    assert_int_equal(xcr0, 1);
    done[0] = '\0';
    vcpu_load(b);
    assert_string_equal(done, "VMPTRLD XSETBV XSAVE XRSTOR barrier ");
    assert_int_equal(xcr0, 7);
}

TEST(a_cpu_without_xsave)
{
    vmx_caps.xcr0 = 0;
    load_extra(a, LOAD_FPU, true);
    load_extra(b, LOAD_FPU, true);
    vcpu_load(b);
    done[0] = '\0';
    vcpu_load(a);
    assert_string_equal(done, "VMPTRLD FXSAVE FXRSTOR barrier host INVVPID ");
}

/* Each write of the guest exits, so memory has the value. A CPU without RDTSCP lacks the register,
 * and all vCPUs have a 0. */
TEST(tsc_aux_is_that_of_the_vcpu)
{
    a->msr_kept[VCPU_TSC_AUX] = 1;
    vcpu_load(b);
    vcpu_load(a);
    assert_int_equal(tsc_aux, 1);
    vcpu_load(b);
    assert_int_equal(tsc_aux, 0);
    vcpu_release(b);
    b->msr_kept[VCPU_TSC_AUX] = 1;
    vmx_caps.rdtscp = true;
    vcpu_load(b); /* none was loaded */
    assert_int_equal(tsc_aux, 1);
    done[0] = '\0';
    vcpu_load(a);
    assert_null(strstr(done, "TSC_AUX"));
}

/* One number: one contents. */
TEST(msrs_of_one_set_are_not_looked_at)
{
    vcpu_load(a);
    vcpu_load(b);
    load_extra(a, LOAD_BARRIER, false); /* so that nothing else is to be done */
    done[0] = '\0';
    vcpu_load(a);
    assert_string_equal(done, "VMPTRLD XSAVE XRSTOR ");
    vcpu_load(b);
    a->msr_set = b->msr_set + 1;
    done[0] = '\0';
    vcpu_load(a);
    assert_string_equal(done, "VMPTRLD XSAVE XRSTOR MSRs ");
}

TEST(breakpoints_come_with_their_vcpu)
{
    vcpu_load(a);
    vcpu_load(b);
    a->debug.in_cpu = a->debug.dr;
    load_extra(a, LOAD_BREAKPOINTS, true);
    done[0] = '\0';
    vcpu_load(a);
    assert_string_equal(done, "VMPTRLD XSAVE XRSTOR barrier DR0-DR3 ");
}

/* SDM "IA-32 Processor States Following Power-up, Reset, or INIT": INIT empties the TLB. */
TEST(the_first_load_and_that_after_init_flush)
{
    assert_true(a->extra & LOAD_HOST);
    vcpu_load(a);
    assert_false(a->extra & LOAD_HOST);
    a->requests = VCPU_REQUEST_NMI | VCPU_REQUEST_STOP;
    vcpu_reset(a);
    assert_int_equal(a->requests, VCPU_REQUEST_STOP | VCPU_REQUEST_RELOAD);
    assert_null(this_vmx_cpu()->vcpu); /* its registers are in memory, where they change */
    done[0] = '\0';
    vcpu_load(a);
    assert_string_equal(done, "VMPTRLD XRSTOR GS MSRs barrier host INVVPID ");
}

/* What was posted is a part of the local APIC's IRR, which an INIT clears; so is TMR. A bit of the
 * EOI-exit bitmap that stayed in the VMCS would end the service of another vCPU's level. */
TEST(an_init_drops_what_was_posted)
{
    a->pi_desc->pir[1] = BIT(9);
    a->pi_desc->control |= PI_ON;
    a->irr[2] = BIT(3);
    a->eoi_exit[3] = BIT(4);
    a->irq_waits = BIT(2);
    a->event = 1;
    a->mtrr_def_type = 7;
    vcpu_reset(a);
    assert_false(posted_pending(a->pi_desc) || (a->pi_desc->control & PI_ON));
    assert_int_equal(a->irr[1] | a->irr[2] | a->eoi_exit[3] | a->irq_waits | a->event, 0);
    assert_int_equal(a->requests, VCPU_REQUEST_RELOAD);
    assert_int_equal(a->mtrr_def_type, 7);
    assert_int_equal(registers_were_reset + guards_were_reset + msrs_were_set, 0);
}

TEST(a_reset_is_more_than_an_init)
{
    a->requests = VCPU_REQUEST_SIPI | VCPU_REQUEST_EXT | VCPU_REQUEST_NMIS;
    a->pi_desc->pir[1] = BIT(9);
    a->mtrr_def_type = 7;
    vcpu_power_on(a);
    assert_int_equal(a->requests, VCPU_REQUEST_RELOAD);
    assert_false(posted_pending(a->pi_desc));
    assert_int_equal(a->mtrr_def_type, 0x806);
    assert_int_equal(registers_were_reset, 1);
    assert_int_equal(guards_were_reset, 1);
    assert_int_equal(msrs_were_set, 1);
}

TEST(the_tsc_is_moved_at_the_next_entry)
{
    a->tsc_offset = 5;
    vcpu_move_tsc(a, (uint64_t)-7);
    assert_int_equal(a->tsc_offset, (uint64_t)-2);
    assert_int_equal(a->requests, VCPU_REQUEST_RELOAD);
}

/* A vCPU that is looked at while another one is loaded: its VMCS goes back to memory. */
TEST(a_borrowed_one_goes_back)
{
    vcpu_load(a);
    done[0] = '\0';
    vcpu_borrow(b);
    assert_ptr_equal(current, b->vmcs);
    vcpu_return(b);
    assert_string_equal(done, "VMPTRLD VMCLEAR VMPTRLD ");
    assert_ptr_equal(current, a->vmcs);
    vcpu_borrow(a); /* it is loaded: nothing to do */
    vcpu_return(a);
    assert_string_equal(done, "VMPTRLD VMCLEAR VMPTRLD ");
}

/* One that has run on this CPU, and waits for it or sleeps: its VMCS stays active, so that its next
 * entry is a VMRESUME. */
TEST(a_borrowed_one_of_this_cpu_stays_active)
{
    b->cpu = here;
    vcpu_load(b);
    b->launched = LAUNCHED_ONCE;
    vcpu_load(a);
    done[0] = '\0';
    vcpu_borrow(b);
    assert_ptr_equal(current, b->vmcs);
    vcpu_return(b);
    assert_string_equal(done, "VMPTRLD VMPTRLD ");
    assert_ptr_equal(current, a->vmcs);
    assert_int_equal(b->launched, LAUNCHED_ONCE);
}

/* SDM "Software Use of Virtual-Machine Control Structures": VMCLEAR before the first VMPTRLD. */
TEST(a_new_one_is_clear_and_silent)
{
    struct vcpu *v = created();
    assert_string_equal(done, "VMCLEAR VMPTRLD host VMCLEAR ");
    assert_true(v->pi_desc->control & PI_SN);
    vmx_caps.ipiv = true;
    ipis_pass = UINT64_MAX;
    vcpu_destroy(v);
    vmx_caps.ipiv = false;
    assert_int_equal(ipis_pass,
                     UINT64_MAX & ~BIT(0)); /* its descriptor is freed: no IPI goes there */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, create, destroy)
    const struct CMUnitTest tests[] = {
        T(a_load_on_another_cpu_invalidates_both),
        T(a_load_where_it_was_last_invalidates_nothing),
        T(a_load_says_that_nothing_is_invalidated_yet),
        T(a_barrier_only_where_it_is_needed),
        T(one_leaves_before_the_next_comes),
        T(registers_go_where_their_vcpu_goes),
        T(xcr0_is_full_while_the_state_is_switched),
        T(a_cpu_without_xsave),
        T(tsc_aux_is_that_of_the_vcpu),
        T(msrs_of_one_set_are_not_looked_at),
        T(breakpoints_come_with_their_vcpu),
        T(the_first_load_and_that_after_init_flush),
        T(an_init_drops_what_was_posted),
        T(a_reset_is_more_than_an_init),
        T(the_tsc_is_moved_at_the_next_entry),
        T(a_borrowed_one_goes_back),
        T(a_borrowed_one_of_this_cpu_stays_active),
        T(a_new_one_is_clear_and_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
