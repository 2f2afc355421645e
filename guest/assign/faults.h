/* SPDX-License-Identifier: MIT */
/*
 * Faults of devices, attributed to VMs; and the end of those that come too fast.
 * From: guest/assign/assign.c, guest/assign/vpci_header.c (bus mastering).   To: guest/assign/faults.c.
 */
#pragma once
#include "guest/assign/assign.h"

/* So many faults within so many microseconds are a storm: the device is parked, that is, it cannot master
 * the bus until it has been reset. */
#define STORM_FAULTS    256
#define STORM_PERIOD_US 1000000

/* Once, at boot: from here on vtd/ hands over what it records. */
void storm_init(void);
/* From here on until storm_forget() the faults of its source-ids are this assignment's. */
void storm_watch(struct assignment *a);
void storm_forget(struct assignment *a);
/* The guest switches bus mastering; a parked device does not get it. */
void storm_bus_master(struct assignment *a, bool on);
/* The device was reset: whatever it was aimed at is forgotten, so it may be used again. */
void storm_end(struct assignment *a);
