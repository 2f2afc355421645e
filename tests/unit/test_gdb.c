/* SPDX-License-Identifier: MIT */
/*
 * Packets to and from a debugger, right and wrong ones, and what they do to a VM of two vCPUs.
 */
// sources: monitor/gdb/line.c monitor/gdb/regs.c monitor/gdb/target.c monitor/memory.c
// sources: guest/insn/gwalk.c lib/parse.c lib/text.c
#include <stdint.h>
#include <stdio.h>
#include "lib/elf.h"
#include "tests/unit/gdb_stubs.h"
#include "tests/unit/stubs.h"
#include "tests/unit/test.h"
#include "vmx/caps.h"
#include "vmx/vcpu/debug.h"

/* The line as it is; what is said in answer. */
static const char *typed(const char *line)
{
    world.said_length = 0;
    world.said[0] = '\0';
    world_type((const uint8_t *)line, strlen(line));
    return world.said;
}

static const char *packet_of(const char *text)
{
    static char packet[4096];
    unsigned sum = 0;
    for (const char *c = text; *c; c++)
        sum += (uint8_t)*c;
    snprintf(packet, sizeof(packet), "$%s#%02x", text, sum & 0xff);
    return packet;
}

/* A packet; the answer without its frame. "" is the empty one, NULL: none has come. */
static const char *ask(const char *text)
{
    static char answer[GDB_PACKET_MAX + 8];
    const char *said = typed(packet_of(text));
    assert_int_equal(said[0], '+');
    if (!said[1])
        return NULL;
    const char *end = strchr(said, '#');
    assert_non_null(end);
    assert_int_equal(said[1], '$');
    snprintf(answer, sizeof(answer), "%.*s", (int)(end - said - 2), said + 2);
    assert_string_equal(said + 1, packet_of(answer));
    return answer;
}

FIXTURE(attached)
{
    world_begin(64);
    assert_non_null(strstr(ask("qSupported:swbreak+"), "PacketSize=800"));
    return 0;
}

TEST(noise_is_passed_over)
{
    assert_string_equal(typed("hello? #00 + \x7f\xff"), "");
    assert_string_equal(typed("$?#00"), "-");                            /* a wrong sum */
    assert_string_equal(typed("$?#zz"), "-");                            /* none */
    assert_string_equal(typed("$half a pac$?#3f"), "+$T05thread:1;#d7"); /* its end was lost */
    assert_string_equal(typed("-"), "$T05thread:1;#d7");                 /* once more, please */
    assert_string_equal(ask("x marks"), "");
    assert_string_equal(ask(""), "");
}

TEST(a_packet_has_an_end)
{
    static char longest[3 * GDB_PACKET_MAX];
    memset(longest, 'm', sizeof(longest) - 1);
    longest[0] = '$';
    world_type((const uint8_t *)longest, strlen(longest));
    assert_string_equal(typed("#00"), "-");
    assert_string_equal(ask("qC"), "");
    memset(longest, '0', GDB_PACKET_MAX); /* as long as one may be */
    longest[0] = 'm';
    longest[GDB_PACKET_MAX] = '\0';
    assert_string_equal(ask(longest), "E01");
}

TEST(memory_is_guest_memory_only)
{
    assert_string_equal(ask("M100,3:c0ffee"), "OK");
    assert_memory_equal(world.ram + 0x100, "\xc0\xff\xee\x90", 4);
    assert_string_equal(ask("m100,4"), "c0ffee90");
    assert_string_equal(ask("m3ffe,8"), "9090"); /* as far as there is any */
    assert_string_equal(ask("m4000,1"), "E01");
    assert_string_equal(ask("mffffffffffffffff,ffffffffffffffff"), "E01");
    assert_string_equal(ask("M3fff,2:0000"), "E01");
    assert_string_equal(ask("M100,3:00"), "E01");
    assert_string_equal(ask("M100,ffffffffffffffff:00"), "E01");
    assert_string_equal(ask("m11112222333344445,1"), "E01");
    assert_string_equal(ask("m100"), "E01");
    assert_int_equal(strlen(ask("m0,ffff")), GDB_PACKET_MAX); /* what an answer holds */
}

