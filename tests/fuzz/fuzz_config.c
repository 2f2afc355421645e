/* SPDX-License-Identifier: MIT */
/*
 * Module lines, whatever a user wrote: one line of input per module. What comes out is within its
 * bounds, every name is fit to stand in a report, no name and no device belongs to two VMs.
 */
// sources: guest/life/config.c guest/core/config.c lib/option.c lib/parse.c
#include "tests/fuzz/fuzz.h"
#include "guest/life/config.h"
#include "tests/unit/stubs.h"

static void check(const struct vm_config *vm)
{
    size_t n = strlen(vm->name);
    must(n > 0 && n <= CONFIG_NAME_MAX && !strpbrk(vm->name, " =\"\n\r\t/|"));
    must(vm->mem >= SIZE_2M && vm->mem % SIZE_2M == 0);
    must(vm->vcpus >= 1 && vm->vcpus <= 8);
    must(vm->pin_count <= 1 || vm->pin_count == vm->vcpus);
    for (unsigned i = 0; i < vm->vcpus; i++)
        must(config_pin(vm, i) >= -1 && config_pin(vm, i) < 256);
    must(memchr(vm->cmdline, 0, sizeof(vm->cmdline)) != NULL);
    must(vm->device_count <= CONFIG_DEVICE_MAX);
    must(vm->kernel != NULL);
    for (unsigned i = 0; i < vm->device_count; i++)
        must(vm->devices[i].plan <= PLAN_POST_HW && vm->devices[i].bar <= BAR_LAZY &&
             vm->devices[i].dma <= DMA_IDENTITY && vm->devices[i].irq <= IRQ_INJECT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct boot_info info;
    static struct vm_config vms[16];
    char *text = malloc(size + 1);
    size_t refused, count;
    stub_log_clear();
    memset(&info, 0, sizeof(info));
    memcpy(text, data, size);
    text[size] = '\0';
    for (char *line = text; line && info.module_count < BOOT_MODULE_MAX;) {
        info.modules[info.module_count++].cmdline = line;
        line = strchr(line, '\n');
        if (line)
            *line++ = '\0';
    }
    count = config_read(&info, vms, 16, &refused);
    must(count <= 16 && count + refused <= info.module_count);
    must(refused == 0 || stub_log[0]);
    for (size_t i = 0; i < count; i++) {
        check(&vms[i]);
        for (size_t j = 0; j < i; j++)
            must(strcmp(vms[i].name, vms[j].name));
    }
    free(text);
    return 0;
}
