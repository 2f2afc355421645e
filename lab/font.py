#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The letters of the PC's screen: from a font of GRUB, in its format PFF2, to 16 bytes a letter.

From: Makefile (build/arch/font.bin)      To: arch/font.asm

    lab/font.py FONT.pf2 TARGET

A file in PFF2 is a chain of sections: four letters, a length, so many bytes. CHIX has a row for
each character with the place of its glyph in the file: width, height, the distance from the left
and from the base line to its lower edge, and then its bits without any padding.
"""

import struct
import sys
from pathlib import Path

WIDTH, HEIGHT = 8, 16
LETTERS = range(ord(" "), ord("~") + 1)


def sections(data):
    at = 4 + 4 + 4
    while at + 8 <= len(data):
        name, size = struct.unpack_from(">4sI", data, at)
        if name == b"DATA":
            return
        yield name, data[at + 8:at + 8 + size]
        at += 8 + size


def glyph(data, place, ascent):
    """The rows of one letter, bit 7 leftmost."""
    width, height, left, above, _ = struct.unpack_from(">HHhhh", data, place)
    place += 10
    bits = "".join(f"{byte:08b}" for byte in data[place:place + (width * height + 7) // 8])
    rows = bytearray(HEIGHT)
    for y in range(height):
        row = bits[y * width:(y + 1) * width]
        rows[ascent - above - height + y] = int(row, 2) << (WIDTH - left - width) if row else 0
    return bytes(rows)


def letters(data):
    """Letter -> 16 bytes."""
    if data[:12] != b"FILE\0\0\0\4PFF2":
        raise SystemExit("font.py: not a font in PFF2")
    parts = dict(sections(data))
    ascent, = struct.unpack(">H", parts[b"ASCE"])
    places = {code: place for code, _, place in struct.iter_unpack(">IBI", parts[b"CHIX"])}
    return {code: glyph(data, places[code], ascent) for code in LETTERS}


def main():
    font = letters(Path(sys.argv[1]).read_bytes())
    Path(sys.argv[2]).write_bytes(b"".join(font[code] for code in LETTERS))


if __name__ == "__main__":
    main()