/* Which number a register has: its place in the description. */
static unsigned number_of(const char *name)
{
    char wanted[32];
    unsigned n = 0;
    snprintf(wanted, sizeof(wanted), "<reg name=\"%s\"", name);
    char all[8192] = "";
    for (size_t offset = 0;; offset += 1000) {
        char question[64];
        snprintf(question, sizeof(question), "qXfer:features:read:target.xml:%zx,3e8", offset);
        const char *part = ask(question);
        strcat(all, part + 1);
        if (*part == 'l')
            break;
    }
    assert_non_null(strstr(all, "</target>"));
    for (const char *at = strstr(all, "<reg name"); at; at = strstr(at + 1, "<reg name"), n++)
        if (strncmp(at, wanted, strlen(wanted)) == 0)
            return n;
    fail_msg("%s is not described", name);
    return 0;
}

static const char *set(const char *name, const char *value)
{
    char text[96];
    snprintf(text, sizeof(text), "P%x=%s", number_of(name), value);
    return ask(text);
}

static const char *get(const char *name)
{
    char text[16];
    snprintf(text, sizeof(text), "p%x", number_of(name));
    return ask(text);
}

TEST(registers_of_a_64_bit_guest)
{
    *world_field(0, GUEST_CS_SELECTOR) = 8;
    assert_string_equal(set("r15", "8877665544332211"), "OK");
    assert_int_equal(world.vcpus[0].regs.gpr[R15], 0x1122334455667788);
    assert_string_equal(set("rip", "0010000000000000"), "OK");
    assert_string_equal(get("rip"), "0010000000000000");
    assert_string_equal(set("eflags", "ffffffff"), "OK"); /* not VM, IOPL yes; reserved bits no */
    assert_int_equal(*world_field(0, GUEST_RFLAGS), 0x3d7fd7);
    assert_string_equal(get("cs"), "08000000");
    assert_string_equal(set("cs", "08000000"), "OK");
    assert_string_equal(set("cs", "10000000"), "E01");
    assert_string_equal(set("mxcsr", "80ff0100"), "E01"); /* it would fault when it is loaded */
    assert_string_equal(set("xmm15", "000102030405060708090a0b0c0d0e0f"), "OK");
    assert_int_equal(world.fpu[0][160 + 15 * 16 + 15], 0xf);
    assert_int_equal(world.fpu[0][512], 3); /* not in its initial state any more */
    assert_string_equal(get("ftag"), "xxxxxxxx");
    assert_string_equal(ask("pffff"), "E01");
    assert_string_equal(ask("p11111111111111111"), "E01");
    assert_int_equal(strlen(ask("g")), 2 * (17 * 8 + 7 * 4 + 80 + 8 * 4 + 256 + 4 + 16));
}

TEST(registers_of_a_32_bit_guest)
{
    world_begin(32);
    assert_non_null(ask("qSupported"));
    assert_string_equal(set("edi", "78563412"), "OK");
    assert_int_equal(world.vcpus[0].regs.gpr[RDI], 0x12345678);
    assert_int_equal(number_of("eip"), 8);
    assert_int_equal(strlen(ask("g")), 2 * (9 * 4 + 7 * 4 + 80 + 8 * 4 + 128 + 4));
    char all[1024];
    snprintf(all, sizeof(all), "G01020304%s", ask("g") + 8);
    assert_string_equal(ask(all), "OK");
    assert_int_equal(world.vcpus[0].regs.gpr[RAX], 0x04030201);
    assert_string_equal(ask("G0102"), "E01");
}

/* The architecture that the description names; it is compatible with both kinds of files. */
static const char *architecture(void)
{
    static char name[32];
    const char *all = ask("qXfer:features:read:target.xml:0,200");
    const char *from = strstr(all, "<architecture>") + strlen("<architecture>");
    assert_non_null(strstr(all, "<compatible>i386</compatible>"));
    assert_non_null(strstr(all, "<compatible>i386:x86-64</compatible>"));
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(from, "<"), from);
    return name;
}

