/* SPDX-License-Identifier: MIT */
/*
 * Does the TLB keep what it may keep? A guest reads one linear address; between two runs of it the
 * guest's table, or the EPT, is changed. What was cached is still used until the operation that
 * takes it away. On hardware it may be used; here it has to be, so that Hamlet's tests notice a
 * missing INVVPID or INVEPT.
 * From: tests/guests/mends.c      To: lab/bochs/mends/tlb.py
 * Spec: SDM "Creating and Using Cached Translation Information", "Operations that Invalidate
 * Cached Mappings".
 */
#include "tests/guests/mends.h"

#define PROBE          (UINT64_C(5) << 30) /* as the guests in mends_code.asm */
#define PROBE32        (UINT64_C(1) << 30)
#define TABLE          BITS(2, 0)
#define LARGE          BIT(7)
#define GLOBAL         BIT(8)
#define EPT_WRITE_BACK FIELD_SET(BITS(5, 3), 6)

extern void guest_probe(void), guest_probe32(void), guest_enables_paging(void);
uint64_t probed; /* what the guest has read */

enum page { A = 1, B = 2 };
static uint64_t page_a[512] PAGE = {A}, page_b[512] PAGE = {B};
static uint64_t pml4[512] PAGE, pdpt[512] PAGE, directory[512] PAGE, table[512] PAGE;
static uint64_t ept_directory[512] PAGE, ept_table[512] PAGE;
static uint32_t directory32[1024] PAGE, table32[1024] PAGE;

struct invalidation {
    uint64_t target, linear;
};

/* Types that Hamlet does not use. */
enum { INVVPID_ADDRESS = 0, INVVPID_RETAINING_GLOBALS = 3 };

static void invvpid_by(uint64_t type, unsigned vpid, uint64_t linear)
{
    struct invalidation d = {vpid, linear};
    asm volatile("invvpid %0, %1" ::"m"(d), "r"(type) : "cc", "memory");
}

static void invept_by(uint64_t type, uint64_t eptp)
{
    struct invalidation d = {eptp, 0};
    asm volatile("invept %0, %1" ::"m"(d), "r"(type) : "cc", "memory");
}

static void invvpid(unsigned vpid) { invvpid_by(INVVPID_SINGLE, vpid, 0); }
static void invept(void) { invept_by(INVEPT_SINGLE, vmread(EPT_POINTER)); }

static uint64_t page_at(enum page p) { return (uint64_t)(p == A ? page_a : page_b); }

static void set_linear(enum page p) { table[0] = page_at(p) | TABLE; }

/* The guest's table names PROBE itself, and the EPT says where that is. */
static void set_guest_physical(enum page p)
{
    table[0] = PROBE | TABLE;
    ept_table[0] = page_at(p) | EPT_WRITE_BACK | TABLE;
}

static void tables_init(void)
{
    pml4[0] = (uint64_t)pdpt | TABLE;
    for (uint64_t i = 0; i < 4; i++)
        pdpt[i] = i << 30 | LARGE | TABLE;
    pdpt[PROBE >> 30] = (uint64_t)directory | TABLE;
    directory[0] = (uint64_t)table | TABLE;
    mends_ept_giga[PROBE >> 30] = (uint64_t)ept_directory | TABLE;
    ept_directory[0] = (uint64_t)ept_table | TABLE;
    directory32[0] = (uint32_t)(LARGE | TABLE);
    directory32[PROBE32 >> 22] = LO32((uint64_t)table32 | TABLE);
}

static void prepare_probe(void (*rip)(void), bool narrow, unsigned vpid, const void *cr3)
{
    mends_prepare(rip, 0, narrow, true);
    if (vpid) {
        vmwrite(PROC_BASED_CONTROLS_2, vmread(PROC_BASED_CONTROLS_2) | PROC2_VPID);
        vmwrite(VIRTUAL_PROCESSOR_ID, vpid);
    }
    vmwrite(GUEST_CR3, (uint64_t)cr3);
    vmwrite(GUEST_CR4, read_cr4() | CR4_PGE);
    probed = 0;
}

