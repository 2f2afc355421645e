# SPDX-License-Identifier: MIT
"""
Edits of Bochs that mend nothing: a switch for a test, and hooks for the plugin.

From: lab/bochs/mends/__init__.py
To:   lab/bochs/plugin/glue.cc (which answers the hooks)
"""

from lab.bochs.mends.mend import Mend

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
    # How fast this host reads the console is not to change what the machine says.
    Mend(
        name="full-terminal-waits",
        file="iodev/serial.cc",
        spec="PC16550D data sheet",
        rule="a byte leaves the transmitter by the line; it is not dropped if this host is slow",
        anchor="tty_id = open(dev, O_RDWR|O_NONBLOCK,600);",
        repair="tty_id = open(dev, O_RDWR|O_NOCTTY);",
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
        name="plugin-buses",
        file="iodev/iodev.h",
        spec="Configuration Mechanism #1",
        rule="(the place where the plugin answers for the buses behind its bridges; Bochs has bus "
             "0 only)",
        anchor="  virtual void set_irq_level(Bit8u int_in, bool level) {}\n",
        repair="  virtual void set_irq_level(Bit8u int_in, bool level) {}\n"
               "  virtual Bit32u config_read(Bit32u address, unsigned len) { return 0xffffffff; }\n"
               "  virtual void config_write(Bit32u address, Bit32u value, unsigned len) {}\n",
    ),
    Mend(
        name="plugin-buses-read",
        file="iodev/devices.cc",
        spec="Configuration Mechanism #1",
        rule="a read of another bus than 0 goes to the bridges",
        anchor="      Bit32u handle, retval = 0xffffffff;\n",
        repair="      Bit32u handle, retval = 0xffffffff;\n"
               "      Bit32u where = BX_DEV_THIS pci.confAddr;\n"
               "      if ((where >> 31) && (where & 0xff0000))\n"
               "        return BX_DEV_THIS pluginIOAPIC->config_read(\n"
               "            (where & 0xfffffc) | (address & 3), io_len);\n",
    ),
    Mend(
        name="plugin-buses-write",
        file="iodev/devices.cc",
        spec="Configuration Mechanism #1",
        rule="and a write",
        anchor="    case 0xCFF:\n",
        repair="    case 0xCFF:\n"
               "      if (Bit32u where = BX_DEV_THIS pci.confAddr;\n"
               "          (where >> 31) && (where & 0xff0000)) {\n"
               "        BX_DEV_THIS pluginIOAPIC->config_write(\n"
               "            (where & 0xfffffc) | (address & 3), value, io_len);\n"
               "        break;\n"
               "      }\n",
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
    # What the processors say about known leaks, and what software does about them: the plugin
    # answers, and its trace has a line for each step.
    Mend(
        name="plugin-processor",
        file="iodev/iodev.h",
        spec="Model-Specific Registers (MSRs)",
        rule="(the places where the plugin answers for an MSR, changes EDX of a leaf of CPUID, and "
             "is told of a step)",
        anchor="  virtual void line_written_back(bx_phy_address addr) {}\n",
        repair="  virtual void line_written_back(bx_phy_address addr) {}\n"
               "  virtual bool msr_is_ours(unsigned cpu, Bit32u index, bool write, Bit64u *value, "
               "bool *good) { return false; }\n"
               "  virtual Bit32u cpuid_edx(Bit32u leaf, Bit32u subleaf, Bit32u edx) { return edx; "
               "}\n"
               "  virtual void cpu_step(unsigned cpu, const char *what, Bit64u value) {}\n",
    ),
    Mend(
        name="plugin-msr-include",
        file="cpu/msr.cc",
        spec="Model-Specific Registers (MSRs)",
        rule="(their declaration)",
        anchor="#include \"msr.h\"\n",
        repair="#include \"msr.h\"\n#include \"iodev/iodev.h\"\n",
    ),
    Mend(
        name="plugin-rdmsr",
        file="cpu/msr.cc",
        spec="RDMSR - Read From Model Specific Register",
        rule="a register of the plugin is read",
        anchor="  Bit64u val64 = 0;\n\n#if BX_SUPPORT_VMX >= 2\n",
        repair="  Bit64u val64 = 0;\n"
               "  bool good = false;\n"
               "  if (bx_devices.pluginIOAPIC->msr_is_ours(BX_CPU_ID, index, false, msr, &good))\n"
               "    return good;\n\n#if BX_SUPPORT_VMX >= 2\n",
    ),
    Mend(
        name="plugin-wrmsr",
        file="cpu/msr.cc",
        spec="WRMSR - Write to Model Specific Register",
        rule="and written",
        anchor="  BX_INSTR_WRMSR(BX_CPU_ID, index, val_64);\n",
        repair="  BX_INSTR_WRMSR(BX_CPU_ID, index, val_64);\n"
               "  bool good = false;\n"
               "  if (bx_devices.pluginIOAPIC->msr_is_ours(BX_CPU_ID, index, true, &val_64, "
               "&good))\n"
               "    return good;\n",
    ),
    Mend(
        name="plugin-cpuid",
        file="cpu/proc_ctrl.cc",
        spec="CPUID - CPU Identification",
        rule="leaf 7 tells of the registers that the plugin answers for",
        anchor="  BX_CPU_THIS_PTR cpuid->get_cpuid_leaf(EAX, ECX, &leaf);\n",
        repair="  BX_CPU_THIS_PTR cpuid->get_cpuid_leaf(EAX, ECX, &leaf);\n"
               "  leaf.edx = bx_devices.pluginIOAPIC->cpuid_edx(EAX, ECX, leaf.edx);\n",
    ),
    Mend(
        name="plugin-verw-include",
        file="cpu/protect_ctrl.cc",
        spec="VERR/VERW - Verify a Segment for Reading or Writing",
        rule="(the declaration for the edit below)",
        anchor="#include \"cpu.h\"\n",
        repair="#include \"cpu.h\"\n#include \"iodev/iodev.h\"\n",
    ),
    Mend(
        name="plugin-verw",
        file="cpu/protect_ctrl.cc",
        spec="VERR/VERW - Verify a Segment for Reading or Writing",
        rule="with MD_CLEAR the form that reads its selector from memory overwrites buffers",
        anchor="    BX_ERROR((\"VERW: not recognized in real or virtual-8086 mode\"));\n"
               "    exception(BX_UD_EXCEPTION, 0);\n"
               "  }\n",
        repair="    BX_ERROR((\"VERW: not recognized in real or virtual-8086 mode\"));\n"
               "    exception(BX_UD_EXCEPTION, 0);\n"
               "  }\n"
               "  if (! i->modC0())\n"
               "    bx_devices.pluginIOAPIC->cpu_step(BX_CPU_ID, \"verw\", 0);\n",
    ),
    Mend(
        name="plugin-entry",
        file="cpu/vmx.cc",
        spec="VM Entries",
        rule="the guest runs, with this EPT pointer",
        anchor="  BX_CPU_THIS_PTR in_vmx_guest = true;\n",
        repair="  BX_CPU_THIS_PTR in_vmx_guest = true;\n"
               "  bx_devices.pluginIOAPIC->cpu_step(BX_CPU_ID, \"entry\", vm->eptptr);\n",
    ),
    Mend(
        name="plugin-exit",
        file="cpu/vmx.cc",
        spec="VM Exits",
        rule="it runs no more",
        anchor="  BX_INSTR_VMEXIT(BX_CPU_ID, reason, qualification);\n",
        repair="  BX_INSTR_VMEXIT(BX_CPU_ID, reason, qualification);\n"
               "  bx_devices.pluginIOAPIC->cpu_step(BX_CPU_ID, \"exit\", reason);\n",
    ),
]
