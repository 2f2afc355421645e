/* SPDX-License-Identifier: MIT */
/*
 * Module lines: what each key means, and the exact line for everything that can be wrong with one.
 */
// sources: guest/life/config.c guest/core/config.c lib/option.c lib/parse.c
#include <string.h>
#include <stdio.h>
#include "guest/core/config.h"
#include "tests/unit/stubs.h"
#include "guest/life/config.h"
#include "tests/unit/test.h"

static struct boot_info info;
static struct vm_config vms[16];
static size_t refused;

/* Read these module lines; a NULL ends them. */
static size_t read_lines(const char *first, ...)
{
    va_list args;
    memset(&info, 0, sizeof(info));
    memset(vms, 0xee, sizeof(vms));
    stub_log_clear();
    va_start(args, first);
    for (const char *line = first; line; line = va_arg(args, const char *))
        info.modules[info.module_count++].cmdline = line;
    va_end(args);
    return config_read(&info, vms, 16, &refused);
}

/* One kernel whose line is refused with exactly this message. */
static void refuses(const char *line, const char *message)
{
    char expected[1200] = "config: ";
    assert_int_equal(read_lines(line, NULL), 0);
    assert_int_equal(refused, 1);
    strcat(strcat(expected, message), "\n");
    assert_string_equal(stub_log, expected);
}

TEST(defaults)
{
    assert_int_equal(read_lines("vm=alpha", NULL), 1);
    assert_string_equal(stub_log, "");
    assert_string_equal(vms[0].name, "alpha");
    assert_ptr_equal(vms[0].kernel, &info.modules[0]);
    assert_int_equal(vms[0].file_count, 0);
    assert_string_equal(vms[0].cmdline, "");
    assert_int_equal(vms[0].mem, 64 << 20);
    assert_int_equal(vms[0].vcpus, 1);
    assert_int_equal(config_pin(&vms[0], 0), -1);
    assert_int_equal(vms[0].run, 0);
    assert_int_equal(vms[0].timeout, 0);
    assert_int_equal(vms[0].device_count, 0);
    assert_int_equal(refused, 0);
}

TEST(every_key)
{
    assert_int_equal(
        read_lines("vm=b-2_x mem=1G vcpus=8 pin=3 run=1000 timeout=5 cmdline=\"a b=c\"", NULL), 1);
    assert_string_equal(stub_log, "");
    assert_string_equal(vms[0].name, "b-2_x");
    assert_int_equal(vms[0].mem, 1 << 30);
    assert_int_equal(vms[0].vcpus, 8);
    assert_int_equal(config_pin(&vms[0], 0), 3);
    assert_int_equal(vms[0].run, 1000);
    assert_int_equal(vms[0].timeout, 5);
    assert_string_equal(vms[0].cmdline, "a b=c");
}

/* GRUB puts a word that holds a blank into quotation marks as a whole, with backslashes. */
TEST(a_cpu_for_all_or_for_each)
{
    assert_int_equal(read_lines("vm=b vcpus=8 pin=3", NULL), 1);
    assert_int_equal(config_pin(&vms[0], 7), 3);
    assert_int_equal(read_lines("vm=b vcpus=3 pin=255,0x2,0", NULL), 1);
    assert_int_equal(config_pin(&vms[0], 0), 255);
    assert_int_equal(config_pin(&vms[0], 1), 2);
    assert_int_equal(config_pin(&vms[0], 2), 0);
    assert_int_equal(read_lines("vm=b pin=1,1 vcpus=2", NULL), 1); /* in any order */
}

TEST(words_as_grub_writes_them)
{
    assert_int_equal(read_lines("  vm=a\t\"cmdline=say \\\"hi\\\" \\\\ it\\'s\"  ", NULL), 1);
    assert_string_equal(vms[0].cmdline, "say \"hi\" \\ it's");
}

