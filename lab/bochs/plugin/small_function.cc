/* SPDX-License-Identifier: MIT */
/*
 * Functions 1 and 2 of a lab device: a few words of memory, and an INTx line that one bit drives.
 * From: lab/bochs/plugin/machine.cc      To: lab/bochs/plugin/pci_function.cc
 */
#include "device.h"
#include <cstring>

namespace lab
{

SmallFunction::SmallFunction(Host &host_, Bus &bus_, unsigned devfn_, bool af,
                             const Bridge *behind_)
    : PciFunction(host_, bus_, devfn_, behind_)
{
    set(0x00, 4, 0x11e91234);
    set(0x06, 2, af ? 0x0010 : 0);
    set(0x08, 4, 0x00ff0010);
    set(0x0e, 1, 0x80);
    set(0x2c, 4, 0x11001af4);
    set(0x34, 1, af ? 0x50 : 0);
    set(0x3d, 1, 1 + (devfn_ & 7)); /* INTB, INTC */
    add_bar(0, 256, false);
    af_offset = af ? 0x50 : 0;
    if (af)
        set(0x50, 4, 0x03060013); /* length 6, FLR and Transactions Pending */
    function_reset();
}

void SmallFunction::function_reset() { memset(words, 0, sizeof(words)); }

/* Word 0 names the function, word 1 raises (1) and lowers (0) INTx, the others are memory. */
uint64_t SmallFunction::bar_read(unsigned, uint64_t offset, unsigned size)
{
    uint64_t value = words[offset / 4];
    if (offset < 4)
        value = 0x11e90000 | devfn;
    if (size == 8)
        value |= uint64_t(words[offset / 4 + 1]) << 32;
    return value >> 8 * (offset & 3) & bits(8 * size - 1, 0);
}

void SmallFunction::bar_write(unsigned, uint64_t offset, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; ++i)
        reinterpret_cast<uint8_t *>(words)[offset + i] = uint8_t(value >> 8 * i);
    if (offset == 4)
        set_intx(value & 1);
}

} /* namespace lab */
