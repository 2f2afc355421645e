/* SPDX-License-Identifier: MIT */
// sources: vtd/dmar.c vtd/unit.c vtd/scope.c vtd/init.c vtd/invalidate.c vtd/context.c vtd/sspt.c
// sources: arch/radix.c vtd/intremap.c vtd/fault.c tests/unit/vtd_model.c tests/unit/vtd_requests.c
// sources: tests/unit/vtd_world.c
/*
 * Taking units over, choosing what they have in common, queue errors: the real driver against the
 * model of the unit.
 */
#include "tests/unit/vtd_model.h"
#include "arch/page.h"
#include "arch/trap.h"
#include "tests/unit/test.h"
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NIC  BDF(0, 4, 0)
#define DISK BDF(0, 5, 0)
#define RAM  UINT64_C(0x10000000)
#define RW   (VTD_READ | VTD_WRITE)

static bool reaches(unsigned n, bdf_t device, uint64_t iova)
{
    uint64_t to;
    return model_dma(n, device, iova, true, &to);
}

static struct vtd_domain *domain_for(bdf_t device)
{
    struct vtd_domain *d = vtd_domain_create();
    assert_non_null(d);
    assert_int_equal(vtd_map(d, gpa(0), hpa(RAM), SIZE_2M, RW), 0);
    assert_int_equal(vtd_attach(d, device), 0);
    return d;
}

TEST(test_enable)
{
    model_reset(1);
    model[0].cap |= CAP_PLMR | CAP_PHMR;
    model[0].pmen = (uint32_t)(PMEN_EPM | PMEN_PRS);
    model_fault(0, NIC, 6, true, 0); /* of the firmware's time */
    assert_int_equal(vtd_init(), 0);
    assert_int_equal(model[0].gsts & (uint32_t)(GCMD_TE | GCMD_QIE | GCMD_IRE | GCMD_CFI),
                     (uint32_t)(GCMD_TE | GCMD_QIE | GCMD_IRE));
    assert_int_equal(model[0].srtp, 1);
    assert_int_equal(model[0].sirtp, 1);
    assert_int_equal(model[0].pmen, 0);
    assert_true(world.irq_registered == 1 && model[0].fectl == 0);
    assert_int_equal(model[0].fedata, VECTOR_VTD);
    assert_int_equal(model[0].feaddr, 0xfee03000);
    vtd_fault_poll();
    assert_int_equal(vtd_fault_count(NIC), 0);
}

TEST(test_event_in_x2apic_mode)
{
    model_reset(1);
    world.x2apic = true; /* this CPU is 0x123 */
    assert_int_equal(vtd_init(), 0);
    assert_int_equal(model[0].feaddr, 0xfee23000);
    assert_int_equal(model[0].feuaddr, 0x100);
    assert_true(model[0].irta_latched & IRTA_EIME);
}

/* Tables of the firmware's, that let the NIC reach its first GiB: what its context-cache holds. */
static struct u128 firmware_context(void)
{
    uint64_t *top = page_alloc(), *low = page_alloc();
    top[0] = ptr_hpa(low).v | SS_R | SS_W;
    low[0] = SS_PS | SS_R | SS_W;
    return (struct u128){CTX_P | ptr_hpa(top).v, FIELD_SET(CTX_AW, 2) | FIELD_SET(CTX_DID, 7)};
}

/* The firmware left translation on, with its tables, its queue, its interrupt entries in the old
 * format, and full caches. */
