/* SPDX-License-Identifier: MIT */
/*
 * An attacker that gets out by each of the holes of lab 16. What it writes to others is harmless
 * where the hole is not there.
 * From: tests/cases/test_labs.py.   To: guest/programs/lib/guest.h, guest/programs/edu.h.
 */
#include "arch/msr.h"
#include "guest/programs/edu.h"
#include "guest/programs/misbehave.h"

#define RAM_END       UINT64_C(0x200000) /* mem=2M */
#define HOST_RAM_END  UINT64_C(0x600000) /* where the victim's memory begins */
#define PLACE         UINT64_C(0x400000) /* in it: what the victim checks */
#define NEIGHBOUR     BDF(0, 3, 0)
#define PORTS         32
#define PORT_RAISE    8 /* of the device's I/O BAR */
#define ECAM          UINT64_C(0xc0000000)
#define UNIT          UINT64_C(0xfed90000)
#define GCMD          0x18
#define MSI_WINDOW    UINT64_C(0xfee00010) /* the remappable format */
#define NMI_TO_OTHERS (UINT64_C(3) << 18 | 0x400)

static uint32_t words[16];
static struct edu e;

static void wait_us(uint64_t us)
{
    for (uint64_t end = rdtsc() + us * 120; rdtsc() < end;)
        cpu_relax();
}

static void dma_write(uint64_t to, uint32_t value, uint32_t count)
{
    memset(words, 0, sizeof(words));
    words[0] = value;
    edu_dma(&e, (uint64_t)words, count, false);
    edu_dma(&e, to, count, true);
}

static void by_ports_of_the_neighbour(void)
{
    uint16_t port = (uint16_t)pci_bar(e.bdf, 1);
    for (unsigned i = 0; port && i < 4; i++) {
        port_out((uint16_t)(port + PORTS + PORT_RAISE), 4, 1);
        wait_us(100);
    }
}

static void by_messages(void)
{
    for (unsigned index = 0; index < 64; index++)
        dma_write(MSI_WINDOW | index << 5, 0, 4);
}

static void by_memory(void)
{
    dma_write(HOST_RAM_END + PLACE, 0xbad, sizeof(words));    /* untranslated */
    for (uint64_t at = RAM_END; at < 0x1000000; at += 0x1000) /* the CPU's own reach */
        (void)exception_of("mov %%eax, (%%rax)", at);
}

static void by_configuration(void)
{
    pci_config_write(NEIGHBOUR, PCI_COMMAND, 2, 0);
    mmio_write16((char *)ECAM + (NEIGHBOUR << 12) + PCI_COMMAND, 0);
}

static void by_registers(void)
{
    mmio_write32((char *)UNIT + GCMD, 0);
    wrmsr(MSR_X2APIC_FIRST + APIC_ICR / 16, NMI_TO_OTHERS);
}

int main(void)
{
    catch_exceptions();
    apic_on(true);
    wait_us(100000); /* the victim has begun */
    by_configuration();
    e = edu_open();
    by_registers();
    by_ports_of_the_neighbour();
    by_messages();
    by_memory();
    return 0;
}
