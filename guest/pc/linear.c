/* SPDX-License-Identifier: MIT */
/*
 * The way from a linear address to guest memory, through the guest's own page tables.
 * From: guest/pc/fetch.c, guest/pc/mmio.c, vmx/exit/io.c (guest_copy_linear, for INS and OUTS).
 * To: guest/insn/gwalk.c, guest/core/memory.c (vm_ram), guest/core/bus.c (a device's memory).
 * Spec: SDM "Paging".
 */
#include "guest/pc/linear.h"
#include "vmx/upcalls.h"
#include "guest/core/memory.h"
#include "guest/core/vm.h"
#include "lib/atomic.h"
#include "lib/string.h"
#include "vmx/vcpu/inject.h"

/* What an entry is where there is no memory: most modes of paging have reserved bits in it. */
static const uint64_t ones = UINT64_MAX;

static int table_read(void *ctx, gpa_t at, unsigned size, uint64_t *value)
{
    struct linear *a = ctx;
    const uint64_t *p = vm_ram(a->v->vm, gpa(ALIGN_DOWN(at.v, 8)), 8);
    if (!p)
        p = &ones;
    uint64_t word = atomic_load(p);
    *value = size == 8 ? word : LO32(word >> at.v % 8 * 8);
    if (a->seen && a->seen->count < LINEAR_SEEN_MAX)
        a->seen->entry[a->seen->count++] = (struct linear_entry){p, word};
    return 0;
}

static int table_set_bits(void *ctx, gpa_t at, unsigned size, uint64_t bits)
{
    struct linear *a = ctx;
    uint64_t *p = vm_ram(a->v->vm, gpa(ALIGN_DOWN(at.v, 8)), 8);
    if (!p)
        return 0;
    if (size == 4)
        bits <<= at.v % 8 * 8;
    atomic_fetch_or(p, bits);
    for (unsigned i = 0; a->seen && i < a->seen->count; i++)
        if (a->seen->entry[i].at == p)
            a->seen->entry[i].value |= bits;
    return 0;
}

/* Width of a physical address as the guest's CPUID reports it. Read once, because CPUID is slow. */
static uint8_t maxphyaddr(void)
{
    static uint8_t bits;
    if (!bits)
        bits = (uint8_t)FIELD_GET(BITS(7, 0), cpuid(0x80000008, 0).eax);
    return bits;
}

/* Compatibility mode has the tables of 64-bit mode, but a base and an offset wrap at 4 GiB. */
static inline uint64_t wrap(const struct vcpu_paging *s, uint64_t linear)
{
    return s->code64 ? linear : LO32(linear);
}

int linear_walk(struct linear *a, uint64_t linear, enum gwalk_access access, struct gwalk *out)
{
    const struct vcpu_paging *s = a->state;
    struct gwalk_cpu cpu = {.cr0 = s->cr0,
                            .cr3 = s->cr3,
                            .cr4 = s->cr4,
                            .efer = s->efer,
                            .rflags = s->rflags,
                            .cpl = s->cpl,
                            .maxphyaddr = maxphyaddr()};
    struct gwalk_bus bus = {table_read, table_set_bits, a};
    memcpy(cpu.pdpte, s->pdpte, sizeof(cpu.pdpte));
    return gwalk(&cpu, wrap(s, linear), access, &bus, out);
}

int linear_translate(struct linear *a, uint64_t linear, enum gwalk_access access, gpa_t *out,
                     uint64_t *left)
{
    struct gwalk w;
    if (a->told && *a->told == linear &&
        (access == GWALK_READ || (access == GWALK_WRITE && a->write))) {
        *out = a->at;
        *left = PAGE_SIZE - a->at.v % PAGE_SIZE;
        return 0;
    }
    int err = linear_walk(a, linear, access, &w);
    if (err == -EPERM)
        vcpu_inject_page_fault(a->v, wrap(a->state, linear), w.error_code);
    if (err == -EINVAL)
        vcpu_inject_error(a->v, VECTOR_GP, 0);
    if (err)
        return -EFAULT;
    *out = w.gpa;
    *left = linear_left(&w);
    return 0;
}

/* Bytes of one page: RAM at once, a device byte by byte. */
static void copy_physical(struct vcpu *v, gpa_t at, uint8_t *bytes, size_t size, bool to_guest)
{
    uint8_t *ram = vm_ram(v->vm, at, size);
    if (ram) {
        memcpy(to_guest ? ram : bytes, to_guest ? bytes : ram, size);
        return;
    }
    for (size_t i = 0; i < size; i++) {
        uint64_t value = bytes[i];
        if (to_guest)
            vm_bus_write(v, &v->vm->mmio, at.v + i, 1, value);
        else
            vm_bus_read(v, &v->vm->mmio, at.v + i, 1, &value);
        bytes[i] = (uint8_t)value;
    }
}

int guest_check_write(struct vcpu *v, uint64_t linear, size_t size)
{
    struct vcpu_paging state;
    struct linear a = {.v = v, .state = &state};
    gpa_t at;
    uint64_t left;
    vcpu_paging(v, &state);
    int err = linear_translate(&a, linear, GWALK_WRITE, &at, &left);
    return err || left >= size ? err : linear_translate(&a, linear + left, GWALK_WRITE, &at, &left);
}

static int copy(struct vcpu *v, uint64_t linear, void *buffer, size_t size, bool to_guest,
                bool system)
{
    struct vcpu_paging state;
    struct linear a = {.v = v, .state = &state};
    uint8_t *bytes = buffer;
    vcpu_paging(v, &state);
    if (system) { /* no access of the guest's own instruction: AC opens no page of the user */
        state.cpl = 0;
        state.rflags &= ~RFLAGS_AC;
    }
    while (size) {
        gpa_t at;
        uint64_t left;
        int err = linear_translate(&a, linear, to_guest ? GWALK_WRITE : GWALK_READ, &at, &left);
        if (err)
            return err;
        size_t part = MIN(size, left);
        copy_physical(v, at, bytes, part, to_guest);
        bytes += part;
        linear += part;
        size -= part;
    }
    return 0;
}

int guest_copy_linear(struct vcpu *v, uint64_t linear, void *buffer, size_t size, bool to_guest)
{
    return copy(v, linear, buffer, size, to_guest, false);
}

int guest_copy_system(struct vcpu *v, uint64_t linear, void *buffer, size_t size, bool to_guest)
{
    return copy(v, linear, buffer, size, to_guest, true);
}
