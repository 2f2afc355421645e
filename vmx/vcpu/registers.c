/* SPDX-License-Identifier: MIT */
/*
 * Registers of a vCPU that neither the VMCS nor vmx/enter.asm carries: FPU and vectors, the MSRs of
 * SYSCALL and SWAPGS, breakpoints, CR2. What there is of them, and how a guest changes it;
 * vmx/vcpu/load.c switches them.
 * From: vmx/vcpu/vcpu.c, vmx/vcpu/load.c (registers_msrs), vmx/exit/msr.c (registers_set_msr),
 * vmx/vcpu/debug.c.
 * To: vmx/vcpu/fpu.h, vmx/vcpu/registers.h (XCR0), arch/page.c (the XSAVE area).
 * Spec: SDM "Managing State Using the XSAVE Feature Set", "SYSCALL", "Debug Registers".
 */
#include "vmx/vcpu/registers.h"
#include "vmx/caps.h"
#include "vmx/cpu.h"
#include "vmx/vcpu/fpu.h"
#include "vmx/vmcs.h"
#include "arch/msr.h"
#include "arch/page.h"
#include "arch/safe.h"
#include "lib/atomic.h"
#include "lib/string.h"
#include "arch/x86.h"

#define CPUID_1_XSAVE  BIT(26) /* ECX */
#define LEAF_XSAVE     0xd
#define FXSAVE_SIZE    512
#define XSAVE_HEADER   64
#define FCW_AFTER_INIT 0x37f
#define MXCSR_DEFAULT  0x1f80
#define XMM_OFFSET     160 /* XMM0 to XMM15, 16 bytes each */
#define MXCSR_OFFSET   24  /* in the legacy region of the XSAVE area */

/* A guest reads them without an exit, and writes them with one, because kernels write them once: so
 * no switch has to read them. SWAPGS writes IA32_KERNEL_GS_BASE, which no bitmap sees. */
static const uint32_t kept[VCPU_MSR_KEPT] = {
    MSR_IA32_STAR,
    MSR_IA32_LSTAR,
    MSR_IA32_CSTAR,
    MSR_IA32_FMASK,
    [VCPU_TSC_AUX] = MSR_IA32_TSC_AUX,
};

static uint64_t msr_sets; /* the number that a set got last; 0 is the set of zeros */

static size_t area_size = FXSAVE_SIZE;
static uint32_t upper_at[8]; /* by component: its offset in the area; 0: not there */

COLD uint32_t registers_area_size(void) { return (uint32_t)area_size; }

COLD void registers_init(void)
{
    if (!(cpuid(1, 0).ecx & CPUID_1_XSAVE) || cpuid(0, 0).eax < LEAF_XSAVE)
        return;
    struct cpuid_regs r = cpuid(LEAF_XSAVE, 0);
    vmx_caps.xcr0 = XCR0_X87 | XCR0_SSE | (r.eax & XCR0_AVX);
    if ((vmx_caps.xcr0 & XCR0_AVX) && (r.eax & XCR0_AVX512) == XCR0_AVX512)
        vmx_caps.xcr0 |= XCR0_AVX512;
    area_size = FXSAVE_SIZE + XSAVE_HEADER;
    for (unsigned i = 2; i < 8; i++) {
        if (!(vmx_caps.xcr0 & BIT(i)))
            continue;
        r = cpuid(LEAF_XSAVE, i); /* EAX: size, EBX: offset */
        upper_at[i] = r.ebx;
        area_size = MAX(area_size, (size_t)r.eax + r.ebx);
    }
}

COLD void registers_enable(void)
{
    uint64_t cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
    if (vmx_caps.xcr0)
        cr4 |= CR4_OSXSAVE;
    write_cr4(read_cr4() | cr4);
    write_cr0((read_cr0() | CR0_MP) & ~(CR0_EM | CR0_TS));
    if (vmx_caps.xcr0)
        xsetbv(0, vmx_caps.xcr0);
}

static COLD size_t area_pages(void) { return ALIGN_UP(area_size, PAGE_SIZE) / PAGE_SIZE; }

COLD int registers_create(struct vcpu *v)
{
    v->fpu = pages_alloc(area_pages(), PAGE_SIZE);
    return v->fpu ? 0 : -ENOMEM;
}

COLD void registers_destroy(struct vcpu *v)
{
    if (v->fpu)
        pages_free(v->fpu, area_pages());
}

