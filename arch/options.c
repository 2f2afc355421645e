/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's command line: words of the form key=value, one table of keys.
 * From: boot/main.c.   Contract and list of keys: arch/options.h.
 */
#define LOG "options"
#include "arch/options.h"
#include "lib/bits.h"
#include "arch/log.h"
#include "lib/string.h"

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
    .x2apic = true,
    .end = END_POWEROFF,
};

struct text {
    const char *s;
    size_t length;
};

static bool is(struct text t, const char *word)
{
    return strlen(word) == t.length && strncmp(t.s, word, t.length) == 0;
}

/* The index of the word in a list that ends with NULL. */
static int set_choice(struct text value, const char *const words[], uint8_t *out)
{
    for (uint8_t i = 0; words[i]; i++)
        if (is(value, words[i])) {
            *out = i;
            return 0;
        }
    return -EINVAL;
}

static int set_bool(struct text value, const char *no, const char *yes, bool *out)
{
    const char *const words[] = {no, yes, NULL};
    uint8_t n;
    if (set_choice(value, words, &n) < 0)
        return -EINVAL;
    *out = n;
    return 0;
}

static int set_switch(struct text value, bool *out) { return set_bool(value, "off", "on", out); }

static int set_number(struct text value, uint64_t min, uint64_t max, uint64_t *out)
{
    uint64_t v;
    if (parse_u64(value.s, value.length, &v) < 0 || v < min || v > max)
        return -EINVAL;
    *out = v;
    return 0;
}

static int console_port(struct text name, uint64_t *port)
{
    *port = is(name, "com1") ? COM1 : is(name, "com2") ? COM2 : 0;
    if (*port != 0 || is(name, "off"))
        return 0;
    return set_number(name, 1, 0xfff8, port);
}

/* Takes the text up to the next comma, and the comma, off `rest`; false: there is none. */
static bool next_part(struct text *rest, struct text *part)
{
    if (!rest->s)
        return false;
    *part = (struct text){rest->s, 0};
    while (part->length < rest->length && part->s[part->length] != ',')
        part->length++;
    bool last = part->length == rest->length;
    *rest = (struct text){last ? NULL : part->s + part->length + 1,
                          rest->length - part->length - !last};
    return true;
}

static int set_console(struct text value)
{
    uint64_t port, speed = DEFAULT_SPEED;
    struct text part;
    if (!next_part(&value, &part) || console_port(part, &port) < 0)
        return -EINVAL;
    if (next_part(&value, &part) && (value.s || set_number(part, 50, DEFAULT_SPEED, &speed) < 0))
        return -EINVAL;
    options.console_port = (uint16_t)port;
    options.console_speed = (uint32_t)speed;
    return 0;
}

static int set_gdb(struct text value)
{
    uint64_t port;
    struct text part;
    if (!next_part(&value, &part) || console_port(part, &port) < 0)
        return -EINVAL;
    bool more = next_part(&value, &part), wait = more && is(part, "wait");
    if (wait)
        more = next_part(&value, &part);
    if (more && (value.s || !part.length || part.length >= sizeof(options.gdb_vm)))
        return -EINVAL;
    memset(options.gdb_vm, 0, sizeof(options.gdb_vm));
    memcpy(options.gdb_vm, part.s, more ? part.length : 0);
    options.gdb_port = (uint16_t)port;
    options.gdb_wait = wait;
    return 0;
}

static int set_log(struct text value)
{
    static const char *const words[] = {
        [LOG_ERROR] = "error", [LOG_INFO] = "info", [LOG_TRACE] = "trace", NULL};
    return set_choice(value, words, &options.log);
}

static int set_post(struct text value)
{
    static const char *const words[] = {
        [POST_OFF] = "off", [POST_SW] = "sw", [POST_HW] = "hw", NULL};
    return set_choice(value, words, &options.post);
}

static int set_inv(struct text value)
{
    static const char *const words[] = {[INV_QI] = "qi", [INV_REG] = "reg", NULL};
    return set_choice(value, words, &options.inv);
}

