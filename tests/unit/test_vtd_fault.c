/* SPDX-License-Identifier: MIT */
// sources: vtd/dmar.c vtd/unit.c vtd/scope.c vtd/init.c vtd/invalidate.c vtd/context.c vtd/sspt.c
// sources: arch/radix.c vtd/intremap.c vtd/fault.c tests/unit/vtd_model.c tests/unit/vtd_requests.c
// sources: tests/unit/vtd_world.c
/*
 * Blocked requests: recorded, told in words, counted; and a unit that never goes deaf, whatever a
 * device does while software is busy with its records.
 */
#include "tests/unit/vtd_model.h"
#include "tests/unit/test.h"

#define NIC  BDF(0, 4, 0)
#define DISK BDF(0, 5, 0)
#define RAM  UINT64_C(0x10000000)
#define RW   (VTD_READ | VTD_WRITE)

static bool reaches(unsigned n, bdf_t device, uint64_t iova)
{
    uint64_t to;
    return model_dma(n, device, iova, true, &to);
}

static void nic_with_domain(void)
{
    struct vtd_domain *d = vtd_domain_create();
    assert_int_equal(vtd_map(d, gpa(0), hpa(RAM), SIZE_2M, RW), 0);
    assert_int_equal(vtd_attach(d, NIC), 0);
}

static struct vtd_fault last;
static unsigned handled;
static void handler(const struct vtd_fault *f)
{
    last = *f;
    handled++;
    if (f->reason == 5)
        vtd_detach(f->source_id); /* what guest/ does to a storm */
}

TEST(test_faults)
{
    model_start(MODEL_CAP, MODEL_ECAP);
    vtd_fault_handler_set(handler);
    handled = 0;
    nic_with_domain();
    model_fault(0, NIC, 6, true, 0x123456789abc);
    assert_int_equal(model[0].events, 1);
    fault_interrupt(NULL);
    assert_int_equal(handled, 1);
    assert_true(last.is_read && !last.is_interrupt && last.reason == 6);
    assert_int_equal(last.address, 0x123456789000);
    assert_string_equal(vtd_reason_name(6), "read not permitted");
    assert_string_equal(vtd_reason_name(0xff), "reason not known");

    /* More than there are records, from an oldest one in the middle: all taken, then deaf
     * no more. */
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < MODEL_RECORDS + 2; i++)
            model_fault(0, DISK, 0x26, false, 100 + i);
        assert_true(model[0].fsts & FSTS_PFO);
        handled = 0;
        vtd_fault_poll();
        assert_int_equal(handled, MODEL_RECORDS);
        assert_int_equal(last.address, 100 + MODEL_RECORDS - 1); /* in order */
        assert_true(last.is_interrupt && last.source_id == DISK);
        assert_int_equal(model[0].fsts & (FSTS_PFO | FSTS_PPF), 0);
    }
    assert_int_equal(vtd_fault_count(DISK), 3 * MODEL_RECORDS);
    assert_true(reaches(0, NIC, 0));
    model_fault(0, NIC, 5, false, 0x1000);
    vtd_fault_poll();
    assert_false(reaches(0, NIC, 0));
}

/* Thousands of source-ids do not push out the counts of the first. */
TEST(test_fault_sources)
{
    model_start(MODEL_CAP, MODEL_ECAP);
    for (unsigned sid = 0; sid < 1000; sid++) {
        model_fault(0, (bdf_t)sid, 2, false, 0);
        vtd_fault_poll();
    }
    assert_int_equal(vtd_fault_count(3), 1);
    assert_int_equal(vtd_fault_count(999), 0);
}

/* Every event is served at once, as a local APIC does it. */
static unsigned served;
static void serve(void)
{
    while (served < model[0].events) {
        served++;
        fault_interrupt(NULL);
    }
}

static unsigned during; /* so many more faults come while the first is reported */
static void handler_is_slow(const struct vtd_fault *f)
{
    handled += f->source_id == DISK;
    for (; during > 0; during--)
        model_fault(0, NIC, 6, true, 0x5000);
}

static void start_with_records(unsigned count)
{
    model_start((MODEL_CAP & ~CAP_NFR) | FIELD_SET(CAP_NFR, count - 1), MODEL_ECAP);
    vtd_fault_handler_set(handler_is_slow);
    handled = 0;
    served = model[0].events;
}

/* After whatever came before: of a thousand faults of another device, each is reported. */
static void the_unit_listens(void)
{
    vtd_fault_tick();
    serve();
    assert_int_equal(model[0].fsts & (uint32_t)(FSTS_PPF | FSTS_PFO), 0);
    handled = 0;
    for (unsigned i = 0; i < 1000; i++) {
        model_fault(0, DISK, 6, true, 0x9000);
        serve();
        if (i % 20 == 0)
            vtd_fault_tick();
    }
    assert_int_equal(handled, 1000);
}