/* An XSAVE header of zeros: XRSTOR puts each component into its initial state. */
COLD void registers_reset(struct vcpu *v)
{
    uint16_t fcw = FCW_AFTER_INIT;
    uint32_t mxcsr = MXCSR_DEFAULT;
    memset(v->fpu, 0, area_size);
    memcpy(v->fpu, &fcw, sizeof(fcw));
    memcpy((char *)v->fpu + MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
    memset(v->msr_kept, 0, sizeof(v->msr_kept));
    v->msr_set = 0; /* of zeros */
    v->kernel_gs_base = 0;
    v->xcr0 = XCR0_X87;
    load_extra(v, LOAD_FPU, !vmx_caps.xcr0);
}

/* XCR0 is the guest's while CR4.OSXSAVE = 1. With 0 it is all of vmx_caps.xcr0, as each instruction
 * that depends on XCR0 is #UD then. */
static COLD void xcr0_in_cpu(struct vcpu *v, bool osxsave)
{
    uint64_t value = osxsave ? v->xcr0 : vmx_caps.xcr0;
    load_extra(v, LOAD_FPU, value != vmx_caps.xcr0);
    xsetbv(0, value);
}

COLD void registers_reload(struct vcpu *v)
{
    if (vmx_caps.xcr0)
        xcr0_in_cpu(v, vmread(GUEST_CR4) & CR4_OSXSAVE);
}

COLD struct cpuid_regs registers_cpuid(const struct vcpu *v, uint32_t subleaf)
{
    xsetbv(0, v->xcr0);
    struct cpuid_regs r = cpuid(LEAF_XSAVE, subleaf);
    xsetbv(0, v->extra & LOAD_FPU ? v->xcr0 : vmx_caps.xcr0);
    return r;
}

COLD void vcpu_vectors_out(struct vcpu *v, uint8_t *vector[3])
{
    uint8_t *area = v->fpu;
    fpu_save(v);
    vector[0] = area + XMM_OFFSET;
    vector[1] = upper_at[2] ? area + upper_at[2] : NULL;
    vector[2] = upper_at[6] ? area + upper_at[6] : NULL;
}

/* XSAVE has written all components, and now all of them count: XSTATE_BV, the first word of the
 * header. */
COLD void vcpu_vectors_in(struct vcpu *v)
{
    if (vmx_caps.xcr0)
        memcpy((char *)v->fpu + FXSAVE_SIZE, &vmx_caps.xcr0, sizeof(vmx_caps.xcr0));
    fpu_restore(v);
}

COLD int registers_set_xcr0(struct vcpu *v, uint64_t xcr0)
{
    uint64_t avx512 = xcr0 & XCR0_AVX512;
    if (!(xcr0 & XCR0_X87) || (xcr0 & ~vmx_caps.xcr0) ||
        ((xcr0 & XCR0_AVX) && !(xcr0 & XCR0_SSE)) ||
        (avx512 && (avx512 != XCR0_AVX512 || !(xcr0 & XCR0_AVX))))
        return -EINVAL;
    v->xcr0 = xcr0; /* CR4.OSXSAVE is 1, else XSETBV is #UD and does not exit */
    xcr0_in_cpu(v, true);
    return 0;
}

COLD int registers_set_msr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    for (unsigned i = 0; i < VCPU_MSR_KEPT; i++) {
        if (kept[i] != msr)
            continue;
        int err = wrmsr_safe(msr, value);
        if (!err) {
            v->msr_kept[i] = value;
            if (i != VCPU_TSC_AUX)
                v->msr_set = atomic_fetch_add(&msr_sets, 1) + 1;
        }
        return err;
    }
    return -ENOENT;
}

void registers_msrs(const struct vcpu *from, struct vcpu *to)
{
    bool differ = !from;
    for (unsigned i = 0; i < VCPU_TSC_AUX; i++) {
        if (from && from->msr_kept[i] == to->msr_kept[i])
            continue;
        wrmsr(kept[i], to->msr_kept[i]);
        differ = true;
    }
    if (!differ) /* the guests have written the same: from now on one number tells so */
        to->msr_set = from->msr_set;
}

/* The next vCPU without a breakpoint leaves them in the CPU, and cannot read them. */
COLD void registers_breakpoints(const struct vcpu *v)
{
    const uint64_t *dr = v->debug.in_cpu;
    asm volatile("mov %0, %%dr0" ::"r"(dr[0]));
    asm volatile("mov %0, %%dr1" ::"r"(dr[1]));
    asm volatile("mov %0, %%dr2" ::"r"(dr[2]));
    asm volatile("mov %0, %%dr3" ::"r"(dr[3]));
}

/* A page fault of Hamlet's own is a panic, or is met by read8_safe(), which keeps CR2: the register
 * is the guest's for as long as v is loaded. */
COLD uint64_t registers_cr2(const struct vcpu *v)
{
    return this_vmx_cpu()->vcpu == v ? read_cr2() : v->cr2;
}

void registers_set_cr2(uint64_t linear) { write_cr2(linear); }
