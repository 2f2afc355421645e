/* SPDX-License-Identifier: MIT */
// sources: guest/pc/mmio.c
/*
 * What becomes of an access that no page of the EPT allowed: a page that another vCPU has mapped
 * meanwhile is tried again, and all else goes where it did.
 * Spec: SDM "Exit Qualification for EPT Violations".
 */
#include "tests/unit/stubs.h"
#include <string.h>
#include "arch/io.h"
#include "arch/paging.h"
#include "guest/core/memory.h"
#include "guest/pc/fetch.h"
#include "guest/pc/linear.h"
#include "guest/pc/pc.h"
#include "tests/unit/test.h"
#include "vmx/vcpu/inject.h"

static struct vm vm;
static struct vcpu vcpu = {.vm = &vm};
static unsigned allowed, injected, emulated; /* by the EPT; so often */
static int range;                            /* what vm_bus_map() finds */

bool ept_translate(const struct ept *ept, gpa_t at, hpa_t *to, unsigned *perm, enum ept_type *type)
{
    (void)ept, (void)at;
    *to = hpa(0);
    *type = EPT_UC;
    *perm = allowed;
    return allowed;
}
int vm_bus_map(struct vm *of, uint64_t at) { return (void)of, (void)at, range; }
void vcpu_inject(struct vcpu *v, uint8_t vector)
{
    assert_true(v == &vcpu && vector == VECTOR_UD);
    injected++;
}
const struct insn *fetch_insn(struct linear *a, struct fetched *f)
{
    static const uint8_t bytes[INSN_LEN_MAX]; /* no instruction: the VM ends */
    (void)a;
    *f = (struct fetched){.bytes = bytes, .size = sizeof(bytes), .name = ""};
    emulated++;
    return NULL;
}

/* The rest is not reached. */
bool vm_bus_read(struct vcpu *v, struct vm_bus *b, uint64_t at, unsigned n, uint64_t *value)
{
    return (void)v, (void)b, (void)at, (void)n, (void)value, false;
}
bool vm_bus_write(struct vcpu *v, struct vm_bus *b, uint64_t at, unsigned n, uint64_t value)
{
    return (void)v, (void)b, (void)at, (void)n, (void)value, false;
}
void vcpu_paging(const struct vcpu *v, struct vcpu_paging *out) { (void)v, (void)out; }
void vcpu_inject_error(struct vcpu *v, uint8_t n, uint32_t e) { (void)v, (void)n, (void)e; }
uint64_t fetch_at(const struct linear *a, size_t n) { return (void)a, n; }
int insn_exec(const struct insn *i, struct insn_cpu *c, const struct insn_bus *b)
{
    return (void)i, (void)c, (void)b, 0;
}
int linear_translate(struct linear *a, uint64_t at, enum gwalk_access how, gpa_t *to, uint64_t *n)
{
    return (void)a, (void)at, (void)how, (void)to, (void)n, 0;
}
bool delivery_lend(struct vcpu *v, gpa_t at) { return (void)v, (void)at, false; }
#define MMIO(width)                                                                                \
    uint##width##_t mmio_read##width(const void *p) { return (void)p, 0; }                         \
    void mmio_write##width(void *p, uint##width##_t v) { (void)p, (void)v; }
MMIO(8)
MMIO(16)
MMIO(32)
MMIO(64)
void *mmio_map(hpa_t at, uint64_t size) { return (void)at, (void)size, NULL; }
void *vm_ram(const struct vm *of, gpa_t at, uint64_t size)
{
    return (void)of, (void)at, (void)size, NULL;
}
uint64_t vcpu_gpr(const struct vcpu *v, enum gpr n) { return (void)v, (void)n, 0; }
void vcpu_set_gpr(struct vcpu *v, enum gpr n, uint64_t value) { (void)v, (void)n, (void)value; }
void vcpu_set_rflags(struct vcpu *v, uint64_t value) { (void)v, (void)value; }
void vcpu_vectors_out(struct vcpu *v, uint8_t *vector[3]) { (void)v, (void)vector; }
void vcpu_vectors_in(struct vcpu *v) { (void)v; }
void vcpu_step_over(struct vcpu *v, unsigned n) { (void)v, (void)n; }
void vm_fail(struct vm *of, const char *fmt, ...) { (void)of, (void)fmt; }

FIXTURE(start)
{
    allowed = injected = emulated = 0;
    range = -ENOENT;
    stub_log_clear();
    return 0;
}

static enum exit_action touch(uint64_t how)
{
    return vcpu_on_gpa(&vcpu, gpa(0xd0000000), how | QUAL_EPT_LINEAR_VALID | QUAL_EPT_LINEAR, NULL);
}

/* bar=lazy: this vCPU or another one has mapped it. */
TEST(what_is_mapped_by_now_is_tried_again)
{
    range = 1;
    assert_int_equal(touch(QUAL_EPT_READ), RESUME_SAME);
    range = -ENOENT;
    allowed = EPT_PERM_READ | EPT_PERM_WRITE;
    assert_int_equal(touch(QUAL_EPT_READ), RESUME_SAME);
    assert_int_equal(touch(QUAL_EPT_WRITE), RESUME_SAME);
    assert_int_equal(touch(QUAL_EPT_READ | QUAL_EPT_WRITE), RESUME_SAME);
    assert_int_equal(emulated + injected, 0);
    assert_string_equal(stub_log, "");
}

TEST(what_is_mapped_for_less_is_not)
{
    allowed = EPT_PERM_READ; /* a ROM */
    assert_int_equal(touch(QUAL_EPT_WRITE), STOP_VM);
    assert_int_equal(touch(QUAL_EPT_READ | QUAL_EPT_WRITE), STOP_VM);
    assert_int_equal(emulated, 2);
    assert_int_equal(touch(QUAL_EPT_FETCH), RESUME_SAME);
    assert_int_equal(injected, 1);
}

TEST(where_nothing_is)
{
    assert_int_equal(touch(QUAL_EPT_READ), STOP_VM);
    assert_int_equal(emulated, 1);
    assert_non_null(strstr(stub_log, "gpa=0xd0000000: no device is there"));
    stub_log_clear();
    range = 0; /* a device of Hamlet */
    allowed = EPT_PERM_ALL;
    assert_int_equal(touch(QUAL_EPT_READ), STOP_VM);
    assert_int_equal(emulated, 2);
    assert_string_equal(stub_log, "");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, start)
    const struct CMUnitTest tests[] = {
        T(what_is_mapped_by_now_is_tried_again),
        T(what_is_mapped_for_less_is_not),
        T(where_nothing_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
