/* SPDX-License-Identifier: MIT */
/*
 * The little that a guest program needs: a console, an ending, PCI, interrupts, counts of its own
 * exits. No libc, no allocator; one vCPU unless it starts more.
 * To: guest/programs/lib/start.asm, guest/programs/lib/lib.c, guest/programs/lib/pci.c,
 * guest/programs/lib/device.c, guest/programs/lib/interrupt.c, guest/programs/lib/processor.c.
 */
#pragma once
#include "arch/apic.h"
#include "lib/bits.h"
#include "arch/io.h"
#include "lib/types.h"
#include "arch/x86.h"
#include "lib/hypercall.h"
#include "pci/pci_regs.h"

/* What a program is: returns its exit status, 0 is success. */
int main(void);

/* --- Console and ending: lib.c ---------------------------------------------------------------- */

void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void __attribute__((noreturn)) quit(unsigned status); /* port 0xF4 */
#define check(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            print("FAIL %s:%d: %s", __FILE__, __LINE__, #cond);                                    \
            quit(1);                                                                               \
        }                                                                                          \
    } while (0)

void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);

/* The least first. */
void sort(uint64_t *values, uint64_t count);

/* "key=123" on the VM's command line, or the default. */
uint64_t option(const char *key, uint64_t missing);

static inline uint64_t hypercall(enum hypercall number, uint64_t argument)
{
    uint64_t answer;
    asm volatile("vmcall" : "=a"(answer) : "a"(number), "b"(argument) : "memory");
    return answer;
}

/* Names this moment of a recorded run (run --trace), in up to 64 characters. One exit; without a
 * recorder it does nothing else. */
#define MARK_PORT 0xe9
static inline void trace_mark(const char *text)
{
    size_t size = 0;
    while (text[size++]) /* the zero ends it */
        ;
    asm volatile("cld; rep outsb" : "+S"(text), "+c"(size) : "d"(MARK_PORT) : "memory");
}

/* Exits of this vCPU with one reason (SDM Appendix C), or all; the asking itself is left out. */
uint64_t exits(unsigned reason);
uint64_t exits_all(void);
/* All but those that came over us: the host's interrupts, and the end of our time slice. */
uint64_t exits_caused(void);

/* --- PCI: pci.c ------------------------------------------------------------------------------- */

uint32_t pci_config_read(bdf_t bdf, uint16_t reg, unsigned width);
void pci_config_write(bdf_t bdf, uint16_t reg, unsigned width, uint32_t value);
/* The nth function of that kind on bus 0; quits with a line if there is none. */
bdf_t pci_device(uint16_t vendor, uint16_t device);
/* Base of a BAR without its flags. */
uint64_t pci_bar(bdf_t bdf, unsigned n);
uint8_t pci_capability(bdf_t bdf, uint8_t id); /* 0: none */
/* Memory, I/O and bus master on. */
void pci_enable(bdf_t bdf);
/* Wait until the function answers after a reset. Reset it, by either capability, and wait. */
void pci_wait(bdf_t bdf);
void pci_function_reset(bdf_t bdf);
/* MSI on, one message: vector to vCPU 0, or to another one. */
void pci_msi_on(bdf_t bdf, uint8_t vector);
void pci_msi_to(bdf_t bdf, uint8_t vector, unsigned vcpu);
/* The same for entry n of the MSI-X table, which is unmasked; false: there is no such entry. */
bool pci_msix_to(bdf_t bdf, unsigned n, uint8_t vector, unsigned vcpu);
/* The entry itself; NULL: there is none. */
char *pci_msix_entry(bdf_t bdf, unsigned n);
/* SDM "Message Address Register Format": fixed, physical. */
#define MESSAGE_ADDRESS(vcpu) (0xfee00000 | (uint32_t)(vcpu) << 12)
#define MESSAGE_LOGICAL       BIT(2)

/* --- Drivers of real devices: device.c -------------------------------------------------------- */

/* The function's pin at the I/O APIC: level, active low, vector to vCPU 0. */
void pci_intx_on(bdf_t bdf, uint8_t vector);
/* A row of operations, and a line with the exits that they cost, by reason. */
#define STEADY_OPERATIONS 1000
void steady_begin(void);
void steady_end(const char *what, unsigned operations);

/* --- Interrupts: interrupt.c ------------------------------------------------------------------ */

struct interrupt_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};
/* Handlers run with IF = 0. Those of vectors from 32 on get the EOI sent for them. A fault without
 * a handler is printed and ends the program with status 2. */
void on_interrupt(uint8_t vector, void (*handler)(struct interrupt_frame *frame));
/* Local APIC on, in x2APIC mode if the CPU has it and `x2apic` is asked for. */
void apic_on(bool x2apic);
extern bool x2apic_mode; /* of all processors */
uint32_t apic_read(enum apic_reg reg);
void apic_write(enum apic_reg reg, uint32_t value);
void send_ipi(uint32_t apic_id, uint32_t command); /* command: the low half of ICR */
/* The IDT on this processor: others than the first have to ask for it. */
void interrupts_load(void);

/* Start processor `id`: local APIC on, interrupts still off, then run(); when that
 * returns, it sleeps. */
#define PROCESSORS_MAX 8
void processor_start(unsigned id, void (*run)(void));

static inline void interrupts_on(void) { asm volatile("sti" ::: "memory"); }
static inline void halt(void) { asm volatile("sti; hlt; cli" ::: "memory"); }

/* The serial port: has a byte arrived? Take it, or wait for one. */
#define COM1                0x3f8
#define COM1_LSR            (COM1 + 5)
#define COM1_LSR_DATA_READY BIT(0)
static inline bool key_typed(void) { return in8(COM1_LSR) & COM1_LSR_DATA_READY; }
static inline char key(void)
{
    while (!key_typed())
        cpu_relax();
    return (char)in8(COM1);
}

/* Wait until cond, at most so many turns; false: it never came. */
#define spin_until(cond, turns)                                                                    \
    ({                                                                                             \
        uint64_t left_ = (turns);                                                                  \
        while (!(cond) && --left_)                                                                 \
            cpu_relax();                                                                           \
        left_ != 0;                                                                                \
    })