/* VT-d "Non-Recoverable Fault Event": a fault raises no event while one of FSTS is set, so a pass
 * over the records must not end with one set. Faults come before FSTS is read, and while the first
 * of them is reported. */
TEST(test_faults_while_reporting)
{
    for (unsigned records = 1; records <= MODEL_RECORDS; records++)
        for (unsigned first = 1; first <= MODEL_RECORDS + 1; first++)
            for (unsigned more = 0; more <= MODEL_RECORDS + 1; more++) {
                start_with_records(records);
                during = more;
                for (unsigned i = 0; i < first; i++)
                    model_fault(0, NIC, 6, true, 0x1000);
                serve();
                the_unit_listens();
            }
}

/* ... and between the accesses to the records. */
TEST(test_faults_while_looking)
{
    for (unsigned records = 1; records <= MODEL_RECORDS; records++)
        for (unsigned more = 0; more <= 40; more++) {
            start_with_records(records);
            model[0].goes_on = more;
            model[0].goes_on_as = NIC;
            model_fault(0, NIC, 6, true, 0x1000);
            serve();
            the_unit_listens();
        }
}

/* A device that faults faster than software can look: the handler gives up for now, is no longer
 * interrupted, and a tick looks again. */
TEST(test_faults_without_end)
{
    start_with_records(MODEL_RECORDS);
    model[0].goes_on = UINT32_MAX;
    model[0].goes_on_as = NIC;
    model_fault(0, NIC, 6, true, 0x1000);
    serve();
    assert_true(model[0].fectl & FECTL_IM);
    unsigned events = model[0].events;
    uint64_t before = vtd_fault_count(NIC);
    for (unsigned tick = 0; tick < 100; tick++)
        vtd_fault_tick();
    assert_int_equal(model[0].events, events);
    assert_true(vtd_fault_count(NIC) > before + 100);
    assert_true(model[0].fectl & FECTL_IM);
    model[0].goes_on = 0;
    the_unit_listens();
    assert_false(model[0].fectl & FECTL_IM);
}

/* Slow enough for every event to be served, but too many: a tick has room for so many. */
TEST(test_faults_between_two_ticks)
{
    start_with_records(MODEL_RECORDS);
    for (unsigned i = 0; i < 10000; i++) {
        model_fault(0, DISK, 6, true, 0x1000);
        serve();
    }
    assert_in_range(handled, 10, 100);
    the_unit_listens();
}

static void handler_counts(const struct vtd_fault *f) { handled += f->reason != 0; }

/* VT-d "Context Entry": FPD counts whether or not the entry is present. It is for that source-id
 * alone, at the unit that reported it, and changes nothing of what the device reaches. */
TEST(test_silence)
{
    static const struct {
        uint64_t cap, ecap;
    } rows[] = {{0, 0}, {CAP_CM, 0}, {CAP_RWBF, 0}, {0, ECAP_C}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        for (unsigned attached = 0; attached < 2; attached++) {
            model_start(MODEL_CAP | rows[i].cap, MODEL_ECAP ^ rows[i].ecap);
            vtd_fault_handler_set(handler_counts);
            if (attached)
                nic_with_domain();
            assert_false(reaches(0, NIC, 0x40000000));
            assert_false(reaches(0, BDF(7, 1, 0), 0));
            vtd_fault_poll();
            handled = 0;
            for (unsigned bus = 0; bus <= 7; bus += 7) {
                struct vtd_fault f = {.source_id = bus ? BDF(7, 1, 0) : NIC};
                vtd_fault_silence(&f);
            }
            for (unsigned again = 0; again < 100; again++)
                assert_false(reaches(0, NIC, 0x40000000) || reaches(0, BDF(7, 1, 0), 0));
            assert_int_equal(reaches(0, NIC, 0x1000), attached);
            vtd_fault_poll();
            assert_int_equal(handled, 0);
            assert_false(reaches(0, DISK, 0));
            vtd_fault_poll();
            assert_int_equal(handled, 1);
            vtd_fault_listen(NIC);
            assert_false(reaches(0, NIC, 0x40000000));
            vtd_fault_poll();
            assert_int_equal(handled, 2);
            nic_with_domain(); /* and an attached device is heard anyway */
            assert_true(reaches(0, NIC, 0x1000));
            assert_false(reaches(0, NIC, 0x40000000));
            vtd_fault_poll();
            assert_int_equal(handled, 3);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_fault_sources),
        cmocka_unit_test(test_faults_while_reporting),
        cmocka_unit_test(test_faults_while_looking),
        cmocka_unit_test(test_faults_without_end),
        cmocka_unit_test(test_faults_between_two_ticks),
        cmocka_unit_test(test_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
