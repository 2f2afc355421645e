/* SPDX-License-Identifier: MIT */
/*
 * Exceptions, interrupts and the local APIC of a guest program.
 * From: guest/programs/lib/start.asm (the stubs).
 * Spec: SDM "Interrupt and Exception Handling", "Extended XAPIC (x2APIC)".
 */
#include "arch/msr.h"
#include "guest/programs/lib/guest.h"

extern char interrupt_stubs[]; /* 256, 16 bytes apart */
void guest_interrupt(struct interrupt_frame *frame);

static struct idt_gate {
    uint16_t offset_low, selector;
    uint16_t type, offset_middle;
    uint32_t offset_high, reserved;
} idt[256];
#define GATE_INTERRUPT 0x8e00 /* present, ring 0, 64-bit interrupt gate */
#define FIRST_EXTERNAL 32

static void (*handlers[256])(struct interrupt_frame *frame);
bool x2apic_mode;
static bool apic_is_on;

void interrupts_load(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) idtr = {sizeof(idt) - 1, (uint64_t)idt};
    uint16_t cs;

    asm("mov %%cs, %0" : "=r"(cs));
    for (unsigned v = 0; v < 256; v++) {
        uint64_t at = (uint64_t)interrupt_stubs + v * 16;
        idt[v] = (struct idt_gate){.offset_low = (uint16_t)at,
                                   .selector = cs,
                                   .type = GATE_INTERRUPT,
                                   .offset_middle = (uint16_t)(at >> 16),
                                   .offset_high = (uint32_t)(at >> 32)};
    }
    asm volatile("lidt %0" ::"m"(idtr));
}

void on_interrupt(uint8_t vector, void (*handler)(struct interrupt_frame *frame))
{
    if (!idt[0].selector)
        interrupts_load();
    handlers[vector] = handler;
}

void guest_interrupt(struct interrupt_frame *frame)
{
    if (handlers[frame->vector]) {
        handlers[frame->vector](frame);
    } else {
        print("unexpected vector %lu error 0x%lx rip 0x%lx cr2 0x%lx", frame->vector, frame->error,
              frame->rip, read_cr2());
        quit(2);
    }
    if (frame->vector >= FIRST_EXTERNAL && apic_is_on)
        apic_write(APIC_EOI, 0);
}

#define XAPIC_BASE UINT64_C(0xfee00000)

uint32_t apic_read(enum apic_reg reg)
{
    return x2apic_mode ? (uint32_t)rdmsr(MSR_X2APIC_FIRST + reg / 16)
                       : mmio_read32((void *)(XAPIC_BASE + reg));
}

void apic_write(enum apic_reg reg, uint32_t value)
{
    if (x2apic_mode)
        wrmsr(MSR_X2APIC_FIRST + reg / 16, value);
    else
        mmio_write32((void *)(XAPIC_BASE + reg), value);
}

#define CPUID_1_ECX_X2APIC BIT(21)

void apic_on(bool x2apic)
{
    if (!idt[0].selector)
        interrupts_load();
    if (x2apic && (cpuid(1, 0).ecx & CPUID_1_ECX_X2APIC)) {
        wrmsr(MSR_IA32_APIC_BASE, rdmsr(MSR_IA32_APIC_BASE) | APIC_BASE_EN | APIC_BASE_EXTD);
        x2apic_mode = true;
    }
    apic_is_on = true;
    apic_write(APIC_SVR, 0xff | (uint32_t)APIC_SVR_ENABLE);
    apic_write(APIC_TPR, 0);
}

void send_ipi(uint32_t apic_id, uint32_t command)
{
    if (x2apic_mode) {
        wrmsr(MSR_X2APIC_FIRST + APIC_ICR / 16, (uint64_t)apic_id << 32 | command);
    } else {
        apic_write(APIC_ICR_HIGH, apic_id << 24);
        apic_write(APIC_ICR, command);
    }
}
