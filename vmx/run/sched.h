/* SPDX-License-Identifier: MIT */
/*
 * Which vCPU runs where.
 * From: guest/life/ (start, stop), boot/main.c (sched_run), guest/pc/vlapic_irq.c (INIT, STARTUP).
 * To: vmx/run/sched.c, sched_start.c, sched_wake.c.
 */
#pragma once
#include "vmx/caps.h"
#include "vmx/vcpu/vcpu.h"

/* Make this CPU's run queue. Each CPU once, after vmx_enable(). */
void sched_init_cpu(void);
/* STOPPED or WAIT_SIPI -> READY on its pinned CPU, or the least loaded one. */
void sched_start(struct vcpu *v);
/* STOPPED -> WAIT_SIPI: v is as after an INIT, and waits for its STARTUP. */
void sched_await_startup(struct vcpu *v);
/* READY, RUNNING or HALTED -> STOPPED, soon: its CPU carries it out. From anywhere. */
void sched_request_stop(struct vcpu *v);
/* The same, and wait until v has left its CPU. Not from an exit handler, where two vCPUs could wait
 * for each other without end: a handler requests the stop, and returns STOP_VM for its own vCPU. */
void sched_stop(struct vcpu *v);
/* Run vCPUs on this CPU until done() is true; sleep while the queue is empty. done() is called
 * between two slices, at most once every SCHED_TICK_US, and on the first CPU at least as often.
 * Under another hypervisor all three times are SCHED_NESTED times as long: each exit is dear there,
 * and a virtual UART keeps what its FIFO has no room for. Microseconds. Once done() is true, no
 * vCPU is left. */
#define SCHED_TICK_US  1000    /* a user who types must not overrun the 16 bytes of the UART */
#define SCHED_SLICE_US 1000    /* while another vCPU waits */
#define SCHED_ALONE_US 1000000 /* while none does; not on the first CPU, which has its tick */
#define SCHED_NESTED   10
static inline uint64_t sched_scaled(uint64_t time)
{
    return vmx_caps.nested ? time * SCHED_NESTED : time;
}
void sched_run(bool (*done)(void));
bool sched_is_idle(const struct cpu *cpu); /* asleep, or about to be, for want of work */
/* v has something to do: if HALTED it becomes READY, if RUNNING elsewhere it exits. */
void sched_wake(struct vcpu *v);
/* INIT and STARTUP IPI, from anywhere, without waiting: the CPU of v carries them out. As on
 * hardware, an INIT resets v and makes it wait (the upcall is apic_on_init()). Only a vCPU that
 * waits takes a STARTUP: it starts in real mode at vector << 12. */
void vcpu_init_signal(struct vcpu *v);
void vcpu_sipi(struct vcpu *v, uint8_t vector);
/* What the wake-up notification does: halted vCPUs of this CPU with ON set become READY; the first
 * one RUNNING, if this CPU has no other. */
void sched_notified(void);
