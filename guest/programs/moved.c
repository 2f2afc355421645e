/* SPDX-License-Identifier: MIT */
/*
 * A BAR that moves away while it is in use: from the moment that the write to its register is done
 * no processor reaches the device at the old place: not the one that moved it, and not another one
 * (cpus=2) that looks at it all the time.
 * From: tests/cases/test_assign.py.   To: guest/assign/vbar.c, vmx/ept_flush.c ept_flush().
 * Spec: SDM "Guidelines for Use of the INVEPT Instruction".
 */
#include "guest/programs/edu.h"
#include "lib/atomic.h"

#define ELSEWHERE UINT32_C(0xe0000000)
#define PATIENCE  100000000

static struct edu e;
static char *old;
static uint64_t looks, moved, wrong;

static void look(void)
{
    uint64_t gone = atomic_load(&moved);
    uint32_t seen = mmio_read32(old);
    if (gone && seen != UINT32_MAX)
        atomic_fetch_add(&wrong, 1);
    atomic_fetch_add(&looks, 1);
}

static void look_all_the_time(void)
{
    for (;;)
        look();
}

static void move(uint32_t to)
{
    pci_config_write(e.bdf, PCI_BAR(0), 4, to);
    e.regs = (char *)(uint64_t)to;
}

int main(void)
{
    bool two = option("cpus", 1) == 2;
    apic_on(true);
    e = edu_open();
    old = e.regs;
    uint32_t id = mmio_read32(old);
    if (two) {
        processor_start(1, look_all_the_time);
        check(spin_until(atomic_load(&looks) > 1000, PATIENCE));
    }
    move(ELSEWHERE);
    atomic_store(&moved, 1);
    for (unsigned i = 0; i < 10; i++)
        look();
    uint64_t before = atomic_load(&looks);
    check(!two || spin_until(atomic_load(&looks) > before + 10, PATIENCE));
    print("moved: wrong=%lu", atomic_load(&wrong));
    check(mmio_read32(e.regs) == id && atomic_load(&wrong) == 0);
    return 0;
}