TEST(test_takeover)
{
    for (unsigned left = 0; left < 4; left++) {
        model_reset(1);
        world.x2apic = true;
        model[0].gsts |= (uint32_t)(GCMD_TE | GCMD_SRTP | (left & 1 ? GCMD_QIE : 0) |
                                    (left & 2 ? GCMD_IRE | GCMD_SIRTP : 0));
        model[0].iqt = left & 1 ? 0 : 0x40; /* of a queue that is off */
        model[0].contexts[0] = (struct model_context){true, NIC, 7, firmware_context()};
        model[0].translations[0] =
            (struct model_translation){true, false, NIC, 7, 0, PAGE_SIZE, RAM | SS_R | SS_W};
        model[0].interrupts[0] = (struct model_interrupt_entry){
            true, 0, {IRTE_P, FIELD_SET(IRTE_SVT, IRTE_SVT_SID) | FIELD_SET(IRTE_SID, NIC)}};
        assert_true(reaches(0, NIC, 0) && reaches(0, NIC, 0x2000));
        assert_int_equal(vtd_init(), 0);
        assert_false(model[0].translation_dropped);
        assert_false(reaches(0, NIC, 0));
        assert_false(reaches(0, NIC, 0x1000));
        assert_int_equal(model_interrupt(0, NIC, vtd_msi_address(0, false), 0).outcome,
                         MODEL_BLOCKED);
        assert_true(model[0].irta_latched & IRTA_EIME);
    }
}

/* It left scalable mode on: newer units change the mode in flight; older ones go off for a moment,
 * behind protected memory; without that, we leave the machine alone. */
TEST(test_takeover_from_scalable_mode)
{
    static const struct {
        uint64_t cap;
        bool ok, dropped;
    } rows[] = {
        {CAP_ESRTPS, true, false}, {CAP_PLMR | CAP_PHMR, true, true}, {CAP_PLMR, false, false}};
    for (size_t n = 0; n < 2 * ARRAY_COUNT(rows); n++) {
        size_t i = n / 2;
        model_reset(1);
        model[0].cap |= rows[i].cap;
        model[0].gsts |= (uint32_t)(GCMD_TE | GCMD_SRTP);
        if (n % 2 && (rows[i].cap & CAP_PLMR)) { /* it protects some memory, too */
            model[0].plm[1] = SIZE_2M;
            model[0].pmen = (uint32_t)(PMEN_EPM | PMEN_PRS);
        }
        model[0].rtaddr = model[0].rtaddr_latched = RAM | BIT(10);
        assert_int_equal(vtd_init(), rows[i].ok ? 0 : -ENODEV);
        assert_int_equal(model[0].translation_dropped, rows[i].dropped);
        assert_true(model[0].gsts & GCMD_TE);
        assert_true(model[0].pmen == 0 || !rows[i].ok);
        assert_int_equal(model[0].protected, rows[i].dropped);
    }
}

TEST(test_rmrr)
{
    hpa_t base;
    uint64_t size;
    model_start(MODEL_CAP, MODEL_ECAP);
    assert_false(vtd_rmrr(NIC, 0, &base, &size));
    assert_true(vtd_rmrr(BDF(0, 0x1d, 0), 0, &base, &size));
    assert_true(base.v == 0x90000000 && size == 0x10000);
    assert_false(vtd_rmrr(BDF(0, 0x1d, 0), 1, &base, &size));
    vtd.dmar.rmrrs[0].limit = hpa(0x90000800); /* the end of a region is any byte */
    assert_true(vtd_rmrr(BDF(0, 0x1d, 0), 0, &base, &size) && size == 0x1000);
}

/* A unit of another segment blocks its devices, whose ids mean nothing to us, and
 * their messages. */
static void other_segment_on(uint64_t cap_add)
{
    model_reset(2);
    model[0].cap |= cap_add;
    model[1].cap |= cap_add;
    world.table[48 + 6] = 1; /* unit 1 stands first */
    model[1].ecap &= ~ECAP_C;
    assert_int_equal(vtd_init(), 0);
    assert_true(model[1].gsts & GCMD_TE);
    domain_for(NIC); /* of segment 0, so of unit 0 */
    assert_true(reaches(0, NIC, 0));
    assert_false(reaches(1, NIC, 0));
    unsigned index = (unsigned)vtd_irte_alloc(NIC, 1);
    vtd_irte_remap(index, 0, 0x40, false);
    uint64_t address = vtd_msi_address(index, false);
    assert_int_equal(model_interrupt(0, NIC, address, 0).outcome, MODEL_REMAPPED);
    assert_int_equal(model_interrupt(1, NIC, address, 0).outcome, MODEL_BLOCKED);
}

