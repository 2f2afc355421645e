/* SPDX-License-Identifier: MIT */
/*
 * Control registers. The guest changes most bits without an exit. The bits that stay the host's
 * (CR0.NE, CD and NW, CR4.VMXE, and features that are not offered) are shadowed, and a change of
 * one of them exits.
 * From: vmx/run/run.c (exit table).
 * To: vmx/vcpu/cr.c (value and shadow), vmx/vcpu/inject.c (#GP).
 * Spec: SDM "Guest/Host Masks and Read Shadows for CR0 and CR4", "MOV-Move to/from Control
 * Registers", "Checks on Guest Control Registers, Debug Registers, and MSRs".
 */
#include "vmx/exit/exit.h"
#include "vmx/caps.h"
#include "vmx/ept_flush.h"
#include "vmx/vcpu/advance.h"
#include "vmx/vcpu/cr.h"
#include "vmx/vcpu/inject.h"
#include "vmx/vmcs.h"
#include "arch/apic.h"

/* CR3 names a table of four entries, 32-byte aligned, in PAE paging. */
#define CR3_PAE_TABLE  BITS(31, 5)
#define PDPTE_P        BIT(0)
#define PDPTE_RESERVED (BITS(2, 1) | BITS(8, 5))

/* Bits that no physical address has: 63 to MAXPHYADDR. */
static uint64_t above_maxphyaddr(void) { return ~UINT64_C(0) << (cpuid(0x80000008, 0).eax & 63); }

/* In PAE paging the CPU keeps the four PDPTEs in registers, and with EPT a VM entry loads them from
 * the VMCS. The CPU did not execute the MOV that exits, so they are read here. -EINVAL: #GP,
 * because a reserved bit is set. SDM "PDPTE Registers". */
int cr_load_pdptes(struct vcpu *v)
{
    gpa_t at = gpa(vmread(GUEST_CR3) & CR3_PAE_TABLE);
    hpa_t table;
    unsigned perm;
    enum ept_type type;
    if (!ept_translate(v->ept, at, &table, &perm, &type) || type != EPT_WB)
        return -EINVAL;
    uint64_t entry[4], reserved = PDPTE_RESERVED | above_maxphyaddr();
    for (unsigned i = 0; i < 4; i++) {
        entry[i] = atomic_load((uint64_t *)hpa_ptr(table) + i);
        if ((entry[i] & PDPTE_P) && (entry[i] & reserved))
            return -EINVAL;
    }
    for (unsigned i = 0; i < 4; i++)
        vmwrite(VMCS_PDPTE(i), entry[i]);
    return 0;
}

static bool in_pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LMA);
}

/* With EFER.LME a change of PG switches IA-32e mode: SDM "Initializing IA-32e Mode".
 * -EINVAL: #GP. */
static int switch_long_mode(bool paging, uint64_t *efer)
{
    uint64_t entry = vmread(VM_ENTRY_CONTROLS);
    if (!(*efer & EFER_LME))
        return 0;
    if ((vmread(GUEST_CS_ACCESS_RIGHTS) & SEG_AR_L) || (paging && !(vmread(GUEST_CR4) & CR4_PAE)) ||
        (paging && FIELD_GET(SEG_AR_TYPE, vmread(GUEST_TR_ACCESS_RIGHTS)) == SEG_TYPE_TSS16_BUSY))
        return -EINVAL;
    *efer = paging ? *efer | EFER_LMA : *efer & ~EFER_LMA;
    vmwrite(VM_ENTRY_CONTROLS, paging ? entry | ENTRY_GUEST_64BIT : entry & ~ENTRY_GUEST_64BIT);
    return 0;
}

