/* SPDX-License-Identifier: MIT */
// sources: vmx/exit/task.c vmx/show/entry_check.c vmx/vcpu/cr.c
// compares: no
// length: 700
/*
 * A hardware task switch with any descriptors and any TSS. Only the guest's memory is touched, and
 * what comes of it, a task or a fault in one, is a state that VM entry accepts. With another CR3 no
 * translation of the old task is left.
 * Input: qualification, event, selectors of the old task, then memory from address 0.
 * From: make fuzz.   To: vmx/exit/task.c.
 */
#include "tests/fuzz/fuzz.h"
#include "arch/x86.h"
#include "vmx/caps.h"
#include "vmx/ept_flush.h"
#include "vmx/exit/exit.h"
#include "vmx/show/show.h"
#include "vmx/vcpu/debug.h"
#include "vmx/vcpu/inject.h"
#include "vmx/vcpu/setup.h"
#include "vmx/vmcs.h"

#define RAM_SIZE 1024

static uint64_t fields[0x7000];
static uint8_t ram[RAM_SIZE];
struct vmx_caps vmx_caps = {.guest_cr4 = BITS(22, 0)};
static struct vcpu v;
static bool faulted, crashed;

uint64_t vmread(enum vmcs_field field) { return fields[field]; }
void vmwrite(enum vmcs_field field, uint64_t value) { fields[field] = value; }
uint64_t vcpu_gpr(const struct vcpu *of, enum gpr r)
{
    return r == RSP ? fields[GUEST_RSP] : of->regs.gpr[r];
}
void vcpu_set_gpr(struct vcpu *of, enum gpr r, uint64_t value)
{
    *(r == RSP ? &fields[GUEST_RSP] : &of->regs.gpr[r]) = value;
}
static int copy(uint64_t linear, void *buffer, size_t size, bool to_guest)
{
    must(linear <= UINT32_MAX + UINT64_C(8));
    if (linear > RAM_SIZE - size) {
        faulted = true;
        return -EFAULT;
    }
    memcpy(to_guest ? ram + linear : buffer, to_guest ? buffer : ram + linear, size);
    return 0;
}
int guest_copy_linear(struct vcpu *of, uint64_t linear, void *buffer, size_t size, bool to_guest)
{
    must(of == &v);
    return copy(linear, buffer, size, to_guest);
}
int guest_copy_system(struct vcpu *of, uint64_t linear, void *buffer, size_t size, bool to_guest)
{
    must(of == &v);
    return copy(linear, buffer, size, to_guest);
}
void vcpu_inject_error(struct vcpu *of, uint8_t vector, uint32_t code)
{
    must(of == &v && (vector == VECTOR_TS || vector == VECTOR_NP || vector == VECTOR_SS));
    must(code <= UINT16_MAX);
    faulted = true;
}
enum exit_action inject_gp(struct vcpu *of)
{
    must(of == &v);
    return RESUME_SAME;
}
static struct cpu cpu;
struct cpu *this_cpu(void) { return &cpu; }
void inject_again(struct vcpu *of) { must(of == &v); }
void inject_delivered(struct vcpu *of) { of->event = 0; }
void debug_dr7_clear(struct vcpu *of, uint64_t bits)
{
    must(of == &v && !(bits & ~UINT64_C(0x155)));
    fields[GUEST_DR7] &= ~bits;
}
static unsigned flushes;
void ept_flush_vpid(uint16_t vpid) { (void)vpid, flushes++; }
int cr_load_pdptes(struct vcpu *of)
{
    must(of == &v);
    return faulted ? -EINVAL : 0;
}
void vcpu_on_crash(struct vcpu *of, const char *why)
{
    must(of == &v && why[0]);
    crashed = true;
}
void setup_segment(enum segment s, uint16_t selector, uint64_t base, uint32_t limit,
                   uint32_t rights)
{
    fields[VMCS_SELECTOR(s)] = selector;
    fields[VMCS_BASE(s)] = base;
    fields[VMCS_LIMIT(s)] = limit;
    fields[VMCS_ACCESS_RIGHTS(s)] = rights;
}
uint64_t caps_cr0_fixed(uint64_t cr0) { return (cr0 | CR0_PE | CR0_NE | CR0_PG) & UINT32_MAX; }
uint64_t caps_cr4_fixed(uint64_t cr4) { return (cr4 | CR4_VMXE) & BITS(22, 0); }

