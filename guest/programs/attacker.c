/* SPDX-License-Identifier: MIT */
/*
 * A guest that tries everything it can through what it was given: a CPU, some memory, one device
 * (lab's, or QEMU's edu). It prints a line per kind of attempt and ends well if nothing came
 * through. `victim` beside it must notice nothing (guest/programs/victim.c).
 * To: vtd/ (DMA, messages), guest/assign/vpci.c (config space), guest/assign/vbar.c (BARs),
 * vmx/exit/ (CPU), guest/pc/pio.c, guest/life/hypercall.c, guest/pc/vlapic.c,
 * guest/assign/faults.c.
 */
#include "guest/programs/attack.h"
#include "guest/programs/attack_cpu.h"
#include "arch/msr.h"

#define BYTES      64
#define PATTERN    0x5ec2e751u
#define RAM_END    UINT64_C(0x200000) /* mem=2M */
#define MSI_WINDOW UINT64_C(0xfee00000)
#define ECAM       UINT64_C(0xc0000000)
#define STORM      10000 /* DMAs; the unit records some of them */

static struct edu edu;
uint32_t memory[1024] __attribute__((aligned(4096)));

/* --- The device aims at memory ---------------------------------------------------------------- */

static void fill(uint32_t value)
{
    for (unsigned i = 0; i < BYTES / 4; i++)
        memory[i] = value;
}

/* A parked device comes back after a reset. */
static void reset_device(void)
{
    if (pci_capability(edu.bdf, PCI_CAP_ID_PCIE))
        pci_function_reset(edu.bdf);
    pci_enable(edu.bdf);
}

/* Write there from the buffer, read from there into it. True: no byte came back, and
 * it was reported. */
static bool dma_is_blocked(uint64_t iova)
{
    uint64_t before = faults();
    bool nothing = true;
    if (hypercall(HC_PARKED, 0))
        reset_device();
    fill(PATTERN);
    check(edu_dma(&edu, (uint64_t)memory, BYTES, false));
    check(edu_dma(&edu, iova, BYTES, true));
    check(edu_dma(&edu, iova, BYTES, false));
    fill(0);
    check(edu_dma(&edu, (uint64_t)memory, BYTES, true));
    for (unsigned i = 0; i < BYTES / 4; i++)
        nothing = nothing && (memory[i] == PATTERN || memory[i] == ~0u || memory[i] == 0);
    return nothing && faults() > before;
}

static void dma_to(const char *what, uint64_t iova)
{
    uint64_t before = faults();
    bool blocked = dma_is_blocked(iova);
    report(what, 2, blocked, "iova=0x%lx faults+%lu, no data", iova, faults() - before);
}

static void dma_sweep(const char *what, uint64_t from, uint64_t to, uint64_t step)
{
    uint64_t n = 0, blocked = 0, before = faults();
    for (uint64_t at = from; at < to; at += step * every(), n++)
        blocked += dma_is_blocked(at);
    report(what, 2 * n, blocked == n, "0x%lx to 0x%lx faults+%lu, no data", from, to,
           faults() - before);
}

/* The hypervisor and its tables lie where we have memory of our own: the device must see ours. */
static void dma_at_the_hypervisors(void)
{
    uint64_t from = hypercall(HC_HAMLET, 0), n = 0, foreign = 0;
    uint32_t ours[BYTES / 4];
    for (uint64_t at = from; at < RAM_END; at += 0x20000, n++) {
        memcpy(ours, (void *)at, BYTES);
        check(edu_dma(&edu, at, BYTES, false));
        check(edu_dma(&edu, (uint64_t)memory, BYTES, true));
        foreign += memcmp(ours, memory, BYTES) != 0;
    }
    report("DMA to the addresses of the hypervisor", n, n && !foreign, "0x%lx to 0x%lx is our RAM",
           from, RAM_END);
}