TEST(test_other_segment)
{
    other_segment_on(0);
    other_segment_on(CAP_RWBF);
}

TEST(test_widths)
{
    static const struct {
        unsigned sagaw, mgaw, levels, bits;
    } rows[] = {{2, 39, 3, 39},  {4, 48, 4, 48}, {6, 48, 4, 48}, {6, 39, 4, 39}, {2, 48, 3, 39},
                {14, 57, 4, 48}, {1, 48, 0, 0},  {8, 57, 0, 0},  {0, 48, 0, 0}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        model_start((MODEL_CAP & ~(CAP_SAGAW | CAP_MGAW)) | FIELD_SET(CAP_SAGAW, rows[i].sagaw) |
                        FIELD_SET(CAP_MGAW, rows[i].mgaw - 1),
                    MODEL_ECAP);
        assert_int_equal(vtd_active(), rows[i].levels != 0);
        if (!vtd_active())
            continue;
        assert_int_equal(vtd.levels, rows[i].levels);
        struct vtd_domain *d = domain_for(NIC);
        assert_true(reaches(0, NIC, 0x1000));
        uint64_t end = BIT(rows[i].bits);
        assert_int_equal(vtd_map(d, gpa(end), hpa(RAM), 0x1000, RW), -EINVAL);
        assert_int_equal(vtd_map(d, gpa(end - 0x1000), hpa(RAM), 0x1000, RW), 0);
        assert_true(reaches(0, NIC, end - 1));
    }
}

TEST(test_page_sizes)
{
    static const uint64_t sizes[] = {0, CAP_SSLPS_2M, CAP_SSLPS_2M | CAP_SSLPS_1G};
    static const unsigned pages[] = {2 + 512 + 1, 2 + 2, 2};
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        model_start((MODEL_CAP & ~(CAP_SSLPS_2M | CAP_SSLPS_1G)) | sizes[i], MODEL_ECAP);
        unsigned before = world.pages_used;
        struct vtd_domain *d = vtd_domain_create();
        uint64_t size = i == 0 ? SIZE_1G / 2 : SIZE_1G; /* keeps the arena small */
        assert_int_equal(vtd_map(d, gpa(0), hpa(4 * SIZE_1G), size, RW), 0);
        assert_int_equal(vtd_attach(d, NIC), 0);
        assert_true(reaches(0, NIC, size - 1));
        unsigned expected = i == 0 ? 3 + 256 : pages[i] + (i == 1 ? -1 : 0);
        assert_int_equal(world.pages_used - before, expected + 1); /* and a context table */
    }
}

TEST(test_snoop_control)
{
    model_start(MODEL_CAP, MODEL_ECAP | ECAP_SC);
    struct vtd_domain *d = domain_for(NIC);
    assert_true(d->tree.root && vtd.snoop_control);
    assert_true(reaches(0, NIC, 0)); /* a unit without SC would fault, see blocked in the model */
}

TEST(test_no_page_selective)
{
    for (int i = 0; i < 2; i++) { /* without PSI; with it, but only for single pages */
        model_start(i ? MODEL_CAP & ~CAP_MAMV : MODEL_CAP & ~CAP_PSI, MODEL_ECAP);
        struct vtd_domain *d = domain_for(NIC);
        assert_true(reaches(0, NIC, 0x1000));
        vtd_unmap(d, gpa(0), SIZE_2M);
        assert_false(reaches(0, NIC, 0x1000));
    }
}

