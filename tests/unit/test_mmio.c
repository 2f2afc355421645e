/* SPDX-License-Identifier: MIT */
// sources: guest/pc/mmio.c guest/insn/exec.c guest/insn/insn.c guest/insn/opcodes.c
/*
 * What becomes of an access that no page of the EPT allowed: a page that another vCPU has mapped
 * meanwhile is tried again, and all else goes where it did. A move whose operand the CPU reports
 * asks no table and goes to the device once.
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

/* The instruction of the last exit, if it comes again. */
static struct insn insn;
static bool is_kept;
static struct vcpu_paging now;
const struct insn *fetch_again(struct linear *a)
{
    a->state = &now;
    return is_kept ? &insn : NULL;
}

/* A device at the address of the exit, and what was asked of it. */
static struct {
    unsigned reads, writes, walks;
    uint64_t at, value;
    unsigned width;
} device;

bool vm_bus_read(struct vcpu *v, struct vm_bus *b, uint64_t at, unsigned n, uint64_t *value)
{
    assert_true(v == &vcpu && b == &vm.mmio);
    device.reads++;
    device.at = at;
    device.width = n;
    *value = device.value & WIDTH_MASK(n);
    return true;
}
bool vm_bus_write(struct vcpu *v, struct vm_bus *b, uint64_t at, unsigned n, uint64_t value)
{
    assert_true(v == &vcpu && b == &vm.mmio);
    device.writes++;
    device.at = at;
    device.width = n;
    device.value = value;
    return true;
}
int linear_translate(struct linear *a, uint64_t at, enum gwalk_access how, gpa_t *to, uint64_t *n)
{
    (void)a, (void)how;
    device.walks++;
    *to = gpa(at);
    *n = PAGE_SIZE - at % PAGE_SIZE;
    return 0;
}
static unsigned stepped;
void vcpu_step_over(const struct vcpu_paging *s, unsigned n)
{
    assert_ptr_equal(s, &now);
    stepped = n;
}

/* The rest is not reached. */
void vcpu_paging(const struct vcpu *v, struct vcpu_paging *out) { (void)v, (void)out; }
void vcpu_inject_error(struct vcpu *v, uint8_t n, uint32_t e) { (void)v, (void)n, (void)e; }
uint64_t fetch_at(const struct linear *a, size_t n) { return (void)a, n; }
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
void vm_fail(struct vm *of, const char *fmt, ...) { (void)of, (void)fmt; }

