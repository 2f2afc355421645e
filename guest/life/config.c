/* SPDX-License-Identifier: MIT */
/*
 * Module lines into struct vm_config: words, then keys, each key a row of a table.
 * Pure. Whatever is wrong with a line becomes one message that names module, key and value, and costs
 * its VM only.
 * From: guest/life/create.c (vm_create_all).   To: lib/parse.c (numbers).   Contract: guest/core/config.h.
 */
#include "guest/life/config.h"
#include "lib/bits.h"
#include "lib/string.h"
#define LOG "config"
#include "arch/log.h"
#include "lib/printf.h"

#define WORD_MAX    768
#define MEM_DEFAULT (UINT64_C(64) << 20)
#define MEM_MAX     (UINT64_C(1) << 40)
#define RUN_MAX     1000000000
#define VCPU_LIMIT  8
#define PIN_LIMIT   63
#define TIMEOUT_MAX 86400
#define KILLS_MAX   100000

/* What one module's line says; `vm` is meaningful for a kernel only. */
struct line {
    size_t module;
    enum { LINE_KERNEL, LINE_INITRD, LINE_ACPI } kind;
    struct vm_config vm;
    uint32_t seen; /* keys, by their row */
};

/* --- Words ------------------------------------------------------------------------------------- */

/* Take the next word of *at into `word`, as a shell would: blanks divide, "..." keeps them, a backslash
 * takes the next character as it is. (GRUB hands an argument with a blank over as "cmdline=a b".)
 * NULL when there was one or the line is over (then *word is empty); otherwise what is wrong. */
static const char *next_word(const char **at, char word[WORD_MAX])
{
    const char *s = *at;
    size_t n = 0;
    bool quoted = false;
    while (*s == ' ' || *s == '\t')
        s++;
    for (; *s && (quoted || (*s != ' ' && *s != '\t')); s++) {
        if (*s == '"') {
            quoted = !quoted;
            continue;
        }
        if (*s == '\\' && s[1])
            s++;
        if (n == WORD_MAX - 1)
            return "a word is too long";
        word[n++] = *s;
    }
    word[n] = '\0';
    *at = s;
    return quoted ? "a quotation mark is not closed" : NULL;
}

/* --- Values: each returns NULL, or what is wrong with the value --------------------------------- */

