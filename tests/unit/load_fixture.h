/* SPDX-License-Identifier: MIT */
/*
 * Around each test of a loader: a kernel's file, of zeros at first, and a small guest
 * memory for it.
 * From: tests/unit/test_load.c, tests/unit/test_load_linux.c.
 */
#pragma once
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include "guest/load/load.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"

#define LOW (4u << 20)

static uint8_t *ram;
static uint8_t file[0x9000];
static struct load l;

FIXTURE(fresh)
{
    ram = calloc(1, LOW);
    memset(file, 0, sizeof(file));
    l = (struct load){.vm = "a", .file = file, .cmdline = "one two", .ram = ram, .low = LOW};
    stub_log_clear();
    return 0;
}

FIXTURE(done)
{
    free(ram);
    return 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, fresh, done)

static inline void put32(size_t at, uint32_t v) { memcpy(file + at, &v, 4); }
static inline void put64(size_t at, uint64_t v) { memcpy(file + at, &v, 8); }
static inline void put16(size_t at, uint16_t v) { memcpy(file + at, &v, 2); }
static inline uint32_t get32(uint64_t at)
{
    uint32_t v;
    memcpy(&v, ram + at, 4);
    return v;
}
static inline uint64_t get64(uint64_t at)
{
    uint64_t v;
    memcpy(&v, ram + at, 8);
    return v;
}

static inline void give(const uint8_t *bytes, uint64_t size, const char *string)
{
    l.modules[l.module_count++] = (struct load_module){bytes, size, string, 0};
}

static inline void refused(const char *why)
{
    char line[200];
    snprintf(line, sizeof(line), "load: vm=a kernel: %s\n", why);
    assert_int_equal(load_kernel(&l), -EINVAL);
    assert_string_equal(stub_log, line);
    stub_log_clear();
}
