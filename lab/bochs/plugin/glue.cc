/* SPDX-License-Identifier: MIT */
/*
 * The models inside Bochs. The library takes the place of Bochs' own "ioapic" plugin, which is
 * loaded on every machine, so a configuration file need not name it; it brings the remapping units
 * at 0xFED90000, the lab devices from 00:02.0 on, and with ecam=1 configuration space in memory and
 * the buses behind the root ports.
 *   memory: BX_MEM_C, handlers of 64 KiB each (Bochs cannot tell two of one 64-KiB block apart)
 *   interrupts: apic_bus_deliver_interrupt; INTx by way of Bochs' PIIX3
 *   time: one tick is one instruction
 * Bochs' own devices reach memory without the unit.
 * From: Bochs' own plugin.cc (entry)      To: glue_pci.cc (configuration space, BARs), machine.h
 */
#include "glue.h"
#include <cstdlib>

#define LOG_THIS

extern bool apic_bus_deliver_interrupt(Bit8u vector, Bit32u dest, Bit8u mode, bool logical,
                                       bool level, bool trigger);

namespace lab
{

static LabMachine *the_machine;

LabMachine::LabMachine()
{
    put("LAB");
    const char *words = getenv("HAMLET_LAB");
    std::string error;
    if (words && !options_parse(words, options, error))
        BX_FATAL(("%s", error.c_str()));
    if (!options.trace.empty()) {
        trace_file = fopen(options.trace.c_str(), "w");
        if (!trace_file)
            BX_FATAL(("cannot write the trace %s", options.trace.c_str()));
        setvbuf(trace_file, nullptr, _IOLBF, 1 << 16);
    }
    machine = std::make_unique<Machine>(*this, *this, options);
    processors = std::make_unique<Processors>(*this, options.processor);
    machine->ioapic().set_id(Bit8u(BX_SMP_PROCESSORS)); /* as Bochs' firmware has it in the MADT */
}

LabMachine::~LabMachine()
{
    if (trace_file)
        fclose(trace_file);
}

void LabMachine::init()
{
    set_enabled(true, 0);
    if (options.units)
        block_add(UNIT_BASE, BLOCK);
    if (options.ecam)
        block_add(ECAM_BASE, ECAM_SIZE);
    for (auto &model : machine->functions()) {
        if (model->sid() >> 8) /* Bochs knows bus 0 only: see config_read() */
            continue;
        auto function = std::make_unique<Function>(*this, *model);
        function->devfn = Bit8u(model->sid());
        DEV_register_pci_handlers(function.get(), &function->devfn, "lab", "Hamlet lab device");
        functions.push_back(std::move(function));
    }
    timer_handle = bx_pc_system.register_timer_ticks(this, timer, 1000000, false, false, "lab");
}

void LabMachine::reset(unsigned)
{
    machine->reset();
    processors->reset();
    set_clocks();
    remap_bars();
}

void LabMachine::set_enabled(bool enabled, Bit16u base_offset)
{
    uint64_t base = enabled ? IOAPIC_BASE | base_offset : 0;
    if (base == ioapic_base)
        return;
    if (ioapic_base) {
        uint64_t block = ioapic_base & ~(BLOCK - 1);
        DEV_unregister_memory_handlers(&blocks[block], block, block + BLOCK - 1);
        blocks.erase(block);
    }
    ioapic_base = base;
    if (base) {
        uint64_t block = base & ~(BLOCK - 1);
        block_add(block, BLOCK);
    }
}

bool LabMachine::msr_is_ours(unsigned cpu, Bit32u index, bool write, Bit64u *value, bool *good)
{
    uint64_t word = *value;
    bool ours = processors->msr(cpu, index, write, word, *good);
    *value = word;
    return ours || differs(cpu, index, write, value, good);
}

void LabMachine::receive_eoi(Bit8u vector) { machine->ioapic().eoi(vector); }

/* The timer is wired to pin 2, as the MADT's interrupt source override says. */
void LabMachine::set_irq_level(Bit8u pin, bool level)
{
    machine->ioapic().set_pin(pin ? pin : 2, level);
}

bool LabMachine::is_ram(uint64_t hpa, size_t n) const
{
    return hpa + n <= BX_MEM(0)->get_memory_len() && hpa + n > hpa;
}

bool LabMachine::read(uint64_t hpa, void *to, size_t n)
{
    if (!is_ram(hpa, n))
        return peer_read(hpa, static_cast<Bit8u *>(to), n);
    DEV_MEM_READ_PHYSICAL_DMA(hpa, unsigned(n), static_cast<Bit8u *>(to));
    return true;
}

/* Peer to peer: a request for a BAR, its sender's own or another's. Writes are not modelled. */
bool LabMachine::peer_read(uint64_t hpa, Bit8u *to, size_t n)
{
    while (n) {
        unsigned bar, part = n < 4 ? 1 : 4;
        uint64_t offset;
        PciFunction *function = owner(hpa, part, bar, offset);
        if (!function)
            return false;
        uint64_t value = function->cpu_read(bar, offset, part);
        memcpy(to, &value, part);
        hpa += part, to += part, n -= part;
    }
    return true;
}

bool LabMachine::write(uint64_t hpa, const void *from, size_t n)
{
    if (!is_ram(hpa, n))
        return false;
    DEV_MEM_WRITE_PHYSICAL_DMA(hpa, unsigned(n), static_cast<Bit8u *>(const_cast<void *>(from)));
    return true;
}

/* Bochs refuses lowest priority with a physical destination; there is but one to choose from. */
void LabMachine::deliver(const Message &message)
{
    Bit8u vector = message.vector, mode = message.mode;
    if (mode == MODE_EXTINT)
        vector = DEV_pic_iac();
    if (mode == MODE_LOWEST && !message.logical)
        mode = 0;
    if (!apic_bus_deliver_interrupt(vector, message.dest, mode, message.logical, true,
                                    message.level))
        trace(text("interrupt lost vector=0x%02x dest=0x%x", vector, message.dest));
}

void LabMachine::trace(const std::string &line)
{
    if (!trace_file || (!options.trace_dma && line.find(" dma ") != std::string::npos))
        return;
    fprintf(trace_file, "%12llu %s\n", (unsigned long long)now(), line.c_str());
}

bool LabMachine::dma(uint16_t sid, uint64_t address, void *buffer, size_t n, bool is_write)
{
    return machine->dma(sid, address, buffer, n, is_write);
}

/* Bochs' PIIX3 leads a line to an input of the 8259s, which is a pin of the I/O APIC, too, and to
 * pin 16, 17, 18 or 19. Interrupt Line names the former in any case. */
void LabMachine::intx(uint16_t sid, Line line, bool level)
{
    bool asserted = machine->wire(sid, line, level);
    if (options.pch_intx)
        machine->ioapic().set_pin(Machine::pch_pin(line), asserted);
    else
        DEV_pci_set_irq(Bit8u(line.device << 3), line.pin, asserted);
}

/* Run what is due, then sleep until the next. */
void LabMachine::arm_timer()
{
    machine->tick();
    remap_bars();
    uint64_t due = machine->next_due();
    if (due == NEVER || timer_handle < 0)
        return;
    uint64_t in = due > now() ? due - now() : 1;
    bx_pc_system.activate_timer_ticks(unsigned(timer_handle), in, false);
}

void LabMachine::timer(void *self) { static_cast<LabMachine *>(self)->arm_timer(); }

} /* namespace lab */

PLUGIN_ENTRY_FOR_MODULE(ioapic)
{
    using lab::the_machine;
    if (mode == PLUGIN_INIT) {
        the_machine = new lab::LabMachine;
        bx_devices.pluginIOAPIC = the_machine;
        BX_REGISTER_DEVICE_DEVMODEL(plugin, type, the_machine, BX_PLUGIN_IOAPIC);
    } else if (mode == PLUGIN_FINI) {
        delete the_machine;
    } else if (mode == PLUGIN_PROBE) {
        return int(PLUGTYPE_STANDARD);
    }
    return 0;
}
