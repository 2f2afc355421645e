/* SPDX-License-Identifier: MIT */
/*
 * VT-x as hardware: a virtual CPU that runs on guest memory, until something has to be decided.
 * Knows arch/ only. What it has to ask of the virtual PC stands in vmx/upcalls.h.
 * From: boot/main.c (vmx_init, sched_run), guest/ (everything else).
 * To: vmx/caps.c (what this CPU can), vmcs.c, ept.c, bitmaps.c, enter.asm, run.c (the exit table),
 * exit_*.c, inject.c, apicv.c, sched.c.
 * Spec: SDM "Introduction to Virtual Machine Extensions" and the chapters after it.
 */
#pragma once
#include "arch/cpu.h"
#include "lib/errno.h"
#include "lib/pi_desc.h"
#include "arch/spinlock.h"
#include "lib/types.h"
#include "vmx/vmx_bits.h"

/* --- This CPU: caps.c, vmcs.c ------------------------------------------------------------------ */

/* Read the capability MSRs and check them against what Hamlet needs, once; every lacking feature is
 * logged by name. -ENODEV: no VMX, locked off by the firmware, or a feature lacks. */
MUST_CHECK int vmx_init(void);
/* Enter VMX operation on this CPU (CR0/CR4 fixed bits, VMXON). Each CPU once. */
void vmx_enable(void);

struct vmx_caps {
    bool apicv; /* the virtual-APIC page is served by the CPU in xAPIC and x2APIC mode, and virtual
                     interrupts are delivered without an exit; false with apicv=off as well */
    bool posting;                /* "process posted interrupts"; false with post=off as well */
    bool ept_2m, ept_1g, ept_ad; /* large pages; accessed and dirty flags */
    bool invept_single, invvpid_single;
    uint8_t timer_shift; /* the preemption timer counts TSC >> shift */
    bool invpcid, rdtscp;
    bool nested;   /* under another hypervisor, which takes each exit first: dear */
    uint64_t xcr0; /* state components that are switched, and so may be offered; 0: no XSAVE */
};
extern struct vmx_caps vmx_caps; /* constant after vmx_init() */

/* --- Guest-physical memory: ept.c -------------------------------------------------------------- */

struct ept;
#define EPT_PERM_READ  BIT(0)
#define EPT_PERM_WRITE BIT(1)
#define EPT_PERM_EXEC  BIT(2)
#define EPT_PERM_ALL   (EPT_PERM_READ | EPT_PERM_WRITE | EPT_PERM_EXEC)
enum ept_type { EPT_UC = 0, EPT_WB = 6 };

MUST_CHECK struct ept *ept_create(void); /* NULL: no memory */
void ept_destroy(struct ept *ept);       /* the tables, not what they map */
/* Map [at, at + size) to [to, ...), multiples of 4 KiB, largest pages that fit. -EEXIST: something is
 * mapped there; -ENOMEM; -EINVAL: beyond 48 bits. New mappings need no flush. */
MUST_CHECK int ept_map(struct ept *ept, gpa_t at, hpa_t to, uint64_t size, unsigned perm,
                       enum ept_type type);
/* When this returns, no CPU reaches the range any more (INVEPT; CPUs in the guest have been through an
 * exit). Large pages are split where the range cuts them. Holes are allowed. */
void ept_unmap(struct ept *ept, gpa_t at, uint64_t size);
/* Walk the live table. False: not mapped. */
bool ept_translate(const struct ept *ept, gpa_t at, hpa_t *to, unsigned *perm, enum ept_type *type);
/* Call visit for each leaf, in order of gpa, until it returns false. */
void ept_visit(const struct ept *ept,
               bool (*visit)(void *ctx, gpa_t at, hpa_t to, uint64_t size, unsigned perm,
                             enum ept_type type),
               void *ctx);

/* --- What runs without an exit: bitmaps.c ------------------------------------------------------ */

struct bitmaps; /* I/O bitmaps A and B, MSR bitmap; shared by the vCPUs of a VM */
MUST_CHECK struct bitmaps *bitmaps_create(void); /* all ones: everything exits */
void bitmaps_destroy(struct bitmaps *b);
/* Let [first, first + count) pass, or exit again. 0xCF8-0xCFF can never pass: -EPERM, nothing changed. */
MUST_CHECK int bitmaps_ports(struct bitmaps *b, uint16_t first, unsigned count, bool pass);
bool bitmaps_port_passes(const struct bitmaps *b, uint16_t port);
/* Only MSRs 0-0x1FFF and 0xC0000000-0xC0001FFF have bits; others always exit: -EINVAL. */
MUST_CHECK int bitmaps_msr(struct bitmaps *b, uint32_t msr, bool read_passes, bool write_passes);

