/* SPDX-License-Identifier: MIT */
/*
 * Module lines become struct vm_config: a line is cut into words, and each key is a row of a table.
 * Pure. An error in a line becomes one message that names module, key and value, and stops only the
 * VM of that line.
 * From: guest/life/create.c (vm_create_all).   To: lib/option.c (words, kinds of values).
 * Contract: guest/life/config.h.
 */
#include "guest/life/config.h"
#include "arch/cpu.h"
#include "lib/option.h"
#include "lib/printf.h"
#include "lib/parse.h"
#include "lib/string.h"
#define LOG "config"
#include "arch/log.h"

#define MEM_DEFAULT   (UINT64_C(64) << 20)
#define INITRD_STRING "initrd" /* where none is given */

/* --- Devices ---------------------------------------------------------------------------------- */

/* vendor:device, with #n for the n-th device of that kind, counted from 0. */
static int parse_id(const char *s, struct device_config *d)
{
    uint64_t vendor, device, nth = 0;
    if (!parse_hex(&s, 4, &vendor) || *s++ != ':' || !parse_hex(&s, 4, &device))
        return -EINVAL;
    if (*s == '#' ? parse_u64(s + 1, strlen(s + 1), &nth) < 0 || nth > 255 : *s != '\0')
        return -EINVAL;
    d->by_id = true;
    d->vendor = (uint16_t)vendor;
    d->device = (uint16_t)device;
    d->nth = (unsigned)nth;
    return 0;
}

/* The words that follow the device's address. */
#define DEVICE_FIELD(member) OPTION_FIELD(struct device_config, member)
static const struct option device_rows[] = {
    {"plan", option_word, DEVICE_FIELD(plan), OPTION_WORDS("A", "B", "C", "D")},
    {"bar", option_word, DEVICE_FIELD(bar), OPTION_WORDS("eager", "lazy")},
    {"dma", option_word, DEVICE_FIELD(dma), .words = dma_mode_names},
    {"irq", option_word, DEVICE_FIELD(irq), OPTION_WORDS("post", "remap", "inject")},
    {"rom", option_word, DEVICE_FIELD(rom), OPTION_WORDS("off", "on")},
    {"intx", option_number, DEVICE_FIELD(intx), .min = 1, .max = 254},
    {"unsafe", option_bit, DEVICE_FIELD(unsafe), .words = unsafe_names},
    {.key = NULL},
};

/* If one line names a function by address and another by ID, it is not found here:
 * guest/assign/assign.c assign_hot() refuses it. */
static bool has_device(const struct vm_config *vm, const struct device_config *d)
{
    for (unsigned i = 0; i < vm->device_count; i++) {
        const struct device_config *o = &vm->devices[i];
        if (o->by_id != d->by_id)
            continue;
        if (d->by_id ? o->vendor == d->vendor && o->device == d->device && o->nth == d->nth
                     : o->bdf == d->bdf)
            return true;
    }
    return false;
}

/* DEVICE[,KEY=WORD]... */
static const char *add_device(const struct option *row, void *field, char *value)
{
    struct vm_config *vm = field;
    struct device_config d = {.plan = PLAN_POST_HW};
    char *next, *word = option_cut(value, ',');
    if ((strchr(value, '.') ? parse_bdf(value, &d.bdf) : parse_id(value, &d)) < 0)
        return "neither bus:device.function nor vendor:device[#n]";
    for (; word; word = next) {
        next = option_cut(word, ',');
        char *setting = option_cut(word, '=');
        const struct option *key = option_find(device_rows, word);
        if (!key)
            return "an unknown word behind the device (plan, bar, dma, irq, rom, intx or unsafe)";
        if (option_set(key, &d, setting))
            return "a word behind the device has an unknown value";
    }
    if (has_device(vm, &d))
        return "given twice";
    if (vm->device_count == CONFIG_DEVICE_MAX)
        return row->why;
    vm->devices[vm->device_count++] = d;
    return NULL;
}

