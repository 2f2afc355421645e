/* SPDX-License-Identifier: MIT */
/*
 * Devices that do otherwise than the specification, or than they say. A row is believed as others
 * have found it. The files of pci/ ask for one by pci_has_quirk().
 * From: pci/scan.c.
 * To: arch/paging.c (the registers of a chipset), pci/config.c.
 * Spec: VT-d "Root-Complex Peer to Peer Considerations"; PCI Express Base "Access Control Services
 * (ACS)"; PCH "Chipset Configuration Registers".
 */
#include "pci/pci_private.h"
#include "arch/io.h"
#include "arch/paging.h"
#define LOG "pci"
#include "arch/log.h"

/* By the bit of the quirk. */
static const char *const reasons[] = {
    [QUIRK_NO_PEERS] = "its functions do not reach each other, although it has no ACS",
    [QUIRK_PCH_PORT] = "a port without ACS, which registers of the chipset isolate",
    [QUIRK_WIDE_ACS] = "its registers of ACS are 32 bits wide",
    [QUIRK_AS_FUNCTION_0] = "sends requests under the id of function 0",
    [QUIRK_AS_FUNCTION_1] = "sends requests under the id of function 1",
    [QUIRK_AS_PCIE_BRIDGE] = "a PCI Express bridge without the capability",
    [QUIRK_NO_FLR] = "hangs after an FLR",
    [QUIRK_SLOW_FLR] = "answers before its FLR is over",
    [QUIRK_NO_BUS_RESET] = "does not come back from a reset of its bus",
};