/* --- The virtual CPU --------------------------------------------------------------------------- */

enum gpr { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

/* In the order of instruction encodings. gpr[RSP] is not here but in the VMCS: use vcpu_gpr(). */
struct guest_regs {
    uint64_t gpr[16];
    uint64_t cr2;
};

enum vcpu_state {
    VCPU_STOPPED,   /* not to be scheduled: not started yet, paused, or dead */
    VCPU_WAIT_SIPI, /* an application processor before its STARTUP IPI */
    VCPU_READY,     /* wants a CPU; SN = 1 */
    VCPU_RUNNING,   /* has one; SN = 0, NV = ANV */
    VCPU_HALTED,    /* executed HLT; SN = 0, NV = WNV */
};

struct vm; /* guest/core/vm.h; vmx/ only carries it */

/* What exits were about, and how often. Exact for as long as there are no more than TOP_ROWS of them; then
 * the rarest makes room, and who comes in its place inherits its count. */
enum top_kind { TOP_PORT, TOP_MSR, TOP_GPA, TOP_KINDS };
#define TOP_ROWS 12
struct top {
    struct {
        uint64_t at, count; /* count 0: an empty row */
    } rows[TOP_ROWS];       /* the first one is the latest */
};

#define VCPU_MSR_SWITCHED 6

struct vcpu {
    /* set at creation, constant afterwards */
    struct vm *vm;
    unsigned index; /* in its VM; also its virtual APIC id */
    struct ept *ept;
    struct bitmaps *bitmaps;
    struct vmcs *vmcs;
    uint16_t vpid;
    uint16_t trace_id; /* arch/trace.h TRACE_ID(); set by guest/ */
    struct pid *pid;   /* every interrupt for this vCPU is posted here */
    uint32_t *vapic;   /* virtual-APIC page: the registers, at the offsets of enum apic_reg */
    void *fpu;         /* XSAVE area, of the guest while it does not run */

    /* touched only by whoever runs this vCPU */
    struct {
        uint32_t reason; /* basic exit reason */
        uint64_t qualification;
        struct trace_event *traced; /* the exit that waits to be told its cost; NULL: none */
        uint64_t reasons; /* of the last eight exits, a byte each, the newest in bits 7:0 */
    } exit;
    bool launched;          /* VMLAUNCH done: the next entry is VMRESUME */
    uint64_t host_rsp;      /* as last written to the VMCS */
    struct guest_regs regs; /* these three are addressed by vmx/enter.asm */
    uint64_t exit_count[EXIT_REASON_COUNT];
    struct top tops[TOP_KINDS];
    uint32_t event;          /* VM-entry interruption information of an event to inject, 0: none */
    uint32_t event_error;    /* its error code */
    uint32_t event_length;   /* of the INT instruction, if it was one */
    bool halted;             /* its last instruction was HLT, and nothing has ended that yet */
    bool halted_masked;      /* the same, with RFLAGS.IF = 0: only an NMI ends it */
    bool irq_waits;          /* without APICv: IRR of the local APIC is not empty */
    uint64_t irr[4];         /* without APICv: taken from PIR, on the way to IRR */
    uint64_t timer_deadline; /* TSC at which vm_timer() is due, 0: none; guest/ sets it at will */
    uint64_t apic_base;      /* the guest's IA32_APIC_BASE; after a change: apicv_mode_changed() */
    uint64_t xcr0;
    uint64_t mtrr_def_type; /* IA32_MTRR_DEF_TYPE: remembered only, the EPT decides */
    uint64_t msr_switched[VCPU_MSR_SWITCHED]; /* while it does not run: vmx/vcpu/registers.c */
    uint64_t debug_registers[5];              /* the same: DR0-DR3, DR6 */
    struct {
        bool lent;      /* the debug registers are a debugger's, */
        uint64_t dr[6]; /* and these the guest's: DR0-DR3, DR6, DR7 */
    } debug;
    uint32_t pin, proc, proc2; /* controls, as last written to the VMCS */
    struct cpu *host_cpu;      /* whose tables the host-state area points to */
    uint64_t armed_deadline;   /* what the preemption timer was set for */
    uint64_t slice_end;        /* TSC */
    uint64_t ept_generation;   /* of the EPT when this CPU last invalidated */
    int log_budget;            /* lines that this guest may still cause */

