# SPDX-License-Identifier: MIT
"""
A command of GDB for Hamlet under the emulator's debugger: `to FUNCTION` runs on to a function of
Hamlet, as the tours do at each step.

From: lab/debug.gdb      To: docs/tours/

    (gdb) to exit_io_instruction
    in exit_io_instruction()

The emulator stops at an address; a guest has code of its own at the same addresses, and Bochs stops
at each VM exit as well. So what lies there is compared with Hamlet's file.
"""

import os
import struct

import gdb

LONGEST = 15        # bytes of an instruction; Bochs stops a byte behind the breakpoint


def in_file(address, size):
    """Bytes of Hamlet's file, which is an ELF file of 64 bits, at an address."""
    with open(gdb.current_progspace().filename, "rb") as file:
        data = file.read()
    (table,) = struct.unpack_from("<Q", data, 32)
    entry, count = struct.unpack_from("<HH", data, 54)
    for n in range(count):
        kind, _, offset, start, _, length = struct.unpack_from("<IIQQQQ", data, table + n * entry)
        if kind == 1 and start <= address < start + length:
            at = offset + address - start
            return data[at:at + size]
    raise gdb.GdbError(f"0x{address:x} is not in Hamlet's file")


def compared(address):
    """How many bytes are. Bochs does not read over the end of a page."""
    return min(LONGEST, 4096 - address % 4096)


def run_on():
    """GDB tells of each stop, of the uninteresting ones too: it cannot while this runs."""
    gdb.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        gdb.execute("continue", to_string=True)
    finally:
        gdb.flush()
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


class To(gdb.Command):
    """to FUNCTION [if CONDITION]: run on to this function of Hamlet."""

    def __init__(self):
        super().__init__("to", gdb.COMMAND_RUNNING, gdb.COMPLETE_LOCATION)

    def invoke(self, argument, from_tty):
        function, _, condition = argument.partition(" if ")
        stop = gdb.Breakpoint(function, type=gdb.BP_HARDWARE_BREAKPOINT, internal=True)
        codes = {place.address: in_file(place.address, compared(place.address))
                 for place in stop.locations}
        try:
            while not self.arrived(codes, condition):
                run_on()
        finally:
            stop.delete()
        print(f"in {function}()")

    def arrived(self, codes, condition):
        here = int(gdb.parse_and_eval("(unsigned long)$pc"))
        memory = gdb.selected_inferior()
        for start, code in codes.items():
            if start <= here < start + LONGEST and \
                    bytes(memory.read_memory(start, len(code))) == code:
                return not condition or bool(gdb.parse_and_eval(condition))
        return False


To()
