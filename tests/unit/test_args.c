/* SPDX-License-Identifier: MIT */
// sources: monitor/args.c lib/parse.c
/*
 * The words of a command: what each way to take one takes, and what it says if it cannot.
 */
#include <string.h>
#include "monitor/args.h"
#include "monitor/focus.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"

static struct vcpu vcpus[2];
static struct vm alpha = {.state = VM_RUNNING, .vcpu_count = 2, .vcpus = {&vcpus[0], &vcpus[1]}};
static struct vm beta = {.state = VM_RUNNING, .vcpu_count = 1, .vcpus = {&vcpus[1]}};
static struct vm *focus;

struct vm *focus_vm(void) { return focus; }
struct vm *vm_find(const char *name)
{
    return strcmp(name, "alpha") == 0 ? &alpha : strcmp(name, "beta") == 0 ? &beta : NULL;
}

static char line[200];

static struct args words(const char *text)
{
    struct args a = {.command = "x"};
    strcpy(line, text);
    stub_log_clear();
    assert_true(args_split(&a, line));
    return a;
}

static bool said(const char *text) { return strstr(stub_log, text) != NULL; }

FIXTURE(setup)
{
    focus = &alpha;
    alpha.state = beta.state = VM_RUNNING;
    return 0;
}

TEST(a_line_is_cut_at_blanks)
{
    struct args a = words("  one two   three ");
    assert_string_equal(args_word(&a), "one");
    assert_false(args_is(&a, "tw"));
    assert_false(args_end(&a));
    assert_true(said("x: what is two? help x"));
    assert_true(args_is(&a, "two"));
    assert_string_equal(args_peek(&a), "three");
    assert_string_equal(args_word(&a), "three");
    stub_log_clear();
    assert_true(args_end(&a));
    assert_null(args_word(&a));
    assert_null(args_word(&a)); /* it does not go on behind the end */
    assert_false(args_is(&a, "three"));
    assert_string_equal(stub_log, "");
    a = words("");
    assert_true(args_end(&a));
}

TEST(sixteen_words)
{
    struct args a = words("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 ");
    assert_string_equal(a.words[15], "16");
    assert_null(a.words[16]);
    strcpy(line, "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17");
    a = (struct args){0};
    assert_false(args_split(&a, line));
    assert_null(a.words[16]);
}

TEST(a_number)
{
    uint64_t n = 0;
    struct args a = words("0x1234 seven 4K");
    assert_true(args_number(&a, "address", &n));
    assert_int_equal(n, 0x1234);
    assert_false(args_number(&a, "count", &n));
    assert_true(said("x: count: no number: seven"));
    stub_log_clear();
    assert_true(args_number(&a, "count", &n));
    assert_int_equal(n, 4096);
    assert_string_equal(stub_log, "");
    assert_false(args_number(&a, "size", &n));
    assert_true(said("x: size is missing; help x"));
}

TEST(a_device)
{
    bdf_t bdf = 0;
    struct args a = words("01:02.3 01:02");
    assert_true(args_bdf(&a, &bdf));
    assert_int_equal(bdf, BDF(1, 2, 3));
    assert_string_equal(stub_log, "");
    assert_false(args_bdf(&a, &bdf));
    assert_true(said("x: no device: 01:02 (bb:dd.f)"));
    stub_log_clear();
    assert_false(args_bdf(&a, &bdf));
    assert_true(said("x: a device is missing (bb:dd.f)"));
}

/* The word is taken only if it names a VM. */
TEST(a_vm)
{
    struct vm *vm = NULL;
    struct args a = words("beta 0x1000");
    assert_true(args_vm(&a, &vm));
    assert_ptr_equal(vm, &beta);
    assert_true(args_vm(&a, &vm));
    assert_ptr_equal(vm, &alpha);
    assert_string_equal(args_peek(&a), "0x1000");
    assert_string_equal(stub_log, "");
    focus = NULL;
    assert_false(args_vm(&a, &vm));
    assert_true(said("x: no VM runs"));
}

/* Only between its start and its end a VM has tables. */
TEST(a_vm_that_has_ended)
{
    struct vm *vm;
    struct vcpu *v;
    for (unsigned state = VM_NEW; state <= VM_ENDED; state++) {
        bool lives = state != VM_NEW && state != VM_ENDED;
        struct args a = words("beta"), b = a;
        beta.state = (enum vm_state)state;
        strcpy(beta.name, "beta");
        assert_int_equal(args_vm(&a, &vm), lives);
        assert_int_equal(args_vcpu(&b, &v), lives);
        assert_int_equal(said("x: vm=beta has ended"), !lives);
    }
}

TEST(a_vcpu)
{
    struct vcpu *v = NULL;
    struct args a = words("alpha.1 beta next");
    assert_true(args_vcpu(&a, &v));
    assert_ptr_equal(v, &vcpus[1]);
    assert_true(args_vcpu(&a, &v));
    assert_ptr_equal(v, &vcpus[1]);
    assert_true(args_vcpu(&a, &v)); /* the first of the VM in focus */
    assert_ptr_equal(v, &vcpus[0]);
    assert_string_equal(args_peek(&a), "next");
    assert_string_equal(stub_log, "");
    a = words("alpha.2");
    strcpy(alpha.name, "alpha");
    assert_false(args_vcpu(&a, &v));
    assert_true(said("x: vm=alpha has 2 vCPUs"));
    a = words("gamma.0");
    assert_false(args_vcpu(&a, &v));
    assert_true(said("x: no VM has the name gamma"));
    a = words("a.b"); /* another command's word */
    assert_true(args_vcpu(&a, &v));
    assert_string_equal(args_peek(&a), "a.b");
    focus = NULL;
    assert_false(args_vcpu(&a, &v));
}

#define CASE(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_line_is_cut_at_blanks),
        CASE(sixteen_words),
        CASE(a_number),
        CASE(a_device),
        CASE(a_vm),
        CASE(a_vm_that_has_ended),
        CASE(a_vcpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