TEST(devices)
{
    assert_int_equal(
        read_lines("vm=a pci=00:04.0 pci=1234:11e8#2,plan=B,bar=lazy,dma=identity,irq=remap,rom=on,"
                   "intx=18 "
                   "pci=ff:1f.7,plan=A,irq=inject,dma=pv",
                   NULL),
        1);
    const struct device_config *d = vms[0].devices;
    assert_int_equal(vms[0].device_count, 3);
    assert_false(d[0].by_id);
    assert_int_equal(d[0].bdf, 0x20);
    assert_int_equal(d[0].plan, PLAN_POST_HW);
    assert_int_equal(d[0].bar, BAR_EAGER);
    assert_int_equal(d[0].dma, DMA_VTD);
    assert_int_equal(d[0].irq, IRQ_POST);
    assert_false(d[0].rom);
    assert_true(d[1].by_id);
    assert_int_equal(d[1].vendor, 0x1234);
    assert_int_equal(d[1].device, 0x11e8);
    assert_int_equal(d[1].nth, 2);
    assert_int_equal(d[1].plan, PLAN_INJECT);
    assert_int_equal(d[1].bar, BAR_LAZY);
    assert_int_equal(d[1].dma, DMA_IDENTITY);
    assert_int_equal(d[1].irq, IRQ_REMAP);
    assert_true(d[1].rom);
    assert_true(d[0].intx == 0 && d[1].intx == 18);
    assert_int_equal(d[2].bdf, 0xffff);
    assert_int_equal(d[2].irq, IRQ_INJECT);
    assert_int_equal(d[2].dma, DMA_PV);
}

TEST(bad_values)
{
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"vm=a mem=64Q", "module=0 vm=a mem=64Q: not a size such as 64M; this VM is not started"},
        {"vm=a mem=3M", "module=0 vm=a mem=3M: not a multiple of 2M; this VM is not started"},
        {"vm=a mem=0", "module=0 vm=a mem=0: out of range 2M to 1024G; this VM is not started"},
        {"vm=a mem=2048G",
         "module=0 vm=a mem=2048G: out of range 2M to 1024G; this VM is not started"},
        {"vm=a vcpus=0", "module=0 vm=a vcpus=0: out of range; this VM is not started"},
        {"vm=a vcpus=9", "module=0 vm=a vcpus=9: out of range; this VM is not started"},
        {"vm=a vcpus=", "module=0 vm=a vcpus=: not a number; this VM is not started"},
        {"vm=a pin=256", "module=0 vm=a pin=256: out of range; this VM is not started"},
        {"vm=a pin=", "module=0 vm=a pin=: not a number; this VM is not started"},
        {"vm=a vcpus=2 pin=0,", "module=0 vm=a pin=0,: not a number; this VM is not started"},
        {"vm=a vcpus=2 pin=0,x", "module=0 vm=a pin=0,x: not a number; this VM is not started"},
        {"vm=a vcpus=2 pin=0,300", "module=0 vm=a pin=0,300: out of range; this VM is not started"},
        {"vm=a pin=0,1", "module=0 vm=a pin=...: more CPUs than vCPUs; this VM is not started"},
        {"vm=a pin=0,1 vcpus=3",
         "module=0 vm=a pin=...: fewer CPUs than vCPUs; this VM is not started"},
        {"vm=a vcpus=8 pin=0,1,2,3,4,5,6,7,8",
         "module=0 vm=a pin=0,1,2,3,4,5,6,7,8: more than 8 CPUs; this VM is not started"},
        {"vm=a pin=-1", "module=0 vm=a pin=-1: not a number; this VM is not started"},
        {"vm=a run=0", "module=0 vm=a run=0: out of range; this VM is not started"},
        {"vm=a timeout=0", "module=0 vm=a timeout=0: out of range; this VM is not started"},
        {"vm=a color=red", "module=0 vm=a color=red: unknown key; this VM is not started"},
        {"vm=a noise", "module=0 vm=a noise=: unknown key; this VM is not started"},
        {"vm=a mem", "module=0 vm=a mem=: has no value; this VM is not started"},
        {"vm=a kills=0", "module=0 vm=a kills=0: out of range; this VM is not started"},
        {"vm=a mem=2M mem=4M", "module=0 vm=a mem=4M: given twice; this VM is not started"},
        {"vm=a cmdline=\"x", "module=0 vm=a line=: a quotation mark is not closed; this VM is not "
                             "started"},
        {"vm=", "module=0 vm=: a name has 1 to 15 characters; this module is not used"},
        {"vm=sixteen-letters-",
         "module=0 vm=sixteen-letters-: a name has 1 to 15 characters; this module is not used"},
        {"vm=a/b",
         "module=0 vm=a/b: a name is made of letters, digits, - and _; this module is not "
         "used"},
        {"", "module=0 vm=: a module is given to a VM by vm=NAME; this module is not used"},
        {"mem=4M", "module=0 vm=: a module is given to a VM by vm=NAME; this module is not used"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        refuses(cases[i].line, cases[i].message);
}

