/* SPDX-License-Identifier: MIT */
/*
 * What the processors say about known leaks, the commands against them, and a line of the trace for
 * each step that matters: so a test sees what software does around each VM entry. The processors
 * themselves are Bochs', which leaks nothing.
 * From: glue.cc      To: processor.cc
 * Spec: SDM "Model-Specific Registers (MSRs)"; Intel "CPUID Enumeration and Architectural MSRs"
 */
#pragma once
#include "host.h"
#include <map>

namespace lab
{

constexpr uint64_t NO_CAPABILITIES = NEVER;

struct ProcessorOptions {
    uint64_t capabilities = NO_CAPABILITIES; /* IA32_ARCH_CAPABILITIES; else it does not exist */
    bool commands = false; /* SPEC_CTRL, PRED_CMD, FLUSH_CMD, VERW that overwrites; traced */
    /* All processors but the first: by so many ticks their TSC is ahead because the firmware moved
     * it (IA32_TSC_ADJUST tells), or since their reset (it does not); an MSR of theirs lacks bits.
     */
    uint64_t tsc_moved = 0, tsc_ahead = 0;
    uint32_t lacks_msr = 0;
    uint64_t lacks_bits = 0;
};

class Processors
{
  public:
    Processors(Host &host_, const ProcessorOptions &options_) : host(host_), options(options_) {}
    void reset() { spec_ctrl.clear(); }

    /* EDX of a leaf of CPUID, as software sees it. */
    uint32_t cpuid_edx(uint32_t leaf, uint32_t subleaf, uint32_t edx) const;
    /* False: not one of these MSRs. `good` false: #GP. */
    bool msr(unsigned cpu, uint32_t index, bool is_write, uint64_t &value, bool &good);
    /* "entry" with its EPT pointer, "exit" with its reason, "verw" */
    void step(unsigned cpu, const char *what, uint64_t value);

  private:
    bool write(unsigned cpu, uint32_t index, uint64_t value);

    Host &host;
    const ProcessorOptions options;
    std::map<unsigned, uint64_t> spec_ctrl; /* of each processor */
};

} /* namespace lab */
