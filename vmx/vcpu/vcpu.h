/* SPDX-License-Identifier: MIT */
/*
 * A virtual CPU: what Hamlet keeps of it beside its VMCS, its creation and its end, and access to
 * its registers from outside. Above each group of members stands the file that writes it; vcpu.c
 * sets all members at creation and reset. Other files only read (tests/lint/owners.py).
 * From: guest/ and monitor/ (create, registers), every file of vmx/.
 * To: vmx/vcpu/vcpu.c, state.c.
 * Spec: SDM "IA-32 Processor States Following Power-up, Reset, or INIT".
 */
#pragma once
#include "lib/errno.h"
#include "lib/pi_desc.h"
#include "lib/types.h"
#include "arch/x86.h"
#include "vmx/bitmaps.h"
#include "vmx/ept.h"
#include "vmx/vcpu/hottest.h"
#include "vmx/vmx_bits.h"

enum gpr { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

/* In the order of instruction encodings. gpr[RSP] is unused, RSP is in the VMCS: vcpu_gpr(). */
struct guest_regs {
    uint64_t gpr[16];
};

enum vcpu_state {
    VCPU_STOPPED,   /* not to be scheduled: not started yet, paused, or dead */
    VCPU_WAIT_SIPI, /* an application processor before its STARTUP IPI */
    VCPU_READY,     /* waits for a CPU; SN = 1 */
    VCPU_RUNNING,   /* has a CPU; SN = 0, NV = ANV */
    VCPU_HALTED,    /* executed HLT; SN = 0, NV = WNV */
};

struct vm; /* guest/core/vm.h; vmx/ only carries it */

#define VCPU_MSR_KEPT 5
#define VCPU_TSC_AUX  4 /* IA32_TSC_AUX among them */
#define VCPU_LENT_MAX 6 /* gate, descriptor, TSS and stack, two of which may cross a page */

struct vcpu {
    /* vmx/vcpu/vcpu.c: at creation, constant afterwards */
    struct vm *vm;
    unsigned index; /* in its VM; also its virtual APIC id */
    struct ept *ept;
    struct bitmaps *bitmaps;
    struct vmcs *vmcs;
    uint16_t vpid;
    uint16_t trace_id;       /* arch/trace.h TRACE_ID() */
    struct pi_desc *pi_desc; /* every interrupt for this vCPU is posted here */
    uint32_t *vapic;         /* virtual-APIC page: the registers, at the offsets of enum apic_reg */
    /* vmx/vcpu/registers.c */
    void *fpu; /* XSAVE area: valid while v is not loaded */

    /* vmx/run/run.c, vmx/exit/, vmx/vcpu/state.c: the last exit */
    struct {
        union {
            uint64_t reasons; /* of the last eight exits, a byte each, the newest in bits 7:0 */
            uint8_t reason;   /* so this is the basic exit reason of the last one */
        };
        uint64_t qualification;
        struct trace_event *traced; /* gets the cost of this exit at the next entry; or NULL */
    } exit;
    /* vmx/enter.asm; vmx/run/run.c and vmx/vcpu/load.c prepare the next entry */
    uint8_t launched; /* LAUNCHED_... */
    /* vmx/vcpu/guards.c: what each entry and exit does about leaks of the CPU */
    uint8_t guards;            /* of LEAKS_EACH_ENTRY */
    uint32_t spec_ctrl_loaded; /* IA32_SPEC_CTRL while the guest runs, with LEAKS_SPEC_CTRL */

    /* vmx/enter.asm, which also reads the three above; vmx/exit/ and vmx/vcpu/ change registers */
    uint64_t host_rsp; /* as last written to the VMCS */
    struct guest_regs regs;

    /* vmx/exit/cpuid.c */
    struct cpuid_regs features; /* the answer to CPUID leaf 1 */
    /* vmx/run/run.c */
    uint64_t exit_count[EXIT_REASON_COUNT];
    /* vmx/vcpu/hottest.c */
    struct hottest hottest[HOTTEST_KINDS];

    /* vmx/vcpu/inject.c: an event to inject at the next entry */
    uint32_t event;        /* VM-entry interruption information, 0: none */
    uint32_t event_error;  /* its error code */
    uint32_t event_length; /* of the INT instruction, if it was one */

    /* vmx/run/run.c, vmx/vcpu/state.c */
    bool halted;        /* its last instruction was HLT, and no event has ended the HLT yet */
    bool halted_masked; /* the same, with RFLAGS.IF = 0: only an NMI ends the HLT */

    /* guest/pc/vlapic.c and its neighbours in guest/pc/; vmx/vcpu/ in their absence (no APICv) */
    uint64_t irr[4];     /* without APICv: IRR, which the virtual-APIC page has with it */
    uint8_t irq_waits;   /* without APICv: which words of it are not 0, a bit each */
    uint16_t in_service; /* without APICv: priority classes with a vector in ISR, a bit each */
    uint64_t apic_base;  /* the guest's IA32_APIC_BASE; after a change: vcpu_apic_mode_changed() */

    /* vmx/run/post.c (vcpu_set_deadline) */
    uint64_t timer_deadline; /* TSC at which apic_on_timer() is due, 0: none */