static void dma(void)
{
    uint64_t own = hypercall(HC_HOST_ADDRESS, (uint64_t)memory);
    dma_at_the_hypervisors();
    dma_to("DMA to our own page by its host address", own);
    dma_to("DMA to the page behind our memory in the host",
           hypercall(HC_HOST_ADDRESS, 0) + RAM_END);
    dma_to("DMA to the first byte behind our RAM", RAM_END);
    dma_sweep("DMA across the host's low memory: tables, the other VM", RAM_END, 0x1000000,
              0x80000);
    dma_sweep("DMA across the host's memory: the other VM", 0x1000000, 0x10000000, 0x800000);
    dma_to("DMA to the end of 4 GiB: firmware", 0xfffff000);
    dma_to("DMA to the registers of the I/O APIC", 0xfec00000);
    dma_to("DMA to the registers of the remapping unit", 0xfed90000);
    dma_to("DMA to ECAM as we see it", ECAM);
    if (!qemu) /* QEMU's device has none */
        dma_to("DMA to our own MSI-X table", (uint64_t)pci_bar(edu.bdf, 2));
    dma_to("DMA to the neighbour's BAR", 0xc0200000);
    dma_to("DMA to 4 GiB and above", UINT64_C(0x100000000));
    dma_to("DMA beyond the width of the tables", UINT64_C(1) << 48);
    dma_to("DMA to the end of 64 bits", ~UINT64_C(0xfff));
}

/* --- Messages: a DMA write to FEExxxxx is an interrupt request -------------------------------- */

static uint64_t interrupts;
static void count_interrupt(struct interrupt_frame *frame)
{
    (void)frame;
    interrupts++;
}

#define REMAPPABLE BIT(4) /* in a message's address; else it is in compatibility format */
static void messages(const char *what, uint64_t address, uint32_t address_step, uint32_t data,
                     uint32_t data_step, unsigned count)
{
    uint64_t before = faults(), came = interrupts, n = 0;
    reset_device();
    for (unsigned i = 0; i < count; i += every(), n++) {
        fill(data + i * data_step);
        check(edu_dma(&edu, (uint64_t)memory, 4, false));
        check(edu_dma(&edu, address + (uint64_t)i * address_step, 4, true));
        faults(); /* has them read: the unit has few records, and Hamlet a budget for each tick */
    }
    interrupts_on();
    asm volatile("nop; nop; cli");
    if (qemu && !(address & REMAPPABLE))
        report_unseen(what, n, "this unit lets it pass; interrupts+%lu", interrupts - came);
    else
        report(what, n, (qemu || faults() - before >= n) && interrupts == came,
               "faults+%lu interrupts+%lu", faults() - before, interrupts - came);
}

#define NEIGHBOURS "message, remappable, the neighbour's entries and the host's"
static void forged_messages(void)
{
    messages("message, compatibility format, every 8th vector", MSI_WINDOW, 0, 0x20, 8, 28);
    messages("message, compatibility format, to every CPU", MSI_WINDOW, 0x1000, 0x30, 0, 16);
    messages("message, compatibility format, broadcast", MSI_WINDOW | 0xff000, 0, 0x30, 0, 1);
    messages("message, compatibility format, SMI", MSI_WINDOW, 0, 0x200, 0, 1);
    messages("message, compatibility format, NMI", MSI_WINDOW, 0, 0x400, 0, 1);
    messages("message, compatibility format, INIT", MSI_WINDOW, 0, 0x500, 0, 1);
    messages("message, compatibility format, ExtINT", MSI_WINDOW, 0, 0x700, 0, 1);
    if (qemu)
        report_unseen(NEIGHBOURS, 0, "not tried: this unit does not see who has sent it");
    else
        messages(NEIGHBOURS, MSI_WINDOW | 0x10, 0x20, 0, 0, 64);
    messages("message, remappable, entries 64 to 159", MSI_WINDOW | 0x10 | 64 << 5, 0x20, 0, 0, 96);
    messages("message, remappable, the last entries", MSI_WINDOW | 0xffe10, 0, 0, 0, 1);
    messages("message, remappable, index above 32767", MSI_WINDOW | 0xffe14, 0, 0, 0, 1);
    messages("message, remappable, with a subhandle", MSI_WINDOW | 0x18 | 200 << 5, 0, 7, 1, 8);
}

