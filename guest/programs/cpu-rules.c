/* SPDX-License-Identifier: MIT */
/*
 * The CPU that a guest is shown has no VMX, and what it is not shown it does not have: instructions
 * and registers of that kind fault as on such a CPU, and the VM goes on. Each fault pushes RF = 1.
 * To: vmx/run/run.c (inject_ud), vmx/exit/cr.c, vmx/exit/msr.c, vmx/exit/cpuid.c.
 * Spec: SDM "Changes to Instruction Behavior in VMX Non-Root Operation", "Control Registers".
 */
#include "arch/msr.h"
#include "guest/programs/lib/guest.h"

#define NO_FAULT 0xffff

static uint64_t go_on_at;
static uint32_t fault_vector;

static void note(struct interrupt_frame *frame)
{
    if (!(frame->rflags & RFLAGS_RF))
        print("WRONG: a fault has pushed RF = 0");
    fault_vector = (uint32_t)frame->vector;
    frame->rip = go_on_at;
}

/* Vector of the fault that the instruction causes, or NO_FAULT. */
#define FAULT_OF(instruction, ...)                                                                 \
    ({                                                                                             \
        fault_vector = NO_FAULT;                                                                   \
        asm volatile("movq $1f, %[go_on]; " instruction "; 1:"                                     \
                     : [go_on] "=m"(go_on_at)                                                      \
                     : __VA_ARGS__                                                                 \
                     : "memory", "rax", "rcx", "rdx", "rbx", "cc");                                \
        __atomic_load_n(&fault_vector, __ATOMIC_SEQ_CST);                                          \
    })

#define expect(vector, fault)                                                                      \
    do {                                                                                           \
        bool right_ = (fault) == (vector);                                                         \
        print("%s %s", right_ ? "right" : "WRONG", #fault);                                        \
        failed += !right_;                                                                         \
    } while (0)

static unsigned vmx_is_absent(void)
{
    uint64_t region[2] = {0};
    unsigned failed = 0;
    expect(VECTOR_UD, FAULT_OF("vmxon %[m]", [m] "m"(region[0])));
    expect(VECTOR_UD, FAULT_OF("vmxoff", "i"(0)));
    expect(VECTOR_UD, FAULT_OF("vmlaunch", "i"(0)));
    expect(VECTOR_UD, FAULT_OF("vmread %%rax, %%rbx", "i"(0)));
    expect(VECTOR_UD, FAULT_OF("vmptrld %[m]", [m] "m"(region[0])));
    expect(VECTOR_UD, FAULT_OF("getsec", "i"(0)));
    expect(VECTOR_UD, FAULT_OF("monitor", "i"(0)));
    expect(VECTOR_GP, FAULT_OF("mov %[v], %%cr4", [v] "r"(read_cr4() | CR4_VMXE)));
    expect(VECTOR_GP, FAULT_OF("mov %[v], %%cr4", [v] "r"(read_cr4() | CR4_SMXE)));
    expect(VECTOR_GP, FAULT_OF("mov $0x480, %%ecx; rdmsr", "i"(0)));
    expect(VECTOR_GP, FAULT_OF("mov $0x3a, %%ecx; xor %%eax, %%eax; cdq; wrmsr", "i"(0)));
    failed += read_cr4() & CR4_VMXE || cpuid(1, 0).ecx & BIT(5);
    return failed;
}

static unsigned others_are_checked(void)
{
    unsigned failed = 0;
    expect(VECTOR_GP, FAULT_OF("mov $0x12345678, %%ecx; rdmsr", "i"(0)));
    expect(VECTOR_GP, FAULT_OF("mov $0xc0010000, %%ecx; wrmsr", "i"(0)));
    expect(VECTOR_GP, FAULT_OF("xor %%ecx, %%ecx; rdpmc", "i"(0)));
    expect(VECTOR_GP, FAULT_OF("mov %[v], %%cr0", [v] "r"(read_cr0() & ~CR0_PE)));
    expect(VECTOR_GP, FAULT_OF("mov %[v], %%cr0", [v] "r"(read_cr0() | CR0_NW)));
    expect(VECTOR_GP, FAULT_OF("mov %[v], %%cr4", [v] "r"(read_cr4() & ~CR4_PAE)));
    expect(NO_FAULT, FAULT_OF("mov %[v], %%cr0", [v] "r"(read_cr0() | CR0_CD)));
    failed += !(read_cr0() & CR0_CD);
    expect(NO_FAULT, FAULT_OF("mov %[v], %%cr0", [v] "r"(read_cr0() & ~(CR0_CD | CR0_NE))));
    failed += (read_cr0() & (CR0_CD | CR0_NE)) != 0;
    expect(NO_FAULT, FAULT_OF("mov $0x1a0, %%ecx; rdmsr", "i"(0)));
    expect(NO_FAULT, FAULT_OF("mov $0x277, %%ecx; rdmsr; wrmsr", "i"(0)));
    expect(NO_FAULT, FAULT_OF("invd", "i"(0)));
    return failed;
}

static unsigned extended_state(void)
{
    unsigned failed = 0;
    if (!(cpuid(1, 0).ecx & BIT(26)))
        return 0;
    expect(NO_FAULT, FAULT_OF("mov %[v], %%cr4", [v] "r"(read_cr4() | CR4_OSXSAVE)));
    failed += !(cpuid(1, 0).ecx & BIT(27));
    expect(NO_FAULT, FAULT_OF("mov $3, %%eax; xor %%ecx, %%ecx; cdq; xsetbv", "i"(0)));
    expect(VECTOR_GP, FAULT_OF("mov $2, %%eax; xor %%ecx, %%ecx; cdq; xsetbv", "i"(0)));
    expect(VECTOR_GP, FAULT_OF("mov $5, %%eax; xor %%ecx, %%ecx; cdq; xsetbv", "i"(0)));
    expect(VECTOR_GP, FAULT_OF("mov $3, %%eax; mov $1, %%ecx; xor %%edx, %%edx; xsetbv", "i"(0)));
    return failed;
}

static unsigned signature(void)
{
    struct cpuid_regs r = cpuid(0x40000000, 0);
    char text[13] = {0};
    __builtin_memcpy(text, &r.ebx, 4);
    __builtin_memcpy(text + 4, &r.ecx, 4);
    __builtin_memcpy(text + 8, &r.edx, 4);
    print("signature=%s hypervisor-bit=%u", text, !!(cpuid(1, 0).ecx & BIT(31)));
    return __builtin_memcmp(text, "HamletHamlet", 12) != 0;
}

int main(void)
{
    on_interrupt(VECTOR_UD, note);
    on_interrupt(VECTOR_GP, note);
    unsigned failed = vmx_is_absent() + others_are_checked() + extended_state() + signature();
    print("wrong=%u", failed);
    return failed != 0;
}
