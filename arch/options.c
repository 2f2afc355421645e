/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's command line: a table of keys, and the few values that have several parts.
 * From: boot/main.c (options_parse), everywhere (options).   To: lib/option.c (the kinds of
 * values).
 * Contract: arch/options.h.
 */
#include "arch/options.h"
#include "lib/option.h"
#include "lib/parse.h"
#include "lib/string.h"
#define LOG "options"
#include "arch/log.h"

#define COM1          0x3f8
#define COM2          0x2f8
#define DEFAULT_SPEED 115200

struct options options = {
    .console_port = COM1,
    .console_speed = DEFAULT_SPEED,
    .log = LOG_INFO,
    .vtd = true,
    .ir = true,
    .post = POST_HW,
    .inv = INV_QI,
    .apicv = true,
    .ipiv = true,
    .mitigations = true,
    .x2apic = true,
};

#define FIELD(member) OPTION_FIELD(struct options, member)

/* com1, com2, off or 0xPORT */
static const char *set_port(const struct option *row, uint16_t *port, const char *name)
{
    uint64_t v = !strcmp(name, "com1") ? COM1 : !strcmp(name, "com2") ? COM2 : 0;
    if (v == 0 && strcmp(name, "off") != 0 &&
        (parse_u64(name, strlen(name), &v) < 0 || v == 0 || v > 0xfff8))
        return row->why;
    *port = (uint16_t)v;
    return NULL;
}

/* auto, screen, pci, or a port; each with a SPEED behind it, or none */
static const char *set_console(const struct option *row, void *field, char *value)
{
    /* At 1200 baud the longest line takes 6 seconds: arch/watch.h lets a CPU wait for 20. */
    static const struct option speed = {"speed", option_number, FIELD(console_speed), .min = 1200,
                                        .max = DEFAULT_SPEED};
    struct options *o = field;
    char *baud = option_cut(value, ',');
    static const char *const words[] = {
        [CONSOLE_AUTO] = "auto", [CONSOLE_SCREEN] = "screen", [CONSOLE_PCI] = "pci"};
    const char *why = NULL;
    o->console = CONSOLE_AUTO;
    while (o->console < CONSOLE_PORT && strcmp(value, words[o->console]) != 0)
        o->console++;
    if (o->console == CONSOLE_PORT)
        why = set_port(row, &o->console_port, value);
    o->console_speed = DEFAULT_SPEED;
    return why || !baud ? why : option_set(&speed, o, baud);
}

/* PORT[,wait][,VM]; * for the VM: each of them */
static const char *set_gdb(const struct option *row, void *field, char *value)
{
    static const struct option name = {"vm", option_name, FIELD(gdb_vm), .min = 1};
    struct options *o = field;
    char *vm = option_cut(value, ',');
    o->gdb_wait = vm && (!strcmp(vm, "wait") || !strncmp(vm, "wait,", 5));
    if (o->gdb_wait)
        vm = option_cut(vm, ',');
    o->gdb_vm[0] = '\0';
    const char *why = set_port(row, &o->gdb_port, value);
    if (!why && vm && strcmp(vm, "*") == 0) {
        memcpy(o->gdb_vm, "*", 2);
        return NULL;
    }
    return why || !vm ? why : option_set(&name, o, vm);
}

static const char *add_hidden(const struct option *row, void *field, char *value)
{
    struct options *o = field;
    if (o->hidden_count == OPTIONS_DEVICE_MAX)
        return "more than 8 devices";
    return parse_bdf(value, &o->hidden[o->hidden_count++]) < 0 ? row->why : NULL;
}

/* BDF,N */
static const char *add_vfs(const struct option *row, void *field, char *value)
{
    static const struct option number = {"count", option_number, .size = sizeof(unsigned), .min = 1,
                                         .max = 256};
    struct options *o = field;
    char *count = option_cut(value, ',');
    if (o->vfs_count == OPTIONS_DEVICE_MAX)
        return "more than 8 devices";
    if (!count || parse_bdf(value, &o->vfs[o->vfs_count].bdf) < 0)
        return row->why;
    return option_set(&number, &o->vfs[o->vfs_count++].count, count);
}

