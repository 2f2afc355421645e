/* SPDX-License-Identifier: MIT */
/*
 * The extended capabilities of the lab device, as a driver finds them through ECAM.
 * To: guest/assign/vpci_ext.c.
 * Spec: PCI Express Base "PCI Express Extended Capabilities"; docs/lab.md.
 */
#include "guest/programs/edu.h"

#define ECAM UINT64_C(0xc0000000)

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

int main(void)
{
    struct edu e = edu_open();
    config = (char *)(ECAM + ((uint64_t)e.bdf << 12));
    uint16_t serial = find(PCI_EXT_ID_SERIAL);
    check(serial != 0);
    mmio_write32(config + serial + 4, 0);
    print("serial number %08x%08x", mmio_read32(config + serial + 8),
          mmio_read32(config + serial + 4));
    return 0;
}
