# SPDX-License-Identifier: MIT
"""
Bochs and the manual: virtual and posted interrupts, and what an exit between events saves.

From: lab/bochs/mends/__init__.py
To:   tests/guests/mends.c (the checks)
"""

from lab.bochs.mends.mend import Mend

EVENTS = [
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
        rule="RVI becomes the maximum of its old value and the highest bit of PIR, whatever VIRR "
             "has: an empty PIR leaves it alone",
        anchor="  vector = BX_CPU_THIS_PTR lapic->highest_priority_int(virr);\n"
               "  if (vector >= vm->rvi) vm->rvi = vector;\n",
        repair="  for (unsigned n=0;n<8;n++)\n    virr[n] = PIR.ymm32u(n);\n"
               "  int highest = BX_CPU_THIS_PTR lapic->highest_priority_int(virr);\n"
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
]