static const char *number(const char *s, unsigned min, unsigned max, unsigned *out)
{
    uint64_t v;
    if (parse_u64(s, strlen(s), &v) < 0)
        return "not a number";
    if (v < min || v > max)
        return "out of range";
    *out = (unsigned)v;
    return NULL;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

/* Narrow, because the name stands in front of what the guest prints and in the report. */
static const char *set_name(struct vm_config *vm, const char *value)
{
    size_t n = strlen(value);
    if (n == 0 || n > CONFIG_NAME_MAX)
        return "a name has 1 to 15 characters";
    for (size_t i = 0; i < n; i++)
        if (!is_name_char(value[i]))
            return "a name is made of letters, digits, - and _";
    memcpy(vm->name, value, n + 1);
    return NULL;
}

static const char *set_mem(struct vm_config *vm, const char *value)
{
    uint64_t v;
    if (parse_u64(value, strlen(value), &v) < 0)
        return "not a size such as 64M";
    if (v < SIZE_2M || v > MEM_MAX)
        return "out of range 2M to 1024G";
    if (!IS_ALIGNED(v, SIZE_2M))
        return "not a multiple of 2M";
    vm->mem = v;
    return NULL;
}

static const char *set_vcpus(struct vm_config *vm, const char *value)
{
    return number(value, 1, VCPU_LIMIT, &vm->vcpus);
}

static const char *set_pin(struct vm_config *vm, const char *value)
{
    unsigned cpu = 0;
    const char *why = number(value, 0, PIN_LIMIT, &cpu);
    vm->pin = (int)cpu;
    return why;
}

static const char *set_run(struct vm_config *vm, const char *value)
{
    return number(value, 1, RUN_MAX, &vm->run);
}

static const char *set_timeout(struct vm_config *vm, const char *value)
{
    return number(value, 1, TIMEOUT_MAX, &vm->timeout);
}

static const char *set_kills(struct vm_config *vm, const char *value)
{
    return number(value, 1, KILLS_MAX, &vm->kills);
}

static const char *set_cmdline(struct vm_config *vm, const char *value)
{
    size_t n = strlen(value);
    if (n >= sizeof(vm->cmdline))
        return "longer than 511 characters";
    memcpy(vm->cmdline, value, n + 1);
    return NULL;
}

/* --- Devices ----------------------------------------------------------------------------------- */

/* At most four hexadecimal digits; moves *s behind them. */
static bool parse_hex16(const char **s, uint16_t *out)
{
    unsigned v;
    size_t n = parse_hex(*s, strlen(*s), 4, &v);
    *s += n;
    *out = (uint16_t)v;
    return n > 0;
}

/* vendor:device, and #n for the n-th of its kind, counted from 0 */
static bool parse_id(const char *s, struct device_config *d)
{
    uint64_t nth = 0;
    if (!parse_hex16(&s, &d->vendor) || *s++ != ':' || !parse_hex16(&s, &d->device))
        return false;
    if (*s == '#') {
        s++;
        if (parse_u64(s, strlen(s), &nth) < 0 || nth > 255)
            return false;
        s += strlen(s);
    }
    d->by_id = true;
    d->nth = (unsigned)nth;
    return *s == '\0';
}

const char *const unsafe_names[UNSAFE_COUNT + 1] = {
    [UNSAFE_NO_RESET] = "no-reset", [UNSAFE_GROUP] = "group", [UNSAFE_RMRR] = "rmrr",
    [UNSAFE_CONSOLE] = "console",   [UNSAFE_VFS] = "vfs",     [UNSAFE_HIDDEN] = "hidden",
};
const char *const dma_mode_names[] = {
    [DMA_VTD] = "vtd", [DMA_PV] = "pv", [DMA_IDENTITY] = "identity", NULL};

/* The words that follow the device's address: where each is stored, as the index in its list. */
enum { OPTION_PLAN, OPTION_BAR, OPTION_DMA, OPTION_IRQ, OPTION_ROM, OPTION_UNSAFE };
static const struct {
    const char *key;
    const char *const *values;
} device_options[] = {
    [OPTION_PLAN] = {"plan", (const char *const[]){"A", "B", "C", "D", NULL}},
    [OPTION_BAR] = {"bar", (const char *const[]){"eager", "lazy", NULL}},
    [OPTION_DMA] = {"dma", dma_mode_names},
    [OPTION_IRQ] = {"irq", (const char *const[]){"post", "remap", "inject", NULL}},
    [OPTION_ROM] = {"rom", (const char *const[]){"off", "on", NULL}},
    [OPTION_UNSAFE] = {"unsafe", unsafe_names},
};

static void set_device_option(struct device_config *d, size_t option, unsigned value)
{
    switch (option) {
    case OPTION_PLAN:
        d->plan = (enum plan)value;
        break;
    case OPTION_BAR:
        d->bar = (enum bar_mapping)value;
        break;
    case OPTION_DMA:
        d->dma = (enum dma_mode)value;
        break;
    case OPTION_IRQ:
        d->irq = (enum irq_mode)value;
        break;
    case OPTION_ROM:
        d->rom = value;
        break;
    case OPTION_UNSAFE:
        d->unsafe |= 1u << value;
        break;
    }
}

static const char *device_option(struct device_config *d, const char *text)
{
    const char *value = strchr(text, '=');
    size_t key_length = value ? (size_t)(value - text) : 0;
    for (size_t i = 0; value && i < ARRAY_COUNT(device_options); i++) {
        if (strlen(device_options[i].key) != key_length ||
            strncmp(device_options[i].key, text, key_length))
            continue;
        for (unsigned n = 0; device_options[i].values[n]; n++) {
            if (!strcmp(device_options[i].values[n], value + 1)) {
                set_device_option(d, i, n);
                return NULL;
            }
        }
        return "a word behind the device has an unknown value";
    }
    return "an unknown word behind the device (plan, bar, dma, irq, rom or unsafe)";
}

static bool same_device(const struct device_config *a, const struct device_config *b)
{
    if (a->by_id != b->by_id)
        return false; /* guest/assign/assign.c finds out when both lead to the same function */
    if (a->by_id)
        return a->vendor == b->vendor && a->device == b->device && a->nth == b->nth;
    return a->bdf == b->bdf;
}

static bool has_device(const struct vm_config *vm, const struct device_config *d)
{
    for (unsigned i = 0; i < vm->device_count; i++)
        if (same_device(&vm->devices[i], d))
            return true;
    return false;
}

static const char *add_device(struct vm_config *vm, const char *value)
{
    struct device_config d = {.plan = PLAN_D};
    char text[WORD_MAX];
    memcpy(text, value, strlen(value) + 1);

    char *rest = strchr(text, ',');
    if (rest)
        *rest++ = '\0';
    if (!(strchr(text, '.') ? parse_bdf(text, strlen(text), &d.bdf) == 0 : parse_id(text, &d)))
        return "neither bus:device.function nor vendor:device[#n]";
    while (rest) {
        char *option = rest;
        rest = strchr(option, ',');
        if (rest)
            *rest++ = '\0';
        const char *why = device_option(&d, option);
        if (why)
            return why;
    }
    if (has_device(vm, &d))
        return "given twice";
    if (vm->device_count == CONFIG_DEVICE_MAX)
        return "more than 8 devices";
    vm->devices[vm->device_count++] = d;
    return NULL;
}

/* --- Lines ------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    const char *(*set)(struct vm_config *vm, const char *value);
} keys[] = {
    {"vm", set_name},     {"mem", set_mem},         {"vcpus", set_vcpus},
    {"pin", set_pin},     {"run", set_run},         {"timeout", set_timeout},
    {"kills", set_kills}, {"cmdline", set_cmdline}, {"pci", add_device},
};
#define KEY_VM  0
#define KEY_PCI (ARRAY_COUNT(keys) - 1) /* the only one that may stand more than once */

static int complain(const struct line *line, const char *key, const char *value, const char *why)
{
    if (line->kind == LINE_KERNEL && line->vm.name[0])
        return FAIL(EINVAL, "module=%zu vm=%s %.64s=%.64s: %s; this VM is not started",
                    line->module, line->vm.name, key, value, why);
    return FAIL(EINVAL, "module=%zu %.64s=%.64s: %s; this module is not used", line->module, key,
                value, why);
}

static int read_word(struct line *line, char *word)
{
    char *value = strchr(word, '=');
    if (!value && !strcmp(word, "initrd")) {
        line->kind = LINE_INITRD;
        return 0;
    }
    if (!value && !strcmp(word, "acpi")) {
        line->kind = LINE_ACPI;
        return 0;
    }
    if (!value)
        return complain(line, word, "", "unknown key");
    *value++ = '\0';
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        if (strcmp(keys[i].name, word))
            continue;
        if ((line->seen & BIT(i)) && i != KEY_PCI)
            return complain(line, word, value, "given twice");
        line->seen |= BIT(i);
        const char *why = keys[i].set(&line->vm, value);
        return why ? complain(line, word, value, why) : 0;
    }
    return complain(line, word, value, "unknown key");
}

