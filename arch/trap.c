/* SPDX-License-Identifier: MIT */
/*
 * The IDT, exceptions and host interrupts. An exception in Hamlet is our mistake, unless the
 * instruction was announced in the exception table as one that may fault.
 * From: arch/trap.asm, vmx/exit/intr.c (irq_dispatch).   To: arch/panic.c; the handlers of vtd/, vmx/, guest/.
 * Spec: SDM "Interrupt and Exception Handling", "IDT Descriptors" (64-bit mode).
 */
#include "arch/trap.h"
#include "arch/apic.h"
#include "lib/atomic.h"
#include "lib/bits.h"
#include "arch/cpu.h"
#include "lib/errno.h"
#include "arch/gdt.h"
#include "arch/panic.h"
#include "arch/spinlock.h"
#include "arch/x86.h"
#define LOG "trap"
#include "arch/log.h"

#define VECTOR_COUNT    256
#define STUB_SIZE       8
#define EXCEPTION_COUNT 32

struct idt_entry {
    uint64_t lo, hi;
};
// clang-format off
#define IDT_OFFSET_15_0  BITS(15, 0)
#define IDT_SELECTOR     BITS(31, 16)
#define IDT_IST          BITS(34, 32)
#define IDT_TYPE         BITS(43, 40)
#define     IDT_TYPE_INTERRUPT 0xe      /* clears IF, unlike a trap gate */
#define IDT_P            BIT(47)
#define IDT_OFFSET_31_16 BITS(63, 48)
// clang-format on

struct extable_entry {
    uint64_t from, to;
};
extern const struct extable_entry extable_start[], extable_end[];
extern const char trap_stubs[];

void trap_dispatch(struct trap_frame *f); /* called by arch/trap.asm */

static struct idt_entry idt[VECTOR_COUNT] __attribute__((aligned(16)));

static struct {
    irq_handler handler;
    void *ctx;
    bool was_used;        /* its last owner is gone; what that one had sent may still come */
    uint64_t stray_count; /* came while nobody was registered */
} irqs[VECTOR_COUNT];
static struct spinlock irqs_lock;
static unsigned next_device; /* counted from VECTOR_DEVICE_FIRST */
#define DEVICE_VECTORS (VECTOR_DEVICE_LAST - VECTOR_DEVICE_FIRST + 1)

static const char *const exception_names[EXCEPTION_COUNT] = {
    "#DE divide error",
    "#DB debug",
    "NMI",
    "#BP breakpoint",
    "#OF overflow",
    "#BR bound range exceeded",
    "#UD invalid opcode",
    "#NM device not available",
    "#DF double fault",
    NULL,
    "#TS invalid TSS",
    "#NP segment not present",
    "#SS stack-segment fault",
    "#GP general protection",
    "#PF page fault",
    NULL,
    "#MF x87 FPU error",
    "#AC alignment check",
    "#MC machine check",
    "#XM SIMD exception",
    "#VE virtualization",
    "#CP control protection",
};

static unsigned ist_of(unsigned vector)
{
    switch (vector) {
    case VECTOR_DF:
        return IST_DF;
    case VECTOR_NMI:
        return IST_NMI;
    case VECTOR_MC:
        return IST_MC;
    default:
        return 0;
    }
}

void trap_load(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) idtr = {sizeof(idt) - 1, (uintptr_t)idt};
    asm volatile("lidt %0" ::"m"(idtr));
}

void trap_init(void)
{
    for (unsigned v = 0; v < VECTOR_COUNT; v++) {
        uint64_t entry = (uintptr_t)trap_stubs + v * STUB_SIZE;
        idt[v].lo = FIELD_SET(IDT_OFFSET_15_0, entry) | FIELD_SET(IDT_SELECTOR, GDT_CODE) |
                    FIELD_SET(IDT_IST, ist_of(v)) | FIELD_SET(IDT_TYPE, IDT_TYPE_INTERRUPT) |
                    IDT_P | FIELD_SET(IDT_OFFSET_31_16, entry >> 16);
        idt[v].hi = HI32(entry);
    }
    trap_load();
}

static void print_frame(const struct trap_frame *f)
{
    const char *name = f->vector < EXCEPTION_COUNT ? exception_names[f->vector] : NULL;
    log_error("exception %u %s error_code=0x%lx", f->vector, name ? name : "", f->error_code);
    log_error("rip=%016lx rsp=%016lx rflags=%08lx cs=%lx ss=%lx", f->rip, f->rsp, f->rflags, f->cs,
              f->ss);
    log_error("rax=%016lx rbx=%016lx rcx=%016lx rdx=%016lx", f->rax, f->rbx, f->rcx, f->rdx);
    log_error("rsi=%016lx rdi=%016lx rbp=%016lx cr2=%016lx", f->rsi, f->rdi, f->rbp, read_cr2());
    log_error("r8 =%016lx r9 =%016lx r10=%016lx r11=%016lx", f->r8, f->r9, f->r10, f->r11);
    log_error("r12=%016lx r13=%016lx r14=%016lx r15=%016lx", f->r12, f->r13, f->r14, f->r15);
    log_error("cr0=%lx cr3=%lx cr4=%lx", read_cr0(), read_cr3(), read_cr4());
}

