/* SPDX-License-Identifier: MIT */
/*
 * The extended capabilities of the lab device, as a driver finds them through ECAM, and the errors
 * that the device finds.
 * To: guest/assign/vpci_ext.c, guest/assign/aer.c.
 * Spec: PCI Express Base "PCI Express Extended Capabilities", "Advanced Error Reporting Extended
 * Capability"; docs/lab.md.
 */
#include "guest/programs/edu.h"

#define ECAM              UINT64_C(0xc0000000)

/* docs/lab.md: errors that the device finds now. */
#define LAB_ERRORS        0x22c
#define LAB_CORRECTED     0x230
#define MALFORMED         0x00040000
#define UNSUPPORTED       0x00100000
#define TIMEOUT_OF_REPLAY 0x00001000

static char *config;

/* The offset of a capability; 0: it is not shown. Each is printed. */
static uint16_t find(uint16_t id)
{
    uint16_t found = 0;
    for (uint16_t at = PCI_EXT_FIRST; at;) {
        uint32_t header = mmio_read32(config + at);
        print("at 0x%03x: id=0x%04lx", at, FIELD_GET(PCI_EXT_ID, header));
        if (FIELD_GET(PCI_EXT_ID, header) == id)
            found = at;
        at = (uint16_t)FIELD_GET(PCI_EXT_NEXT, header);
    }
    return found;
}

/* The device finds errors; after a tick they are in its registers, and stay there until they are
 * cleared. */
static void errors_are_told(const struct edu *e, uint16_t aer)
{
    char *uncorrected = config + aer + PCI_AER_UNCORRECTED,
         *corrected = config + aer + PCI_AER_CORRECTED;
    check(mmio_read32(uncorrected) == 0 && mmio_read32(corrected) == 0);
    edu_write(e, LAB_CORRECTED, TIMEOUT_OF_REPLAY);
    edu_write(e, LAB_ERRORS, MALFORMED | UNSUPPORTED);
    check(spin_until(mmio_read32(uncorrected) && mmio_read32(corrected), 10000000));
    print("errors: uncorrected=0x%08x corrected=0x%04x tlp=%08x", mmio_read32(uncorrected),
          mmio_read32(corrected), mmio_read32(config + aer + PCI_AER_TLP(2)));
    mmio_write32(uncorrected, MALFORMED);
    check(mmio_read32(uncorrected) == UNSUPPORTED);
    mmio_write32(uncorrected, UNSUPPORTED);
    mmio_write32(corrected, UINT32_MAX);
    check(mmio_read32(uncorrected) == 0 && mmio_read32(corrected) == 0);
}

int main(void)
{
    struct edu e = edu_open();
    config = (char *)(ECAM + ((uint64_t)e.bdf << 12));
    uint16_t serial = find(PCI_EXT_ID_SERIAL), aer = find(PCI_EXT_ID_AER);
    check(serial && aer);
    print("serial number %08x%08x", mmio_read32(config + serial + 8),
          mmio_read32(config + serial + 4));
    errors_are_told(&e, aer);
    return 0;
}
