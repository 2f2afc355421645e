/* SPDX-License-Identifier: MIT */
/*
 * What the code under tests/explore/posting.c calls, and no actor comes to, or has no effect there.
 * From: tests/explore/posting.c.   To: tests/explore/explore.h (explore_failed).
 */
#pragma once
#define UNUSED_EXIT(name)                                                                          \
    enum exit_action name(struct vcpu *v)                                                          \
    {                                                                                              \
        (void)v;                                                                                   \
        abort();                                                                                   \
    }
UNUSED_EXIT(exit_cpuid)
UNUSED_EXIT(exit_xsetbv)
UNUSED_EXIT(exit_rdmsr)
UNUSED_EXIT(exit_wrmsr)
UNUSED_EXIT(exit_cr_access)
UNUSED_EXIT(exit_task_switch)
UNUSED_EXIT(exit_io_instruction)
UNUSED_EXIT(exit_ept_violation)
UNUSED_EXIT(exit_exception_nmi)
UNUSED_EXIT(exit_window)
UNUSED_EXIT(inject_ud)
UNUSED_EXIT(inject_gp)
UNUSED_EXIT(exit_apic_access)
UNUSED_EXIT(exit_apic_write)
UNUSED_EXIT(exit_virtualized_eoi)
UNUSED_EXIT(debug_step)
UNUSED_EXIT(debug_mov_dr)
struct vmx_caps vmx_caps;
bool apic_is_x2apic(void) { return true; }
uint64_t time_deadline_us(uint64_t us) { return model_clock() + us; }
uint64_t time_tsc_khz(void) { return 1000; } /* a tick is a microsecond */
void irq_register(uint8_t vector, irq_handler handler, void *ctx)
{
    (void)vector, (void)handler, (void)ctx;
}
void vcpu_on_crash(struct vcpu *v, const char *why)
{
    explore_failed("vCPU %u: %s", v->index, why);
}
void apic_on_timer(struct vcpu *v) { (void)v; }
void cpuid_reload(struct vcpu *v) { (void)v; }
void registers_reload(struct vcpu *v) { (void)v; }
void apic_on_init(struct vcpu *v) { (void)v; }
void apic_on_address(struct vcpu *v)
{
    (void)v;
    w.led = w.mode;
}
void vcpu_reset(struct vcpu *v)
{
    v->halted = v->halted_masked = false;
    w.reset = w.waits = true;
    w.started = false;
}
void vcpu_dump(const struct vcpu *v) { (void)v; }
void vcpu_start_at_sipi(uint8_t vector)
{
    w.started = vector == 8;
    w.waits = false;
}
void inject_again(struct vcpu *v) { (void)v; }
void ept_flush_here(const struct ept *ept, uint64_t *seen, uint64_t generation)
{
    (void)ept;
    *seen = generation;
}
void ept_flush_vpid(uint16_t vpid) { (void)vpid; }
void bitmaps_ipi(struct bitmaps *b, unsigned apic_id, const struct pi_desc *descriptor)
{
    (void)b, (void)apic_id, (void)descriptor;
}
hpa_t bitmaps_msrs(const struct bitmaps *b, bool x2) { return (void)b, (void)x2, hpa(0); }
int ept_apic_page(struct ept *ept, hpa_t *page) { return (void)ept, (void)page, -ENOMEM; }
int ept_map(struct ept *e, gpa_t at, hpa_t to, uint64_t size, unsigned perm, enum ept_type type)
{
    return (void)e, (void)at, (void)to, (void)size, (void)perm, (void)type, 0;
}
const char *exit_reason_name(uint32_t reason) { return (void)reason, ""; }
const char *vm_instruction_error(uint32_t number) { return (void)number, ""; }
const char *entry_check_guest(void) { return ""; }
enum log_level log_threshold;
void log_write(enum log_level level, const char *s, const char *fmt, ...)
{
    (void)level, (void)s, (void)fmt;
}
void log_guest_write(int *budget, const char *s, const char *fmt, ...)
{
    (void)budget, (void)s, (void)fmt;
}
void panic_at(const char *file, int line, const char *fmt, ...)
{
    explore_failed("panic at %s:%d: %s", file, line, fmt);
}