static char *kept;
static void keep_line(const char *line, size_t length)
{
    snprintf(kept, 256, "%.*s", (int)length, line);
}

/* The command of the monitor; its answer. */
static const char *mode(const char *word)
{
    static char said[256];
    struct args a = {.words = {(char *)(uintptr_t)word}};
    *said = '\0';
    console_copy = keep_line;
    kept = said;
    cmd_mode(&a);
    console_copy = NULL;
    return said;
}

TEST(shown_as_the_cpu_runs)
{
    world_begin(16);
    assert_non_null(ask("qSupported"));
    assert_string_equal(architecture(), "i8086");
    world.bits = 32;
    assert_non_null(ask("vCont?"));
    assert_int_equal(strlen(ask("g")), 2 * (9 * 4 + 7 * 4 + 80 + 8 * 4 + 128 + 4));
    assert_string_equal(mode(NULL), "cpu=32 shown=16; to see it so: unset tdesc filename");
    assert_string_equal(architecture(), "i386");
    assert_string_equal(mode(NULL), "cpu=32 shown=32");
    world.bits = 64; /* a later part is of the same description */
    assert_null(strstr(ask("qXfer:features:read:target.xml:200,700"), "rax"));
}

/* When it stops in another mode, a line comes before the reason of the stop. */
TEST(a_changed_mode_is_told)
{
    world_begin(32);
    assert_non_null(ask("qSupported"));
    assert_null(ask("vCont;s:1"));
    assert_true(world_happens(0, DEBUG_STEP, 0));
    assert_string_equal(typed(""), packet_of("T05thread:1;"));
    assert_null(ask("vCont;s:2"));
    world.bits = 64;
    assert_true(world_happens(1, DEBUG_STEP, 0));
    const char *said = typed("");
    assert_int_equal(strncmp(said, "$O746865204350552072756e732036342d626974", 40), 0);
    assert_non_null(strstr(said, packet_of("T05thread:2;")));
    assert_string_equal(typed("-"), packet_of("T05thread:2;")); /* only that once more */
    assert_string_equal(mode("32"), "cpu=64 shown=32");         /* as it is wanted now */
}

/* Breakpoints of a file of 64 bits have addresses of 64 bits. */
TEST(a_file_of_64_bits)
{
    static const struct {
        struct elf_ident ident;
    } file = {{.magic = ELF_MAGIC, .class = ELF_CLASS64}};
    static const struct boot_module kernel = {.data = (const void *)&file, .size = sizeof(file)};
    world_begin(32);
    world.vm.config.kernel = &kernel;
    assert_non_null(ask("qSupported"));
    assert_string_equal(architecture(), "i386:x86-64");
    assert_string_equal(mode("cpu"), "cpu=32 shown=64; to see it so: unset tdesc filename");
    assert_string_equal(architecture(), "i386");
}

TEST(rip_is_a_linear_address)
{
    world_begin(16);
    world.cs_base = 0x7c00;
    assert_non_null(ask("qSupported"));
    *world_field(0, GUEST_RIP) = 0x12;
    assert_string_equal(get("eip"), "127c0000");
    assert_string_equal(set("eip", "207c0000"), "OK");
    assert_int_equal(*world_field(0, GUEST_RIP), 0x20);
    assert_string_equal(set("eip", "00000000"), "OK"); /* below the base: still of 32 bits */
    assert_int_equal(*world_field(0, GUEST_RIP), 0xffff8400);
}

TEST(bars_only_if_it_is_said)
{
    world.bar[0] = 0x1122334455667788;
    world.bar[1] = 0x99;
    assert_string_equal(ask("m10000,4"), "E01");
    struct args on = {.words = {"on"}}, off = {.words = {"off"}};
    cmd_bars(&on);
    assert_string_equal(ask("m10000,4"), "88776655");
    assert_string_equal(ask("m10000,8"), "8877665544332211");
    assert_string_equal(ask("m10001,2"), "7766");
    assert_string_equal(ask("m1000e,8"), "0000"); /* as far as there is any */
    assert_string_equal(ask("M10000,1:00"), "E01");
    cmd_bars(&off);
    assert_string_equal(ask("m10000,4"), "E01");
    cmd_bars(&on);
    assert_non_null(ask("qSupported")); /* the next debugger has to say it, too */
    assert_string_equal(ask("m10000,4"), "E01");
}

