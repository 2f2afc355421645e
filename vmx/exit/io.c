/* SPDX-License-Identifier: MIT */
/*
 * Decode an I/O-instruction exit into accesses to a port; INS and OUTS go element by element.
 * From: vmx/run/run.c (exit table).   To: guest/pc/pio.c (which device owns the port?).
 * Hot: the exit of every trapped port.
 * Spec: SDM "Exit Qualification for I/O Instructions",
 * INS/INSB/INSW/INSD, OUTS/OUTSB/OUTSW/OUTSD, "REP".
 */
#include "vmx/exit/exit.h"
#include "vmx/vmcs.h"
#include "arch/trace.h"
#include "arch/x86.h"

/* After so many a REP goes on at the next entry, so no guest keeps its CPU by one instruction. */
#define ELEMENTS_AT_ONCE 256

struct pio {
    unsigned port, width; /* 1, 2 or 4 bytes */
    bool in;
};

static inline struct pio decode(uint64_t qualification)
{
    return (struct pio){.port = (unsigned)FIELD_GET(QUAL_IO_PORT, qualification),
                        .width = (unsigned)FIELD_GET(QUAL_IO_SIZE, qualification) + 1,
                        .in = qualification & QUAL_IO_IN};
}

static inline enum exit_action access(struct vcpu *v, struct pio pio, uint64_t *reg)
{
    if (!pio.in)
        return vcpu_on_out(v, pio.port, pio.width, *reg & WIDTH_MASK(pio.width));
    gpr_set(reg, pio.width, vcpu_on_in(v, pio.port, pio.width));
    return RESUME_NEXT;
}

static COLD enum exit_action access_traced(struct vcpu *v, struct pio pio, uint64_t *reg)
{
    enum exit_action action = access(v, pio, reg);
    TRACE(TRACE_PIO, v->trace_id, pio.width | (pio.in ? 0 : TRACE_WRITE), pio.port,
          *reg & WIDTH_MASK(pio.width), 0);
    return action;
}

/* --- INS and OUTS ----------------------------------------------------------------------------- */

/* One element between the port and `linear`. Nothing is read from the port before it is known that
 * the element can be stored: a device forgets what it has handed over. After a fault the guest
 * restarts the instruction at this element. */
static enum exit_action string_element(struct vcpu *v, const struct pio *pio, uint64_t linear)
{
    uint64_t word = 0;
    int err = pio->in ? guest_check_write(v, linear, pio->width)
                      : guest_copy_linear(v, linear, &word, pio->width, false);
    if (err < 0)
        return RESUME_SAME;
    enum exit_action action = access_traced(v, *pio, &word);
    if (pio->in && guest_copy_linear(v, linear, &word, pio->width, true) < 0)
        return RESUME_SAME;
    return action;
}

/* RCX, RSI and RDI change after each element: on hardware an interrupt may come in between. */
static COLD enum exit_action string_access(struct vcpu *v, const struct pio *pio, bool rep)
{
    unsigned size = 2u << FIELD_GET(INFO_IO_ADDRESS_SIZE, vmread(VM_EXIT_INSTRUCTION_INFO));
    uint64_t *index = &v->regs.gpr[pio->in ? RDI : RSI], *count = &v->regs.gpr[RCX];
    int64_t step = vmread(GUEST_RFLAGS) & RFLAGS_DF ? -(int64_t)pio->width : pio->width;
    /* The index wraps at its own size, within the segment. */
    uint64_t segment = vmread(GUEST_LINEAR_ADDRESS) - (*index & WIDTH_MASK(size));
    for (unsigned n = 0; n < ELEMENTS_AT_ONCE; n++) {
        if (rep && (*count & WIDTH_MASK(size)) == 0)
            return RESUME_NEXT;
        enum exit_action action = string_element(v, pio, segment + (*index & WIDTH_MASK(size)));
        if (action != RESUME_NEXT)
            return action;
        gpr_set(index, size, *index + (uint64_t)step);
        if (!rep)
            return RESUME_NEXT;
        gpr_set(count, size, *count - 1);
    }
    if ((*count & WIDTH_MASK(size)) == 0)
        return RESUME_NEXT;
    vmwrite(GUEST_RFLAGS, vmread(GUEST_RFLAGS) | RFLAGS_RF); /* no breakpoint again inside of it */
    return RESUME_SAME;
}

/* --- The exit --------------------------------------------------------------------------------- */

/* A string instruction, a port that is not one of the last two, a trace. */
static COLD __attribute__((noinline)) enum exit_action unusual(struct vcpu *v,
                                                               uint64_t qualification)
{
    struct pio pio = decode(qualification);
    hottest_count(&v->hottest[HOTTEST_PORT], pio.port);
    return qualification & QUAL_IO_STRING ? string_access(v, &pio, qualification & QUAL_IO_REP)
                                          : access_traced(v, pio, &v->regs.gpr[RAX]);
}

enum exit_action exit_io_instruction(struct vcpu *v)
{
    uint64_t qualification = vmread(EXIT_QUALIFICATION);
    struct pio pio = decode(qualification);
    v->exit.qualification = qualification;
    if ((qualification & QUAL_IO_STRING) || __builtin_expect(trace_on, 0) ||
        !hottest_again(&v->hottest[HOTTEST_PORT], pio.port))
        return unusual(v, qualification);
    return access(v, pio, &v->regs.gpr[RAX]);
}
