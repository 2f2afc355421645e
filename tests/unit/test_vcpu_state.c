/* SPDX-License-Identifier: MIT */
/*
 * A new vCPU and what its VMCS holds: controls, the state after RESET, INIT and STARTUP, the ways
 * to start a kernel. Each field starts with rubbish, and each state has to pass VM entry. Creation
 * may end at each page that is missing.
 * From: make unit.   To: vmx/vcpu/vcpu.c, vmx/vcpu/setup.c.
 * Spec: SDM "IA-32 Processor States Following Power-up, Reset, or INIT", "Guest-State Area".
 */
// sources: vmx/vcpu/state.c vmx/vcpu/cr.c vmx/vcpu/posted.c vmx/show/entry_check.c
#include "tests/unit/stubs.h"
#include "arch/msr.h"
#include "arch/trap.h"
#include "arch/x86.h"
#include "tests/unit/test.h"
#include <stdlib.h>
#include <string.h>

#define rdmsr(msr)         ((msr) == MSR_IA32_PAT ? 0x11u : (msr) == MSR_IA32_EFER ? 0x22u : 0u)
#define read_cr0()         0x33u
#define read_cr3()         0x44u
#define read_cr4()         0x55u
#define cpuid(leaf, index) ((struct cpuid_regs){.eax = (leaf) == 1 && (index) == 0 ? 0x306c3 : 0})
#include "vmx/vcpu/vcpu.c"
#include "vmx/vcpu/setup.c"
#include "vmx/show/show.h"

#define RUBBISH UINT64_C(0x5a5a5a5a5a5a5a5a)

static uint64_t fields[0x7000];
static struct cpu here;
struct vmx_caps vmx_caps;
uint32_t leaks_guards;
static unsigned pages, pages_left, resets;
static bool no_registers, no_apicv;
static struct vcpu *v;

uint64_t vmread(enum vmcs_field field) { return fields[field]; }
void vmwrite(enum vmcs_field field, uint64_t value) { fields[field] = value; }
void vmcs_make_current(struct vmcs *const *vmcs) { assert_non_null(*vmcs); }
void vmcs_clear(struct vmcs *vmcs) { assert_non_null(vmcs); }
struct cpu *this_cpu(void) { return &here; }
void *page_alloc(void)
{
    if (pages_left == 0)
        return NULL;
    pages_left--;
    pages++;
    return memset(aligned_alloc(PAGE_SIZE, PAGE_SIZE), 0, PAGE_SIZE);
}
void page_free(void *page)
{
    assert_non_null(page);
    pages--;
    free(page);
}
struct vmcs *vmcs_alloc(void) { return page_alloc(); }
void vcpu_release(struct vcpu *of) { assert_ptr_equal(of, v); }
void ept_flush_vpid(uint16_t vpid) { (void)vpid; }
int registers_create(struct vcpu *of)
{
    of->fpu = no_registers ? NULL : page_alloc();
    return of->fpu ? 0 : -ENOMEM;
}
void registers_destroy(struct vcpu *of)
{
    if (of->fpu)
        page_free(of->fpu);
}
void registers_reset(struct vcpu *of) { resets += of == v; }
void guards_reset(struct vcpu *of) { (void)of; }
uintptr_t guards_exit_point(const struct vcpu *of) { return (void)of, 0x77; }
int apicv_create(struct vcpu *of) { return (void)of, no_apicv ? -ENOMEM : 0; }
void debug_reset(struct vcpu *of) { (void)of, fields[GUEST_DR7] = 0x400; }
hpa_t bitmaps_io_a(const struct bitmaps *b) { return hpa((uintptr_t)b + 0x1000); }
hpa_t bitmaps_io_b(const struct bitmaps *b) { return hpa((uintptr_t)b + 0x2000); }
hpa_t bitmaps_ipis(const struct bitmaps *b) { return hpa((uintptr_t)b + 0x3000); }
void bitmaps_ipi(struct bitmaps *b, unsigned apic_id, const struct pi_desc *descriptor)
{
    (void)b, (void)apic_id, (void)descriptor;
}
uint32_t caps_control(enum control_word word) { return 0x100u << word; }
uint64_t caps_cr0_fixed(uint64_t cr0) { return (cr0 | CR0_PE | CR0_NE | CR0_PG) & UINT32_MAX; }
uint64_t caps_cr4_fixed(uint64_t cr4) { return (cr4 | CR4_VMXE) & BITS(22, 0); }