/* What a guest with that VPID reads; 0: it has another one than VMCALL. */
static uint64_t probe(unsigned vpid)
{
    prepare_probe(guest_probe, false, vpid, pml4);
    return mends_run() == EXIT_VMCALL ? probed : 0;
}

/* A decimal digit per look: 1 is A, 2 is B. */
static void say_digits(const char *name, uint64_t seen, uint64_t wanted)
{
    mends_say(name, seen == wanted, "seen", seen);
}

/* Combined mappings of VPID 1 stay, those of VPID 2 are others, INVVPID takes one away. */
static void keeps_linear(void)
{
    set_linear(A);
    uint64_t seen = probe(1);
    set_linear(B);
    seen = seen * 10 + probe(1);
    seen = seen * 10 + probe(2);
    set_linear(A);
    invvpid(1);
    seen = seen * 10 + probe(1);
    seen = seen * 10 + probe(2);
    invvpid(2);
    seen = seen * 10 + probe(2);
    say_digits("vpid-tagged-tlb", seen, 112121);
}

/* A is cached and B is in the table: is A still used after this? */
static uint64_t after_invvpid(uint64_t type, unsigned vpid, uint64_t linear, uint64_t bits)
{
    invvpid(1);
    table[0] = page_at(A) | bits | TABLE;
    bool cached = probe(1) == A;
    set_linear(B);
    invvpid_by(type, vpid, linear);
    return cached ? probe(1) : 0;
}

static uint64_t after_invept(uint64_t type, uint64_t eptp)
{
    invvpid(1);
    set_linear(A);
    bool cached = probe(1) == A;
    set_linear(B);
    invept_by(type, eptp);
    return cached ? probe(1) : 0;
}

/* Each type takes away what it names: by address, all of a VPID but its global pages, of all VPIDs,
 * of one EPT, of all EPTs. */
static void invalidates_by_type(void)
{
    uint64_t eptp = vmread(EPT_POINTER),
             other = eptp ^ (uint64_t)mends_ept_top ^ (uint64_t)ept_directory;
    uint64_t seen = after_invvpid(INVVPID_ADDRESS, 1, PROBE, 0);
    seen = seen * 10 + after_invvpid(INVVPID_ADDRESS, 1, PROBE + 4096, 0);
    seen = seen * 10 + after_invvpid(INVVPID_ADDRESS, 2, PROBE, 0);
    seen = seen * 10 + after_invvpid(INVVPID_RETAINING_GLOBALS, 1, 0, 0);
    seen = seen * 10 + after_invvpid(INVVPID_RETAINING_GLOBALS, 1, 0, GLOBAL);
    seen = seen * 10 + after_invvpid(INVVPID_RETAINING_GLOBALS, 2, 0, 0);
    seen = seen * 10 + after_invvpid(INVVPID_ALL, 0, 0, GLOBAL);
    seen = seen * 10 + after_invept(INVEPT_SINGLE, other);
    seen = seen * 10 + after_invept(INVEPT_ALL, 0);
    say_digits("invalidation-types", seen, 211211212);
}

/* Without VPID an entry and an exit take everything away. */
static void keeps_nothing_without_vpid(void)
{
    set_linear(A);
    uint64_t seen = probe(0);
    set_linear(B);
    seen = seen * 10 + probe(0);
    mends_say("vpid-off-flushes", seen == 12, "seen", seen);
}

/* Guest-physical mappings are of the EPT, and no INVVPID reaches them. */
static void keeps_guest_physical(void)
{
    invvpid(1);
    set_guest_physical(A);
    uint64_t seen = probe(1);
    set_guest_physical(B);
    seen = seen * 10 + probe(1);
    invvpid(1);
    seen = seen * 10 + probe(1);
    seen = seen * 10 + probe(3);
    invept();
    seen = seen * 10 + probe(1);
    seen = seen * 10 + probe(3);
    say_digits("guest-physical-mappings", seen, 111122);
    invvpid(1);
    invvpid(3);
}

