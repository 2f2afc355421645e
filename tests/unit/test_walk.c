/* SPDX-License-Identifier: MIT */
/*
 * `walk` asks a VM that runs: what its bus says once, it may not say again.
 */
// sources: monitor/cmd/walk.c
#include "tests/unit/stubs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "monitor/cmd/commands.h"
#include "monitor/explain/explain.h"
#include "monitor/memory.h"
#include "pci/pci.h"
#include "tests/unit/test.h"
#include "vtd/vtd.h"

static struct vm vm;
static struct vcpu vcpu = {.vm = &vm};
static char line[200];
static unsigned finds;
static const struct vm_range *there;

/* Behind the look another vCPU moves its BAR, if it has not to wait for the lock. */
const struct vm_range *vm_bus_find(const struct vm_bus *b, uint64_t at)
{
    assert_true(b == &vm.mmio && at == 0x90000000);
    const struct vm_range *found = there;
    if (vm.lock.next == vm.lock.serving)
        there = NULL;
    finds++;
    return found;
}
void console_line(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
}
char *args_word(struct args *a) { return a->words[a->next++]; }
bool args_is(struct args *a, const char *word) { return (void)a, !strcmp(word, "gpa"); }
bool args_end(struct args *a) { return (void)a, true; }
bool args_vcpu(struct args *a, struct vcpu **v) { return (void)a, *v = &vcpu, true; }
bool args_number(struct args *a, const char *what, uint64_t *at)
{
    return (void)a, (void)what, *at = 0x90000000, true;
}
unsigned ept_walk(const struct ept *e, gpa_t at, uint64_t entries[4])
{
    return (void)e, (void)at, (void)entries, 0;
}
bool ept_translate(const struct ept *e, gpa_t at, hpa_t *to, unsigned *perm, enum ept_type *type)
{
    return (void)e, (void)at, (void)to, (void)perm, (void)type, false;
}
int parse_bdf(const char *s, bdf_t *out) { return (void)s, (void)out, -EINVAL; }
int memory_walk(struct vcpu *v, uint64_t gva, struct memory_walk *out)
{
    return (void)v, (void)gva, (void)out, -EINVAL;
}
bool vtd_walk(bdf_t bdf, gpa_t iova, struct vtd_walk *w)
{
    return (void)bdf, (void)iova, (void)w, false;
}
struct text explain_words(const char *reg, uint64_t low, uint64_t high)
{
    return (void)reg, (void)low, (void)high, (struct text){.used = 0};
}
struct pci_function *pci_find(bdf_t bdf) { return (void)bdf, NULL; }

TEST(a_range_that_goes_meanwhile)
{
    static const struct vm_range range = {.name = "uart"};
    struct args a = {.command = "walk"};
    for (unsigned n = 0; n < 2; n++) {
        there = n ? NULL : &range;
        cmd_walk(&a);
        assert_string_equal(line, n ? "gpa=0x90000000 is mapped nowhere: an access is an EPT "
                                      "violation"
                                    : "gpa=0x90000000 is trapped: uart");
        assert_int_equal(vm.lock.next, vm.lock.serving);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_range_that_goes_meanwhile)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