static struct vm *const vm = (struct vm *)0x10;
static struct ept the_ept, *const ept = &the_ept;
static struct bitmaps *const bitmaps = (struct bitmaps *)0x30000;

static struct vcpu *created(void)
{
    struct vcpu_place place = {
        .vm = vm, .index = 3, .first = v, .ept = ept, .bitmaps = bitmaps, .pinned = 1};
    place.trace_id = 0x203;
    return vcpu_create(&place);
}

FIXTURE(create)
{
    pages_left = 100;
    resets = 0;
    no_registers = no_apicv = false;
    vmx_caps = (struct vmx_caps){.guest_cr4 = CR4_PAE | CR4_OSXSAVE};
    for (unsigned i = 0; i < ARRAY_COUNT(fields); i++)
        fields[i] = RUBBISH;
    v = NULL;
    v = created();
    return 0;
}

FIXTURE(destroy)
{
    vcpu_destroy(v);
    assert_int_equal(pages, 0);
    assert_int_equal(vcpu_vpid_count(), 0);
    return 0;
}

/* --- From creation to end --------------------------------------------------------------------- */

TEST(its_place)
{
    struct vcpu *second = created();
    assert_ptr_equal(second->vm, vm);
    assert_int_equal(second->index, 3);
    assert_ptr_equal(v->first, v);
    assert_ptr_equal(second->first, v);
    assert_ptr_equal(second->ept, ept);
    assert_ptr_equal(second->bitmaps, bitmaps);
    assert_int_equal(second->pinned, 1);
    assert_int_equal(second->trace_id, 0x203);
    assert_int_equal(second->state, VCPU_STOPPED);
    assert_int_equal(second->log_budget, LOG_GUEST_BUDGET);
    assert_true(second->extra & LOAD_HOST); /* its first load flushes */
    vcpu_destroy(second);
}

/* Page by page; with none but the last of them all is given back. */
TEST(creation_without_memory)
{
    unsigned before = pages;
    pages_left = 100;
    vcpu_destroy(created());
    for (unsigned given = 0; given < 5; given++) {
        pages_left = given;
        assert_null(created());
        assert_int_equal(pages, before);
        assert_int_equal(vcpu_vpid_count(), 1);
    }
    pages_left = 100;
    no_registers = true;
    assert_null(created());
    no_registers = false;
    no_apicv = true;
    assert_null(created());
    assert_int_equal(pages, before);
    assert_int_equal(vcpu_vpid_count(), 1);
}

/* VPID 0 is the host's, and no two vCPUs have the same. */
TEST(vpids)
{
    static struct vcpu *others[VPID_COUNT];
    static bool seen[VPID_COUNT];
    unsigned count = 0;
    memset(seen, 0, sizeof(seen));
    seen[0] = seen[v->vpid] = true;
    pages_left = UINT32_MAX;
    for (struct vcpu *next; (next = created());) {
        assert_in_range(next->vpid, 1, VPID_COUNT - 1);
        assert_false(seen[next->vpid]);
        seen[next->vpid] = true;
        others[count++] = next;
        assert_int_equal(vcpu_vpid_count(), count + 1);
        assert_int_equal(fields[VIRTUAL_PROCESSOR_ID], next->vpid);
    }
    assert_int_equal(count, VPID_COUNT - 2);
    uint16_t free = others[700]->vpid;
    vcpu_destroy(others[700]);
    others[700] = created(); /* the only one that is free */
    assert_int_equal(others[700]->vpid, free);
    assert_null(created());
    while (count)
        vcpu_destroy(others[--count]);
    assert_int_equal(vcpu_vpid_count(), 1);
}

TEST(only_one_that_is_stopped_ends)
{
    for (v->state = VCPU_READY; v->state <= VCPU_HALTED; v->state++)
        assert_panics(vcpu_destroy(v));
    v->state = VCPU_WAIT_SIPI;
    v->pi_desc->control &= ~PI_SN; /* a device would still notify */
    assert_panics(vcpu_destroy(v));
    v->pi_desc->control |= PI_SN;
}

TEST(which_vcpu_was_interrupted)
{
    assert_null(vcpu_interrupted());
    vmx_cpu(&here)->vcpu = v;
    assert_null(vcpu_interrupted());
    v->state = VCPU_RUNNING;
    assert_ptr_equal(vcpu_interrupted(), v);
    v->state = VCPU_STOPPED;
    vmx_cpu(&here)->vcpu = NULL;
}

/* --- Controls and host state ------------------------------------------------------------------ */