static void read_of_message_window(void)
{
    uint64_t before = faults();
    fill(PATTERN);
    check(edu_dma(&edu, MSI_WINDOW, BYTES, false));
    check(edu_dma(&edu, (uint64_t)memory, BYTES, true));
    bool nothing = memory[0] == ~0u || memory[0] == 0 || memory[0] == PATTERN;
    report("DMA read of the message window", 1, nothing, "faults+%lu, no data", faults() - before);
}

/* Our own MSI capability, with addresses and data that a message must not have. */
static void own_msi(const char *what, uint32_t address, uint16_t data)
{
    uint8_t at = pci_capability(edu.bdf, PCI_CAP_ID_MSI);
    uint64_t came = interrupts;
    check(at);
    pci_msi_on(edu.bdf, 0x40);
    uint32_t control = pci_config_read(edu.bdf, (uint16_t)(at + PCI_MSI_CONTROL), 2);
    uint32_t before = ((uint32_t *)(uintptr_t)0x10000)[0];
    pci_config_write(edu.bdf, (uint16_t)(at + PCI_MSI_ADDRESS), 4, address);
    pci_config_write(edu.bdf, (uint16_t)(at + PCI_MSI_DATA(control & PCI_MSI_64)), 2, data);
    edu_write(&edu, EDU_IRQ_RAISE, 1);
    for (unsigned i = 0; i < 1000; i++)
        cpu_relax();
    edu_write(&edu, EDU_IRQ_ACK, 1);
    interrupts_on();
    asm volatile("nop; nop; cli");
    pci_config_write(edu.bdf, (uint16_t)(at + PCI_MSI_CONTROL), 2,
                     control & ~(uint32_t)PCI_MSI_ENABLE);
    report(what, 1, interrupts == came && ((uint32_t *)(uintptr_t)0x10000)[0] == before,
           "address=0x%x data=0x%x interrupts+%lu", address, data, interrupts - came);
}

static void own_messages(void)
{
    own_msi("our MSI aimed at memory", 0x10000, 0x1234);
    own_msi("our MSI aimed at the hypervisor", (uint32_t)hypercall(HC_HAMLET, 0), 0x1234);
    own_msi("our MSI in remappable format", 0xfee00010, 0);
    own_msi("our MSI to a CPU that we have not", 0xfee0f000, 0x41);
    own_msi("our MSI with vector 2", 0xfee00000, 2);
    own_msi("our MSI as SMI", 0xfee00000, 0x200);
    own_msi("our MSI as INIT", 0xfee00000, 0x500);
    own_msi("our MSI as ExtINT", 0xfee00000, 0x741);
}

/* --- Config space ----------------------------------------------------------------------------- */

static void foreign_functions(void)
{
    unsigned n = 0, seen = 0, through_ecam = 0;
    for (unsigned bus = 0; bus < 256; bus += bus < 4 ? 1 : 36)
        for (unsigned devfn = 0; devfn < 256; devfn++, n++) {
            bdf_t bdf = (bdf_t)(bus << 8 | devfn);
            bool ours = bdf == 0 || bdf == edu.bdf;
            seen += !ours && pci_config_read(bdf, PCI_VENDOR_ID, 2) != 0xffff;
            through_ecam += !ours && mmio_read16((char *)ECAM + ((uint64_t)bdf << 12)) != 0xffff;
        }
    report("config space of others, by port 0xCF8", n, seen == 0, "functions seen=%u", seen);
    report("config space of others, by ECAM", n, through_ecam == 0, "functions seen=%u",
           through_ecam);
}

/* Memory off, and a BAR of ones: the neighbour's device would be gone. */
static void foreign_writes(void)
{
    unsigned n = 0, seen = 0;
    for (bdf_t bdf = 1; bdf < 256; bdf++) {
        char *window = (char *)ECAM + ((uint64_t)bdf << 12);
        if (bdf == edu.bdf)
            continue;
        pci_config_write(bdf, PCI_COMMAND, 2, 0);
        pci_config_write(bdf, PCI_BAR(0), 4, ~0u);
        mmio_write16(window + PCI_COMMAND, 0);
        mmio_write32(window + PCI_BAR(0), 0);
        seen += pci_config_read(bdf, PCI_COMMAND, 4) != ~0u;
        n += 4;
    }
    report("config writes to others, by port and ECAM", n, seen == 0,
           "nobody there; ask the victim");
}