/* CPU[,CPU]... */
static const char *set_pins(const struct option *row, void *field, char *value)
{
    static const struct option cpu = {.size = sizeof(uint16_t), .max = CPU_MAX - 1};
    struct vm_config *vm = field;
    const char *why = NULL;
    for (char *next; value && !why; value = next) {
        next = option_cut(value, ',');
        if (vm->pin_count == CONFIG_VCPU_MAX)
            return row->why;
        why = option_number(&cpu, &vm->pins[vm->pin_count++], value);
    }
    return why;
}

/* --- Lines ------------------------------------------------------------------------------------ */

/* One module's line; `vm` counts for a kernel only. */
struct line {
    size_t module;
    bool initrd, acpi; /* neither: a kernel */
    struct vm_config vm;
    uint32_t seen; /* keys, by their row */
    unsigned words;
};

#define FIELD(member) OPTION_FIELD(struct line, member)
static const struct option rows[] = {
    {"vm", option_name, FIELD(vm.name), .min = 1, .why = "a name has 1 to 15 characters"},
    {"initrd", option_flag, FIELD(initrd)},
    {"acpi", option_flag, FIELD(acpi)},
    {"mem", option_size, FIELD(vm.mem), .min = SIZE_2M, .max = BIT(40),
     .why = "out of range 2M to 1024G"},
    {"vcpus", option_number, FIELD(vm.vcpus), .min = 1, .max = CONFIG_VCPU_MAX},
    {"pin", set_pins, FIELD(vm), .why = "more than 8 CPUs"},
    {"legacy", option_word, FIELD(vm.legacy), OPTION_WORDS("auto", "on", "off")},
    {"run", option_number, FIELD(vm.run), .min = 1, .max = 1000000000},
    {"timeout", option_number, FIELD(vm.timeout), .min = 1, .max = 86400},
    {"kills", option_number, FIELD(vm.kills), .min = 1, .max = 100000},
    {"reveal", option_word, FIELD(vm.reveal), OPTION_WORDS("off", "on")},
    {"cmdline", option_text, FIELD(vm.cmdline), .why = "longer than 511 characters"},
    {"pci", add_device, FIELD(vm), .several = true, .why = "more than 31 devices"},
    {.key = NULL},
};

static uint32_t row_bit(const char *key) { return (uint32_t)BIT(option_find(rows, key) - rows); }

static int complain(const struct line *line, const char *key, const char *value, const char *why)
{
    if (!line->initrd && !line->acpi && line->vm.name[0])
        return FAIL(EINVAL, "module=%zu vm=%s %.64s=%.64s: %s; this VM is not started",
                    line->module, line->vm.name, key, value, why);
    return FAIL(EINVAL, "module=%zu %.64s=%.64s: %s; this module is not used", line->module, key,
                value, why);
}

static int read_word(struct line *line, char *word)
{
    char *value = option_cut(word, '=');
    const struct option *row = option_find(rows, word);
    uint64_t bit = row ? BIT(row - rows) : 0;
    const char *why = !row                                  ? "unknown key"
                      : (line->seen & bit) && !row->several ? "given twice"
                                                            : option_set(row, line, value);
    line->seen |= (uint32_t)bit;
    line->words++;
    return why ? complain(line, word, value ? value : "", why) : 0;
}

/* Rules for a line as a whole. */
static int check_line(const struct line *line)
{
    if (line->acpi)
        return line->words > 1 ? complain(line, "acpi", "", "stands alone") : 0;
    if (!line->vm.name[0])
        return complain(line, "vm", "", "a module is given to a VM by vm=NAME");
    uint32_t strange = line->seen & ~(row_bit("vm") | row_bit("initrd") | row_bit("cmdline"));
    if (line->initrd && strange)
        return complain(line, "initrd", "", "only vm=NAME and cmdline= stand beside it");
    if (line->initrd && strlen(line->vm.cmdline) > CONFIG_STRING_MAX)
        return complain(line, "cmdline", "", "an initrd's is at most 127 characters");
    if (line->vm.pin_count > 1 && line->vm.pin_count != line->vm.vcpus)
        return complain(line, "pin", "...",
                        line->vm.pin_count > line->vm.vcpus ? "more CPUs than vCPUs"
                                                            : "fewer CPUs than vCPUs");
    return 0;
}

