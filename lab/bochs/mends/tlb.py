# SPDX-License-Identifier: MIT
"""
Bochs and the manual: what a TLB keeps, and which operations take it away. As shipped Bochs flushes
everything at each VM entry and exit, and so forgives a missing INVVPID or INVEPT.

From: lab/bochs/mends/__init__.py
To:   lab/bochs/mends/tagged_tlb.h (the TLB), tests/guests/mends_tlb.c (the checks)
"""

from lab.bochs.mends.mend import Mend

KEEPS = "Creating and Using Cached Translation Information"
DROPS = "Operations that Invalidate Cached Mappings"
PART = "(part of vpid-tagged-tlb)"

TLB = [
    Mend(
        name="vpid-tagged-tlb",
        file="cpu/cpu.h",
        spec=KEEPS,
        rule="cached mappings are of a VPID and of an EPT (EP4TA), and stay in the TLB across VM "
             "entry and VM exit if \"enable VPID\" is 1",
        adds="tagged_tlb.h",
        anchor="  TLB<BX_DTLB_SIZE> DTLB BX_CPP_AlignN(32);\n"
               "  TLB<BX_ITLB_SIZE> ITLB BX_CPP_AlignN(32);\n",
        repair="#include \"tagged_tlb.h\"\n"
               "  TaggedTlb tagged BX_CPP_AlignN(32);\n"
               "#define DTLB tagged.now->data\n"
               "#define ITLB tagged.now->code\n",
    ),
    Mend(
        name="vpid-tagged-tlb: prototypes",
        file="cpu/cpu.h",
        spec=KEEPS,
        rule=PART,
        anchor="  BX_SMF void handleCpuContextChange(void);\n",
        repair="  BX_SMF void handleCpuContextChange(bool flush = true);\n"
               "  BX_SMF void TLB_changed(void);\n"
               "  BX_SMF Bit64u TLB_baked(void);\n"
               "  BX_SMF void TLB_keep(void);\n"
               "  BX_SMF void TLB_enter_guest(void);\n"
               "  BX_SMF void TLB_leave_guest(void);\n"
               "  BX_SMF void TLB_drop_all(void);\n",
    ),
    Mend(
        name="vpid-tagged-tlb: context change",
        file="cpu/proc_ctrl.cc",
        spec=KEEPS,
        rule=PART,
        anchor="void BX_CPU_C::handleCpuContextChange(void)\n{\n  TLB_flush();\n",
        repair="void BX_CPU_C::handleCpuContextChange(bool flush)\n{\n  if (flush) TLB_flush();\n",
    ),
    Mend(
        name="vpid-tagged-tlb: flush",
        file="cpu/paging.cc",
        spec=DROPS,
        rule="INVLPG, MOV to CR3 and the like invalidate for the current VPID, and of its combined "
             "mappings those of every EPT",
        anchor="  INC_TLBFLUSH_STAT(tlbGlobalFlushes);\n\n  invalidate_prefetch_q();\n"
               "  invalidate_stack_cache();\n\n  BX_CPU_THIS_PTR DTLB.flush();\n"
               "  BX_CPU_THIS_PTR ITLB.flush();\n",
        repair="  INC_TLBFLUSH_STAT(tlbGlobalFlushes);\n\n  invalidate_prefetch_q();\n"
               "  invalidate_stack_cache();\n\n"
               "  BX_CPU_THIS_PTR tagged.flush_vpid(BX_CPU_THIS_PTR tagged.now->vpid, true);\n",
    ),
    Mend(
        name="vpid-tagged-tlb: flush all but globals",
        file="cpu/paging.cc",
        spec=DROPS,
        rule=PART,
        anchor="  BX_CPU_THIS_PTR DTLB.flushNonGlobal();\n"
               "  BX_CPU_THIS_PTR ITLB.flushNonGlobal();\n",
        repair="  BX_CPU_THIS_PTR tagged.flush_vpid(BX_CPU_THIS_PTR tagged.now->vpid, false);\n",
    ),
    Mend(
        name="vpid-tagged-tlb: INVLPG",
        file="cpu/paging.cc",
        spec=DROPS,
        rule=PART,
        anchor="  BX_CPU_THIS_PTR DTLB.invlpg(laddr);\n  BX_CPU_THIS_PTR ITLB.invlpg(laddr);\n",
        repair="  BX_CPU_THIS_PTR tagged.flush_page(BX_CPU_THIS_PTR tagged.now->vpid, laddr);\n",
    ),
    Mend(
        name="vpid-tagged-tlb: which entries",
        file="cpu/paging.cc",
        spec=KEEPS,
        rule=PART,
        anchor="void BX_CPU_C::TLB_invlpg(bx_address laddr)\n{\n",
        repair="""\
// What was fetched or linked by way of another TLB is gone.
void BX_CPU_C::TLB_changed(void)
{
  invalidate_prefetch_q();
  invalidate_stack_cache();
#if BX_SUPPORT_MONITOR_MWAIT
  BX_CPU_THIS_PTR wakeup_monitor();
#endif
  BX_CPU_THIS_PTR iCache.breakLinks();
}

// Bochs keeps this in its entries, and a CPU looks at it again for each access.
Bit64u BX_CPU_C::TLB_baked(void)
{
  Bit64u cr4 = BX_CPU_THIS_PTR cr4.get32() & (BX_CR4_SMEP_MASK | BX_CR4_SMAP_MASK |
                                              BX_CR4_PKE_MASK | BX_CR4_LASS_MASK);
  Bit64u baked = (cr4 << 8) | (Bit64u(BX_CPU_THIS_PTR cr0.get_WP()) << 1) |
                 (BX_CPU_THIS_PTR efer.get_NXE() ? 1 : 0);
  if (BX_CPU_THIS_PTR cr4.get_PCIDE())
    baked ^= (Bit64u(BX_CPU_THIS_PTR cr3 & 0xfff) | 0x1000) << 48;
  if (BX_CPU_THIS_PTR dr7.get32() & 0xff) {
    baked ^= Bit64u(BX_CPU_THIS_PTR dr7.get32()) * BX_CONST64(0x9e3779b97f4a7c15);
    for (unsigned n = 0; n < 4; n++)
      baked ^= (BX_CPU_THIS_PTR dr[n] + n) * BX_CONST64(0xc2b2ae3d27d4eb4f);
  }
  return baked;
}

// Before the registers of the other side are loaded.
void BX_CPU_C::TLB_keep(void)
{
  BX_CPU_THIS_PTR tagged.now->baked = TLB_baked();
}

// The guest's control registers are loaded.
void BX_CPU_C::TLB_enter_guest(void)
{
  VMCS_CACHE *vm = &BX_CPU_THIS_PTR vmcs;
  if (! vm->vmexec_ctrls2.VPID_ENABLE()) {
    TLB_flush();
    return;
  }
  BX_CPU_THIS_PTR tagged.select_guest(vm->vpid,
    vm->vmexec_ctrls2.EPT_ENABLE() ? TaggedTlb::ep4ta(vm->eptptr) : 0,
    BX_CPU_THIS_PTR cr0.get_PG(), TLB_baked());
  TLB_changed();
}

// The host's are.
void BX_CPU_C::TLB_leave_guest(void)
{
  BX_CPU_THIS_PTR tagged.select_root(TLB_baked());
  if (BX_CPU_THIS_PTR vmcs.vmexec_ctrls2.VPID_ENABLE())
    TLB_changed();
  else
    TLB_flush();
}

void BX_CPU_C::TLB_drop_all(void)
{
  BX_CPU_THIS_PTR tagged.drop_all();
  TLB_changed();
}

void BX_CPU_C::TLB_invlpg(bx_address laddr)
{
""",
    ),
    Mend(
        name="vpid-tagged-tlb: before entry",
        file="cpu/vmx.cc",
        spec=KEEPS,
        rule=PART,
        anchor="  Bit64u qualification = VMENTER_ERR_NO_ERROR;\n  Bit32u state_load_error",
        repair="  TLB_keep();\n"
               "  Bit64u qualification = VMENTER_ERR_NO_ERROR;\n  Bit32u state_load_error",
    ),
    Mend(
        name="vpid-tagged-tlb: entry",
        file="cpu/vmx.cc",
        spec=KEEPS,
        rule=PART,
        anchor="    signal_event(BX_EVENT_VMX_INTERRUPT_WINDOW_EXITING);\n\n"
               "  handleCpuContextChange();\n",
        repair="    signal_event(BX_EVENT_VMX_INTERRUPT_WINDOW_EXITING);\n\n"
               "  TLB_enter_guest();\n  handleCpuContextChange(false);\n",
    ),
    Mend(
        name="vpid-tagged-tlb: before exit",
        file="cpu/vmx.cc",
        spec=KEEPS,
        rule=PART,
        anchor="  // STEP 2: Load Host State\n  //\n  VMexitLoadHostState();\n",
        repair="  // STEP 2: Load Host State\n  //\n  TLB_keep();\n  VMexitLoadHostState();\n",
    ),
    Mend(
        name="vpid-tagged-tlb: exit",
        file="cpu/vmx.cc",
        spec=KEEPS,
        rule=PART,
        anchor="  BX_CPU_THIS_PTR activity_state = BX_ACTIVITY_STATE_ACTIVE;\n\n"
               "  handleCpuContextChange();\n",
        repair="  BX_CPU_THIS_PTR activity_state = BX_ACTIVITY_STATE_ACTIVE;\n\n"
               "  TLB_leave_guest();\n  handleCpuContextChange(false);\n",
    ),
    Mend(
        name="vpid-tagged-tlb: EPTP switching",
        file="cpu/vmfunc.cc",
        spec=KEEPS,
        rule=PART,
        anchor="  VMwrite64(VMCS_64BIT_CONTROL_EPTPTR, temp_eptp);\n  TLB_flush();\n",
        repair="  VMwrite64(VMCS_64BIT_CONTROL_EPTPTR, temp_eptp);\n"
               "  TLB_keep();\n  TLB_enter_guest();\n",
    ),
    Mend(
        name="vpid-tagged-tlb: reset",
        file="cpu/init.cc",
        spec="Processor State After Reset",
        rule=PART,
        anchor="  handleCpuContextChange();\n\n#if BX_CPU_LEVEL >= 4\n"
               "  BX_CPU_THIS_PTR cpuid->dump_cpuid();\n",
        repair="  BX_CPU_THIS_PTR tagged.forget();\n"
               "  handleCpuContextChange();\n\n#if BX_CPU_LEVEL >= 4\n"
               "  BX_CPU_THIS_PTR cpuid->dump_cpuid();\n",
    ),
    Mend(
        name="vpid-tagged-tlb: memory map",
        file="pc_system.cc",
        spec=KEEPS,
        rule=PART,
        anchor="    BX_CPU(i)->TLB_flush();\n",
        repair="    BX_CPU(i)->TLB_drop_all();\n",
    ),
    Mend(
        name="vpid-tagged-tlb: APIC base",
        file="cpu/msr.cc",
        spec=KEEPS,
        rule=PART,
        anchor="    TLB_flush();  // don't care about performance of apic relocation\n",
        repair="    TLB_drop_all();\n",
    ),
    Mend(
        name="paging-enabled-keeps",
        file="cpu/crregs.cc",
        spec="Operations that Invalidate TLBs and Paging-Structure Caches",
        rule="of the changes of CR0 only that of PG from 1 to 0 invalidates",
        anchor="  if ((oldCR0 & 0x80010001) != (val_32 & 0x80010001)) {\n"
               "    TLB_flush(); // Flush Global entries also\n",
        repair="""\
  if (BX_CPU_THIS_PTR tagged.now->guest && ((oldCR0 ^ val_32) & 0x80010001) != 0) {
    if ((oldCR0 ^ val_32) & BX_CR0_PG_MASK) {
      if (! BX_CPU_THIS_PTR cr0.get_PG()) TLB_flush();
      TLB_enter_guest();
    }
    else {
      BX_CPU_THIS_PTR tagged.drop(BX_CPU_THIS_PTR tagged.now); // WP is in the entries
      TLB_changed();
    }
  }
  else
  if ((oldCR0 & 0x80010001) != (val_32 & 0x80010001)) {
    TLB_flush(); // Flush Global entries also
""",
    ),
    Mend(
        name="mov-cr3-keeps-globals",
        file="cpu/crregs.cc",
        spec="Operations that Invalidate TLBs and Paging-Structure Caches",
        rule="MOV to CR3 does not invalidate entries for global pages, whatever CR4.PGE is now",
        anchor="  if (BX_CPU_THIS_PTR cr4.get_PGE())\n    TLB_flushNonGlobal(); // Don't flush",
        repair="  if (BX_CPU_THIS_PTR cr4.get_PGE() || BX_CPU_THIS_PTR tagged.now->guest)\n"
               "    TLB_flushNonGlobal(); // Don't flush",
    ),
    Mend(
        name="invept",
        file="cpu/vmx.cc",
        spec=DROPS,
        rule="INVEPT invalidates the guest-physical and combined mappings of one EPT, or of all",
        anchor="     TLB_flush(); // Invalidate mappings associated with EPTP[51:12]\n",
        repair="     BX_CPU_THIS_PTR tagged.flush_ept(TaggedTlb::ep4ta(inv_eptp.xmm64u(0)));\n",
    ),
    Mend(
        name="invept: all",
        file="cpu/vmx.cc",
        spec=DROPS,
        rule="(the other half of the edit above)",
        anchor="     TLB_flush(); // Invalidate mappings associated with all EPTPs\n",
        repair="     BX_CPU_THIS_PTR tagged.flush_ept(0);\n",
    ),
    Mend(
        name="invvpid: address",
        file="cpu/vmx.cc",
        spec=DROPS,
        rule="INVVPID invalidates linear and combined mappings of the VPID that it names, and not "
             "guest-physical mappings",
        anchor="    TLB_flush(); // invalidate all mappings for address LADDR tagged with VPID\n",
        repair="    BX_CPU_THIS_PTR tagged.flush_page(vpid, invvpid_desc.xmm64u(1));\n",
    ),
    Mend(
        name="invvpid: one",
        file="cpu/vmx.cc",
        spec=DROPS,
        rule="(part of the edit above)",
        anchor="    TLB_flush(); // invalidate all mappings tagged with VPID\n",
        repair="    BX_CPU_THIS_PTR tagged.flush_vpid(vpid, true);\n",
    ),
    Mend(
        name="invvpid: all",
        file="cpu/vmx.cc",
        spec=DROPS,
        rule="(part of the edit above: all but VPID 0)",
        anchor="    TLB_flush(); // invalidate all mappings tagged with VPID <> 0\n",
        repair="    BX_CPU_THIS_PTR tagged.flush_guests();\n",
    ),
    Mend(
        name="invvpid: retaining globals",
        file="cpu/vmx.cc",
        spec=DROPS,
        rule="(part of the edit above)",
        anchor="    TLB_flushNonGlobal(); // invalidate all mappings tagged with VPID except "
               "globals\n",
        repair="    BX_CPU_THIS_PTR tagged.flush_vpid(vpid, false);\n",
    ),
    Mend(
        name="guest-physical-mappings",
        file="cpu/paging.cc",
        spec=KEEPS,
        rule="guest-physical mappings are cached: until INVEPT, or an EPT violation at that "
             "address, the EPT need not be looked at again",
        anchor="  Bit32u vmexit_reason = 0;\n\n  for (leaf = BX_LEVEL_PML4;; --leaf) {\n"
               "    entry_addr[leaf] = ppf + ((guest_paddr >> (9 + 9*leaf)) & 0xff8);\n"
               "    entry[leaf] = read_physical_qword(entry_addr[leaf], MEMTYPE(eptptr_memtype), ",
        repair="""\
  bool cacheable = ! vm->vmexec_ctrls2.MBE_CTRL() && ! vm->vmexec_ctrls2.SUBPAGE_WR_PROTECT_CTRL();
  Bit64u cached;
  if (cacheable &&
      BX_CPU_THIS_PTR tagged.ept_hit(TaggedTlb::ep4ta(vm->eptptr), guest_paddr, access_mask,
                                     BX_VMX_EPT_ACCESS_DIRTY_ENABLED && (rw & 1), &cached))
    return cached;

  Bit32u vmexit_reason = 0;

  for (leaf = BX_LEVEL_PML4;; --leaf) {
    entry_addr[leaf] = ppf + ((guest_paddr >> (9 + 9*leaf)) & 0xff8);
    entry[leaf] = read_physical_qword(entry_addr[leaf], MEMTYPE(eptptr_memtype), """,
    ),
    Mend(
        name="guest-physical-mappings: violation",
        file="cpu/paging.cc",
        spec=DROPS,
        rule="(part of the edit above: an EPT violation invalidates for its address)",
        anchor="  if (vmexit_reason) {\n    BX_ERROR((\"VMEXIT: EPT %s for guest paddr 0x\"",
        repair="  if (vmexit_reason) {\n"
               "    BX_CPU_THIS_PTR tagged.ept_violation(TaggedTlb::ep4ta(vm->eptptr), "
               "guest_paddr);\n"
               "    BX_ERROR((\"VMEXIT: EPT %s for guest paddr 0x\"",
    ),
    Mend(
        name="guest-physical-mappings: creation",
        file="cpu/paging.cc",
        spec=KEEPS,
        rule="(part of the edit above)",
        anchor="    update_ept_access_dirty(entry_addr, entry, MEMTYPE(eptptr_memtype), leaf, rw & "
               "1);\n  }\n",
        repair="""\
    update_ept_access_dirty(entry_addr, entry, MEMTYPE(eptptr_memtype), leaf, rw & 1);
  }

  if (cacheable)
    BX_CPU_THIS_PTR tagged.ept_fill(TaggedTlb::ep4ta(vm->eptptr), guest_paddr, ppf,
                                    combined_access & 7, (entry[leaf] & 0x200) != 0);
""",
    ),
]