static bool extable_fix(struct trap_frame *f)
{
    for (const struct extable_entry *e = extable_start; e < extable_end; e++)
        if (e->from == f->rip) {
            f->rip = e->to;
            return true;
        }
    return false;
}

static void exception_dispatch(struct trap_frame *f)
{
    if (extable_fix(f))
        return;
    panic_begin(); /* the fault may have come while the console's lock was held */
    print_frame(f);
    panic_from(f->rip, f->rbp, "exception %u in Hamlet's own code", f->vector);
}

/* An NMI may come while this CPU holds the console's lock, and behind a unit that does not block it a device
 * sends as many as it likes: so it is only counted, and told from where nothing is held. */
static uint32_t nmi_count;

void trap_tell_nmi(void)
{
    static bool told;
    if (told || !atomic_load(&nmi_count))
        return;
    told = true;
    log_error("NMI: the platform reports an error that we cannot name; more of them are not told");
}

void trap_dispatch(struct trap_frame *f)
{
    if (f->vector == VECTOR_NMI) {
        panic_stop_if_on(f->rip, f->rbp);
        atomic_fetch_add(&nmi_count, 1);
    } else if (f->vector < EXCEPTION_COUNT) {
        exception_dispatch(f);
    } else {
        irq_dispatch(f->vector);
    }
}

/* Their whole message is that they came: they end cpu_wait() or a guest's run. */
static bool is_only_a_wakeup(uint8_t vector)
{
    return vector == VECTOR_TIMER || vector == VECTOR_KICK || vector == VECTOR_ANV ||
           vector == VECTOR_WNV;
}

static void stray_note(uint8_t vector)
{
    if (atomic_fetch_add(&irqs[vector].stray_count, 1) == 0)
        log_error("interrupt at vector 0x%02x, for which nobody waits", vector);
}

void irq_dispatch(uint8_t vector)
{
    irq_handler handler = atomic_load(&irqs[vector].handler);
    if (handler)
        handler(irqs[vector].ctx);
    else if (!is_only_a_wakeup(vector) && vector != VECTOR_SPURIOUS && !irqs[vector].was_used)
        stray_note(vector);
    if (apic_in_service(vector)) /* spurious ones are not, and an EOI would end another's service */
        apic_eoi();
}

void irq_register(uint8_t vector, irq_handler handler, void *ctx)
{
    spin_lock(&irqs_lock);
    if (irqs[vector].handler)
        panic("vector 0x%02x is registered twice", vector);
    irqs[vector].ctx = ctx;
    atomic_store(&irqs[vector].handler, handler);
    spin_unlock(&irqs_lock);
}

/* The vector that has been free for longest: what its former owner sent last has arrived by then. */
int irq_alloc(irq_handler handler, void *ctx)
{
    int found = -ENOSPC;
    spin_lock(&irqs_lock);
    for (unsigned i = 0; i < DEVICE_VECTORS && found < 0; i++) {
        unsigned v = VECTOR_DEVICE_FIRST + (next_device + i) % DEVICE_VECTORS;
        if (irqs[v].handler)
            continue;
        irqs[v].ctx = ctx;
        atomic_store(&irqs[v].handler, handler);
        next_device = v + 1 - VECTOR_DEVICE_FIRST;
        found = (int)v;
    }
    spin_unlock(&irqs_lock);
    return found;
}

unsigned irq_count(void)
{
    unsigned n = 0;
    for (int v = VECTOR_DEVICE_FIRST; v <= VECTOR_DEVICE_LAST; v++)
        n += irqs[v].handler != NULL;
    return n;
}

void irq_free(uint8_t vector)
{
    irqs[vector].was_used = true;
    atomic_store(&irqs[vector].handler, NULL);
}

int rdmsr_safe(uint32_t msr, uint64_t *out)
{
    uint32_t lo, hi;
    int err = 0;
    asm volatile("1: rdmsr; jmp 3f; 2: mov %4, %0; 3: " EXTABLE("1b", "2b")
                 : "+r"(err), "=a"(lo), "=d"(hi)
                 : "c"(msr), "i"(-EIO));
    if (err == 0)
        *out = (uint64_t)hi << 32 | lo;
    return err;
}

int read8_safe(const void *at, uint8_t *out)
{
    uint8_t byte = 0;
    int err = 0;
    asm volatile("1: movb (%2), %1; jmp 3f; 2: mov %3, %0; 3: " EXTABLE("1b", "2b")
                 : "+r"(err), "+q"(byte)
                 : "r"(at), "i"(-EFAULT)
                 : "memory");
    *out = byte;
    return err;
}
