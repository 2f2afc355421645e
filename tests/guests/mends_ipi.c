/* SPDX-License-Identifier: MIT */
/*
 * Does a guest's write to its ICR post into the descriptor of another vCPU, and does each write
 * that is not to be virtualized exit?
 * From: tests/guests/mends.c      To: lab/bochs/mends/ipi.py
 * Spec: SDM "IPI Virtualization", "APIC-Write Emulation", "Virtualizing MSR-Based APIC Accesses",
 * "VM-Execution Control Fields".
 */
#include "tests/guests/mends.h"

/* What became of a write to ICR, a digit each. */
enum {
    NOTIFIED = 1, /* posted, and NV came to NDST */
    POSTED,       /* posted, nothing sent */
    EXITED,       /* an APIC-write VM exit behind the instruction, nothing posted */
    FAULTED,      /* #GP, nothing posted, nothing on the virtual-APIC page */
    TO_SELF,      /* nothing posted, but a request in the virtual IRR of the sender */
    ELSE = 9
};
enum { NV = 0x41, VECTOR = 0x55, FIRST_LEGAL = 16, LAST_VECTOR = 0xff, SHORTHAND = 18 };
enum { STANDING = 0x54 };      /* was in PIR before, and stays there */
enum { TARGET = 1, LAST = 2 }; /* of the table: entry 1 is right, entry 2 lies beside it */
enum { APIC_ICR_HIGH = 0x310, VIRR = 0x200, ICR_MSR = 0x830, SELF_IPI_MSR = 0x83f };
#define APIC_PAGE UINT64_C(0xfee00000)
#define ON        BIT(0)
#define SN        BIT(1)
#define VALID     BIT(0)
/* NDST in xAPIC mode is bits 15:8, here processor 0; the others do not count, nor do bits 31:24. */
#define CONTROL   (FIELD_SET(BITS(23, 16), NV) | BITS(31, 24) | FIELD_SET(BITS(63, 32), 0xffff0005))

extern void guest_nothing(void), guest_ipi(void), guest_ipi_done(void), guest_ipi_msr(void),
    guest_ipi_msr_done(void);
extern uint32_t ipi_command, ipi_target, ipi_msr; /* what the guest writes, and where */
uint32_t ipi_command, ipi_target, ipi_msr = ICR_MSR;

static struct {
    uint64_t pir[4];
    uint64_t control, reserved[3];
} other PAGE;
static uint64_t table[512] PAGE, no_msr_exits[512] PAGE;

static void prepare(void (*rip)(void), bool x2apic, uint64_t control)
{
    mends_prepare(rip, 0, false, false);
    vmwrite(PROC_BASED_CONTROLS, vmread(PROC_BASED_CONTROLS) | PROC_TERTIARY | PROC_MSR_BITMAPS);
    vmwrite(PROC_BASED_CONTROLS_2, vmread(PROC_BASED_CONTROLS_2) | PROC2_APIC_REGISTERS |
                                       (x2apic ? PROC2_X2APIC_MODE : PROC2_APIC_ACCESSES));
    vmwrite(PROC_BASED_CONTROLS_3, PROC3_IPI);
    vmwrite(APIC_ACCESS_ADDRESS, APIC_PAGE);
    vmwrite(MSR_BITMAP, (uint64_t)no_msr_exits);
    vmwrite(PID_POINTER_TABLE, (uint64_t)table);
    vmwrite(LAST_PID_POINTER_INDEX, LAST);
    for (unsigned i = 0; i < 512; i++)
        table[i] = 0;
    table[TARGET] = (uint64_t)&other | VALID;
    for (unsigned i = 0; i < 4; i++)
        other.pir[i] = STANDING / 64 == i ? BIT(STANDING % 64) : 0;
    other.control = control;
    mends_apic_write(APIC_ICR_HIGH, 0);
}

/* That bit of PIR has come, and no other; -1: none at all. */
static bool pir_has(int vector)
{
    for (int i = 0; i < 4; i++)
        if (other.pir[i] != ((vector / 64 == i && vector >= 0 ? BIT(vector % 64) : 0) |
                             (STANDING / 64 == i ? BIT(STANDING % 64) : 0)))
            return false;
    return true;
}

static uint32_t on_page(unsigned reg) { return *(uint32_t *)(mends_virtual_apic + reg); }

/* The exit is behind the write, whose value is on the virtual-APIC page. */
static bool exited_behind(bool x2apic)
{
    void (*done)(void) = x2apic ? guest_ipi_msr_done : guest_ipi_done;
    uint32_t target = x2apic ? on_page(APIC_ICR + 4) : on_page(APIC_ICR_HIGH) >> 24;
    return vmread(EXIT_QUALIFICATION) == APIC_ICR && vmread(GUEST_RIP) == (uint64_t)done &&
           on_page(APIC_ICR) == ipi_command &&
           target == (x2apic ? ipi_target : ipi_target & LO32(BITS(7, 0)));
}

