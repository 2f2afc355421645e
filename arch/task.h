/* SPDX-License-Identifier: MIT */
/*
 * Work of the bootstrap processor that may stop in the middle. What takes long there (the reset of
 * a device, clearing of a VM's RAM) gives the CPU back to the vCPUs, and goes on at the next tick.
 * From: guest/life/run.c (task_run), pci/reset.c, guest/core/memory.c and guest/load/image.c (that
 * pause).
 * To: arch/task.c.
 */
#pragma once
#include "arch/time.h"

/* Call work() on a stack of its own; if it has paused, go on there instead. True: it has returned.
 * Always of the same CPU, and with the same function. */
bool task_run(void (*work)(void));

/* Waits: in work() others run meanwhile, elsewhere the CPU waits. What is typed is kept in either
 * case. The caller holds no lock, and afterwards any vCPU may be loaded in this CPU. */
void task_pause(void);
void task_delay_us(uint64_t us);
/* memcpy(), or to zero if `from` is NULL, in pieces: it pauses when work() has used the CPU for a
 * millisecond. */
void task_copy(void *to, const void *from, size_t size);

/* wait_until() with pauses. */
#define task_wait_until(cond, us) wait_with(task_pause, cond, us)
