# SPDX-License-Identifier: MIT
"""
Bochs and the manual: IPI virtualization, which Bochs names and does not have. Processors have it
from Sapphire Rapids on, and so have the models of these here.

From: lab/bochs/mends/__init__.py
To:   tests/guests/mends_ipi.c (the checks)

Two things are not here. SENDUIPI, which a guest of Hamlet's cannot execute, exits as on a processor
without the control. And a write to the APIC-access page without "APIC-register virtualization" and
"virtual-interrupt delivery" exits as before.
"""

from lab.bochs.mends.mend import Mend

IPI = "IPI Virtualization"
FIELDS = "Controls for APIC Virtualization"


def _model(name):
    return Mend(
        name=f"ipi-virtualization: {name}",
        file=f"cpu/cpudb/intel/{name}.cc",
        spec=IPI,
        rule="this processor has the control",
        anchor="         BX_VMX_TSC_SCALING |\n         BX_VMX_SPEC_CTRL_VIRTUALIZATION;\n",
        repair="         BX_VMX_TSC_SCALING |\n         BX_VMX_IPI_VIRTUALIZATION |\n"
               "         BX_VMX_SPEC_CTRL_VIRTUALIZATION;\n",
    )


IPIS = [
    Mend(
        name="ipi-virtualization: a feature",
        file="cpu/cpuid.h",
        spec=IPI,
        rule="(a bit for the models that have it)",
        anchor="#define BX_VMX_SPEC_CTRL_VIRTUALIZATION         (1 << 27)",
        repair="#define BX_VMX_IPI_VIRTUALIZATION               (1 << 28)\n"
               "#define BX_VMX_SPEC_CTRL_VIRTUALIZATION         (1 << 27)",
    ),
    _model("sapphire_rapids"),
    _model("arrow_lake"),
    Mend(
        name="ipi-virtualization: control",
        file="cpu/vmcs.cc",
        spec="Tertiary Processor-Based VM-Execution Controls",
        rule="IA32_VMX_PROCBASED_CTLS3[4]: \"IPI virtualization\" may be 1",
        anchor="  cap->vmx_vmexec_ctrl3_supported_bits = 0;\n",
        repair="  cap->vmx_vmexec_ctrl3_supported_bits = 0;\n\n"
               "  if (BX_SUPPORT_VMX_EXTENSION(BX_VMX_IPI_VIRTUALIZATION))\n"
               "    cap->vmx_vmexec_ctrl3_supported_bits |= "
               "VMX_VM_EXEC_CTRL3_IPI_VIRTUALIZATION;\n",
    ),
    Mend(
        name="ipi-virtualization: index",
        file="cpu/vmcs.cc",
        spec=FIELDS,
        rule="the last PID-pointer index is there if the control may be 1",
        anchor="    case VMCS_16BIT_CONTROL_EPTP_INDEX:\n",
        repair="    case VMCS_16BIT_CONTROL_LAST_PID_POINTER_INDEX:\n"
               "      return BX_SUPPORT_VMX_EXTENSION(BX_VMX_IPI_VIRTUALIZATION);\n\n"
               "    case VMCS_16BIT_CONTROL_EPTP_INDEX:\n",
    ),
    Mend(
        name="ipi-virtualization: table",
        file="cpu/vmcs.cc",
        spec=FIELDS,
        rule="the PID-pointer table address is there if the control may be 1",
        anchor="    case VMCS_64BIT_CONTROL_SECONDARY_VMEXIT_CONTROLS:\n",
        repair="    case VMCS_64BIT_CONTROL_PID_POINTER_TABLE_ADDRESS:\n"
               "    case VMCS_64BIT_CONTROL_PID_POINTER_TABLE_ADDRESS_HI:\n"
               "      return BX_SUPPORT_VMX_EXTENSION(BX_VMX_IPI_VIRTUALIZATION);\n\n"
               "    case VMCS_64BIT_CONTROL_SECONDARY_VMEXIT_CONTROLS:\n",
    ),
    Mend(
        name="ipi-virtualization: state",
        file="cpu/vmx.h",
        spec=FIELDS,
        rule="(both fields, as an entry has read them)",
        anchor="  bx_phy_address pid_addr; /* posted interrupt descriptor address */\n",
        repair="  bx_phy_address pid_addr; /* posted interrupt descriptor address */\n"
               "  bx_phy_address pid_table;\n  Bit16u pid_table_last;\n",
    ),
    Mend(
        name="ipi-virtualization: entry",
        file="cpu/vmx.cc",
        spec="VM-Execution Control Fields",
        rule="the PID-pointer table is aligned to 8 bytes, and neither its address nor that of its "
             "last entry is beyond the physical-address width",
        anchor="  if (vm->vmexec_ctrls3.VIRTUALIZE_IA32_SPEC_CTRL()) {\n"
               "    vm->ia32_spec_ctrl_shadow = ",
        repair="  if (vm->vmexec_ctrls3.IPI_VIRTUALIZATION()) {\n"
               "    vm->pid_table = (bx_phy_address) "
               "VMread64(VMCS_64BIT_CONTROL_PID_POINTER_TABLE_ADDRESS);\n"
               "    vm->pid_table_last = VMread16(VMCS_16BIT_CONTROL_LAST_PID_POINTER_INDEX);\n"
               "    bx_phy_address last = vm->pid_table + 8 * Bit64u(vm->pid_table_last);\n"
               "    if ((vm->pid_table & 0x7) != 0 || ! IsValidPhyAddr(vm->pid_table) ||\n"
               "        ! IsValidPhyAddr(last)) {\n"
               "      BX_ERROR((\"VMFAIL: VMCS EXEC CTRL: PID-pointer table malformed\"));\n"
               "      return VMXERR_VMENTRY_INVALID_VM_CONTROL_FIELD;\n"
               "    }\n"
               "  }\n\n"
               "  if (vm->vmexec_ctrls3.VIRTUALIZE_IA32_SPEC_CTRL()) {\n"
               "    vm->ia32_spec_ctrl_shadow = ",
    ),
    Mend(
        name="ipi-virtualization: TPR shadow",
        file="cpu/vmx.cc",
        spec="VM-Execution Control Fields",
        rule="\"IPI virtualization\" is 0 if \"use TPR shadow\" is 0",
        anchor="  else { // TPR shadow is disabled\n"
               "    if (vm->vmexec_ctrls2.VIRTUALIZE_X2APIC_MODE() || ",
        repair="  else { // TPR shadow is disabled\n"
               "    if (vm->vmexec_ctrls3.IPI_VIRTUALIZATION() ||\n"
               "        vm->vmexec_ctrls2.VIRTUALIZE_X2APIC_MODE() || ",
    ),
    Mend(
        name="ipi-virtualization",
        file="cpu/vapic.cc",
        spec=IPI,
        rule="a vector from 16 on and a valid PID pointer: the vector goes into PIR; if ON and SN "
             "are 0, ON becomes 1, and the local APIC sends NV to NDST. Else an APIC-write VM exit",
        anchor="BX_CPP_INLINE bool self_IPI_VICR(Bit32u vicr)\n",
        repair="""\
void BX_CPU_C::VMX_IPI_Virtualization(Bit8u vector, Bit32u target)
{
  VMCS_CACHE *vm = &BX_CPU_THIS_PTR vmcs;
  Bit64u pointer = 0;

  if (vector >= 16 && target <= vm->pid_table_last)
    pointer = read_physical_qword(vm->pid_table + 8 * Bit64u(target), BX_MEMTYPE_INVALID,
                                  BX_VMX_PID);
  if ((pointer & 0x3f) != 0x1 || ! IsValidPhyAddr(pointer)) {
    VMexit(VMX_VMEXIT_APIC_WRITE, BX_LAPIC_ICR_LO); // trap-like
    return;
  }

  bx_phy_address pid = pointer & ~Bit64u(0x3f), at = pid + vector / 8;
  Bit8u requests = read_physical_byte(at, BX_MEMTYPE_INVALID, BX_VMX_PID);
  requests |= 1 << vector % 8;
  write_physical_byte(at, requests, BX_MEMTYPE_INVALID, BX_VMX_PID);
  bx_devices.pluginIOAPIC->cpu_does(BX_CPU_ID, "posts", vector | Bit64u(pid) << 8);

  Bit64u notify = read_physical_qword(pid + 32, BX_MEMTYPE_INVALID, BX_VMX_PID);
  if ((notify & 0x3) != 0) // ON, SN
    return;
  write_physical_qword(pid + 32, notify | 0x1, BX_MEMTYPE_INVALID, BX_VMX_PID);
  Bit32u nv = (notify >> 16) & 0xff, ndst = GET32H(notify);
  if (x2apic_mode()) {
    BX_CPU_THIS_PTR lapic->write_x2apic(0x830, ndst, nv);
  }
  else {
    BX_CPU_THIS_PTR lapic->write_aligned(BX_LAPIC_ICR_HI, (ndst >> 8) << 24);
    BX_CPU_THIS_PTR lapic->write_aligned(BX_LAPIC_ICR_LO, nv);
  }
}

// No shorthand, edge, physical destination, fixed delivery; reserved bits and bit 12 are 0.
BX_CPP_INLINE bool virtual_IPI_VICR(Bit32u vicr)
{
  return (vicr & 0xffffbf00) == 0;
}

BX_CPP_INLINE bool self_IPI_VICR(Bit32u vicr)
""",
    ),
    Mend(
        name="ipi-virtualization: declaration",
        file="cpu/cpu.h",
        spec=IPI,
        rule="(its declaration)",
        anchor="  BX_SMF void VMX_Self_IPI_Virtualization(Bit8u vector);\n",
        repair="  BX_SMF void VMX_Self_IPI_Virtualization(Bit8u vector);\n"
               "  BX_SMF void VMX_IPI_Virtualization(Bit8u vector, Bit32u target);\n",
    ),
    Mend(
        name="ipi-virtualization: xAPIC",
        file="cpu/vapic.cc",
        spec="APIC-Write Emulation",
        rule="a write to offset 300H of the APIC-access page, to the APIC id in VICR_HI[31:24]",
        anchor="    VMX_Self_IPI_Virtualization(vector);\n    return;\n  }\n\n"
               "  VMexit(VMX_VMEXIT_APIC_WRITE, BX_LAPIC_ICR_LO); // trap-like vmexit\n",
        repair="    VMX_Self_IPI_Virtualization(vector);\n    return;\n  }\n\n"
               "  if (BX_CPU_THIS_PTR vmcs.vmexec_ctrls3.IPI_VIRTUALIZATION() && "
               "virtual_IPI_VICR(vicr)) {\n"
               "    VMX_IPI_Virtualization(vector, VMX_Read_Virtual_APIC(BX_LAPIC_ICR_HI) >> 24);\n"
               "    return;\n  }\n\n"
               "  VMexit(VMX_VMEXIT_APIC_WRITE, BX_LAPIC_ICR_LO); // trap-like vmexit\n",
    ),
    Mend(
        name="ipi-virtualization: x2APIC",
        file="cpu/vapic.cc",
        spec="Virtualizing MSR-Based APIC Accesses",
        rule="WRMSR to 830H: #GP for a reserved bit; else all 64 bits go to offset 300H of the "
             "virtual-APIC page, and the APIC id is in EDX",
        anchor="#if BX_SUPPORT_VMX >= 2\n"
               "  if (BX_CPU_THIS_PTR vmcs.vmexec_ctrls2.VIRTUAL_INT_DELIVERY()) {\n"
               "    if (msr == 0x80b) {\n",
        repair="#if BX_SUPPORT_VMX >= 2\n"
               "  if (msr == 0x830 && BX_CPU_THIS_PTR vmcs.vmexec_ctrls3.IPI_VIRTUALIZATION()) {\n"
               "    Bit32u vicr = GET32L(val_64);\n"
               "    if ((vicr & 0xfff32000) != 0)\n"
               "      exception(BX_GP_EXCEPTION, 0);\n\n"
               "    VMX_Write_Virtual_X2APIC(BX_LAPIC_ICR_LO, val_64);\n"
               "    if (virtual_IPI_VICR(vicr))\n"
               "      VMX_IPI_Virtualization(vicr & 0xff, GET32H(val_64));\n"
               "    else\n"
               "      VMexit(VMX_VMEXIT_APIC_WRITE, BX_LAPIC_ICR_LO); // trap-like\n"
               "    return true;\n"
               "  }\n\n"
               "  if (BX_CPU_THIS_PTR vmcs.vmexec_ctrls2.VIRTUAL_INT_DELIVERY()) {\n"
               "    if (msr == 0x80b) {\n",
    ),
]