static int read_line(const char *text, struct line *line)
{
    char word[OPTION_WORD_MAX];
    for (;;) {
        const char *why = option_next(&text, word);
        if (why)
            return complain(line, "line", text, why);
        if (!word[0])
            return check_line(line);
        if (read_word(line, word) < 0)
            return -EINVAL;
    }
}

/* --- All modules ------------------------------------------------------------------------------ */

struct drafts { /* VMs so far; a bad one keeps its name, so that no other VM gets it; "?": none */
    struct vm_config *vms;
    bool bad[BOOT_MODULE_MAX];
    size_t count, max;
    struct { /* given to their VMs at the end, as an initrd may stand before its kernel */
        size_t module;
        char vm[CONFIG_NAME_MAX + 1], string[CONFIG_STRING_MAX + 1];
    } initrds[BOOT_MODULE_MAX];
    size_t initrd_count;
    size_t left_out; /* kernels, more than fit */
};

/* The draft of this name; d->count: there is none. */
static size_t draft_find(const struct drafts *d, const char *name)
{
    size_t i = 0;
    while (i < d->count && strcmp(d->vms[i].name, name))
        i++;
    return i;
}

/* A device goes to one VM: the first that names it. */
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

static_assert(sizeof(((struct vm_config *)0)->why) == LOG_REASON_MAX, "a reason is kept whole");

/* The error that was just logged is why. */
static void make_bad(struct drafts *d, size_t at)
{
    if (!d->bad[at])
        memcpy(d->vms[at].why, log_reason, sizeof(log_reason));
    d->bad[at] = true;
}

static void add_kernel(struct drafts *d, const struct line *line, int err)
{
    const char *name = line->vm.name;
    size_t at = name[0] ? draft_find(d, name) : d->count;
    if (at < d->count) {
        complain(line, "vm", name, "two modules are its kernel");
        make_bad(d, at);
        return;
    }
    if (d->count == d->max) {
        d->left_out++;
        complain(line, "vm", name, "too many VMs");
        return;
    }
    if (!err)
        err = check_devices(d, line);
    d->vms[at] = line->vm;
    d->count++;
    if (!name[0])
        d->vms[at].name[0] = '?';
    if (err)
        make_bad(d, at);
}

static void give_initrd(struct drafts *d, size_t n, const struct boot_info *info)
{
    size_t module = d->initrds[n].module;
    log_reason[0] = '\0';
    const char *name = d->initrds[n].vm;
    size_t at = draft_find(d, name);
    if (at == d->count) {
        log_error("module=%zu vm=%s initrd=: there is no such VM; this module is not used", module,
                  name);
    } else if (d->vms[at].file_count == CONFIG_FILE_MAX) {
        log_error("module=%zu vm=%s initrd=: more than 8; this VM is not started", module, name);
        make_bad(d, at);
    } else {
        struct file_config *file = &d->vms[at].files[d->vms[at].file_count++];
        file->module = &info->modules[module];
        memcpy(file->string, d->initrds[n].string, sizeof(file->string));
    }
}

static void add_module(struct drafts *d, const struct boot_info *info, size_t module)
{
    struct line line = {.module = module};
    line.vm = (struct vm_config){.mem = MEM_DEFAULT, .vcpus = 1, .module = module};
    line.vm.kernel = &info->modules[module];
    log_reason[0] = '\0';
    int err = read_line(info->modules[module].cmdline, &line);
    if (!line.initrd && !line.acpi)
        add_kernel(d, &line, err);
    if (line.initrd && !line.acpi && !err) {
        const char *string = line.vm.cmdline[0] ? line.vm.cmdline : INITRD_STRING;
        typeof(d->initrds[0]) *given = &d->initrds[d->initrd_count++];
        given->module = module;
        memcpy(given->vm, line.vm.name, sizeof(given->vm));
        memcpy(given->string, string, strlen(string) + 1);
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
    for (size_t i = 0; i < d.count; i++) {
        if (d.bad[i])
            continue;
        struct vm_config bad = out[good];
        out[good] = out[i];
        out[i] = bad;
        good++;
    }
    *refused = d.left_out + d.count - good;
    return good;
}
