/* SPDX-License-Identifier: MIT */
// sources: guest/insn/gwalk.c
/*
 * A guest's page tables are whatever the guest wrote: gwalk() ends after at most five entries, asks
 * for aligned ones only, and answers with an address it could have found or with a page fault.
 * Input: a struct gwalk_cpu, the address, the access, and the guest's memory, repeated.
 * From: make fuzz.   To: guest/insn/gwalk.c.
 */
#include "tests/fuzz/fuzz.h"
#include "arch/x86.h"
#include "guest/insn/gwalk.h"

struct input {
    struct gwalk_cpu cpu;
    uint64_t gva;
    uint64_t access;
};

struct memory {
    const uint8_t *bytes;
    size_t size; /* not 0 */
    unsigned reads;
};

static int memory_read(void *ctx, gpa_t at, unsigned size, uint64_t *value)
{
    struct memory *m = ctx;
    uint8_t bytes[8];
    must((size == 4 || size == 8) && at.v % size == 0 && ++m->reads <= 5);
    for (unsigned i = 0; i < 8; i++) /* 8 bytes even when 4 are asked for */
        bytes[i] = m->bytes[(at.v + i) % m->size];
    memcpy(value, bytes, sizeof(*value));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in;
    struct gwalk out;
    if (size <= sizeof(in))
        return 0;
    memcpy(&in, data, sizeof(in));
    in.cpu.cpl %= 4;
    in.cpu.maxphyaddr = 32 + in.cpu.maxphyaddr % 21;
    struct memory memory = {.bytes = data + sizeof(in), .size = size - sizeof(in)};
    struct gwalk_bus bus = {.read = memory_read, .ctx = &memory};

    int err = gwalk(&in.cpu, in.gva, in.access % 3, &bus, &out);
    must(err == 0 || err == -EPERM || err == -EINVAL);
    must(err != 0 || (out.gpa.v ^ in.gva) % out.page_size == 0);
    must(err != 0 || !(in.cpu.cr0 & CR0_PG) || out.gpa.v >> in.cpu.maxphyaddr == 0 ||
         out.gpa.v >> 32 == 0);
    return 0;
}
