/* SPDX-License-Identifier: MIT */
/*
 * The VMX instructions that work on a VMCS. A VMfail is a bug of Hamlet's own, so it panics.
 * Private to vmx/.
 * From: every file of vmx/ that reads or writes a field.   To: vmx/vmcs.c.
 * Spec: SDM "VMX Instruction Reference", "Software Use of Virtual-Machine Control Structures".
 */
#pragma once
#include "lib/bits.h"
#include "lib/errno.h"
#include "lib/types.h"
#include "vmx/vmcs_fields.h"
#include "vmx/vmx_bits.h"

struct vmcs {
    uint32_t revision; /* the rest has a format that only the CPU knows */
};

void vmcs_failed(const char *instruction, uint64_t operand) __attribute__((noreturn, cold));

struct vmcs_advance {
    uint64_t length, rip, rflags, blocked; /* blocked: the interruptibility state */
};

/* VMPTRLD: vmread() and vmwrite() mean this one. The instruction takes the VMCS's address out of
 * memory, as the pointer is there. If it fails, the VMCS before it is current. */
#ifdef HAMLET_UNIT /* host tests keep the fields in an array */
void vmcs_make_current(struct vmcs *const *vmcs);
uint64_t vmread(enum vmcs_field field);
void vmwrite(enum vmcs_field field, uint64_t value);
static inline struct vmcs_advance vmread_advance(void)
{
    return (struct vmcs_advance){vmread(VM_EXIT_INSTRUCTION_LENGTH), vmread(GUEST_RIP),
                                 vmread(GUEST_RFLAGS), vmread(GUEST_INTERRUPTIBILITY)};
}
#else
static inline void vmcs_make_current(struct vmcs *const *vmcs)
{
    bool failed;
    asm volatile("vmptrld %1" : "=@ccbe"(failed) : "m"(*vmcs) : "memory");
    if (__builtin_expect(failed, 0))
        vmcs_failed("VMPTRLD", ptr_hpa(*vmcs).v);
}

/* CF or ZF: VMfail. vmx/enter.asm has the two labels, and finds the field in RAX. */
static inline uint64_t vmread(enum vmcs_field field)
{
    uint64_t value;
    asm volatile("vmread %1, %0\n\tjbe vmread_failed"
                 : "=rm"(value)
                 : "a"((uint64_t)field)
                 : "cc", "memory");
    return value;
}

/* What vmx/vcpu/advance.h asks for, by one check: every CPU with VMX has the four fields, so that a
 * VMREAD fails only if no VMCS is current, and then all four fail. */
static inline struct vmcs_advance vmread_advance(void)
{
    struct vmcs_advance got;
    asm volatile("vmread %4, %0\n\tvmread %5, %1\n\tvmread %6, %2\n\tvmread %7, %3\n\t"
                 "jbe vmread_failed"
                 : "=&r"(got.length), "=&r"(got.rip), "=&r"(got.rflags), "=r"(got.blocked)
                 : "r"((uint64_t)VM_EXIT_INSTRUCTION_LENGTH), "r"((uint64_t)GUEST_RIP),
                   "r"((uint64_t)GUEST_RFLAGS), "a"((uint64_t)GUEST_INTERRUPTIBILITY)
                 : "cc", "memory");
    return got;
}

static inline void vmwrite(enum vmcs_field field, uint64_t value)
{
    asm volatile("vmwrite %0, %1\n\tjbe vmwrite_failed"
                 :
                 : "rm"(value), "a"((uint64_t)field)
                 : "cc", "memory");
}
#endif

MUST_CHECK struct vmcs *vmcs_alloc(void);       /* NULL: no memory */
void vmcs_clear(struct vmcs *vmcs);             /* VMCLEAR: to memory; next comes a VMLAUNCH */
void vmcs_enter_operation(struct vmcs *region); /* VMXON, with a region of this CPU */
