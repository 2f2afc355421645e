/* SPDX-License-Identifier: MIT */
/*
 * Is the processor as the manual says, where Bochs 3.0 as shipped is not? A bare VMX program, no
 * Hamlet: each check is headed by the rule that it looks at, and prints "mends: NAME ok" or "mends:
 * NAME WRONG ...".
 * From: tests/guests/bare.asm
 * To: tests/guests/mends_tlb.c, tests/guests/mends_vmx.c, tests/guests/mends_ipi.c (more checks),
 * tests/guests/mends_code.asm (the guests), lab/bochs/mends/ (the mends)
 * Spec: SDM, the sections named above the checks.
 */
#include "tests/guests/mends.h"

#define APIC_BASE UINT64_C(0xfee00000)
#define SERIAL    0x3f8

enum { APIC_VERSION = 0x30, APIC_SPURIOUS = 0xf0, APIC_DIVIDE = 0x3e0 };
enum { LOWER = 0x50, PENDING = 0x60, POSTED = 0x61, NOTIFICATION = 0xf2, OTHER = 0x40 };
enum { STUB_SIZE = 16 };     /* of an exception's handler */
enum { PATIENCE = 3000000 }; /* preemption timer: a guest that would sleep without end ends then */

extern uint8_t gdt[], gdt_end[], idt[], idt_end[], tss[], stubs[];
extern uint32_t taken[256], taken_with_if[256];
extern void guest_nothing(void), guest_ipi_masked(void), guest_notify(void), guest_sti_hlt(void);
extern void guest_cli_hlt(void), guest_hlt_cli(void), guest_undefined(void),
    guest_clears_paging(void);
int vm_launch(void);
int root_clears_paging(void);
void bare_main(void);

static uint8_t vmxon_region[4096] PAGE, vmcs[4096] PAGE;
uint8_t mends_virtual_apic[4096] PAGE;
uint64_t mends_ept_top[512] PAGE, mends_ept_giga[512] PAGE;
static uint8_t guest_stack[8192] PAGE;

/* Two posted-interrupt descriptors: the second is aligned to 64 bytes, which is all that the
 * manual asks for. */
static struct {
    uint64_t pir[4];
    uint64_t control, reserved[3];
} descriptors[2] PAGE;

static unsigned wrong;

static void print(const char *s)
{
    for (; *s; s++) {
        while (!(in8(SERIAL + 5) & BIT(5)))
            cpu_relax();
        out8(SERIAL, (uint8_t)*s);
    }
}

static void print_number(uint64_t v)
{
    char text[24], *p = text + sizeof(text) - 1;
    *p = 0;
    do
        *--p = (char)('0' + v % 10);
    while (v /= 10);
    print(p);
}

void mends_say(const char *name, bool ok, const char *what, uint64_t value)
{
    print("mends: ");
    print(name);
    print(ok ? " ok " : " WRONG ");
    print(what);
    print("=");
    print_number(value);
    print("\n");
    wrong += !ok;
}

/* A capability MSR: low half must be 1, high half may be 1. */
static uint64_t allowed(uint32_t msr, uint64_t wanted)
{
    uint64_t cap = rdmsr(msr);
    return (wanted | LO32(cap)) & HI32(cap);
}

uint32_t mends_apic_read(unsigned reg) { return *(volatile uint32_t *)(APIC_BASE + reg); }

void mends_apic_write(unsigned reg, uint32_t v) { *(volatile uint32_t *)(APIC_BASE + reg) = v; }

static void vmx_on(void)
{
    uint32_t revision = LO32(rdmsr(MSR_IA32_VMX_BASIC));
    uint64_t at = (uint64_t)vmxon_region;
    *(uint32_t *)vmxon_region = *(uint32_t *)vmcs = revision & LO32(BITS(30, 0));
    write_cr4(read_cr4() | CR4_VMXE);
    asm volatile("vmxon %0" ::"m"(at) : "cc", "memory");
    mends_apic_write(APIC_SPURIOUS, 0x1ff);
    mends_apic_write(APIC_DIVIDE, 0xb);
    mends_ept_top[0] = (uint64_t)mends_ept_giga | BITS(2, 0);
    for (unsigned i = 0; i < 4; i++)
        mends_ept_giga[i] = (uint64_t)i << 30 | BIT(7) | FIELD_SET(BITS(5, 3), 6) | BITS(2, 0);
}