/* gdb=PORT,wait,*: a debugger that has gone gets the next one, when it comes again. */
TEST(one_after_the_other)
{
    static struct vm other;
    strcpy(options.gdb_vm, "*");
    options.gdb_wait = true;
    world_begin(64);
    other = world.vm;
    other.index = 1;
    world.next = &other;
    assert_true(vm_hooks.hold(&other));
    assert_non_null(ask("qSupported"));
    assert_ptr_equal(target_vm(), &world.vm);
    assert_non_null(ask("qSupported")); /* the line was lost: it is still this one */
    assert_ptr_equal(target_vm(), &world.vm);
    assert_string_equal(ask("vKill;1"), "OK");
    assert_int_equal(other.state, VM_PAUSED);
    assert_non_null(ask("qSupported"));
    assert_ptr_equal(target_vm(), &other);
    assert_string_equal(ask("D"), "OK");
    assert_int_equal(other.state, VM_RUNNING);
    assert_non_null(ask("qSupported"));
    assert_ptr_equal(target_vm(), &other); /* there is no more */
    *options.gdb_vm = '\0';
    options.gdb_wait = false;
}

TEST(int3_is_there_only_while_it_runs)
{
    assert_string_equal(ask("Z0,200,1"), "OK");
    assert_string_equal(ask("Z0,200,1"), "OK");
    assert_string_equal(ask("Z0,5000,1"), "E01");
    assert_int_equal(world.ram[0x200], 0x90);
    assert_null(ask("vCont;c"));
    assert_int_equal(world.vm.state, VM_RUNNING);
    assert_int_equal(world.ram[0x200], 0xcc);
    assert_true(world.armed[0].int3 && world.armed[1].int3);
    assert_string_equal(typed(packet_of("g")), "+$E01#a6"); /* not now */
    *world_field(1, GUEST_RIP) = 0x201;
    assert_false(world_happens(1, DEBUG_INT3, 0)); /* the guest's own */
    *world_field(1, GUEST_RIP) = 0x200;
    assert_true(world_happens(1, DEBUG_INT3, 0));
    assert_string_equal(typed(""), packet_of("T05thread:2;"));
    assert_int_equal(world.ram[0x200], 0x90);
    assert_false(world.armed[0].int3);
    assert_string_equal(get("rip"), "0002000000000000"); /* of the one that stopped */
    assert_string_equal(ask("z0,200,1"), "OK");
    assert_string_equal(ask("z0,200,1"), "E01");
}

TEST(what_the_guest_wrote_stays)
{
    assert_string_equal(ask("Z0,200,1"), "OK");
    assert_null(ask("vCont;c"));
    world.ram[0x200] = 0x55;
    assert_string_equal(typed("\x03"), packet_of("T02thread:1;"));
    assert_int_equal(world.ram[0x200], 0x55);
}

TEST(four_debug_registers)
{
    assert_string_equal(ask("Z2,100,4"), "OK");
    assert_string_equal(ask("Z4,108,8"), "OK");
    assert_string_equal(ask("Z3,110,2"), "OK");
    assert_string_equal(ask("Z1,120,1"), "OK");
    assert_string_equal(ask("Z2,130,1"), "E01"); /* there is no fifth */
    assert_string_equal(ask("z2,100,8"), "E01");
    assert_null(ask("vCont;c"));
    assert_int_equal(world.armed[1].dr[1], 0x108);
    assert_int_equal(world.armed[1].dr7, 0x07bd0055); /* SDM's LEN and R/W of each, and L0 to L3 */
    assert_true(world_happens(0, DEBUG_REGISTER, 1));
    assert_true(world_happens(1, DEBUG_REGISTER, 0)); /* at the same time */
    assert_string_equal(typed(""), packet_of("T05awatch:108;thread:1;"));
    assert_string_equal(ask("vCont;c"), "T05watch:100;thread:2;");
    assert_string_equal(ask("z2,100,4"), "OK");
    assert_string_equal(ask("Z2,101,2"), "E01"); /* not aligned */
    assert_string_equal(ask("Z2,100,3"), "E01");
    assert_string_equal(ask("Z2,100,0"), "E01");
    assert_string_equal(ask("Z5,100,1"), "");
    assert_string_equal(ask("Z"), "");
}