static int set_end(struct text value)
{
    static const char *const words[] = {
        [END_POWEROFF] = "poweroff", [END_HALT] = "halt", [END_REBOOT] = "reboot", NULL};
    return set_choice(value, words, &options.end);
}

static int set_rmrr(struct text value)
{
    return set_bool(value, "refuse", "map", &options.rmrr_map);
}

static int set_cpus(struct text value)
{
    uint64_t n;
    if (set_number(value, 0, UINT32_MAX, &n) < 0)
        return -EINVAL;
    options.cpus = (uint32_t)n;
    return 0;
}

static int set_identity(struct text value)
{
    uint64_t size;
    if (set_number(value, 18 << 20, UINT64_C(2) << 30, &size) < 0 || size % (2 << 20))
        return -EINVAL;
    options.identity = size;
    return 0;
}

static int set_ktest(struct text value)
{
    if (value.length == 0 || value.length >= sizeof(options.ktest))
        return -EINVAL;
    memcpy(options.ktest, value.s, value.length);
    options.ktest[value.length] = '\0';
    return 0;
}

static int set_hide(struct text value)
{
    if (options.hidden_count == OPTIONS_DEVICE_MAX ||
        parse_bdf(value.s, value.length, &options.hidden[options.hidden_count]) < 0)
        return -EINVAL;
    options.hidden_count++;
    return 0;
}

static int set_vfs(struct text value)
{
    unsigned n = options.vfs_count;
    struct text pf;
    uint64_t count;
    if (n == OPTIONS_DEVICE_MAX || !next_part(&value, &pf) ||
        parse_bdf(pf.s, pf.length, &options.vfs[n].bdf) < 0 ||
        set_number(value, 1, 256, &count) < 0)
        return -EINVAL;
    options.vfs[n].count = (unsigned)count;
    options.vfs_count++;
    return 0;
}

static int set_trace(struct text value) { return set_switch(value, &options.trace); }
static int set_vtd(struct text value) { return set_switch(value, &options.vtd); }
static int set_ir(struct text value) { return set_switch(value, &options.ir); }
static int set_apicv(struct text value) { return set_switch(value, &options.apicv); }
static int set_x2apic(struct text value) { return set_switch(value, &options.x2apic); }

static const struct {
    const char *key;
    int (*set)(struct text value);
} keys[] = {
    {"console", set_console}, {"log", set_log},       {"vtd", set_vtd},
    {"ir", set_ir},           {"post", set_post},     {"inv", set_inv},
    {"apicv", set_apicv},     {"x2apic", set_x2apic}, {"end", set_end},
    {"cpus", set_cpus},       {"ktest", set_ktest},   {"rmrr", set_rmrr},
    {"hide", set_hide},       {"vfs", set_vfs},       {"identity", set_identity},
    {"trace", set_trace},     {"gdb", set_gdb},
};

static int parse_word(struct text word)
{
    struct text key = {word.s, 0};
    while (key.length < word.length && key.s[key.length] != '=')
        key.length++;
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        if (!is(key, keys[i].key))
            continue;
        struct text value = {word.s + key.length, word.length - key.length};
        if (value.length > 0) { /* the '=' */
            value.s++;
            value.length--;
        }
        if (keys[i].set(value) == 0)
            return 0;
        return FAIL(EINVAL, "bad value: %s=%.*s", keys[i].key, (int)value.length, value.s);
    }
    return FAIL(EINVAL, "unknown option: %.*s", (int)word.length, word.s);
}

int options_parse(const char *cmdline)
{
    int err = 0;
    for (const char *s = cmdline; *s != '\0';) {
        struct text word = {s, 0};
        while (word.s[word.length] != '\0' && word.s[word.length] != ' ')
            word.length++;
        if (word.length > 0 && parse_word(word) < 0)
            err = -EINVAL;
        s = word.s + word.length;
        if (*s == ' ')
            s++;
    }
    return err;
}