static void set_segment(unsigned index, unsigned selector, uint64_t rights)
{
    vmwrite(GUEST_ES_SELECTOR + 2 * index, selector);
    vmwrite(GUEST_ES_LIMIT + 2 * index, index == 7 ? 0x67 : UINT32_MAX);
    vmwrite(GUEST_ES_ACCESS_RIGHTS + 2 * index, rights);
    vmwrite(GUEST_ES_BASE + 2 * index, index == 7 ? (uint64_t)tss : 0);
}

/* The guest starts as a copy of us: same paging, same tables. */
static void set_guest(void (*rip)(void), uint64_t rflags, bool narrow)
{
    static const uint64_t data = 0xc093, code64 = 0xa09b, code32 = 0xc09b, busy_tss = 0x8b;
    for (unsigned i = 0; i < 6; i++)
        set_segment(i, SELECTOR_DATA, data);
    set_segment(1, narrow ? SELECTOR_CODE32 : SELECTOR_CODE, narrow ? code32 : code64);
    set_segment(6, 0, SEG_AR_UNUSABLE);
    set_segment(7, SELECTOR_TSS, busy_tss);
    vmwrite(GUEST_GDTR_BASE, (uint64_t)gdt);
    vmwrite(GUEST_GDTR_LIMIT, (uint64_t)(gdt_end - gdt - 1));
    vmwrite(GUEST_IDTR_BASE, (uint64_t)idt);
    vmwrite(GUEST_IDTR_LIMIT, (uint64_t)(idt_end - idt - 1));
    vmwrite(GUEST_CR0, read_cr0());
    vmwrite(GUEST_CR3, read_cr3());
    vmwrite(GUEST_CR4, read_cr4());
    vmwrite(GUEST_DR7, 0x400);
    vmwrite(GUEST_RIP, (uint64_t)rip);
    vmwrite(GUEST_RSP, (uint64_t)guest_stack + sizeof(guest_stack));
    vmwrite(GUEST_RFLAGS, rflags | RFLAGS_1);
    vmwrite(VMCS_LINK_POINTER, UINT64_MAX);
    vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
    vmwrite(GUEST_INTERRUPTIBILITY, 0);
    vmwrite(PREEMPTION_TIMER_VALUE, PATIENCE);
}

static void set_host(void)
{
    for (uint64_t field = HOST_ES_SELECTOR; field <= HOST_DS_SELECTOR; field += 2)
        vmwrite(field, field == HOST_CS_SELECTOR ? SELECTOR_CODE : SELECTOR_DATA);
    vmwrite(HOST_FS_SELECTOR, 0);
    vmwrite(HOST_GS_SELECTOR, 0);
    vmwrite(HOST_TR_SELECTOR, SELECTOR_TSS);
    vmwrite(HOST_TR_BASE, (uint64_t)tss);
    vmwrite(HOST_GDTR_BASE, (uint64_t)gdt);
    vmwrite(HOST_IDTR_BASE, (uint64_t)idt);
    vmwrite(HOST_CR0, read_cr0());
    vmwrite(HOST_CR3, read_cr3());
    vmwrite(HOST_CR4, read_cr4());
}