    /* the scheduler's; hold the run queue's lock */
    enum vcpu_state state;
    struct cpu *cpu; /* where it runs or will run */
    int pinned;      /* CPU index, -1: anywhere */
    struct vcpu *next;

    /* written by other CPUs, atomically */
    uint32_t requests;    /* VCPU_REQUEST_... */
    uint8_t sipi_vector;  /* of VCPU_REQUEST_SIPI */
    uint64_t eoi_exit[4]; /* EOI-exit bitmap */
};
#define VCPU_REQUEST_STOP   BIT(0) /* leave the guest, become STOPPED */
#define VCPU_REQUEST_RELOAD BIT(1) /* APIC mode or controls changed: rewrite them before entry */
#define VCPU_REQUEST_NMI    BIT(2) /* an NMI waits for its turn */
#define VCPU_REQUEST_INIT   BIT(3) /* INIT signal: reset, then wait for a STARTUP IPI */
#define VCPU_REQUEST_SIPI   BIT(4) /* STARTUP IPI: start at sipi_vector */
#define VCPU_REQUEST_FOLD   BIT(5) /* look at PIR even if ON is clear */
#define VCPU_REQUEST_SHARE  BIT(6) /* another waits for this CPU: the slice ends soon */

/* A vCPU in the state after INIT ("IA-32 Processor States Following Power-up, Reset, or INIT"), STOPPED.
 * NULL: no memory or no VPID. */
MUST_CHECK struct vcpu *vcpu_create(struct vm *vm, unsigned index, struct ept *ept,
                                    struct bitmaps *bitmaps);
void vcpu_destroy(struct vcpu *v);
/* Back to the state after INIT. Only while STOPPED or WAIT_SIPI, or by the vCPU's own exit. */
void vcpu_reset(struct vcpu *v);

/* How a loader starts a kernel. Segments are flat; paging is off unless mode says so. */
enum vcpu_mode {
    VCPU_REAL,        /* CS base = entry & ~0xffff, IP = entry & 0xffff */
    VCPU_PROTECTED32, /* flat 4 GiB segments, paging off (multiboot) */
    VCPU_LONG64,      /* 64-bit, CR3 = cr3, paging on */
};
void vcpu_set_entry(struct vcpu *v, enum vcpu_mode mode, uint64_t rip, uint64_t rsp, uint64_t cr3);
/* INIT and STARTUP IPI, from anywhere, at once and without waiting: the CPU of `v` carries them out.
 * As on hardware an INIT resets v and makes it wait (vm_init() is told), and a STARTUP is heeded only by
 * a vCPU that waits for one: it starts in real mode at vector << 12. */
void vcpu_init_signal(struct vcpu *v);
void vcpu_sipi(struct vcpu *v, uint8_t vector);
uint64_t vcpu_gpr(const struct vcpu *v, enum gpr r);
/* Four of them in words, "rax=0x1 rcx=0x2 ...": row 0 to 3. */
#define GPR_ROW 96
void vcpu_gpr_row(const struct vcpu *v, unsigned row, char out[GPR_ROW]);
void vcpu_set_gpr(struct vcpu *v, enum gpr r, uint64_t value); /* all 64 bits */
void vcpu_set_rflags(struct vcpu *v, uint64_t value);
void vcpu_set_rip(struct vcpu *v, uint64_t value);

/* debug.c: what v comes back for, while a debugger has it. Both only while STOPPED. */
struct vcpu_debug {
    bool step;      /* after each instruction, to vm_step() */
    bool int3;      /* at each INT3, to vm_debug() */
    uint64_t dr[4]; /* linear addresses */
    uint64_t
        dr7; /* local enable bits, kinds and lengths, as SDM "Debug Control Register (DR7)"; 0: none */
};
MUST_CHECK int vcpu_debug_arm(struct vcpu *v,
                              const struct vcpu_debug *want); /* -ENODEV: this CPU cannot */
void vcpu_debug_disarm(struct vcpu *v);

/* Guest state for instruction decoders and page walks; only from an exit of this vCPU, or STOPPED. */
struct vcpu_paging {
    uint64_t cr0, cr3, cr4, efer, rflags, rip;
    uint8_t cpl;
    bool code64, code32;      /* CS.L; CS.D */
    uint64_t segment_base[6]; /* ES CS SS DS FS GS, in the order of encodings */
    uint64_t pdpte[4];        /* the PDPTE registers; meaningful with PAE paging only */
};
void vcpu_paging(const struct vcpu *v, struct vcpu_paging *out);
/* The same, of all that only the privilege level; from an exit of this vCPU. */
unsigned vcpu_cpl(void);

/* --- Events: inject.c, apicv.c ----------------------------------------------------------------- */

/* An exception for the next entry; #DF and triple fault are made of two as the SDM has it. */
void vcpu_inject(struct vcpu *v, uint8_t vector);
void vcpu_inject_error(struct vcpu *v, uint8_t vector, uint32_t error_code);
void vcpu_inject_page_fault(struct vcpu *v, uint64_t linear, uint32_t error_code);
void vcpu_nmi(struct vcpu *v);

/* Post an interrupt to v from anywhere, and notify as the remapping unit would: nothing while READY,
 * ANV while RUNNING elsewhere, a wake-up while HALTED. Every sender but VT-d comes through here. */
void vcpu_post(struct vcpu *v, uint8_t vector);
/* The same for those who want to see what posting saves: a RUNNING vCPU is made to exit, and gets the
 * interrupt at its next entry. */
void vcpu_post_by_exit(struct vcpu *v, uint8_t vector);
/* Which way VT-d may post to this vCPU; NULL without APICv. */
const struct pid *vcpu_descriptor(const struct vcpu *v);

/* The guest changed its local APIC between off, xAPIC and x2APIC: adapt controls and MSR bitmap. */
void apicv_mode_changed(struct vcpu *v);
/* A level-triggered vector: its EOI exits (EOI-exit bitmap), to vm_eoi(). */
void apicv_eoi_exit(struct vcpu *v, uint8_t vector, bool on);

/* --- Scheduling: sched.c ----------------------------------------------------------------------- */

/* Make this CPU's run queue. Each CPU once, after vmx_enable(). */
void sched_init_cpu(void);
/* STOPPED or WAIT_SIPI -> READY on its pinned CPU, or the least loaded one. */
void sched_start(struct vcpu *v);
/* READY, RUNNING or HALTED -> STOPPED, soon: its CPU carries it out. From anywhere. */
void sched_request_stop(struct vcpu *v);
/* The same, and wait until it has left its CPU. Not from an exit handler: two vCPUs that wait for each
 * other would wait for ever; a handler requests, and returns STOP_VM for its own vCPU. */
void sched_stop(struct vcpu *v);
/* Run vCPUs on this CPU until done() is true; sleeps when there is nothing to run. done() is asked between
 * two turns, no more than once every SCHED_TICK_US, and on the first CPU no less; nested, all three times are
 * SCHED_NESTED times as long (and a virtual UART holds back what its FIFO has no room for). */
#define SCHED_TICK_US  1000    /* whoever types must not overrun the 16 bytes of the UART */
#define SCHED_SLICE_US 1000    /* while another waits */
#define SCHED_ALONE_US 1000000 /* on the other CPUs, for a vCPU that has one for itself */
#define SCHED_NESTED   10
static inline uint64_t sched_scaled(uint64_t time)
{
    return vmx_caps.nested ? time * SCHED_NESTED : time;
}
void sched_run(bool (*done)(void));
/* A halted vCPU has something to do. */
void sched_wake(struct vcpu *v);
/* For whoever counts: vCPUs that some CPU has, running, ready or in its wake list; VPIDs in use. */
unsigned sched_load(void);
unsigned vpid_count(void);
const char *vcpu_state_name(enum vcpu_state state);
const char *exit_reason_name(uint32_t reason);

/* Registers, controls and the decoded last exit, for reports. */
void vcpu_dump(const struct vcpu *v);

/* look.c: for people who want to know. A field by its encoding, of a vCPU that is loaded here or nowhere
 * (vm_visit() in guest/); false: this CPU has no such field. */
bool vcpu_vmcs_field(const struct vcpu *v, uint32_t encoding, uint64_t *value);
/* The entries of a walk, from level 4 down to the one where it ends; returns how many. */
unsigned ept_walk(const struct ept *ept, gpa_t at, uint64_t entries[4]);