TEST(controls)
{
    assert_int_equal(fields[PIN_BASED_CONTROLS], 0x100 << CONTROL_PIN);
    assert_int_equal(fields[PROC_BASED_CONTROLS], 0x100 << CONTROL_PROC);
    assert_int_equal(fields[PROC_BASED_CONTROLS_2], 0x100 << CONTROL_PROC2);
    assert_int_equal(fields[VM_EXIT_CONTROLS], 0x100 << CONTROL_EXIT);
    assert_int_equal(fields[VM_ENTRY_CONTROLS], 0x100 << CONTROL_ENTRY);
    assert_int_equal(v->pin, 0x100 << CONTROL_PIN);
    assert_int_equal(v->proc, 0x100 << CONTROL_PROC);
    assert_int_equal(v->proc2, 0x100 << CONTROL_PROC2);
    assert_int_equal(fields[EXCEPTION_BITMAP], BIT(1) | BIT(17) | BIT(18));
    static const enum vmcs_field zeros[] = {
        PAGE_FAULT_ERROR_CODE_MASK, PAGE_FAULT_ERROR_CODE_MATCH, CR3_TARGET_COUNT,
        VM_EXIT_MSR_STORE_COUNT,    VM_EXIT_MSR_LOAD_COUNT,      VM_ENTRY_MSR_LOAD_COUNT,
        VM_ENTRY_INTERRUPTION_INFO,
    };
    for (unsigned i = 0; i < ARRAY_COUNT(zeros); i++)
        assert_int_equal(fields[zeros[i]], 0);
    assert_int_equal(fields[IO_BITMAP_A], 0x31000);
    assert_int_equal(fields[IO_BITMAP_B], 0x32000);
    assert_int_equal(fields[EPT_POINTER], ept_pointer(ept));
    assert_int_equal(fields[VIRTUAL_PROCESSOR_ID], v->vpid);
}

/* A field that a CPU lacks cannot be written. */
TEST(fields_of_features)
{
    static const enum vmcs_field apicv[] = {TPR_THRESHOLD, VIRTUAL_APIC_ADDRESS},
                                 posting[] = {POSTED_INTR_VECTOR, POSTED_INTR_DESCRIPTOR},
                                 ipiv[] = {PROC_BASED_CONTROLS_3, PID_POINTER_TABLE,
                                           LAST_PID_POINTER_INDEX};
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(fields[apicv[i]], RUBBISH);
        assert_int_equal(fields[posting[i]], RUBBISH);
        assert_int_equal(fields[ipiv[i]], RUBBISH);
    }
    assert_int_equal(fields[ipiv[2]], RUBBISH);
    vmx_caps.apicv = vmx_caps.posting = vmx_caps.ipiv = true;
    struct vcpu *other = created();
    assert_int_equal(fields[TPR_THRESHOLD], 0);
    assert_int_equal(fields[VIRTUAL_APIC_ADDRESS], ptr_hpa(other->vapic).v);
    assert_int_equal(fields[POSTED_INTR_VECTOR], VECTOR_ANV);
    assert_int_equal(fields[POSTED_INTR_DESCRIPTOR], ptr_hpa(other->pi_desc).v);
    assert_int_equal(fields[PROC_BASED_CONTROLS_3], 0x100 << CONTROL_PROC3);
    assert_int_equal(fields[PID_POINTER_TABLE], 0x33000);
    assert_int_equal(fields[LAST_PID_POINTER_INDEX], 63);
    vcpu_destroy(other);
}

/* SDM "Host-State Area" */
TEST(host_state)
{
    static const struct {
        enum vmcs_field field;
        uint64_t value;
    } rows[] = {
        {HOST_CR0, 0x33},
        {HOST_CR3, 0x44},
        {HOST_CR4, 0x55},
        {HOST_IA32_PAT, 0x11},
        {HOST_IA32_EFER, 0x22},
        {HOST_CS_SELECTOR, GDT_CODE},
        {HOST_SS_SELECTOR, GDT_DATA},
        {HOST_TR_SELECTOR, GDT_TSS},
        {HOST_DS_SELECTOR, 0},
        {HOST_ES_SELECTOR, 0},
        {HOST_FS_SELECTOR, 0},
        {HOST_GS_SELECTOR, 0},
        {HOST_FS_BASE, 0},
        {HOST_IA32_SYSENTER_CS, 0},
        {HOST_IA32_SYSENTER_ESP, 0},
        {HOST_IA32_SYSENTER_EIP, 0},
        {HOST_RIP, 0x77},
    };
    vcpu_setup_host(v);
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++)
        if (fields[rows[i].field] != rows[i].value)
            fail_msg("row %u", i);
    assert_ptr_equal(fields[HOST_GS_BASE], (uintptr_t)&here);
    assert_ptr_equal(fields[HOST_TR_BASE], (uintptr_t)&here.tss);
    assert_true(fields[HOST_GDTR_BASE] != RUBBISH && fields[HOST_IDTR_BASE] != RUBBISH);
}

