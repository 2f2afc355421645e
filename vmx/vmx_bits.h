/* SPDX-License-Identifier: MIT */
/*
 * VM-execution controls, exit reasons and exit qualifications, bit by bit.
 * Spec: SDM "Virtual Machine Control Structures", Appendix C "VMX Basic Exit Reasons".
 */
#pragma once
#include "arch/bits.h"

#define EXIT_REASON_COUNT                                                                          \
    80 /* one more than the highest that Appendix C lists for what we enable */
