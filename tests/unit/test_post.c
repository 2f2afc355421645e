/* SPDX-License-Identifier: MIT */
/*
 * News for a vCPU: each is recorded first; then the vCPU gets an interrupt, by the vector and at
 * the CPU that its descriptor names.
 * Spec: SDM "Posted-Interrupt Processing".
 */
// sources: vmx/run/post.c vmx/vcpu/posted.c
#include "tests/unit/stubs.h"
#include <string.h>
#include "arch/apic.h"
#include "arch/trap.h"
#include "tests/unit/test.h"
#include "vmx/caps.h"
#include "vmx/cpu.h"
#include "vmx/run/post.h"
#include "vmx/run/queue.h"
#include "vmx/run/sched.h"
#include "vmx/vcpu/posted.h"

struct vmx_caps vmx_caps;
static struct cpu cpu;
static struct run_queue queue;
static struct vcpu v;
static struct pi_desc pid;
static unsigned wakes, notified, ipis;
static uint32_t requests_at_wake; /* what the woken CPU would see */
static uint32_t ipi_to;
static uint8_t ipi_vector;

struct cpu *this_cpu(void) { return &cpu; }
bool apic_is_x2apic(void) { return true; }
void apic_ipi(uint32_t apic_id, uint8_t vector)
{
    ipis++;
    ipi_to = apic_id;
    ipi_vector = vector;
}
void sched_wake(struct vcpu *woken)
{
    assert_ptr_equal(woken, &v);
    wakes++;
    requests_at_wake = v.requests;
}
static unsigned folds;
void apicv_fold(struct vcpu *of)
{
    assert_ptr_equal(of, &v);
    folds++;
}
void sched_notified(void) { notified++; }
static const struct pi_desc *ipis_go_to = &pid;
void bitmaps_ipi(struct bitmaps *b, unsigned apic_id, const struct pi_desc *descriptor)
{
    (void)b;
    assert_int_equal(apic_id, v.index);
    ipis_go_to = descriptor;
}

FIXTURE(create)
{
    memset(&cpu, 0, sizeof(cpu));
    queue.ndst = posted_ndst(2, true);
    vmx_cpu(&cpu)->queue = &queue;
    pid = PI_DESC_READY;
    v = (struct vcpu){.pi_desc = &pid};
    vmx_caps = (struct vmx_caps){.apicv = true};
    wakes = notified = ipis = folds = 0;
    return 0;
}

TEST(a_request_is_set_before_the_wake_up)
{
    vcpu_nmi(&v);
    assert_int_equal(wakes, 1);
    assert_int_equal(requests_at_wake, VCPU_REQUEST_NMI);
    vcpu_extint(&v, true);
    assert_int_equal(wakes, 2);
    assert_int_equal(requests_at_wake, VCPU_REQUEST_NMI | VCPU_REQUEST_EXT);
    vcpu_extint(&v, false);
    assert_int_equal(wakes, 2);
    assert_int_equal(v.requests, VCPU_REQUEST_NMI);
}

/* SDM "Handling Multiple NMIs": a CPU keeps one beside the one that it handles. */
TEST(two_nmis_are_two_requests)
{
    vcpu_nmi(&v);
    vcpu_nmi(&v);
    assert_int_equal(requests_at_wake, VCPU_REQUEST_NMIS);
    vcpu_nmi(&v);
    assert_int_equal(v.requests, VCPU_REQUEST_NMIS);
    assert_int_equal(wakes, 3);
}

/* Its own exit needs no wake-up: the next entry looks at the requests. */
TEST(a_change_of_mode_wakes_another_one)
{
    vmx_cpu(&cpu)->vcpu = &v;
    vcpu_apic_mode_changed(&v);
    assert_int_equal(wakes, 0);
    assert_int_equal(v.requests, VCPU_REQUEST_RELOAD);
    v.requests = 0;
    vmx_cpu(&cpu)->vcpu = NULL;
    vcpu_apic_mode_changed(&v);
    assert_int_equal(wakes, 1);
    assert_int_equal(requests_at_wake, VCPU_REQUEST_RELOAD);
}

TEST(the_eoi_exit_bitmap_is_loaded_when_it_changes)
{
    vmx_caps.apicv = false; /* for TMR, then */
    vcpu_eoi_exit(&v, 69, true);
    assert_int_equal(requests_at_wake, VCPU_REQUEST_RELOAD);
    create(NULL);
    vcpu_eoi_exit(&v, 70, true);
    assert_int_equal(v.eoi_exit[1], BIT(6));
    assert_int_equal(requests_at_wake, VCPU_REQUEST_RELOAD);
    vcpu_eoi_exit(&v, 70, true);
    assert_int_equal(wakes, 1);
    vcpu_eoi_exit(&v, 70, false);
    assert_int_equal(v.eoi_exit[1], 0);
    assert_int_equal(wakes, 2);
}