/* --- States of a guest ------------------------------------------------------------------------ */

static void check_segment(enum segment s, uint16_t selector, uint64_t base, uint64_t limit,
                          uint32_t rights)
{
    if (fields[VMCS_SELECTOR(s)] != selector || fields[VMCS_BASE(s)] != base ||
        fields[VMCS_LIMIT(s)] != limit || fields[VMCS_ACCESS_RIGHTS(s)] != rights)
        fail_msg("segment %u: %lx %lx %lx %lx", s, fields[VMCS_SELECTOR(s)], fields[VMCS_BASE(s)],
                 fields[VMCS_LIMIT(s)], fields[VMCS_ACCESS_RIGHTS(s)]);
}

/* SDM "IA-32 Processor States Following Power-up, Reset, or INIT", but for CR0.CD and NW. */
static void check_after_init(void)
{
    static const enum vmcs_field zeros[] = {GUEST_CR3,
                                            GUEST_IA32_EFER,
                                            GUEST_GDTR_BASE,
                                            GUEST_IDTR_BASE,
                                            GUEST_RSP,
                                            GUEST_IA32_DEBUGCTL,
                                            GUEST_PENDING_DEBUG,
                                            GUEST_INTERRUPTIBILITY,
                                            PREEMPTION_TIMER_VALUE,
                                            GUEST_ACTIVITY_STATE};
    assert_string_equal(entry_check_guest(), "");
    for (unsigned i = 0; i < ARRAY_COUNT(zeros); i++)
        assert_int_equal(fields[zeros[i]], 0);
    assert_int_equal(fields[CR0_MASK], CR0_NE | CR0_CD | CR0_NW);
    assert_int_equal(fields[CR4_MASK], ~CR4_PAE | CR4_MCE);
    assert_int_equal(cr0_guest_view(), CR0_ET);
    assert_int_equal(cr4_guest_view(), 0);
    assert_int_equal(fields[VM_ENTRY_CONTROLS] & ENTRY_GUEST_64BIT, 0);
    for (enum segment s = SEG_ES; s <= SEG_GS; s++)
        if (s != SEG_CS)
            check_segment(s, 0, 0, 0xffff, 0x93);
    check_segment(SEG_CS, 0xf000, 0xffff0000, 0xffff, 0x9b);
    check_segment(SEG_LDTR, 0, 0, 0xffff, 0x82);
    check_segment(SEG_TR, 0, 0, 0xffff, 0x8b);
    assert_int_equal(fields[GUEST_GDTR_LIMIT], 0xffff);
    assert_int_equal(fields[GUEST_IDTR_LIMIT], 0xffff);
    assert_int_equal(fields[GUEST_RIP], 0xfff0);
    assert_int_equal(fields[GUEST_RFLAGS], 2);
    assert_int_equal(fields[GUEST_DR7], 0x400);
    assert_int_equal(fields[VMCS_LINK_POINTER], UINT64_MAX);
    for (enum gpr r = RAX; r <= R15; r++)
        assert_int_equal(v->regs.gpr[r], r == RDX ? 0x306c3 : 0);
    assert_int_equal(v->cr2, 0);
    assert_false(v->halted || v->halted_masked);
}

TEST(after_reset)
{
    v->tsc_adjust = v->tsc_offset = 5;
    vcpu_power_on(v);
    check_after_init();
    assert_int_equal(resets, 1);
    assert_int_equal(v->tsc_adjust | v->tsc_offset, 0);
    assert_int_equal(fields[GUEST_IA32_PAT], UINT64_C(0x0007040600070406));
    assert_int_equal(fields[GUEST_IA32_SYSENTER_CS], 0);
    assert_int_equal(fields[GUEST_IA32_SYSENTER_ESP], 0);
    assert_int_equal(fields[GUEST_IA32_SYSENTER_EIP], 0);
    assert_int_equal(fields[GUEST_INTERRUPT_STATUS], RUBBISH);
    vmx_caps.apicv = true;
    vcpu_power_on(v);
    assert_int_equal(fields[GUEST_INTERRUPT_STATUS], 0);
}