FIXTURE(start)
{
    allowed = injected = emulated = 0;
    range = -ENOENT;
    is_kept = false;
    now = (struct vcpu_paging){.code64 = true, .rflags = RFLAGS_1};
    memset(&device, 0, sizeof(device));
    vcpu.event = stepped = 0;
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

/* The guest comes again with these bytes. */
#define KEPT(...)                                                                                  \
    do {                                                                                           \
        static const uint8_t bytes_[] = {__VA_ARGS__};                                             \
        assert_int_equal(insn_decode(bytes_, sizeof(bytes_), INSN_MODE_64, &insn), 0);             \
        is_kept = true;                                                                            \
    } while (0)

#define AT UINT64_C(0xd0000008)
static enum exit_action exit_at(uint64_t how, uint64_t linear)
{
    how |= QUAL_EPT_LINEAR_VALID | QUAL_EPT_LINEAR;
    return vcpu_on_gpa(&vcpu, gpa(0xd0000000 | linear % PAGE_SIZE), how, &linear);
}

TEST(a_load_that_comes_again)
{
    KEPT(0x8b, 0x47, 0x08); /* MOV EAX, [RDI+8] */
    vcpu.regs.gpr[RDI] = 0x7000;
    vcpu.regs.gpr[RAX] = UINT64_MAX;
    device.value = UINT64_C(0x1122334455667788);
    assert_int_equal(exit_at(QUAL_EPT_READ, 0x7008), RESUME_OVER);
    assert_int_equal(device.reads, 1);
    assert_int_equal(device.walks + device.writes, 0);
    assert_int_equal(device.at, AT);
    assert_int_equal(device.width, 4);
    assert_int_equal(vcpu.regs.gpr[RAX], 0x55667788);
    assert_int_equal(stepped, 3);
    KEPT(0x0f, 0xb6, 0x67, 0x08); /* MOVZX ESP, [RDI+8] */
    assert_int_equal(exit_at(QUAL_EPT_READ, 0x7008), RESUME_OVER);
    assert_int_equal(device.width, 1);
    assert_int_equal(device.walks, 0);
}

TEST(a_store_that_comes_again)
{
    KEPT(0x66, 0x89, 0x47, 0x08); /* MOV [RDI+8], AX */
    vcpu.regs.gpr[RDI] = 0x7000;
    vcpu.regs.gpr[RAX] = 0x12345;
    assert_int_equal(exit_at(QUAL_EPT_WRITE, 0x7008), RESUME_OVER);
    assert_int_equal(device.writes, 1);
    assert_int_equal(device.walks + device.reads, 0);
    assert_int_equal(device.at, AT);
    assert_int_equal(device.width, 2);
    assert_int_equal(device.value, 0x2345);
}

/* The CPU has exited for the second part, or for other bytes, or for a read of what is written. */
TEST(another_operand_than_the_cpu_reports)
{
    KEPT(0x8b, 0x47, 0x08); /* MOV EAX, [RDI+8] */
    vcpu.regs.gpr[RDI] = 0xd0000ff6;
    assert_int_equal(exit_at(QUAL_EPT_READ, 0xd0001000), RESUME_OVER);
    assert_int_equal(device.walks, 2);
    assert_int_equal(device.reads, 2);
    assert_int_equal(exit_at(QUAL_EPT_READ, 0xd0000ffe), RESUME_OVER);
    assert_int_equal(device.walks, 4);
    KEPT(0x89, 0x47, 0x08); /* MOV [RDI+8], EAX */
    vcpu.regs.gpr[RDI] = 0x7000;
    assert_int_equal(exit_at(QUAL_EPT_READ, 0x7008), RESUME_OVER);
    assert_int_equal(device.walks, 5);
    assert_int_equal(device.writes, 1);
}

TEST(computations_that_come_again)
{
    vcpu.regs.gpr[RDI] = 0x7000;
    KEPT(0x0b, 0x47, 0x08); /* OR EAX, [RDI+8] */
    vcpu.regs.gpr[RAX] = 0x10;
    device.value = 5;
    assert_int_equal(exit_at(QUAL_EPT_READ, 0x7008), RESUME_OVER);
    assert_int_equal(vcpu.regs.gpr[RAX], 0x15);
    KEPT(0x29, 0x47, 0x08); /* SUB [RDI+8], EAX */
    device.value = 0x15;
    assert_int_equal(exit_at(QUAL_EPT_READ | QUAL_EPT_WRITE, 0x7008), RESUME_OVER);
    assert_int_equal(device.writes, 1);
    assert_int_equal(device.value, 0);
    assert_true(now.rflags & RFLAGS_ZF);
}

/* The instruction at RIP has nothing to do with the exit. */
TEST(an_exit_by_no_instruction)
{
    KEPT(0x8b, 0x47, 0x08);
    vcpu.regs.gpr[RDI] = 0x7000;
    assert_int_equal(exit_at(QUAL_EPT_FETCH, 0x7008), RESUME_SAME);
    assert_int_equal(injected, 1);
    vcpu.event = EVENT_VALID;
    assert_int_equal(exit_at(QUAL_EPT_READ, 0x7008), STOP_VM);
    assert_int_equal(vcpu_on_gpa(&vcpu, gpa(AT), QUAL_EPT_READ | QUAL_EPT_LINEAR_VALID, NULL),
                     STOP_VM);
    assert_int_equal(device.reads, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, start)
    const struct CMUnitTest tests[] = {
        T(what_is_mapped_by_now_is_tried_again),
        T(what_is_mapped_for_less_is_not),
        T(where_nothing_is),
        T(a_load_that_comes_again),
        T(a_store_that_comes_again),
        T(another_operand_than_the_cpu_reports),
        T(computations_that_come_again),
        T(an_exit_by_no_instruction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