static int write_cr0_checked(struct vcpu *v, uint64_t value)
{
    uint64_t old = cr0_guest_view(), efer = vmread(GUEST_IA32_EFER), cr4 = vmread(GUEST_CR4);
    if (HI32(value) || ((value & CR0_PG) && !(value & CR0_PE)) ||
        ((value & CR0_NW) && !(value & CR0_CD)) || (!(value & CR0_PG) && (cr4 & CR4_PCIDE)))
        return -EINVAL;
    if (((old ^ value) & CR0_PG) && switch_long_mode(value & CR0_PG, &efer) < 0)
        return -EINVAL;
    if (in_pae_paging(value, cr4, efer) && ((old ^ value) & (CR0_PG | CR0_CD | CR0_NW)) &&
        cr_load_pdptes(v) < 0)
        return -EINVAL;
    vmwrite(GUEST_IA32_EFER, efer);
    cr0_write(value | CR0_ET);
    return 0;
}

static int write_cr4_checked(struct vcpu *v, uint64_t value)
{
    uint64_t old = cr4_guest_view(), efer = vmread(GUEST_IA32_EFER), cr0 = vmread(GUEST_CR0);
    if (value & ~vmx_caps.guest_cr4)
        return -EINVAL; /* VMXE too: no VMX is offered */
    if ((efer & EFER_LMA) && !(value & CR4_PAE))
        return -EINVAL;
    if (!(old & CR4_PCIDE) && (value & CR4_PCIDE) &&
        (!(efer & EFER_LMA) || (vmread(GUEST_CR3) & BITS(11, 0))))
        return -EINVAL;
    if (in_pae_paging(cr0, value, efer) && cr_load_pdptes(v) < 0)
        return -EINVAL;
    cr4_write(v, value);
    return 0;
}

/* Without APICv. CR8 is bits 7:4 of the TPR. */
static int cr8_access(struct vcpu *v, bool to, uint64_t *value)
{
    if (!to) {
        *value = FIELD_GET(BITS(7, 4), v->vapic[APIC_TPR / 4]);
        return 0;
    }
    if (*value & ~BITS(3, 0))
        return -EINVAL;
    v->vapic[APIC_TPR / 4] = (uint32_t)FIELD_SET(BITS(7, 4), *value);
    apic_on_write(v, APIC_TPR);
    return 0;
}

/* Outside of 64-bit mode the operand has 32 bits, and above them its register holds anything: SDM
 * "MOV-Move to/from Control Registers". */
static int mov_to(struct vcpu *v, unsigned number, uint64_t value)
{
    if (!vcpu_has_64_bit_code())
        value = LO32(value);
    switch (number) {
    case 0:
        return write_cr0_checked(v, value);
    case 4:
        return write_cr4_checked(v, value);
    case 8:
        return cr8_access(v, true, &value);
    default:
        return -EINVAL;
    }
}

/* CLTS and LMSW write bits 3:0 only: SDM "Instructions That Cause VM Exits Conditionally". */
static_assert(!(CR0_HOSTS & BITS(3, 0)), "no exit by CLTS or LMSW");

enum exit_action exit_cr_access(struct vcpu *v)
{
    uint64_t qualification = vmread(EXIT_QUALIFICATION);
    unsigned number = (unsigned)FIELD_GET(QUAL_CR_NUMBER, qualification);
    enum gpr gpr = (enum gpr)FIELD_GET(QUAL_CR_GPR, qualification);
    uint64_t value = 0;
    int err = -EINVAL;
    v->exit.qualification = qualification;
    switch (FIELD_GET(QUAL_CR_ACCESS, qualification)) {
    case CR_ACCESS_TO:
        err = mov_to(v, number, vcpu_gpr(v, gpr));
        break;
    case CR_ACCESS_FROM: /* CR8 only; the guest reads the others without an exit */
        err = number == 8 ? cr8_access(v, false, &value) : -EINVAL;
        if (err == 0)
            vcpu_set_gpr(v, gpr, value);
        break;
    }
    if (err < 0)
        return inject_gp(v);
    if (number != 8) /* paging may have changed, and then the guest relies on an empty TLB */
        ept_flush_vpid(v->vpid);
    return RESUME_NEXT;
}