/* MSRs and the TSC stay. */
TEST(after_init)
{
    vcpu_power_on(v);
    vcpu_set_entry(v, VCPU_LONG64, 0x1000, 0x2000, 0x3000);
    fields[GUEST_IA32_PAT] = 0x70406;
    fields[GUEST_IA32_SYSENTER_CS] = 8;
    fields[GUEST_INTERRUPTIBILITY] = BLOCKED_BY_NMI;
    v->tsc_offset = v->tsc_adjust = 5;
    v->cr2 = 7;
    v->halted = v->halted_masked = true;
    memset(&v->regs, 0x5a, sizeof(v->regs));
    vcpu_reset(v);
    check_after_init();
    assert_int_equal(fields[GUEST_IA32_PAT], 0x70406);
    assert_int_equal(fields[GUEST_IA32_SYSENTER_CS], 8);
    assert_int_equal(v->tsc_offset + v->tsc_adjust, 10);
    assert_int_equal(resets, 1);
}

/* SDM "Typical BSP Initialization Sequence" */
TEST(after_startup)
{
    vcpu_power_on(v);
    vcpu_start_at_sipi(0x9f);
    assert_string_equal(entry_check_guest(), "");
    check_segment(SEG_CS, 0x9f00, 0x9f000, 0xffff, 0x9b);
    assert_int_equal(fields[GUEST_RIP], 0);
}

TEST(a_kernel_in_real_mode)
{
    vcpu_power_on(v);
    vcpu_set_entry(v, VCPU_REAL, 0x37c05, 0x8000, 0x1000);
    assert_string_equal(entry_check_guest(), "");
    check_segment(SEG_CS, 0x3000, 0x30000, 0xffff, 0x9b);
    check_segment(SEG_SS, 0, 0, 0xffff, 0x93);
    assert_int_equal(fields[GUEST_RIP], 0x7c05);
    assert_int_equal(fields[GUEST_RSP], 0x8000);
    assert_int_equal(cr0_guest_view(), CR0_ET);
    assert_int_equal(fields[GUEST_CR3], 0);
}

TEST(a_kernel_of_32_bits)
{
    vcpu_power_on(v);
    vcpu_set_entry(v, VCPU_PROTECTED32, 0x100000, 0x9000, 0x1000);
    assert_string_equal(entry_check_guest(), "");
    check_segment(SEG_CS, 0x08, 0, UINT32_MAX, 0xc09b);
    for (enum segment s = SEG_ES; s <= SEG_GS; s++)
        if (s != SEG_CS)
            check_segment(s, 0x10, 0, UINT32_MAX, 0xc093);
    assert_int_equal(fields[GUEST_RIP], 0x100000);
    assert_int_equal(fields[GUEST_RSP], 0x9000);
    assert_int_equal(cr0_guest_view(), CR0_PE | CR0_ET | CR0_NE);
    assert_int_equal(cr4_guest_view(), 0);
    assert_int_equal(fields[GUEST_CR3], 0);
}

TEST(a_kernel_of_64_bits)
{
    vcpu_power_on(v);
    vcpu_set_entry(v, VCPU_LONG64, UINT64_C(0xffffffff80100000), 0x9000, 0x1000);
    assert_string_equal(entry_check_guest(), "");
    check_segment(SEG_CS, 0x08, 0, UINT32_MAX, 0xa09b);
    for (enum segment s = SEG_ES; s <= SEG_GS; s++)
        if (s != SEG_CS)
            check_segment(s, 0x10, 0, UINT32_MAX, 0xc093);
    assert_int_equal(fields[GUEST_RIP], UINT64_C(0xffffffff80100000));
    assert_int_equal(fields[GUEST_RSP], 0x9000);
    assert_int_equal(fields[GUEST_CR3], 0x1000);
    assert_int_equal(fields[GUEST_IA32_EFER], EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE);
    assert_int_equal(cr0_guest_view(), CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG);
    assert_int_equal(cr4_guest_view(), CR4_PAE);
    assert_int_equal(fields[VM_ENTRY_CONTROLS], 0x100 << CONTROL_ENTRY | ENTRY_GUEST_64BIT);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, create, destroy)
    const struct CMUnitTest tests[] = {
        T(its_place),
        T(creation_without_memory),
        T(vpids),
        T(only_one_that_is_stopped_ends),
        T(which_vcpu_was_interrupted),
        T(controls),
        T(fields_of_features),
        T(host_state),
        T(after_reset),
        T(after_init),
        T(after_startup),
        T(a_kernel_in_real_mode),
        T(a_kernel_of_32_bits),
        T(a_kernel_of_64_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
