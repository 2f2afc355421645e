# SPDX-License-Identifier: MIT
"""
Bochs and the manual: the checks of VM entry, and what a VM exit stores. A field that the manual
leaves undefined holds a value of no use, so that software which reads it all the same is noticed.

From: lab/bochs/mends/__init__.py
To:   tests/guests/mends_vmx.c (the checks)
"""

from lab.bochs.mends.mend import Mend

NON_REGISTER = "Checks on Guest Non-Register State"
REGISTERS = "Checks on Guest Control Registers, Debug Registers, and MSRs"
FAIL = "    return VMX_VMEXIT_VMENTRY_FAILURE_GUEST_STATE;\n  }\n"

VMX = [
    Mend(
        name="entry-single-step-pending",
        file="cpu/vmx.cc",
        spec=NON_REGISTER,
        rule="under blocking by STI or MOV SS, and in HLT, pending debug exceptions have BS = 1 if "
             "RFLAGS.TF = 1 and IA32_DEBUGCTL.BTF = 0, else BS = 0",
        anchor="  if ((guest.rflags & EFlagsIFMask) == 0) {\n"
               "    if (guest.interruptibility_state & BX_VMX_INTERRUPTS_BLOCKED_BY_STI) {\n",
        repair="  if ((guest.interruptibility_state & 0x3) != 0 ||\n"
               "      guest.activity_state == BX_ACTIVITY_STATE_HLT) {\n"
               "    bool steps = (guest.rflags & EFlagsTFMask) != 0 && "
               "(guest.ia32_debugctl_msr & 0x2) == 0;\n"
               "    if (steps != ((guest.tmpDR6 & 0x4000) != 0)) {\n"
               "      BX_ERROR((\"VMENTER FAIL: VMCS guest pending debug exceptions: BS\"));\n"
               "      return VMX_VMEXIT_VMENTRY_FAILURE_GUEST_STATE;\n"
               "    }\n"
               "  }\n\n"
               "  if ((guest.rflags & EFlagsIFMask) == 0) {\n"
               "    if (guest.interruptibility_state & BX_VMX_INTERRUPTS_BLOCKED_BY_STI) {\n",
    ),
    Mend(
        name="entry-rip",
        file="cpu/vmx.cc",
        spec="Checks on Guest RIP, RFLAGS, and SSP",
        rule="in 64-bit mode the bits of RIP above the linear-address width are identical",
        anchor="  if (! x86_64_guest || !guest.sregs[BX_SEG_REG_CS].cache.u.segment.l) {\n"
               "    if (GET32H(guest.rip) != 0) {\n",
        repair="  if (x86_64_guest && guest.sregs[BX_SEG_REG_CS].cache.u.segment.l &&\n"
               "      guest.rip >> 48 != 0 && guest.rip >> 48 != 0xffff) {\n"
               "    BX_ERROR((\"VMENTER FAIL: VMCS guest RIP is too wide\"));\n" + FAIL +
               "  if (! x86_64_guest || !guest.sregs[BX_SEG_REG_CS].cache.u.segment.l) {\n"
               "    if (GET32H(guest.rip) != 0) {\n",
    ),
    Mend(
        name="entry-nmi-blocked",
        file="cpu/vmx.cc",
        spec=NON_REGISTER,
        rule="with \"virtual NMIs\" no NMI is injected under blocking by NMI",
        anchor="    if (event_type == BX_NMI) {\n"
               "      if ((guest.interruptibility_state & 0x3) != 0) {\n",
        repair="    if (event_type == BX_NMI) {\n"
               "      if ((guest.interruptibility_state & 0x3) != 0 ||\n"
               "          (vm->pin_vmexec_ctrls.VIRTUAL_NMI() && (guest.interruptibility_state &\n"
               "           BX_VMX_INTERRUPTS_BLOCKED_NMI_BLOCKED))) {\n",
    ),
    Mend(
        name="entry-debugctl",
        file="cpu/vmx.cc",
        spec=REGISTERS,
        rule="with \"load debug controls\" the reserved bits of IA32_DEBUGCTL are 0",
        anchor="  guest.ia32_debugctl_msr = VMread64(VMCS_64BIT_GUEST_IA32_DEBUGCTL);\n",
        repair="  guest.ia32_debugctl_msr = VMread64(VMCS_64BIT_GUEST_IA32_DEBUGCTL);\n"
               "  if (vm->vmentry_ctrls.LOAD_DBG_CTRLS() &&\n"
               "      (guest.ia32_debugctl_msr & ~BX_CONST64(0xffc3)) != 0) {\n"
               "    BX_ERROR((\"VMENTER FAIL: VMCS guest IA32_DEBUGCTL reserved bits\"));\n" + FAIL,
    ),
    Mend(
        name="entry-loads-known-msrs",
        file="cpu/vmx.cc",
        spec="Loading MSRs",
        rule="an entry that loads an MSR which does not exist fails, although lab lets WRMSR to "
             "such a one pass",
        anchor="    if (! wrmsr(index, msr_hi)) {\n"
               "      BX_ERROR((\"VMX LoadMSRs %d: unable to set up",
        repair="    bool ignore = BX_CPU_THIS_PTR ignore_bad_msrs;\n"
               "    BX_CPU_THIS_PTR ignore_bad_msrs = false;\n"
               "    bool loaded = wrmsr(index, msr_hi);\n"
               "    BX_CPU_THIS_PTR ignore_bad_msrs = ignore;\n"
               "    if (! loaded) {\n"
               "      BX_ERROR((\"VMX LoadMSRs %d: unable to set up",
    ),
    Mend(
        name="no-perf-global",
        file="cpu/cpuid.h",
        spec="VM-Entry Controls",
        rule="a control that is offered works: there is no IA32_PERF_GLOBAL_CTRL here to be loaded",
        anchor="#define BX_VMX_PERF_GLOBAL_CTRL                 (1 <<  4)",
        repair="#define BX_VMX_PERF_GLOBAL_CTRL                 (0 <<  4)",
    ),
    Mend(
        name="violation-on-table",
        file="cpu/paging.cc",
        spec="Exit Qualification for EPT Violations",
        rule="with accessed and dirty flags for EPT, a violation by an access to a guest paging "
             "structure sets bits 0 and 1",
        anchor="      vmexit_qualification = access_mask | (combined_access << 3);\n",
        repair="      vmexit_qualification = access_mask | (combined_access << 3);\n"
               "      if (BX_VMX_EPT_ACCESS_DIRTY_ENABLED && is_page_walk && guest_laddr_valid)\n"
               "        vmexit_qualification |= BX_EPT_READ;\n",
    ),
    Mend(
        name="undefined-is-poisoned",
        file="cpu/vmx.cc",
        spec="VM-Exit Information Fields",
        rule="what an exit leaves undefined is not what software would like to find there",
        anchor="  // clipping with 0xf not really necessary but keep it for safety\n"
               "  VMwrite32(VMCS_32BIT_VMEXIT_INSTRUCTION_LENGTH, "
               "(RIP-BX_CPU_THIS_PTR prev_rip) & 0xf);\n",
        repair="""\
  Bit32u length = (RIP-BX_CPU_THIS_PTR prev_rip) & 0xf, cause = reason & 0xffff;
  Bit32u info = VMread32(VMCS_32BIT_VMEXIT_INTERRUPTION_INFO);
  unsigned event = BX_CPU_THIS_PTR in_event ? (vm->idt_vector_info >> 8) & 7 : 0;
  bool instruction; // one that exits, or that delivers an event
  switch (cause) {
  case VMX_VMEXIT_EXCEPTION_NMI:
    instruction = event >= 4 || ((info >> 8) & 7) >= 5;
    break;
  case VMX_VMEXIT_TASK_SWITCH:
    instruction = ! BX_CPU_THIS_PTR in_event || event >= 4;
    break;
  case VMX_VMEXIT_EXTERNAL_INTERRUPT: case VMX_VMEXIT_TRIPLE_FAULT: case VMX_VMEXIT_INIT:
  case VMX_VMEXIT_SIPI: case VMX_VMEXIT_IO_SMI: case VMX_VMEXIT_SMI:
  case VMX_VMEXIT_INTERRUPT_WINDOW: case VMX_VMEXIT_NMI_WINDOW: case VMX_VMEXIT_TPR_THRESHOLD:
  case VMX_VMEXIT_MONITOR_TRAP_FLAG: case VMX_VMEXIT_VMENTRY_FAILURE_GUEST_STATE:
  case VMX_VMEXIT_VMENTRY_FAILURE_MSR: case VMX_VMEXIT_VMX_PREEMPTION_TIMER_EXPIRED:
  case VMX_VMEXIT_VIRTUALIZED_EOI: case VMX_VMEXIT_APIC_WRITE: case VMX_VMEXIT_APIC_ACCESS:
  case VMX_VMEXIT_EPT_VIOLATION: case VMX_VMEXIT_EPT_MISCONFIGURATION: case VMX_VMEXIT_PML_LOGFULL:
    instruction = event >= 4;
    break;
  default:
    instruction = true;
  }
  VMwrite32(VMCS_32BIT_VMEXIT_INSTRUCTION_LENGTH, instruction ? length : 0x0bad0bad);
  bool linear = cause == VMX_VMEXIT_IO_INSTRUCTION ? (qualification & 0x10) != 0 :
                cause == VMX_VMEXIT_EPT_VIOLATION ? (qualification & 0x80) != 0 :
                cause == VMX_VMEXIT_CR_ACCESS || cause == VMX_VMEXIT_PML_LOGFULL ||
                cause == VMX_VMEXIT_SPP;
  if (! linear)
    VMwrite_natural(VMCS_GUEST_LINEAR_ADDR, BX_CONST64(0x0bad1bad1bad1bad));
  if (cause != VMX_VMEXIT_EPT_VIOLATION && cause != VMX_VMEXIT_EPT_MISCONFIGURATION &&
      cause != VMX_VMEXIT_PML_LOGFULL && cause != VMX_VMEXIT_SPP)
    VMwrite64(VMCS_64BIT_GUEST_PHYSICAL_ADDR, BX_CONST64(0x0bad2bad2bad2bad));
  if (cause != VMX_VMEXIT_EXCEPTION_NMI || (info & 0x800) == 0)
    VMwrite32(VMCS_32BIT_VMEXIT_INTERRUPTION_ERR_CODE, 0x0bad3bad);
  if (cause == VMX_VMEXIT_EXCEPTION_NMI && BX_CPU_THIS_PTR in_event)
    VMwrite32(VMCS_32BIT_VMEXIT_INTERRUPTION_INFO, info | 0x1000); // NMI unblocking: undefined
  if (cause == VMX_VMEXIT_EPT_VIOLATION) {
    if (BX_CPU_THIS_PTR in_event) qualification |= 0x1000; // likewise
    if ((qualification & 0x80) == 0) qualification |= 0x100; // a linear address: undefined
    VMwrite_natural(VMCS_VMEXIT_QUALIFICATION, qualification);
  }
""",
    ),
    Mend(
        name="undefined-is-poisoned: vectoring",
        file="cpu/vmx.cc",
        spec="VM-Exit Information Fields",
        rule="(part of the edit above)",
        anchor="    VMwrite32(VMCS_32BIT_IDT_VECTORING_ERR_CODE, vm->idt_vector_error_code);\n",
        repair="    VMwrite32(VMCS_32BIT_IDT_VECTORING_ERR_CODE, (vm->idt_vector_info & 0x800) ? "
               "vm->idt_vector_error_code : 0x0bad4bad);\n",
    ),
    Mend(
        name="undefined-is-poisoned: no vectoring",
        file="cpu/vmx.cc",
        spec="VM-Exit Information Fields",
        rule="(part of the edit above)",
        anchor="  else {\n    VMwrite32(VMCS_32BIT_IDT_VECTORING_INFO, 0);\n",
        repair="  else {\n    VMwrite32(VMCS_32BIT_IDT_VECTORING_ERR_CODE, 0x0bad4bad);\n"
               "    VMwrite32(VMCS_32BIT_IDT_VECTORING_INFO, 0x00000bad);\n",
    ),
]
