/* SPDX-License-Identifier: MIT */
/*
 * Kernel files, whatever they say about themselves. Nothing is read beyond the file, nothing is
 * written outside of the guest's memory (both by the address sanitizer), nothing of the kernel lies
 * in the reserved area, and a file that is refused is refused in words.
 */
// sources: guest/load/load.c guest/load/image.c guest/load/flat.c guest/load/elf.c
// sources: guest/load/multiboot.c guest/load/info.c guest/load/linux.c
#include <stdlib.h>
#include <string.h>
#include "guest/load/load.h"
#include "tests/unit/stubs.h"

#define LOW (2u << 20)

static void must(bool cond)
{
    if (!cond)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t initrd[100];
    uint8_t *ram = malloc(LOW), *file = malloc(size ? size : 1);
    struct load l = {
        .vm = "fuzz", .file = file, .size = size, .cmdline = "a=b", .ram = ram, .low = LOW};
    int err;
    stub_log_clear();
    memcpy(file, data, size);
    if (size && (data[size - 1] & 1)) {
        l.initrd = initrd;
        l.initrd_size = sizeof(initrd);
    }
    err = load_kernel(&l);
    must(err == 0 || (err == -EINVAL && strstr(stub_log, "vm=fuzz kernel: ")));
    if (err == 0) {
        must(l.start.format != NULL && l.image_end <= LOW);
        must(l.start.mode == VCPU_LONG64 || l.start.mode == VCPU_PROTECTED32 ||
             l.start.mode == VCPU_REAL);
    }
    free(file);
    free(ram);
    return 0;
}
