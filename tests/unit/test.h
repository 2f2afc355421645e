/* SPDX-License-Identifier: MIT */
/*
 * For each unit test: cmocka with the headers that it asks for, and the heads of the functions that
 * cmocka calls. Their parameter `state` is there, but hardly any of them uses it.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define TEST(name) static void name(void **state __attribute__((unused)))
#define FIXTURE(name)                                                                              \
    static int name(void **state __attribute__((unused))) /* returns 0: run the test */