#define PORTS    "not com1, com2, 0xPORT or off"
#define CONSOLES "not auto, screen, pci, com1, com2, 0xPORT or off"
static const struct option rows[] = {
    {"console", set_console, .why = CONSOLES},
    {"log", option_word, FIELD(log),
     OPTION_WORDS([LOG_ERROR] = "error", [LOG_INFO] = "info", [LOG_TRACE] = "trace")},
    {"vtd", option_word, FIELD(vtd), OPTION_WORDS("off", "on")},
    {"ir", option_word, FIELD(ir), OPTION_WORDS("off", "on")},
    {"post", option_word, FIELD(post),
     OPTION_WORDS([POST_OFF] = "off", [POST_SW] = "sw", [POST_HW] = "hw")},
    {"inv", option_word, FIELD(inv), OPTION_WORDS([INV_QI] = "qi", [INV_REG] = "reg")},
    {"rmrr", option_word, FIELD(rmrr_map), OPTION_WORDS("refuse", "map")},
    {"identity", option_size, FIELD(identity), .min = 18 << 20, .max = 2 * SIZE_1G,
     .why = "out of range 18M to 2G"},
    {"apicv", option_word, FIELD(apicv), OPTION_WORDS("off", "on")},
    {"ipiv", option_word, FIELD(ipiv), OPTION_WORDS("off", "on")},
    {"mitigations", option_word, FIELD(mitigations), OPTION_WORDS("off", "auto")},
    {"smt", option_word, FIELD(smt),
     OPTION_WORDS([SMT_AUTO] = "auto", [SMT_ON] = "on", [SMT_OFF] = "off")},
    {"x2apic", option_word, FIELD(x2apic), OPTION_WORDS("off", "on")},
    {"hide", add_hidden, .why = "not bus:device.function"},
    {"vfs", add_vfs, .why = "not bus:device.function,number"},
    {"cpus", option_number, FIELD(cpus), .max = UINT32_MAX},
    {"end", option_word, FIELD(end),
     OPTION_WORDS([END_AUTO] = "auto", [END_POWEROFF] = "poweroff", [END_HALT] = "halt",
                  [END_REBOOT] = "reboot", [END_MONITOR] = "monitor", [END_KEY] = "key")},
    {"screen", option_word, FIELD(draw), OPTION_WORDS("lines", "draw")},
    {"check", option_word, FIELD(check), OPTION_WORDS("off", "on")},
    {"trace", option_word, FIELD(trace), OPTION_WORDS("off", "on")},
    {"report", option_number, FIELD(report), .max = UINT16_MAX},
    {"gdb", set_gdb, .why = PORTS},
    {"ktest", option_text, FIELD(ktest), .min = 1, .why = "a name has 1 to 39 characters"},
    {.key = NULL},
};

/* All setters of a row work on a copy, which replaces `options` only if the value was good. */
static int parse_word(char *word)
{
    struct options changed = options;
    char *value = option_cut(word, '=');
    const struct option *row = option_find(rows, word);
    const char *why = row ? option_set(row, &changed, value) : "unknown option";
    if (why)
        return FAIL(EINVAL, "%s: %s%s%s", why, word, value ? "=" : "", value ? value : "");
    options = changed;
    return 0;
}

int options_parse(const char *cmdline)
{
    char word[OPTION_WORD_MAX];
    int err = 0;
    for (;;) {
        const char *start = cmdline, *why = option_next(&cmdline, word);
        if (why)
            return FAIL(EINVAL, "%s: %.64s", why, start);
        if (!word[0])
            return err;
        if (parse_word(word) < 0)
            err = -EINVAL;
    }
}