static const struct {
    uint16_t vendor, first, last; /* device ids */
    uint8_t quirk;
} rows[] = {
    /* Intel network controllers: 82571, 82575, 82576, 82580, 82598, 82599, X540, I350, I219 */
    {0x8086, 0x105e, 0x1060, QUIRK_NO_PEERS},
    {0x8086, 0x10a7, 0x10a7, QUIRK_NO_PEERS},
    {0x8086, 0x10a9, 0x10a9, QUIRK_NO_PEERS},
    {0x8086, 0x10c6, 0x10c6, QUIRK_NO_PEERS},
    {0x8086, 0x10c9, 0x10c9, QUIRK_NO_PEERS},
    {0x8086, 0x10d6, 0x10d6, QUIRK_NO_PEERS},
    {0x8086, 0x10d9, 0x10d9, QUIRK_NO_PEERS},
    {0x8086, 0x10db, 0x10db, QUIRK_NO_PEERS},
    {0x8086, 0x10dd, 0x10dd, QUIRK_NO_PEERS},
    {0x8086, 0x10e1, 0x10e1, QUIRK_NO_PEERS},
    {0x8086, 0x10e6, 0x10e8, QUIRK_NO_PEERS},
    {0x8086, 0x10f1, 0x10f1, QUIRK_NO_PEERS},
    {0x8086, 0x10f7, 0x10fc, QUIRK_NO_PEERS},
    {0x8086, 0x1507, 0x1507, QUIRK_NO_PEERS},
    {0x8086, 0x1509, 0x150a, QUIRK_NO_PEERS},
    {0x8086, 0x150d, 0x1511, QUIRK_NO_PEERS},
    {0x8086, 0x1514, 0x1514, QUIRK_NO_PEERS},
    {0x8086, 0x1516, 0x1516, QUIRK_NO_PEERS},
    {0x8086, 0x1518, 0x1518, QUIRK_NO_PEERS},
    {0x8086, 0x151c, 0x151c, QUIRK_NO_PEERS},
    {0x8086, 0x1521, 0x1524, QUIRK_NO_PEERS},
    {0x8086, 0x1526, 0x1527, QUIRK_NO_PEERS},
    {0x8086, 0x1529, 0x152a, QUIRK_NO_PEERS},
    {0x8086, 0x154d, 0x154d, QUIRK_NO_PEERS},
    {0x8086, 0x154f, 0x154f, QUIRK_NO_PEERS},
    {0x8086, 0x1551, 0x1551, QUIRK_NO_PEERS},
    {0x8086, 0x1558, 0x1558, QUIRK_NO_PEERS},
    {0x8086, 0x15b7, 0x15b8, QUIRK_NO_PEERS},
    /* Root ports of Intel PCHs: series 5, 6, 7, 8, 9, their mobile forms, C600, C610 */
    {0x8086, 0x3b42, 0x3b51, QUIRK_PCH_PORT},
    {0x8086, 0x1c10, 0x1c1f, QUIRK_PCH_PORT},
    {0x8086, 0x1e10, 0x1e1f, QUIRK_PCH_PORT},
    {0x8086, 0x8c10, 0x8c1f, QUIRK_PCH_PORT},
    {0x8086, 0x9c10, 0x9c1b, QUIRK_PCH_PORT},
    {0x8086, 0x8c90, 0x8c9e, QUIRK_PCH_PORT},
    {0x8086, 0x9c90, 0x9c9b, QUIRK_PCH_PORT},
    {0x8086, 0x1d10, 0x1d1e, QUIRK_PCH_PORT},
    {0x8086, 0x8d10, 0x8d1e, QUIRK_PCH_PORT},
    /* The same of series 100 and 200 */
    {0x8086, 0xa110, 0xa11f, QUIRK_WIDE_ACS},
    {0x8086, 0xa167, 0xa16a, QUIRK_WIDE_ACS},
    {0x8086, 0xa290, 0xa29f, QUIRK_WIDE_ACS},
    {0x8086, 0xa2e7, 0xa2ee, QUIRK_WIDE_ACS},
    {0x8086, 0x9d10, 0x9d1b, QUIRK_WIDE_ACS},
    /* Ricoh FireWire and card readers */
    {0x1180, 0xe476, 0xe476, QUIRK_AS_FUNCTION_0},
    {0x1180, 0xe832, 0xe832, QUIRK_AS_FUNCTION_0},
    /* SATA controllers of Marvell, and those of others that have one in them */
    {0x1b4b, 0x9120, 0x9130, QUIRK_AS_FUNCTION_1},
    {0x1b4b, 0x9170, 0x917a, QUIRK_AS_FUNCTION_1},
    {0x1b4b, 0x9182, 0x9183, QUIRK_AS_FUNCTION_1},
    {0x1b4b, 0x91a0, 0x91a0, QUIRK_AS_FUNCTION_1},
    {0x1b4b, 0x9215, 0x9235, QUIRK_AS_FUNCTION_1},
    {0x1103, 0x0642, 0x0645, QUIRK_AS_FUNCTION_1}, /* HighPoint */
    {0x197b, 0x2392, 0x2392, QUIRK_AS_FUNCTION_1}, /* JMicron */
    {0x1c28, 0x0122, 0x0122, QUIRK_AS_FUNCTION_1}, /* Lite-On */
    /* Bridges of ASMedia, Tundra, ITE and Intel to conventional PCI */
    {0x1b21, 0x1080, 0x1080, QUIRK_AS_PCIE_BRIDGE},
    {0x10e3, 0x8113, 0x8113, QUIRK_AS_PCIE_BRIDGE},
    {0x1283, 0x8892, 0x8893, QUIRK_AS_PCIE_BRIDGE},
    {0x8086, 0x244e, 0x244e, QUIRK_AS_PCIE_BRIDGE},
    /* Intel 82579; MediaTek MT7922 */
    {0x8086, 0x1502, 0x1503, QUIRK_NO_FLR},
    {0x14c3, 0x0616, 0x0616, QUIRK_NO_FLR},
    /* NVMe drives of Intel and Solidigm */
    {0x8086, 0x0953, 0x0953, QUIRK_SLOW_FLR},
    {0x8086, 0x0a54, 0x0a54, QUIRK_SLOW_FLR},
    {0x025e, 0xf1ac, 0xf1ac, QUIRK_SLOW_FLR},
    /* Atheros AR93xx to QCA6174; LSI FW643; ASMedia ASM1164 */
    {0x168c, 0x0030, 0x0030, QUIRK_NO_BUS_RESET},
    {0x168c, 0x0032, 0x0034, QUIRK_NO_BUS_RESET},
    {0x168c, 0x003c, 0x003c, QUIRK_NO_BUS_RESET},
    {0x168c, 0x003e, 0x003e, QUIRK_NO_BUS_RESET},
    {0x11c1, 0x5900, 0x5901, QUIRK_NO_BUS_RESET},
    {0x1b21, 0x1164, 0x1164, QUIRK_NO_BUS_RESET},
};