static void set_controls(bool unrestricted)
{
    uint64_t second = PROC2_VIRTUAL_INTERRUPTS;
    if (unrestricted)
        second |= PROC2_EPT | PROC2_UNRESTRICTED_GUEST;
    vmwrite(PIN_BASED_CONTROLS,
            allowed(MSR_IA32_VMX_PINBASED_CTLS,
                    PIN_EXTERNAL_INTERRUPT | PIN_PREEMPTION_TIMER | PIN_POSTED_INTERRUPTS));
    vmwrite(PROC_BASED_CONTROLS,
            allowed(MSR_IA32_VMX_TRUE_PROCBASED_CTLS, PROC_TPR_SHADOW | PROC_SECONDARY));
    vmwrite(PROC_BASED_CONTROLS_2, allowed(MSR_IA32_VMX_PROCBASED_CTLS2, second));
    vmwrite(VM_EXIT_CONTROLS,
            allowed(MSR_IA32_VMX_EXIT_CTLS, EXIT_HOST_64BIT | EXIT_ACK_INTERRUPT));
    vmwrite(VM_ENTRY_CONTROLS, allowed(MSR_IA32_VMX_ENTRY_CTLS, ENTRY_GUEST_64BIT));
    vmwrite(EPT_POINTER, (uint64_t)mends_ept_top | FIELD_SET(EPTP_WALK_LENGTH, 3) | 6);
    vmwrite(EXCEPTION_BITMAP, BIT(VECTOR_GP));
    vmwrite(VIRTUAL_APIC_ADDRESS, (uint64_t)mends_virtual_apic);
    vmwrite(POSTED_INTR_VECTOR, NOTIFICATION);
    vmwrite(POSTED_INTR_DESCRIPTOR, (uint64_t)&descriptors[0]);
}

static void virtual_request(unsigned vector)
{
    *(uint32_t *)(mends_virtual_apic + 0x200 + vector / 32 * 16) |= 1u << vector % 32;
    vmwrite(GUEST_INTERRUPT_STATUS, FIELD_SET(INTERRUPT_STATUS_RVI, vector));
}

void mends_prepare(void (*rip)(void), uint64_t rflags, bool narrow, bool unrestricted)
{
    uint64_t at = (uint64_t)vmcs;
    asm volatile("vmclear %0" ::"m"(at) : "cc", "memory");
    asm volatile("vmptrld %0" ::"m"(at) : "cc", "memory");
    for (unsigned i = 0; i < 4096; i++)
        mends_virtual_apic[i] = 0;
    for (unsigned i = 0; i < 256; i++)
        taken[i] = taken_with_if[i] = 0;
    descriptors[0].pir[POSTED / 64] = descriptors[0].control = 0;
    set_controls(unrestricted);
    set_guest(rip, rflags, narrow);
    set_host();
    vmwrite(GUEST_INTERRUPT_STATUS, 0);
    vmwrite(VM_ENTRY_INTERRUPTION_INFO, 0);
}

uint64_t mends_run(void)
{
    if (vm_launch())
        return 1000 + vmread(VM_INSTRUCTION_ERROR);
    mends_apic_write(APIC_EOI, 0); /* an exit acknowledged it */
    return vmread(EXIT_REASON);
}

static uint64_t with_descriptor_at(uint64_t at)
{
    mends_prepare(guest_nothing, 0, false, false);
    vmwrite(POSTED_INTR_DESCRIPTOR, at);
    return mends_run();
}

/* SDM "VM-Execution Control Fields": bits 5:0 of the descriptor's address are 0, and so are those
 * beyond the physical-address width. */
static void descriptor_alignment(void)
{
    uint64_t at = (uint64_t)&descriptors[1], reason = with_descriptor_at(at);
    mends_say("descriptor-alignment",
              reason == EXIT_VMCALL && with_descriptor_at(at + 32) == INVALID_CONTROL &&
                  with_descriptor_at(at + BIT(52)) == INVALID_CONTROL,
              "exit", reason);
}

/* SDM "Virtual-Interrupt Delivery": only if RFLAGS.IF = 1. The physical interrupt exits instead,
 * and the virtual one is still requested. */
static void virtual_interrupt_masked(void)
{
    mends_prepare(guest_ipi_masked, 0, false, false);
    virtual_request(PENDING);
    uint64_t reason = mends_run();
    mends_say("virtual-interrupt-masked",
              reason == EXIT_EXTERNAL_INTERRUPT &&
                  vmread(GUEST_INTERRUPT_STATUS) == FIELD_SET(INTERRUPT_STATUS_RVI, PENDING),
              "exit", reason);
}