static uint32_t identity(bdf_t bdf)
{
    return pci_config_read(bdf, PCI_VENDOR_ID, 4) ^ pci_config_read(bdf, 8, 4) ^
           pci_config_read(bdf, 0x0e, 1);
}

/* Every register of our function: all ones, then all zeros; what says who it is stays. */
static void config_writes(const char *what, unsigned width, bool ecam, unsigned end)
{
    uint32_t who = identity(edu.bdf), n = 0;
    char *window = (char *)ECAM + ((uint64_t)edu.bdf << 12);
    uint64_t came = interrupts;
    uint32_t places[6];
    for (unsigned i = 0; i < ARRAY_COUNT(places); i++)
        places[i] = pci_config_read(edu.bdf, (uint16_t)PCI_BAR(i), 4);
    for (unsigned ones = 2; ones-- > 0;)
        for (unsigned reg = 0; reg < end; reg += width, n++) {
            uint64_t value = ones ? UINT64_MAX : 0;
            if (ecam)
                mmio_write(window + reg, width, value);
            else
                pci_config_write(edu.bdf, (uint16_t)reg, width, (uint32_t)value);
            pci_wait(edu.bdf); /* one of the bits resets it */
        }
    bool same = identity(edu.bdf) == who;
    reset_device();
    for (unsigned i = 0; i < ARRAY_COUNT(places); i++)
        pci_config_write(edu.bdf, (uint16_t)PCI_BAR(i), 4, places[i]);
    report(what, n, same && edu_read(&edu, EDU_ID) == 0x010000ed, "identity kept, interrupts+%lu",
           interrupts - came);
}

static void config_space(void)
{
    foreign_functions();
    foreign_writes();
    config_writes("config writes of 1 byte by port", 1, false, 256);
    config_writes("config writes of 2 bytes by port", 2, false, 256);
    config_writes("config writes of 4 bytes by port", 4, false, 256);
    config_writes("config writes of 1 byte by ECAM", 1, true, 4096);
    config_writes("config writes of 2 bytes by ECAM", 2, true, 4096);
    config_writes("config writes of 4 bytes by ECAM", 4, true, 4096);
    config_writes("config writes of 8 bytes by ECAM", 8, true, 4096);
    uint32_t bridge = identity(0);
    for (uint16_t reg = 0; reg < 256; reg += 4)
        pci_config_write(0, reg, 4, ~0u);
    report("config writes to the host bridge", 64, identity(0) == bridge, "identity kept");
    out32(PCI_PORT_ADDRESS, 0);
    out8(PCI_PORT_ADDRESS, 0xff);
    out16(PCI_PORT_ADDRESS + 2, 0xffff);
    report("parts of the 0xCF8 latch", 2, in32(PCI_PORT_ADDRESS) == 0, "latch unchanged");
    out32(PCI_PORT_ADDRESS, 0xffffffff);
    report("a 0xCF8 latch of ones", 1, in32(PCI_PORT_DATA) == ~0u, "nobody there");
}

/* A BAR over something else: that stays as it is. */
static void bar_over(const char *what, uint64_t at)
{
    uint32_t before = mmio_read32((void *)at);
    pci_config_write(edu.bdf, PCI_BAR(0), 4, (uint32_t)at);
    uint32_t during = mmio_read32((void *)at);
    pci_config_write(edu.bdf, PCI_BAR(0), 4, (uint32_t)(uint64_t)edu.regs);
    report(what, 1, during == before && edu_read(&edu, EDU_ID) == 0x010000ed,
           "0x%lx reads 0x%x as before", at, during);
}

