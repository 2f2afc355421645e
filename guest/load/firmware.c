/* SPDX-License-Identifier: MIT */
/*
 * What a BIOS leaves in the first MiB. No BIOS runs in a VM, so its interrupt vectors lead to code
 * that tells Hamlet of the call, by a port (guest/pc/vbios.c). But old kernels read its data area,
 * and jump to where it begins.
 * From: guest/life/kernel.c (load_firmware).   To: lib/string.c.
 */
#include "guest/load/load.h"
#include "guest/load/vacpi.h"
#include "lib/string.h"

#define VECTORS      256
#define STUB         UINT32_C(0xff000) /* the code behind all vectors */
#define STUB_IRQ     UINT32_C(0xff010) /* behind those of the interrupt controllers */
#define RESET_VECTOR 0xffff0

/* The vector is in CS, as each vector reaches the code by a segment of its own. */
static const uint8_t stub[] = {
    0xe6, LOAD_BIOS_PORT, /* out LOAD_BIOS_PORT, al */
    0xeb, 0xfe,           /* jmp $ */
};
static const uint8_t stub_irq[] = {
    0x50,       /* push ax */
    0xb0, 0x20, /* mov al, 0x20: end of interrupt */
    0xe6, 0xa0, /* out 0xa0, al */
    0xe6, 0x20, /* out 0x20, al */
    0x58,       /* pop ax */
    0xcf,       /* iret */
};
/* A PC starts here, in real mode. A system that jumps there later wants a reset. */
static const uint8_t reset_code[] = {
    0xba, 0xf9, 0x0c, /* mov dx, VACPI_RESET_PORT */
    0xb0, 0x06,       /* mov al, VACPI_RESET_VALUE */
    0xee,             /* out dx, al */
    0xeb, 0xfe,       /* jmp $ */
};
static_assert(VACPI_RESET_PORT == 0xcf9 && VACPI_RESET_VALUE == 6, "as in reset_code");

/* The BIOS data area: address and value. All other words are 0. */
static const struct {
    uint16_t at, value;
} data_area[] = {
    {0x400, 0x3f8},           /* port of COM1 */
    {0x40e, LOAD_EBDA >> 4},  /* segment of the extended data area */
    {0x410, 0x0222},          /* equipment: a serial port, 80x25 colors, an FPU */
    {0x413, LOAD_AREA >> 10}, /* KiB of memory */
    {0x449, 3},               /* screen: mode ... */
    {0x44a, 80},              /* ... columns ... */
    {0x44c, 0x1000},          /* ... bytes of a page ... */
    {0x463, 0x3d4},           /* ... port ... */
    {0x484, 24},              /* ... rows less 1 ... */
    {0x485, 16},              /* ... lines of a character */
};

/* IRQ 0, IRQ 1, and the eight of the second controller. The others share their vectors with
 * exceptions, which no end-of-interrupt ends. */
static bool is_irq(unsigned vector)
{
    return vector == 8 || vector == 9 || (vector >= 0x70 && vector < 0x78);
}

void load_firmware(uint8_t *ram)
{
    uint16_t *vectors = (uint16_t *)ram, kib = 1;
    for (unsigned n = 0; n < VECTORS; n++) {
        uint32_t to = is_irq(n) ? STUB_IRQ : STUB, segment = LOAD_BIOS_SEGMENT + n;
        vectors[2 * n] = (uint16_t)(to - segment * 16);
        vectors[2 * n + 1] = (uint16_t)segment;
    }
    for (size_t i = 0; i < ARRAY_COUNT(data_area); i++)
        memcpy(ram + data_area[i].at, &data_area[i].value, sizeof(uint16_t));
    memcpy(ram + LOAD_EBDA, &kib, sizeof(kib)); /* its size */
    memcpy(ram + STUB, stub, sizeof(stub));
    memcpy(ram + STUB_IRQ, stub_irq, sizeof(stub_irq));
    memcpy(ram + RESET_VECTOR, reset_code, sizeof(reset_code));
}
