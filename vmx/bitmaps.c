/* SPDX-License-Identifier: MIT */
/*
 * What a guest may do without an exit: I/O bitmaps A and B, one bit per port, and the MSR bitmap,
 * one bit for reading and one for writing. A 1 exits, a 0 passes. All start as ones, and single
 * bits are cleared. And the PID-pointer table: an IPI to an id with a valid entry does not exit.
 * Pure, so tests/unit/test_bitmaps.c runs this file on the host.
 * From: guest/assign/vbar.c (ports of an assigned device), vmx/exit/msr.c
 * (MSRs), vmx/run/post.c (IPIs), vmx/vcpu/setup.c (addresses).
 * To: arch/page.c (the pages).
 * Spec: SDM "I/O-Bitmap Addresses", "MSR-Bitmap Address", "Virtualizing MSR-Based APIC Accesses",
 * "IPI Virtualization".
 */
#include "vmx/bitmaps.h"
#include "arch/apic.h"
#include "arch/msr.h"
#include "arch/page.h"
#include "lib/string.h"
#include "lib/atomic.h"

#define PORT_COUNT        0x10000
/* Mechanism 1 of PCI configuration, and in its middle the reset register 0xCF9. */
#define CONFIG_FIRST      0xcf8
#define CONFIG_LAST       0xcff

#define MSR_LOW_COUNT     0x2000
#define MSR_HIGH_FIRST    0xc0000000
/* The MSR bitmap is four of 1 KiB, at these bytes. */
#define MSR_READ_LOW      0
#define MSR_READ_HIGH     1024
#define MSR_WRITE_LOW     2048
#define MSR_WRITE_HIGH    3072

#define PID_POINTER_VALID BIT(0)

struct bitmaps {
    uint8_t *io;         /* two pages: A, 0-0x7FFF; B, 0x8000-0xFFFF */
    uint8_t *msr;        /* for guests whose local APIC is in another mode than x2APIC */
    uint8_t *msr_x2apic; /* the same, and the x2APIC registers that the virtual-APIC page serves */
    uint64_t pid_pointers[BITMAPS_IPI_TARGETS]; /* by APIC id; the CPU reads them at any moment */
};

static void bit_set(uint8_t *map, unsigned n, bool exits)
{
    uint8_t mask = (uint8_t)BIT(n % 8);
    /* A CPU may read the byte at any moment, because the vCPUs of a VM share its bitmaps. */
    if (exits)
        atomic_fetch_or(&map[n / 8], mask);
    else
        atomic_fetch_and(&map[n / 8], (uint8_t)~mask);
}

static unsigned x2apic_msr(unsigned reg) { return MSR_X2APIC_FIRST + reg / 16; }

/* Reads pass if the virtual-APIC page has the right answer. It has not for the current count.
 * Writes pass if the CPU carries them out itself. A write to ICR that passed on a CPU without "IPI
 * virtualization" would reach the APIC of the host. Registers that x2APIC mode lacks keep their
 * exit, and software answers with #GP. */
static void x2apic_open(uint8_t *map, bool icr)
{
    static const uint16_t readable[] = {
        APIC_ID,        APIC_VERSION,   APIC_TPR,       APIC_PPR,           APIC_LDR,
        APIC_SVR,       APIC_ESR,       APIC_LVT_TIMER, APIC_LVT_THERMAL,   APIC_LVT_PMC,
        APIC_LVT_LINT0, APIC_LVT_LINT1, APIC_LVT_ERROR, APIC_TIMER_INITIAL, APIC_TIMER_DIVIDE,
    };
    static const uint16_t writable[] = {APIC_TPR, APIC_EOI, APIC_SELF_IPI};
    for (unsigned i = 0; i < ARRAY_COUNT(readable); i++)
        bit_set(map + MSR_READ_LOW, x2apic_msr(readable[i]), false);
    for (unsigned reg = APIC_ISR; reg < APIC_IRR + 0x80; reg += 16) /* ISR, TMR, IRR */
        bit_set(map + MSR_READ_LOW, x2apic_msr(reg), false);
    for (unsigned i = 0; i < ARRAY_COUNT(writable); i++)
        bit_set(map + MSR_WRITE_LOW, x2apic_msr(writable[i]), false);
    bit_set(map + MSR_READ_LOW, x2apic_msr(APIC_ICR), !icr);
    bit_set(map + MSR_WRITE_LOW, x2apic_msr(APIC_ICR), !icr);
}

struct bitmaps *bitmaps_create(bool icr_passes)
{
    struct bitmaps *b = page_alloc();
    if (!b)
        return NULL;
    b->io = pages_alloc(2, PAGE_SIZE);
    b->msr = page_alloc();
    b->msr_x2apic = page_alloc();
    if (!b->io || !b->msr || !b->msr_x2apic) {
        bitmaps_destroy(b);
        return NULL;
    }
    memset(b->io, 0xff, 2 * PAGE_SIZE);
    memset(b->msr, 0xff, PAGE_SIZE);
    memset(b->msr_x2apic, 0xff, PAGE_SIZE);
    x2apic_open(b->msr_x2apic, icr_passes);
    return b;
}

void bitmaps_destroy(struct bitmaps *b)
{
    if (b->io)
        pages_free(b->io, 2);
    if (b->msr)
        page_free(b->msr);
    if (b->msr_x2apic)
        page_free(b->msr_x2apic);
    page_free(b);
}

int bitmaps_ports(struct bitmaps *b, uint16_t first, unsigned count, bool pass)
{
    unsigned end = first + count;
    if (end > PORT_COUNT)
        return -EINVAL;
    if (pass && first <= CONFIG_LAST && end > CONFIG_FIRST)
        return -EPERM;
    for (unsigned port = first; port < end; port++)
        bit_set(b->io, port, !pass);
    return 0;
}

bool bitmaps_port_passes(const struct bitmaps *b, uint16_t port)
{
    return !(b->io[port / 8] & BIT(port % 8));
}

int bitmaps_msr(struct bitmaps *b, uint32_t msr, bool read_passes, bool write_passes)
{
    bool high = msr >= MSR_HIGH_FIRST;
    unsigned n = high ? msr - MSR_HIGH_FIRST : msr;
    if (n >= MSR_LOW_COUNT || (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST))
        return -EINVAL;
    uint8_t *const maps[] = {b->msr, b->msr_x2apic};
    for (unsigned i = 0; i < ARRAY_COUNT(maps); i++) {
        bit_set(maps[i] + (high ? MSR_READ_HIGH : MSR_READ_LOW), n, !read_passes);
        bit_set(maps[i] + (high ? MSR_WRITE_HIGH : MSR_WRITE_LOW), n, !write_passes);
    }
    return 0;
}

void bitmaps_ipi(struct bitmaps *b, unsigned apic_id, const struct pi_desc *descriptor)
{
    atomic_store(&b->pid_pointers[apic_id],
                 descriptor ? ptr_hpa(descriptor).v | PID_POINTER_VALID : 0);
}

hpa_t bitmaps_io_a(const struct bitmaps *b) { return ptr_hpa(b->io); }
hpa_t bitmaps_io_b(const struct bitmaps *b) { return ptr_hpa(b->io + PAGE_SIZE); }

hpa_t bitmaps_msrs(const struct bitmaps *b, bool x2apic_virtual)
{
    return ptr_hpa(x2apic_virtual ? b->msr_x2apic : b->msr);
}

hpa_t bitmaps_ipis(const struct bitmaps *b) { return ptr_hpa(b->pid_pointers); }
