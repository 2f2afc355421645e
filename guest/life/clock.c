/* SPDX-License-Identifier: MIT */
/*
 * The VM's time: it begins at the VM's start, and it stands while the VM is paused or reset. The
 * guest reads it as its TSC, and all its devices count it (vm_now).
 * From: guest/life/run.c (start), guest/life/control.c (pause), guest/life/reset.c.
 * To: vmx/vcpu/state.c (vcpu_move_tsc), guest/pc/vlapic_timer.c (vlapic_timer_arm).
 * Spec: SDM "Time-Stamp Counter".
 */
#include "arch/x86.h"
#include "guest/life/life.h"
#include "guest/pc/vlapic.h"

/* 0 would mean that it runs. */
void vm_clock_reset(struct vm *vm)
{
    vm->clock = 0;
    vm->still_at = 1;
}

void vm_clock_stop(struct vm *vm) { vm->still_at = vm_now(vm); }

void vm_clock_go(struct vm *vm)
{
    uint64_t by = vm->still_at - (rdtsc() + vm->clock);
    if (!vm->still_at)
        return;
    vm->clock += by;
    vm->still_at = 0;
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        vcpu_move_tsc(vm->vcpus[i], by);
        vlapic_timer_arm(vm->vcpus[i]);
    }
}
