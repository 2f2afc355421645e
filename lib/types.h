/* SPDX-License-Identifier: MIT */
/*
 * Addresses that must not be mixed up are different types. A guest-physical address does not fit
 * where a host-physical one is wanted, so the classic mistake of assignment does not compile.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t v;
} gpa_t; /* guest-physical: the guest's view; also the address that its devices use (IOVA) */

typedef struct {
    uint64_t v;
} hpa_t; /* host-physical: where the byte is */

static inline gpa_t gpa(uint64_t v) { return (gpa_t){v}; }
static inline hpa_t hpa(uint64_t v) { return (hpa_t){v}; }

/* Hamlet maps all RAM where it is (arch/layout.h), so a host-physical address is a pointer. */
static inline void *hpa_ptr(hpa_t a) { return (void *)(uintptr_t)a.v; }
static inline hpa_t ptr_hpa(const volatile void *p) { return hpa((uintptr_t)p); }

/* Routing id of a PCI function, the source-id of VT-d: bus 15:8, device 7:3, function 2:0. */
typedef uint16_t bdf_t;
#define BDF(bus, dev, fn) ((bdf_t)((bus) << 8 | (dev) << 3 | (fn)))
#define BDF_BUS(b)        ((unsigned)(b) >> 8)
#define BDF_DEV(b)        ((unsigned)(b) >> 3 & 0x1f)
#define BDF_FN(b)         ((unsigned)(b)&7)
#define BDF_DEVFN(b)      ((unsigned)(b)&0xff)
#define BDF_FMT           "%02x:%02x.%x" /* printf: BDF_FMT, BDF_ARG(bdf) */
#define BDF_ARG(b)        BDF_BUS(b), BDF_DEV(b), BDF_FN(b)

/* In a file that is compiled for speed: a function that is not on the way that has to be fast. */
#define COLD              __attribute__((cold))

#define PAGE_SIZE         UINT64_C(4096)
#define SIZE_2M           (UINT64_C(1) << 21)
#define SIZE_1G           (UINT64_C(1) << 30)
