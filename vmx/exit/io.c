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
#include "arch/x86.h"

/* After so many a REP goes on at the next entry, so no guest keeps its CPU by one instruction. */
#define ELEMENTS_AT_ONCE 256

struct pio {
    unsigned port, width; /* 1, 2 or 4 bytes */
    bool in;
};

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
    if (!pio->in)
        return vcpu_on_out(v, pio->port, pio->width, word);
    enum exit_action action = vcpu_on_in(v, pio->port, pio->width, &word);
    if (action == RESUME_NEXT)
        err = guest_copy_linear(v, linear, &word, pio->width, true);
    return err < 0 ? RESUME_SAME : action;
}

/* RCX, RSI and RDI change after each element: on hardware an interrupt may come in between. */
static COLD __attribute__((noinline)) enum exit_action
string_access(struct vcpu *v, const struct pio *pio, bool rep)
{
    unsigned size = 2u << FIELD_GET(INFO_IO_ADDRESS_SIZE, vmread(VM_EXIT_INSTRUCTION_INFO));
    uint64_t *index = &v->regs.gpr[pio->in ? RDI : RSI], *count = &v->regs.gpr[RCX];
    int64_t step = vmread(GUEST_RFLAGS) & RFLAGS_DF ? -(int64_t)pio->width : pio->width;
    /* The index wraps at its own size, within the segment. */
    uint64_t segment = vmread(GUEST_LINEAR_ADDRESS) - (*index & WIDTH_MASK(size));
    hottest_count(&v->hottest[HOTTEST_PORT], pio->port);
    for (unsigned n = 0; n < ELEMENTS_AT_ONCE; n++) {
        if (rep && (*count & WIDTH_MASK(size)) == 0)
            return RESUME_NEXT;
        enum exit_action action = string_element(v, pio, segment + (*index & WIDTH_MASK(size)));
        if (action != RESUME_NEXT)
            return action;
        *index = gpr_merge(*index, size, *index + (uint64_t)step);
        if (!rep)
            return RESUME_NEXT;
        *count = gpr_merge(*count, size, *count - 1);
    }
    if ((*count & WIDTH_MASK(size)) == 0)
        return RESUME_NEXT;
    vmwrite(GUEST_RFLAGS, vmread(GUEST_RFLAGS) | RFLAGS_RF); /* no breakpoint again inside of it */
    return RESUME_SAME;
}

enum exit_action exit_io_instruction(struct vcpu *v)
{
    uint64_t qualification = vmread(EXIT_QUALIFICATION), *rax = &v->regs.gpr[RAX];
    unsigned port = (unsigned)FIELD_GET(QUAL_IO_PORT, qualification);
    unsigned width = (unsigned)FIELD_GET(QUAL_IO_SIZE, qualification) + 1;
    bool in = qualification & QUAL_IO_IN;
    v->exit.qualification = qualification;
    if (qualification & QUAL_IO_STRING)
        return string_access(v, &(struct pio){port, width, in}, qualification & QUAL_IO_REP);
    hottest_count(&v->hottest[HOTTEST_PORT], port);
    return in ? vcpu_on_in(v, port, width, rax)
              : vcpu_on_out(v, port, width, *rax & WIDTH_MASK(width));
}
