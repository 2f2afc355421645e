/* SPDX-License-Identifier: MIT */
/*
 * Processors that are not as the first one. And what a processor does with virtual and posted
 * interrupts, in words for the trace: Bochs calls at the places that lab/bochs/mends/watch.py
 * names; the VMCS in its cache tells the rest.
 * From: Bochs' vmx.cc and vapic.cc (cpu_does), glue.cc (differs)      To: glue.cc (trace)
 * Spec: SDM "APIC Virtualization and Virtual Interrupts", "Posted-Interrupt Processing"
 */
#include "glue.h"
#include "cpu.h"
#include <cstring>

#define LOG_THIS

namespace lab
{

constexpr Bit32u MSR_TSC_ADJUST = 0x3b;

/* After a reset of all processors, of which each set its TSC to 0. */
void LabMachine::set_clocks()
{
    for (unsigned cpu = 1; cpu < BX_SMP_PROCESSORS; ++cpu)
        BX_CPU(cpu)->tsc_adjust += options.processor.tsc_moved + options.processor.tsc_ahead;
}

/* Bochs keeps in `tsc_adjust` what a TSC differs from the time by, for whatever reason. */
bool LabMachine::differs(unsigned cpu, Bit32u index, bool write, Bit64u *value, bool *good)
{
    const ProcessorOptions &as = options.processor;
    if (!cpu || asks_bochs)
        return false;
    if (index == MSR_TSC_ADJUST && as.tsc_ahead) {
        if (write)
            BX_CPU(cpu)->tsc_adjust = *value + as.tsc_ahead;
        else
            *value = BX_CPU(cpu)->tsc_adjust - as.tsc_ahead;
        return *good = true;
    }
    if (!as.lacks_msr || index != as.lacks_msr || write)
        return false;
    asks_bochs = true;
    *good = BX_CPU(cpu)->rdmsr(index, value);
    asks_bochs = false;
    *value &= ~as.lacks_bits;
    return true;
}

enum : unsigned { VISR = 0x100, VIRR = 0x200, DESCRIPTOR_PIR = 32 };

/* The vectors whose bits are set: "51,60". */
static std::string vectors(const uint32_t bitmap[8])
{
    std::string list;
    for (unsigned vector = 0; vector < 256; ++vector)
        if (bitmap[vector / 32] >> vector % 32 & 1)
            list += text(list.empty() ? "%02x" : ",%02x", vector);
    return list;
}

/* A register of 256 bits in the virtual-APIC page: 32 of them in every 16 bytes. */
std::string LabMachine::virtual_register(uint64_t page, unsigned offset)
{
    uint32_t bitmap[8] = {};
    for (unsigned i = 0; i < 8; ++i)
        read(page + offset + 16 * i, &bitmap[i], sizeof(bitmap[i]));
    return vectors(bitmap);
}

/* `value`: of an entry and a delivery RIP (a delivery: the vector below it), of an exit the reason
 * and the interruption information above it, of an IPI that is posted the descriptor above the
 * vector, else the vector. */
void LabMachine::cpu_does(unsigned cpu, const char *what, Bit64u value)
{
    if (!detail())
        return;
    const VMCS_CACHE &vm = BX_CPU(cpu)->vmcs;
    bool posting = vm.pin_vmexec_ctrls.PROCESS_POSTED_INTERRUPTS();
    bool delivery = vm.vmexec_ctrls2.VIRTUAL_INT_DELIVERY();
    std::string line = text("cpu%u %s", cpu, what);
    if (!strcmp(what, "entry"))
        line += text(" rip=0x%llx", (unsigned long long)value);
    else if (!strcmp(what, "exit"))
        line += text(" reason=%u info=0x%x", unsigned(value & 0xffff), unsigned(value >> 32));
    else if (!strcmp(what, "delivered"))
        line += text(" vector=0x%02x rip=0x%llx", unsigned(value & 0xff),
                     (unsigned long long)value >> 8);
    else if (!strcmp(what, "posts"))
        line += text(" vector=0x%02x to=0x%llx", unsigned(value & 0xff),
                     (unsigned long long)value >> 8);
    else
        line += text(" vector=0x%02x", unsigned(value));
    if (posting)
        line += text(" pid=0x%llx", (unsigned long long)vm.pid_addr);
    if (!strcmp(what, "notified")) { /* ON is cleared next, and PIR taken */
        uint32_t pir[DESCRIPTOR_PIR / 4] = {};
        read(vm.pid_addr, pir, sizeof(pir));
        line += " pir=" + vectors(pir);
    }
    if (delivery)
        line += text(" rvi=0x%02x svi=0x%02x vppr=0x%02x virr=%s visr=%s", vm.rvi, vm.svi, vm.vppr,
                     virtual_register(vm.virtual_apic_page_addr, VIRR).c_str(),
                     virtual_register(vm.virtual_apic_page_addr, VISR).c_str());
    trace(line);
}

} /* namespace lab */