TEST(test_two_units)
{
    model_reset(2);
    model[0].cap &= ~CAP_SSLPS_1G;
    model[1].ecap &= ~ECAP_C;
    model[1].cap = (model[1].cap & ~CAP_ND) | FIELD_SET(CAP_ND, 0);
    assert_int_equal(vtd_init(), 0);
    assert_true(!vtd.pages_1g && vtd.pages_2m && !vtd.coherent && vtd.domain_count == 16);
    struct vtd_domain *d = domain_for(NIC);           /* unit 1 by name */
    assert_int_equal(vtd_attach(d, DISK), 0);         /* unit 0: the rest */
    assert_int_equal(vtd_attach(d, BDF(3, 7, 0)), 0); /* behind the bridge: unit 1 */
    assert_true(reaches(1, NIC, 0) && reaches(0, DISK, 0) && reaches(1, BDF(3, 7, 0), 0));
    assert_false(reaches(0, NIC, 0) || reaches(1, DISK, 0) || reaches(1, BDF(4, 0, 0), 0));
    vtd_unmap(d, gpa(0), SIZE_2M);
    assert_false(reaches(1, NIC, 0) || reaches(0, DISK, 0) || reaches(1, BDF(3, 7, 0), 0));
    bdf_t ioapic;
    assert_true(vtd_ioapic_source(5, &ioapic) && ioapic == BDF(0xf0, 0x1f, 7));
    assert_false(vtd_ioapic_source(6, &ioapic));
}

static void function_add(bdf_t bdf, struct pci_function *physical)
{
    assert_true(world.function_count < ARRAY_COUNT(world.functions));
    world.functions[world.function_count] = (struct pci_function){.bdf = bdf, .physical = physical};
    world.requesters[world.function_count++] = bdf;
}

/* "Device Scope Structure": it names the physical function, which stands for its virtual ones. */
TEST(test_virtual_functions_follow_their_physical_one)
{
    bdf_t usb = BDF(0, 0x1d, 0), vf = BDF(0, 4, 1), vf_of_usb = BDF(0, 0x1d, 1);
    model_reset(2);
    function_add(usb, NULL);
    function_add(vf, pci_find(NIC));
    function_add(vf_of_usb, pci_find(usb));
    assert_int_equal(vtd_init(), 0);
    domain_for(vf);
    assert_true(reaches(1, vf, 0)); /* unit 1, which names NIC */
    assert_false(reaches(0, vf, 0));
    hpa_t base;
    uint64_t size;
    assert_true(vtd_rmrr(vf_of_usb, 0, &base, &size));
    assert_false(vtd_rmrr(vf, 0, &base, &size));
}

/* VT-d "Set Root Table Pointer Operation": one of two units has tables that Hamlet cannot make. It
 * blocks its devices by an empty root table, and their interrupts; the others are served. */
TEST(test_one_unit_only_blocks)
{
    for (unsigned coherent = 0; coherent < 2; coherent++) {
        model_reset(2);
        model[1].cap = (model[1].cap & ~CAP_SAGAW) | FIELD_SET(CAP_SAGAW, 8);
        model[1].ecap &= coherent ? UINT64_MAX : ~ECAP_C;
        model[1].gsts |= (uint32_t)(GCMD_TE | GCMD_SRTP); /* and the firmware left it on */
        model[1].contexts[0] = (struct model_context){true, NIC, 7, firmware_context()};
        assert_int_equal(vtd_init(), 0);
        assert_false(reaches(1, NIC, 0x1000));
        assert_true(model[1].gsts & GCMD_TE);
        assert_true(model[1].fectl & FECTL_IM);
        assert_true(vtd_covers(DISK) && !vtd_covers(NIC));
        assert_int_equal(world.stopped, 0);
        struct vtd_domain *d = vtd_domain_create();
        assert_int_equal(vtd_attach(d, NIC), -ENODEV);
        assert_int_equal(vtd_attach(d, DISK), 0);
        unsigned index = (unsigned)vtd_irte_alloc(DISK, 1);
        vtd_irte_remap(index, 0, 0x40, false);
        assert_int_equal(model_interrupt(1, DISK, vtd_msi_address(index, false), 0).outcome,
                         MODEL_BLOCKED);
        assert_int_equal(model_interrupt(1, NIC, 0xfee00000, 0x40).outcome, MODEL_BLOCKED);
        assert_int_equal(vtd_compatibility_units(), 0);
        model[1].gsts |= (uint32_t)GCMD_CFI;
        assert_int_equal(vtd_compatibility_units(), BIT(0)); /* it stands first in the table */
        vtd_fault_poll();
    }
}