TEST(the_descriptor_names_vector_and_cpu)
{
    vcpu_post(&v, 40); /* READY: nothing is sent */
    assert_int_equal(ipis + notified, 0);
    posted_to_running(&pid, posted_ndst(5, true));
    vcpu_post(&v, 41); /* ON is set already, for the first one */
    assert_int_equal(ipis, 0);
    uint64_t irr[4] = {0};
    posted_take(&pid, irr);
    assert_int_equal(irr[0], BIT(40) | BIT(41));
    vcpu_post(&v, 42);
    assert_int_equal(ipis, 1);
    assert_int_equal(ipi_to, 5);
    assert_int_equal(ipi_vector, VECTOR_ANV);
    posted_take(&pid, irr);
    vcpu_post_by_exit(&v, 43);
    assert_int_equal(ipis, 2);
    assert_int_equal(ipi_vector, VECTOR_KICK);
    posted_take(&pid, irr);
    (void)posted_to_halted(&pid, posted_ndst(5, true));
    vcpu_post(&v, 44);
    assert_int_equal(ipi_vector, VECTOR_WNV);
}

/* No self-IPI: a sleeper of this CPU is made ready, and a running one is in one of its exits. */
TEST(this_cpu_sends_itself_nothing)
{
    uint64_t irr[4] = {0};
    (void)posted_to_halted(&pid, posted_ndst(2, true));
    vcpu_post(&v, 40);
    assert_int_equal(notified, 1);
    posted_take(&pid, irr);
    posted_to_running(&pid, posted_ndst(2, true));
    vcpu_post(&v, 41);
    assert_int_equal(folds, 0); /* it is about to be loaded, and another VMCS is current */
    posted_take(&pid, irr);
    vmx_cpu(&cpu)->vcpu = &v;
    vcpu_post(&v, 42);
    assert_int_equal(folds, 1);
    assert_int_equal(notified, 1);
    assert_int_equal(ipis, 0);
}

/* Its registers may still be loaded here: it is woken up all the same, and not folded. */
TEST(a_sleeper_that_is_still_loaded_is_woken_up)
{
    vmx_cpu(&cpu)->vcpu = &v;
    (void)posted_to_halted(&pid, posted_ndst(2, true));
    vcpu_post(&v, 40);
    assert_int_equal(folds, 0);
    assert_int_equal(notified, 1);
    assert_int_equal(ipis, 0);
}

/* The alarm is of the CPU in which the vCPU is loaded. */
TEST(a_deadline_that_is_sooner_than_the_alarm)
{
    v.alarm = 100;
    vcpu_set_deadline(&v, 50);
    assert_int_equal(v.timer_deadline, 50);
    assert_int_equal(v.alarm, 100);
    vmx_cpu(&cpu)->vcpu = &v;
    vcpu_set_deadline(&v, 150);
    vcpu_set_deadline(&v, 0);
    assert_int_equal(v.alarm, 100);
    assert_int_equal(v.timer_deadline, 0);
    vcpu_set_deadline(&v, 99);
    assert_int_equal(v.alarm, 0);
    v.alarm = 100;
    vcpu_address_changed(&v);
    assert_int_equal(v.alarm, 0);
}

/* IPIs go by its descriptor while its APIC takes interrupts, if the CPU has the control. */
TEST(the_cpu_posts_ipis_to_an_apic_that_is_on)
{
    ipis_go_to = NULL;
    v.index = 2;
    vcpu_takes_ipis(&v, true);
    assert_null(ipis_go_to);
    vmx_caps.ipiv = true;
    vcpu_takes_ipis(&v, true);
    assert_ptr_equal(ipis_go_to, &pid);
    vcpu_takes_ipis(&v, false);
    assert_null(ipis_go_to);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, create)
    const struct CMUnitTest tests[] = {
        T(a_request_is_set_before_the_wake_up),
        T(two_nmis_are_two_requests),
        T(a_change_of_mode_wakes_another_one),
        T(the_eoi_exit_bitmap_is_loaded_when_it_changes),
        T(the_descriptor_names_vector_and_cpu),
        T(this_cpu_sends_itself_nothing),
        T(a_sleeper_that_is_still_loaded_is_woken_up),
        T(a_deadline_that_is_sooner_than_the_alarm),
        T(the_cpu_posts_ipis_to_an_apic_that_is_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
