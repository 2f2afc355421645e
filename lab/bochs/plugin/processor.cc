/* SPDX-License-Identifier: MIT */
/*
 * The registers of lab/bochs/plugin/processor.h. A write of a reserved bit is #GP, and so is a read
 * of a command.
 * From: lab/bochs/plugin/processor.h      To: -
 * Spec: Intel "CPUID Enumeration and Architectural MSRs"
 */
#include "processor.h"

namespace lab
{

enum : uint32_t {
    MSR_SPEC_CTRL = 0x48,
    MSR_PRED_CMD = 0x49,
    MSR_ARCH_CAPABILITIES = 0x10a,
    MSR_FLUSH_CMD = 0x10b,
};

/* CPUID leaf 7, EDX */
constexpr uint32_t MD_CLEAR = bit(10), IBRS = bit(26), STIBP = bit(27), L1D_FLUSH = bit(28),
                   ARCH_CAPABILITIES = bit(29), SSBD = bit(31);

uint32_t Processors::cpuid_edx(uint32_t leaf, uint32_t subleaf, uint32_t edx) const
{
    if (leaf != 7 || subleaf != 0)
        return edx;
    if (options.capabilities != NO_CAPABILITIES)
        edx |= ARCH_CAPABILITIES;
    return options.commands ? edx | MD_CLEAR | IBRS | STIBP | L1D_FLUSH | SSBD : edx;
}

bool Processors::write(unsigned cpu, uint32_t index, uint64_t value)
{
    const bool is_control = index == MSR_SPEC_CTRL;
    if (value & ~(is_control ? bits(2, 0) : bit(0)))
        return false;
    if (is_control)
        spec_ctrl[cpu] = value;
    step(cpu, is_control ? "spec_ctrl" : index == MSR_PRED_CMD ? "pred_cmd" : "flush_cmd", value);
    return true;
}

bool Processors::msr(unsigned cpu, uint32_t index, bool is_write, uint64_t &value, bool &good)
{
    bool is_command = index == MSR_PRED_CMD || index == MSR_FLUSH_CMD;
    if (index == MSR_ARCH_CAPABILITIES && options.capabilities != NO_CAPABILITIES) {
        good = !is_write;
        if (good)
            value = options.capabilities;
        return true;
    }
    if (!options.commands || !(is_command || index == MSR_SPEC_CTRL))
        return false;
    good = is_write ? write(cpu, index, value) : !is_command;
    if (good && !is_write)
        value = spec_ctrl[cpu];
    return true;
}

void Processors::step(unsigned cpu, const char *what, uint64_t value)
{
    if (options.commands)
        host.trace(text("cpu%u %s 0x%llx", cpu, what, (unsigned long long)value));
}

} /* namespace lab */
