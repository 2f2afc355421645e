/* SPDX-License-Identifier: MIT */
/*
 * Events for the next VM entry.
 * From: vmx/exit/ and guest/ (an instruction faults), vmx/run/run.c (before each entry).
 * To: vmx/vcpu/inject.c.   Spec: SDM "Event Injection".
 */
#pragma once
#include "vmx/vcpu/vcpu.h"

/* An exception for the next entry; #DF and triple fault are made of two as the SDM has it. */
void vcpu_inject(struct vcpu *v, uint8_t vector);
void vcpu_inject_error(struct vcpu *v, uint8_t vector, uint32_t error_code);
void vcpu_inject_page_fault(struct vcpu *v, uint64_t linear, uint32_t error_code);

/* --- For the other files of vmx/ ----------------------------------------------------------------- */

/* An event was under way to the guest when this exit came: give it again. */
void inject_again(struct vcpu *v);
/* An exception or a software exception that exited goes on to the guest. */
void inject_pass_on(struct vcpu *v, uint32_t info);
/* Hand the most urgent waiting event to the next entry, or ask for a window. */
void inject_pending(struct vcpu *v);
/* Is there an event that ends HLT? */
bool inject_wakes(struct vcpu *v);
