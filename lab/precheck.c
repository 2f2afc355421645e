/* SPDX-License-Identifier: MIT */
/*
 * What Hamlet would say of the words and kernels that it is given, before a machine is started: its
 * own readers, on this host. One line per complaint.
 *   precheck CPUS CMDLINE [MODULE-LINE FILE]...
 * Returns 0: none; 1: some; 2: a file cannot be read.
 * From: lab/precheck.py.
 * To: arch/options.c (options_parse), guest/life/config.c (config_read), guest/load/load.c
 * (load_kernel).
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "arch/options.h"
#include "arch/task.h"
#include "guest/life/config.h"
#include "guest/load/load.h"
#include "guest/load/vacpi.h"
#include "lib/bits.h"
#define LOG "precheck"
#include "arch/log.h"

#define VMS_MAX 32

enum log_level log_threshold = LOG_ERROR;
char log_reason[LOG_REASON_MAX];
static bool complained;

void log_write(enum log_level level, const char *subsystem, const char *fmt, ...)
{
    va_list args;
    (void)subsystem;
    if (level != LOG_ERROR)
        return;
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
    complained = true;
}

void task_copy(void *to, const void *from, size_t size)
{
    from ? memcpy(to, from, size) : memset(to, 0, size);
}

/* Memory that costs nothing until it is written. NULL: not so much. */
static uint8_t *memory(uint64_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                    -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static struct boot_module module_of(const char *line, const char *path)
{
    struct stat about;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &about) < 0) {
        perror(path);
        exit(2);
    }
    struct boot_module m = {NULL, (uint64_t)about.st_size, line};
    if (m.size)
        m.data = mmap(NULL, m.size, PROT_READ, MAP_PRIVATE, fd, 0);
    return m;
}

/* As guest/life/kernel.c does it, with nothing of the machine. */
static void check_kernel(const struct vm_config *c)
{
    uint64_t low = MIN(c->mem, VM_LOW_RAM_MAX);
    struct load l = {.vm = c->name,
                     .file = c->kernel->data,
                     .size = c->kernel->size,
                     .cmdline = c->cmdline,
                     .ram = memory(low),
                     .low = low,
                     .rsdp = VACPI_BASE};
    for (; l.module_count < c->file_count; l.module_count++) {
        const struct file_config *file = &c->files[l.module_count];
        l.modules[l.module_count] =
            (struct load_module){file->module->data, file->module->size, file->string, 0};
    }
    if (l.ram && load_kernel(&l) == 0)
        munmap(l.ram, low);
}

int main(int count, char **word)
{
    static struct boot_info info;
    static struct vm_config vms[VMS_MAX];
    size_t refused;
    if (count < 3 || count % 2 == 0 || (count - 3) / 2 > BOOT_MODULE_MAX)
        return 2;
    int cpus = atoi(word[1]);
    IGNORE(options_parse(word[2])); /* it has complained */
    for (int i = 3; i < count; i += 2)
        info.modules[info.module_count++] = module_of(word[i], word[i + 1]);
    size_t good = config_read(&info, vms, VMS_MAX, &refused);
    for (size_t i = 0; i < good; i++) {
        for (unsigned n = 0; n < vms[i].vcpus; n++) {
            int pin = config_pin(&vms[i], n);
            if (pin >= cpus && pin != (n ? config_pin(&vms[i], n - 1) : -1))
                log_error("vm=%s pin=%d: there are %d CPUs, the first is 0", vms[i].name, pin,
                          cpus);
        }
        check_kernel(&vms[i]);
    }
    return complained;
}
