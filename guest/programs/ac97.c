/* SPDX-License-Identifier: MIT */
/*
 * AC97 audio: two I/O BARs, a list of buffers that the controller plays and another that it records
 * into. What is recorded of nothing is silence: zeroes where a pattern was.
 * To: guest/assign/vbar.c (ports without an exit), guest/assign/intx.c.
 * Spec: Intel "AC '97 Component Specification"; ICH "AC '97 Audio Controller Registers".
 */
#include "guest/programs/lib/guest.h"

#define IN            0x00 /* PCM in, and out: registers of one engine each */
#define OUT           0x10
#define BASE          0x00
#define CURRENT       0x04
#define LAST          0x05
#define STATUS        0x06
#define CONTROL       0x0b
#define CONTROL_RESET BIT(1)
#define CONTROL_RUN   0x11 /* run, interrupt on completion */
#define STATUS_CAUSES 0x1c
#define GLOBAL        0x2c
#define GLOBAL_COLD   BIT(1)
#define INTERRUPT     BIT(31)
#define SAMPLES       512
#define BUFFERS       4
#define VECTOR        0x75

struct buffer {
    uint32_t address, samples; /* of 2 bytes; bit 31: interrupt when done */
};
static struct buffer list[2][32] __attribute__((aligned(16)));
static uint16_t sound[2][SAMPLES] __attribute__((aligned(16)));
static uint16_t bus;
static uint32_t arrived;

static void handler(struct interrupt_frame *frame)
{
    (void)frame;
    out16((uint16_t)(bus + IN + STATUS), STATUS_CAUSES);
    out16((uint16_t)(bus + OUT + STATUS), STATUS_CAUSES);
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
}

static void engine_start(unsigned at, struct buffer *buffers, const void *data)
{
    for (unsigned i = 0; i < BUFFERS; i++)
        buffers[i] = (struct buffer){LO32((uint64_t)data), SAMPLES | (uint32_t)INTERRUPT};
    out8((uint16_t)(bus + at + CONTROL), CONTROL_RESET);
    out32((uint16_t)(bus + at + BASE), LO32((uint64_t)buffers));
    out8((uint16_t)(bus + at + LAST), BUFFERS - 1);
    out8((uint16_t)(bus + at + CONTROL), CONTROL_RUN);
}

int main(void)
{
    bdf_t bdf = pci_device(0x8086, 0x2415);
    const volatile uint16_t *recorded = sound[1];
    pci_enable(bdf);
    bus = (uint16_t)pci_bar(bdf, 1);
    apic_on(false);
    on_interrupt(VECTOR, handler);
    pci_intx_on(bdf, VECTOR);
    interrupts_on();
    out32((uint16_t)(bus + GLOBAL), GLOBAL_COLD);
    for (unsigned i = 0; i < SAMPLES; i++) {
        sound[0][i] = (uint16_t)(i * 64);
        sound[1][i] = 0xaaaa;
    }
    engine_start(OUT, list[0], sound[0]);
    engine_start(IN, list[1], sound[1]);
    check(spin_until(in8((uint16_t)(bus + OUT + CURRENT)) == BUFFERS - 1, 1000000000));
    check(spin_until(in8((uint16_t)(bus + IN + CURRENT)) == BUFFERS - 1, 1000000000));
    for (unsigned i = 0; i < SAMPLES; i++)
        check(recorded[i] == 0);
    check(spin_until(__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) > 0, 100000000));
    steady_begin();
    for (unsigned i = 0; i < STEADY_OPERATIONS; i++)
        check(in8((uint16_t)(bus + OUT + LAST)) == BUFFERS - 1);
    steady_end("ports", STEADY_OPERATIONS);
    print("ac97: played and recorded, intx=%u", arrived);
    return 0;
}
