/* SPDX-License-Identifier: MIT */
/*
 * Instructions that touch a trapped page and something else at once: strings copied between a
 * trapped BAR and one that is mapped directly, in both directions, and an operand that lies over
 * the border of two BARs. Devices: the lab's 1234:11e8 and both of 1234:11e9, whose BARs of 256
 * bytes are trapped.
 * To: guest/pc/mmio.c.   Spec: docs/lab.md.
 */
#include "guest/programs/edu.h"

#define WORDS  16
#define BORDER UINT32_C(0xe0001000)

static char *small_open(bdf_t bdf, uint32_t at)
{
    pci_config_write(bdf, PCI_BAR(0), 4, at);
    pci_enable(bdf);
    return (char *)(uint64_t)at;
}

static void copy(void *to, const void *from, uint64_t words)
{
    asm volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

static void strings(const struct edu *e, char *trapped)
{
    char *direct = e->regs + EDU_BUFFER;
    for (uint32_t i = 0; i < WORDS; i++)
        mmio_write32(direct + 4 * i, 0x1000 + i);
    uint64_t exits_ = exits_all();
    copy(trapped + 0x40, direct, WORDS);
    copy(direct + 0x100, trapped + 0x40, WORDS);
    exits_ = exits_all() - exits_;
    for (uint32_t i = 0; i < WORDS; i++) {
        check(mmio_read32(trapped + 0x40 + 4 * i) == 0x1000 + i);
        check(mmio_read32(direct + 0x100 + 4 * i) == 0x1000 + i);
    }
    print("strings exits=%lu", exits_);
}

/* Three bytes at the end of one BAR, then four that name the other, and one of its second word. */
static void border(char *last, char *first)
{
    uint32_t name = mmio_read32(first);
    mmio_write64(last + 0xfd, UINT64_C(0x7655443322110302));
    check(mmio_read32(last + 0xfc) == 0x11030200 && mmio_read32(first + 4) == 0x76);
    check(mmio_read64(last + 0xfd) == (UINT64_C(0x7600000000110302) | (uint64_t)name << 24));
    print("an operand over the border of two devices arrived");
}

int main(void)
{
    struct edu e = edu_open();
    bdf_t small = pci_device(0x1234, 0x11e9);
    char *last = small_open(small, BORDER - 0x100);
    char *first = small_open((bdf_t)(small + BDF(0, 1, 0)), BORDER);
    strings(&e, last);
    border(last, first);
    return 0;
}
