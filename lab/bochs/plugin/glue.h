/* SPDX-License-Identifier: MIT */
/*
 * The models inside Bochs: one object that is Bochs' I/O APIC, and the world of the models.
 * From: glue.cc, glue_pci.cc, glue_cpu.cc      To: lab/bochs/plugin/machine.h
 */
#pragma once
#define BX_PLUGGABLE
#include "iodev.h"
#include "machine.h"
#include <cstdio>

namespace lab
{

constexpr uint64_t BLOCK = 0x10000;   /* the finest grain of Bochs' memory handlers */
constexpr uint64_t LARGE = 0x1000000; /* from this size on a BAR is registered as a whole */
constexpr uint64_t IOAPIC_BASE = 0xfec00000, FOUR_GIB = 0x100000000;
constexpr uint64_t ECAM_SIZE = uint64_t(ECAM_BUSES) << 20;
constexpr unsigned MODE_LOWEST = 1, MODE_EXTINT = 7;

class LabMachine;

/* One PCI function as Bochs sees it. */
class Function : public bx_pci_device_c
{
  public:
    Function(LabMachine &machine_, PciFunction &model_) : machine(machine_), model(model_) {}
    void init() override {}
    void reset(unsigned) override {}
    Bit32u pci_read_handler(Bit8u address, unsigned len) override;
    void pci_write_handler_common(Bit8u address, Bit32u value, unsigned len) override;

    LabMachine &machine;
    PciFunction &model;
    Bit8u devfn = 0;
    uint32_t io_base = 0; /* ports registered now, 0: none */
};

/* A registered block: its address is the handler's parameter, so that no two are alike. */
struct Block {
    LabMachine *machine;
    uint64_t base, size = BLOCK;
};

class LabMachine : public bx_ioapic_stub_c, public Host, public Bus
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
    void cpu_does(unsigned cpu, const char *what, Bit64u value) override;
    void set_irq_level(Bit8u pin, bool level) override;
    void line_written_back(bx_phy_address address) override { machine->line_written_back(address); }
    bool msr_is_ours(unsigned cpu, Bit32u index, bool write, Bit64u *value, bool *good) override;
    Bit32u cpuid_edx(Bit32u leaf, Bit32u subleaf, Bit32u edx) override
    {
        return processors->cpuid_edx(leaf, subleaf, edx);
    }
    void cpu_step(unsigned cpu, const char *what, Bit64u value) override
    {
        processors->step(cpu, what, value);
    }
    Bit32u config_read(Bit32u address, unsigned len) override;
    void config_write(Bit32u address, Bit32u value, unsigned len) override;

    /* Host */
    bool read(uint64_t hpa, void *to, size_t n) override;
    bool write(uint64_t hpa, const void *from, size_t n) override;
    uint64_t ram_end() override { return BX_MEM(0)->get_memory_len(); }
    void deliver(const Message &message) override;
    uint64_t now() override { return bx_pc_system.time_ticks(); }
    void trace(const std::string &line) override;
    bool detail() override { return trace_file && options.trace_detail; }

    /* Bus */
    bool dma(uint16_t sid, uint64_t address, void *buffer, size_t n, bool is_write) override;
    void completion(uint16_t sid) override { machine->completion(sid); }
    void intx(uint16_t sid, Line line, bool level) override;
    void bars_changed() override { bars_dirty = true; }

    uint64_t memory_read(uint64_t address, unsigned size);
    void memory_write(uint64_t address, uint64_t value, unsigned size);
    void remap_bars();
    void arm_timer();

  private:
    bool is_ram(uint64_t hpa, size_t n) const;
    void set_clocks();
    bool differs(unsigned cpu, Bit32u index, bool write, Bit64u *value, bool *good);
    std::string virtual_register(uint64_t page, unsigned offset);
    bool peer_read(uint64_t hpa, Bit8u *to, size_t n);
    bool is_ecam(uint64_t address) const;
    uint32_t ecam_read(uint64_t offset, unsigned size);
    void ecam_write(uint64_t offset, uint32_t value, unsigned size);
    void block_add(uint64_t base, uint64_t size);
    PciFunction *owner(uint64_t address, unsigned size, unsigned &bar, uint64_t &offset);
    void remap_io(Function &function);
    static void timer(void *self);

    LabOptions options;
    std::unique_ptr<Machine> machine;
    std::unique_ptr<Processors> processors;
    std::vector<std::unique_ptr<Function>> functions;
    std::map<uint64_t, Block> blocks;
    std::FILE *trace_file = nullptr;
    uint64_t ioapic_base = 0;
    int timer_handle = -1;
    bool bars_dirty = false, asks_bochs = false;
};

} /* namespace lab */
