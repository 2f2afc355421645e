/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's command line: every key, its bounds, and that what is wrong is named.
 */
// sources: arch/options.c lib/option.c lib/parse.c
#include "lib/bits.h"
#include "arch/options.h"
#include "arch/log.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"
#include <string.h>

static struct options defaults;

FIXTURE(fresh)
{
    if (defaults.console_port == 0)
        defaults = options;
    options = defaults;
    stub_log_clear();
    return 0;
}

TEST(default_values)
{
    assert_int_equal(options_parse(""), 0);
    assert_int_equal(options.console_port, 0x3f8);
    assert_int_equal(options.console_speed, 115200);
    assert_int_equal(options.log, LOG_INFO);
    assert_true(options.vtd && options.ir && options.apicv && options.x2apic);
    assert_int_equal(options.post, POST_HW);
    assert_int_equal(options.inv, INV_QI);
    assert_int_equal(options.end, END_AUTO);
    assert_int_equal(options.console, CONSOLE_AUTO);
    assert_int_equal(options.cpus, 0);
    assert_false(options.rmrr_map);
}

TEST(every_key)
{
    assert_int_equal(options_parse("  console=com2,9600 log=trace vtd=off ir=off post=sw  inv=reg "
                                   "apicv=off x2apic=off end=reboot cpus=3 rmrr=map "),
                     0);
    assert_int_equal(options.console_port, 0x2f8);
    assert_int_equal(options.console_speed, 9600);
    assert_int_equal(options.log, LOG_TRACE);
    assert_false(options.vtd || options.ir || options.apicv || options.x2apic);
    assert_int_equal(options.post, POST_SW);
    assert_int_equal(options.inv, INV_REG);
    assert_int_equal(options.end, END_REBOOT);
    assert_int_equal(options.cpus, 3);
    assert_true(options.rmrr_map);
    assert_string_equal(stub_log, "");
}

TEST(consoles)
{
    assert_int_equal(options_parse("console=0xe010"), 0);
    assert_int_equal(options.console_port, 0xe010);
    assert_int_equal(options.console, CONSOLE_PORT);
    assert_int_equal(options_parse("console=off"), 0);
    assert_int_equal(options.console_port, 0);
    assert_int_equal(options_parse("console=screen end=key"), 0);
    assert_int_equal(options.console, CONSOLE_SCREEN);
    assert_int_equal(options.end, END_KEY);
    assert_int_equal(options_parse("console=pci,9600"), 0);
    assert_int_equal(options.console, CONSOLE_PCI);
    assert_int_equal(options.console_speed, 9600);
    assert_int_equal(options_parse("console=auto"), 0);
    assert_int_equal(options.console, CONSOLE_AUTO);
}

TEST(a_port_for_a_debugger)
{
    assert_int_equal(options_parse("gdb=com2"), 0);
    assert_true(options.gdb_port == 0x2f8 && !options.gdb_wait && !*options.gdb_vm);
    assert_int_equal(options_parse("gdb=0xe010,wait,alpha"), 0);
    assert_true(options.gdb_port == 0xe010 && options.gdb_wait);
    assert_string_equal(options.gdb_vm, "alpha");
    assert_int_equal(options_parse("gdb=com1,b"), 0);
    assert_true(options.gdb_port == 0x3f8 && !options.gdb_wait);
    assert_string_equal(options.gdb_vm, "b");
    assert_int_equal(options_parse("gdb=com2,wait,*"), 0);
    assert_true(options.gdb_wait);
    assert_string_equal(options.gdb_vm, "*");
    assert_int_equal(options_parse("gdb=off"), 0);
    assert_int_equal(options.gdb_port, 0);
}

TEST(what_is_wrong_is_named)
{
    assert_int_equal(options_parse("vtd=maybe foo=1 inv=reg x log=Trace"), -EINVAL);
    assert_string_equal(stub_log, "options: bad value: vtd=maybe\n"
                                  "options: unknown option: foo=1\n"
                                  "options: unknown option: x\n"
                                  "options: bad value: log=Trace\n");
    assert_true(options.vtd);
    assert_int_equal(options.inv, INV_REG); /* the rest of the line counts */
}

