/* SPDX-License-Identifier: MIT */
/*
 * Exceptions. One in Hamlet's own code is our mistake and ends in a panic, unless the exception
 * table lists the instruction as one that may fault.
 * From: arch/trap.asm (vectors up to 31).   To: arch/panic.c, arch/mce.c.
 * Spec: SDM "Interrupt and Exception Handling", "Exception and Interrupt Reference"; ICH "NMI
 * Status and Control Register".
 */
#include "arch/trap.h"
#include "arch/io.h"
#include "arch/mce.h"
#include "arch/panic.h"
#include "arch/x86.h"
#include "lib/atomic.h"
#define LOG "trap"
#include "arch/log.h"

#define EXCEPTION_COUNT 32
#define NMI_STATUS      0x61
#define NMI_SERR        BIT(7)
#define NMI_IOCHK       BIT(6)

/* Built by EXTABLE: the section's borders are in linker.ld. */
struct extable_entry {
    uint64_t from, to;
};
extern const struct extable_entry extable_start[], extable_end[];

void trap_dispatch(struct trap_frame *f); /* called by arch/trap.asm */

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

static void exception_dispatch(struct trap_frame *f)
{
    for (const struct extable_entry *e = extable_start; e < extable_end; e++)
        if (e->from == f->rip) {
            f->rip = e->to;
            return;
        }
    panic_begin(); /* this CPU may hold the console's lock */
    print_frame(f);
    if (f->vector == VECTOR_MC)
        mce_print();
    panic_from(f->rip, f->rbp, "exception %u in Hamlet's own code", f->vector);
}

/* Behind a unit that does not block them, a device sends as many NMIs as it likes, and one may come
 * while this CPU holds the console's lock. So the handler counts only, and trap_tell_nmi() logs. */
static uint32_t nmi_count;

/* ICH "NMI Status and Control Register": two pins of the chipset have a bit, other sources none. */
void trap_tell_nmi(void)
{
    static bool was_logged;
    if (was_logged || !atomic_load(&nmi_count))
        return;
    was_logged = true;
    uint8_t reason = in8(NMI_STATUS);
    log_error("NMI: %s; more of them are not reported",
              reason & NMI_SERR    ? "SERR#, a PCI device or the chipset has seen an error"
              : reason & NMI_IOCHK ? "IOCHK#, an ISA device has seen an error"
                                   : "the platform does not name a reason");
}

void trap_dispatch(struct trap_frame *f)
{
    if (f->vector == VECTOR_NMI) {
        panic_stop_if_on(f->rip, f->rbp);
        atomic_fetch_add(&nmi_count, 1);
    } else {
        exception_dispatch(f);
    }
}
