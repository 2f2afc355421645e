/* SPDX-License-Identifier: MIT */
/*
 * The legacy PC as a whole: which port is whose, which line goes where, and how it is wired to the
 * devices that every VM has.
 * From: guest/life/create.c (legacy_create), kernel.c (legacy_tables),
 * guest/life/reset.c (legacy_reset).
 * To: guest/pc/legacy/pic.c, pit.c, keyboard.c, screen.c, cmos.c, pm.c, mptable.c, absent.c.
 */
#include "guest/pc/legacy/legacy.h"
#include "arch/page.h"
#include "guest/load/vacpi.h"
#include "guest/pc/legacy/chips.h"
#include "guest/pc/vlapic.h"
#include "lib/string.h"
#define LOG "vm"
#include "arch/log.h"

#define TABLES_AT   (VACPI_BASE + VACPI_SIZE)
#define SCREEN_AT   0xb8000
#define SCREEN_SIZE 0x8000
#define BLANKS      UINT64_C(0x0720072007200720) /* gray on black */
#define TIMER_PIN   2                            /* of the I/O APIC: input 0 of the first 8259 */

/* --- Which VM has one ------------------------------------------------------------------------- */

static bool contains(const char *text, const char *word)
{
    size_t length = strlen(word);
    while (*text && strncmp(text, word, length))
        text++;
    return *text;
}

/* A Linux with ACPI needs none: its tables promise a PC without these chips. */
bool legacy_wanted(const struct vm *vm)
{
    const struct vm_config *c = &vm->config;
    bool is_linux = !strncmp(vm->start.format, "linux", strlen("linux"));
    if (c->legacy != LEGACY_AUTO)
        return c->legacy == LEGACY_ON;
    return !is_linux || contains(c->cmdline, "acpi=off");
}

void legacy_tables(const struct vm *vm, uint8_t *ram)
{
    uint64_t *page = (uint64_t *)(ram + SCREEN_AT);
    mptable_build(ram + TABLES_AT, TABLES_AT, vm->config.vcpus);
    for (unsigned i = 0; i < SCREEN_SIZE / sizeof(*page); i++)
        page[i] = BLANKS;
}

/* --- Ports ------------------------------------------------------------------------------------ */

static const struct row {
    uint16_t base, size;
    const char *name;
    uint8_t (*in)(struct legacy *l, uint16_t port);
    void (*out)(struct legacy *l, uint16_t port, uint8_t value);
} rows[] = {
    {0x20, 2, "pic", pic_in, pic_out},
    {0xa0, 2, "pic", pic_in, pic_out},
    {0x4d0, 2, "pic", pic_elcr_in, pic_elcr_out},
    {0x40, 4, "pit", pit_in, pit_out},
    {0x61, 1, "port-b", pit_port_b_in, pit_port_b_out},
    {0x60, 1, "keyboard", keyboard_in, keyboard_out},
    {0x64, 1, "keyboard", keyboard_in, keyboard_out},
    {0x92, 1, "keyboard", keyboard_in, keyboard_out},
    {0x3c0, 0x20, "vga", screen_in, screen_out},
    {0x70, 2, "cmos", cmos_in, cmos_out},
    {0x604, 8, "pm", pm_in, pm_out},
};

/* Without the chips. */
static const struct row absent_rows[] = {
    {0x20, 2, "PIC", absent_in, absent_out},
    {0xa0, 2, "PIC", absent_in, absent_out},
    {0x40, 4, "PIT", absent_in, absent_out},
    {0x61, 1, "PIT", absent_in, absent_out},
    {0x60, 1, "keyboard controller", absent_in, absent_out},
    {0x64, 1, "keyboard controller", absent_in, absent_out},
    {0x3c0, 0x20, "VGA", absent_in, absent_out},
};

/* All chips have registers of a byte; a wider access reads or writes adjacent ones. */
static __attribute__((noinline)) uint64_t read_bytes(const struct row *row, struct legacy *l,
                                                     uint64_t offset, unsigned width)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++)
        value |= (uint64_t)row->in(l, (uint16_t)(row->base + offset + i)) << (8 * i);
    return value;
}

static uint64_t row_read(struct vcpu *v, void *owner, uint64_t offset, unsigned width)
{
    const struct row *row = owner;
    struct legacy *l = v->vm->legacy;
    return width == 1 ? row->in(l, (uint16_t)(row->base + offset))
                      : read_bytes(row, l, offset, width);
}

static void row_write(struct vcpu *v, void *owner, uint64_t offset, unsigned width, uint64_t value)
{
    const struct row *row = owner;
    for (unsigned i = 0; i < width; i++)
        row->out(v->vm->legacy, (uint16_t)(row->base + offset + i), (uint8_t)(value >> (8 * i)));
}

/* --- Wires ------------------------------------------------------------------------------------ */

/* Each line of pins 0 to 15 goes to the 8259s, too. */
static void on_line(struct vm *vm, unsigned pin, bool asserted)
{
    if (pin != 0) /* the timer again */
        pic_line(vm->legacy, pin == TIMER_PIN ? 0 : pin, asserted);
}

static uint8_t on_acknowledge(struct vm *vm)
{
    spin_lock(&vm->lock);
    uint8_t vector = pic_acknowledge(vm->legacy);
    spin_unlock(&vm->lock);
    return vector;
}

/* The clock's ports are taken over: guest/pc/legacy/cmos.c passes on what is for the clock. */
static int add_ports(struct legacy *l, const struct row *r, const struct row *end)
{
    struct vm_bus *bus = &l->vm->pio;
    int err = 0;
    for (; r < end && !err; r++) {
        const struct vm_range *before = vm_bus_find(bus, r->base);
        if (before) {
            l->clock = *before;
            vm_bus_remove(bus, r->base);
        }
        err =
            vm_bus_add(bus, VM_TRAPPED(r->base, r->size, r->name, row_read, row_write, (void *)r));
    }
    return err;
}

int legacy_create(struct vm *vm)
{
    static_assert(sizeof(struct legacy) <= PAGE_SIZE, "one page");
    struct legacy *l = vm->legacy = page_alloc();
    if (!l)
        return FAIL(ENOMEM, "vm=%s: no memory for its legacy devices", vm->name);
    l->vm = vm;
    l->on = legacy_wanted(vm);
    if (!l->on)
        return add_ports(l, absent_rows, absent_rows + ARRAY_COUNT(absent_rows));
    vm->wires = (struct vm_wires){on_line, on_acknowledge, keyboard_type, pm_unclaimed};
    return add_ports(l, rows, rows + ARRAY_COUNT(rows));
}

void legacy_reset(struct vm *vm)
{
    struct legacy *l = vm->legacy;
    l->absent = (struct absent){.reads = 0};
    l->pm_timer = 0;
    if (!l->on)
        return;
    pic_reset(l);
    pit_reset(l);
    keyboard_reset(l);
    screen_reset(l);
    cmos_reset(l);
    vlapic_virtual_wire(vm->vcpus[0]);
}

void legacy_destroy(struct vm *vm)
{
    vm->wires = (struct vm_wires){.line = NULL};
    if (vm->legacy)
        page_free(vm->legacy);
    vm->legacy = NULL;
}