/* What a line as a whole has to be. */
static int check_line(const struct line *line)
{
    bool named = line->seen & BIT(KEY_VM);
    if (line->kind == LINE_ACPI)
        return line->seen ? complain(line, "acpi", "", "stands alone") : 0;
    if (!named)
        return complain(line, "vm", "", "a module is given to a VM by vm=NAME");
    if (line->kind == LINE_INITRD && line->seen != BIT(KEY_VM))
        return complain(line, "initrd", "", "only vm=NAME stands beside it");
    return 0;
}

static int read_line(const char *text, struct line *line)
{
    char word[WORD_MAX];
    int err = 0;
    while (!err) {
        const char *why = next_word(&text, word);
        if (why)
            return complain(line, "line", text, why);
        if (!word[0] && !*text)
            return check_line(line);
        if (word[0])
            err = read_word(line, word);
    }
    return err;
}

/* --- All modules ------------------------------------------------------------------------------- */

struct drafts { /* VMs so far; a bad one keeps its name, so that nobody else gets it */
    struct vm_config *vms;
    bool bad[BOOT_MODULE_MAX];
    size_t count, max;
    struct { /* given to their VMs at the end: they may stand in front of the kernel */
        size_t module;
        char vm[CONFIG_NAME_MAX + 1];
    } initrds[BOOT_MODULE_MAX];
    size_t initrd_count;
    size_t nameless; /* kernels that no VM could be made of */
};