    /* vmx/vcpu/registers.c, vmx/vcpu/load.c: registers that the VMCS does not hold; valid while v
     * is not loaded */
    uint64_t xcr0, cr2;
    uint64_t kernel_gs_base;
    uint64_t msr_kept[VCPU_MSR_KEPT]; /* always valid: each write of the guest exits */
    uint64_t msr_set; /* a number: vCPUs with the same one have the same MSRs above, but TSC_AUX */
    /* vmx/vcpu/load.h */
    uint8_t extra; /* LOAD_...: what its load takes beside what each load takes */
    /* vmx/vcpu/debug.c */
    struct {
        uint64_t dr[6];     /* the guest's DR0-DR3, DR6, DR7: each MOV DR exits */
        uint64_t theirs[4]; /* what a debugger wants in DR0-DR3, while it is lent them: */
        bool lent;
        bool stepping, delivery; /* who wants the monitor trap: a debugger, vcpu_tell_delivery() */
        const uint64_t *in_cpu;  /* DR0-DR3 while v is loaded; NULL: GUEST_DR7 has all off */
    } debug;
    /* vmx/vcpu/state.c */
    uint64_t tsc_offset; /* the guest's TSC less that of the host, as in the VMCS */
    /* guest/pc/delivery.c: pages of the guest that are lent while an event is delivered */
    gpa_t lent[VCPU_LENT_MAX];
    unsigned lent_count;
    /* vmx/exit/msr.c */
    uint64_t tsc_adjust;    /* IA32_TSC_ADJUST: by how much the guest has moved its TSC */
    uint64_t mtrr_def_type; /* IA32_MTRR_DEF_TYPE: remembered only, the EPT holds the type */
    /* vmx/vcpu/guards.c */
    uint32_t spec_ctrl; /* IA32_SPEC_CTRL as the guest has written it */

    /* vmx/vcpu/setup.c, vmx/vcpu/state.c, vmx/vcpu/apicv.c: controls as in the VMCS */
    uint32_t pin, proc, proc2;

    /* vmx/run/, vmx/vcpu/: TSC from which on attend() is due. attend() sets it; what makes work for
     * attend() sets it to 0, before the next entry: vmx/vcpu/request.h */
    uint64_t alarm;
    /* vmx/run/run.c */
    const void *frame; /* of the vcpu_run() that has entered it last: HOST_RSP belongs to it */
    /* vmx/run/: the time slice */
    uint64_t slice_end; /* TSC */
    uint64_t turn_end;  /* TSC: from then on another vCPU of this CPU may have it */
    /* vmx/ept_flush.c, vmx/vcpu/apicv.c, vmx/vcpu/load.c */
    uint64_t ept_generation; /* of the EPT when this CPU last invalidated; UINT64_MAX: invalidate */
    /* arch/log.c */
    int log_budget; /* lines that this guest may still cause */

    /* vmx/run/; hold the run queue's lock */
    enum vcpu_state state;
    struct cpu *cpu; /* where it runs or will run */
    int pinned;      /* CPU index, -1: anywhere */
    /* vmx/vcpu/vcpu.c: at creation */
    const struct vcpu *first; /* of its VM; itself, if it is that */
    /* vmx/run/vcpu_list.h */
    struct vcpu *next, **pointer; /* to this one: `next` of the one before, or the list's `first` */

