/* SPDX-License-Identifier: MIT */
/*
 * The smallest VM: run=N executes the first instruction of a guest N times, each time from the
 * state in which its loader starts it. The monitor trap flag makes the vCPU exit after the
 * instruction, so the guest needs no code to return: one instruction is a program. As the
 * instruction takes next to no time, the time from one run to the next is the price of a VM entry
 * and a VM exit. The first run is not counted: the vCPU waits for its CPU before it.
 * From: guest/life/create.c (step_prepare), vmx/vcpu/debug.c (vcpu_on_step).
 * To: vmx/vcpu/debug.c (vcpu_debug_arm), guest/life/kernel.c (vm_start_state).
 * Spec: SDM "Monitor Trap Flag".
 */
#include "guest/core/vm.h"
#include "guest/life/life.h"
#include "vmx/upcalls.h"
#include "vmx/vcpu/debug.h"

int step_prepare(struct vm *vm)
{
    vm->steps_left = vm->config.run;
    return vcpu_debug_arm(vm->vcpus[0], &(struct vcpu_debug){.step = true});
}

enum exit_action vcpu_on_step(struct vcpu *v)
{
    struct vm *vm = v->vm;
    struct vcpu_paging state;
    if (!vm->config.run)
        return vcpu_on_debug(v, DEBUG_STEP, 0);
    if (vm->steps_left == vm->config.run)
        vm->step_tsc = rdtsc();
    if (--vm->steps_left > 0) {
        vm_start_state(vm, v);
        return RESUME_SAME;
    }
    vm->step_ticks = rdtsc() - vm->step_tsc;
    vcpu_paging(v, &state);
    vm->step_rax = vcpu_gpr(v, RAX);
    vm->step_rip = state.rip;
    vm_end(vm, VM_EXIT_SHUTDOWN);
    return STOP_VM;
}
