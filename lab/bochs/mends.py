# SPDX-License-Identifier: MIT
"""
Where Bochs 3.0 strays from the manual, and the edit that leads it back.

From: lab/bochs/build.py (applied to the unpacked source, before configure)
To:   tests/cases/test_mends.py (a case per mend: it fails on Bochs as shipped)
Spec: the SDM section named in each row.

A mend is an edit and not a patch file: it names the text that it expects, and stops the build when
that text is not there exactly once. So a new Bochs can never be mended half, or in the wrong place.

Hamlet itself stays right on Bochs as shipped and on hardware: the mends let the *machine* be
trusted as a judge.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mend:
    name: str
    file: str      # within the Bochs source
    spec: str      # title of the SDM section
    rule: str      # what that section asks for, in our words
    anchor: str    # text that must occur exactly once
    repair: str    # what stands there afterwards


MENDS = [
    Mend(
        name="descriptor-alignment",
        file="cpu/vmx.cc",
        spec="VM-Execution Control Fields",
        rule="bits 5:0 of the posted-interrupt descriptor address are 0: it is aligned to 64 "
             "bytes, not to a page",
        anchor="      if (! IsValidPageAlignedPhyAddr(vm->pid_addr)) {\n",
        repair="      if (! IsValidPhyAddr(vm->pid_addr) || (vm->pid_addr & 0x3f) != 0) {\n",
    ),
    Mend(
        name="virtual-interrupt-masked",
        file="cpu/event.cc",
        spec="Virtual-Interrupt Delivery",
        rule="a recognized virtual interrupt is delivered only if RFLAGS.IF = 1, whatever physical "
             "interrupt arrives",
        anchor="    if (is_pending(BX_EVENT_PENDING_VMX_VIRTUAL_INTR)) {\n",
        repair="    if (is_unmasked_event_pending(BX_EVENT_PENDING_VMX_VIRTUAL_INTR)) {\n",
    ),
    Mend(
        name="empty-request-array",
        file="cpu/vapic.cc",
        spec="Posted-Interrupt Processing",
        rule="RVI becomes the maximum of its old value and the highest bit of PIR: an empty PIR "
             "leaves it alone",
        anchor="  vector = BX_CPU_THIS_PTR lapic->highest_priority_int(virr);\n"
               "  if (vector >= vm->rvi) vm->rvi = vector;\n",
        repair="  int highest = BX_CPU_THIS_PTR lapic->highest_priority_int(virr);\n"
               "  if (highest >= vm->rvi) vm->rvi = (Bit8u) highest;\n",
    ),
    Mend(
        name="halted-guest-wakes",
        file="cpu/event.cc",
        spec="Evaluation of Pending Virtual Interrupts",
        rule="a halted guest wakes for a recognized virtual interrupt, and for an external "
             "interrupt that will exit, "
             "whatever RFLAGS.IF says",
        anchor="         is_unmasked_event_pending(BX_EVENT_NMI | BX_EVENT_SMI | BX_EVENT_INIT |\n"
               "            BX_EVENT_VMX_VTPR_UPDATE |\n",
        repair="         (BX_CPU_THIS_PTR in_vmx_guest && BX_CPU_THIS_PTR activity_state != "
               "BX_ACTIVITY_STATE_SHUTDOWN &&\n"
               "          is_unmasked_event_pending(BX_EVENT_PENDING_INTR | "
               "BX_EVENT_PENDING_LAPIC_INTR |\n"
               "                                    BX_EVENT_PENDING_VMX_VIRTUAL_INTR)) ||\n"
               "         is_unmasked_event_pending(BX_EVENT_NMI | BX_EVENT_SMI | BX_EVENT_INIT |\n"
               "            BX_EVENT_VMX_VTPR_UPDATE |\n",
    ),
    Mend(
        name="interrupts-exit-from-the-start",
        file="cpu/vmx.cc",
        spec="External-interrupt exiting",
        rule="a guest that is entered with RFLAGS.IF = 0 is left for an external interrupt as "
             "well: which events are "
             "masked is decided anew once the processor is in the guest",
        anchor="  BX_CPU_THIS_PTR in_vmx_guest = true;\n\n  unmask_event(BX_EVENT_INIT);\n",
        repair="  BX_CPU_THIS_PTR in_vmx_guest = true;\n\n  handleInterruptMaskChange();\n"
               "  unmask_event(BX_EVENT_INIT);\n",
    ),
    Mend(
        name="posted-delivery-at-once",
        file="cpu/event.cc",
        spec="Posted-Interrupt Processing",
        rule="a virtual interrupt recognized by posted-interrupt processing is delivered before "
             "the next instruction",
        anchor="    if (VMX_Posted_Interrupt_Processing(vector)) return;\n",
        repair="    if (VMX_Posted_Interrupt_Processing(vector)) {\n"
               "      if (is_unmasked_event_pending(BX_EVENT_PENDING_VMX_VIRTUAL_INTR))\n"
               "        VMX_Deliver_Virtual_Interrupt();\n"
               "      return;\n"
               "    }\n",
    ),
    Mend(
        name="virtual-interrupt-vectoring",
        file="cpu/vapic.cc",
        spec="Information for VM Exits That Occur During Event Delivery",
        rule="a VM exit during the delivery of a virtual interrupt reports that interrupt as the "
             "event under way, not "
             "whatever was delivered before it",
        anchor="  clear_event(BX_EVENT_PENDING_VMX_VIRTUAL_INTR);\n\n  BX_CPU_THIS_PTR EXT = 1; /* "
               "external event */\n",
        repair="  clear_event(BX_EVENT_PENDING_VMX_VIRTUAL_INTR);\n\n  BX_CPU_THIS_PTR EXT = 1; /* "
               "external event */\n"
               "  vm->idt_vector_info = vector | (BX_EXTERNAL_INTERRUPT << 8);\n  "
               "vm->idt_vector_error_code = 0;\n",
    ),
    Mend(
        name="exception-commits-rip",
        file="main.cc",
        spec="Saving RIP, RSP, RFLAGS, and SSP",
        rule="an exit for an external interrupt that comes before the first instruction of an "
             "exception's handler saves "
             "RIP of that instruction (with several processors it saved RIP of the one that had "
             "faulted, with the stack "
             "and the privilege of the handler)",
        anchor="          BX_CPU(processor)->icount++;\n          run = false;\n",
        repair="          BX_CPU(processor)->icount++;\n          run = false;\n"
               "          BX_CPU(processor)->prev_rip = "
               "BX_CPU(processor)->gen_reg[BX_64BIT_REG_RIP].rrx;\n"
               "          BX_CPU(processor)->speculative_rsp = false;\n",
    ),
    Mend(
        name="exception-commits-rip-2",
        file="main.cc",
        spec="Saving RIP, RSP, RFLAGS, and SSP",
        rule="(the other half of the edit above: after longjmp it is still known which processor "
             "took the exception)",
        anchor="        Bit32u executed = 0, processor = 0;\n",
        repair="        volatile Bit32u executed = 0, processor = 0;\n",
    ),
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
]

# Not a repair but a switch, for the case "firmware has locked VMX off": with HAMLET_LAB_VMX_OFF in
# the environment the firmware's write to IA32_FEATURE_CONTROL takes effect without the VMX enable
# bit. Everything else stays as it was.
SWITCHES = [
    Mend(
        name="vmx-locked-off",
        file="cpu/msr.cc",
        spec="Enabling and Entering VMX Operation",
        rule="firmware may lock IA32_FEATURE_CONTROL with VMX disabled; VMXON is then #GP(0)",
        anchor="      BX_CPU_THIS_PTR msr.ia32_feature_ctrl = val32_lo;\n",
        repair="      BX_CPU_THIS_PTR msr.ia32_feature_ctrl =\n"
               "          getenv(\"HAMLET_LAB_VMX_OFF\") ? (val32_lo & "
               "~BX_IA32_FEATURE_CONTROL_VMX_ENABLE_BIT) : val32_lo;\n",
    ),
    # Hooks for lab/bochs/plugin/: its functions answer for their own config space, and its VT-d
    # unit, which does not snoop the processors' caches, has to hear of every line written back.
    Mend(
        name="plugin-config-space",
        file="iodev/iodev.h",
        spec="Configuration Space",
        rule="a device decides itself what a write to its BARs and its ROM register does",
        anchor="  void pci_write_handler_common(",
        repair="  virtual void pci_write_handler_common(",
    ),
    Mend(
        name="plugin-write-back",
        file="iodev/iodev.h",
        spec="CLFLUSH - Flush Cache Line",
        rule="(the place where the plugin is told; ~0 stands for every line)",
        anchor="  virtual void set_enabled(bool enabled, Bit16u base_offset) {}\n",
        repair="  virtual void set_enabled(bool enabled, Bit16u base_offset) {}\n"
               "  virtual void line_written_back(bx_phy_address addr) {}\n",
    ),
    Mend(
        name="plugin-write-back-include",
        file="cpu/proc_ctrl.cc",
        spec="CLFLUSH - Flush Cache Line",
        rule="(its declaration)",
        anchor="#include \"gui/gui.h\"\n",
        repair="#include \"gui/gui.h\"\n#include \"iodev/iodev.h\"\n",
    ),
    Mend(
        name="plugin-clflush",
        file="cpu/proc_ctrl.cc",
        spec="CLFLUSH - Flush Cache Line",
        rule="writes the line back to memory, where an agent that does not snoop can see it",
        anchor="  BX_INSTR_CLFLUSH(BX_CPU_ID, laddr, BX_CPU_THIS_PTR address_xlation.paddress1);\n",
        repair="  BX_INSTR_CLFLUSH(BX_CPU_ID, laddr, BX_CPU_THIS_PTR address_xlation.paddress1);\n"
               "  bx_devices.pluginIOAPIC->line_written_back(BX_CPU_THIS_PTR "
               "address_xlation.paddress1);\n",
    ),
    Mend(
        name="plugin-wbinvd",
        file="cpu/proc_ctrl.cc",
        spec="WBINVD - Write Back and Invalidate Cache",
        rule="writes every line back",
        anchor="  BX_INSTR_CACHE_CNTRL(BX_CPU_ID, BX_INSTR_WBINVD);\n",
        repair="  BX_INSTR_CACHE_CNTRL(BX_CPU_ID, BX_INSTR_WBINVD);\n"
               "  bx_devices.pluginIOAPIC->line_written_back(~(bx_phy_address) 0);\n",
    ),
]


def apply(source, mends):
    """Edit the tree at `source` (a Path). Raises ValueError, naming the mend, if an anchor is not
    there exactly once."""
    for mend in mends:
        path = source / mend.file
        text = path.read_text()
        count = text.count(mend.anchor)
        if count != 1:
            raise ValueError(
                f"mend {mend.name}: its text occurs {count} times in {mend.file}, not once")
        path.write_text(text.replace(mend.anchor, mend.repair))
