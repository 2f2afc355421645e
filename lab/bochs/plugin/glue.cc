/* SPDX-License-Identifier: MIT */
/*
 * The models inside Bochs. The library takes the place of Bochs' own "ioapic" plugin, which is
 * loaded on every machine, so a configuration file need not name it; it brings the remapping units
 * at 0xFED90000 and the lab devices from 00:02.0 on.
 *   memory: BX_MEM_C, handlers of 64 KiB each (Bochs cannot tell two of one 64-KiB block apart)
 *   interrupts: apic_bus_deliver_interrupt; INTx by way of Bochs' PIIX3
 *   time: one tick is one instruction
 * Bochs' own devices reach memory without the unit.
 * From: Bochs' own plugin.cc (entry)      To: lab/bochs/plugin/machine.h
 */
#define BX_PLUGGABLE
#include "iodev.h"
#include "machine.h"
#include <cstdio>
#include <cstdlib>
#include <set>

#define LOG_THIS

extern bool apic_bus_deliver_interrupt(Bit8u vector, Bit32u dest, Bit8u mode, bool logical,
                                       bool level, bool trigger);

namespace
{

constexpr uint64_t BLOCK = 0x10000; /* the finest grain of Bochs' memory handlers */
constexpr uint64_t IOAPIC_BASE = 0xfec00000;
constexpr unsigned MODE_LOWEST = 1, MODE_EXTINT = 7;

class LabMachine;

/* One PCI function as Bochs sees it. */
class Function : public bx_pci_device_c
{
  public:
    Function(LabMachine &machine_, lab::PciFunction &model_) : machine(machine_), model(model_) {}
    void init() override {}
    void reset(unsigned) override {}
    Bit32u pci_read_handler(Bit8u address, unsigned len) override;
    void pci_write_handler_common(Bit8u address, Bit32u value, unsigned len) override;

    LabMachine &machine;
    lab::PciFunction &model;
    Bit8u devfn = 0;
    uint32_t io_base = 0; /* ports registered now, 0: none */
};

/* A registered block: its address is the handler's parameter, so that no two are alike. */
struct Block {
    LabMachine *machine;
    uint64_t base;
};

class LabMachine : public bx_ioapic_stub_c, public lab::Host, public lab::Bus
{
  public:
    LabMachine();
    ~LabMachine() override;

    /* bx_ioapic_stub_c: what Bochs asks of its I/O APIC */
    void init() override;
    void reset(unsigned type) override;
    void register_state() override {}
    void set_enabled(bool enabled, Bit16u base_offset) override;
    void receive_eoi(Bit8u vector) override;
    void set_irq_level(Bit8u pin, bool level) override;
    void line_written_back(bx_phy_address address) override { machine->line_written_back(address); }

    /* lab::Host */
    bool read(uint64_t hpa, void *to, size_t n) override;
    bool write(uint64_t hpa, const void *from, size_t n) override;
    uint64_t ram_end() override { return BX_MEM(0)->get_memory_len(); }
    void deliver(const lab::Message &message) override;
    uint64_t now() override { return bx_pc_system.time_ticks(); }
    void trace(const std::string &line) override;

    /* lab::Bus */
    bool dma(uint16_t sid, uint64_t address, void *buffer, size_t n, bool is_write) override;
    void completion(uint16_t sid) override { machine->completion(sid); }
    void intx(unsigned devfn, bool level) override;
    void bars_changed() override { bars_dirty = true; }

    uint64_t memory_read(uint64_t address, unsigned size);
    void memory_write(uint64_t address, uint64_t value, unsigned size);
    void remap_bars();
    void arm_timer();

  private:
    bool is_ram(uint64_t hpa, size_t n) const;
    bool peer_read(uint64_t hpa, Bit8u *to, size_t n);
    lab::PciFunction *owner(uint64_t address, unsigned size, unsigned &bar, unsigned &offset);
    void remap_io(Function &function);
    static void timer(void *self);

