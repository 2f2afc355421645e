# SPDX-License-Identifier: MIT
"""
Bochs and the manual: control registers, the local APIC, CPUID, MSRs.

From: lab/bochs/mends/__init__.py
To:   tests/guests/mends.c (the checks)
"""

from lab.bochs.mends.mend import Mend

CPU = [
    Mend(
        name="cr0-fixed-in-guest",
        file="cpu/crregs.cc",
        spec="Changes to Instruction Behavior in VMX Non-Root Operation",
        rule="without \"unrestricted guest\" a guest may clear neither CR0.PE nor CR0.PG: #GP(0)",
        anchor="    if (!BX_CPU_THIS_PTR in_vmx_guest && !BX_CPU_THIS_PTR "
               "vmcs.vmexec_ctrls2.UNRESTRICTED_GUEST()) {\n",
        repair="    if (BX_CPU_THIS_PTR in_vmx_guest && !BX_CPU_THIS_PTR "
               "vmcs.vmexec_ctrls2.UNRESTRICTED_GUEST()) {\n",
    ),
    Mend(
        name="cr0-fixed-in-root",
        file="cpu/crregs.cc",
        spec="Restrictions on VMX Operation",
        rule="in VMX root operation MOV to CR0 may clear neither PE nor PG, whatever the current "
             "VMCS says: #GP(0)",
        anchor="  if (! check_CR0(val)) return false;\n\n  Bit32u val_32 = GET32L(val);\n",
        repair="  if (! check_CR0(val)) return false;\n\n  Bit32u val_32 = GET32L(val);\n\n"
               "#if BX_SUPPORT_VMX\n"
               "  if (BX_CPU_THIS_PTR in_vmx && ! BX_CPU_THIS_PTR in_vmx_guest &&\n"
               "      (val_32 & (BX_CR0_PE_MASK | BX_CR0_PG_MASK)) != (BX_CR0_PE_MASK | "
               "BX_CR0_PG_MASK))\n"
               "    return false;\n"
               "#endif\n",
    ),
    Mend(
        name="apic-enabled-again",
        file="cpu/msr.cc",
        spec="Enabling or Disabling the Local APIC",
        rule="IA32_APIC_BASE[11] may be set again after it was cleared (to xAPIC mode: disabled to "
             "x2APIC is #GP)",
        anchor="  if (apic_global_enable_on()) {\n    Bit32u val32_hi = GET32H(val_64), val32_lo = "
               "GET32L(val_64);\n",
        repair="  if (! apic_global_enable_on() && (val_64 & 0x400) != 0) return false;\n"
               "  {\n    Bit32u val32_hi = GET32H(val_64), val32_lo = GET32L(val_64);\n",
    ),
    Mend(
        name="apic-enabled-again-2",
        file="cpu/msr.cc",
        spec="Enabling or Disabling the Local APIC",
        rule="(the other half of the edit above: the write is no longer ignored)",
        anchor="  else {\n    BX_INFO((\"WRMSR: MSR_APICBASE APIC global enable bit cleared "
               "!\"));\n  }\n",
        repair="",
    ),
    Mend(
        name="microcode-revision",
        file="cpu/msr.cc",
        spec="Microcode Update Resources",
        rule="IA32_BIOS_SIGN_ID holds the revision of the microcode in bits 63:32: one without the "
             "errata for which Linux and Xen turn off the TSC deadline (Bochs has no such MSR)",
        anchor="    if (! msr_desc[index]) return handle_unknown_rdmsr(index, msr);\n",
        repair="    if (index == 0x8b) {\n"
               "      *msr = BX_CONST64(0x0200006500000000);\n"
               "      return true;\n"
               "    }\n"
               "    if (! msr_desc[index]) return handle_unknown_rdmsr(index, msr);\n",
    ),
    Mend(
        name="topology-leaf",
        file="cpu/cpuid.cc",
        spec="CPUID-CPU Identification",
        rule="leaf 0BH has levels of type SMT and core only, and EAX is the width of the APIC id "
             "below the next level: 0 bits tell 1 from 1",
        anchor="     leaf->eax = ilog2(nthreads-1)+1;\n",
        repair="     leaf->eax = width_of(nthreads);\n",
    ),
    Mend(
        name="topology-leaf: width",
        file="cpu/cpuid.cc",
        spec="CPUID-CPU Identification",
        rule="(part of the edit above)",
        anchor="// leaf 0x0000000B //\n"
               "void bx_cpuid_t::get_std_cpuid_extended_topology_leaf(",
        repair="static Bit32u width_of(Bit32u n) { return n > 1 ? ilog2(n-1)+1 : 0; }\n\n"
               "// leaf 0x0000000B //\n"
               "void bx_cpuid_t::get_std_cpuid_extended_topology_leaf(",
    ),
    Mend(
        name="topology-leaf: cores",
        file="cpu/cpuid.cc",
        spec="CPUID-CPU Identification",
        rule="(part of the edit above)",
        anchor="     leaf->eax = ilog2(ncores-1)+1;\n",
        repair="     leaf->eax = width_of(nthreads) + width_of(ncores);\n",
    ),
    Mend(
        name="topology-leaf: packages",
        file="cpu/cpuid.cc",
        spec="CPUID-CPU Identification",
        rule="(part of the edit above)",
        anchor="     if (nprocessors > 1) {\n       leaf->eax = ilog2(nprocessors-1)+1;\n",
        repair="     if (0) { // a level that only leaf 1FH could have\n"
               "       leaf->eax = ilog2(nprocessors-1)+1;\n",
    ),
]
