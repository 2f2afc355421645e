# SPDX-License-Identifier: MIT
"""
The ACPI tables of the lab machine, in the words of its description: DMAR, and MCFG with ecam=1.

From: lab/machines/bochs.py (as Hamlet's `acpi` module), tests/lab/ (in Linux' initrd); by hand:
      /usr/bin/python3 -m lab.bochs.dmar units=2,devices=2 > dmar.bin
To:   lab/bochs/plugin/options.h (the same description, the same addresses)
Spec: VT-d "DMA Remapping Reporting Structure" and the sections below it; PCI Firmware "MCFG Table
      Description"

Bochs' firmware knows nothing of a remapping unit, so the table comes with the medium. Besides
what the machine needs it can say things that firmware says elsewhere:
rmrr=00:02.0@0x7000000-0x7000fff, flags=, hpet=1, second_segment=1 (the second unit has all of PCI
segment 1, which Bochs does not have), silent_unit=00:02.0 (that function is in the scope of a unit
that does not answer).
"""

import struct
import sys

UNIT_BASE = 0xFED90000
UNIT_SIZE = 0x1000
IOAPIC_BDF = "f0:1f.0"
FIRST_DEVICE = 2
FUNCTIONS = 3
PHYSICAL_FUNCTION = "00:1d.0/00.0"
ECAM_BASE, ECAM_BUSES = 0xB0000000, 16

DRHD, RMRR = 0, 1                               # "Remapping Structure Types"
ENDPOINT, IOAPIC, HPET = 1, 3, 4                # "Device Scope Entry": Type
# keys that the machine itself does not know
ONLY_TABLE = ("rmrr", "flags", "hpet", "ioapic_id", "second_segment", "silent_unit")

INTR_REMAP = 1                                  # flags of the table
INCLUDE_PCI_ALL = 1                             # flags of a DRHD


def bdf(text):
    bus, _, rest = text.partition(":")
    device, _, function = rest.partition(".")
    return int(bus, 16), int(device, 16), int(function, 16)


def scope(kind, where, enumeration=0):
    """"Device Scope Structure": from a function on a root bus by way of bridges, as in
    00:1d.0/00.0."""
    first, *hops = where.split("/")
    bus, device, function = bdf(first)
    path = bytes([device, function])
    for hop in hops:
        path += bytes(bdf(f"0:{hop}")[1:])
    return struct.pack("<BBBBBB", kind, 6 + len(path), 0, 0, enumeration, bus) + path


def structure(kind, body):
    return struct.pack("<HH", kind, 4 + len(body)) + body


def drhd(base, flags, scopes, segment=0):
    return structure(DRHD, struct.pack("<BBHQ", flags, 0, segment, base) + b"".join(scopes))


def rmrr(where, first, last):
    return structure(RMRR, struct.pack("<HHQQ", 0, 0, first, last) + scope(ENDPOINT, where))


def options(words):
    """KEY=VALUE,... as a dict, or a dict as it is."""
    if isinstance(words, dict):
        return words
    return dict(word.partition("=")[::2] for word in words.split(",") if word)


def table(words="", cpus=1):
    """The bytes of the table for a machine with this description and so many processors."""
    given = options(words)

    def number(key, default):
        return int(given.get(key) or default, 0)

    units, width = number("units", "1"), number("width", "48")
    address_width = min(number("haw", "40"), width)
    remapping = number("remap", "1") and number("queue", "1")
    body = b""
    if units > 1 and number("second_segment", "0"):
        body += drhd(UNIT_BASE + UNIT_SIZE, INCLUDE_PCI_ALL, [], segment=1)
    elif units > 1:
        second = [scope(ENDPOINT, f"00:{FIRST_DEVICE + 1:02x}.{function}")
                  for function in range(FUNCTIONS)]
        if number("vfs", "0"):  # a scope names the physical function, never the virtual ones
            second.append(scope(ENDPOINT, PHYSICAL_FUNCTION))
        body += drhd(UNIT_BASE + UNIT_SIZE, 0, second)
    if given.get("silent_unit"):
        body += drhd(UNIT_BASE + 2 * UNIT_SIZE, 0, [scope(ENDPOINT, given["silent_unit"])])
    scopes = [scope(IOAPIC, IOAPIC_BDF, enumeration=number("ioapic_id", str(cpus)))]
    if number("hpet", "0"):
        scopes.append(scope(HPET, "f0:0f.0"))
    body += drhd(UNIT_BASE, INCLUDE_PCI_ALL, scopes)  # the one that takes the rest comes last
    for region in given.get("rmrr", "").split("+"):
        if region:
            where, _, span = region.partition("@")
            first, _, last = span.partition("-")
            body += rmrr(where, int(first, 0), int(last, 0))
    flags = number("flags", str(INTR_REMAP if remapping else 0))
    return with_header(b"DMAR", struct.pack("<BB10x", address_width - 1, flags) + body)


def mcfg():
    """The table that names the one window of configuration space ("MCFG Table Description")."""
    return with_header(b"MCFG", bytes(8) + struct.pack("<QHBB4x", ECAM_BASE, 0, 0, ECAM_BUSES - 1))


def with_header(signature, body):
    """The header that every ACPI table has, its checksum such that the bytes sum up to 0."""
    header = struct.pack("<4sIBB6s8sI4sI", signature, 36 + len(body), 1, 0, b"HAMLET",
                         b"LAB" + signature + b" ", 1, b"HMLT", 1)
    whole = bytearray(header + body)
    whole[9] = -sum(whole) & 0xFF
    return bytes(whole)


if __name__ == "__main__":
    sys.stdout.buffer.write(table(",".join(sys.argv[1:])))