TEST(bad_devices)
{
    static const char *const no_address[] = {"",          "4",      "00:20.0", "00:04.8",
                                             "100:0.0",   "0:0.0x", "1234:",   "1234",
                                             "g:1",       "1:2#",   "1:2#256", "1:2#0#1",
                                             "1234:5678x"};
    char line[96], message[200];
    for (size_t i = 0; i < sizeof(no_address) / sizeof(no_address[0]); i++) {
        snprintf(line, sizeof(line), "vm=a pci=%s", no_address[i]);
        snprintf(message, sizeof(message),
                 "module=0 vm=a pci=%s: neither bus:device.function nor vendor:device[#n]; this VM "
                 "is not started",
                 no_address[i]);
        refuses(line, message);
    }
    refuses("vm=a pci=0:4.0,plan=E", "module=0 vm=a pci=0:4.0,plan=E: a word behind the device has "
                                     "an unknown value; this VM is not started");
    refuses(
        "vm=a pci=0:4.0,speed=1",
        "module=0 vm=a pci=0:4.0,speed=1: an unknown word behind the device (plan, bar, dma, irq, "
        "rom, intx or unsafe); this VM is not started");
    refuses("vm=a pci=0:4.0,", "module=0 vm=a pci=0:4.0,: an unknown word behind the device (plan, "
                               "bar, dma, irq, rom, intx or unsafe); this VM is not started");
    refuses("vm=a pci=00:04.0 pci=0:4.0",
            "module=0 vm=a pci=0:4.0: given twice; this VM is not started");
}

/* As many as the bus of a VM has slots. */
TEST(many_devices)
{
    char line[400] = "vm=a";
    for (unsigned i = 0; i < CONFIG_DEVICE_MAX; i++)
        snprintf(line + strlen(line), sizeof(line) - strlen(line), " pci=0:%x.0", i);
    assert_int_equal(read_lines(line, NULL), 1);
    assert_int_equal(vms[0].device_count, 31);
    assert_int_equal(vms[0].devices[30].bdf, BDF(0, 30, 0));
    strcat(line, " pci=0:1f.0");
    refuses(line, "module=0 vm=a pci=0:1f.0: more than 31 devices; this VM is not started");
}

TEST(bad_lengths)
{
    char line[1200] = "vm=a cmdline=", text[1000];
    memset(text, 'x', sizeof(text));
    text[511] = '\0';
    assert_int_equal(read_lines(strcat(line, text), NULL), 1);
    assert_int_equal(strlen(vms[0].cmdline), 511);
    assert_int_equal(read_lines(strcat(line, "y"), NULL), 0);
    assert_non_null(strstr(stub_log, "x: longer than 511 characters; this VM is not started\n"));
    text[511] = 'x';
    text[999] = '\0';
    assert_int_equal(read_lines(strcpy(line, text), NULL), 0);
    assert_non_null(strstr(stub_log, "a word is too long; this module is not used\n"));
}

TEST(several_vms)
{
    assert_int_equal(read_lines("vm=b initrd", "vm=a mem=2M", "acpi", "vm=b mem=4M", NULL), 2);
    assert_string_equal(stub_log, "");
    assert_string_equal(vms[0].name, "a");
    assert_string_equal(vms[1].name, "b");
    assert_int_equal(vms[1].module, 3);
    assert_ptr_equal(vms[1].files[0].module, &info.modules[0]);
    assert_string_equal(vms[1].files[0].string, "initrd");
}

/* A wrong VM costs itself only. */
TEST(others_are_kept)
{
    assert_int_equal(read_lines("vm=a mem=1", "vm=b", "vm=a", "vm=c", "vm=c", "vm=d", NULL), 2);
    assert_string_equal(vms[0].name, "b");
    assert_string_equal(vms[1].name, "d");
    assert_int_equal(refused, 2);
    assert_string_equal(
        stub_log,
        "config: module=0 vm=a mem=1: out of range 2M to 1024G; this VM is not started\n"
        "config: module=2 vm=a vm=a: two modules are its kernel; this VM is not started\n"
        "config: module=4 vm=c vm=c: two modules are its kernel; this VM is not started\n");
}

