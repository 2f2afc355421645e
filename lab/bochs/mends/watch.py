# SPDX-License-Identifier: MIT
"""
Edits of Bochs that change nothing: places where the processor tells the plugin what it does with
virtual and posted interrupts, so that a recorded run can show it.

From: lab/bochs/mends/__init__.py
To:   lab/bochs/plugin/glue_cpu.cc (which writes it into the trace)
"""

from lab.bochs.mends.mend import Mend


def _place(name, file, spec, anchor, what, value):
    """The hook stands behind the text `anchor`. `value` is the one number that goes with it."""
    return Mend(name=f"watch-{name}", file=file, spec=spec, rule=f"(the plugin is told: {what})",
                anchor=anchor,
                repair=f"{anchor}  bx_devices.pluginIOAPIC->cpu_does(BX_CPU_ID, \"{what}\", "
                       f"{value});\n")


WATCH = [
    Mend(
        name="watch",
        file="iodev/iodev.h",
        spec="Virtual-Interrupt Delivery",
        rule="(the place where the plugin is told)",
        anchor="  virtual void receive_eoi(Bit8u vector) {}\n",
        repair="  virtual void receive_eoi(Bit8u vector) {}\n"
               "  virtual void cpu_does(unsigned cpu, const char *what, Bit64u value) {}\n",
    ),
    Mend(
        name="watch-include",
        file="cpu/vapic.cc",
        spec="Virtual-Interrupt Delivery",
        rule="(its declaration)",
        anchor="#include \"memory/memory-bochs.h\"\n",
        repair="#include \"memory/memory-bochs.h\"\n#include \"iodev/iodev.h\"\n",
    ),
    _place("entry", "cpu/vmx.cc", "VM Entries", "  VMenterInjectEvents();\n", "entry", "RIP"),
    _place("exit", "cpu/vmx.cc", "VM Exits",
           "  BX_INSTR_VMEXIT(BX_CPU_ID, reason, qualification);\n", "exit",
           "reason | Bit64u(VMread32(VMCS_32BIT_VMEXIT_INTERRUPTION_INFO)) << 32"),
    _place("notified", "cpu/vapic.cc", "Posted-Interrupt Processing",
           "  if (vector != vm->posted_intr_notification_vector)\n    return false;\n\n",
           "notified", "vector"),
    Mend(
        name="watch-folded",
        file="cpu/vapic.cc",
        spec="Posted-Interrupt Processing",
        rule="(the plugin is told: folded)",
        anchor="  VMX_Evaluate_Pending_Virtual_Interrupts();\n\n  return true;\n",
        repair="  VMX_Evaluate_Pending_Virtual_Interrupts();\n"
               "  bx_devices.pluginIOAPIC->cpu_does(BX_CPU_ID, \"folded\", vector);\n\n"
               "  return true;\n",
    ),
    _place("delivered", "cpu/vapic.cc", "Virtual-Interrupt Delivery",
           "  vm->rvi = vapic_clear_and_find_highest_priority_int(BX_LAPIC_IRR1, vector);\n",
           "delivered", "vector | RIP << 8"),
    Mend(
        name="watch-eoi",
        file="cpu/vapic.cc",
        spec="EOI Virtualization",
        rule="(the plugin is told: eoi)",
        anchor="    VMX_PPR_Virtualization();\n\n    bool bit_high",
        repair="    VMX_PPR_Virtualization();\n"
               "    bx_devices.pluginIOAPIC->cpu_does(BX_CPU_ID, \"eoi\", vector);\n\n"
               "    bool bit_high",
    ),
]