/* One does not answer. Its devices could reach the memory of every VM: those that are known are no
 * bus masters any more, and none of them is given to a VM. In the scope of a unit without devices
 * nothing is lost; of a unit of another segment it is not known, so no VM gets any device. */
TEST(test_one_unit_silent)
{
    for (unsigned how = 0; how < 3; how++) {
        model_reset(2);
        model[1].cap = model[1].ecap = UINT64_MAX;
        if (how == 1) /* neither the NIC nor a device behind the bridge is there */
            world.functions[0].bdf = world.functions[3].bdf = BDF(0, 6, 0);
        if (how == 2)
            world.table[48 + 6] = 1;
        assert_int_equal(vtd_init(), how == 2 ? -ENODEV : 0);
        assert_int_equal(vtd_covers(DISK), how != 2);
        assert_false(vtd_covers(NIC));
        assert_int_equal(world.stopped, how == 0 ? BIT(0) | BIT(3) : 0);
        assert_true(model[0].gsts & GCMD_TE);
    }
}

/* The table puts unit 1 at address 0: the devices that it names are refused, the others are not. */
TEST(test_unit_at_no_place)
{
    model_reset(2);
    memset(world.table + 48 + 8, 0, 8);
    assert_int_equal(vtd_init(), 0);
    assert_true(vtd_covers(DISK));
    assert_false(vtd_covers(NIC) || vtd_covers(BDF(3, 7, 0)));
}

/* A list of devices that cannot be read hides which devices a unit serves. A unit that is driven
 * blocks them; one that is not leaves them memory to reach, so none is given away. */
TEST(test_unit_of_unknown_devices)
{
    for (int driven = 0; driven < 2; driven++) {
        model_reset(2);
        world.table[48 + 16 + 8 + 1] = 0; /* the second scope of unit 1: its length */
        if (!driven)
            memset(world.table + 48 + 8, 0, 8);
        assert_int_equal(vtd_init(), driven ? 0 : -ENODEV);
        assert_int_equal(vtd_active(), driven);
        if (!driven)
            continue;
        domain_for(BDF(3, 7, 0));
        assert_false(reaches(1, BDF(3, 7, 0), 0));
    }
}

TEST(test_absent)
{
    model_reset(1);
    ((struct acpi_header *)world.table)->length = 0;
    assert_int_equal(vtd_init(), -ENODEV);
    assert_false(vtd_active() || vtd_covers(NIC));
    model_reset(1);
    ((struct acpi_header *)world.table)->length = 60;
    assert_int_equal(vtd_init(), -ENODEV);
    model_reset(1);
    options.vtd = false;
    assert_int_equal(vtd_init(), -ENODEV);
    assert_null(vtd_domain_create());
    model_reset(1);
    model[0].dead = true;
    model[0].ecap = 0; /* registers, which never answer: no invalidation, no VT-d */
    model[0].version = 0x60;
    assert_int_equal(vtd_init(), -ENODEV);
}

TEST(test_registers_where_asked_or_needed)
{
    model_start(MODEL_CAP, MODEL_ECAP & ~(ECAP_QI | ECAP_IR));
    assert_true(vtd_active() && !vtd_ir_active() && !(model[0].gsts & GCMD_QIE));
    model_reset(1);
    options.inv = INV_REG;
    assert_int_equal(vtd_init(), 0);
    assert_false(vtd_ir_active()); /* interrupt entries are only invalidated by the queue */
    assert_int_equal(vtd_irte_alloc(NIC, 1), -ENODEV);
    model_reset(1);
    options.inv = INV_REG;
    model[0].version = 0x60; /* has no such registers any more */
    assert_int_equal(vtd_init(), 0);
    assert_true(model[0].gsts & GCMD_QIE);
}