    /* Written by other CPUs, atomically */
    uint32_t requests;    /* VCPU_REQUEST_... */
    uint8_t sipi_vector;  /* of VCPU_REQUEST_SIPI */
    uint64_t eoi_exit[4]; /* EOI-exit bitmap */
};
#define LAUNCHED_ONCE        BIT(0)  /* VMLAUNCH done since VMCLEAR: the next entry is VMRESUME */
#define LAUNCHED_ELSEWHERE   BIT(1)  /* perhaps from another place of the stack: see HOST_RSP */
#define VCPU_REQUEST_STOP    BIT(0)  /* leave the guest, become STOPPED */
#define VCPU_REQUEST_RELOAD  BIT(1)  /* APIC mode, controls, features: made new before the entry */
#define VCPU_REQUEST_NMI     BIT(2)  /* an NMI waits for its turn */
#define VCPU_REQUEST_INIT    BIT(3)  /* INIT signal: reset, then wait for a STARTUP IPI */
#define VCPU_REQUEST_SIPI    BIT(4)  /* STARTUP IPI: start at sipi_vector */
#define VCPU_REQUEST_FOLD    BIT(5)  /* look at PIR even if ON is clear */
#define VCPU_REQUEST_SHARE   BIT(6)  /* another vCPU waits for this CPU: the slice ends soon */
#define VCPU_REQUEST_EXT     BIT(7)  /* the line of an 8259 is asserted; set as long as it is */
#define VCPU_REQUEST_NMI_2   BIT(8)  /* a second one behind it */
#define VCPU_REQUEST_ADDRESS BIT(9)  /* its APIC has another address: apic_on_address() */
#define VCPU_REQUEST_SIPI_2  BIT(10) /* a STARTUP IPI behind the INIT that is not carried out yet */
#define VCPU_REQUEST_SIPIS   (VCPU_REQUEST_SIPI | VCPU_REQUEST_SIPI_2)
#define VCPU_REQUEST_NMIS    (VCPU_REQUEST_NMI | VCPU_REQUEST_NMI_2)

/* What a VM decides about a new vCPU. */
struct vcpu_place {
    struct vm *vm;
    unsigned index;
    const struct vcpu *first; /* of the VM; NULL: this one */
    struct ept *ept;
    struct bitmaps *bitmaps;
    int pinned; /* CPU index, -1: anywhere */
    uint16_t trace_id;
};
/* A vCPU, STOPPED, that waits for vcpu_power_on(). NULL: no memory or no VPID. */
MUST_CHECK struct vcpu *vcpu_create(const struct vcpu_place *place);
void vcpu_destroy(struct vcpu *v); /* v is loaded in no CPU and on no list: place_knows() */
/* As after power-on and RESET: INIT keeps the MSRs, the FPU and XCR0. Only while STOPPED or
 * WAIT_SIPI. */
void vcpu_power_on(struct vcpu *v);
/* Back to the state after INIT. Only while STOPPED or WAIT_SIPI, or by the vCPU's own exit. */
void vcpu_reset(struct vcpu *v);
/* The vCPU that has this CPU, seen from an interrupt of the host; NULL: none has it. */
const struct vcpu *vcpu_interrupted(void);

/* How a loader starts a kernel. The value of CR3 counts in VCPU_LONG64 only. */
enum vcpu_mode {
    VCPU_REAL,        /* CS base = entry & ~0xffff, IP = entry & 0xffff */
    VCPU_PROTECTED32, /* flat 4 GiB segments, paging off (multiboot) */
    VCPU_LONG64,      /* 64-bit, CR3 = cr3, paging on */
};
void vcpu_set_entry(struct vcpu *v, enum vcpu_mode mode, uint64_t rip, uint64_t rsp, uint64_t cr3);
uint64_t vcpu_gpr(const struct vcpu *v, enum gpr r);
void vcpu_set_gpr(struct vcpu *v, enum gpr r, uint64_t value); /* all 64 bits */
void vcpu_set_rflags(struct vcpu *v, uint64_t value);
void vcpu_set_rip(struct vcpu *v, uint64_t value);
/* Add to the guest's TSC. From the next entry on; from an exit of this vCPU, or while STOPPED. */
void vcpu_move_tsc(struct vcpu *v, uint64_t by);

/* State for instruction decoders and page walks; from an exit of this vCPU, or while STOPPED. */
struct vcpu_paging {
    uint64_t cr0, cr3, cr4, efer, rflags, rip, rsp; /* of CR0 and CR4 what is in force */
    uint64_t cs, ss;                                /* access rights */
    uint8_t cpl;
    bool code64, code32;      /* CS.L; CS.D */
    uint8_t stack_size;       /* bytes of the stack pointer: 2, 4, 8 */
    uint64_t segment_base[6]; /* ES CS SS DS FS GS; in 64-bit code the first four are 0 */
    uint64_t pdpte[4];        /* the PDPTE registers of PAE paging; else 0 */
};
void vcpu_paging(const struct vcpu *v, struct vcpu_paging *out);
/* From an exit, of what vcpu_paging() has found at an earlier one: true: the same bytes are at
 * CS:RIP, if guest memory is the same. *s is then up to date, segment bases and RSP only if that is
 * wanted. Not with PAE paging, whose PDPTEs are not compared. */
bool vcpu_paging_again(struct vcpu_paging *s, bool bases, bool rsp);
/* From the same exit, whose instruction has `length` bytes, which the CPU does not report: RFLAGS
 * become those of *s, and RIP is behind the instruction. Answer the exit with RESUME_OVER. */
void vcpu_step_over(const struct vcpu_paging *s, unsigned length);
/* vmx/vcpu/registers.c: between the two calls vector registers 0 to 15 are in memory: bits 127:0 of
 * each, 255:128, 511:256 (NULL: this CPU lacks them). By an exit of the vCPU itself. */
void vcpu_vectors_out(struct vcpu *v, uint8_t *vector[3]);
void vcpu_vectors_in(struct vcpu *v);
/* The privilege level only; from an exit of the vCPU, whose VMCS is current. */
unsigned vcpu_cpl(void);

/* --- For the other files of vmx/ -------------------------------------------------------------- */

/* Bring v's state into this CPU, taking the previous vCPU's registers out. */
void vcpu_load(struct vcpu *v);
/* Take all of v out of this CPU, where it was last, so that another one may load it, or free it. */
void vcpu_release(struct vcpu *v);
/* Make v's VMCS current for a look or a change from outside, and put back the VMCS that was current
 * before. v was released, or this CPU is its home, whichever vCPU is loaded here. */
void vcpu_borrow(const struct vcpu *v);
void vcpu_return(const struct vcpu *v);
/* The vCPU whose VMCS is current starts in real mode at vector << 12. */
void vcpu_start_at_sipi(uint8_t vector);
unsigned vcpu_vpid_count(void); /* VPIDs in use: leak check */