/* Registers of the chipset, behind the address in a register of the LPC bridge. */
#define PCH_LPC            BDF(0, 31, 0)
#define PCH_RCBA           0xf0
#define PCH_RCBA_ENABLE    BIT(0)
#define PCH_RCBA_BASE      BITS(31, 14)
#define PCH_PEERS          0x1014     /* upstream peer decode configuration */
#define PCH_PEERS_DECODED  BITS(5, 0) /* requests from a port that go to another one */
#define PCH_BACKBONE       0x1104
#define PCH_BACKBONE_OFF   BITS(9, 8) /* no posted and no other requests between ports */
/* Of a port: a memory request whose bus number is not one behind it is an error. */
#define PCH_PORT_CONTROL   0xd8
#define PCH_PORT_BUS_CHECK BIT(26)

/* What ACS would do: each request from below goes up to VT-d, under an id that is its own. */
static bool pch_isolate(const struct pci_function *port)
{
    uint32_t rcba = pci_read32(PCH_LPC, PCH_RCBA);
    if (rcba == UINT32_MAX || !(rcba & PCH_RCBA_ENABLE))
        return false;
    char *chipset = mmio_map(hpa(rcba & PCH_RCBA_BASE), BIT(14));
    if (!chipset)
        return false;
    uint32_t peers = mmio_read32(chipset + PCH_PEERS);
    bool off = (mmio_read32(chipset + PCH_BACKBONE) & PCH_BACKBONE_OFF) == PCH_BACKBONE_OFF;
    if (!off)
        mmio_write32(chipset + PCH_PEERS, peers & (uint32_t)~PCH_PEERS_DECODED);
    uint32_t control = pci_read32(port->bdf, PCH_PORT_CONTROL) | (uint32_t)PCH_PORT_BUS_CHECK;
    pci_write32(port->bdf, PCH_PORT_CONTROL, control);
    off = off || !(mmio_read32(chipset + PCH_PEERS) & PCH_PEERS_DECODED);
    return off && pci_read32(port->bdf, PCH_PORT_CONTROL) == control;
}

void pci_quirks_read(struct pci_function *f)
{
    int type = pci_port_type(f);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (f->vendor != rows[i].vendor || f->device < rows[i].first || f->device > rows[i].last)
            continue;
        f->quirks |= (uint16_t)BIT(rows[i].quirk);
        log_info(BDF_FMT " %s", BDF_ARG(f->bdf), reasons[rows[i].quirk]);
    }
    /* VT-d: the root complex decodes an address of a peer only after it has been translated. */
    f->isolates = type == PCIE_ROOT_COMPLEX_ENDPOINT || pci_has_quirk(f, QUIRK_NO_PEERS) ||
                  (type == PCIE_ROOT_PORT && pci_has_quirk(f, QUIRK_PCH_PORT) && pch_isolate(f));
    f->acs_control =
        f->ext_acs + (pci_has_quirk(f, QUIRK_WIDE_ACS) ? PCI_ACS_WIDE_CONTROL : PCI_ACS_CONTROL);
}