static size_t find(const struct drafts *d, const char *name)
{
    size_t i = 0;
    while (i < d->count && strcmp(d->vms[i].name, name))
        i++;
    return i;
}

/* A device is one VM's: the first that names it. */
static int check_devices(const struct drafts *d, const struct line *line)
{
    for (unsigned i = 0; i < line->vm.device_count; i++) {
        const struct device_config *dev = &line->vm.devices[i];
        char text[24];
        for (size_t n = 0; n < d->count; n++) {
            if (d->bad[n] || !has_device(&d->vms[n], dev))
                continue;
            if (dev->by_id)
                snprintf(text, sizeof(text), "%04x:%04x#%u", dev->vendor, dev->device, dev->nth);
            else
                snprintf(text, sizeof(text), BDF_FMT, BDF_ARG(dev->bdf));
            return complain(line, "pci", text, "given to another VM already");
        }
    }
    return 0;
}

static void add_kernel(struct drafts *d, const struct line *line, int err)
{
    const char *name = line->vm.name;
    size_t at = find(d, name);
    if (!name[0]) {
        d->nameless++;
        return;
    }
    if (at < d->count) {
        d->bad[at] = true;
        complain(line, "vm", name, "two modules are its kernel");
        return;
    }
    if (d->count == d->max) {
        d->nameless++;
        complain(line, "vm", name, "too many VMs");
        return;
    }
    if (!err)
        err = check_devices(d, line);
    d->vms[at] = line->vm;
    d->bad[at] = err < 0;
    d->count++;
}

static void give_initrd(struct drafts *d, size_t n, const struct boot_info *info)
{
    size_t module = d->initrds[n].module;
    const char *name = d->initrds[n].vm;
    size_t at = find(d, name);
    if (at == d->count) {
        log_error("module=%zu vm=%s initrd=: there is no such VM; this module is not used", module,
                  name);
    } else if (d->vms[at].initrd) {
        d->bad[at] = true;
        log_error("module=%zu vm=%s initrd=: given twice; this VM is not started", module, name);
    } else {
        d->vms[at].initrd = &info->modules[module];
    }
}

static void add_module(struct drafts *d, const struct boot_info *info, size_t module)
{
    struct line line = {.module = module};
    line.vm = (struct vm_config){.mem = MEM_DEFAULT, .vcpus = 1, .pin = -1, .module = module};
    line.vm.kernel = &info->modules[module];
    int err = read_line(info->modules[module].cmdline, &line);
    if (line.kind == LINE_KERNEL)
        add_kernel(d, &line, err);
    if (line.kind == LINE_INITRD && !err) {
        d->initrds[d->initrd_count].module = module;
        memcpy(d->initrds[d->initrd_count++].vm, line.vm.name, sizeof(line.vm.name));
    }
}

size_t config_read(const struct boot_info *info, struct vm_config *out, size_t max, size_t *refused)
{
    struct drafts d = {.vms = out, .max = MIN(max, (size_t)BOOT_MODULE_MAX)};
    size_t good = 0;
    for (size_t i = 0; i < info->module_count && i < BOOT_MODULE_MAX; i++)
        add_module(&d, info, i);
    for (size_t i = 0; i < d.initrd_count; i++)
        give_initrd(&d, i, info);
    for (size_t i = 0; i < d.count; i++)
        if (!d.bad[i])
            out[good++] = out[i];
    *refused = d.nameless + d.count - good;
    return good;
}