/* RVI after LOWER was posted to a guest that takes no interrupt. */
static uint64_t rvi_after(unsigned rvi, unsigned requested)
{
    mends_prepare(guest_notify, 0, false, false);
    virtual_request(requested);
    vmwrite(GUEST_INTERRUPT_STATUS, FIELD_SET(INTERRUPT_STATUS_RVI, rvi));
    descriptors[0].pir[LOWER / 64] = BIT(LOWER % 64);
    mends_run();
    return vmread(GUEST_INTERRUPT_STATUS);
}

/* SDM "Posted-Interrupt Processing": RVI := max(RVI, highest bit of PIR), whatever VIRR has. */
static void empty_request_array(void)
{
    mends_prepare(guest_notify, RFLAGS_IF, false, false);
    uint64_t reason = mends_run(), status = vmread(GUEST_INTERRUPT_STATUS);
    bool empty = reason == EXIT_VMCALL && taken[0xff] == 0 && status == 0;
    uint64_t kept = rvi_after(PENDING, OTHER), raised = rvi_after(OTHER, PENDING);
    mends_say("empty-request-array", empty && kept == PENDING && raised == LOWER, "status",
              status << 16 | kept << 8 | raised);
}

/* SDM "Evaluation of Pending Virtual Interrupts": it wakes a halted guest. */
static void halted_guest_wakes(void)
{
    mends_prepare(guest_sti_hlt, 0, false, false);
    virtual_request(PENDING);
    uint64_t reason = mends_run();
    mends_say("halted-guest-wakes", reason == EXIT_VMCALL && taken_with_if[PENDING] == 1, "exit",
              reason);
}

/* SDM "External-interrupt exiting" (pin-based controls): RFLAGS.IF does not matter, halted
 * or not. */
static void halted_guest_exits(void)
{
    mends_apic_write(APIC_TIMER, OTHER);
    mends_prepare(guest_cli_hlt, 0, false, false);
    uint64_t reason = mends_run();
    mends_say("halted-guest-exits", reason == EXIT_EXTERNAL_INTERRUPT, "exit", reason);
}

/* SDM "Posted-Interrupt Processing": what it recognizes is delivered before the next
 * instruction, here CLI. */
static void posted_delivery_at_once(void)
{
    mends_apic_write(APIC_TIMER, NOTIFICATION);
    mends_prepare(guest_hlt_cli, 0, false, false);
    descriptors[0].pir[POSTED / 64] = BIT(POSTED % 64);
    descriptors[0].control = BIT(0);
    uint64_t reason = mends_run();
    mends_say("posted-delivery-at-once", reason == EXIT_VMCALL && taken_with_if[POSTED] == 1,
              "exit", reason);
}

/* SDM "Information for VM Exits That Occur During Event Delivery": the stack is not mapped, the
 * delivery exits, and the event under way is the virtual interrupt. */
static void virtual_interrupt_vectoring(void)
{
    mends_prepare(guest_sti_hlt, 0, false, true);
    virtual_request(PENDING);
    vmwrite(GUEST_RSP, UINT64_C(2) << 30);
    uint64_t mapped = mends_ept_giga[1];
    mends_ept_giga[1] = 0;
    uint64_t reason = mends_run(), event = vmread(IDT_VECTORING_INFO);
    mends_ept_giga[1] = mapped;
    mends_say("virtual-interrupt-vectoring",
              reason == EXIT_EPT_VIOLATION &&
                  event == (EVENT_VALID | FIELD_SET(EVENT_TYPE, EVENT_EXTERNAL) | PENDING),
              "event", event);
}

/* SDM "Saving RIP, RSP, RFLAGS, and SSP": the first instruction faults in the shadow of STI, so
 * the interrupt that waits exits before the first instruction of the handler, which is where the
 * guest goes on. */