TEST(one_device_two_vms)
{
    assert_int_equal(read_lines("vm=a pci=00:04.0", "vm=b pci=0:4.0", NULL), 1);
    assert_string_equal(vms[0].name, "a");
    assert_string_equal(stub_log, "config: module=1 vm=b pci=00:04.0: given to another VM already; "
                                  "this VM is not started\n");
    assert_int_equal(
        read_lines("vm=a pci=1234:11e8", "vm=b pci=1234:11E8#0", "vm=c pci=1234:11e8#1", NULL), 2);
    assert_string_equal(stub_log, "config: module=1 vm=b pci=1234:11e8#0: given to another VM "
                                  "already; this VM is not started\n");
}

/* Each VM that is refused has a name and a reason, behind the good ones. */
TEST(reasons)
{
    assert_int_equal(
        read_lines("vm=a mem=1", "vm=b", "mem=4M", "vm=c", "vm=c", "vm=d colour=red x=y", NULL), 1);
    assert_int_equal(refused, 4);
    static const char *const reasons[][2] = {
        {"a", "module=0 vm=a mem=1: out of range 2M to 1024G; this VM is not started"},
        {"?", "module=2 vm=: a module is given to a VM by vm=NAME; this module is not used"},
        {"c", "module=4 vm=c vm=c: two modules are its kernel; this VM is not started"},
        {"d", "module=5 vm=d colour=red: unknown key; this VM is not started"},
    };
    for (size_t i = 0; i < 4; i++) {
        size_t at = 1;
        while (at < 5 && strcmp(vms[at].name, reasons[i][0]))
            at++;
        assert_true(at < 5);
        assert_string_equal(vms[at].why, reasons[i][1]);
    }
}

TEST(initrds)
{
    assert_int_equal(read_lines("vm=a", "vm=x initrd", NULL), 1);
    assert_string_equal(
        stub_log, "config: module=1 vm=x initrd=: there is no such VM; this module is not used\n");
    assert_int_equal(read_lines("vm=a", "vm=a initrd", "vm=a initrd mem=4M", NULL), 1);
    assert_int_equal(vms[0].file_count, 1);
    assert_string_equal(stub_log,
                        "config: module=2 initrd=: only vm=NAME and cmdline= stand beside "
                        "it; this module is not used\n");
}

TEST(initrds_with_strings)
{
    static const char file[] = "vm=a initrd";
    static char longer[200] = "vm=a initrd \"cmdline=";
    assert_int_equal(
        read_lines("vm=a", "vm=a initrd \"cmdline=one two\"", "vm=a initrd cmdline=x", NULL), 1);
    assert_int_equal(vms[0].file_count, 2);
    assert_ptr_equal(vms[0].files[1].module, &info.modules[2]);
    assert_string_equal(vms[0].files[0].string, "one two");
    assert_string_equal(vms[0].files[1].string, "x");
    assert_int_equal(read_lines("vm=a", file, file, file, file, file, file, file, file, file, NULL),
                     0);
    assert_string_equal(stub_log,
                        "config: module=9 vm=a initrd=: more than 8; this VM is not started\n");
    memset(longer + strlen(longer), 'x', 128);
    strcat(longer, "\"");
    assert_int_equal(read_lines("vm=a", longer, NULL), 1);
    assert_int_equal(vms[0].file_count, 0);
    assert_non_null(strstr(stub_log, "an initrd's is at most 127 characters"));
}

TEST(more_than_fit)
{
    static char names[20][24];
    memset(&info, 0, sizeof(info));
    stub_log_clear();
    for (int i = 0; i < 20; i++) {
        snprintf(names[i], sizeof(names[i]), "vm=n%d", i);
        info.modules[info.module_count++].cmdline = names[i];
    }
    assert_int_equal(config_read(&info, vms, 16, &refused), 16);
    assert_int_equal(refused, 4);
    assert_non_null(strstr(stub_log, "module=16 vm=n16 vm=n16: too many VMs"));
    info.module_count = 0;
    assert_int_equal(config_read(&info, vms, 16, &refused), 0);
    assert_int_equal(refused, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(every_key),
        cmocka_unit_test(a_cpu_for_all_or_for_each),
        cmocka_unit_test(words_as_grub_writes_them),
        cmocka_unit_test(devices),
        cmocka_unit_test(bad_values),
        cmocka_unit_test(bad_devices),
        cmocka_unit_test(many_devices),
        cmocka_unit_test(bad_lengths),
        cmocka_unit_test(several_vms),
        cmocka_unit_test(others_are_kept),
        cmocka_unit_test(one_device_two_vms),
        cmocka_unit_test(reasons),
        cmocka_unit_test(initrds),
        cmocka_unit_test(initrds_with_strings),
        cmocka_unit_test(more_than_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
