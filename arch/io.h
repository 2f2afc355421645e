/* SPDX-License-Identifier: MIT */
/*
 * Ports and device memory. Every volatile access of Hamlet is one of these functions, so the source
 * shows the width and the order of all accesses that a device sees.
 * From: everywhere.
 * Spec: SDM "Input/Output Port Addressing", "Memory Ordering"; CLFLUSH.
 */
#pragma once
#include "lib/bits.h"
#include "lib/types.h"

#ifdef HAMLET_UNIT /* host tests drive a model of the device instead of the machine */
uint8_t in8(uint16_t port);
uint16_t in16(uint16_t port);
uint32_t in32(uint16_t port);
void out8(uint16_t port, uint8_t v);
void out16(uint16_t port, uint16_t v);
void out32(uint16_t port, uint32_t v);
uint8_t mmio_read8(const void *p);
uint16_t mmio_read16(const void *p);
uint32_t mmio_read32(const void *p);
uint64_t mmio_read64(const void *p);
void mmio_write8(void *p, uint8_t v);
void mmio_write16(void *p, uint16_t v);
void mmio_write32(void *p, uint32_t v);
void mmio_write64(void *p, uint64_t v);
void cache_write_back(const void *p, size_t size);
#else
static inline uint8_t in8(uint16_t port)
{
    uint8_t v;
    asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}

static inline uint16_t in16(uint16_t port)
{
    uint16_t v;
    asm volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}

static inline uint32_t in32(uint16_t port)
{
    uint32_t v;
    asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}

static inline void out8(uint16_t port, uint8_t v)
{
    asm volatile("outb %0, %1" ::"a"(v), "Nd"(port) : "memory");
}

static inline void out16(uint16_t port, uint16_t v)
{
    asm volatile("outw %0, %1" ::"a"(v), "Nd"(port) : "memory");
}

static inline void out32(uint16_t port, uint32_t v)
{
    asm volatile("outl %0, %1" ::"a"(v), "Nd"(port) : "memory");
}

static inline uint8_t mmio_read8(const void *p) { return *(const volatile uint8_t *)p; }
static inline uint16_t mmio_read16(const void *p) { return *(const volatile uint16_t *)p; }
static inline uint32_t mmio_read32(const void *p) { return *(const volatile uint32_t *)p; }
static inline uint64_t mmio_read64(const void *p) { return *(const volatile uint64_t *)p; }
/* One MOV each, in assembly: gcc -Oz makes a volatile store of 0 an AND, which reads, too. */
static inline void mmio_write8(void *p, uint8_t v)
{
    asm volatile("movb %1, %0" : "=m"(*(uint8_t *)p) : "qi"(v) : "memory");
}

static inline void mmio_write16(void *p, uint16_t v)
{
    asm volatile("movw %1, %0" : "=m"(*(uint16_t *)p) : "ri"(v) : "memory");
}

static inline void mmio_write32(void *p, uint32_t v)
{
    asm volatile("movl %1, %0" : "=m"(*(uint32_t *)p) : "ri"(v) : "memory");
}

static inline void mmio_write64(void *p, uint64_t v)
{
    asm volatile("movq %1, %0" : "=m"(*(uint64_t *)p) : "re"(v) : "memory");
}

/* Write the cache lines of [p, p + size) back to memory, for a device that does not snoop caches.
 * The fence orders these writes before later accesses. */
static inline void cache_write_back(const void *p, size_t size)
{
    const char *line = (const char *)ALIGN_DOWN((uintptr_t)p, 64);
    for (; line < (const char *)p + size; line += 64)
        asm volatile("clflush (%0)" ::"r"(line) : "memory");
    asm volatile("mfence" ::: "memory");
}
#endif

/* The same with the width as a number, for accesses that Hamlet passes on as a guest made them.
 * width: 1, 2 or 4 bytes, and 8 in memory. */
static inline uint32_t port_in(uint16_t port, unsigned width)
{
    return width == 1 ? in8(port) : width == 2 ? in16(port) : in32(port);
}

static inline void port_out(uint16_t port, unsigned width, uint32_t v)
{
    if (width == 1)
        out8(port, (uint8_t)v);
    else if (width == 2)
        out16(port, (uint16_t)v);
    else
        out32(port, v);
}

static inline uint64_t mmio_read(const void *p, unsigned width)
{
    return width == 1   ? mmio_read8(p)
           : width == 2 ? mmio_read16(p)
           : width == 4 ? mmio_read32(p)
                        : mmio_read64(p);
}

static inline void mmio_write(void *p, unsigned width, uint64_t v)
{
    if (width == 1)
        mmio_write8(p, (uint8_t)v);
    else if (width == 2)
        mmio_write16(p, (uint16_t)v);
    else if (width == 4)
        mmio_write32(p, (uint32_t)v);
    else
        mmio_write64(p, v);
}