TEST(bad_values)
{
    static const char *const bad[] = {
        "console=com3",
        "console=com1,0",
        "console=com1,1199",
        "console=com1,",
        "console=0x10000",
        "console=",
        "console=com1,1e5",
        "cpus=-1",
        "cpus=",
        "cpus",
        "vtd",
        "vtd=",
        "post=soft",
        "end=later",
        "=on",
        "vtdx=on",
        "cpus=0x100000000",
        "gdb=",
        "gdb=com2,",
        "gdb=com2,a,b",
        "gdb=com2,wait,",
        "gdb=com2,**",
        "gdb=com9",
        "gdb=com2,sixteen-letters!",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        stub_log_clear();
        assert_int_equal(options_parse(bad[i]), -EINVAL);
        assert_non_null(strstr(stub_log, bad[i]));
        assert_memory_equal(&options, &defaults, sizeof(options));
    }
}

TEST(reasons_are_named)
{
    assert_int_equal(options_parse("identity=32M trace=on ktest=vtd \"log=trace\""), 0);
    assert_true(options.identity == 32 << 20 && options.trace && options.log == LOG_TRACE);
    assert_string_equal(options.ktest, "vtd");
    assert_int_equal(options_parse("identity=33M identity=16M cpus=x cpus ktest= hide=1:2 "
                                   "vfs=06:00.0 gdb=com2,a/b gdb=com3 ir=off \"log=error"),
                     -EINVAL);
    assert_string_equal(stub_log, "options: not a multiple of 2M: identity=33M\n"
                                  "options: out of range 18M to 2G: identity=16M\n"
                                  "options: not a number: cpus=x\n"
                                  "options: has no value: cpus\n"
                                  "options: a name has 1 to 39 characters: ktest=\n"
                                  "options: not bus:device.function: hide=1:2\n"
                                  "options: not bus:device.function,number: vfs=06:00.0\n"
                                  "options: a name is made of letters, digits, - and _: "
                                  "gdb=com2,a/b\n"
                                  "options: not com1, com2, 0xPORT or off: gdb=com3\n"
                                  "options: a quotation mark is not closed:  \"log=error\n");
    assert_true(options.identity == 32 << 20 && !options.ir && options.gdb_port == 0);
}

TEST(more_devices_than_fit)
{
    for (int i = 0; i < OPTIONS_DEVICE_MAX; i++)
        assert_int_equal(options_parse("hide=00:1f.2 vfs=06:00.0,4"), 0);
    assert_int_equal(options_parse("hide=00:1f.3 vfs=06:00.1,4"), -EINVAL);
    assert_string_equal(stub_log, "options: more than 8 devices: hide=00:1f.3\n"
                                  "options: more than 8 devices: vfs=06:00.1,4\n");
    assert_int_equal(options.hidden_count, OPTIONS_DEVICE_MAX);
    assert_int_equal(options.vfs_count, OPTIONS_DEVICE_MAX);
}

TEST(devices_of_the_machine)
{
    unsigned hidden = options.hidden_count, vfs = options.vfs_count;
    assert_int_equal(options_parse("hide=00:1f.2 vfs=06:00.0,4"), 0);
    assert_int_equal(options.hidden[hidden], BDF(0, 0x1f, 2));
    assert_int_equal(options.vfs[vfs].bdf, BDF(6, 0, 0));
    assert_int_equal(options.vfs[vfs].count, 4);
    static const char *const bad[] = {"hide=",        "hide=00:20.0",  "hide=0:1.8",
                                      "hide=0:1.0x",  "hide=:1.0",     "vfs=06:00.0",
                                      "vfs=06:00.0,", "vfs=06:00.0,0", "vfs=06:00.0,257"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        assert_int_equal(options_parse(bad[i]), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(default_values, fresh),
        cmocka_unit_test_setup(every_key, fresh),
        cmocka_unit_test_setup(consoles, fresh),
        cmocka_unit_test_setup(a_port_for_a_debugger, fresh),
        cmocka_unit_test_setup(what_is_wrong_is_named, fresh),
        cmocka_unit_test_setup(bad_values, fresh),
        cmocka_unit_test_setup(reasons_are_named, fresh),
        cmocka_unit_test_setup(more_devices_than_fit, fresh),
        cmocka_unit_test_setup(devices_of_the_machine, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
