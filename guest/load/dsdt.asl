/* SPDX-License-Identifier: MIT */
/*
 * The DSDT of every VM: the devices that no bus can find, and where interrupts of PCI devices go.
 * The guest's operating system reads it; Hamlet only copies it. The C preprocessor puts in the
 * constants of guest/core/vm.h and guest/load/vacpi.h, then iasl compiles it (Makefile).
 * From: guest/load/vacpi.c (the other tables).
 * To: guest/pc/vpower.c, guest/pc/vuart.c, guest/pc/vrtc.c (the devices).
 * Spec: ACPI "_PRT (PCI Routing Table)", and its reference of ASL.
 */
#undef UINT64_C
#define UINT64_C(n) n /* a number of ASL has no suffix */

/* iasl miscalculates expressions inside resources and packages. So their numbers are calculated by
 * hand, and compared here with the constants that they come from. */
#if VM_MMIO_BASE != 0xD0000000 || VM_MMIO_END != 0xFEC00000 || \
    VM_MMIO64_BASE != 0x4000000000 || VM_MMIO64_SIZE != 0x4000000000 || \
    VM_MMIO_BASE - VM_ECAM_BASE != 0x10000000 || \
    VACPI_PCI_PIN(0x01) != 16 || VACPI_PCI_PIN(0x1F) != 46
#error "a number of dsdt.asl is not the one of guest/core/vm.h or guest/load/vacpi.h"
#endif

DefinitionBlock ("", "DSDT", 2, "HAMLET", "VIRTUAL ", 1)
{
    Name (_S5, Package () { VACPI_S5, 0, 0, 0 })    /* SLP_TYP of "off"; vpower.c waits for it */

    Scope (\_SB)
    {
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A08"))         /* a root of PCI Express ... */
            Name (_CID, EisaId ("PNP0A03"))         /* ... and one of conventional PCI */
            Name (_SEG, 0)
            Name (_BBN, 0)

            /* One bus, ports and two windows of memory go to the devices below the root. The root
             * itself consumes only the ports of configuration accesses.
             * Numbers of a range: granularity, first, last, translation, length. */
            Name (_CRS, ResourceTemplate () {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0, 0, 0, 0, 1)
                IO (Decode16, 0xCF8, 0xCF8, 1, 8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0, 0x1000, 0xFFFF, 0, 0xF000)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
                    NonCacheable, ReadWrite, 0, 0xD0000000, 0xFEBFFFFF, 0, 0x2EC00000)
                QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
                    NonCacheable, ReadWrite, 0, 0x4000000000, 0x7FFFFFFFFF, 0, 0x4000000000)
            })

            /* INTA of each device has an input of the I/O APIC for itself: no line is shared.
             * Fields: the device and any function of it, INTA, no link device, the input. */
#define ROUTE(device, input) Package () { 0x ## device ## FFFF, 0, 0, input }
            Name (_PRT, Package () {
                ROUTE (01, 16), ROUTE (02, 17), ROUTE (03, 18), ROUTE (04, 19), ROUTE (05, 20),
                ROUTE (06, 21), ROUTE (07, 22), ROUTE (08, 23), ROUTE (09, 24), ROUTE (0A, 25),
                ROUTE (0B, 26), ROUTE (0C, 27), ROUTE (0D, 28), ROUTE (0E, 29), ROUTE (0F, 30),
                ROUTE (10, 31), ROUTE (11, 32), ROUTE (12, 33), ROUTE (13, 34), ROUTE (14, 35),
                ROUTE (15, 36), ROUTE (16, 37), ROUTE (17, 38), ROUTE (18, 39), ROUTE (19, 40),
                ROUTE (1A, 41), ROUTE (1B, 42), ROUTE (1C, 43), ROUTE (1D, 44), ROUTE (1E, 45),
                ROUTE (1F, 46)
            })
        }

        Device (COM1)
        {
            Name (_HID, EisaId ("PNP0501"))         /* a 16550A */
            Name (_UID, 0)
            Name (_CRS, ResourceTemplate () {
                IO (Decode16, 0x3F8, 0x3F8, 1, 8)
                Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { VACPI_UART_PIN }
            })
        }

        Device (RTC)                                /* it has no interrupt */
        {
            Name (_HID, EisaId ("PNP0B00"))
            Name (_CRS, ResourceTemplate () { IO (Decode16, 0x70, 0x70, 1, 2) })
        }

        Device (MBRD)                               /* addresses that no other device may get */
        {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_CRS, ResourceTemplate () {
                Memory32Fixed (ReadWrite, VM_ECAM_BASE, 0x10000000)
                IO (Decode16, VACPI_SLEEP_PORT, VACPI_SLEEP_PORT, 1, 2)
            })
        }
    }
}
