/* SPDX-License-Identifier: MIT */
/*
 * Which vCPU runs where.
 * From: guest/life/ (start, stop), boot/main.c (sched_run), guest/pc/vlapic_irq.c (INIT, STARTUP).
 * To: vmx/run/sched.c.
 */
#pragma once
#include "arch/time.h"
#include "vmx/caps.h"
#include "vmx/vcpu/vcpu.h"

/* Make this CPU's run queue. Each CPU once, after vmx_enable(). */
void sched_init_cpu(void);
/* STOPPED or WAIT_SIPI -> READY on its pinned CPU, or the least loaded one. */
void sched_start(struct vcpu *v);
/* READY, RUNNING or HALTED -> STOPPED, soon: its CPU carries it out. From anywhere. */
void sched_request_stop(struct vcpu *v);
/* The same, and wait until it has left its CPU. Not from an exit handler: two vCPUs that wait for each
 * other would wait for ever; a handler requests, and returns STOP_VM for its own vCPU. */
void sched_stop(struct vcpu *v);
/* Run vCPUs on this CPU until done() is true; sleeps when there is nothing to run. done() is asked between
 * two turns, no more than once every SCHED_TICK_US, and on the first CPU no less; nested, all three times are
 * SCHED_NESTED times as long (and a virtual UART holds back what its FIFO has no room for). */
#define SCHED_TICK_US  1000    /* whoever types must not overrun the 16 bytes of the UART */
#define SCHED_SLICE_US 1000    /* while another waits */
#define SCHED_ALONE_US 1000000 /* on the other CPUs, for a vCPU that has one for itself */
#define SCHED_NESTED   10
static inline uint64_t sched_scaled(uint64_t time)
{
    return vmx_caps.nested ? time * SCHED_NESTED : time;
}
void sched_run(bool (*done)(void));
/* A halted vCPU has something to do. */
void sched_wake(struct vcpu *v);
/* The TSC so many SCHED_... microseconds from now. */
static inline uint64_t sched_deadline(uint64_t us) { return time_deadline_us(sched_scaled(us)); }
/* INIT and STARTUP IPI, from anywhere, at once and without waiting: the CPU of `v` carries them out.
 * As on hardware an INIT resets v and makes it wait (apic_on_init() is told), and a STARTUP is heeded only by
 * a vCPU that waits for one: it starts in real mode at vector << 12. */
void vcpu_init_signal(struct vcpu *v);
void vcpu_sipi(struct vcpu *v, uint8_t vector);
/* Leak checks: vCPUs on any queue or wake list, in number; is v on one? */
unsigned sched_load(void);
bool sched_knows(const struct vcpu *v);
/* What the wake-up notification does: halted vCPUs of this CPU with ON set become READY. */
void sched_notified(void);
