/* SPDX-License-Identifier: MIT */
/*
 * Which CPUs are threads of one core, and which are in one socket: it stands in their APIC ids.
 * From: arch/cpu.c.   To: arch/topology.c.
 * Spec: SDM "CPUID-CPU Identification", leaves 0BH and 1FH.
 */
#pragma once
#include "lib/types.h"

/* Equal for threads of one core. A CPU that tells nothing is a core of its own. */
uint32_t topology_core(uint32_t apic_id);
/* Equal for CPUs of one socket. CPUs that tell nothing are in one. */
uint32_t topology_socket(uint32_t apic_id);