    lab::LabOptions options;
    std::unique_ptr<lab::Machine> machine;
    std::vector<std::unique_ptr<Function>> functions;
    std::map<uint64_t, Block> blocks;
    std::FILE *trace_file = nullptr;
    uint64_t ioapic_base = 0;
    int timer_handle = -1;
    bool bars_dirty = false;
};

LabMachine *the_machine;

bool block_read(bx_phy_address address, unsigned len, void *data, void *param)
{
    LabMachine *machine = static_cast<Block *>(param)->machine;
    Bit8u *bytes = static_cast<Bit8u *>(data);
    while (len) { /* vector registers come in one piece */
        unsigned part = len < 8 ? len : 8;
        uint64_t value = machine->memory_read(address, part);
        memcpy(bytes, &value, part);
        address += part, bytes += part, len -= part;
    }
    machine->arm_timer();
    return true;
}

bool block_write(bx_phy_address address, unsigned len, void *data, void *param)
{
    LabMachine *machine = static_cast<Block *>(param)->machine;
    Bit8u *bytes = static_cast<Bit8u *>(data);
    while (len) {
        unsigned part = len < 8 ? len : 8;
        uint64_t value = 0;
        memcpy(&value, bytes, part);
        machine->memory_write(address, value, part);
        address += part, bytes += part, len -= part;
    }
    machine->arm_timer();
    return true;
}

Bit32u port_read(void *self, Bit32u address, unsigned len)
{
    Function *function = static_cast<Function *>(self);
    Bit32u value = Bit32u(function->model.register_access(1, address - function->io_base, len));
    function->machine.arm_timer();
    return value;
}

void port_write(void *self, Bit32u address, Bit32u value, unsigned len)
{
    Function *function = static_cast<Function *>(self);
    function->model.bar_write(1, address - function->io_base, value, len);
    function->machine.arm_timer();
}

Bit32u Function::pci_read_handler(Bit8u address, unsigned len)
{
    return model.config_read(address, len);
}

void Function::pci_write_handler_common(Bit8u address, Bit32u value, unsigned len)
{
    model.config_write(address, value, len);
    machine.remap_bars();
    machine.arm_timer();
}

LabMachine::LabMachine()
{
    put("LAB");
    const char *words = getenv("HAMLET_LAB");
    std::string error;
    if (words && !lab::options_parse(words, options, error))
        BX_FATAL(("%s", error.c_str()));
    if (!options.trace.empty()) {
        trace_file = fopen(options.trace.c_str(), "w");
        if (!trace_file)
            BX_FATAL(("cannot write the trace %s", options.trace.c_str()));
        setvbuf(trace_file, nullptr, _IOLBF, 1 << 16);
    }
    machine = std::make_unique<lab::Machine>(*this, *this, options);
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
        DEV_register_memory_handlers(
            &blocks.emplace(lab::UNIT_BASE, Block{this, lab::UNIT_BASE}).first->second, block_read,
            block_write, lab::UNIT_BASE, lab::UNIT_BASE + BLOCK - 1);
    for (auto &model : machine->functions()) {
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
        blocks[block] = {this, block};
        DEV_register_memory_handlers(&blocks[block], block_read, block_write, block,
                                     block + BLOCK - 1);
    }
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
        unsigned bar, offset, part = n < 4 ? 1 : 4;
        lab::PciFunction *function = owner(hpa, part, bar, offset);
        if (!function)
            return false;
        uint64_t value = function->register_access(bar, offset, part);
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
void LabMachine::deliver(const lab::Message &message)
{
    Bit8u vector = message.vector, mode = message.mode;
    if (mode == MODE_EXTINT)
        vector = DEV_pic_iac();
    if (mode == MODE_LOWEST && !message.logical)
        mode = 0;
    if (!apic_bus_deliver_interrupt(vector, message.dest, mode, message.logical, true,
                                    message.level))
        trace(lab::text("interrupt lost vector=0x%02x dest=0x%x", vector, message.dest));
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

void LabMachine::intx(unsigned devfn, bool level)
{
    for (auto &function : functions)
        if (function->devfn == devfn)
            DEV_pci_set_irq(Bit8u(devfn), function->model.config_byte(0x3d), level);
}

/* Whose register is at this address? */
lab::PciFunction *LabMachine::owner(uint64_t address, unsigned size, unsigned &bar,
                                    unsigned &offset)
{
    for (auto &function : functions)
        for (bar = 0; bar < lab::PciFunction::BARS; ++bar) {
            uint64_t base = function->model.bar_base(bar);
            const lab::PciFunction::Bar &what = function->model.bar(bar);
            if (base == lab::NEVER || what.io || address < base ||
                address + size > base + what.size)
                continue;
            offset = unsigned(address - base);
            return &function->model;
        }
    return nullptr;
}

uint64_t LabMachine::memory_read(uint64_t address, unsigned size)
{
    if (ioapic_base && address >> 12 == ioapic_base >> 12)
        return machine->ioapic().mmio_read(unsigned(address & 0xfc)) >> 8 * (address & 3);
    if (options.units && address >> 16 == lab::UNIT_BASE >> 16)
        return machine->unit_read(address - lab::UNIT_BASE, size);
    unsigned bar, offset;
    lab::PciFunction *function = owner(address, size, bar, offset);
    return function ? function->register_access(bar, offset, size) : ~UINT64_C(0);
}

void LabMachine::memory_write(uint64_t address, uint64_t value, unsigned size)
{
    unsigned bar, offset;
    if (ioapic_base && address >> 12 == ioapic_base >> 12)
        machine->ioapic().mmio_write(unsigned(address & 0xff), Bit32u(value));
    else if (options.units && address >> 16 == lab::UNIT_BASE >> 16)
        machine->unit_write(address - lab::UNIT_BASE, value, size);
    else if (lab::PciFunction *function = owner(address, size, bar, offset))
        function->bar_write(bar, offset, value, size);
}

void LabMachine::remap_io(Function &function)
{
    uint64_t base = function.model.bar_base(1);
    uint32_t wanted = function.model.bar(1).io && base != lab::NEVER ? uint32_t(base) : 0;
    if (wanted == function.io_base || wanted > 0xffe0)
        return;
    for (unsigned i = 0; function.io_base && i < 32; ++i) {
        DEV_unregister_ioread_handler(&function, port_read, function.io_base + i, 7);
        DEV_unregister_iowrite_handler(&function, port_write, function.io_base + i, 7);
    }
    function.io_base = wanted;
    for (unsigned i = 0; wanted && i < 32; ++i) {
        DEV_register_ioread_handler(&function, port_read, wanted + i, "lab", 7);
        DEV_register_iowrite_handler(&function, port_write, wanted + i, "lab", 7);
    }
}

/* Register the blocks that hold a BAR now, let go of those that hold none any more. A BAR over RAM
 * or over another device's block is not decoded; Bochs logs that. */
void LabMachine::remap_bars()
{
    if (!bars_dirty)
        return;
    bars_dirty = false;
    std::set<uint64_t> wanted = {ioapic_base & ~(BLOCK - 1), lab::UNIT_BASE};
    for (auto &function : functions) {
        remap_io(*function);
        for (unsigned i = 0; i < lab::PciFunction::BARS; ++i) {
            uint64_t base = function->model.bar_base(i);
            const lab::PciFunction::Bar &bar = function->model.bar(i);
            if (base == lab::NEVER || bar.io || is_ram(base, 1) || base >= IOAPIC_BASE)
                continue;
            for (uint64_t block = base & ~(BLOCK - 1); block < base + bar.size; block += BLOCK)
                wanted.insert(block);
        }
    }
    for (auto it = blocks.begin(); it != blocks.end();) {
        if (wanted.count(it->first)) {
            ++it;
            continue;
        }
        DEV_unregister_memory_handlers(&it->second, it->first, it->first + BLOCK - 1);
        it = blocks.erase(it);
    }
    for (uint64_t block : wanted) {
        if (!block || blocks.count(block) || block == lab::UNIT_BASE)
            continue;
        auto it = blocks.emplace(block, Block{this, block}).first;
        if (!DEV_register_memory_handlers(&it->second, block_read, block_write, block,
                                          block + BLOCK - 1))
            blocks.erase(it);
    }
}

/* Run what is due, then sleep until the next. */
void LabMachine::arm_timer()
{
    machine->tick();
    remap_bars();
    uint64_t due = machine->next_due();
    if (due == lab::NEVER || timer_handle < 0)
        return;
    uint64_t in = due > now() ? due - now() : 1;
    bx_pc_system.activate_timer_ticks(unsigned(timer_handle), in, false);
}

void LabMachine::timer(void *self) { static_cast<LabMachine *>(self)->arm_timer(); }

} /* namespace */

PLUGIN_ENTRY_FOR_MODULE(ioapic)
{
    if (mode == PLUGIN_INIT) {
        the_machine = new LabMachine;
        bx_devices.pluginIOAPIC = the_machine;
        BX_REGISTER_DEVICE_DEVMODEL(plugin, type, the_machine, BX_PLUGIN_IOAPIC);
    } else if (mode == PLUGIN_FINI) {
        delete the_machine;
    } else if (mode == PLUGIN_PROBE) {
        return int(PLUGTYPE_STANDARD);
    }
    return 0;
}
