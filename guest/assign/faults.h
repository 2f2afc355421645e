/* SPDX-License-Identifier: MIT */
/*
 * Faults of devices, attributed to VMs. A device that causes too many of them is parked.
 * From: guest/assign/assign.c, guest/assign/vpci_header.c (bus mastering).
 * To: guest/assign/faults.c.
 */
#pragma once
#include "guest/assign/assign.h"

/* So many faults within so many microseconds are a storm: the device is parked, that is, it cannot
 * master the bus until it has been reset. */
#define STORM_FAULTS    256
#define STORM_PERIOD_US 1000000

/* Once, at boot: from here on vtd/ hands over each fault that it records. */
void faults_init(void);
/* Until faults_forget(), faults of the assignment's source-ids are counted for it. */
void faults_watch(struct assignment *a);
void faults_forget(struct assignment *a);
/* The guest switches bus mastering on or off; for a parked device it stays off. */
void faults_bus_master(struct assignment *a, bool on);
/* The device was reset, and with that forgot where its DMA went: it may master the bus again. */
void faults_storm_end(struct assignment *a);
