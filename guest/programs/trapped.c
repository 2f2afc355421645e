/* SPDX-License-Identifier: MIT */
/*
 * Instructions that touch a trapped page and something else at once: strings copied between a
 * trapped BAR and one that is mapped directly, in both directions, and an operand that lies over
 * the border of two BARs. And what drivers and copies of theirs use beside MOV: vectors, locked
 * operations, comparisons, PUSH. Devices: the lab's 1234:11e8 and both of 1234:11e9, whose BARs of
 * 256 bytes are trapped.
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

/* Vector registers are the guest's own; with AVX a load clears the upper half. */
static void vectors(char *at)
{
    uint8_t pattern[32], back[64];
    for (unsigned i = 0; i < sizeof(pattern); i++)
        pattern[i] = (uint8_t)(0x40 + i);
    asm volatile("mov %0, %%cr4" ::"r"(read_cr4() | CR4_OSFXSR));
    asm volatile("movdqu (%1), %%xmm9; movntdq %%xmm9, (%0); pcmpeqb %%xmm9, %%xmm9\n\t"
                 "movaps (%0), %%xmm9; movdqu %%xmm9, (%2)\n\t"
                 "movss 4(%0), %%xmm9; movdqu %%xmm9, 16(%2); movq %%xmm9, 32(%0)" ::"r"(at),
                 "r"(pattern), "r"(back)
                 : "memory");
    check(memcmp(back, pattern, 16) == 0 && memcmp(back + 16, pattern + 4, 4) == 0);
    check(back[20] == 0 && back[31] == 0 && mmio_read32(at + 36) == 0);
    check(mmio_read32(at + 32) == mmio_read32(at + 4));
    if (!(cpuid(1, 0).ecx & BIT(28)))
        return;
    asm volatile("mov %0, %%cr4" ::"r"(read_cr4() | CR4_OSFXSR | CR4_OSXSAVE));
    asm volatile("xsetbv" ::"c"(0), "a"(7), "d"(0));
    asm volatile("vmovdqu (%1), %%ymm9; vmovdqu %%ymm9, (%0); vpxor %%ymm9, %%ymm9, %%ymm9\n\t"
                 "vmovdqa (%0), %%ymm9; vmovdqu %%ymm9, (%2)\n\t"
                 "vmovups (%0), %%xmm9; vmovdqu %%ymm9, 32(%2)" ::"r"(at),
                 "r"(pattern), "r"(back)
                 : "memory");
    check(memcmp(back, pattern, 32) == 0 && memcmp(back + 32, pattern, 16) == 0);
    check(back[48] == 0 && back[63] == 0);
}

static void others(char *at)
{
    uint32_t ram[4] = {1, 2, 3, 4}, value = 5;
    uint64_t count = 4, wide;
    bool equal;
    vectors(at);
    asm volatile("movnti %1, (%0); mfence; clflush (%0); lock xaddl %2, (%0)" ::"r"(at), "r"(100u),
                 "r"(value)
                 : "memory");
    check(mmio_read32(at) == 105);
    asm volatile("lock cmpxchgl %2, (%1); sete %0"
                 : "=m"(equal)
                 : "r"(at), "r"(7u), "a"(105u)
                 : "memory");
    check(equal && mmio_read32(at) == 7);
    asm volatile("shll $4, (%1); shrb %%cl, (%1); sete 4(%1); imull $3, (%1), %0"
                 : "=r"(value)
                 : "r"(at), "c"(2)
                 : "memory", "cc");
    check(value == 28 * 3 && mmio_read8(at + 4) == 0);
    asm volatile("bsf (%1), %0" : "=r"(value) : "r"(at) : "cc");
    check(value == 2);
    asm volatile("cmp %0, %0; cmovnel (%1), %0; cmovel (%1), %0" : "+r"(value) : "r"(at) : "cc");
    check(value == 28);
    asm volatile("pushq (%1); popq %0" : "=r"(wide) : "r"(at) : "memory");
    check(wide == mmio_read64(at));
    memcpy(at, ram, sizeof(ram));
    ram[2] = 9;
    uint32_t *from = ram;
    char *to = at;
    asm volatile("repe cmpsl" : "+c"(count), "+S"(from), "+D"(to) : : "memory", "cc");
    check(count == 1 && from == ram + 3 && to == at + 12);
    to = at;
    count = 99;
    asm volatile("repne scasb" : "+c"(count), "+D"(to) : "a"(3) : "memory", "cc");
    check(count == 99 - 9 && to == at + 9);
    print("vectors, locked operations, comparisons and PUSH");
}

/* What cannot be carried out is named, and the VM ends. */
static void refused(char *at)
{
    asm volatile("fninit; fstl (%0)" ::"r"(at) : "memory");
    print("FAIL: went on");
}

int main(void)
{
    struct edu e = edu_open();
    bdf_t small = pci_device(0x1234, 0x11e9);
    char *last = small_open(small, BORDER - 0x100);
    char *first = small_open((bdf_t)(small + BDF(0, 1, 0)), BORDER);
    strings(&e, last);
    border(last, first);
    others(last + 0x40);
    refused(last);
    return 0;
}