/* A kernel of 32 bits, flat, with its TSS at 100H and its GDT at 0. */
static void begin(const uint8_t *data)
{
    const uint32_t common = SEG_AR_S | SEG_AR_P | SEG_AR_G | SEG_AR_DB;
    memset(fields, 0, sizeof(fields));
    faulted = crashed = false;
    flushes = 0;
    v = (struct vcpu){.event_error = data[6]};
    fields[GUEST_CR0] = CR0_PE | CR0_NE | CR0_ET | (data[0] & 1 ? CR0_PG : 0);
    fields[GUEST_CR4] = CR4_VMXE | (data[0] & 2 ? CR4_PAE : 0);
    fields[GUEST_RFLAGS] = RFLAGS_1;
    fields[VMCS_LINK_POINTER] = UINT64_MAX;
    fields[GUEST_GDTR_LIMIT] = data[1];
    for (enum segment s = SEG_ES; s <= SEG_GS; s++)
        setup_segment(s, 0x10, 0, UINT32_MAX, common | SEG_TYPE_DATA);
    setup_segment(SEG_CS, 0x08, 0, UINT32_MAX, common | SEG_TYPE_CODE);
    setup_segment(SEG_LDTR, 0, 0, 0, SEG_AR_UNUSABLE);
    setup_segment(SEG_TR, 0x18, 0x100, 0x67,
                  (data[0] & 4 ? SEG_TYPE_TSS16_BUSY : SEG_TYPE_TSS_BUSY) | SEG_AR_P);
    fields[EXIT_QUALIFICATION] =
        FIELD_SET(QUAL_TASK_SELECTOR, data[2] & 0xf8) | FIELD_SET(QUAL_TASK_SOURCE, data[3] & 3);
    if ((data[3] & 3) == 3)
        v.event = (uint32_t)(EVENT_VALID | FIELD_SET(EVENT_TYPE, data[4] & 7) |
                             (data[4] & 8 ? EVENT_ERROR_CODE : 0) | data[5]);
}

/* What the CPU has checked before it exits. */
static bool is_tss(const uint8_t *descriptor)
{
    return (descriptor[5] & 0x95) == 0x81 && (descriptor[0] >= 0x67 || descriptor[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 8)
        return 0;
    begin(data);
    memset(ram, 0, sizeof(ram));
    memcpy(ram, data + 8, MIN(size - 8, sizeof(ram)));
    must(*entry_check_guest() == '\0');
    if (!is_tss(ram + (data[2] & 0xf8)))
        return 0;
    enum exit_action action = exit_task_switch(&v);
    must(action == RESUME_SAME || action == STOP_VM);
    must((action == STOP_VM) == crashed);
    must(action == STOP_VM || *entry_check_guest() == '\0');
    must(flushes || !fields[GUEST_CR3]); /* it was 0 */
    /* SDM "Checks on Guest Segment Registers": CS has the level of SS, or is conforming. */
    uint64_t cs = fields[GUEST_CS_ACCESS_RIGHTS], ss = fields[GUEST_SS_ACCESS_RIGHTS];
    bool conforming = FIELD_GET(SEG_AR_TYPE, cs) >= 13;
    must(conforming ? FIELD_GET(SEG_AR_DPL, cs) <= FIELD_GET(SEG_AR_DPL, ss)
                    : FIELD_GET(SEG_AR_DPL, cs) == FIELD_GET(SEG_AR_DPL, ss));
    return 0;
}