TEST(one_steps_the_other_rests)
{
    assert_string_equal(ask("qfThreadInfo"), "m1,2");
    assert_string_equal(ask("T2"), "OK");
    assert_string_equal(ask("T3"), "E01");
    assert_string_equal(ask("Hg2"), "OK");
    assert_string_equal(ask("Hg3"), "E01");
    assert_string_equal(ask("H"), "E01");
    assert_null(ask("vCont;s:2"));
    assert_true(world.armed[1].step && !world.armed[0].step);
    assert_true(world_happens(1, DEBUG_STEP, 0));
    assert_string_equal(typed(""), packet_of("T05thread:2;"));
    assert_null(ask("vCont;S05:1;c"));
    assert_true(world.armed[0].step && !world.armed[1].step);
    (void)typed("\x03");
    assert_string_equal(ask("vCont;x"), "E01");
    assert_string_equal(ask("vCont;c:9"), "E01");
    assert_string_equal(ask("vCont;"), "E01");
}

TEST(ends)
{
    assert_null(ask("vCont;c"));
    vm_end(&world.vm, 7);
    assert_string_equal(typed(""), packet_of("W03"));
    assert_string_equal(typed(packet_of("g")), "+$E01#a6");
    attached(NULL);
    assert_null(ask("vCont;c"));
    assert_true(world_happens(0, DEBUG_CRASH, 0)); /* looked at first */
    assert_string_equal(typed(""), packet_of("T0bthread:1;"));
    assert_non_null(ask("g"));
    assert_string_equal(ask("vCont;c"), "X0b");
    attached(NULL);
    assert_string_equal(ask("vKill;1"), "OK");
    assert_int_equal(world.vm.state, VM_ENDED);
}

TEST(a_debugger_comes_and_goes)
{
    assert_string_equal(ask("Z0,200,1"), "OK");
    assert_string_equal(ask("D"), "OK");
    assert_int_equal(world.vm.state, VM_RUNNING);
    assert_int_equal(world.ram[0x200], 0x90);
    assert_string_equal(typed(packet_of("?")), "+$E01#a6"); /* who is that? */
    assert_int_equal(world.vm.state, VM_RUNNING);
    assert_false(world_happens(0, DEBUG_CRASH, 0));
    assert_non_null(ask("qSupported"));
    assert_int_equal(world.vm.state, VM_PAUSED);
    assert_string_equal(ask("qRcmd,766d"), "766d0a"); /* "vm", which says its own name here */
    assert_string_equal(ask("qRcmd,7"), "OK");
    assert_string_equal(ask("qRcmd,zz"), "E01");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(noise_is_passed_over, attached),
        cmocka_unit_test_setup(a_packet_has_an_end, attached),
        cmocka_unit_test_setup(memory_is_guest_memory_only, attached),
        cmocka_unit_test_setup(registers_of_a_64_bit_guest, attached),
        cmocka_unit_test_setup(registers_of_a_32_bit_guest, attached),
        cmocka_unit_test(shown_as_the_cpu_runs),
        cmocka_unit_test(a_changed_mode_is_told),
        cmocka_unit_test(a_file_of_64_bits),
        cmocka_unit_test(rip_is_a_linear_address),
        cmocka_unit_test_setup(bars_only_if_it_is_said, attached),
        cmocka_unit_test(one_after_the_other),
        cmocka_unit_test_setup(int3_is_there_only_while_it_runs, attached),
        cmocka_unit_test_setup(what_the_guest_wrote_stays, attached),
        cmocka_unit_test_setup(four_debug_registers, attached),
        cmocka_unit_test_setup(one_steps_the_other_rests, attached),
        cmocka_unit_test_setup(ends, attached),
        cmocka_unit_test_setup(a_debugger_comes_and_goes, attached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
