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

#ifdef HAMLET_UNIT /* host tests keep the fields in an array */
uint64_t vmread(enum vmcs_field field);
void vmwrite(enum vmcs_field field, uint64_t value);
#else
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

static inline void vmwrite(enum vmcs_field field, uint64_t value)
{
    asm volatile("vmwrite %0, %1\n\tjbe vmwrite_failed"
                 :
                 : "rm"(value), "a"((uint64_t)field)
                 : "cc", "memory");
}
#endif

MUST_CHECK struct vmcs *vmcs_alloc(void);  /* NULL: no memory */
void vmcs_clear(struct vmcs *vmcs);        /* VMCLEAR: to memory; the next entry is a VMLAUNCH */
void vmcs_make_current(struct vmcs *vmcs); /* VMPTRLD: vmread() and vmwrite() mean this one */
void vmcs_enter_operation(struct vmcs *region); /* VMXON, with a region of this CPU */