static void exception_commits_rip(void)
{
    mends_prepare(guest_undefined, RFLAGS_IF, false, false);
    vmwrite(GUEST_INTERRUPTIBILITY, BLOCKED_BY_STI);
    mends_apic_write(APIC_ICR, APIC_TO_SELF | OTHER);
    uint64_t reason = mends_run(), handler = (uint64_t)stubs + (uint64_t)STUB_SIZE * VECTOR_UD;
    mends_say("exception-commits-rip",
              reason == EXIT_EXTERNAL_INTERRUPT && vmread(GUEST_RIP) == handler, "away",
              vmread(GUEST_RIP) - handler);
}

/* SDM "Changes to Instruction Behavior in VMX Non-Root Operation": MOV to CR0 keeps to
 * the fixed bits. */
static void cr0_fixed_in_guest(void)
{
    mends_prepare(guest_clears_paging, 0, true, false);
    uint64_t reason = mends_run();
    mends_say("cr0-fixed-in-guest", reason == EXIT_EXCEPTION_NMI, "exit", reason);
}

/* SDM "Restrictions on VMX Operation": so does root operation, whatever the current VMCS
 * allows its guest. */
static void cr0_fixed_in_root(void)
{
    mends_prepare(guest_nothing, 0, false, true);
    uint64_t reason = mends_run();
    int vector = root_clears_paging();
    mends_say("cr0-fixed-in-root", reason == EXIT_VMCALL && vector == VECTOR_GP, "vector",
              (uint64_t)vector);
}

/* SDM "Enabling or Disabling the Local APIC": IA32_APIC_BASE[11] can be set again. */
static void apic_enabled_again(void)
{
    uint64_t base = rdmsr(MSR_IA32_APIC_BASE);
    wrmsr(MSR_IA32_APIC_BASE, base & ~APIC_BASE_EN);
    wrmsr(MSR_IA32_APIC_BASE, base);
    uint32_t version = mends_apic_read(APIC_VERSION) & LO32(BITS(7, 0));
    mends_say("apic-enabled-again",
              rdmsr(MSR_IA32_APIC_BASE) == base && version >= 0x10 && version < 0x20, "version",
              version);
}

/* SDM "Microcode Update Resources": a revision that has no errata of the TSC deadline. */
static void microcode_revision(void)
{
    wrmsr(MSR_IA32_BIOS_SIGN_ID, 0);
    cpuid(1, 0);
    uint32_t revision = HI32(rdmsr(MSR_IA32_BIOS_SIGN_ID));
    mends_say("microcode-revision", revision >= 0x2000014, "revision", revision);
}

/* SDM "CPUID-CPU Identification": leaf 0BH knows threads and cores. Two processors here, each a
 * package of its own. */
static void topology_leaf(void)
{
    uint64_t seen = 0;
    for (unsigned level = 0; level < 3; level++) {
        struct cpuid_regs r = cpuid(0xb, level);
        seen = seen * 100 + 10 * FIELD_GET(BITS(15, 8), r.ecx) + (r.eax & BITS(4, 0));
    }
    mends_say("topology-leaf", seen == 102000, "levels", seen);
}

void bare_main(void)
{
    microcode_revision();
    topology_leaf();
    vmx_on();
    descriptor_alignment();
    virtual_interrupt_masked();
    empty_request_array();
    halted_guest_wakes();
    halted_guest_exits();
    posted_delivery_at_once();
    virtual_interrupt_vectoring();
    exception_commits_rip();
    cr0_fixed_in_guest();
    cr0_fixed_in_root();
    mends_of_tlb();
    mends_of_vmx();
    mends_of_ipi();
    apic_enabled_again();
    print("mends: end wrong=");
    print_number(wrong);
    print("\n");
    while (!(in8(SERIAL + 5) & BIT(6)))
        cpu_relax();
    for (const char *word = "Shutdown"; *word; word++)
        out8(0x8900, (uint8_t)*word); /* this ends Bochs */
}
