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
]
