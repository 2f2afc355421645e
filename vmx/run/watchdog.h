/* SPDX-License-Identifier: MIT */
/*
 * CPUs that hang. Private to vmx/, but for the ticks.
 * From: boot/main.c and guest/life/run.c (ticks).   To: vmx/run/watchdog.c.
 */
#pragma once

/* At each tick of this CPU: once a second the first CPU looks after all others, and the second one
 * after the first. A CPU that hangs is a panic, which begins with where that CPU is. */
void watchdog_look(void);
