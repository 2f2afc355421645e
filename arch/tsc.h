/* SPDX-License-Identifier: MIT */
/*
 * The speed of the TSC, found once.
 * From: boot/main.c.   To: arch/tsc.c.
 */
#pragma once
#include "lib/types.h"

/* Find the speed and tell arch/time.c. `hpet`: where the HPET's registers are, `pm_timer`: the port
 * of the ACPI timer; 0 each: there is none. If nothing tells it (logged), the default stays. */
void tsc_init(hpa_t hpet, uint16_t pm_timer);