/* An EPT violation takes the mappings of its address away, here of a page that may not be executed:
 * so what was read by a cached mapping before is absent now. */
static void violation_invalidates(void)
{
    set_guest_physical(A);
    ept_table[0] &= ~BIT(2);
    invept();
    uint64_t seen = probe(1);
    ept_table[0] = 0;
    invvpid(1);
    seen = seen * 10 + probe(1);
    prepare_probe((void (*)(void))PROBE, false, 1, pml4);
    seen = seen * 10 + (mends_run() == EXIT_EPT_VIOLATION);
    invvpid(1);
    seen = seen * 10 + probe(1);
    say_digits("violation-invalidates", seen, 1110);
    invept();
}

/* SDM "Operations that Invalidate TLBs and Paging-Structure Caches": MOV to CR3 keeps the global
 * pages, and MOV to CR0 that sets PG keeps everything. So what an earlier kernel with the same VPID
 * has left is used, unless it is invalidated. */
static void keeps_while_paging_is_set(void)
{
    table32[0] = LO32(page_at(A) | GLOBAL | TABLE);
    prepare_probe(guest_probe32, true, 4, directory32);
    vmwrite(VM_ENTRY_CONTROLS, vmread(VM_ENTRY_CONTROLS) & ~ENTRY_GUEST_64BIT);
    vmwrite(GUEST_CR4, (read_cr4() & ~CR4_PAE) | CR4_PSE | CR4_PGE);
    uint64_t seen = mends_run() == EXIT_VMCALL ? probed : 0;

    table32[0] = LO32(page_at(B) | TABLE);
    for (unsigned flushed = 0; flushed < 2; flushed++) {
        prepare_probe(guest_enables_paging, true, 4, NULL);
        vmwrite(VM_ENTRY_CONTROLS,
                (vmread(VM_ENTRY_CONTROLS) & ~ENTRY_GUEST_64BIT) | ENTRY_LOAD_EFER);
        vmwrite(GUEST_IA32_EFER, 0);
        vmwrite(GUEST_CR0, read_cr0() & ~CR0_PG);
        vmwrite(GUEST_CR4, (read_cr4() & ~CR4_PAE) | CR4_PSE);
        vmwrite(GUEST_RSP, (uint64_t)directory32);
        seen = seen * 10 + (mends_run() == EXIT_VMCALL ? probed : 0);
        invvpid(4);
    }
    say_digits("paging-enabled-keeps", seen, 112);
}

/* SDM "EPT Violations": with accessed and dirty flags an access to a paging structure counts as a
 * write, and the qualification says read and write. */
static void violation_on_table(void)
{
    set_linear(A);
    uint64_t at = ept_directory[0];
    table[0] = 0;
    directory[0] = PROBE | TABLE; /* the guest's table is where the EPT maps nothing */
    ept_directory[0] = 0;
    prepare_probe(guest_probe, false, 1, pml4);
    vmwrite(EPT_POINTER, vmread(EPT_POINTER) | BIT(6));
    invept();
    uint64_t reason = mends_run(), qualification = vmread(EXIT_QUALIFICATION);
    ept_directory[0] = at;
    directory[0] = (uint64_t)table | TABLE;
    invept();
    mends_say("violation-on-table",
              reason == EXIT_EPT_VIOLATION &&
                  (qualification & (BITS(5, 0) | QUAL_EPT_LINEAR_VALID | QUAL_EPT_LINEAR)) ==
                      (QUAL_EPT_READ | QUAL_EPT_WRITE | QUAL_EPT_LINEAR_VALID),
              "qualification", qualification);
}

void mends_of_tlb(void)
{
    tables_init();
    keeps_linear();
    invalidates_by_type();
    keeps_nothing_without_vpid();
    keeps_guest_physical();
    violation_invalidates();
    keeps_while_paging_is_set();
    violation_on_table();
}
