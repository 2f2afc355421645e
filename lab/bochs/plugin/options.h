/* SPDX-License-Identifier: MIT */
/*
 * The description of the lab machine: key=value, separated by commas, from the environment variable
 * HAMLET_LAB. docs/lab.md has the list.
 * From: glue.cc      To: vtd_unit.h, device.h, processor.h
 */
#pragma once
#include "device.h"
#include "processor.h"
#include "vtd_unit.h"

namespace lab
{

struct LabOptions {
    VtdOptions unit;
    ProcessorOptions processor;
    Trouble trouble;
    unsigned units = 1;        /* 0: a machine without VT-d; 2: the second serves device 2 */
    unsigned second_width = 0; /* of the second unit, if another than the first one's */
    unsigned left = 0;         /* LEFT_...: what the firmware has left on, in every unit */
    unsigned devices = 1;      /* lab devices: 00:02, 00:03, ... */
    bool ecam = false;         /* configuration space in memory, all 4 KiB of it */
    bool card = false;         /* behind 00:1c.0: two functions without a reset of their own */
    uint64_t large_bar = 0;    /* of the card, in MiB; a power of two */
    unsigned vfs = 0;          /* behind 00:1d.0: a device with so many virtual functions */
    bool bridge = false;       /* behind 00:1e.0: a bridge to conventional PCI, two devices */
    bool acs = true;           /* root ports isolate what is behind them */
    bool pch_intx = false;     /* PIRQs end at pins 16 to 23, whatever Interrupt Line says */
    bool trace_dma = true;
    bool trace_detail = false; /* also look-ups, table entries as used, the processors */
    std::string trace;         /* file; none if empty */
};

constexpr uint64_t UNIT_BASE = 0xfed90000; /* of unit 0; unit 1 lies one page above */
constexpr uint64_t ECAM_BASE = 0xb0000000;
constexpr unsigned ECAM_BUSES = 16;
constexpr uint16_t IOAPIC_SID = 0xf0f8;  /* f0:1f.0, no PCI function: only the DMAR table tells */
constexpr unsigned FIRST_DEVFN = 2 << 3; /* of the first lab device */

/* False, and a sentence in `error`, for a key that is not known or a value that is none. */
bool options_parse(const std::string &words, LabOptions &options, std::string &error);

} /* namespace lab */