/* The queue goes round many times; a refused descriptor is replaced and the command given again. */
TEST(test_queue)
{
    model_start(MODEL_CAP, MODEL_ECAP);
    struct vtd_domain *d = domain_for(NIC);
    for (unsigned i = 0; i < 1000; i++) {
        model[0].refuse = i % 100 == 50 ? 1 + i / 100 % 2 : 0;
        model[0].mute = i % 100 == 70;
        assert_int_equal(vtd_map(d, gpa(SIZE_1G), hpa(RAM), 0x1000, RW), 0);
        assert_true(reaches(0, NIC, SIZE_1G));
        vtd_unmap(d, gpa(SIZE_1G), 0x1000);
        assert_false(reaches(0, NIC, SIZE_1G));
        assert_false(model[0].fsts & (FSTS_IQE | FSTS_ITE));
        vtd_fault_poll();
    }
}

/* A unit may be able to drain neither reads nor writes, or only one of them. */
TEST(test_drains)
{
    static const uint64_t drains[] = {0, CAP_DRD, CAP_DWD};
    for (unsigned i = 0; i < 2 * ARRAY_COUNT(drains); i++) {
        model_reset(1);
        options.inv = i % 2 ? INV_REG : INV_QI;
        model[0].cap = (model[0].cap & ~(CAP_DRD | CAP_DWD)) | drains[i / 2];
        assert_int_equal(vtd_init(), 0);
        vtd_unmap(domain_for(NIC), gpa(0), SIZE_2M);
        assert_true(model[0].drained > 1);
        assert_int_equal(model[0].undrained, 0);
    }
}

/* Not done yet is no error, and nor is an answer that the device-TLB of some device gave too late
 * for the command before (ICE): the command is given once. */
TEST(test_slow_queue)
{
    for (unsigned late = 0; late < 2; late++) {
        model_start(MODEL_CAP, MODEL_ECAP);
        struct vtd_domain *d = domain_for(NIC);
        assert_true(reaches(0, NIC, 0x1000));
        vtd.units[0].ticket = vtd.units[0].status = late ? 1 : UINT32_MAX;
        unsigned flushed = model[0].iotlb_flushes[IIRG_PAGE];
        model[0].slow = 4;
        model[0].fsts |= late ? (uint32_t)FSTS_ICE : 0;
        vtd_unmap(d, gpa(0), SIZE_2M);
        assert_int_equal(model[0].iotlb_flushes[IIRG_PAGE], flushed + 1);
        assert_int_equal(model[0].slow, 0);
        assert_false(model[0].fsts & FSTS_ICE);
        assert_false(reaches(0, NIC, 0x1000));
    }
}

/* A unit that no longer invalidates protects no VM from another: the machine stops. */
static void stops(uint32_t refuse, enum inv_mode inv)
{
    model_reset(1);
    options.inv = inv;
    assert_int_equal(vtd_init(), 0);
    struct vtd_domain *d = domain_for(NIC);
    pid_t child = fork();
    if (child == 0) {
        close(1), close(2);
        model[0].dead = refuse == 0;
        model[0].refuse = refuse;
        vtd_unmap(d, gpa(0), SIZE_2M);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(test_dead_unit_stops_the_machine)
{
    stops(0, INV_QI);
    stops(0, INV_REG);
    stops(1, INV_REG); /* the register says that nothing was invalidated */
    stops(3, INV_QI);  /* it is given three times */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_enable),
        cmocka_unit_test(test_event_in_x2apic_mode),
        cmocka_unit_test(test_takeover),
        cmocka_unit_test(test_takeover_from_scalable_mode),
        cmocka_unit_test(test_rmrr),
        cmocka_unit_test(test_other_segment),
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_page_sizes),
        cmocka_unit_test(test_snoop_control),
        cmocka_unit_test(test_no_page_selective),
        cmocka_unit_test(test_two_units),
        cmocka_unit_test(test_one_unit_only_blocks),
        cmocka_unit_test(test_virtual_functions_follow_their_physical_one),
        cmocka_unit_test(test_one_unit_silent),
        cmocka_unit_test(test_unit_at_no_place),
        cmocka_unit_test(test_unit_of_unknown_devices),
        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_registers_where_asked_or_needed),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_drains),
        cmocka_unit_test(test_slow_queue),
        cmocka_unit_test(test_dead_unit_stops_the_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