static void bars(void)
{
    memory[0] = PATTERN;
    bar_over("BAR over our own RAM", 0x100000);
    bar_over("BAR over the local APIC", 0xfee00000);
    bar_over("BAR over the I/O APIC", 0xfec00000);
    bar_over("BAR over ECAM", ECAM);
    bar_over("BAR over the remapping unit", 0xfed90000);
    bar_over("BAR over the neighbour's device", 0xc0200000);
    bar_over("BAR over the neighbour's memory", 0x1000000);
    uint64_t before = faults();
    for (unsigned i = 0; i < 50;
         i++) { /* decode and bus master off while a transfer is on its way */
        mmio_write64(edu.regs + EDU_DMA_SOURCE, EDU_BUFFER);
        mmio_write64(edu.regs + EDU_DMA_TARGET, (uint64_t)memory);
        mmio_write64(edu.regs + EDU_DMA_COUNT, BYTES);
        mmio_write64(edu.regs + EDU_DMA_COMMAND, EDU_DMA_START | EDU_DMA_OUT);
        pci_config_write(edu.bdf, PCI_COMMAND, 2, i & 1 ? 0 : PCI_COMMAND_MEM);
        check(i & 1 ? mmio_read32(edu.regs) == ~0u : true);
        pci_enable(edu.bdf);
    }
    report("decode and bus master off under DMA", 50, edu_read(&edu, EDU_ID) == 0x010000ed,
           "unclaimed reads are ones, faults+%lu", faults() - before);
}

static void msix_table(void)
{
    uint8_t at = pci_capability(edu.bdf, PCI_CAP_ID_MSIX);
    if (!at)
        return; /* QEMU's edu has none */
    uint32_t table = pci_config_read(edu.bdf, (uint16_t)(at + PCI_MSIX_TABLE), 4);
    char *page = (char *)pci_bar(edu.bdf, table & PCI_MSIX_BIR);
    uint64_t came = interrupts;
    for (unsigned i = 64; i < 0x800; i += 4)
        mmio_write32(page + i, ~0u);
    report("writes behind the end of the MSI-X table", (0x800 - 64) / 4, interrupts == came,
           "interrupts+%lu", interrupts - came);
    uint32_t pending = mmio_read32(page + 0x1000);
    for (unsigned i = 0x1000; i < 0x1040; i += 4)
        mmio_write32(page + i, ~pending);
    report("writes to the pending bits", 16, mmio_read32(page + 0x1000) == pending,
           "0x%x as before", pending);
    pci_msix_to(edu.bdf, 0, 0x42, 0);
    mmio_write32(page, 0x10000);
    mmio_write32(page + 8, ~0u);
    edu_write(&edu, EDU_IRQ_RAISE, 1);
    edu_write(&edu, EDU_IRQ_ACK, 1);
    interrupts_on();
    asm volatile("nop; nop; cli");
    pci_config_write(edu.bdf, (uint16_t)(at + PCI_MSIX_CONTROL), 2, 0);
    report("an MSI-X entry aimed at memory", 1, interrupts == came, "interrupts+%lu",
           interrupts - came);
}

/* --- The device goes mad ---------------------------------------------------------------------- */

static void device_storms(void)
{
    uint64_t n = 0, before = faults(), came = interrupts, raised = 2000 / every();
    reset_device();
    for (; !qemu && n < STORM && !hypercall(HC_PARKED, 0); n++)
        check(edu_dma(&edu, RAM_END, 4, true));
    if (!qemu) /* whose DMAs take too long for that */
        report("a storm of DMA faults", n, n < STORM, "faults+%lu, then it is parked",
               faults() - before);
    reset_device();
    pci_msi_on(edu.bdf, 0x43);
    interrupts_on();
    for (uint64_t i = 0; i < raised; i++) {
        edu_write(&edu, EDU_IRQ_RAISE, 1);
        edu_write(&edu, EDU_IRQ_ACK, 1);
    }
    asm volatile("nop; cli");
    report("a storm of our device's interrupts", raised, interrupts - came <= raised,
           "interrupts+%lu, for us alone; ask the victim", interrupts - came);
}

int main(void)
{
    uint64_t began = rdtsc();
    catch_exceptions();
    for (unsigned v = 32; v < 256; v++)
        on_interrupt((uint8_t)v, count_interrupt);
    apic_on(true);
    edu = edu_open();
    qemu = option("qemu", 0);
    dma();
    read_of_message_window();
    forged_messages();
    own_messages();
    config_space();
    bars();
    msix_table();
    attack_cpu_all();
    device_storms();
    print("attempts=%u through=%u unseen=%u tsc=%lu", attempts, escaped, unseen, rdtsc() - began);
    return escaped != 0;
}