static unsigned became(bool x2apic, uint64_t control)
{
    unsigned vector = ipi_command & LO32(BITS(7, 0));
    uint64_t reason = mends_run();
    bool posted = pir_has((int)vector), untouched = pir_has(-1) && other.control == control;
    if (reason == EXIT_EXTERNAL_INTERRUPT)
        return (vmread(VM_EXIT_INTERRUPTION_INFO) & BITS(7, 0)) == NV && posted &&
                       other.control == (control | ON) && mends_apic_read(APIC_ICR) == NV
                   ? NOTIFIED
                   : ELSE;
    if (reason == EXIT_VMCALL && posted && other.control == control)
        return POSTED;
    if (reason == EXIT_VMCALL && untouched &&
        (on_page(VIRR + vector / 32 * 16) & BIT(vector % 32)) &&
        vmread(GUEST_INTERRUPT_STATUS) == vector)
        return TO_SELF;
    if (reason == EXIT_APIC_WRITE && untouched && exited_behind(x2apic))
        return EXITED;
    return reason == EXIT_EXCEPTION_NMI && untouched && on_page(APIC_ICR) == 0 ? FAULTED : ELSE;
}

static unsigned sent_with(bool x2apic, uint32_t command, uint64_t control)
{
    prepare(x2apic ? guest_ipi_msr : guest_ipi, x2apic, control);
    ipi_command = command;
    ipi_target = TARGET;
    return became(x2apic, control);
}

static unsigned sent(bool x2apic, uint32_t command) { return sent_with(x2apic, command, CONTROL); }

static void say_digits(const char *name, uint64_t seen, uint64_t wanted)
{
    mends_say(name, seen == wanted, "seen", seen);
}

/* SDM "IPI Virtualization": PIR, then ON and the notification, unless ON or SN is 1. Bit 14, the
 * level, does not count. */
static void posts(const char *name, bool x2apic)
{
    uint64_t seen = sent(x2apic, VECTOR);
    seen = seen * 10 + sent(x2apic, FIRST_LEGAL);
    seen = seen * 10 + sent(x2apic, LAST_VECTOR);
    seen = seen * 10 + sent(x2apic, LO32(BIT(14)) | VECTOR);
    seen = seen * 10 + sent_with(x2apic, VECTOR, CONTROL | SN);
    seen = seen * 10 + sent_with(x2apic, VECTOR, CONTROL | ON);
    say_digits(name, seen, 111122);
}

static unsigned sent_to_self(void)
{
    prepare(guest_ipi_msr, true, CONTROL);
    ipi_msr = SELF_IPI_MSR;
    ipi_command = VECTOR;
    ipi_target = 0;
    unsigned seen = became(true, CONTROL);
    ipi_msr = ICR_MSR;
    return seen;
}

/* Bits of a command each of which is in the way of the IPI, and what comes of that: SDM "APIC-Write
 * Emulation" (xAPIC), "Virtualizing MSR-Based APIC Accesses" (x2APIC), where a reserved bit is #GP,
 * and where the MSR beside it is for IPIs to self.
 */
static void exits(const char *name, bool x2apic)
{
    static const uint32_t reserved[] = {13, 16, 17, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
    static const uint32_t others[] = {8, 9, 10, 11, 12, 15};
    uint32_t bad = 0;
    for (unsigned i = 0; i < sizeof(reserved) / sizeof(*reserved); i++)
        if (sent(x2apic, LO32(BIT(reserved[i])) | VECTOR) != (x2apic ? FAULTED : EXITED))
            bad = LO32(BIT(reserved[i]));
    for (unsigned i = 0; i < sizeof(others) / sizeof(*others); i++)
        if (sent(x2apic, LO32(BIT(others[i])) | VECTOR) != EXITED)
            bad = LO32(BIT(others[i]));
    for (uint32_t shorthand = 1; shorthand < 4; shorthand++)
        if (sent(x2apic, shorthand << SHORTHAND | VECTOR) !=
            (shorthand == 1 && !x2apic ? TO_SELF : EXITED)) /* self-IPI virtualization */
            bad = shorthand << SHORTHAND;
    if (sent(x2apic, FIRST_LEGAL - 1) != EXITED)
        bad = FIRST_LEGAL - 1;
    if (x2apic && sent_to_self() != TO_SELF)
        bad = SELF_IPI_MSR;
    mends_say(name, !bad, "command", bad);
}

static unsigned sent_in(unsigned last, bool x2apic, uint32_t target, uint64_t pointer)
{
    prepare(x2apic ? guest_ipi_msr : guest_ipi, x2apic, CONTROL);
    vmwrite(LAST_PID_POINTER_INDEX, last);
    table[TARGET] = 0;
    table[LAST] = pointer;
    table[LAST + 1] = table[0x101] = table[0xff] = (uint64_t)&other | VALID;
    ipi_command = VECTOR;
    ipi_target = target;
    return became(x2apic, CONTROL);
}

static unsigned sent_to(bool x2apic, uint32_t target, uint64_t pointer)
{
    return sent_in(LAST, x2apic, target, pointer);
}

/* SDM "IPI Virtualization": an entry that is not valid, that has a reserved bit, or an address
 * beyond the physical-address width; a target behind the last entry. */
static void pointers(void)
{
    uint64_t right = (uint64_t)&other | VALID, seen = sent_to(false, LAST, right);
    seen = seen * 10 + sent_to(false, LAST, (uint64_t)&other);
    unsigned reserved = 0;
    for (unsigned bit = 1; bit < 6; bit++)
        reserved += sent_to(false, LAST, right | BIT(bit)) == EXITED;
    seen = seen * 10 + reserved;
    seen = seen * 10 + sent_to(false, LAST, right | BIT(52));
    seen = seen * 10 + sent_to(false, LAST + 1, right);
    seen = seen * 10 + sent_to(false, 0xff, right);
    seen = seen * 10 + sent_to(true, 0x101, right);
    seen = seen * 10 + sent_to(true, UINT32_MAX, right);
    seen = seen * 10 + sent_to(true, LAST, right);
    seen = seen * 10 + sent_in(0x101, true, 0x101, right);
    say_digits("ipi-pointers", seen, UINT64_C(1353333311));
}

static unsigned enters_if(uint64_t third, uint64_t at, unsigned last)
{
    prepare(guest_nothing, false, CONTROL);
    vmwrite(PROC_BASED_CONTROLS_3, third);
    vmwrite(PID_POINTER_TABLE, at);
    vmwrite(LAST_PID_POINTER_INDEX, last);
    uint64_t reason = mends_run();
    return reason == EXIT_VMCALL ? 1 : reason == INVALID_CONTROL ? 2 : ELSE;
}

static unsigned enters(uint64_t at, unsigned last) { return enters_if(PROC3_IPI, at, last); }

static unsigned enters_with(uint64_t proc, uint64_t third)
{
    prepare(guest_nothing, false, CONTROL);
    vmwrite(PROC_BASED_CONTROLS, proc);
    vmwrite(PROC_BASED_CONTROLS_3, third);
    if (!(proc & PROC_TPR_SHADOW)) { /* what cannot be without it either */
        vmwrite(PROC_BASED_CONTROLS_2, 0);
        vmwrite(PIN_BASED_CONTROLS, vmread(PIN_BASED_CONTROLS) & ~PIN_POSTED_INTERRUPTS);
    }
    uint64_t reason = mends_run();
    return reason == EXIT_VMCALL ? 1 : reason == INVALID_CONTROL ? 2 : ELSE;
}

/* SDM "VM-Execution Control Fields" (checks of VM entry) */
static void entry_checks(void)
{
    uint64_t top = BIT(FIELD_GET(BITS(7, 0), cpuid(0x80000008, 0).eax)), at = (uint64_t)table;
    uint64_t seen = enters(at + 8, 0xffff);
    seen = seen * 10 + enters(at + 1, 0);
    seen = seen * 10 + enters(at + 2, 0);
    seen = seen * 10 + enters(at + 4, 0);
    seen = seen * 10 + enters(top, 0);
    seen = seen * 10 + enters(top - 8, 0);
    seen = seen * 10 + enters(top - 8, 1);
    seen = seen * 10 + enters(UINT64_MAX - 7, 1);
    seen = seen * 10 + enters_if(0, at + 1, 0);
    prepare(guest_nothing, false, CONTROL);
    uint64_t proc = vmread(PROC_BASED_CONTROLS);
    seen = seen * 10 + enters_with(proc, PROC3_IPI | BIT(63));
    seen = seen * 10 + enters_with(proc & ~PROC_TPR_SHADOW, PROC3_IPI);
    seen = seen * 10 + enters_with(proc & ~PROC_TPR_SHADOW, 0);
    say_digits("ipi-entry", seen, UINT64_C(122221221221));
}

/* The control, or the word that it is in, is off, and what an entry with it has read counts no
 * more. An MSR of a local APIC in x2APIC mode is then
 * written as such, and this processor's is in xAPIC mode. */
static void off_exits(void)
{
    uint64_t seen = 0;
    for (unsigned i = 0; i < 4; i++) {
        bool word = i & 1, x2apic = i & 2;
        sent(x2apic, VECTOR);
        prepare(x2apic ? guest_ipi_msr : guest_ipi, x2apic, CONTROL);
        if (word)
            vmwrite(PROC_BASED_CONTROLS_3, 0);
        vmwrite(PROC_BASED_CONTROLS,
                vmread(PROC_BASED_CONTROLS) & (word ? UINT64_MAX : ~PROC_TERTIARY));
        ipi_command = VECTOR;
        ipi_target = TARGET;
        seen = seen * 10 + became(x2apic, CONTROL);
    }
    say_digits("ipi-off-exits", seen, 3344);
}

void mends_of_ipi(void)
{
    posts("ipi-posts", false);
    posts("ipi-posts-x2apic", true);
    exits("ipi-exits", false);
    exits("ipi-exits-x2apic", true);
    pointers();
    entry_checks();
    off_exits();
}
